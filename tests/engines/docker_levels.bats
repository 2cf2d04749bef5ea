#!/usr/bin/env bats
# dockerd 20.10 with brig as its default runtime and no option: level standard.  A second runtime,
# "brig-high", has runtimeArgs ["--level", "high"].

load lib
load engines
load limits

setup_file()
{
	level_file
	file_up docker-levels dockerd_up dockerd docker containerd iptables
	debian_up
}

teardown_file()
{
	machine_down
}

setup()
{
	level_test_up
	STATE_ROOT=/run/docker/runtime-runc/moby
	HIGH=at_high CUSTOM=at_custom
}

teardown()
{
	test_down
}

at_high()
{
	AT=(--runtime brig-high)
}

at_custom()
{
	AT=(--runtime brig-custom)
}

@test "docker standard: a container has its own ids, few capabilities, a filter and a read-only root" {
	check_standard_in_force
}

@test "docker standard: two containers have different ids on the machine" {
	check_ranges_differ
}

@test "docker standard: an unmodified Debian runs a script as root and as another user" {
	check_debian_script
}

@test "docker standard: output and standard error stay apart" {
	check_streams
}

@test "docker standard: standard input reaches the command" {
	check_stdin
}

@test "docker standard: the exit status of a failing command is passed on" {
	check_exit_status
}

@test "docker standard: a command killed by a signal gives 128 and the signal" {
	check_signal_status
}

@test "docker standard: a missing command gives exit status 127" {
	check_command_not_found
}

@test "docker standard: a file that is not executable gives exit status 126" {
	check_not_executable
}

@test "docker standard: run -it passes input, the window size and the exit status" {
	check_interactive_terminal
}

@test "docker standard: a user who is not root writes to /dev/stdout and it is logged" {
	check_stdout_of_other_user
}

@test "docker standard: a user is chosen, with his groups" {
	check_user
}

@test "docker standard: a user above the range is mapped, too" {
	check_user_above_range
}

@test "docker standard: inspect follows a container from running to exited" {
	check_state
}

@test "docker standard: exec runs a command in a running container" {
	check_exec
}

@test "docker standard: exec takes a user, an environment, a directory and runs detached" {
	check_exec_options
}

@test "docker standard: exec -t gives the command a terminal" {
	check_exec_terminal
}

@test "docker standard: five execs at once each give their own status" {
	check_exec_in_parallel
}

@test "docker standard: pause stops every process and unpause lets them go on" {
	check_pause
}

@test "docker standard: stop lets the command end by itself" {
	check_stop
}

@test "docker standard: stop kills a command that does not end" {
	check_stop_kills
}

@test "docker standard: kill sends the signal asked for" {
	check_kill_signal
}

@test "docker standard: a stopped container starts again" {
	check_restart_from_volume
}

@test "docker standard: a created container starts later, and twice" {
	check_create_then_start
}

@test "docker standard: a failed start is reported and can be removed" {
	check_failed_start
}

@test "docker standard: rm -f leaves no process, cgroup, mount or state" {
	check_rm
}

@test "docker standard: top lists the processes" {
	check_top
}

@test "docker standard: the environment is the image's and the caller's" {
	check_environment
}

@test "docker standard: what is written to a volume belongs on the machine to who wrote it" {
	check_volume_owners
}

@test "docker standard: set-user-ID programs and devices of a volume are without force" {
	check_volume_nosuid_nodev
}

@test "docker standard: volumes are bound at places that the image lacks" {
	check_volumes
}

@test "docker standard: a named volume starts with the image's files" {
	check_named_volume
}

@test "docker standard: tmpfs mounts take size and mode" {
	check_tmpfs
}

@test "docker standard: a read-only root works as before" {
	check_read_only
}

@test "docker standard: hostname, hosts, resolv.conf and /dev/shm are the engine's" {
	check_engine_files
}

@test "docker standard: the size of /dev/shm is set" {
	check_shm_size
}

@test "docker standard: /dev is the container's own" {
	check_own_dev
}

@test "docker standard: a working directory that the image lacks is there" {
	check_missing_workdir
}

@test "docker standard: a file is copied out" {
	check_copy_out
}

@test "docker standard: --init puts an init process before the command" {
	check_init
}

@test "docker standard: capabilities that are added are cut" {
	check_cut_capabilities
}

@test "docker standard: limits above the hard limit are cut, others hold" {
	check_cut_limits
}

@test "docker standard: sysctls outside the level's list are cut" {
	check_cut_sysctls
}

@test "docker standard: the engine's system call filter is in force beside the level's" {
	check_seccomp_of_both
}

@test "docker standard: the OOM score is adjusted" {
	check_oom_score
}

@test "docker standard: memory limits are written to the cgroup" {
	check_memory_limit
}

@test "docker standard: the limit on processes holds" {
	check_pids_limit
}

@test "docker standard: CPU limits are written to the cgroup" {
	check_cpu_limits
}

@test "docker standard: stats reports memory and processes" {
	check_stats
}

@test "docker standard: containers share network, pid and ipc namespaces" {
	check_shared_namespaces
}

@test "docker standard: the host's namespaces, devices, sockets and interfaces are refused with one line" {
	check_refusals
}

@test "docker standard: on the bridge nothing gets out or in, the loopback and low ports work" {
	check_bridge_is_closed
}

@test "docker standard: a call that is never legitimate kills its process" {
	check_violation_at_standard
}

