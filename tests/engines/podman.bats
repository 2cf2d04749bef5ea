#!/usr/bin/env bats
# Podman 4.3 with the runtime under test, one container at a time.

load lib
load engines
load checks

setup_file()
{
	file_up podman podman_up podman conmon iptables
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

@test "podman: the output of a command arrives" {
	check_output
}

@test "podman: standard output and standard error stay apart" {
	check_streams
}

@test "podman: standard input reaches the command" {
	check_stdin
}

@test "podman: a megabyte of output arrives completely" {
	check_large_output
}

@test "podman: the exit status of a failing command is passed on" {
	check_exit_status
}

@test "podman: a command killed by a signal gives 128 and the signal" {
	check_signal_status
}

@test "podman: a missing command gives exit status 127" {
	check_command_not_found
}

@test "podman: a file that is not executable gives exit status 126" {
	check_not_executable
}

@test "podman: run -t gives the command a terminal" {
	check_terminal
}

@test "podman: run -it passes input, the window size and the exit status" {
	check_interactive_terminal
}

@test "podman: a signal sent to the client reaches the command" {
	check_client_passes_signals
}

@test "podman: the logs of a detached container are kept" {
	check_logs
}

@test "podman: inspect follows a container from running to exited" {
	check_state
}

@test "podman: exec runs a command in a running container" {
	check_exec
}

@test "podman: exec takes a user, an environment, a directory and runs detached" {
	check_exec_options
}

@test "podman: exec -t gives the command a terminal" {
	check_exec_terminal
}

@test "podman: exec is confined like the container" {
	check_exec_is_confined
}

@test "podman: five execs at once each give their own status" {
	check_exec_in_parallel
}

@test "podman: exec fails once the container has stopped" {
	check_exec_fails_when_stopped
}

@test "podman: pause stops every process and unpause lets them go on" {
	check_pause
}

@test "podman: stop lets the command end by itself" {
	check_stop
}

@test "podman: stop kills a command that does not end" {
	check_stop_kills
}

@test "podman: kill sends the signal asked for" {
	check_kill_signal
}

@test "podman: a stopped container can be started again" {
	check_restart
}

@test "podman: a created container starts later, and twice" {
	check_create_then_start
}

@test "podman: a failed start is reported and can be removed" {
	check_failed_start
}

@test "podman: rm -f leaves no process, cgroup, mount or state" {
	check_rm
}

@test "podman: top lists the processes" {
	check_top
}

@test "podman: the environment is the image's and the caller's" {
	check_environment
}

@test "podman: the working directory is the one asked for" {
	check_workdir
}

@test "podman: the command runs as the user asked for, with its groups" {
	check_user
}

@test "podman: the hostname is set" {
	check_hostname
}

@test "podman: volumes are bound, read-only when asked" {
	check_volumes
}

@test "podman: a named volume starts with the image's files" {
	check_named_volume
}

@test "podman: tmpfs mounts take size and mode" {
	check_tmpfs
}

@test "podman: a read-only root cannot be written" {
	check_read_only
}

@test "podman: the size of /dev/shm is set" {
	check_shm_size
}

@test "podman: /dev is the container's own" {
	check_own_dev
}

@test "podman: the namespaces are the container's own" {
	check_namespaces
}

@test "podman: the engine's default capabilities are in force" {
	check_default_capabilities
}

@test "podman: capabilities are dropped and added" {
	check_capabilities
}

@test "podman: no-new-privileges is set when asked" {
	check_no_new_privileges
}

@test "podman: the engine's seccomp profile is in force unless unconfined" {
	check_seccomp
}

@test "podman: a seccomp profile of one's own is in force" {
	check_own_seccomp_profile "No space left"
}

@test "podman: sensitive paths of /proc and /sys are masked or read-only" {
	check_masked_paths
}

@test "podman: a device can be given, others cannot be opened" {
	check_devices
}

@test "podman: a privileged container may mount" {
	check_privileged
}

@test "podman: namespaced sysctls are set" {
	check_sysctl
}

@test "podman: resource limits of the process are set" {
	check_ulimit
}

@test "podman: the OOM score is adjusted" {
	check_oom_score
}

@test "podman: memory limits are written to the cgroup" {
	check_memory_limit
}

@test "podman: running out of memory ends the command" {
	# conmon 2.1.6 notes it in its own directory, where Podman 4.3 does not look.
	check_out_of_memory
}

@test "podman: the limit on processes holds" {
	check_pids_limit
}

@test "podman: CPU limits are written to the cgroup" {
	check_cpu_limits
}

@test "podman: stats reports memory and processes" {
	check_stats
}

@test "podman: network none has only a loopback that is up" {
	check_network_none
}

@test "podman: containers on the bridge reach each other" {
	check_network_bridge
}

@test "podman: a published port is reachable" {
	check_published_port
}

@test "podman: network host is the machine's network" {
	check_network_host
}

@test "podman: containers share network, pid and ipc namespaces" {
	check_shared_namespaces
}

@test "podman: pid host is the machine's pid namespace" {
	check_host_pid
}

@test "podman: --init puts an init process before the command" {
	check_init
}

@test "podman: update changes memory and CPU limits of a running container" {
	check_update
}

@test "podman: build runs its commands through the runtime" {
	check_build
}

@test "podman: init makes a container that start runs" {
	LEFT=1
	expect 0 engine create --name "$C" --network none "$IMAGE" sleep 1000
	expect 0 engine init "$C"
	field_is .State.Status initialized
	expect 0 inside "$RUNTIME" state "$(field .Id)"
	[ "$(jq -r .status <<<"$output")" = created ]
	expect 0 engine start "$C"
	expect 0 inside "$RUNTIME" state "$(field .Id)"
	[ "$(jq -r .status <<<"$output")" = running ]
	[ "$(jq -r .pid <<<"$output")" = "$(init_pid)" ]
}

@test "podman: descriptors are preserved when asked" {
	echo through >"$BATS_TEST_TMPDIR/file"
	expect 0 once --preserve-fds 1 "$IMAGE" sh -c 'cat <&3' 3<"$BATS_TEST_TMPDIR/file"
	is through
}

@test "podman: a directory serves as root file system" {
	mkdir "$BATS_TEST_TMPDIR/root"
	image_rootfs "$BATS_TEST_TMPDIR/root"
	expect 0 once --rootfs "$BATS_TEST_TMPDIR/root" cat /etc/not-executable
	is data
}

@test "podman: a user namespace maps root to another user" {
	expect 0 once --uidmap 0:100000:65536 --gidmap 0:100000:65536 "$IMAGE" \
		sh -c 'id -u; cat /proc/self/uid_map; touch /file && stat -c %u /file'
	has "100000      65536"
	[ "${lines[0]}" = 0 ]
	[ "${lines[2]}" = 0 ]
}

@test "podman: a cgroup namespace is private or the machine's" {
	expect 0 once --cgroupns host "$IMAGE" readlink /proc/self/ns/cgroup
	is "$(inside readlink /proc/1/ns/cgroup)"
	run once --cgroupns private "$IMAGE" readlink /proc/self/ns/cgroup
	[ "$output" != "$(inside readlink /proc/1/ns/cgroup)" ]
}

@test "podman: paths are masked and unmasked as asked" {
	expect 0 once --security-opt unmask=/proc/timer_list --security-opt mask=/etc/not-executable \
		"$IMAGE" sh -c 'cat /etc/not-executable; wc -l </proc/timer_list'
	[ "$output" -gt 0 ]
}

@test "podman: a systemd container gets its cgroup writable" {
	expect 0 once --systemd always "$IMAGE" sh -c \
		'mkdir /sys/fs/cgroup/systemd/sub 2>/dev/null || mkdir /sys/fs/cgroup/sub'
}

@test "podman: options for the runtime are passed on" {
	expect 0 engine --runtime-flag debug run --rm --network none "$IMAGE" echo hello
	has hello
	run ! engine --runtime-flag wrong run --rm --network none "$IMAGE" echo hello
}

@test "podman: nothing is left after the last container" {
	check_nothing_left
}
