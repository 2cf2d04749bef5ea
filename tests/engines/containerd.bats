#!/usr/bin/env bats
# containerd 1.6 and its own shim, which calls the runtime under test. ctr has no drop-in for Podman's
# and Docker's options, so these tests have their own words.

load lib
load engines
load ctr

setup_file()
{
	file_up containerd containerd_up containerd ctr
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
	ctr_test_down
}

@test "containerd: the output of a command arrives" {
	expect 0 once -- echo hello
	is hello
}

@test "containerd: the exit status of a failing command is passed on" {
	expect 42 once -- sh -c 'exit 42'
}

@test "containerd: a command killed by a signal gives 128 and the signal" {
	keep -- sleep 1000
	inside kill -KILL "$(task_pid)"
	eventually 5 task_is STOPPED
	expect 0 engine task delete "$C"
	has "exit code 137"
	expect 0 engine container delete "$C"
	LEFT=
}

@test "containerd: a missing command is named" {
	run once -- no-such-command
	[ "$status" -ne 0 ]
	has 'exec: "no-such-command": executable file not found in $PATH'
	expect 0 engine task ls -q
	is ""
}

@test "containerd: a file that is not executable is named" {
	run once -- /etc/not-executable
	[ "$status" -ne 0 ]
	has 'exec: "/etc/not-executable": permission denied'
}

@test "containerd: standard input reaches the command" {
	# This ctr closes the input of exec, never that of run.
	keep -- sleep 1000
	expect 0 engine task exec --exec-id e1 "$C" tr a-z A-Z <<<"some text"
	is "SOME TEXT"
}

@test "containerd: a megabyte of output arrives completely" {
	expect 0 once -- sh -c 'dd if=/dev/zero bs=1024 count=1024 2>/dev/null | tr "\0" x'
	[ "${#output}" -eq 1048576 ]
}

@test "containerd: run -t gives the command a terminal" {
	expect 3 inside script -qec "ctr run --rm -t --runc-binary $RUNTIME $IMAGE $C sh -c \
		'tty; read -r line; echo got:\$line; exit 3'" /dev/null <<<word
	has /dev/pts/0
	has got:word
}

@test "containerd: task ls follows a container from running to stopped" {
	keep -- sleep 1000
	task_is RUNNING
	[ "$(inside cat "/proc/$(task_pid)/comm")" = sleep ]
	expect 0 engine task kill -s KILL "$C"
	eventually 5 task_is STOPPED
}

@test "containerd: exec runs a command in a running container" {
	keep -- sleep 1000
	expect 0 engine task exec --exec-id e1 "$C" cat /proc/1/cmdline
	has sleep
	expect 3 engine task exec --exec-id e2 "$C" sh -c 'exit 3'
	expect 0 engine task exec --exec-id e3 --user 1000:1000 --cwd /tmp "$C" sh -c 'id -u; pwd'
	is $'1000\n/tmp'
}

@test "containerd: exec -t gives the command a terminal" {
	keep -- sleep 1000
	expect 0 inside script -qec "ctr task exec -t --exec-id e1 $C tty" /dev/null
	has /dev/pts/0
}

@test "containerd: exec of a missing command is reported and the container runs on" {
	keep -- sleep 1000
	run engine task exec --exec-id e1 "$C" no-such-command
	[ "$status" -ne 0 ]
	has no-such-command
	task_is RUNNING
	expect 0 engine task exec --exec-id e2 "$C" true
}

@test "containerd: five execs at once each give their own status" {
	local n pids=()

	keep -- sleep 1000
	for n in 1 2 3 4 5; do
		engine task exec --exec-id "e$n" "$C" sh -c "exit $n" &
		pids+=($!)
	done
	for n in 1 2 3 4 5; do
		status=0
		wait "${pids[n - 1]}" || status=$?
		[ "$status" -eq "$n" ]
	done
}

@test "containerd: pause stops every process and resume lets them go on" {
	local before count

	keep -- sh -c 'while :; do echo x >>/tmp/count; sleep 0.05; done'
	count=/proc/$(task_pid)/root/tmp/count
	eventually 5 inside test -s "$count"
	expect 0 engine task pause "$C"
	task_is PAUSED
	before=$(inside stat -c %s "$count")
	sleep 0.5
	[ "$(inside stat -c %s "$count")" = "$before" ]
	run engine task exec --exec-id e1 "$C" true
	[ "$status" -ne 0 ]
	expect 0 engine task resume "$C"
	task_is RUNNING
	sleep 0.3
	[ "$(inside stat -c %s "$count")" -gt "$before" ]
}

