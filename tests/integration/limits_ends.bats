#!/usr/bin/env bats
load helpers
# Sandboxes that end in every way there is, several at once: tests/stress/ends

more_setup() {
	requires root controller:memory
	known_peer_failure runc crun
}

@test "ends: two of every kind, four at a time, have the right result and leave nothing" {
	# as tests/vm/inside says that the machine is slow
	[ "${LIMIT:-10}" -lt 60 ] || export ENDS_MS=8000
	run --separate-stderr "$TOP/tests/stress/ends" 38 4
	is "$(grep -v '^ok' <<<"$output" | grep -v '^1\.\.\|^#')" ''
	is "$status" 0
}
