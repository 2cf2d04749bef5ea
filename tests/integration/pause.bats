#!/usr/bin/env bats
load helpers

@test "pause stops the program and resume continues it" {
	prog 'i=0; while :; do i=$((i+1)); echo $i >/tmp/count; sleep 0.02; done'
	ok run -d -b "$B" "$ID"
	appears "$B/rootfs/tmp/count"
	ok pause "$ID"
	status_is paused
	a=$(<"$B/rootfs/tmp/count")
	sleep 0.2
	is "$(<"$B/rootfs/tmp/count")" "$a"
	ok resume "$ID"
	status_is running
	sleep 0.2
	[ "$(<"$B/rootfs/tmp/count")" != "$a" ]
}

@test "list shows a paused container" {
	sleeps
	ok pause "$ID"
	ok list
	out_has "$ID +[0-9]+ +paused"
	ok resume "$ID"
}

@test "pause of a created container works" {
	known_peer_failure crun
	creates
	ok pause "$ID"
	status_is paused
	ok resume "$ID"
	status_is created
}

@test "pause of a paused container fails" {
	sleeps
	ok pause "$ID"
	no pause "$ID"
	status_is paused
	ok resume "$ID"
}

@test "resume of a running container fails" {
	sleeps
	no resume "$ID"
	err_has 'not paused'
	status_is running
}

@test "pause of a stopped container fails" {
	creates
	ok start "$ID"
	becomes stopped
	no pause "$ID"
	err_has 'not running|stopped'
}

@test "pause and resume of an unknown id fail" {
	no pause "$ID"
	err_has 'does not exist'
	no resume "$ID"
	err_has 'does not exist'
}

@test "pause and resume without an id fail" {
	no pause
	no resume
}

@test "start of a paused container does not run the program" {
	prog 'echo ran >/tmp/ran'
	creates
	ok pause "$ID"
	LIMIT=2 b start "$ID"
	[ ! -e "$B/rootfs/tmp/ran" ]
	ok resume "$ID"
}

@test "run and create refuse a cgroup that is frozen" {
	known_peer_failure runc
	[ -d /sys/fs/cgroup/freezer ] || skip "no freezer hierarchy of cgroup v1"
	d=/sys/fs/cgroup/freezer/$ID
	mkdir "$d"
	echo FROZEN >"$d/freezer.state"
	config ".linux.cgroupsPath = \"/$ID\""
	CHECKED_LATER=1 refused 'frozen' run -b "$B" "$ID"
	echo THAWED >"$d/freezer.state"
	rmdir "$d"
	CHECKED_LATER=
}
