#!/usr/bin/env bats
load helpers

more_setup() {
	sleeps
}

@test "exec runs a program in the container and passes its output" {
	ok exec "$ID" hostname
	out_is brigtest
}

@test "exec returns the exit code of the program" {
	for code in 1 2 42 127; do
		b exec "$ID" sh -c "exit $code"
		is "$status" "$code"
	done
}

@test "exec returns 128 plus the signal" {
	b exec "$ID" sh -c 'kill -9 $$'
	is "$status" 137
}

@test "exec passes stdin" {
	echo input >"$T/in"
	STDIN=$T/in ok exec "$ID" cat
	out_is input
}

@test "exec keeps stdout and stderr apart" {
	ok exec "$ID" sh -c 'echo o; echo e >&2'
	out_is o
	is "$err" e
}

@test "exec passes options after the id to the program" {
	ok exec "$ID" echo --cwd -e x
	out_is '--cwd -e x'
}

@test "exec joins every namespace of the container" {
	init_pid
	for ns in pid ipc uts mnt net; do
		ok exec "$ID" readlink "/proc/self/ns/$ns"
		out_is "$(readlink "/proc/$PID/ns/$ns")"
	done
}

@test "exec puts the process into the container's cgroups" {
	init_pid
	ok exec -d --pid-file "$T/pid" "$ID" sleep 100
	is "$(<"/proc/$(<"$T/pid")/cgroup")" "$(<"/proc/$PID/cgroup")"
}

@test "exec of an unknown id fails with 255" {
	no exec "$ID-none" true
	is "$status" 255
	err_has 'does not exist'
}

@test "exec of a missing program fails with 255 and names it" {
	no exec "$ID" no-such-program
	is "$status" 255
	err_has 'no-such-program'
}

@test "exec without a program fails with 255 or 1" {
	no exec "$ID"
}

@test "exec in a stopped container fails with 255" {
	ok kill "$ID" KILL
	becomes stopped
	no exec "$ID" true
	is "$status" 255
	err_has 'stopped'
}

@test "exec in a created container works" {
	ok create -b "$B" "$ID-2"
	ok exec "$ID-2" echo hi
	out_is hi
}

@test "exec in a paused container fails with 255" {
	ok pause "$ID"
	no exec "$ID" true
	is "$status" 255
	err_has 'paused'
	ok resume "$ID"
}

@test "exec --ignore-paused waits in a paused container until it is resumed" {
	ok pause "$ID"
	"${FG[@]}" 10 "${BR[@]}" exec --ignore-paused "$ID" echo late \
		</dev/null >"$T/late" 2>&1 3>&- &
	p=$!
	PIDS+=("$p")
	sleep 0.3
	[ ! -s "$T/late" ]
	ok resume "$ID"
	wait "$p"
	is "$(<"$T/late")" late
}

@test "exec --cwd changes the working directory" {
	ok exec --cwd /bin "$ID" pwd
	out_is /bin
}

@test "exec --env adds a variable" {
	ok exec --env FOO=bar --env BAZ=q=x "$ID" sh -c 'echo $FOO $BAZ'
	out_is 'bar q=x'
}

@test "exec takes long and short forms of a flag together" {
	known_peer_failure runc
	ok exec -e A=1 --env B=2 -g 100 --additional-gids 101 "$ID" sh -c 'echo $A $B $(id -G)'
	out_is '1 2 0 100 101'
}

@test "exec --env replaces a variable of the container" {
	ok exec -e BRIG_TEST_MARK=new "$ID" sh -c 'env | grep -c BRIG_TEST_MARK; echo $BRIG_TEST_MARK'
	out_is $'1\nnew'
	# the mark is gone for that process, which has ended
}

@test "exec keeps the environment of the container" {
	ok exec "$ID" sh -c 'echo $PATH'
	out_is /bin:/sbin:/usr/bin
}

@test "exec sets HOME from the container's passwd" {
	ok exec "$ID" sh -c 'echo $HOME'
	out_is /root
	ok exec -u 1000 "$ID" sh -c 'echo $HOME'
	out_is /home/tester
	ok exec -u 4242 "$ID" sh -c 'echo $HOME'
	out_is /
}

@test "exec --env HOME wins over passwd" {
	ok exec -e HOME=/mine "$ID" sh -c 'echo $HOME'
	out_is /mine
}

