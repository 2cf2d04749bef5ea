#!/usr/bin/env bats
load helpers
# What a warden ends a sandbox for beside its wall clock: CPU time, memory, output; and how it asks
# first: docs/warden.md

more_setup() {
	requires root
	known_peer_failure runc crun
	BR=("$BRIG" --level standard --root "$R")
}

ended() { jq -r "$1" "$R/$ID/ended"; }
warden_of() { jq -r .wardenPid "$R/$ID/state.json"; }
has_ended() { [ -e "$R/$ID/ended" ]; }
stopped() { ok state "$ID" && [ "$(jq -r .status <<<"$out")" = stopped ]; }
# It may go between the two looks.
gone() { [ ! -e "/proc/$1" ] || [[ $(cat "/proc/$1/stat" 2>/dev/null || echo ') Z ') == *") Z "* ]]; }
# limited KEY=VALUE... -- SCRIPT: annotations dev.brig.KEY, and what runs
limited() {
	local all=()
	while [ "$1" != -- ]; do
		all+=("\"dev.brig.${1%%=*}\": \"${1#*=}\"")
		shift
	done
	local IFS=,
	prog "$2"
	config ".annotations = {${all[*]}}"
}
memory() { config ".linux.resources.memory = {\"limit\": $1, \"swap\": $1}"; }
# in the foreground, and detached: what is written, and that nothing of it runs
ends_by() { # REASON
	LIMIT=60 b run --keep -b "$B" "$ID"
	[ "$status" != 0 ]
	is "$(ended .reason)" "$1"
	ok delete "$ID"
	ok run -d -b "$B" "$ID"
	wait_for 60 stopped
	is "$(ended .reason)" "$1"
	ok delete "$ID"
}

# --- CPU time -------------------------------------------------------------------------------

@test "warden: CPU time of one process, which ends by it" {
	limited time.cpu=300ms -- 'while :; do :; done'
	ends_by cpu-time
}

@test "warden: CPU time of many processes together" {
	limited time.cpu=400ms -- 'for i in 1 2 3 4 5 6; do (while :; do :; done) & done; wait'
	ends_by cpu-time
}

@test "warden: CPU time of daemons that have left their parents" {
	limited time.cpu=300ms -- '(setsid sh -c "(while :; do :; done) &" &); exec sleep 100'
	ends_by cpu-time
}

@test "warden: CPU time of what has ended already" {
	limited time.cpu=300ms -- 'while :; do (i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done); done'
	ends_by cpu-time
}

@test "warden: who sleeps does not use CPU time, and create's own is not counted" {
	limited time.cpu=20ms -- 'exec sleep 2'
	creates
	ok start "$ID"
	wait_for 20 stopped
	is "$(ended .reason)" exited
}

@test "warden: a paused sandbox's time is up as well, and it is asked to end" {
	limited time.wall=300ms time.grace=30s -- 'trap "exit 3" TERM; while :; do sleep 0.05; done'
	ok run -d -b "$B" "$ID"
	ok pause "$ID"
	wait_for 20 stopped
	is "$(ended .reason)" timeout
}

# --- grace ----------------------------------------------------------------------------------

@test "warden: at its limit it is asked to end first" {
	limited time.wall=300ms time.grace=60s -- \
		'trap "echo asked; exit 3" TERM; while :; do sleep 0.05; done'
	LIMIT=30 b run --keep -b "$B" "$ID"
	is "$out" asked
	is "$(ended .reason)" timeout
	ok delete "$ID"
	ok run -d -b "$B" "$ID"
	wait_for 30 stopped
	is "$(ended .reason)" timeout
}

@test "warden: who does not mind is killed when the grace is over" {
	limited time.wall=300ms time.grace=300ms -- 'trap "" TERM; while :; do sleep 1; done'
	ends_by timeout
	limited time.cpu=100ms time.grace=300ms -- 'trap "echo" TERM; while :; do :; done'
	ends_by cpu-time
}

@test "warden: who would not hear of it is not waited for" {
	limited time.wall=300ms time.grace=600s -- 'exec sleep 1000'
	ends_by timeout
}

@test "warden: during the grace a forbidden call still ends it at once" {
	BR=("$BRIG" --level high --root "$R")
	limited time.wall=300ms time.grace=600s -- \
		'trap "swapoff /x" TERM; while :; do sleep 0.05; done'
	ok run -d -b "$B" "$ID"
	wait_for 30 stopped
	is "$(ended '[.reason, .syscall, .tainted] | join(" ")')" "timeout swapoff true"
}

# --- memory ---------------------------------------------------------------------------------

@test "warden: one process out of memory ends the whole sandbox" {
	requires controller:memory
	limited -- '(x=$(tr "\0" x </dev/zero)) & sleep 1000'
	memory 33554432
	ends_by memory
}

