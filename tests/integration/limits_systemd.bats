#!/usr/bin/env bats
load helpers
load ../lib/levels
load ../lib/bombs
# Limits of sandboxes whose cgroups systemd makes (made for tests/vm)

MIB=$((1 << 20))

more_setup() {
	requires root systemd v2
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	admin ''
	bombs_setup
}
# at LEVEL, as of tests/lib/levels.bash
at() {
	LEVEL=$1
	BR=("$BRIG" --level "$1" --systemd-cgroup --system-config "$T/brig.json" --root "$R")
}
no_unit() { is "$(systemctl list-units --all --no-legend "*$ID*")" ""; }

@test "systemd: memory" {
	memory() {
		bomb --memory 64m --timeout 100s -- "$1" $((256 * MIB)) "${@:2}"
		ended_by 137
		stopped_at $((64 * MIB))
	}
	each memory heap
	each memory file /tmp/bomb
	no_unit
}

@test "systemd: a process that is killed for memory takes the sandbox with it" {
	memory_ends_all() {
		script --memory 64m --timeout 100s -- \
			"trap '' TERM; probe bomb heap $((256 * MIB)); echo survived; probe bomb sleeper 20000"
		out_lacks survived
		ended_by 137
	}
	each memory_ends_all
	no_unit
}

@test "systemd: processes and threads" {
	tasks() {
		bomb --pids 40 --timeout 100s -- "$1" 500
		refused_by EAGAIN
		exactly 39
	}
	each tasks forks
	each tasks threads
	no_unit
}

@test "systemd: wall clock and CPU time" {
	times() {
		script --timeout $SOON -- 'probe bomb daemons 100000 5; sleep 100'
		ended_by 124
		exactly 5
		bomb --cpu-time 300ms --timeout 100s -- relay 30000 5
		ended_by 124
	}
	each times
	no_unit
}

@test "systemd: one of every kind has the right result and leaves nothing" {
	export ENDS_MS=8000 ENDS_FLAGS=--systemd-cgroup
	run --separate-stderr "$TOP/tests/stress/ends" 19 3
	[ "$status" = 0 ] || fail "$(grep -A3 '^not ok' <<<"$output")"
}
