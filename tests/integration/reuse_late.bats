#!/usr/bin/env bats
load helpers
load ../lib/reuse

# What start makes of a parked sandbox: files, tighter limits, once.  docs/reuse.md

more_setup() {
	reuse_setup
	admin "\"audit\": {\"path\": \"$T/audit/audit.jsonl\", \"when\": \"always\"}"
	config '.annotations = {"dev.brig.time.wall": "30s"}
		| .linux.resources.memory = {"limit": 67108864, "swap": 67108864}
		| .linux.resources.pids = {"limit": 20}
		| .linux.resources.cpu = {"quota": 50000, "period": 100000}'
}

result() { b wait "$ID" && jq -r "$1" <<<"$out"; }
# starts SCRIPT [OPTIONS]: its output is in $T/said when it has ended
starts() {
	local script=$1
	shift
	jq -n --arg s "$script" '{"args": ["sh", "-c", $s]}' >"$T/work.json"
	ok start --process "$T/work.json" "$@" "$ID"
	mv "$T/out" "$T/said"
	wait_for 20 has_ended
}
said() { is "$(cat "$T/said")" "$1"; }
resets() { ok reset "$ID" && is "$(report .clean)" true; }
is_parked() { ok state "$ID" && is "$(jq -r .status <<<"$out")" created && ok verify "$ID"; }

# --- files --------------------------------------------------------------------------------------

@test "start --in: files and trees, owned by whoever runs, gone with the generation" {
	mkdir -p "$T/tree/a/b" "$T/tree/empty"
	echo one >"$T/tree/a/b/one"
	echo run >"$T/tree/run" && chmod 4755 "$T/tree/run"
	chmod 700 "$T/tree/a/b" && chmod 600 "$T/tree/a/b/one"
	echo single >"$T/single" && chmod 640 "$T/single"
	for user in 0 1000; do
		config ".process.user = {\"uid\": $user, \"gid\": $user}"
		for LEVEL in standard high; do
			at $LEVEL
			makes
			starts 'cd /tmp && find in -type f | sort && cat in/a/b/one && cat s /workspace/deep/er/single
				stat -c "%a %u %g" in in/a/b in/a/b/one in/run in/empty s /workspace/deep
				echo x >>in/a/b/one && rm -r in s && echo mine' \
				--in "$T/tree:/tmp/in" --in "$T/single:/tmp/s" --in "$T/single:/workspace/deep/er/single"
			said "$(printf '%s\n' in/a/b/one in/run one single single "755 $user $user" \
				"700 $user $user" "600 $user $user" "755 $user $user" \
				"755 $user $user" "640 $user $user" "755 $user $user" mine)"
			resets
			starts 'ls -A /tmp /workspace'
			said "$(printf '%s\n' /tmp: '' /workspace:)"
			resets
			ok delete "$ID"
		done
	done
	nothing_left
}

@test "start --in: into a directory that is there, and what is in the way" {
	mkdir "$T/tree"
	echo x >"$T/tree/x"
	echo y >"$T/y"
	makes
	starts 'ls /tmp' --in "$T/tree:/tmp" --in "$T/y:/tmp/"
	said $'x\ny'
	resets
	# A name that is taken: the generation is not what it was, and is ended.
	answers 1 'in /tmp/a: create a: ' start --in "$T/y:/tmp/a" --in "$T/y:/tmp/a" "$ID"
	ok state "$ID"
	is "$(jq -r .status <<<"$out")" stopped
	resets
	is "$(reuse uses)" 1
}