@test "warden: out of memory and out of time at once is out of memory" {
	requires controller:memory
	limited time.wall=1s -- 'sleep 0.9; (x=$(tr "\0" x </dev/zero)) & sleep 0.5; sleep 1000'
	memory 33554432
	for _ in 1 2 3; do
		LIMIT=60 b run --keep -b "$B" "$ID"
		if [ "$(ended .reason)" != timeout ]; then
			is "$(ended .reason)" memory
		else
			is "$(oom_kills)" 0
		fi
		ok delete "$ID"
	done
}
# as the kernel counted it; the cgroup stays until delete
oom_kills() {
	local f
	for f in /sys/fs/cgroup/{memory/,}"$ID"/memory.{oom_control,events}; do
		[ ! -e "$f" ] || awk '$1 == "oom_kill" {print $2}' "$f"
	done
}

@test "warden: a process that is killed by others is not out of memory" {
	limited -- 'sh -c "kill -9 \$\$"; sleep 0.5; exit 4'
	memory 67108864
	b run --keep -b "$B" "$ID"
	is "$status" 4
	run ! has_ended
	ok delete "$ID"
}

# --- whose child it is ----------------------------------------------------------------------

@test "warden: run -d leaves a sandbox whose first process is its warden's child" {
	limited time.wall=600s -- 'exec sleep 1000'
	ok run -d -b "$B" "$ID"
	pid=$(jq -r .pid "$R/$ID/state.json")
	is "$(awk '/^PPid:/ {print $2}' "/proc/$pid/status")" "$(warden_of)"
	kill -9 "$pid"
	wait_for 10 stopped
	wait_for 10 gone "$(warden_of)"
	is "$(ended .reason)" exited
}

@test "warden: kill -9 of brig before its sandbox is ready leaves nothing that runs" {
	limited time.wall=600s -- 'exec sleep 1000'
	printf '#!/bin/sh\necho >%q\nexec sleep 1000\n' "$T/hooked" >"$T/hook"
	chmod 755 "$T/hook"
	config ".hooks.createRuntime = [{\"path\": \"$T/hook\"}]"
	"${BR[@]}" run -d -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&- &
	wait_for 10 test -e "$T/hooked"
	pid=$(jq -r .pid "$R/$ID/state.json") w=$(warden_of)
	[ "$pid" -gt 1 ] && [ "$w" -gt 1 ]
	kill -9 $!
	wait_for 10 gone "$pid"
	wait_for 10 gone "$w"
	# the hook is brig's own child
	pkill -9 -f "sleep 1000" -P 1 || :
}

@test "warden: kill -9 of a foreground run ends a sandbox that has become another user" {
	config '.annotations = {"dev.brig.time.wall": "600s"} | .process.args = ["inside","change-user"]
		| .process.capabilities = (["CAP_SETUID"] | {bounding: ., effective: ., permitted: .})'
	"${BR[@]}" run -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&- &
	brig=$!
	PIDS+=("$brig")
	other_user() {
		pid=$(jq -r '.pid // 0' "$R/$ID/state.json" 2>/dev/null) && [ "${pid:-0}" -gt 1 ] &&
			awk '/^Uid:/ {exit $2 != base + 1000} /^Name:/ && $2 != "inside" {exit 1}' \
				base="$(awk '$1 == 0 {print $2}' "/proc/$pid/uid_map")" \
				"/proc/$pid/status"
	}
	wait_for 10 other_user
	kill -9 "$brig"
	wait_for 10 gone "$pid"
	wait_for 10 stopped
}

@test "warden: a foreground run that is tied ends as any other, and leaves no tie" {
	config '.annotations = {"dev.brig.time.wall": "600s", "dev.brig.output.limit": "1000"}
		| .process.capabilities = (["CAP_SETUID"] | {bounding: ., effective: ., permitted: .})
		| .process.args = ["sh","-c","echo a; exit 7"]'
	b run -b "$B" "$ID"
	is "$status" 7
	is "$out" a
	config '.process.args = ["/nowhere"]'
	no run -b "$B" "$ID"
}

# --- output ---------------------------------------------------------------------------------

# what came on both, without brig's own warning
passes() { # BYTES OUT ERR
	is "$({
		cat "$2"
		sed -z 's/time="[^"]*" level=warning[^\n]*\n//g' "$3"
	} | wc -c)" "$1"
}

@test "warden: output is passed on to the byte, and as much as the limit is no more than it" {
	limited output.limit=4000 -- 'head -c 3000 /dev/zero | tr "\0" a; head -c 1000 /dev/zero | tr "\0" b >&2; exit 3'
	b run --keep -b "$B" "$ID"
	is "$status" 3
	passes 4000 "$T/out" "$T/err"
	run ! has_ended
	ok delete "$ID"
}

@test "warden: one byte more ends it, and what was before it is passed on" {
	limited output.limit=4000 -- 'head -c 3000 /dev/zero | tr "\0" a; head -c 1001 /dev/zero | tr "\0" b >&2; sleep 1000'
	LIMIT=30 b run --keep -b "$B" "$ID"
	passes 4000 "$T/out" "$T/err"
	is "$(ended '[.reason, .output, .passed] | join(" ")')" "output 4000 4000"
	ok delete "$ID"
	"${BR[@]}" run -d -b "$B" "$ID" </dev/null >"$T/o" 2>"$T/e" 3>&-
	wait_for 30 stopped
	wait_for 30 gone "$(warden_of)"
	passes 4000 "$T/o" "$T/e"
	is "$(ended .reason)" output
}

