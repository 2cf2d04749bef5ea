#!/usr/bin/env bats
# containerd 1.6, its own shim and ctr, with brig and no option: level standard.  An annotation
# chooses high.

load lib
load engines
load limits
load ctr

setup_file()
{
	level_file
	file_up containerd-levels containerd_up containerd ctr
	debian_up
}

teardown_file()
{
	machine_down
}

setup()
{
	test_up
	STATE_ROOT=/run/containerd/runc/default
	RUN=$IMAGE
}

teardown()
{
	ctr_test_down
}

HIGH=(--annotation dev.brig.level=high)

# What levels.bash asks of an engine.
field()
{
	echo "$C"
}

init_pid()
{
	task_pid
}

ctr_exec()
{
	engine task exec --exec-id "e$((++EXECS))" "$C" "$@"
}

@test "containerd standard: a container has its own ids, few capabilities, a filter and a read-only root" {
	local base

	keep -- sleep 1000
	level_is standard
	[ "$(line Seccomp)" = 2 ]
	[ "$(line NoNewPrivs)" = 1 ]
	[ "$(line CapEff)" = 00000000000004eb ]
	base=$(line Uid)
	[ "$base" -ge 65536 ]
	expect 0 ctr_exec cat /proc/self/uid_map
	[ "$(tr -s ' ' <<<"$output")" = " 0 $base 65536" ] || fail "another map"
	expect 0 ctr_exec sh -c 'touch /tmp/x /var/tmp/x /run/x /workspace/x /dev/shm/x; touch /etc/x 2>&1
		stat -c %u:%g /etc/passwd /home/worker; grep CapEff /proc/self/status'
	has "Read-only file system"
	has $'0:0\n1000:1000'
	has "00000000000004eb"
	explains root.readonly cut
	explains process.capabilities cut
}

@test "containerd high: a container has single ids, no capabilities, a filter, an empty /proc and a warden" {
	keep "${HIGH[@]}" -- sleep 1000
	level_is high
	[ "$(line Seccomp)" = 2 ]
	[ "$(line CapBnd)" = 0000000000000000 ]
	inside pgrep -x brig-warden
	expect 0 ctr_exec sh -c 'tr -s " " </proc/self/uid_map; wc -c </proc/kallsyms; ls /sys'
	is " 0 $(line Uid) 1"$'\n0\ndevices\nfs'
}

@test "containerd: a weaker level and one that does not exist are refused" {
	run once --annotation dev.brig.level=custom -- true
	[ "$status" -ne 0 ]
	has 'weaker than the default level \"standard\"' || has 'weaker than the default level "standard"'
	run once --annotation dev.brig.level=hihg -- true
	[ "$status" -ne 0 ]
	has hihg
	expect 0 brig list -q
	is ""
}

@test "containerd: an unmodified Debian runs a script at both levels" {
	local args

	[ -z "$NO_DEBIAN" ] || skip "$NO_DEBIAN"
	for args in "" "${HIGH[*]}"; do
		# shellcheck disable=SC2086 # two words or none
		expect 0 engine run --rm --runc-binary "$RUNTIME" $args "$DEBIAN" "$C" bash -c '
			set -eu; . /etc/os-release; cd "$(mktemp -d)"; seq 3 | sort -rn | paste -sd, >x; cat x
			python3 -c "print(sum(range(10)))"; echo "$ID $(id -u)"'
		is $'3,2,1\n45\ndebian 0'
	done
}

@test "containerd standard: exit status and output of a command arrive" {
	expect 42 once -- sh -c 'echo out; echo err >&2; exit 42'
	has out
	has err
	run once -- no-such-command
	[ "$status" -ne 0 ]
	has 'exec: "no-such-command": executable file not found in $PATH'
}

@test "containerd high: exit status and output of a command arrive" {
	expect 42 once "${HIGH[@]}" -- sh -c 'echo out; echo err >&2; exit 42'
	has out
	has err
}

@test "containerd standard: run -t gives the command a terminal" {
	expect 3 inside script -qec "ctr run --rm -t --runc-binary $RUNTIME $IMAGE $C sh -c \
		'tty; read -r line; echo got:\$line; exit 3'" /dev/null <<<word
	has /dev/pts/0
	has got:word
}

@test "containerd standard: a working directory that the image lacks is there" {
	expect 0 once --cwd /not/yet/there -- pwd
	is /not/yet/there
}

@test "containerd standard: what is written to a volume belongs to the machine's root" {
	mkdir "$BATS_TEST_TMPDIR/data"
	echo given >"$BATS_TEST_TMPDIR/data/in"
	expect 0 once --mount "type=bind,src=$BATS_TEST_TMPDIR/data,dst=/data,options=rbind:rw" -- \
		sh -c 'cat /data/in; stat -c %u /data/in; echo made >/data/out'
	is $'given\n0'
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/data/out")" = 0 ]
	run once --mount "type=bind,src=$BATS_TEST_TMPDIR/data,dst=/data,options=rbind:ro" -- touch /data/x
	[ "$status" -eq 1 ]
	has "Read-only file system"
}