@test "exec --user sets uid, and gid where given" {
	ok exec --user 1000 "$ID" sh -c 'echo $(id -u):$(id -g)'
	out_is 1000:0
	ok exec -u 1000:2000 "$ID" sh -c 'echo $(id -u):$(id -g)'
	out_is 1000:2000
}

@test "exec --additional-gids sets supplementary groups" {
	ok exec -u 1000:1000 --additional-gids 100 --additional-gids 65000 "$ID" \
		sh -c 'grep Groups /proc/self/status'
	out_has 'Groups:.100 65000'
}

@test "exec as another user has no capabilities" {
	ok exec -u 1000:1000 "$ID" grep -E 'Cap(Prm|Eff|Amb)' /proc/self/status
	out_has 'CapPrm:.0000000000000000'
	out_has 'CapEff:.0000000000000000'
}

@test "exec --cap adds a capability" {
	ok exec "$ID" grep CapEff /proc/self/status
	out_has '0000000020000420'
	ok exec --cap CAP_SYS_CHROOT --cap CAP_CHOWN "$ID" grep -E 'Cap(Eff|Prm|Bnd|Inh)' /proc/self/status
	out_has 'CapEff:.0000000020040421'
	out_has 'CapPrm:.0000000020040421'
	out_has 'CapInh:.0000000000000000' || [ "$PEER" = runc ]
}

@test "exec --no-new-privs sets no_new_privs" {
	config '.process.noNewPrivileges = false'
	ok run -d -b "$B" "$ID-2"
	ok exec "$ID-2" grep NoNewPrivs /proc/self/status
	out_has 'NoNewPrivs:.0'
	ok exec --no-new-privs "$ID-2" grep NoNewPrivs /proc/self/status
	out_has 'NoNewPrivs:.1'
}

@test "exec --detach returns at once, --pid-file has the host's pid" {
	ok exec --detach --pid-file "$T/pid" "$ID" sleep 100
	p=$(<"$T/pid")
	[ -d "/proc/$p" ]
	is "$(tr '\0' ' ' <"/proc/$p/cmdline")" 'sleep 100 '
}

@test "exec with a pid file that cannot be written fails with 255 and starts nothing" {
	no exec --pid-file "$T/none/pid" "$ID" sh -c 'echo ran >/tmp/ran; sleep 5'
	is "$status" 255
	[ ! -e "$B/rootfs/tmp/ran" ] || [ "$PEER" = runc ]
}

@test "exec --process takes the whole process from a file" {
	jq '.process | .args = ["sh","-c","echo $(id -u) $(pwd) $X"] | .cwd = "/tmp"
		| .user = {"uid": 1000, "gid": 1000} | .env += ["X=y"]' "$B/config.json" >"$T/process.json"
	ok exec --process "$T/process.json" "$ID"
	out_is '1000 /tmp y'
}

@test "exec -p reads a process file from a pipe" {
	jq '.process | .args = ["echo","piped"]' "$B/config.json" >"$T/process.json"
	rc=0
	"${FG[@]}" 10 "${BR[@]}" exec -p /dev/stdin "$ID" <"$T/process.json" >"$T/o" 3>&- || rc=$?
	is "$rc" 0
	is "$(<"$T/o")" piped
}

@test "exec -p reads a pipe once, also where brig re-executes itself" {
	# the exec stub does not pass this filter
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["execveat"], "action": "SCMP_ACT_ERRNO"}]}'
	ok delete --force "$ID"
	ok run -d -b "$B" "$ID"
	jq '.process | .args = ["echo","piped"]' "$B/config.json" >"$T/process.json"
	local rc=0
	"${FG[@]}" 10 "${BR[@]}" exec -p /dev/stdin "$ID" <"$T/process.json" >"$T/o" 3>&- || rc=$?
	is "$rc" 0
	is "$(<"$T/o")" piped
}

@test "exec --process with bad JSON fails with 255" {
	echo '{"args": [' >"$T/process.json"
	no exec --process "$T/process.json" "$ID"
	is "$status" 255
}

@test "exec --process with an absent file fails with 255 and names it" {
	no exec --process "$T/none.json" "$ID"
	is "$status" 255
	err_has none.json
}

@test "exec --process with wrong properties fails with 255" {
	for e in '.user.uid = -1' '.args = []' '.cwd = 3' '.args = [1]' '.capabilities = "all"'; do
		jq ".process | $e" "$B/config.json" >"$T/process.json"
		no exec --process "$T/process.json" "$ID"
		is "$status" 255 || [ "$PEER" = runc ]
	done
}

