#!/usr/bin/env bats
load helpers
load ../lib/reuse

more_setup() { reuse_setup; }

# A shell and its generations: create --reuse, start, reset.  docs/reuse.md

levels=(standard high)

# What there is of it on this machine.
held() {
	local files=("$R/$ID"/*)
	cgroups_of_test
	echo "cgroups ${#CGROUPS[@]}, files ${#files[@]}"
	grep -c "$T" /proc/self/mountinfo || :
	cat "$T"/ids/[0-9]*
}

# --- generations --------------------------------------------------------------------------------

@test "reuse: each generation begins as the first one did, and its result has its number" {
	for LEVEL in "${levels[@]}"; do
		at "$LEVEL"
		prog 'ls -A /tmp /dev/shm; hostname; echo $$; echo x >/tmp/left; echo x >/dev/shm/left'
		makes </dev/null
		is "$(reuse generation)" 1
		ok start --expect-gen 1 "$ID"
		wait_for 10 has_ended
		ok wait "$ID"
		is "$(jq -r .generation <<<"$out")" 1
		ok reset "$ID"
		is "$(report '[.op, .from_gen, .gen, .uses, .status] | join(" ")')" "reset 1 2 1 created"
		is "$(jq -r .generation "$R/$ID/result.1.json")" 1
		ok state "$ID"
		is "$(jq -c '.brig.reuse | [.generation, .uses, .resets]' <<<"$out")" '[2,1,1]'
		runs_and_ends
		ok wait "$ID"
		is "$(jq -r '[.generation, .code] | join(" ")' <<<"$out")" "2 0"
		[ ! -e "$R/$ID/left" ]
		ok delete "$ID"
		nothing_left
	done
}

@test "reuse: generation 2 finds nothing in the places where generation 1 wrote" {
	for LEVEL in "${levels[@]}"; do
		at "$LEVEL"
		prog 'for d in /tmp /var/tmp /run /dev/shm; do
			[ ! -e $d/left ] || exit 9; echo x >$d/left || exit 8; done'
		makes
		for n in 1 2 3; do
			runs_and_ends
			ok wait "$ID"
			ok reset "$ID"
		done
		ok delete "$ID"
	done
}

@test "reuse: fifty resets: every namespace is new each time, and nothing grows" {
	local want g n fd all before after held
	# namespaces: their paths in `all`, their numbers in `after`
	namespaces() {
		local pid
		pid=$(init_of)
		all=("/proc/$pid/ns/"{pid,mnt,ipc,uts,net,cgroup})
		mapfile -t after < <(readlink "${all[@]}")
		is ${#after[@]} 6
	}
	at high
	makes
	ok reset "$ID"
	want=$(held)
	namespaces
	for ((g = 2; g < 52; g++)); do
		before=("${after[@]}") held=()
		for n in "${all[@]}"; do
			# Held open, so that the kernel cannot give its number to another.
			exec {fd}<"$n"
			held+=("$fd")
		done
		ok reset --expect-gen $g "$ID"
		namespaces
		for n in "${!all[@]}"; do
			[ "${after[n]}" != "${before[n]}" ] || fail "generation $g: ${all[n]} goes on"
			fd=${held[n]}
			exec {fd}<&-
		done
		is "$(held)" "$want"
	done
	is "$(reuse generation)" 52
	is "$(reuse uses)" 0
}

@test "reuse: the next generation holds nothing of who reset it" {
	at standard
	makes
	# Would wait for the sandbox's end, were its output handed on.
	out=$(timeout 5 "${BR[@]}" reset "$ID" 2>/dev/null)
	is "$(jq -r .gen <<<"$out")" 2
	for fd in 0 1 2; do is "$(readlink "/proc/$(init_of)/fd/$fd")" /dev/null; done
}

@test "reuse: limits, umask and the like are those of who created it, not of who resets it" {
	at standard
	prog 'ulimit -n; ulimit -c; umask; cat /proc/self/oom_score_adj /proc/self/coredump_filter
		grep Cpus_allowed_list /proc/self/status'
	makes >/dev/null
	(
		ulimit -S -n 77
		umask 0
		echo 5 >/proc/self/oom_score_adj
		echo 0x1 >/proc/self/coredump_filter
		trap '' USR1 CHLD PIPE
		ok reset "$ID"
		is "$(report .clean)" true
	)
	env --block-signal=TERM,USR1 "${BR[@]}" reset "$ID" >"$T/report" </dev/null 3>&-
	is "$(jq .clean "$T/report")" true
}

@test "reuse: the shell keeps its ids and CPUs" {
	at high
	makes
	want="$(cat "/proc/$(init_of)/uid_map") $(reuse cpus) $(reuse created_ns)"
	ok reset "$ID"
	is "$(cat "/proc/$(init_of)/uid_map") $(reuse cpus) $(reuse created_ns)" "$want"
}

# --- refused ------------------------------------------------------------------------------------

@test "reuse: what cannot be made anew is refused at create, with the reason" {
	local jq re flags
	mkdir "$T/volume"
	unshare -i sleep 100 3>&- &
	other=$!
	PIDS+=("$other")
	while IFS='^' read -r jq re flags; do
		cp "$B/config.json" "$T/kept.json"
		config "$jq"
		for LEVEL in "${levels[@]}"; do
			at "$LEVEL"
			# shellcheck disable=SC2086
			answers 1 "cannot be reused.*$re" create --reuse $flags -b "$B" "$ID"
			nothing_left
		done
		cp "$T/kept.json" "$B/config.json"
	done <<-END
		.mounts += [{"destination": "/mnt", "type": "bind", "source": "$T/volume", "options": ["bind", "rw"]}]^mounts: /mnt
		(.linux.namespaces[] | select(.type == "ipc")).path = "/proc/$other/ns/ipc"^namespace is joined
		.process.terminal = true^a terminal belongs^--console-socket $T/console.sock
	END
	at custom
	answers 1 'cannot be reused.*custom' create --reuse -b "$B" "$ID"
	config '.annotations = {"dev.brig.reuse": "true"}'
	answers 1 'cannot be reused.*custom' create -b "$B" "$ID"
	answers 1 'cannot be reused.*create does' --level high run -b "$B" "$ID"
	nothing_left
}

@test "reuse: read-only volumes and annotations are taken" {
	at standard
	mkdir "$T/volume"
	config '.mounts += [{"destination": "/mnt", "type": "bind", "source": "'"$T"'/volume",
		"options": ["bind", "ro"]}]
		| .annotations = {"dev.brig.reuse": "true", "dev.brig.reuse.max_uses": "7",
		"dev.brig.reuse.max_age": "1h", "dev.brig.reuse.key": "tenant-a"}'
	ok create -b "$B" "$ID"
	is "$(jq -c '.reuse | [.maxUses, .maxAgeMs, .key]' "$R/$ID/state.json")" '[7,3600000,"tenant-a"]'
	ok reset "$ID"
	is "$(report '[.max_uses, .max_age_s] | join(" ")')" "7 3600"
}

@test "reuse: bad annotations and bounds" {
	at standard
	config '.annotations = {"dev.brig.reuse": "yes"}'
	answers 1 'dev.brig.reuse: .*yes.* is not true or false' create -b "$B" "$ID"
	config '.annotations = {"dev.brig.reuse.ever": "1"}'
	answers 1 'not known to this version' create -b "$B" "$ID"
	config '.annotations = {}'
	answers 1 'above 0' create --reuse --max-uses 0 -b "$B" "$ID"
	answers 1 'needs --reuse' create --max-uses 1 -b "$B" "$ID"
	answers 1 'reuse key' create --reuse --reuse-key 'a b' -b "$B" "$ID"
	nothing_left
}

@test "reset: one that was not made for it, and one that is not there" {
	at standard
	creates
	answers 76 'not made to be used again' reset "$ID"
	answers 1 'does not exist' reset "$ID-x"
	answers 75 'generation 2 was expected' start --expect-gen 2 "$ID"
	ok start "$ID"
}

@test "reset: not of one that runs, but with --kill" {
	at high
	config '.process.args = ["sleep", "100"]'
	makes
	ok start "$ID"
	answers 75 'is running' reset "$ID"
	answers 75 'is running' reset --check "$ID"
	ok pause "$ID"
	answers 75 'is paused' reset "$ID"
	ok reset --kill "$ID"
	is "$(report '[.from_gen, .gen, .uses] | join(" ")')" "1 2 1"
	is "$(jq -r '[.status, .signal] | join(" ")' "$R/$ID/result.1.json")" "signal 9"
}

@test "reset: --check changes nothing" {
	at high
	makes
	runs_and_ends
	ok state "$ID"
	cp "$R/$ID/state.json" "$T/before"
	ok reset --check "$ID"
	is "$(report '[.op, .from_gen, .gen] | join(" ")')" "check 1 1"
	cmp "$R/$ID/state.json" "$T/before"
	has_ended
}

@test "reset: only from the generation that was expected" {
	at standard
	makes
	answers 75 'generation 7 was expected, it is 1' reset --expect-gen 7 "$ID"
	ok reset --expect-gen 1 "$ID"
	answers 75 'generation 1 was expected, it is 2' reset --expect-gen 1 "$ID"
	answers 75 'generation 1 was expected, it is 2' start --expect-gen 1 "$ID"
	ok start --expect-gen 2 "$ID"
}

@test "start --expect-gen: a verify holds for the generation that is started then, or start says who changed it" {
	local verb g
	mkdir "$T/g"
	chmod 755 "$T" "$T/g"
	admin "\"grants\": {\"paths\": [\"$T/g\"]}"
	config '.linux.resources.pids.limit = 50'
	for LEVEL in "${levels[@]}"; do
		at "$LEVEL"
		makes
		for verb in exec update kill grant revoke; do
			ok verify "$ID"
			g=$(report .valid_for.generation)
			is "$g" "$(reuse generation)"
			case $verb in
			exec) ok exec "$ID" true ;;
			update) ok update --pids-limit 50 "$ID" ;; # what it is
			kill) ok kill "$ID" WINCH ;;
			grant) ok grant "$ID" "filesystem:read:$T/g" ;;
			revoke) b revoke "$ID" "filesystem:read:$T/g" ;; # it has none
			esac
			answers 75 "not what it was made as: $verb has" start --expect-gen "$g" "$ID"
			b verify "$ID"
			is "$verb $status $(report .valid_for)" "$verb 76 null"
			is "$(report '.checks[] | select(.name == "touched") | .detail')" $verb
			ok reset "$ID"
			is "$(report .valid_for.generation)" $((g + 1))
		done
		# Looking at it is none of that.
		g=$(reuse generation)
		ok ps "$ID"
		ok state "$ID"
		ok stats "$ID"
		ok kill "$ID" 0
		ok pause "$ID"
		ok resume "$ID"
		ok verify "$ID"
		ok start --expect-gen "$g" "$ID"
		wait_for 20 has_ended
		b verify "$ID"
		is "$(report .valid_for)" null
		# Who says nothing of a generation may change it first.
		ok reset "$ID"
		ok exec "$ID" true
		ok start "$ID"
		ok delete --force "$ID"
	done
}

@test "reset: no more often than its maker allows, and not when it is too old" {
	at standard
	makes --max-uses 2
	ok reset "$ID" # not used: it does not count
	runs_and_ends
	ok reset "$ID"
	runs_and_ends
	answers 76 'used 2 times' reset "$ID"
	is "$(report .refused)" "it was used 2 times, as often as is allowed"
	ok delete "$ID"
	makes --max-age 300ms
	sleep 0.4
	answers 76 'at most' start "$ID"
	answers 76 'at most' reset "$ID"
	ok delete "$ID"
}

@test "reuse: one of another boot is neither started nor reset, and is deleted as any other" {
	makes --max-age 1h
	is "$(reuse bootId)" "$(cat /proc/sys/kernel/random/boot_id)"
	jq -c '.reuse.bootId = "00000000-0000-0000-0000-000000000000"' "$R/$ID/state.json" >"$T/s"
	cat "$T/s" >"$R/$ID/state.json"
	ok state "$ID"
	is "$(jq -r .brig.reuse.retired <<<"$out")" 'it was made before the machine was booted'
	answers 76 'before the machine was booted' start "$ID"
	# as it is after a reboot: nothing of it runs, nothing of what it held is held
	kill -9 "$(init_of)" "$(jq .wardenPid "$R/$ID/state.json")" 2>/dev/null || :
	wait_for 5 has_ended
	rm -rf "$T/ids"
	answers 76 'before the machine was booted' reset "$ID"
	is "$(report .refused)" 'it was made before the machine was booted'
	answers 75 'only a parked one' verify "$ID"
	is "$(report .refused)" 'it was made before the machine was booted'
	ok delete "$ID"
	nothing_left
}

@test "reset: who tried what is never allowed, or was said to, is not used again" {
	at high
	prog 'swapoff /x'
	makes
	runs_and_ends
	for n in 1 2; do
		answers 76 'tainted' reset "$ID"
		is "$(report '[.clean, .taint[0]] | join(" ")')" "false syscall:swapoff"
	done
	answers 76 'tainted' start "$ID"
	ok delete "$ID"
	makes
	ok taint --reason test "$ID"
	answers 76 'tainted \(manual\)' start "$ID"
	answers 76 'tainted' reset "$ID"
	answers 76 'tainted' reset --kill "$ID"
	ok delete "$ID"
}

@test "reset: not when what it is planned from has changed" {
	level_file mine '"extends": "standard"'
	at mine
	makes
	ok reset "$ID"
	level_file mine '"extends": "standard", "capabilities": []'
	answers 76 'has changed' reset "$ID"
	is "$(jq -r .status <<<"$out")" created
	# Nothing was destroyed for it.
	kill -0 "$(init_of)"
	level_file mine '"extends": "standard"'
	ok reset "$ID"
	# The bundle's file does not count: the request was kept.
	echo '{}' >"$B/config.json"
	ok reset "$ID"
}

@test "start: a program that cannot be executed ends the generation, not the shell" {
	at high
	printf 'neither a script nor a program' >"$B/rootfs/bin/bad"
	chmod 755 "$B/rootfs/bin/bad"
	config '.process.args = ["/bin/bad"]'
	makes
	no start "$ID"
	ok state "$ID"
	is "$(jq -r .status <<<"$out")" stopped
	ok reset "$ID"
	is "$(report '[.gen, .uses] | join(" ")')" "2 1"
}

# --- late work ----------------------------------------------------------------------------------

@test "start --process: program, environment, directory and streams" {
	local level
	for level in "${levels[@]}"; do
		at "$level"
		config '.process.env += ["A=early", "C=kept"]'
		makes
		for n in 1 2; do
			echo '{"args": ["sh", "-c", "pwd; echo $A $B $C; id -u; cat; echo oops >&2"],
				"env": ["A=late"], "cwd": "/tmp"}' >"$T/work.json"
			echo "given $n" >"$T/stdin"
			printf 'B=secret' >"$T/secret"
			STDIN=$T/stdin ok start --process "$T/work.json" --env-fd 9 "$ID" 9<"$T/secret"
			# It writes to where this start wrote, when it gets to it.
			mv "$T/out" "$T/printed"
			mv "$T/err" "$T/said"
			wait_for 10 has_ended
			is "$(cat "$T/said")" oops
			is "$(cat "$T/printed")" "$(printf '%s\n' /tmp 'late secret kept' 0 "given $n")"
			ok wait "$ID"
			is "$(jq -r .code <<<"$out")" 0
			ok reset "$ID"
			is "$(report .clean)" true
		done
		! grep -rqs secret "$R/$ID" || fail "the secret is in the state directory"
		ok delete "$ID"
	done
}

@test "start --process: what it prints, and what it is given, are start's own" {
	at high
	makes
	echo '{"args": ["sh", "-c", "cat; echo $A; pwd"], "env": ["A=late"], "cwd": "/tmp"}' >"$T/work.json"
	echo given | "${BR[@]}" start --process "$T/work.json" "$ID" >"$T/said" 2>&1
	wait_for 10 has_ended
	is "$(cat "$T/said")" $'given\nlate\n/tmp'
	# The next generation knows nothing of it.
	ok reset "$ID"
	ok start "$ID"
	wait_for 10 has_ended
	is "$(cat "$T/said")" $'given\nlate\n/tmp'
}

@test "start --process: bad work is told, and the sandbox stays parked" {
	local text re
	at high
	makes
	while IFS='^' read -r text re; do
		printf '%s' "$text" >"$T/work.json"
		answers 1 "$re" start --process "$T/work.json" "$ID"
		ok state "$ID"
		is "$(jq -r .status <<<"$out")" created
	done <<-'END'
		{}^args
		{"args": []}^args
		{"args": [""]}^no program
		{"args": ["true"], "user": {"uid": 0}}^user: unknown
		{"args": ["true"], "capabilities": {}}^capabilities: unknown
		{"args": ["true"], "cwd": "tmp"}^not absolute
		{"args": ["true"], "env": ["=x"]}^env\[0\]
		{"args": ["true"], "env": ["x"]}^env\[0\]
		{"args": ["true"]^
	END
	answers 1 'needs --process' start --env-fd 3 "$ID"
	answers 1 'no such file' start --process "$T/nope" "$ID"
	ok start "$ID"
}

@test "start --process: a program that is not there, a directory that is not" {
	at high
	makes
	echo '{"args": ["nope"]}' >"$T/work.json"
	answers 1 'executable file not found' start --process "$T/work.json" "$ID"
	ok reset "$ID"
	echo '{"args": ["true"], "cwd": "/nope"}' >"$T/work.json"
	answers 1 'cwd' start --process "$T/work.json" "$ID"
	ok reset "$ID"
	is "$(report '[.gen, .uses, .clean] | join(" ")')" "3 2 true"
	ok delete "$ID"
	creates
	answers 76 'create --reuse' start --process "$T/work.json" "$ID"
	ok start "$ID"
}

# --- who comes first, and who dies ----------------------------------------------------------------

@test "reset: of two that race one wins, the other is told 75" {
	local n a b
	at standard
	makes
	for n in 1 2 3 4 5; do
		"${BR[@]}" reset --expect-gen "$n" "$ID" >"$T/a" 2>&1 &
		a=$!
		"${BR[@]}" reset --expect-gen "$n" "$ID" >"$T/b" 2>&1 &
		b=$!
		r=0
		wait $a || r=$?
		s=0
		wait $b || s=$?
		[ "$r $s" = "0 75" ] || [ "$r $s" = "75 0" ] || fail "$r $s" "$(cat "$T/a" "$T/b")"
		is "$(reuse generation)" $((n + 1))
	done
}

@test "wait: tells how that generation ended that was there when it began, or that nobody knows" {
	local job code
	at standard
	makes
	# by then it knows which generation it waits for
	holds_process() { readlink "/proc/$job/fd/"* | grep -q 'anon_inode:.pidfd'; }
	later() { # ARGS: a wait that is stopped; the generation ends with 3, the next ones with 5
		rm -f "$R/$ID/waiters"
		"${BR[@]}" wait "$ID" >"$T/said" 2>"$T/why" 3>&- &
		job=$!
		wait_for 5 holds_process
		kill -STOP "$job"
		for code in "$@"; do
			echo '{"args": ["sh", "-c", "exit '"$code"'"]}' >"$T/work.json"
			ok start --process "$T/work.json" "$ID"
			wait_for 5 has_ended
			[ "$code" = "${*: -1}" ] || ok reset "$ID"
		done
		kill -CONT "$job"
		code=0
		wait "$job" || code=$?
	}
	later 3 5
	is "$code" 3
	is "$(jq -c '[.generation, .exitCode]' "$T/said")" '[1,3]'
	ok reset "$ID"
	later 3 5 6
	is "$code" 75
	[[ $(cat "$T/why") == *"generation 3 ended is not on record"* ]] || fail "$(cat "$T/why")"
	[ ! -s "$T/said" ]
}

with_faults() {
	[ -x "$TOP/build/fault/bin/brig" ] || skip "no build with faults (make FAULT=1)"
	[[ $BRIG != */san/* ]] || skip "another build is tested"
	BRIG=$TOP/build/fault/bin/brig
	at "$LEVEL"
}

# The names of all steps that a reset goes through.
steps_of() {
	: >"$T/steps"
	BRIG_FAULT_LIST=$T/steps "${BR[@]}" reset "$ID" >/dev/null
	grep '^reset' "$T/steps"
}

# A sandbox whose reset was cut short cannot be started; the next reset makes it whole.
goes_on() {
	local journal
	journal=$(reuse journal)
	if [ "$journal" != null ]; then
		answers 75 'cut short' start "$ID"
		ok state "$ID"
		is "$(jq -r '.brig.reuse | [.resetting, .needs] | join(" ")' <<<"$out")" "$journal reset"
		answers 75 'cut short: reset makes it whole' verify "$ID"
		is "$(report '[.clean, .refused] | join(" ")')" "false its reset was cut short"
	fi
	ok reset "$ID"
	is "$(reuse journal)" null
	[ "$(report .gen)" = $((g + 1)) ] || [ "$(report .gen)" = $((g + 2)) ] ||
		fail "$step: from $g to $(report .gen)"
}

# by_turns LEVEL TURN: dies after each second step and fails at the others, at the next level the other way
# round.  tests/fault/steps.c does both to each step of a reset at either level; here is what a reset that was
# cut short says until the next one.
by_turns() {
	local step g n=0 kind
	LEVEL=$1
	with_faults
	prog '[ ! -e /tmp/left ] || exit 9; echo x >/tmp/left'
	makes
	while IFS= read -r step; do
		g=$(reuse generation)
		runs_and_ends
		ok wait "$ID"
		is "$(jq .generation <<<"$out")" "$g"
		status=0 kind=kill-after
		[ $(((n + $2) % 2)) = 0 ] || kind=fail
		BRIG_FAULT_STEP=$step BRIG_FAULT_KIND=$kind "${BR[@]}" reset "$ID" >"$T/out" 2>"$T/err" ||
			status=$?
		# Only where nobody else has told.
		[ "$status" != 0 ] || [ "$step" = "reset destroy/tell waiting" ] ||
			fail "$step: no $kind"
		goes_on
		n=$((n + 1))
	done < <(steps_of)
	[ "$n" -gt 20 ] || fail "only $n steps"
	runs_and_ends
	ok wait "$ID"
	ok delete "$ID"
	nothing_left
}

@test "reset: killed after any of its steps, or failed in it, it goes on, at standard" { by_turns standard 0; }
@test "reset: failed in any of its steps, or killed after it, it goes on, at high" { by_turns high 1; }

@test "delete: whatever step its reset was killed at" {
	local step
	LEVEL=high
	with_faults
	makes
	steps_of >"$T/names"
	ok delete "$ID"
	# Without force: nobody's program can run in it.  With it: tests/fault/steps.c, "reset deleted".
	while IFS= read -r step; do
		rm -r "$T/ids" # ranges in quarantine
		makes
		BRIG_FAULT_STEP=$step BRIG_FAULT_KIND=kill-after "${BR[@]}" reset "$ID" >"$T/out" 2>&1 || :
		ok delete "$ID"
		nothing_left || fail "$step"
	done <"$T/names"
}
