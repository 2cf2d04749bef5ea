#!/usr/bin/env bats
load helpers
load ../lib/levels
# exec into a sandbox: whatever it is told, the process gets no more than the sandbox has

LEVELS=(standard high)

each_level() { # FN
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		sleeps "${2:-}"
		init_pid
		"$1"
		ok delete --force "$ID"
	done
}

# status of a process that exec left running, read on the host
beside() {
	rm -f "$T/beside"
	ok exec -d --pid-file "$T/beside" "$@" "$ID" sleep 100
	appears "$T/beside"
	BESIDE=$(<"$T/beside")
}

@test "exec at a level: the same namespaces, ids, cgroups, filter and limits as the first process" {
	same() {
		local ns k
		beside
		for ns in mnt pid net ipc uts cgroup user; do
			is "$(stat -Lc %i "/proc/$BESIDE/ns/$ns")" "$(stat -Lc %i "/proc/$PID/ns/$ns")"
		done
		is "$(<"/proc/$BESIDE/cgroup")" "$(<"/proc/$PID/cgroup")"
		for k in CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters Cpus_allowed \
			Uid Gid Groups; do
			is "$k $(row "$k" "/proc/$BESIDE/status")" "$k $(row "$k" "/proc/$PID/status")"
		done
		is "$(sort "/proc/$BESIDE/limits")" "$(sort "/proc/$PID/limits")"
		is "$(<"/proc/$BESIDE/oom_score_adj")" "$(<"/proc/$PID/oom_score_adj")"
	}
	each_level same '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
		[{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]}
		| .process.user.additionalGids = [7] | .process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}]'
}

@test "exec at a level: --cap, --no-new-privs=false and a process file give no more" {
	more() {
		jq '.process | .args = ["sh", "-c", "grep -E \"^(CapBnd|CapPrm|NoNew|Seccomp:)\" /proc/self/status | cut -f2"]
			| .noNewPrivileges = false | .capabilities[] = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_NET_ADMIN"]
			| .rlimits = [{"type": "RLIMIT_CORE", "soft": 4096, "hard": 4096}]' "$B/config.json" >"$T/process.json"
		ok exec --process "$T/process.json" "$ID"
		is "${out//$'\n'/ }" "0000000000000000 0000000000000000 1 2"
		beside --cap CAP_SYS_ADMIN --cap CAP_NET_ADMIN --no-new-privs=false
		is "$(row CapPrm "/proc/$BESIDE/status")" "$(row CapPrm "/proc/$PID/status")"
		is "$(row CapBnd "/proc/$BESIDE/status")" "$(row CapBnd "/proc/$PID/status")"
		is "$(row NoNewPrivs "/proc/$BESIDE/status")" 1
		is "$(awk '/^Max core/ {print $5, $6}' "/proc/$BESIDE/limits")" '1 1'
	}
	each_level more
}

@test "exec at a level: another level on exec's command line changes nothing" {
	custom() {
		b=("$BRIG" --level custom --root "$R")
		is "$("${b[@]}" exec --cap CAP_SYS_ADMIN "$ID" grep CapPrm /proc/self/status 3>&- </dev/null)" \
			"CapPrm:"$'\t'"$(row CapPrm "/proc/$PID/status")"
	}
	each_level custom
}

@test "exec at a level: users that are mapped, and one line for those that are not" {
	at standard
	sleeps
	ok exec --user 5:6 "$ID" sh -c 'id -u; id -g'
	is "$out" $'5\n6'
	no exec --user 70000 "$ID" true
	err_has 'uid 70000 is not mapped'
	ok delete --force "$ID"
	at high
	sleeps
	for u in 5 0:9; do
		no exec --user "$u" "$ID" true
		err_has 'not mapped'
	done
	no exec --additional-gids 7 "$ID" true
	err_has 'additional gid 7 is not mapped'
}

@test "exec at high: secret-looking names are dropped unless they are allowed" {
	admin '"env": {"allow": ["GOOD_TOKEN"]}'
	at high
	sleeps
	ok exec --env API_TOKEN=s1 --env GOOD_TOKEN=s2 --env PLAIN=p "$ID" env
	out_lacks s1
	out_has 'GOOD_TOKEN=s2'
	out_has 'PLAIN=p'
}

@test "exec at high: descriptors of the caller are refused" {
	at high
	sleeps
	run bash -c 'exec 3</etc/hostname; exec "$@"' - "${BR[@]}" exec --preserve-fds 1 "$ID" inside fds
	[ "$status" = 255 ] && [ "$(wc -l <<<"$output")" = 1 ] || fail "$output"
	ok exec "$ID" inside fds
	is "$out" ''
}

@test "exec at a level: what the program answers, its signals, a terminal, a missing cwd" {
	answers() {
		b exec "$ID" sh -c 'exit 9'
		is "$status" 9
		b exec "$ID" sh -c 'kill -TERM $$'
		is "$status" 143
		b exec "$ID" nowhere
		is "$status" 255
		ok exec --tty "$ID" sh -c 'tty; test -t 1 && echo terminal'
		out_has terminal
		no exec --cwd /nowhere "$ID" true
		err_has 'cwd.*/nowhere'
	}
	each_level answers
}

@test "exec at high: a killed exec leaves nothing, the sandbox goes on" {
	local n
	at high
	sleeps
	for n in 1 2 3 4 5; do
		"${BR[@]}" exec "$ID" sleep 100 </dev/null >/dev/null 2>&1 3>&- &
		PIDS+=($!)
		sleep 0.0$n
		kill -9 $! 2>/dev/null || :
		wait $! || :
	done
	ok exec "$ID" true
	status_is running
}

@test "exec at a level: pause, update, ps, events and kill know the sandbox" {
	verbs() {
		ok pause "$ID"
		status_is paused
		ok resume "$ID"
		ok update --pids-limit 30 "$ID"
		PID=
		cg_is pids pids.max 30
		ok ps "$ID"
		out_has sleep
		ok events --stats "$ID"
		ok kill "$ID" KILL
		becomes stopped
		no exec "$ID" true
	}
	each_level verbs
}