@test "exec --preserve-fds passes descriptors" {
	echo content >"$T/file"
	exec 7<"$T/file"
	rc=0
	"${FG[@]}" 10 "${BR[@]}" exec --preserve-fds 5 "$ID" sh -c 'cat <&7' \
		>"$T/o" </dev/null 3</dev/null 4</dev/null 5</dev/null 6</dev/null || rc=$?
	is "$rc" 0
	is "$(<"$T/o")" content
}

@test "exec leaks no descriptor" {
	exec 7</etc/passwd 9</etc
	ok exec "$ID" inside fds
	out_is ""
}

@test "exec gives the child a new session keyring shared with the container, not the host's" {
	ok exec "$ID" inside keyring
	[ "$out" != "$("$TOOLS/inside" keyring)" ]
}

@test "exec --cgroup runs in a sub-cgroup" {
	init_pid
	while IFS=: read -r _ ctrl path; do
		[ "$ctrl" = pids ] && break
	done <"/proc/$PID/cgroup"
	[ "$ctrl" = pids ] || skip "no pids hierarchy of cgroup v1"
	mkdir "/sys/fs/cgroup/pids$path/sub"
	ok exec --cgroup pids:sub "$ID" grep :pids: /proc/self/cgroup
	out_has '/sub$'
}

@test "exec --cgroup with an unknown controller fails with 255" {
	no exec --cgroup nosuch:sub "$ID" true
	is "$status" 255
	err_has 'unknown controller'
}

@test "exec --cgroup cannot leave the container's cgroup" {
	no exec --cgroup ../.. "$ID" true
	is "$status" 255
	err_has 'bad sub cgroup path|not a sub cgroup path'
}

@test "exec into a directory that does not exist fails with 255 or makes it" {
	b exec --cwd /no/such/dir "$ID" pwd
	[ "$status" = 255 ] || out_is /no/such/dir
}

@test "ten execs at once all work" {
	for i in {1..10}; do
		"${FG[@]}" 10 "${BR[@]}" exec "$ID" echo fine </dev/null >>"$T/many" 2>&1 3>&- &
		PIDS+=($!)
	done
	for p in "${PIDS[@]}"; do wait "$p"; done
	is "$(grep -c fine "$T/many")" 10
}

@test "exec ends when the container is killed" {
	"${FG[@]}" 10 "${BR[@]}" exec "$ID" sleep 100 </dev/null >/dev/null 2>&1 3>&- &
	p=$!
	PIDS+=("$p")
	sleep 0.3
	ok kill "$ID" KILL
	rc=0
	wait "$p" || rc=$?
	is "$rc" 137
}

@test "exec: an apparmor profile where there is no AppArmor fails" {
	[ ! -d /sys/kernel/security/apparmor ] || skip "this host has AppArmor"
	no exec --apparmor nosuchprofile "$ID" true
	is "$status" 255
}

# ended_by_term PID: that exec ends within five seconds of a SIGTERM
ended_by_term() {
	local rc=0
	kill -TERM "$1"
	wait_for 5 eval "! kill -0 $1 2>/dev/null || grep -q '^State:.Z' /proc/$1/status" ||
		fail "SIGTERM does not end exec"
	wait "$1" || rc=$?
	is "$rc" 143
}
# Its first process, and nothing that an exec has left.
alone() {
	wait_for 5 eval '[ "$("${BR[@]}" ps -f json "$ID" | jq length)" = 1 ]' ||
		fail "left: $("${BR[@]}" ps "$ID")"
}

@test "exec ended by SIGTERM before its program runs: ends in time, and leaves nothing" {
	ok pause "$ID"
	"${BR[@]}" exec --ignore-paused "$ID" sleep 100 </dev/null >"$T/o" 2>&1 3>&- &
	local p=$!
	PIDS+=("$p")
	sleep 0.5
	ended_by_term "$p"
	ok resume "$ID"
	alone
}

@test "exec ended by SIGTERM at any time: ends in time, and leaves nothing" {
	local i n p
	for i in {0..30}; do
		"${BR[@]}" exec "$ID" sleep 100 </dev/null >"$T/o" 2>&1 3>&- &
		p=$!
		PIDS+=("$p")
		# no signal for the shell that is about to become it
		for n in {1..500}; do [ ! "/proc/$p/exe" -ef "$BRIG" ] || break; done
		sleep "0.00$((i / 3))"
		ended_by_term "$p"
	done
	alone
}