@test "containerd: a container that is paused can be killed" {
	keep -- sleep 1000
	expect 0 engine task pause "$C"
	expect 0 engine task kill -s KILL "$C"
	eventually 5 task_is STOPPED
}

@test "containerd: kill sends the signal asked for" {
	keep -- sh -c 'trap "exit 7" USR1; echo x >/tmp/ready; while :; do sleep 0.1; done'
	eventually 5 inside test -s "/proc/$(task_pid)/root/tmp/ready"
	expect 0 engine task kill -s USR1 "$C"
	eventually 5 task_is STOPPED
	expect 0 engine task delete "$C"
	has "exit code 7"
	expect 0 engine container delete "$C"
	LEFT=
}

@test "containerd: kill --all ends what the command started" {
	keep -- sh -c 'sleep 4321 & exec sleep 1000'
	eventually 5 inside pgrep -f 'sleep 4321'
	expect 0 engine task kill --all -s KILL "$C"
	eventually 5 task_is STOPPED
	run inside pgrep -f 'sleep 4321'
	[ "$status" -ne 0 ]
}

@test "containerd: a stopped task can be started again" {
	keep -- sh -c 'echo x >>/starts; exec sleep 1000'
	expect 0 engine task kill -s KILL "$C"
	eventually 5 task_is STOPPED
	run engine task delete "$C"
	expect 0 engine task start -d "$C"
	expect 0 engine task exec --exec-id e1 "$C" wc -l /starts
	has "2 /starts"
}

@test "containerd: delete leaves no process, cgroup, mount or state" {
	local pid

	keep -- sh -c 'sleep 2000 & sleep 3000 & wait'
	pid=$(task_pid)
	expect 0 engine task delete -f "$C"
	has "exit code 137"
	expect 0 engine container delete "$C"
	LEFT=
	run inside test -e "/proc/$pid"
	[ "$status" -ne 0 ]
	eventually 5 nothing_left "default/$C"
}

@test "containerd: a running task is not deleted without force" {
	keep -- sleep 1000
	run engine task delete "$C"
	[ "$status" -ne 0 ]
	task_is RUNNING
}

@test "containerd: metrics are reported" {
	keep --memory-limit 134217728 -- sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=20; sleep 1000'
	eventually 5 inside test -s "/proc/$(task_pid)/root/dev/shm/x"
	sleep 0.2
	expect 0 engine task metrics --format json "$C"
	[ "$(jq '(.pids.current // .pids.Current) | tonumber' <<<"$output")" -ge 1 ]
	[ "$(jq '(.memory.usage.usage // .memory.usage) | tonumber' <<<"$output")" -gt 20000000 ]
}

@test "containerd: ps lists the processes of the container" {
	keep -- sh -c 'sleep 4321 & exec sleep 1234'
	expect 0 engine task ps "$C"
	has "$(task_pid)"
	[ "${#lines[@]}" -ge 3 ]
}

@test "containerd: the environment, the directory and the annotations are as asked" {
	expect 0 once --env WORD=value --cwd /home/worker --annotation some.word=x -- \
		sh -c 'echo $WORD; pwd'
	is $'value\n/home/worker'
}

@test "containerd: mounts are bound, read-only when asked" {
	mkdir "$BATS_TEST_TMPDIR/data"
	echo given >"$BATS_TEST_TMPDIR/data/in"
	expect 0 once --mount "type=bind,src=$BATS_TEST_TMPDIR/data,dst=/data,options=rbind:rw" -- \
		sh -c 'cat /data/in; echo made >/data/out'
	is given
	[ "$(cat "$BATS_TEST_TMPDIR/data/out")" = made ]
	expect 1 once --mount "type=bind,src=$BATS_TEST_TMPDIR/data,dst=/data,options=rbind:ro" -- \
		touch /data/other
	has "Read-only file system"
}

@test "containerd: a read-only root cannot be written" {
	expect 1 once --read-only -- touch /file
	has "Read-only file system"
}

@test "containerd: a directory serves as root file system" {
	mkdir "$BATS_TEST_TMPDIR/root"
	image_rootfs "$BATS_TEST_TMPDIR/root"
	expect 0 engine run --rm --runc-binary "$RUNTIME" --rootfs "$BATS_TEST_TMPDIR/root" "$C" \
		/bin/cat /etc/not-executable
	is data
}

