#!/usr/bin/env bats
load helpers
# How a container ended, by every way to ask: docs/results.md

more_setup() {
	requires root tool:python3
	known_peer_failure runc crun
	ID=res-$ID
	BR=("$BRIG" --root "$R")
	RES=$T/result.json
}

# direct ARGS...: the host's programs at a level, in the foreground; the result is in $RES
direct() { b run --id "$ID" --rootfs / --result "$RES" "$@"; }
detached() {
	b run -d --id "$ID" --rootfs / "$@" >/dev/null
	is "$status" 0
}
# is_result STATUS CODE: of the file; waited: of what wait said, and its code
is_result() { is "$(jq -r '"\(.status) \(.code)"' "$RES")" "$1 $2"; }
waits() {
	b wait "$ID"
	printf '%s\n' "$out" >"$RES"
}
waited() {
	waits
	is_result "$1" "$2"
	is "$status" "$2"
}
# waits_behind: wait in the background, its output in $RES
waits_behind() {
	timeout -k 2 20 "${BR[@]}" wait "$ID" >"$RES" 2>"$T/wait.err" 3>&- &
	WAIT=$!
	PIDS+=("$WAIT")
	wait_for 5 test -e "$R/$ID/waiters"
	sleep 0.1
}
answered() {
	local code=0
	wait "$WAIT" || code=$?
	is_result "$1" "$2"
	is "$code" "$2"
}
res() { jq -r "$1" "$RES"; }
stopped() { ok state "$ID" && [ "$(jq -r .status <<<"$out")" = stopped ]; }
# behind ARGS...: a foreground run in the background
behind() {
	"${BR[@]}" run --id "$ID" --rootfs / "$@" </dev/null >/dev/null 2>&1 3>&- &
	BRIG_PID=$!
	PIDS+=("$BRIG_PID")
	running() { b state "$ID" && [[ $out == *'"running"'* ]]; }
	wait_for 5 running
	sleep 0.2
}
memory_bomb() { echo 'x = bytearray(10**6) * 200'; }

# --- classes ------------------------------------------------------------------------------

@test "results: the program's own code, also those that look like brig's" {
	for code in 0 1 77 124 125 126 127 137 153 159 255; do
		direct --level high -- sh -c "exit $code"
		is "$status" "$code"
		is_result exited "$code"
		is "$(res .exitCode)" "$code"
		is "$(res 'has("reason")')" false
	done
}

@test "results: a signal, told from the code of the same number" {
	direct --level high -- sh -c 'kill -9 $$; sleep 0.2'
	is_result exited 0
	for level in custom standard high; do
		direct --level $level -- python3 -c 'import ctypes; ctypes.string_at(0)'
		is "$status" 139
		is_result signal 139
		is "$(res .signal)" 11
	done
}

@test "results: SIGTERM to brig ends the program, and is told as that" {
	behind --level standard --result "$RES" -- sleep 100
	kill -TERM "$BRIG_PID"
	wait "$BRIG_PID" || is $? 143
	is_result signal 143
	is "$(res .signal)" 15
}

@test "results: out of time" {
	direct --level standard --timeout 300ms -- sleep 100
	is "$status" 124
	is_result timeout 124
	is "$(res .reason.limit)" 300
	[ "$(res .wallMs)" -ge 300 ] && [ "$(res .wallMs)" -lt 800 ]
}

@test "results: out of CPU time, with processes that share it" {
	direct --level standard --cpu-time 300ms -- sh -c 'while :; do :; done & while :; do :; done'
	is "$status" 124
	is_result cpu-time 124
	is "$(res .reason.limit)" 300
	[ "$(res .cpu.totalMs)" -ge 300 ] && [ "$(res .cpu.totalMs)" -lt 3000 ]
}

