#!/usr/bin/env bats
load helpers
load ../lib/rootless
# Limits of a plain user's sandboxes, how they end, and what a limit says that lacks its cgroup.
# docs/limits.md, docs/results.md

more_setup() {
	rootless_setup
	RES=$T/xdg/result.json
}
# d ARGS: direct mode in the foreground, the result asked for
d() {
	rm -f "$RES"
	u run --id "$ID" --result "$RES" --rootfs "$B/rootfs" "$@"
}
# ended STATUS CODE: so says the result, a file of the user's, and the code was the same
ended() {
	[ -s "$RES" ] || fail "no result; status $status" "$out" "$err"
	is "$(jq -r '"\(.status) \(.code)"' "$RES")" "$1 $2"
	is "$(stat -c %u:%g "$RES")" 1000:1000
	[ $# -gt 2 ] || is "$status" "$2"
}
res() { jq -r "$1" "$RES"; }
each() { for level in standard high; do "$@" --level $level; done; }
# used: what stats says of it, as JSON
used() {
	u_ok stats --format json "$ID"
	out=$(jq '.sandboxes[0]' <<<"$out")
}
# A cgroup of his own stays, and nothing of brig's in it.
left_clean() {
	local d
	for d in /sys/fs/cgroup/{,*/}"$ID-mine"; do
		[ -d "$d" ] || continue
		[ ! -e "$d/own" ] || rmdir "$d/own"
		rmdir "$d" || fail "left over: $(find "$d" -type d)"
	done
	nothing_left
}
# says_no RE ARGS: one line that matches, before anything was made
says_no() {
	local re=$1
	shift
	u "$@"
	[ "$status" = 125 ] || [ "$status" = 1 ] || fail "status $status" "$out" "$err"
	err_has "$re"
	[[ $err != *$'\n'* ]] || fail "more than one line: $err"
	left_clean
}

# --- in a cgroup of his own -----------------------------------------------------------------

runs_out_of_time() {
	d "$@" --timeout 400ms -- sleep 100
	ended timeout 124
	is "$(res .reason.limit)" 400
}
@test "rootless limits: time is over" {
	each runs_out_of_time
}

runs_out_of_cpu() {
	d "$@" --cpu-time 200ms -- sh -c 'while :; do :; done & while :; do :; done'
	ended cpu-time 124
	is "$(res .reason.limit)" 200
	[ "$(res .cpu.totalMs)" -ge 200 ]
}
@test "rootless limits: CPU time of several processes is used up" {
	each runs_out_of_cpu
}

runs_out_of_memory() {
	d "$@" --memory 24m -- sh -c 'tail /dev/zero; sleep 100'
	ended memory 137
	is "$(res .reason.limit)" 25165824
	[ "$(res .memory.oomKills)" -ge 1 ]
}
@test "rootless limits: one process out of memory ends all of the sandbox" {
	each runs_out_of_memory
}

forks_too_often() {
	d "$@" --pids 8 -- sh -c '(for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done) 2>&1; exit 0'
	ended exited 0
	out_has "can't fork"
	is "$(res '.limits[] | select(.name == "pids") | "\(.limit) \(.count >= 1)"')" "8 true"
}
@test "rootless limits: forks past the limit are refused and counted" {
	each forks_too_often
}

writes_too_much() {
	d "$@" --max-output 1000 -- sh -c 'while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done'
	ended output 153
	is "$(res '"\(.output.bytes) \(.output.truncated)"')" "1000 true"
	is "${#out}" 999
	d "$@" --disk 1m -- sh -c 'head -c 2000000 /dev/zero >/tmp/x; echo $?'
	ended exited 0
	out_is 1
	d "$@" --fsize 4k -- sh -c '(head -c 9999 /dev/zero >/tmp/x); stat -c %s /tmp/x'
	out_is 4096
}
@test "rootless limits: output, disk and the size of a file" {
	each writes_too_much
}

@test "rootless limits: grace, for a program that uses it and one that does not listen" {
	d --level standard --timeout 300ms --grace 5s -- sh -c 'trap "echo bye; exit 3" TERM; while :; do sleep 0.05; done'
	ended timeout 124
	out_is bye
	is "$(res .exitCode)" 3
	d --level standard --timeout 300ms --grace 200ms -- sh -c 'trap "" TERM; while :; do sleep 0.05; done'
	ended timeout 124
	is "$(res .signal)" 9
}

forbidden() {
	d "$@" -- sh -c 'exec swapoff /x'
	ended syscall 159
}
@test "rootless limits: a call no program makes" {
	each forbidden
}

# --- detached: the user's own warden --------------------------------------------------------

@test "rootless limits: a detached sandbox out of time, of CPU time, of memory: result.json and wait" {
	local row want code
	while IFS='|' read -r want code row; do
		# shellcheck disable=SC2086 # options
		u_ok run -d --id "$ID" --level standard --rootfs "$B/rootfs" $row -- \
			sh -c 'case $0 in time) sleep 100 ;; cpu) while :; do :; done ;; *) tail /dev/zero; sleep 100 ;; esac' \
			"${want%%-*}"
		u wait "$ID"
		is "$status" "$code" || fail "$want" "$err"
		is "$(jq -r '"\(.status) \(.code)"' <<<"$out")" "$want $code"
		# who waits may know it a moment before its warden has written it down
		wait_for 5 test -e "$R/$ID/result.json"
		is "$(stat -c %u:%a "$R/$ID/result.json")" 1000:600
		u_ok state "$ID"
		is "$(jq -r '"\(.status) \(.brig.ended) \(.brig.code)"' <<<"$out")" "stopped $want $code"
		u_ok delete "$ID"
		left_clean
	done <<-'END'
		timeout|124|--timeout 400ms
		cpu-time|124|--cpu-time 200ms
		memory|137|--memory 24m
	END
}

@test "rootless limits: create, start, wait and delete tell how it ended" {
	config '.process.args = ["sh", "-c", "exit 7"] | del(.annotations)'
	for level in standard high; do
		u_ok --level $level create -b "$B" "$ID"
		u_ok start "$ID"
		u wait "$ID"
		# An older kernel does not tell it to who is not the parent.
		[ "$(jq -r .status <<<"$out")" = unknown ] || is "$(jq -r '"\(.status) \(.code)"' <<<"$out") $status" "exited 7 7"
		u_ok delete "$ID"
	done
}

@test "rootless limits: stats of one and of all, in each format" {
	u_ok run -d --id "$ID" --level standard --memory 64m --pids 20 --rootfs "$B/rootfs" -- sleep 100
	used
	jq -e '.memory.limit == 67108864 and .pids.limit == 20 and .pids.current >= 1' <<<"$out" || fail "$out"
	u_ok stats --all --format openmetrics
	out_has '# EOF'
	out_has "$ID"
	u_ok stats --all --format table
	out_has "$ID"
	u_ok delete --force "$ID"
	u_ok stats --all
}

@test "rootless limits: a lost warden is told" {
	u_ok run -d --id "$ID" --level standard --timeout 60s --rootfs "$B/rootfs" -- sleep 100
	u_ok state "$ID"
	local warden
	warden=$(jq -r .wardenPid "$R/$ID/state.json")
	kill -9 "$warden"
	gone "$warden"
	# Without a pid namespace around it the sandbox runs on (docs/warden.md): kill is the user's.
	u kill "$ID" KILL
	u wait "$ID"
	is "$(jq -r '"\(.status) \(.code)"' <<<"$out")" "warden-lost 125"
	u_ok delete "$ID"
}

@test "rootless limits: smaller limits by update, and what is below the usage is rolled back" {
	u_ok run -d --id "$ID" --level standard --memory 64m --rootfs "$B/rootfs" -- sleep 100
	u_ok update --pids-limit 9 "$ID"
	used
	is "$(jq .pids.limit <<<"$out")" 9
	u update --memory 4096 "$ID"
	[ "$status" = 1 ]
	used
	is "$(jq .memory.limit <<<"$out")" 67108864
	u_ok delete --force "$ID"
}

# --- without ----------------------------------------------------------------------------------

@test "rootless limits: without a cgroup nothing starts at a level, whatever is asked for" {
	export NO_CGROUP=1
	for o in --timeout=1s --cpu-time=1s --memory=64m --pids=9 --max-output=1k; do
		each says_no "level (standard|high) needs a cgroup: " run --rootfs "$B/rootfs" "$o" -- true
	done
}

@test "rootless limits: at custom, what needs a cgroup says so, and the rest works without" {
	export NO_CGROUP=1
	for o in --memory=64m --pids=9 --cpus=0.5; do
		says_no 'cgroup' --level custom run --rootfs "$B/rootfs" "$o" -- true
	done
	d --level custom --fsize 4k --nofile 77 -- sh -c 'ulimit -n; exit 5'
	ended exited 5
	out_is 77
	d --level custom -- id -u
	out_is 1000
	d --level custom --user 0 -- id -u
	out_is 0
	is "$(res 'has("memory"), has("cpu")' | xargs)" "false false"
	config '.process.args = ["sleep", "100"] | del(.annotations, .linux.resources)
		| .linux.namespaces |= map(select(.type != "network")) + [{"type": "user"}]
		| .mounts |= map(if .options then .options -= ["gid=5"] else . end)'
	u_ok --level custom run -d -b "$B" "$ID"
	u stats "$ID"
	[ "$status" = 0 ] || err_has cgroup
	u_ok kill "$ID" KILL
	u wait "$ID"
	jq -e '.status == "signal" or .status == "unknown"' <<<"$out"
	u_ok delete "$ID"
}

@test "rootless limits: a hierarchy that was not handed over is named by who needs it" {
	requires hybrid
	for LACKS in memory pids cpu; do
		export LACKS
		says_no "level standard needs a cgroup: .*$LACKS" run --level standard --rootfs "$B/rootfs" -- true
	done
	LACKS=cpuacct
	says_no 'CPU time: .*cpuacct' run --level standard --cpu-time 1s --rootfs "$B/rootfs" -- true
	d --level standard --timeout 400ms -- sleep 100
	ended timeout 124
	LACKS=blkio
	says_no 'blkio' run --level standard --io root:rbps=1M --rootfs "$B/rootfs" -- true
	LACKS=freezer
	d --level standard --timeout 400ms --grace 100ms -- sh -c 'trap "" TERM; while :; do sleep 0.05; done'
	ended timeout 124
}
