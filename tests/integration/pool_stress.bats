#!/usr/bin/env bats
load helpers
load ../lib/pool

# tests/stress/pool, a small part of it: make soak has the rest.

more_setup() { pool_setup; }

@test "pool stress: 200 cycles of four racing callers over a pool of eight, with kill -9" {
	[ "${BRIG_COVERAGE:-}" = "" ] || skip "too slow with counters"
	out=$(BRIG=$BRIG TMPDIR=$T timeout 400 "$TOP/tests/stress/pool" "${POOL_CYCLES:-200}" 4 8 2>&1 3>&-) || fail "$out"
	[[ $out == *"ok pool: nothing is left"* ]] || fail "$out"
}

# in the virtual machine, which is slow: LEVEL [OPTION]
twenty() {
	out=$(BRIG=$BRIG BRIG_TEST_ROOTFS=$BASE_ROOTFS TMPDIR=$T SLOW=4 LEVEL=$1 OPTIONS=${2:-} \
		timeout 250 "$TOP/tests/stress/pool" 20 4 3 2>&1 3>&-) || fail "$out"
	[[ $out == *"ok pool: nothing is left"* ]] && grep -Eq ", [1-9][0-9]* verbs killed" <<<"$out" || fail "$out"
	echo "# $1${2:+ $2}: ${out##*# }" >&3
}

@test "pool stress v2: 20 cycles of four racing callers over a pool of three at high, with kill -9" {
	requires v2
	twenty high
}

@test "systemd: 20 cycles of four racing callers at standard, a scope for each generation" {
	requires systemd
	twenty standard --systemd-cgroup
}