@test "docker standard: a process killed for memory ends the container, and the result says so" {
	check_out_of_memory_ends_all true
}

@test "docker standard: what was out of memory is restarted as its policy says" {
	check_restart_after_memory
}

@test "docker standard: input, exit status, stop, kill, pause and exec under a warden" {
	check_watched_life
}

@test "docker standard: a terminal under a warden" {
	check_watched_terminal
}

@test "docker standard: brig wait tells the exit status, with and without a warden" {
	check_wait_tells_exit
}

@test "docker standard: brig stats tells what a container uses" {
	check_brig_stats
}

@test "docker standard: a limit of CPU time ends the container" {
	AT=(--runtime brig-burst)
	check_cpu_time
}

@test "docker standard: a limit of output ends the container, and its log has just that" {
	AT=(--runtime brig-terse)
	check_output_limit
}

@test "docker standard: whole cores are one container's" {
	AT=(--runtime brig-cores)
	check_whole_cores
}

@test "docker high: a container has single ids, no capabilities, a filter, an empty /proc and a warden" {
	check_high_in_force
}

@test "docker high: an unmodified Debian runs a script as root and as another user" {
	"$HIGH"
	check_debian_script
}

@test "docker high: the exit status of a failing command is passed on" {
	"$HIGH"
	check_exit_status
}

@test "docker high: a command killed by a signal gives 128 and the signal" {
	"$HIGH"
	check_signal_status
}

@test "docker high: run -it passes input, the window size and the exit status" {
	"$HIGH"
	check_interactive_terminal
}

@test "docker high: a user who is not root writes to /dev/stdout and it is logged" {
	"$HIGH"
	check_stdout_of_other_user
}

@test "docker high: exec runs a command as a mapped user, who sees only his own" {
	check_exec_at_high
}

@test "docker high: exec -t gives the command a terminal" {
	"$HIGH"
	check_exec_terminal
}

@test "docker high: pause stops every process and unpause lets them go on" {
	"$HIGH"
	check_pause
}

@test "docker high: stop lets the command end by itself" {
	"$HIGH"
	check_stop
}

@test "docker high: stop kills a command that does not end" {
	"$HIGH"
	check_stop_kills
}

@test "docker high: a stopped container starts again" {
	"$HIGH"
	check_restart_from_volume
}

@test "docker high: a created container starts later, and twice" {
	"$HIGH"
	check_create_then_start
}

@test "docker high: a failed start is reported and can be removed" {
	"$HIGH"
	check_failed_start
}

@test "docker high: rm -f leaves no process, cgroup, mount or state" {
	"$HIGH"
	check_rm
}

@test "docker high: top lists the processes" {
	"$HIGH"
	check_top
}

@test "docker high: what is written to a volume belongs on the machine to who wrote it" {
	"$HIGH"
	check_volume_owners
}

@test "docker high: a named volume starts with the image's files" {
	"$HIGH"
	check_named_volume
}

@test "docker high: hostname, hosts, resolv.conf and /dev/shm are the engine's" {
	"$HIGH"
	check_engine_files
}

@test "docker high: --init puts an init process before the command" {
	"$HIGH"
	check_init
}

@test "docker high: memory limits are written to the cgroup" {
	"$HIGH"
	check_memory_limit
}

@test "docker high: stats reports memory and processes" {
	"$HIGH"
	check_stats
}

@test "docker high: containers share network, pid and ipc namespaces" {
	"$HIGH"
	check_shared_namespaces
}

@test "docker high: a call that is never legitimate ends the sandbox" {
	check_violation_at_high
}

@test "docker high: killing the warden ends the sandbox" {
	check_warden_killed
}

@test "docker standard: a health check runs" {
	LEFT=1
	expect 0 engine run -d --name "$C" --network none --health-cmd 'test ! -e /tmp/ill' \
		--health-interval 1s --health-retries 1 "$IMAGE" sleep 1000
	eventually 10 field_is .State.Health.Status healthy
	expect 0 engine exec "$C" touch /tmp/ill
	eventually 10 field_is .State.Health.Status unhealthy
}

@test "docker standard: update changes memory and processes of a running container" {
	check_update --pids-limit 33
	[ "$(cgroup_value "$(init_pid)" pids pids.max pids.max)" = 33 ]
}

@test "docker standard: events tell of start and end" {
	keep "$IMAGE" true
	waits_until_stopped
	expect 0 engine events --since "$(($(date +%s) - 60))" --until "$(($(date +%s) + 1))" --filter "container=$C" --format '{{.Action}}'
	has start
	has die
}

@test "docker standard: build works with the runtime at custom only: it writes into the root" {
	mkdir "$BATS_TEST_TMPDIR/build"
	printf 'FROM %s\nRUN echo built >/built\n' "$IMAGE" >"$BATS_TEST_TMPDIR/build/Dockerfile"
	run engine build --force-rm -t localhost/built "$BATS_TEST_TMPDIR/build"
	[ "$status" -ne 0 ]
	has "Read-only file system"
}

@test "docker high: without hooks_allowed in brig.json Docker's own hook is refused and named" {
	AT=(--runtime brig-high-alone)
	LEVEL=high
	refused "($(command -v dockerd)) is refused: hooks_allowed of brig.json" --network none "$IMAGE" true
}

@test "docker: nothing is left after the last container" {
	check_no_trace
}
