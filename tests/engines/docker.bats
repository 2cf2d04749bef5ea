#!/usr/bin/env bats
# dockerd 20.10 with the runtime under test as its default runtime.

load lib
load engines
load checks

setup_file()
{
	file_up docker dockerd_up dockerd docker containerd iptables
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

@test "docker: the output of a command arrives" {
	check_output
}

@test "docker: standard output and standard error stay apart" {
	check_streams
}

@test "docker: standard input reaches the command" {
	check_stdin
}

@test "docker: a megabyte of output arrives completely" {
	check_large_output
}

@test "docker: the exit status of a failing command is passed on" {
	check_exit_status
}

@test "docker: a command killed by a signal gives 128 and the signal" {
	check_signal_status
}

@test "docker: a missing command gives exit status 127" {
	check_command_not_found
}

@test "docker: a file that is not executable gives exit status 126" {
	check_not_executable
}

@test "docker: run -t gives the command a terminal" {
	check_terminal
}

@test "docker: run -it passes input, the window size and the exit status" {
	check_interactive_terminal
}

@test "docker: a signal sent to the client reaches the command" {
	check_client_passes_signals
}

@test "docker: the logs of a detached container are kept" {
	check_logs
}

@test "docker: inspect follows a container from running to exited" {
	check_state
}

@test "docker: exec runs a command in a running container" {
	check_exec
}

@test "docker: exec takes a user, an environment, a directory and runs detached" {
	check_exec_options
}

@test "docker: exec -t gives the command a terminal" {
	check_exec_terminal
}

@test "docker: exec is confined like the container" {
	check_exec_is_confined
}

@test "docker: five execs at once each give their own status" {
	check_exec_in_parallel
}

@test "docker: exec fails once the container has stopped" {
	check_exec_fails_when_stopped
}

@test "docker: pause stops every process and unpause lets them go on" {
	check_pause
}

@test "docker: stop lets the command end by itself" {
	check_stop
}

@test "docker: stop kills a command that does not end" {
	check_stop_kills
}

@test "docker: kill sends the signal asked for" {
	check_kill_signal
}

@test "docker: a stopped container can be started again" {
	check_restart
}

@test "docker: a created container starts later, and twice" {
	check_create_then_start
}

@test "docker: a failed start is reported and can be removed" {
	check_failed_start
}

@test "docker: rm -f leaves no process, cgroup, mount or state" {
	check_rm
}

@test "docker: top lists the processes" {
	check_top
}

@test "docker: the environment is the image's and the caller's" {
	check_environment
}

@test "docker: the working directory is the one asked for" {
	check_workdir
}

@test "docker: the command runs as the user asked for, with its groups" {
	check_user
}

@test "docker: the hostname is set" {
	check_hostname
}

@test "docker: volumes are bound, read-only when asked" {
	check_volumes
}

@test "docker: a named volume starts with the image's files" {
	check_named_volume
}

@test "docker: tmpfs mounts take size and mode" {
	check_tmpfs
}

@test "docker: a read-only root cannot be written" {
	check_read_only
}

@test "docker: the size of /dev/shm is set" {
	check_shm_size
}

@test "docker: /dev is the container's own" {
	check_own_dev
}

@test "docker: the namespaces are the container's own" {
	check_namespaces
}

@test "docker: the engine's default capabilities are in force" {
	check_default_capabilities
}

@test "docker: capabilities are dropped and added" {
	check_capabilities
}

@test "docker: no-new-privileges is set when asked" {
	check_no_new_privileges
}

@test "docker: the engine's seccomp profile is in force unless unconfined" {
	check_seccomp
}

@test "docker: a seccomp profile of one's own is in force" {
	check_own_seccomp_profile "No space left"
}

@test "docker: sensitive paths of /proc and /sys are masked or read-only" {
	check_masked_paths
}

@test "docker: a device can be given, others cannot be opened" {
	check_devices
}

@test "docker: a privileged container may mount" {
	check_privileged
}

@test "docker: namespaced sysctls are set" {
	check_sysctl
}

@test "docker: resource limits of the process are set" {
	check_ulimit
}

@test "docker: the OOM score is adjusted" {
	check_oom_score
}

@test "docker: memory limits are written to the cgroup" {
	check_memory_limit
}

@test "docker: running out of memory is reported" {
	check_out_of_memory true
}

@test "docker: the limit on processes holds" {
	check_pids_limit
}

@test "docker: CPU limits are written to the cgroup" {
	check_cpu_limits
}

@test "docker: stats reports memory and processes" {
	check_stats
}

@test "docker: network none has only a loopback that is up" {
	check_network_none
}

@test "docker: containers on the bridge reach each other" {
	check_network_bridge
}

@test "docker: a published port is reachable" {
	check_published_port
}

@test "docker: network host is the machine's network" {
	check_network_host
}

@test "docker: containers share network, pid and ipc namespaces" {
	check_shared_namespaces
}

@test "docker: pid host is the machine's pid namespace" {
	check_host_pid
}

@test "docker: --init puts an init process before the command" {
	check_init
}

@test "docker: update changes memory, CPU and process limits of a running container" {
	check_update --pids-limit 33
	[ "$(cgroup_value "$(init_pid)" pids pids.max pids.max)" = 33 ]
}

@test "docker: build runs its commands through the runtime" {
	check_build
}

@test "docker: info lists the runtime as the default" {
	expect 0 engine info -f '{{.DefaultRuntime}}'
	is brig
}

@test "docker: the restart policy starts a failing command again" {
	LEFT=1
	expect 0 engine run -d --name "$C" --network none --restart on-failure:2 "$IMAGE" \
		sh -c 'echo x; exit 1'
	eventually 10 field_is .RestartCount 2
	waits_until_stopped
	expect 0 engine logs "$C"
	is $'x\nx\nx'
}

@test "docker: the parent cgroup can be chosen" {
	keep --cgroup-parent /chosen "$IMAGE" sleep 1000
	[[ $(cgroup_dir "$(init_pid)" pids) == */chosen/* ]]
}

@test "docker: a cgroup namespace is private when asked" {
	run once --cgroupns private "$IMAGE" readlink /proc/self/ns/cgroup
	[ "$output" != "$(inside readlink /proc/1/ns/cgroup)" ]
}

@test "docker: a working directory that is missing is made" {
	expect 0 once -w /not/yet/there "$IMAGE" pwd
	is /not/yet/there
}

@test "docker: a runtime is configured with options and chosen by name" {
	expect 0 once --runtime brig-debug "$IMAGE" echo hello
	is hello
	run ! once --runtime brig-wrong "$IMAGE" echo hello
}

@test "docker: nothing is left after the last container" {
	check_nothing_left
}
