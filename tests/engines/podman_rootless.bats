#!/usr/bin/env bats
# Podman 4.3 started by a user who is not root, with the runtime under test below it. The user, and
# the range of ids subordinate to it, exist in the private machine only.

load lib
load engines
load checks
load rootless

setup_file()
{
	file_up rootless rootless_up podman conmon newuidmap newgidmap setpriv
}

teardown_file()
{
	machine_down
}

setup()
{
	test_up
}

teardown()
{
	test_down
}

@test "rootless: root in the container is the user outside" {
	expect 0 once "$IMAGE" sh -c 'id -u; cat /proc/self/uid_map'
	[ "${lines[0]}" = 0 ]
	has "0       4242          1"
	has "1     200000      65536"
}

@test "rootless: the exit status of a failing command is passed on" {
	expect 42 once "$IMAGE" sh -c 'exit 42'
	expect 127 once "$IMAGE" no-such-command
	expect 126 once "$IMAGE" /etc/not-executable
}

@test "rootless: a detached container is inspected, executed in and stopped" {
	keep "$IMAGE" sleep 1000
	field_is .State.Status running
	expect 3 engine exec "$C" sh -c 'exit 3'
	expect 0 engine exec -t "$C" tty
	has /dev/pts/0
	expect 0 engine stop -t 0 "$C"
	field_is .State.ExitCode 137
}

@test "rootless: a user of the image can be chosen" {
	expect 0 once -u worker "$IMAGE" id
	has "uid=1000(worker)"
}

@test "rootless: volumes are written as the user" {
	mkdir "$MACHINE_DIR/volume"
	chown 4242 "$MACHINE_DIR/volume"
	expect 0 once -v "$MACHINE_DIR/volume:/data" "$IMAGE" touch /data/file
	[ "$(stat -c %u "$MACHINE_DIR/volume/file")" = 4242 ]
	expect 1 once -v "$MACHINE_DIR/volume:/data:ro" "$IMAGE" touch /data/file
	has "Read-only file system"
}

@test "rootless: capabilities, no-new-privileges and seccomp are in force" {
	expect 0 once --cap-drop ALL --security-opt no-new-privileges "$IMAGE" cat /proc/self/status
	has "CapEff:	0000000000000000"
	has "NoNewPrivs:	1"
	has "Seccomp:	2"
}

@test "rootless: a read-only root and tmpfs mounts work" {
	expect 1 once --read-only "$IMAGE" touch /file
	has "Read-only file system"
	expect 0 once --read-only --tmpfs /scratch "$IMAGE" touch /scratch/file
}

@test "rootless: build runs its commands through the runtime" {
	mkdir -m 755 "$MACHINE_DIR/build"
	printf 'FROM %s\nRUN echo built >/built\n' "$IMAGE" >"$MACHINE_DIR/build/Dockerfile"
	expect 0 engine build --network none -t localhost/built "$MACHINE_DIR/build"
	expect 0 once localhost/built cat /built
	is built
}

@test "rootless: two containers of a pod share the network namespace" {
	expect 0 engine pod create --name p --network none
	expect 0 engine run --rm --pod p "$IMAGE" readlink /proc/self/ns/net
	first=$output
	expect 0 engine run --rm --pod p "$IMAGE" readlink /proc/self/ns/net
	is "$first"
	expect 0 engine pod rm -f -t 0 p
}

@test "rootless: nothing is left after the last container" {
	expect 0 engine ps -aq
	is ""
	eventually 5 no_process_named conmon
	run inside find "$XDG_RUNTIME_DIR" -mindepth 2 -maxdepth 2 \( -path '*/runc/*' -o -path '*/brig/*' \)
	is ""
}
