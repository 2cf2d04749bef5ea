#!/usr/bin/env bats
# Podman 4.3 with brig and no option: level standard.  An annotation chooses high.

load lib
load engines
load limits

setup_file()
{
	level_file
	file_up podman-levels unconfigured_podman_up podman conmon catatonit iptables
	debian_up
}

teardown_file()
{
	machine_down
}

setup()
{
	level_test_up
	STATE_ROOT=/run/brig
	HIGH=at_high CUSTOM=at_custom
	POD=
}

teardown()
{
	test_down
	[ -z "$POD" ] || engine pod rm -f -t 0 "$POD" >/dev/null 2>&1 || true
}

# Podman's own ulimits, which are above the hard limit where CAP_SYS_RESOURCE is missing.
unconfigured_podman_up()
{
	podman_up "$1"
	sed -i '/default_ulimits/d' "$CONTAINERS_CONF"
}

at_high()
{
	AT=(--annotation dev.brig.level=high)
}

at_custom()
{
	local n u

	n=$(ulimit -Hn) u=$(ulimit -Hu)
	PRE=(--runtime-flag level=custom)
	AT=(--ulimit "nofile=$n:$n" --ulimit "nproc=$u:$u")
}

# The namespace KIND of the container NAME, and its pid.
namespace()
{
	inside readlink "/proc/$(pid_of "$1")/ns/$2"
}

pid_of()
{
	engine inspect -f '{{.State.Pid}}' "$1"
}

@test "podman standard: a container has its own ids, few capabilities, a filter and a read-only root" {
	check_standard_in_force
}

@test "podman standard: two containers have different ids on the machine" {
	check_ranges_differ
}

@test "podman standard: an unmodified Debian runs a script as root and as another user" {
	check_debian_script
}

@test "podman standard: output and standard error stay apart" {
	check_streams
}

@test "podman standard: standard input reaches the command" {
	check_stdin
}

@test "podman standard: the exit status of a failing command is passed on" {
	check_exit_status
}

@test "podman standard: a command killed by a signal gives 128 and the signal" {
	check_signal_status
}

@test "podman standard: a missing command gives exit status 127" {
	check_command_not_found
}

@test "podman standard: a file that is not executable gives exit status 126" {
	check_not_executable
}

@test "podman standard: run -it passes input, the window size and the exit status" {
	check_interactive_terminal
}

@test "podman standard: a user who is not root writes to /dev/stdout and it is logged" {
	check_stdout_of_other_user
}

@test "podman standard: a user is chosen, with his groups" {
	check_user
}

@test "podman standard: a user above the range is mapped, too" {
	check_user_above_range
}

@test "podman standard: inspect follows a container from running to exited" {
	check_state
}

@test "podman standard: exec runs a command in a running container" {
	check_exec
}

@test "podman standard: exec takes a user, an environment, a directory and runs detached" {
	check_exec_options
}

@test "podman standard: exec -t gives the command a terminal" {
	check_exec_terminal
}

@test "podman standard: five execs at once each give their own status" {
	check_exec_in_parallel
}

@test "podman standard: pause stops every process and unpause lets them go on" {
	check_pause
}

@test "podman standard: stop lets the command end by itself" {
	check_stop
}

@test "podman standard: stop kills a command that does not end" {
	check_stop_kills
}

@test "podman standard: kill sends the signal asked for" {
	check_kill_signal
}

@test "podman standard: a stopped container starts again" {
	check_restart_from_volume
}

@test "podman standard: a created container starts later, and twice" {
	check_create_then_start
}

@test "podman standard: a failed start is reported and can be removed" {
	check_failed_start
}

@test "podman standard: rm -f leaves no process, cgroup, mount or state" {
	check_rm
}

@test "podman standard: top lists the processes" {
	check_top
}

@test "podman standard: the environment is the image's and the caller's" {
	check_environment
}

@test "podman standard: what is written to a volume belongs on the machine to who wrote it" {
	check_volume_owners
}

@test "podman standard: set-user-ID programs and devices of a volume are without force" {
	check_volume_nosuid_nodev
}

@test "podman standard: volumes are bound at places that the image lacks" {
	check_volumes
}

@test "podman standard: a named volume starts with the image's files" {
	check_named_volume
}

@test "podman standard: tmpfs mounts take size and mode" {
	check_tmpfs
}

@test "podman standard: a read-only root works as before" {
	check_read_only
}

