#!/usr/bin/env bats
load helpers

# The program notes the signal it gets.
trapping() {
	prog 'for s in HUP INT USR1 USR2 TERM WINCH; do trap "echo $s >>/tmp/got" $s; done
		echo ready >/tmp/ready; while :; do sleep 0.05; done'
	ok run -d -b "$B" "$ID"
	appears "$B/rootfs/tmp/ready"
}
got() {
	appears "$B/rootfs/tmp/got"
	is "$(<"$B/rootfs/tmp/got")" "$1"
}

@test "kill sends SIGTERM by default" {
	trapping
	ok kill "$ID"
	got TERM
}

@test "kill takes a signal by name" {
	trapping
	ok kill "$ID" USR1
	got USR1
}

@test "kill takes a signal by name with SIG" {
	trapping
	ok kill "$ID" SIGUSR2
	got USR2
}

@test "kill takes a signal by name in lower case" {
	trapping
	ok kill "$ID" hup
	got HUP
}

@test "kill takes a signal by number" {
	trapping
	ok kill "$ID" 2
	got INT
}

@test "kill KILL ends the container" {
	sleeps
	ok kill "$ID" KILL
	becomes stopped
}

@test "kill 9 ends the container" {
	sleeps
	ok kill "$ID" 9
	becomes stopped
}

@test "kill takes real-time signals" {
	known_peer_failure runc
	sleeps
	ok kill "$ID" RTMIN
	ok kill "$ID" RTMAX
	ok kill "$ID" SIGRTMIN+1
}

@test "kill with an unknown signal fails, names it and leaves the container running" {
	sleeps
	for s in NOSUCH SIGNOSUCH 9x -3 999 ''; do
		b kill -- "$ID" "$s"
		[ "$status" != 0 ] || [ "$PEER" = runc ] || fail "kill $s succeeded"
	done
	no kill "$ID" NOSUCH
	err_has 'NOSUCH'
	status_is running
}

@test "kill of an unknown id fails" {
	no kill "$ID" KILL
	err_has 'does not exist'
}

@test "kill without an id fails" {
	no kill
}

@test "kill of a created container ends it" {
	creates
	ok kill "$ID" KILL
	becomes stopped
}

@test "kill of a stopped container fails: container not running" {
	creates
	ok start "$ID"
	becomes stopped
	no kill "$ID" KILL
	err_has 'container not running'
}

@test "kill 0 of a running container succeeds and of a stopped one fails" {
	sleeps
	ok kill "$ID" 0
	ok kill "$ID" KILL
	becomes stopped
	no kill "$ID" 0
	err_has 'container not running'
}

@test "kill --all reaches every process" {
	prog 'sleep 101 & sleep 102 & sleep 100' '.linux.namespaces |= map(select(.type != "pid"))'
	ok run -d -b "$B" "$ID"
	ok kill --all "$ID" KILL
	becomes stopped
	marked_processes
	sleep 0.2
	marked_processes
	is "${#MARKED[@]}" 0
}

@test "kill --all of a stopped container succeeds" {
	creates
	ok start "$ID"
	becomes stopped
	ok kill --all "$ID" KILL
	ok kill -a "$ID" 0
}

@test "kill KILL of a container in the host's pid namespace ends all its processes" {
	known_peer_failure runc
	prog 'sleep 101 & sleep 102 & sleep 100' '.linux.namespaces |= map(select(.type != "pid"))'
	ok run -d -b "$B" "$ID"
	ok kill "$ID" KILL
	becomes stopped
	sleep 0.2
	marked_processes
	is "${#MARKED[@]}" 0
}

@test "kill of a paused container takes effect" {
	sleeps
	ok pause "$ID"
	ok kill "$ID" KILL
	becomes stopped
	ok delete "$ID"
}

@test "kill -9 of the runtime in the middle of kill --all leaves no cgroup frozen" {
	prog 'for i in $(seq 40); do sleep 100 & done; sleep 100' \
		'.linux.namespaces |= map(select(.type != "pid"))'
	ok run -d -b "$B" "$ID"
	init_pid
	for d in 0.001 0.002 0.004; do
		"${BR[@]}" kill --all "$ID" CONT </dev/null >/dev/null 2>&1 3>&- &
		p=$!
		sleep $d
		kill -9 "$p" 2>/dev/null || :
		wait "$p" 2>/dev/null || :
	done
	ok kill --all "$ID" KILL
	becomes stopped
}

@test "delete of a stopped container removes it" {
	creates
	ok start "$ID"
	becomes stopped
	ok delete "$ID"
	no state "$ID"
	nothing_left
}

@test "delete of a created container removes it" {
	creates
	ok delete "$ID"
	nothing_left
}

@test "delete of a running container fails and leaves it running" {
	sleeps
	no delete "$ID"
	err_has 'not stopped|running'
	status_is running
}

@test "delete --force ends and removes a running container" {
	sleeps
	init_pid
	ok delete --force "$ID"
	gone "$PID"
	nothing_left
}

@test "delete -f removes a paused container" {
	sleeps
	ok pause "$ID"
	ok delete -f "$ID"
	nothing_left
}

@test "delete of a paused container without --force fails" {
	sleeps
	ok pause "$ID"
	no delete "$ID"
	status_is paused
	ok resume "$ID"
}

@test "delete of an unknown id fails" {
	no delete "$ID"
	err_has 'does not exist'
}

@test "delete --force of an unknown id succeeds" {
	ok delete --force "$ID"
}

@test "delete --force twice succeeds" {
	sleeps
	ok delete --force "$ID"
	ok delete --force "$ID"
}

@test "delete without an id fails" {
	no delete
}

@test "delete --force ends all processes of a container in the host's pid namespace" {
	prog 'sleep 101 & setsid sleep 102 & sleep 100' \
		'.linux.namespaces |= map(select(.type != "pid"))'
	ok run -d -b "$B" "$ID"
	ok delete --force "$ID"
	nothing_left
}

@test "delete removes cgroups that the container made below its own" {
	sleeps
	init_pid
	while IFS=: read -r _ ctrl path; do
		[ "$ctrl" = pids ] && break
	done <"/proc/$PID/cgroup"
	[ "$ctrl" = pids ] || skip "no pids hierarchy of cgroup v1"
	mkdir -p "/sys/fs/cgroup/pids$path/sub/deep"
	ok delete --force "$ID"
	nothing_left
}

@test "delete does not remove what it did not make" {
	creates
	mkdir -p "$B/rootfs/kept"
	ok delete "$ID"
	[ -d "$B/rootfs/kept" ]
	[ -f "$B/config.json" ]
}

@test "an id may be used again after delete" {
	sleeps
	ok delete --force "$ID"
	sleeps
	status_is running
}

@test "delete --force removes what a create killed half-way left" {
	for d in 0.001 0.003 0.006 0.01 0.02 0.04; do
		"${BR[@]}" create -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&- &
		p=$!
		sleep $d
		kill -9 "$p" 2>/dev/null || :
		wait "$p" 2>/dev/null || :
		[ "$PEER" = brig ] || sleep 0.3
		b delete --force "$ID"
		[ "$PEER" != brig ] || {
			is "$status" 0
			nothing_left
		}
	done
	known_peer_failure runc
}

more_teardown() {
	# A peer that loses track of a container it was killed over.
	[ "$PEER" = brig ] || { sweep && rm -rf "${R:?}"/*; }
}
