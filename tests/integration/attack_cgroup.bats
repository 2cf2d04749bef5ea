#!/usr/bin/env bats
load helpers
# A container that may write to its cgroups

@test "sub-cgroups nested very deep do not keep a container from being deleted" {
	requires root controller:freezer
	[ "$(cgroup_layout)" != v2 ] || skip "needs a cgroup v1 freezer"
	prog 'cd /sys/fs/cgroup/freezer; i=0
		while [ $i -lt 300 ]; do mkdir d && cd d || break; i=$((i + 1)); done; echo $i >/tmp/made; sleep 100' \
		'.mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]}]'
	"${BR[@]}" run -d -b "$B" "$ID" </dev/null >"$T/out" 2>&1 3>&-
	appears "$B/rootfs/tmp/made"
	is "$(<"$B/rootfs/tmp/made")" 300
	LIMIT=20 ok delete --force "$ID"
	nothing_left
}