@test "results: out of memory, by the first process and by a child of one that goes on" {
	direct --level standard --memory 48m -- python3 -c "$(memory_bomb)"
	is "$status" 137
	is_result memory 137
	is "$(res '.reason | "\(.class) \(.limit)"')" "memory 50331648"
	[ "$(res .reason.count)" -ge 1 ]
	[ "$(res .reason.peak)" -gt 45000000 ]
	direct --level standard --memory 48m -- sh -c "python3 -c '$(memory_bomb)'; sleep 100"
	is "$status" 137
	is_result memory 137
}

@test "results: at custom only the first process's end is the container's" {
	direct --level custom --memory 48m -- python3 -c "$(memory_bomb)"
	is "$status" 137
	is_result memory 137
	direct --level custom --memory 48m -- sh -c "python3 -c '$(memory_bomb)'; exit 5"
	is "$status" 5
	is_result exited 5
	is "$(res .memory.oomKills)" 1
}

@test "results: SIGKILL by somebody is not out of memory" {
	behind --level standard --memory 48m --result "$RES" -- sleep 100
	ok kill "$ID" KILL
	wait "$BRIG_PID" || is $? 137
	is_result signal 137
	is "$(res .memory.oomKills)" 0
}

@test "results: too much output" {
	direct --level standard --max-output 10000 -- sh -c 'while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done'
	is "$status" 153
	is_result output 153
	is "$(res '"\(.reason.limit) \(.output.bytes) \(.output.truncated)"')" "10000 10000 true"
	is "${#out}" 9999
}

@test "results: a call that nothing needs, by the warden and by the filter" {
	local ask='import ctypes; ctypes.CDLL(None).syscall(168, 0)'
	direct --level high -- python3 -c "$ask"
	is "$status" 159
	is_result syscall 159
	is "$(res '"\(.reason.syscall) \(.reason.nr) \(.taint[0])"')" "swapoff 168 syscall:swapoff"
	is "$(res '.violations[0] | "\(.class) \(.name) \(.count)"')" "syscall swapoff 1"
	direct --level standard -- python3 -c "$ask"
	is "$status" 159
	is_result syscall 159
	is "$(res '"\(.signal) \(.taint[0])"')" "31 syscall"
}

@test "results: SIGSYS of one's own is told apart where the warden hears of calls" {
	local self='import os; os.kill(os.getpid(), 31)'
	direct --level high -- sh -c "python3 -c '$self'; exit \$?"
	is_result exited 159
	direct --level custom -- sh -c "python3 -c '$self'; exit \$?"
	is_result exited 159
}

@test "results: limits that only refused are counted" {
	direct --level standard --pids 5 -- sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 0.2 & done; wait'
	is "$(res '.limits[0] | "\(.name) \(.limit)"')" "pids 5"
	[ "$(res '.limits[0].count')" -ge 1 ]
	is_result exited "$status"
	direct --level standard -- true
	is "$(res 'has("limits")')" false
}

@test "results: what is in its writable places when it ends" {
	for level in standard high; do
		direct --level $level -- sh -c 'head -c 3000000 /dev/zero >/tmp/x; touch /workspace/a /dev/shm/b; rm /tmp/x /dev/shm/b
			head -c 200000 /dev/zero >/var/tmp/y'
		is_result exited 0
		is "$(jq '.disk.bytes | . >= 200000 and . < 300000' "$RES")" true
		detached --level $level --timeout 1m -- sh -c 'head -c 200000 /dev/zero >/var/tmp/y'
		waited exited 0
		is "$(jq '.disk.bytes | . >= 200000 and . < 300000' "$RES")" true
		ok delete "$ID"
	done
}

@test "results: a start that fails" {
	direct --level standard -- /nowhere
	is "$status" 127
	is_result start-failed 127
	[[ $(res .reason.message) == *nowhere* ]]
	direct --level standard -- /etc/passwd
	is "$status" 126
	is_result start-failed 126
	direct --level standard --memory 1 -- true
	is "$status" 125
	is_result start-failed 125
	is "$(res 'has("exitCode") or has("signal") or has("started")')" false
}

# --- where it goes ------------------------------------------------------------------------