@test "start --in: only into writable places of its own, only regular files and directories" {
	local bad
	mkdir "$T/tree" "$T/volume"
	ln -s /etc/passwd "$T/tree/link"
	ln -s "$T/tree" "$T/named" # what the caller names is followed
	mkfifo "$T/fifo"
	mkdir -p "$B/rootfs/deep"
	ln -s /etc "$B/rootfs/deep/etc"
	ln -s /../../../../../../../../../.."$T"/volume "$B/rootfs/deep/out"
	config '.mounts += [{"destination": "/mnt", "type": "bind", "source": "'"$T"'/volume",
		"options": ["bind", "ro"]}]'
	makes
	# Found before anything is touched.
	for bad in "$T/y" "$T/y:" ":/tmp/x" "$T/y:tmp/x" "$T/y:/tmp/../x"; do
		answers 1 'in: ' start --in "$bad" "$ID"
	done
	answers 1 "in $T/nope: no such file" start --in "$T/nope:/tmp/x" "$ID"
	answers 1 "neither a regular file nor" start --in "$T/fifo:/tmp/x" "$ID"
	answers 1 "neither a regular file nor" start --in "/dev/zero:/tmp/x" "$ID"
	is_parked
	echo y >"$T/y"
	for bad in /x /etc/x /proc/x /mnt/x /deep/etc/x /deep/out/x / /deep/out/new/x; do
		answers 1 "in $bad: " start --in "$T/y:$bad" "$ID"
		resets
	done
	for bad in tree named; do
		answers 1 "link is neither" start --in "$T/$bad:/tmp/x" "$ID"
		resets
	done
	is "$(ls -A "$T/volume")" ''
	[ ! -e "$B/rootfs/x" ] && [ ! -e "$B/rootfs/etc/x" ]
}

@test "start --in: what is copied is the sandbox's memory, and bounded" {
	head -c 100000000 /dev/zero >"$T/big"
	makes
	answers 1 'in: it was killed|in /tmp/big: |limit of memory' start --in "$T/big:/tmp/big" "$ID"
	ok state "$ID"
	is "$(jq -r .status <<<"$out")" stopped
	b reset "$ID"
	[ "$status" = 0 ] || ok delete "$ID"
}

# --- limits -------------------------------------------------------------------------------------

@test "start: tighter limits hold for that generation, and for no other" {
	local hungry='x=$(head -c 30000000 /dev/zero | tr "\0" x); echo ${#x}'
	makes
	starts "$hungry" --memory 16m
	is "$(result .status)" memory
	resets
	starts "$hungry"
	said 30000000
	resets
	starts 'n=0; for i in 1 2 3 4 5 6; do sleep 1 & done 2>/dev/null; wait; echo' --pids 4
	[ "$(result '.limits[0].count')" -ge 1 ]
	is "$(result '.limits[0] | "\(.name) \(.limit)"')" 'pids 4'
	resets
	starts 'for i in 1 2 3 4 5 6; do sleep 0.2 & done; wait; echo all'
	said all
	resets
	starts 'sleep 20' --timeout 300ms
	is "$(result '[.status, .reason.limit] | join(" ")')" 'timeout 300'
	[ "$(result .wallMs)" -lt 5000 ]
	resets
	starts 'while :; do :; done' --cpu-time 200ms
	is "$(result '[.status, .reason.limit] | join(" ")')" 'cpu-time 200'
	resets
	starts 'i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done' --cpus 0.1
	[ "$(result .cpu.throttledMs)" -gt 0 ]
	resets
	is "$(jq -c 'select(.ev == "SandboxStarted") | .data | [.memory, .pids, .timeout_ms, .cpu_time_ms, .cpu_quota]' \
		"$T/audit/audit.jsonl" | grep -v 'null,null,null,null,null')" "$(printf '%s\n' \
		'[16777216,null,null,null,null]' '[null,4,null,null,null]' '[null,null,300,null,null]' \
		'[null,null,null,200,null]' '[null,null,null,null,10000]')"
	is "$(reuse uses)" 7
}

