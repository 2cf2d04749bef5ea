#!/usr/bin/env bats
# Podman 4.3 started by a user who is not root, with slirp4netns, brig at level standard, and egress
# rules by annotation: the network namespace belongs to Podman's user namespace.

load lib
load engines
load levels
load egress
load rootless

setup_file()
{
	level_file
	file_up rootless-egress networked_rootless_up podman conmon newuidmap newgidmap setpriv \
		slirp4netns dnsmasq nft
}

networked_rootless_up()
{
	inet_up
	# As udev has it, and what systemd does with Delegate=yes.
	inside sh -e -c 'mount -t tmpfs -o mode=755 tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200
		cd /sys/fs/cgroup
		if [ -e cgroup.controllers ]; then set -- .; else set -- pids memory cpu cpuacct cpuset freezer; fi
		for d; do
			chown 4242 "$d" "$d/cgroup.procs"
			[ ! -e "$d/tasks" ] || chown 4242 "$d/tasks"
			[ ! -e "$d/cgroup.subtree_control" ] || chown 4242 "$d/cgroup.subtree_control"
		done'
	echo '{ "v": 1, "egress": { "ceiling": ["public"] }, "ingress": { "ceiling": ["any"] } }' \
		>"$MACHINE_DIR/brig.json"
	printf '#!/bin/sh\nexec %s --system-config %s "$@"\n' "$(runtime_path)" "$MACHINE_DIR/brig.json" >"$RUNTIME"
	rootless_up "$1"
}

teardown_file()
{
	machine_down
}

setup()
{
	level_test_up
	STATE_ROOT=$XDG_RUNTIME_DIR/brig
	NOTE=(--annotation '"dev.brig.egress=[{""d"":""api.example.org"",""p"":[8080]}]"')
}

teardown()
{
	test_down
}

in_c()
{
	run engine exec "$C" sh -c "$1"
}

@test "rootless egress: by slirp4netns a granted name is looked up and reached, nothing else" {
	up --network slirp4netns --dns $DNS "${NOTE[@]}" "$IMAGE" sleep 1000
	in_c 'nslookup api.example.org'
	has 203.0.113.10
	in_c "$(get 203.0.113.10)"
	has $PAGE
	in_c "$(get 203.0.113.20)"
	has "Connection refused"
	in_c "nslookup api.example.org $DNS"
	[[ $output != *203.0.113.10* ]]
	in_c 'nslookup other.example.org'
	has NXDOMAIN
}

@test "rootless egress: a published port answers: Podman's port forwarder is in the namespace itself" {
	up --network slirp4netns -p 8090:8080 "$IMAGE" httpd -f -p 8080 -h /etc
	published() { inside busybox nc -w 2 127.0.0.1 8090 <<<"$GET" | grep -q data; }
	eventually 5 published
	in_c "$(get 203.0.113.10)"
	has "Connection refused"
}

@test "rootless egress: without a network a grant is taken and reaches nothing" {
	keep "${NOTE[@]}" "$IMAGE" sleep 1000
	in_c "$(get 203.0.113.10)"
	[[ $output != *$PAGE* ]]
}

@test "rootless egress: nothing is left after the last container" {
	nothing_stays
	check_no_trace
}
