#!/usr/bin/env bats
load helpers
# Levels on hosts with less: cgroup v1 alone, hierarchies that are not mounted

more_setup() {
	requires root
	[ "$(cgroup_layout)" != v2 ] || skip "needs cgroup v1"
	known_peer_failure runc crun
	BR=("$BRIG" --root "$R")
}

# without "HIERARCHY..." ARGS: brig where these are not mounted
without() {
	local gone=$1
	shift
	status=0
	"${FG[@]}" "${LIMIT:-10}" unshare -m sh -c 'mount --make-rprivate / || exit 99
		for h in '"$gone"'; do umount "/sys/fs/cgroup/$h" || exit 99; done; exec "$@"' sh "${BR[@]}" "$@" \
		</dev/null >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	slurp err "$T/err"
}

@test "level hosts: cgroup v1 alone has what levels need" {
	for level in standard high; do
		without unified run --level $level --rootfs "$B/rootfs" -- id -u
		is "$status $out" "0 1000"
		without unified --level $level run -b "$B" "$ID"
		is "$status" 0
	done
}

@test "level hosts: controllers that a level needs are named when they are missing" {
	while read -r level gone names; do
		without "${gone//,/ }" run --level "$level" --rootfs "$B/rootfs" -- true
		is "$status" 125
		err_has "level $level needs its limits in force: ${names//,/, }: controller is not mounted"
		# also without a limit
		config '.linux.resources = {}'
		without "${gone//,/ }" --level "$level" run -b "$B" "$ID"
		is "$status" 1
		err_has "${names//,/, }: controller is not mounted"
		nothing_left
	done <<-'END'
		standard pids pids
		standard memory,cpu cpu,memory
		high cpuset cpuset
		high pids,memory,cpu cpu,memory,pids
	END
	without cpuset run --level standard --rootfs "$B/rootfs" -- true
	is "$status" 0
}

@test "level hosts: without any cgroup file system there is no start" {
	local all=(/sys/fs/cgroup/*/cgroup.procs)
	all=("${all[@]#/sys/fs/cgroup/}")
	without "${all[*]%/cgroup.procs}" run --level standard --rootfs "$B/rootfs" -- true
	is "$status" 125
	err_has 'level standard needs its limits in force: cgroups are required, but no cgroup file system is mounted'
	b --cgroup-manager disabled run --level high --rootfs "$B/rootfs" -- true
	is "$status" 125
	err_has 'level high needs its limits in force: cgroups are required, but --cgroup-manager is disabled'
}