@test "start: no limit is made wider, and nothing has changed then" {
	local bad
	makes
	for bad in '--memory 65m' '--memory 1g' '--pids 21' '--cpus 0.6' '--cpus 2'; do
		# shellcheck disable=SC2086
		answers 76 'more than its plan has' start $bad "$ID"
	done
	for bad in '--memory 0' '--memory -1' '--pids 0' '--pids -1' '--timeout 0' '--cpu-time 0'; do
		# shellcheck disable=SC2086
		answers 1 'above 0' start $bad "$ID"
	done
	answers 1 'cpus' start --cpus x "$ID"
	is_parked
	# What only the warden knows.
	answers 76 'more than its plan has' start --memory 1m --timeout 31s "$ID"
	is_parked
	ok start --memory 64m --pids 20 --cpus 0.5 --timeout 30s --cpu-time 1h "$ID"
	ok delete --force "$ID"
	at standard
	config 'del(.linux.resources.memory) | .annotations = {}'
	makes
	ok start --timeout 30s "$ID"
	ok delete --force "$ID"
	creates
	answers 76 'create --reuse' start --memory 1m "$ID"
	answers 76 'create --reuse' start --in "$T/brig.json:/tmp/x" "$ID"
	ok delete "$ID"
}

@test "start: a limit of time whose answer is lost may hold: the sandbox is reset before it is started" {
	local warden
	makes
	warden=$(jq .wardenPid "$R/$ID/state.json")
	kill -STOP "$warden"
	# It waits ten seconds for the warden's answer, which comes later.
	status=0
	"${BR[@]}" start --timeout 300ms "$ID" >"$T/out" 2>"$T/err" 3>&- || status=$?
	kill -CONT "$warden"
	is "$status" 1
	b verify "$ID"
	is "$status" 76
	answers 75 'cut short' start "$ID"
	resets
	starts 'sleep 0.6; echo whole'
	said whole
}

@test "start --expect-gen: an exec that comes while start is at work is seen before the program runs" {
	local warden starter execer
	makes
	warden=$(jq .wardenPid "$R/$ID/state.json")
	kill -STOP "$warden"
	# It waits for its warden's answer, behind its look at who has changed it.
	"${BR[@]}" start --expect-gen 1 --timeout 20s "$ID" >"$T/said" 2>&1 3>&- &
	starter=$!
	wait_for 5 test -e "$R/$ID/bound"
	"${BR[@]}" exec "$ID" touch /tmp/seen >"$T/execed" 2>&1 3>&- &
	execer=$!
	wait_for 5 test -e "$R/$ID/touched"
	kill -CONT "$warden"
	status=0
	wait "$starter" || status=$?
	is "$status" 75
	[[ $(cat "$T/said") == *"exec has changed it"* ]]
	wait "$execer" || status=$? # it may have been ended with the rest
	resets
	ok start --expect-gen 2 "$ID"
}

@test "start --expect-gen: a second one with the same key, behind one that was killed, looks who has changed it" {
	makes
	# What is left of one that was killed before its program went.
	printf k1 >"$R/$ID/go"
	ok exec "$ID" true
	answers 75 'exec has changed it' start --idempotency-key k1 --expect-gen 1 "$ID"
	resets
	printf k1 >"$R/$ID/go"
	ok start --idempotency-key k1 --expect-gen 2 "$ID"
	ok start --idempotency-key k1 --expect-gen 2 "$ID"
}

@test "start --idempotency-key: what another one without a key has started is not taken for its own" {
	makes
	# What is left of one that was killed before its program went.
	printf k1 >"$R/$ID/go"
	ok start "$ID"
	answers 75 'somebody else' start --idempotency-key k1 "$ID"
}

@test "start --process: narrower resource limits, not wider ones" {
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]'
	makes
	echo '{"args": ["sh", "-c", "ulimit -n; ulimit -H -n; ulimit -c"], "rlimits": [
		{"type": "RLIMIT_NOFILE", "soft": 30, "hard": 40},
		{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]}' >"$T/work.json"
	ok start --process "$T/work.json" "$ID"
	mv "$T/out" "$T/said"
	wait_for 20 has_ended
	said $'30\n40\n0'
	resets
	starts 'ulimit -n; ulimit -H -n'
	said $'100\n200'
	resets
	echo '{"args": ["true"], "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 30, "hard": 201}]}' >"$T/work.json"
	answers 76 'RLIMIT_NOFILE: more than it has \(100, 200\)' start --process "$T/work.json" "$ID"
	echo '{"args": ["true"], "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 40}]}' >"$T/work.json"
	answers 1 'rlimits' start --process "$T/work.json" "$ID"
	echo '{"args": ["true"], "rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]}' >"$T/work.json"
	answers 1 'rlimits' start --process "$T/work.json" "$ID"
	is_parked
}