@test "containerd high: what is written to a volume belongs to the machine's root" {
	mkdir "$BATS_TEST_TMPDIR/data"
	expect 0 once "${HIGH[@]}" --mount "type=bind,src=$BATS_TEST_TMPDIR/data,dst=/data,options=rbind:rw" -- \
		sh -c 'echo made >/data/out'
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/data/out")" = 0 ]
}

@test "containerd standard: a snapshotter without overlay is taken" {
	expect 0 engine image import --snapshotter native "$(image_archive)"
	expect 0 once --snapshotter native -- sh -c 'stat -c %u:%g /etc/passwd /home/worker; touch /x 2>&1 || true'
	has $'0:0\n1000:1000'
	has "Read-only file system"
}

@test "containerd: pause, resume, kill and a second start work at both levels" {
	local args

	for args in "" "${HIGH[*]}"; do
		# shellcheck disable=SC2086 # two words or none
		keep $args -- sleep 1000
		expect 0 engine task pause "$C"
		task_is PAUSED
		expect 0 engine task resume "$C"
		expect 3 ctr_exec sh -c 'exit 3'
		expect 0 engine task kill -s KILL "$C"
		eventually 5 task_is STOPPED
		run engine task delete "$C"
		expect 0 engine task start -d "$C"
		task_is RUNNING
		expect 0 engine task kill -s KILL "$C"
		eventually 5 task_is STOPPED
		run engine task delete "$C"
		expect 0 engine container delete "$C"
		LEFT=
	done
}

@test "containerd standard: metrics tell of memory and processes" {
	keep -- sleep 1000
	expect 0 engine task metrics "$C"
	has "$C"
	has pids
}

# ended_by CLASS CODE STATUS SCRIPT OPTION...: with these options the container is ended, its shim lives on and has no child left
ended_by()
{
	local class=$1 code=$2 status_of_task=$3 script=$4

	shift 4
	keep "$@" -- sh -c "$AWAIT; $script"
	asked
	expect 0 ctr_exec touch /tmp/go
	told '"\(.status) \(.code)"' "$class $code"
	eventually 10 task_is STOPPED || fail "it runs on"
	no_warden
	expect 0 engine task delete "$C"
	has "exit code $status_of_task"
	expect 0 engine container delete "$C"
	LEFT=
}

@test "containerd standard: limits end a container, brig wait tells which, and the shim reaps the warden" {
	ended_by memory 137 137 'tail /dev/zero; sleep 1000' --memory-limit 33554432
	ended_by cpu-time 124 137 'while :; do :; done' --annotation dev.brig.time.cpu=1s
	ended_by output 153 137 'while :; do echo 123456789; done' --annotation dev.brig.output.limit=1000
	ended_by exited 7 7 'exit 7' --memory-limit 33554432
	ended_by exited 7 7 'exit 7'
}

# refused_by_ctr REASON OPTION...
refused_by_ctr()
{
	local reason=$1

	shift
	run once "$@" -- true
	[ "$status" -ne 0 ] || fail "run $* works"
	[ "$(grep -c 'is refused: ' <<<"$output")" = 1 ] || fail "not one line"
	has "level standard: "
	has "$reason"
	expect 0 brig list -q
	is ""
}

@test "containerd standard: the host's namespaces, devices and interfaces are refused with one line" {
	refused_by_ctr "a device of the host" --privileged
	refused_by_ctr "linux.namespaces.network" --net-host
	refused_by_ctr "linux.namespaces.pid: /proc/1/ns/pid" --with-ns pid:/proc/1/ns/pid
	refused_by_ctr "a device of the host" --device /dev/fuse
	refused_by_ctr "the root of the host" --mount type=bind,src=/,dst=/host,options=rbind:rw
	refused_by_ctr "a socket" --mount "type=bind,src=$CONTAINERD_ADDRESS,dst=/c.sock,options=bind:rw"
}

@test "containerd high: a call that is never legitimate ends the sandbox" {
	expect 137 once "${HIGH[@]}" -- sh -c 'swapoff /dev/null; echo then'
	[[ $output != *then* ]]
}

@test "containerd: a container is deleted whose shim was killed" {
	keep "${HIGH[@]}" -- sleep 1000
	expect 0 inside pgrep -x containerd-shim
	[ "${#lines[@]}" = 1 ]
	inside kill -KILL "${lines[0]}"
	eventually 10 no_process_named brig-warden
	eventually 10 brig_has_none
	eventually 10 gone >/dev/null
	LEFT=
}

brig_has_none()
{
	[ -z "$(brig list -q)" ]
}

@test "containerd: nothing is left after the last container" {
	local left

	expect 0 engine container ls -q
	is ""
	left=$(no_trace)
	[ -z "$left" ] || fail "$left"
}