@test "podman standard: hostname, hosts, resolv.conf and /dev/shm are the engine's" {
	check_engine_files
}

@test "podman standard: the size of /dev/shm is set" {
	check_shm_size
}

@test "podman standard: /dev is the container's own" {
	check_own_dev
}

@test "podman standard: a file is copied out" {
	check_copy_out
}

@test "podman standard: --init puts an init process before the command" {
	check_init
}

@test "podman standard: capabilities that are added are cut" {
	check_cut_capabilities
}

@test "podman standard: limits above the hard limit are cut, others hold" {
	check_cut_limits
}

@test "podman standard: sysctls outside the level's list are cut" {
	check_cut_sysctls
}

@test "podman standard: the engine's system call filter is in force beside the level's" {
	check_seccomp_of_both
}

@test "podman standard: the OOM score is adjusted" {
	check_oom_score
}

@test "podman standard: memory limits are written to the cgroup" {
	check_memory_limit
}

@test "podman standard: the limit on processes holds" {
	check_pids_limit
}

@test "podman standard: CPU limits are written to the cgroup" {
	check_cpu_limits
}

@test "podman standard: stats reports memory and processes" {
	check_stats
}

@test "podman standard: containers share network, pid and ipc namespaces" {
	check_shared_namespaces
}

@test "podman standard: the host's namespaces, devices, sockets and interfaces are refused with one line" {
	check_refusals
}

@test "podman standard: on the bridge nothing gets out or in, the loopback and low ports work" {
	check_bridge_is_closed
}

@test "podman standard: a call that is never legitimate kills its process" {
	check_violation_at_standard
}

@test "podman standard: a process killed for memory ends the container, and the result says so" {
	check_out_of_memory_ends_all
}

@test "podman standard: what was out of memory is restarted as its policy says" {
	check_restart_after_memory
}

@test "podman standard: input, exit status, stop, kill, pause and exec under a warden" {
	check_watched_life
}

@test "podman standard: a terminal under a warden" {
	check_watched_terminal
}

@test "podman standard: brig wait tells the exit status, with and without a warden" {
	check_wait_tells_exit
}

@test "podman standard: brig stats tells what a container uses" {
	check_brig_stats
}

@test "podman standard: a limit of CPU time ends the container" {
	AT=(--annotation dev.brig.time.cpu=1s)
	check_cpu_time
}

@test "podman standard: a limit of output ends the container, and its log has just that" {
	AT=(--annotation dev.brig.output.limit=1000)
	check_output_limit
}

@test "podman standard: whole cores are one container's" {
	AT=(--annotation dev.brig.cpu.pin=cores)
	check_whole_cores
}

@test "podman high: a container has single ids, no capabilities, a filter, an empty /proc and a warden" {
	check_high_in_force
}

@test "podman high: an unmodified Debian runs a script as root and as another user" {
	"$HIGH"
	check_debian_script
}

@test "podman high: the exit status of a failing command is passed on" {
	"$HIGH"
	check_exit_status
}

@test "podman high: a command killed by a signal gives 128 and the signal" {
	"$HIGH"
	check_signal_status
}

@test "podman high: run -it passes input, the window size and the exit status" {
	"$HIGH"
	check_interactive_terminal
}

@test "podman high: a user who is not root writes to /dev/stdout and it is logged" {
	"$HIGH"
	check_stdout_of_other_user
}

@test "podman high: exec runs a command as a mapped user, who sees only his own" {
	check_exec_at_high
}

@test "podman high: exec -t gives the command a terminal" {
	"$HIGH"
	check_exec_terminal
}

@test "podman high: pause stops every process and unpause lets them go on" {
	"$HIGH"
	check_pause
}

@test "podman high: stop lets the command end by itself" {
	"$HIGH"
	check_stop
}

@test "podman high: stop kills a command that does not end" {
	"$HIGH"
	check_stop_kills
}

@test "podman high: a stopped container starts again" {
	"$HIGH"
	check_restart_from_volume
}

@test "podman high: a created container starts later, and twice" {
	"$HIGH"
	check_create_then_start
}

@test "podman high: a failed start is reported and can be removed" {
	"$HIGH"
	check_failed_start
}

@test "podman high: rm -f leaves no process, cgroup, mount or state" {
	"$HIGH"
	check_rm
}

@test "podman high: top lists the processes" {
	"$HIGH"
	check_top
}

