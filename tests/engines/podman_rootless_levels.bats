#!/usr/bin/env bats
# Podman 4.3 started by a user who is not root, with brig and no option: level standard.  brig is then
# root of Podman's user namespace.  The user has no cgroup at first; later some are his.

load lib
load engines
load limits
load rootless

setup_file()
{
	level_file
	file_up rootless-levels rootless_up podman conmon newuidmap newgidmap setpriv
}

teardown_file()
{
	machine_down
}

setup()
{
	level_test_up
	STATE_ROOT=$XDG_RUNTIME_DIR/brig
	HIGH=at_high
}

teardown()
{
	test_down
}

at_high()
{
	AT=(--annotation dev.brig.level=high)
}

brig()
{
	inside setpriv --reuid 4242 --regid 4242 --clear-groups --inh-caps=-all \
		podman unshare "$RUNTIME" --root "$STATE_ROOT" "$@"
}

as_user()
{
	inside setpriv --reuid 4242 --regid 4242 --clear-groups --inh-caps=-all "$@"
}

# What systemd does with Delegate=yes, for the machine's own cgroups.
delegate()
{
	# shellcheck disable=SC2016 # for the shell inside
	inside sh -c 'cd /sys/fs/cgroup
		if [ -e cgroup.controllers ]; then set -- .; else set -- pids memory cpu cpuacct cpuset freezer; fi
		for d; do
			chown 4242 "$d" "$d/cgroup.procs"
			[ ! -e "$d/tasks" ] || chown 4242 "$d/tasks"
			[ ! -e "$d/cgroup.subtree_control" ] || chown 4242 "$d/cgroup.subtree_control"
		done'
}

# refused_without_cgroup LEVEL
refused_without_cgroup()
{
	run once "$IMAGE" true
	[ "$status" -ne 0 ]
	has "level $1 needs a cgroup: "
	has "handed over to user 4242"
	expect 0 engine ps -aq
	is ""
	expect 0 brig list -q
	is ""
}

@test "rootless standard: without a delegated cgroup there is no start, and the remedy is named" {
	refused_without_cgroup standard
}

@test "rootless high: without a delegated cgroup there is no start, and the remedy is named" {
	at_high
	refused_without_cgroup high
}

@test "rootless standard: with a delegated cgroup a container starts, its ids are those of Podman" {
	delegate
	keep "$IMAGE" sleep 1000
	level_is standard
	expect 0 engine exec "$C" sh -c 'tr -s " " </proc/self/uid_map; id -u; stat -c %u /etc/passwd /home/worker'
	is $' 0 0 1\n 1 1 65536\n0\n0\n1000'
	# The map of a namespace of its own: in Podman's it would start with the user's number.
	[ "$(inside readlink "/proc/$(init_pid)/ns/user")" != \
		"$(inside readlink "/proc/$(inside pgrep -x conmon | head -n 1)/ns/user")" ]
	[ "$(line Uid)" = 4242 ]
	[ "$(line Seccomp)" = 2 ]
	[ "$(line CapEff)" = 00000000000004eb ]
	expect 1 engine exec "$C" touch /etc/x
	has "Read-only file system"
	expect 0 engine exec "$C" touch /tmp/x /run/x /workspace/x
	expect 1 engine exec "$C" unshare -U true
	[ "$(cgroup_value "$(init_pid)" pids pids.max pids.max)" = 512 ]
}

@test "rootless high: with a delegated cgroup a container starts, with a warden" {
	delegate
	at_high
	keep "$IMAGE" sleep 1000
	level_is high
	[ "$(line CapBnd)" = 0000000000000000 ]
	expect 3 engine exec "$C" sh -c 'wc -c </proc/kallsyms; exit 3'
	is 0
	explains memfd-noexec recorded
	expect 0 inside pgrep -x brig-warden
	inside kill -KILL "${lines[0]}"
	waits_until_stopped
	field_is .State.ExitCode 137
}

@test "rootless high: a call that is never legitimate ends the sandbox" {
	delegate
	check_violation_at_high
}

@test "rootless standard: exit status, output and a chosen user arrive" {
	delegate
	expect 42 once "$IMAGE" sh -c 'exit 42'
	expect 127 once "$IMAGE" no-such-command
	expect 126 once "$IMAGE" /etc/not-executable
	expect 0 once -u worker "$IMAGE" sh -c 'id -u; echo out >/dev/stdout'
	is $'1000\nout'
	expect 0 once -t "$IMAGE" tty
	has /dev/pts/0
}

# Podman ignores its own --memory without root on v1.
@test "rootless standard: limits of memory, CPU time and output end a container" {
	delegate
	keep --annotation dev.brig.memory.limit=32m "$IMAGE" sh -c 'tail /dev/zero; sleep 1000'
	expect 0 engine wait "$C"
	is 137
	another
	keep --annotation dev.brig.time.cpu=300ms "$IMAGE" sh -c 'while :; do :; done'
	expect 0 engine wait "$C"
	is 137
	another
	keep --annotation dev.brig.output.limit=1000 "$IMAGE" sh -c 'while :; do echo 123456789; done'
	expect 0 engine wait "$C"
	is 137
	[ "$(engine logs "$C" | wc -c)" -eq 1000 ]
	no_warden
}

@test "rootless standard: volumes are written as the user" {
	delegate
	as_user mkdir "$MACHINE_DIR/rootless/volume"
	expect 0 once -v "$MACHINE_DIR/rootless/volume:/data" "$IMAGE" touch /data/file
	[ "$(stat -c %u "$MACHINE_DIR/rootless/volume/file")" = 4242 ]
	expect 1 once -v "$MACHINE_DIR/rootless/volume:/data:ro" "$IMAGE" touch /data/file
	has "Read-only file system"
}

@test "rootless standard: two containers of a pod share network, ipc and uts" {
	delegate
	expect 0 engine pod create --name p --network none --hostname pod-host
	expect 0 engine run --rm --pod p "$IMAGE" sh -c 'readlink /proc/self/ns/net; hostname; echo note >/dev/shm/note'
	first=$output
	[ "${lines[1]}" = pod-host ]
	expect 0 engine run --rm --pod p "$IMAGE" sh -c 'readlink /proc/self/ns/net; hostname; cat /dev/shm/note'
	is "$first"$'\n'note
	expect 0 engine pod rm -f -t 0 p
}

@test "rootless standard: the machine's own are refused" {
	delegate
	refused "linux.namespaces.pid" --network none --pid host "$IMAGE" true
	refused "the root of the host" --network none -v /:/host "$IMAGE" true
	refused "devices of the host" --network none --device /dev/fuse "$IMAGE" true
}

@test "rootless: nothing is left after the last container" {
	expect 0 engine ps -aq
	is ""
	left=$(no_trace)
	[ -z "$left" ] || fail "$left"
	run inside find "$XDG_RUNTIME_DIR/brig-cpus" -type f ! -name lock
	is ""
}