@test "warden: a flood of output is ended" {
	limited output.limit=1000000 -- 'yes aaaaaaa & yes bbbbbbb >&2 & yes aaaaaaaa'
	LIMIT=30 b run --keep -b "$B" "$ID"
	is "$(ended .reason)" output
	passes 1000000 "$T/out" "$T/err"
}

@test "warden: with 2>&1 the order of what is written stays" {
	limited output.limit=100000 -- 'for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done'
	"${BR[@]}" run -b "$B" "$ID" </dev/null >"$T/both" 2>&1 3>&-
	is "$(<"$T/both")" "$(for i in 1 2 3 4 5 6 7 8 9; do echo "o$i"; echo "e$i"; done)"
	limited output.limit=100000 -- 'echo x >/dev/stdout; echo y >/dev/stderr; echo z >/proc/self/fd/1'
	is "$("${BR[@]}" run -b "$B" "$ID" </dev/null 2>&1 3>&- | cat)" $'x\ny\nz'
}

@test "warden: a reader that goes away ends it, with a limit of output too" {
	limited output.limit=100000000 -- 'exec yes'
	run bash -c "$(printf '%q ' timeout 20 "${BR[@]}") run -b $B $ID 2>&1 </dev/null 3>&- | head -n 2"
	is "$output" $'y\ny'
}

@test "warden: a reader that never reads keeps neither the clock nor brig" {
	limited output.limit=100000000 time.wall=500ms -- 'exec yes'
	mkfifo "$T/fifo"
	exec 8<>"$T/fifo"
	"${FG[@]}" 60 "${BR[@]}" run --keep -b "$B" "$ID" </dev/null >"$T/fifo" 2>&1 3>&- 8<&- || :
	exec 8<&-
	is "$(ended .reason)" timeout
	[ "$(ended .passed)" -lt 1000000 ]
}

@test "warden: a slow reader gets everything" {
	limited output.limit=100000000 -- 'head -c 300000 /dev/zero'
	is "$("${BR[@]}" run -b "$B" "$ID" </dev/null 2>&1 3>&- | (sleep 1; wc -c))" 300000
	is "$("${BR[@]}" run -d -b "$B" "$ID" </dev/null 2>&1 3>&- | (sleep 1; wc -c))" 300000
	wait_for 10 stopped
}

@test "warden: kill -9 of it ends a sandbox whose output it passes on" {
	limited output.limit=100000000 -- 'trap "" PIPE; while :; do echo a; sleep 0.05; done'
	ok run -d -b "$B" "$ID"
	pid=$(jq -r .pid "$R/$ID/state.json")
	kill -9 "$(warden_of)"
	wait_for 10 gone "$pid"
	wait_for 10 stopped
	run ! has_ended
	ok state "$ID"
	is "$(jq -r .brig.ended <<<"$out")" warden-lost
}

@test "warden: kill -9 of it during a grace, and after a limit of CPU time was set" {
	limited time.wall=200ms time.grace=600s time.cpu=500s -- 'trap "" TERM; while :; do sleep 1; done'
	memory 67108864
	ok run -d -b "$B" "$ID"
	pid=$(jq -r .pid "$R/$ID/state.json")
	wait_for 10 has_ended
	[ -d "/proc/$pid" ]
	kill -9 "$(warden_of)"
	wait_for 10 gone "$pid"
	is "$(ended .reason)" timeout
}

@test "warden: with all its limits it keeps little memory, and opens only what they need" {
	limited time.wall=600s time.cpu=500s time.grace=1s output.limit=1000000 -- 'exec sleep 1000'
	memory 67108864
	ok run -d -b "$B" "$ID"
	w=$(warden_of)
	# The sanitizers keep books of their own.
	[ -n "${ASAN_OPTIONS:-}" ] || [ "$(awk '/^RssAnon:/ {print $2}' "/proc/$w/status")" -le 1024 ]
	is "$(awk '/^Seccomp:/ {print $2}' "/proc/$w/status")" 2
	[ "$(ls "/proc/$w/fd" | wc -l)" -le 40 ]
}

@test "warden: a limit of output is refused with a terminal" {
	limited output.limit=1000 -- 'echo a'
	config '.process.terminal = true'
	refused 'limit of output' run -b "$B" "$ID"
}

@test "limits of time begin with a process of exec, where that comes before start" {
	local limit
	for limit in time.wall time.cpu; do
		limited $limit=500ms -- 'sleep 100'
		ok create -b "$B" "$ID"
		LIMIT=60 b exec "$ID" sh -c 'i=0; while [ $i -lt 20000000 ]; do i=$((i + 1)); done'
		is "$status" 137
		wait_for 60 stopped
		is "$(ended .reason)" "$([ $limit = time.cpu ] && echo cpu-time || echo timeout)"
		ok delete "$ID"
	done
	# a start after it
	limited time.wall=60s -- 'exit 3'
	ok create -b "$B" "$ID"
	ok exec "$ID" true
	ok start "$ID"
	b wait "$ID"
	is "$status" 3
	ok delete "$ID"
}