# --- once ---------------------------------------------------------------------------------------

@test "start --idempotency-key: a second time nothing happens, another key is told 75" {
	prog 'echo x; sleep 0.5'
	makes
	ok start --idempotency-key k1 "$ID"
	pid=$(jq -r .pid "$R/$ID/state.json")
	ok start --idempotency-key k1 "$ID"
	answers 75 'somebody else has started' start --idempotency-key k2 "$ID"
	is "$(jq -r .pid "$R/$ID/state.json")" "$pid"
	is "$(reuse uses)" 1
	wait_for 20 has_ended
	ok start --idempotency-key k1 --expect-gen 1 "$ID"
	answers 75 'somebody else has started' start --idempotency-key k2 "$ID"
	answers 75 'generation 2 was expected' start --idempotency-key k1 --expect-gen 2 "$ID"
	is "$(jq -c 'select(.ev == "SandboxStarted")' "$T/audit/audit.jsonl" | wc -l)" 1
	resets
	# Of the next generation it is a start like any other.
	ok start --idempotency-key k1 "$ID"
	is "$(reuse uses)" 2
	wait_for 20 has_ended
	resets
	ok start "$ID"
	answers 75 'somebody else has started' start --idempotency-key k1 "$ID"
	for bad in '' "$(printf '%300s' x)"; do
		answers 1 'idempotency-key' start --idempotency-key "$bad" "$ID"
	done
}

with_faults() {
	[ -x "$TOP/build/fault/bin/brig" ] || skip "no build with faults (make FAULT=1)"
	[[ $BRIG != */san/* ]] || skip "another build is tested"
	BRIG=$TOP/build/fault/bin/brig
	at "$LEVEL"
}

@test "start: killed after any of its steps it can be told again, or be reset" {
	local step n=0
	LEVEL=high
	with_faults
	echo x >"$T/x"
	makes
	: >"$T/steps"
	BRIG_FAULT_LIST=$T/steps "${BR[@]}" start --idempotency-key k --in "$T/x:/tmp/x" --memory 32m "$ID" >/dev/null
	ok reset --kill "$ID"
	while IFS= read -r step; do
		status=0
		BRIG_FAULT_STEP=$step BRIG_FAULT_KIND=kill-after "${BR[@]}" start --idempotency-key k \
			--in "$T/x:/tmp/x" --memory 32m "$ID" >"$T/out" 2>"$T/err" || status=$?
		[ "$status" != 0 ] || fail "$step: not killed"
		b start --idempotency-key k --in "$T/x:/tmp/x" --memory 32m "$ID"
		# It runs or has run with all of it, or somebody is told to make it whole.
		[ "$status" = 0 ] || [[ $status = 75 && $err == *"reset makes it whole"* ]] ||
			fail "$step: status $status" "$err"
		ok reset --kill "$ID"
		is "$(report .clean)" true
		n=$((n + 1))
	done < <(grep '^start/' "$T/steps")
	[ "$n" -ge 5 ] || fail "only $n steps: $(cat "$T/steps")"
	ok delete "$ID"
	nothing_left
}

@test "start: what a killed one had been given is nobody else's" {
	local step
	LEVEL=high
	with_faults
	mkdir "$T/granted"
	printf secret >"$T/secret"
	makes
	for step in start/grants start/secrets; do
		status=0
		BRIG_FAULT_STEP=$step BRIG_FAULT_KIND=kill-after "${BR[@]}" start --grant "filesystem:read:$T/granted" \
			--secret KEY=9 "$ID" >"$T/out" 2>"$T/err" 9<"$T/secret" || status=$?
		[ "$status" != 0 ] || fail "$step: not killed"
		answers 75 'reset makes it whole' start "$ID"
		ok reset "$ID"
		is "$(report .clean)" true
	done
	ok delete --force "$ID"
}