@test "containerd: the default capabilities and no new privileges are in force" {
	expect 0 once -- cat /proc/self/status
	has "CapEff:	00000000a80425fb"
	has "CapBnd:	00000000a80425fb"
	has "NoNewPrivs:	1"
	expect 0 once --cap-drop CAP_CHOWN --cap-add CAP_NET_ADMIN -- grep CapEff /proc/self/status
	has 00000000a80435fa
	expect 0 once --allow-new-privs -- grep NoNewPrivs /proc/self/status
	has "NoNewPrivs:	0"
}

@test "containerd: the seccomp profile is in force when asked for" {
	expect 0 once -- grep ^Seccomp: /proc/self/status
	has "Seccomp:	0"
	expect 0 once --seccomp -- grep ^Seccomp: /proc/self/status
	has "Seccomp:	2"
	expect 1 once --seccomp --cap-add CAP_SYS_ADMIN -- swapoff /dev/null
	has "Operation not permitted"
	expect 1 once --cap-add CAP_SYS_ADMIN -- swapoff /dev/null
	has "Invalid argument"
}

@test "containerd: limits are written to the cgroup" {
	keep --memory-limit 67108864 --cpu-quota 50000 --cpu-period 100000 -- sleep 1000
	[ "$(cgroup_value "$(task_pid)" memory memory.limit_in_bytes memory.max)" = 67108864 ]
	run cgroup_value "$(task_pid)" cpu cpu.cfs_quota_us cpu.max
	has 50000
}

@test "containerd: a device can be given, others cannot be opened" {
	expect 1 once --device /dev/full -- sh -c 'echo x >/dev/full'
	has "No space left"
	expect 1 once -- sh -c 'mknod /loop b 7 0 || exit 9; head -c 1 /loop'
	has "Operation not permitted"
}

@test "containerd: a user namespace maps root to another user" {
	expect 0 once --uidmap 0:100000:65536 --gidmap 0:100000:65536 -- \
		sh -c 'id -u; cat /proc/self/uid_map; stat -c %u /etc/passwd; touch /file'
	has "100000      65536"
	[ "${lines[0]}" = 0 ]
	[ "${lines[2]}" = 0 ]
}

@test "containerd: running out of memory ends the command" {
	expect 137 once --memory-limit 33554432 -- tail /dev/zero
}

@test "containerd: running out of memory is published as an event" {
	spawn "$MACHINE_DIR/events.log" ctr events
	keep --memory-limit 33554432 -- \
		sh -c 'sleep 0.5; tail /dev/zero; status=$?; sleep 0.5; exit $status'
	eventually 5 task_is STOPPED
	eventually 5 grep -q "/tasks/oom.*$C" "$MACHINE_DIR/events.log"
	eventually 5 grep -q "/tasks/exit.*$C" "$MACHINE_DIR/events.log"
}

@test "containerd: the network is the container's own or the machine's" {
	run once -- readlink /proc/self/ns/net
	[ "$output" != "$(inside readlink /proc/1/ns/net)" ]
	expect 0 once --net-host -- readlink /proc/self/ns/net
	is "$(inside readlink /proc/1/ns/net)"
}

@test "containerd: a namespace of another container is joined" {
	keep -- sleep 1000
	expect 0 engine run --rm --runc-binary "$RUNTIME" \
		--with-ns "network:/proc/$(task_pid)/ns/net" "$IMAGE" "$C-2" readlink /proc/self/ns/net
	is "$(inside readlink "/proc/$(task_pid)/ns/net")"
}

@test "containerd: the runtime's state directory can be chosen" {
	keep --runc-root /run/chosen -- sleep 1000
	expect 0 inside "$RUNTIME" --root /run/chosen/default list -q
	is "$C"
	expect 0 inside "$RUNTIME" --root /run/chosen/default state "$C"
	[ "$(jq -r .status <<<"$output")" = running ]
}

@test "containerd: a pid file is written" {
	keep --pid-file "$MACHINE_DIR/pidfile" -- sleep 1000
	[ "$(cat "$MACHINE_DIR/pidfile")" = "$(task_pid)" ]
}

@test "containerd: a container outlives a killed shim no longer than its clean-up" {
	local pid shim

	keep -- sleep 1000
	pid=$(task_pid)
	shim=$(inside sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
	[ "$(inside cat "/proc/$shim/comm")" = containerd-shim ]
	inside kill -KILL "$shim"
	eventually 10 process_gone "$pid"
	expect 0 engine task ls -q
	is ""
	eventually 5 nothing_left "default/$C"
}

process_gone()
{
	! inside test -e "/proc/$1"
}

@test "containerd: nothing is left after the last container" {
	expect 0 engine container ls -q
	is ""
	expect 0 inside "$RUNTIME" --root /run/containerd/runc/default list -q
	is ""
	run inside pgrep -x containerd-shim
	is ""
}