@test "podman high: what is written to a volume belongs on the machine to who wrote it" {
	"$HIGH"
	check_volume_owners
}

@test "podman high: a named volume starts with the image's files" {
	"$HIGH"
	check_named_volume
}

@test "podman high: hostname, hosts, resolv.conf and /dev/shm are the engine's" {
	"$HIGH"
	check_engine_files
}

@test "podman high: --init puts an init process before the command" {
	"$HIGH"
	check_init
}

@test "podman high: memory limits are written to the cgroup" {
	"$HIGH"
	check_memory_limit
}

@test "podman high: stats reports memory and processes" {
	"$HIGH"
	check_stats
}

@test "podman high: containers share network, pid and ipc namespaces" {
	"$HIGH"
	check_shared_namespaces
}

@test "podman high: a call that is never legitimate ends the sandbox" {
	check_violation_at_high
}

@test "podman high: killing the warden ends the sandbox" {
	check_warden_killed
}

@test "podman standard: a health check runs" {
	keep --health-cmd 'test ! -e /tmp/ill' --health-interval disable "$IMAGE" sleep 1000
	expect 0 engine healthcheck run "$C"
	expect 0 engine exec "$C" touch /tmp/ill
	expect 1 engine healthcheck run "$C"
}

@test "podman standard: update changes memory and CPU limits of a running container" {
	check_update
}

@test "podman standard: events tell of start and end" {
	keep "$IMAGE" true
	waits_until_stopped
	expect 0 engine events --stream=false --since 60s --filter "container=$C" --format '{{.Status}}'
	has start
	has died
}

@test "podman standard: the list of what Podman mounts is there" {
	expect 0 once "$IMAGE" sh -c 'test -e /run/.containerenv && ls -A /run'
	is .containerenv
}

@test "podman standard: init makes a container that start runs" {
	LEFT=1
	expect 0 engine create --name "$C" --network none "$IMAGE" sleep 1000
	expect 0 engine init "$C"
	expect 0 engine start "$C"
	level_is standard
	field_is .State.Status running
}

@test "podman standard: a root of the driver vfs is taken, with the ids of its files" {
	local args=(--root "$MACHINE_DIR/vfs" --runroot /run/vfs --storage-driver vfs)

	expect 0 engine "${args[@]}" load -q -i "$(image_archive)"
	expect 0 engine "${args[@]}" run --rm --network none "$IMAGE" \
		sh -c 'stat -c %u:%g /etc/passwd /home/worker; touch /x 2>&1 || grep " / " /proc/mounts'
	has $'0:0\n1000:1000'
	has "Read-only file system"
	AT=(--annotation dev.brig.level=high)
	expect 0 engine "${args[@]}" run --rm --network none "${AT[@]}" "$IMAGE" stat -c %u /etc/passwd
	is 0
}

@test "podman standard: a directory serves as root file system" {
	mkdir "$BATS_TEST_TMPDIR/root"
	image_rootfs "$BATS_TEST_TMPDIR/root"
	chmod 755 "$BATS_TEST_TMPDIR"
	expect 0 once --rootfs "$BATS_TEST_TMPDIR/root" stat -c %u /etc/not-executable
	is 0
	# Mount points that it lacked are not made in it.
	[ ! -e "$BATS_TEST_TMPDIR/root/workspace" ]
	[ ! -e "$BATS_TEST_TMPDIR/root/var/tmp" ]
}

@test "podman standard: a mapping that is asked for is used" {
	expect 0 once --uidmap 0:100000:65536 --gidmap 0:100000:65536 "$IMAGE" \
		sh -c 'cat /proc/self/uid_map; touch /tmp/file; stat -c %u /tmp/file /etc/passwd'
	[ "$(tr -s ' ' <<<"$output")" = $' 0 100000 65536\n0\n0' ] || fail "not as asked"
}

@test "podman standard: a mapping of the machine's root is refused" {
	refused 'hostID 0' --network none --uidmap 0:0:65536 --gidmap 0:0:65536 "$IMAGE" true
}

@test "podman: an annotation cannot ask for a weaker level, nor for one that does not exist" {
	run once --annotation dev.brig.level=custom "$IMAGE" true
	[ "$status" -ne 0 ]
	has 'annotation dev.brig.level: "custom" is weaker than the default level "standard"'
	run once --annotation dev.brig.level=hihg "$IMAGE" true
	[ "$status" -ne 0 ]
	has 'unknown level "hihg"'
	expect 0 brig list -q
	is ""
}

