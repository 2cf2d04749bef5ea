#!/usr/bin/env bats
# The machine is what the other tests there are written for.

load ../lib/brig

@test "the machine has cgroup v2 with the controllers that brig sets" {
	[ "$(cgroup_layout)" = v2 ]
	for c in cpu cpuset io memory pids hugetlb; do has_controller $c; done
}

@test "the machine has every capability" {
	has_capability 24 # CAP_SYS_RESOURCE
	has_capability 21 # CAP_SYS_ADMIN
}

@test "bundles are on a tmpfs, where id-mapped mounts work" {
	[ "$(stat -fc %T "$BATS_TEST_TMPDIR")" = tmpfs ]
}

@test "systemd owns the bus" {
	requires systemd
	# unlike `systemctl is-system-running` this does not wait for units that were masked
	systemctl show --property=Version | grep -q Version=
}