@test "results: a bundle keeps runc's codes, and has a result all the same" {
	prog 'sleep 100'
	config '.annotations = {"dev.brig.time.wall": "200ms"}'
	b --level standard run --result "$RES" -b "$B" "$ID"
	is "$status" 137
	is_result timeout 124
}

@test "results: to standard output behind the program's, and to what is no plain file" {
	b run --id "$ID" --rootfs / --result - -- echo hello
	is "${out%%$'\n'*}" hello
	is "$(jq -r .status <<<"${out#*$'\n'}")" exited
	b run --id "$ID" --rootfs / --result /dev/stderr -- true
	is "$(jq -r .status <<<"$err")" exited
	b run --id "$ID" --rootfs / --result /dev/null -- true
	is "$status" 0
	[ -c /dev/null ]
	echo old >"$T/real" && ln -s real "$T/link"
	b run --id "$ID" --rootfs / --result "$T/link" -- true
	[ -L "$T/link" ]
	is "$(head -1 "$T/real")" old
}

@test "results: a file is replaced as a whole, whatever stands there" {
	echo old >"$RES" && chmod 600 "$RES"
	ln "$RES" "$T/other"
	direct -- true
	is_result exited 0
	is "$(<"$T/other")" old
	is "$(stat -c %a "$RES")" 644
	is "$(find "$T" -maxdepth 1 -name "*result.json*" | wc -l)" 1
}

@test "results: what cannot be written is refused before anything starts" {
	for where in "$T/no/such" "$T" "$T/out/x" /proc/self/x "$T/$(printf '%0240d' 1)" ''; do
		b run --id "$ID" --rootfs / --result "$where" -- sh -c "echo ran"
		is "$status" 125
		out_lacks ran
	done
	b run --id "$ID" -d --rootfs / --result "$RES" -- true
	is "$status" 125
	err_has wait
	b run --id "$ID" --rootfs / --result "$RES" --result-format xml -- true
	is "$status" 125
	b run --id "$ID" --rootfs / --result-format isolate -- true
	is "$status" 125
}

@test "results: isolate's meta file" {
	meta() { b run --id "$ID" --rootfs / --level standard --result "$RES" --result-format isolate "$@"; }
	has() { grep -qx "$1" "$RES" || fail "no $1 in $(<"$RES")"; }
	meta -- sh -c 'exit 3'
	has exitcode:3 && has status:RE && has 'time:0\.[0-9]\{3\}' && has 'time-wall:0\.[0-9]\{3\}'
	has 'max-rss:[0-9]\+' && has 'csw-voluntary:[0-9]\+' && has 'cg-mem:[0-9]\+'
	meta -- true
	has exitcode:0
	run ! grep -q status "$RES"
	meta --timeout 200ms -- sleep 9
	has status:TO && has killed:1
	meta --memory 48m -- python3 -c "$(memory_bomb)"
	has cg-oom-killed:1 && has status:SG && has exitsig:9
	meta -- /nowhere
	has status:XX && has 'message:.*nowhere.*'
}

@test "results: --keep leaves it in the state directory, for wait and state" {
	b run --keep --level standard --id "$ID" --rootfs / -- sh -c 'exit 6'
	is "$(jq -r .status "$R/$ID/result.json")" exited
	waited exited 6
	is "$(res 'has("process")')" true
	is "$(field '.brig | "\(.ended) \(.code)"')" "exited 6"
	ok delete "$ID"
}

@test "results: without being asked nothing is written" {
	behind --level standard -- sleep 0.6
	run ! ls "$R/$ID/result.json" "$R/$ID/waiters"
	is "$(find "/proc/$BRIG_PID/fd" -lname '*cpuacct.usage*' | wc -l)" 0
	wait "$BRIG_PID"
}

# --- wait ---------------------------------------------------------------------------------

@test "results: wait for each class, detached" {
	detached --level high --timeout 300ms -- sleep 100
	waited timeout 124
	waited timeout 124
	ok delete "$ID"
	detached --level standard --memory 48m -- sh -c "python3 -c '$(memory_bomb)'; sleep 100"
	waited memory 137
	ok delete "$ID"
	detached --level standard --cpu-time 200ms -- sh -c 'while :; do :; done'
	waited cpu-time 124
	ok delete "$ID"
	detached --level high -- sh -c 'sleep 0.3; exit 137'
	waited exited 137
	ok delete "$ID"
	detached --level high -- python3 -c 'import ctypes; ctypes.CDLL(None).syscall(168, 0)'
	waited syscall 159
	is "$(field .brig.tainted)" true
	ok delete "$ID"
	detached --level custom -- sh -c 'sleep 0.3; exit 4'
	waits
	if kernel_at_least 6.15; then is_result exited 4; fi
	[ "$(res .unknown)" != null ] || is_result exited 4
	ok delete "$ID"
}

@test "results: wait for a container that an engine would have made" {
	requires kernel:6.15 # whose parent may have reaped it before anybody looks
	for level in custom standard high; do
		prog 'sleep 0.2; exit 3'
		ok --level $level create -b "$B" "$ID"
		waits_behind
		ok start "$ID"
		answered exited 3
		waited exited 3
		ok delete "$ID"
	done
}

@test "results: wait before the start blocks, and is told when there is none" {
	ok --level high create -b "$B" "$ID"
	b wait --timeout 200ms "$ID"
	is "$status" 75
	b wait --timeout 0 "$ID"
	is "$status" 75
	is "$out" ''
	waits_behind
	ok delete "$ID"
	answered start-failed 125
	[[ $(res .reason.message) == *started* ]]
}

@test "results: wait for what is not there" {
	b wait "$ID"
	is "$status" 125
	err_has 'does not exist'
	b wait
	[ "$status" != 0 ]
	mkdir -m 700 "$R/$ID"
	b wait "$ID"
	is "$status" 125
	ok delete --force "$ID"
}

@test "results: who deletes gives its answer to all who wait" {
	local other code
	for level in custom standard high; do
		# Without a warden nobody of brig's is its parent.
		[ $level != custom ] || kernel_at_least 6.15 || continue
		detached --level $level -- sleep 100
		timeout 20 "${BR[@]}" wait "$ID" >"$T/two" 3>&- &
		other=$!
		waits_behind
		ok delete --force "$ID"
		answered signal 137
		code=0
		wait $other || code=$?
		is "$code" 137
		is "$(jq -r .status "$T/two")" signal
		[ ! -e "$R/$ID" ]
	done
}

@test "results: who waits for a foreground run hears the same as the run" {
	for level in custom standard high; do
		behind --level $level --result "$T/run.json" -- sh -c 'trap "exit 8" USR1; while :; do sleep 0.1; done'
		waits_behind
		ok kill "$ID" USR1
		answered exited 8
		wait "$BRIG_PID" || is $? 8
		is "$(jq -S . "$T/run.json")" "$(jq -S . "$RES")"
	done
}

@test "results: a foreground run whose container others delete has its result" {
	behind --level standard --result "$RES" -- sleep 100
	ok delete --force "$ID"
	wait "$BRIG_PID" || is $? 137
	is_result signal 137
}

@test "results: a reader that dies does not hold up a delete" {
	detached --level standard -- sleep 100
	waits_behind
	kill -STOP "$WAIT"
	SECONDS=0
	ok delete --force "$ID"
	[ "$SECONDS" -lt 8 ]
	kill -9 "$WAIT"
	wait "$WAIT" 2>/dev/null || :
}

# --- killed watchers ----------------------------------------------------------------------

@test "results: kill -9 of a foreground brig, asked before and after" {
	behind --level standard -- sleep 100
	waits_behind
	kill -9 "$BRIG_PID"
	answered warden-lost 125
	wait_for 5 stopped
	waited warden-lost 125
	is "$(field .brig.ended)" warden-lost
	ok delete "$ID"
	behind --level high -- sleep 100
	kill -9 "$BRIG_PID"
	wait_for 5 stopped
	waited warden-lost 125
	ok delete "$ID"
}

@test "results: kill -9 of a detached warden" {
	detached --level high -- sleep 100
	waits_behind
	kill -9 "$(jq .wardenPid "$R/$ID/state.json")"
	answered warden-lost 125
	waited warden-lost 125
	is "$(field .brig.ended)" warden-lost
	ok delete "$ID"
}

@test "results: ended in time by a warden that nobody hears any more" {
	detached --level high --timeout 400ms -- sleep 100
	w=$(jq .wardenPid "$R/$ID/state.json")
	wait_for 5 test -e "$R/$ID/ended"
	kill -9 "$w" || :
	waited timeout 124
	ok delete "$ID"
}

# --- counters that were there before ------------------------------------------------------

@test "results: a cgroup that was there before: its old counters are taken off" {
	local d dirs=() path=/res-kept-$ID
	for d in cpu,cpuacct memory pids blkio devices freezer cpuset; do
		[ -d "/sys/fs/cgroup/$d" ] || continue
		mkdir "/sys/fs/cgroup/$d$path" && dirs+=("/sys/fs/cgroup/$d$path")
	done
	if [ "${#dirs[@]}" = 0 ]; then
		mkdir "/sys/fs/cgroup$path" && dirs+=("/sys/fs/cgroup$path")
	fi
	config --arg p "$path" '.linux.cgroupsPath = $p | .linux.resources.memory.limit = 67108864
		| .linux.resources.pids.limit = 20'
	# Time, a refused fork and a kill for memory of another one.
	prog 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; dd if=/dev/zero of=/dev/null bs=100M count=1; exit 0'
	b --level custom run --result "$RES" -b "$B" "$ID"
	used=$(res .cpu.totalMs)
	kills=$(res .memory.oomKills)
	[ "$used" -gt 50 ] && [ "$kills" = 1 ]
	prog 'exit 3'
	b --level custom run --result "$RES" -b "$B" "$ID"
	is_result exited 3
	[ "$(res .cpu.totalMs)" -lt "$used" ]
	is "$(res .memory.oomKills)" 0
	is "$(res '.memory | has("peak")')" false
	ok --level custom create -b "$B" "$ID"
	[ "$(jq '.baseline.oomKills' "$R/$ID/state.json")" = 1 ]
	# Behind whoever reaps it nobody could tell.
	waits_behind
	ok start "$ID"
	wait "$WAIT" || :
	if kernel_at_least 6.15; then is_result exited 3; fi
	is "$(res .memory.oomKills)" 0
	ok delete "$ID"
	rmdir "${dirs[@]}"
}

# --- bad files ----------------------------------------------------------------------------

@test "results: a result.json that is none is not believed" {
	detached --level standard -- sh -c 'exit 4'
	wait_for 5 stopped
	wait_for 5 test -e "$R/$ID/result.json"
	for text in '' '{' '{"v":1}' '{"v":2}' '{"v":1,"id":"x","generation":1,"status":"won","code":0}' \
		"$(head -c 70000 /dev/zero | tr '\0' ' ')"; do
		printf %s "$text" >"$R/$ID/result.json"
		b wait "$ID"
		is "$(jq -r .id <<<"$out")" "$ID"
		ok state "$ID"
	done
	rm "$R/$ID/result.json"
	mkdir "$R/$ID/result.json"
	b wait "$ID"
	is "$(jq -r .id <<<"$out")" "$ID"
	rmdir "$R/$ID/result.json"
	ln -s /etc/passwd "$R/$ID/waiters.x" && mv "$R/$ID/waiters.x" "$R/$ID/waiters"
	b wait "$ID"
	is "$status" 125
	ok delete "$ID"
}

@test "results: help and the exit code of bad usage" {
	ok wait --help
	out_has 'wait'
	ok run --help
	out_has 'result-format'
}