@test "podman standard: descriptors are preserved when asked; at high they are refused" {
	echo through >"$BATS_TEST_TMPDIR/file"
	expect 0 once --preserve-fds 1 "$IMAGE" sh -c 'cat <&3' 3<"$BATS_TEST_TMPDIR/file"
	is through
	at_high
	run once --preserve-fds 1 "$IMAGE" true 3<"$BATS_TEST_TMPDIR/file"
	[ "$status" -ne 0 ]
	has "preserve-fds: 1 is refused"
}

# check_pod [OPTION...]: two containers of a pod, made with these options
check_pod()
{
	local kind

	POD=p$BATS_TEST_NUMBER
	expect 0 engine pod create --name "$POD" --network none --hostname pod-host
	expect 0 engine run -d --pod "$POD" --name "$C-a" "$@" "$IMAGE" \
		sh -c 'echo note >/dev/shm/note; exec httpd -f -p 8080 -h /etc'
	expect 0 engine run -d --pod "$POD" --name "$C-b" "$@" "$IMAGE" sleep 1000
	for kind in net ipc uts; do
		[ "$(namespace "$C-a" $kind)" = "$(namespace "$C-b" $kind)" ] || fail "$kind is not shared"
	done
	for kind in mnt pid user; do
		[ "$(namespace "$C-a" $kind)" != "$(namespace "$C-b" $kind)" ] || fail "$kind is shared"
	done
	# One range for both, so that what they share belongs to the same users.
	[ "$(inside cat "/proc/$(pid_of "$C-a")/uid_map")" = "$(inside cat "/proc/$(pid_of "$C-b")/uid_map")" ]
	expect 0 engine exec "$C-b" hostname
	is pod-host
	eventually 5 engine exec "$C-b" cat /dev/shm/note
	expect 0 engine exec "$C-b" sh -c 'echo more >>/dev/shm/note; stat -c %u /dev/shm/note'
	is 0
	expect 0 engine exec "$C-a" cat /dev/shm/note
	is $'note\nmore'
	expect 0 engine exec -i "$C-b" nc -w 5 127.0.0.1 8080 <<<"$GET"
	has data
	expect 0 engine pod stop -t 0 "$POD"
	expect 0 engine pod start "$POD"
	expect 0 engine inspect -f '{{.State.Status}}' "$C-a" "$C-b"
	is $'running\nrunning'
	expect 0 engine pod rm -f -t 0 "$POD"
	POD=
}

@test "podman standard: two containers of a pod share network, ipc, uts and ids" {
	check_pod
}

@test "podman high: two containers of a pod share network, ipc, uts and ids" {
	at_high
	check_pod "${AT[@]}"
}

@test "podman standard: a pod on the bridge serves a low port to itself and to nobody else" {
	POD=p$BATS_TEST_NUMBER
	expect 0 engine pod create --name "$POD"
	expect 0 engine run -d --pod "$POD" --name "$C-a" "$IMAGE" httpd -f -p 80 -h /etc
	expect 0 engine run -d --pod "$POD" --name "$C" "$IMAGE" sleep 1000
	eventually 5 reaches 127.0.0.1 80
	expect 0 engine exec "$C" ip -o -4 addr show dev eth0
	run ! answers "$(grep -o '10\.[0-9.]*' <<<"$output" | head -n 1)"
}

@test "podman standard: a Kubernetes document is played" {
	cat >"$BATS_TEST_TMPDIR/pod.yaml" <<-EOF
		apiVersion: v1
		kind: Pod
		metadata:
		  name: played
		spec:
		  containers:
		  - name: first
		    image: $IMAGE
		    command: ["sleep", "1000"]
		    resources: { limits: { memory: 64Mi } }
		    securityContext: { runAsUser: 1000, readOnlyRootFilesystem: true }
		  - name: second
		    image: $IMAGE
		    command: ["sleep", "1000"]
	EOF
	POD=played
	expect 0 engine play kube --network none "$BATS_TEST_TMPDIR/pod.yaml"
	expect 0 engine exec played-first id -u
	is 1000
	expect 0 engine play kube --down "$BATS_TEST_TMPDIR/pod.yaml"
	POD=
}

@test "podman: nothing is left after the last container" {
	check_no_trace
}
