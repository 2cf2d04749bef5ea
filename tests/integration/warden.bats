#!/usr/bin/env bats
load helpers
# Wall clock and never-legitimate calls at level high: docs/warden.md

more_setup() {
	requires root
	known_peer_failure runc crun
	BR=("$BRIG" --level high --root "$R")
}

# ended JQ: the file of the state directory; the sandbox's death may come a moment before it is seen
ended() { jq -r "$1" "$R/$ID/ended"; }
warden_of() { jq -r .wardenPid "$R/$ID/state.json"; }
has_ended() { [ -e "$R/$ID/ended" ]; }
stopped() { ok state "$ID" && [ "$(jq -r .status <<<"$out")" = stopped ]; }
gone() { [ ! -e "/proc/$1" ] || [[ $(<"/proc/$1/stat") == *") Z "* ]]; }
timed() { config ".annotations = {\"dev.brig.time.wall\": \"$1\"}${2:+ | $2}"; }

@test "warden: create leaves one, with its own session and nothing of the caller's open" {
	creates
	w=$(warden_of)
	is "$(<"/proc/$w/comm")" brig-warden
	ok state "$ID"
	is "$(jq .brig.warden.pid "$T/out")" "$w"
	is "$(awk '{print $6}' "/proc/$w/stat")" "$w"
	is "$(awk '/^Seccomp:/ {print $2}' "/proc/$w/status")" 2
	is "$(awk '/^CapPrm:/ {print $2}' "/proc/$w/status")" 0000000000000020
	for fd in 0 1 2; do is "$(readlink "/proc/$w/fd/$fd")" /dev/null; done
	for fd in "/proc/$w"/fd/*; do [[ $(readlink "$fd") != pipe:* ]]; done
	ok delete "$ID"
	wait_for 5 gone "$w"
}

@test "warden: time runs from start, and then everything is killed" {
	timed 600ms '.process.args = ["sleep","100"]'
	creates
	sleep 1
	run ! has_ended
	ok start "$ID"
	wait_for 5 stopped
	is "$(ended .reason)" timeout
	is "$(ended .wallMs)" 600
	is "$(ended .tainted)" false
}

@test "warden: run in the foreground and detached end in time" {
	timed 300ms '.process.args = ["sleep","100"]'
	b run --keep -b "$B" "$ID"
	is "$(ended .reason)" timeout
	[ "$status" != 0 ]
	ok delete "$ID"
	ok run -d -b "$B" "$ID"
	wait_for 5 stopped
	is "$(ended .reason)" timeout
}

@test "warden: a paused sandbox ends in time" {
	timed 700ms '.process.args = ["sleep","100"]'
	ok run -d -b "$B" "$ID"
	ok pause "$ID"
	wait_for 5 stopped
	is "$(ended .reason)" timeout
}

@test "warden: a never-legitimate call taints and ends the whole sandbox" {
	prog 'swapoff /x; echo survived'
	b run --keep -b "$B" "$ID"
	is "$status" 137
	out_lacks survived
	is "$(ended '[.reason, .syscall, .tainted] | join(" ")')" "syscall swapoff true"
}

@test "warden: ... also after create and start, and by a process of exec" {
	prog 'sleep 1; swapoff /x; sleep 100'
	creates
	ok start "$ID"
	wait_for 5 stopped
	is "$(ended .syscall)" swapoff
	ok delete "$ID"
	sleeps
	b exec "$ID" sh -c 'swapoff /x; echo survived'
	out_lacks survived
	wait_for 5 stopped
	is "$(ended .syscall)" swapoff
}

@test "warden: kill -9 of it ends the sandbox" {
	sleeps
	w=$(warden_of)
	kill -9 "$w"
	wait_for 5 stopped
	run ! has_ended
	ok delete "$ID"
	wait_for 5 gone "$w"
}

@test "warden: kill -9 of a foreground run ends the sandbox" {
	config '.process.args = ["sleep","100"]'
	"${BR[@]}" run -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&- &
	PIDS+=($!)
	wait_for 5 test -e "$R/$ID/warden"
	running() { ok state "$ID" && [ "$(jq -r .status <<<"$out")" = running ]; }
	wait_for 5 running
	sleep 0.3
	kill -9 $!
	wait_for 5 stopped
	ok delete "$ID"
}

@test "warden: kill -9 of a foreground run ends a sandbox that would live on" {
	config '.process.args = ["inside","outlive"]'
	"${BR[@]}" run -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&- &
	PIDS+=($!)
	wait_for 5 test -e "$R/$ID/warden"
	running() { ok state "$ID" && [ "$(jq -r .status <<<"$out")" = running ]; }
	wait_for 5 running
	sleep 0.3
	kill -9 $!
	wait_for 5 stopped
	ok delete "$ID"
}

@test "warden: it ends with its sandbox, and delete waits for its last words" {
	for _ in 1 2 3 4 5 6 7 8; do
		creates
		w=$(warden_of)
		ok start "$ID"
		ok delete --force "$ID"
		wait_for 5 gone "$w"
	done
}

@test "warden: a create that fails leaves none" {
	config '.process.args = ["/nowhere"]'
	no create -b "$B" "$ID"
	run ! pgrep -f "create -b $B $ID"
}
