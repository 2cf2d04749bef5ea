#!/usr/bin/env bats
load helpers

@test "create makes a container with status created and a living process" {
	creates
	status_is created
	init_pid
	[ -d "/proc/$PID" ]
}

@test "create prints nothing on stdout and stderr" {
	creates
	out_is ""
	is "$err" ""
}

@test "create does not run the program" {
	prog 'echo ran >/tmp/ran'
	creates
	[ ! -e "$B/rootfs/tmp/ran" ]
}

@test "create takes the current directory as the bundle" {
	cd "$B"
	ok create "$ID"
	is "$(field .bundle)" "$B"
}

@test "create resolves a relative bundle" {
	cd "$T"
	ok create --bundle bundle "$ID"
	is "$(field .bundle)" "$B"
}

@test "create writes the pid file with the pid of the state, without a newline" {
	ok create -b "$B" --pid-file "$T/pid" "$ID"
	init_pid
	is "$(od -An -c "$T/pid" | tr -d ' ')" "$PID"
}

@test "create refuses an id that exists and leaves the first container alone" {
	creates
	init_pid
	first=$PID
	no create -b "$B" "$ID"
	err_has 'already exists|given ID'
	status_is created
	init_pid
	is "$PID" "$first"
}

@test "create without an id fails" {
	no create -b "$B"
}

@test "create with two ids fails" {
	no create -b "$B" "$ID" "$ID-2"
}

@test "create with an unknown flag fails and names it" {
	no create --no-such-flag -b "$B" "$ID"
	err_has 'no-such-flag'
}

@test "create with a pid file that cannot be written fails and leaves nothing" {
	refused 'pid' create -b "$B" --pid-file "$T/none/pid" "$ID"
}

@test "create takes changes of config.json after it no longer into account" {
	prog 'echo first >/tmp/ran'
	creates
	prog 'echo second >/tmp/ran'
	ok start "$ID"
	becomes stopped
	is "$(<"$B/rootfs/tmp/ran")" first
}

@test "create accepts every 1.x ociVersion" {
	for v in 1.0.0 1.0.2 1.0.2-dev 1.1.0 1.2.1; do
		config ".ociVersion = \"$v\""
		runs
	done
}

@test "create accepts ociVersion 1.3.0" {
	config '.ociVersion = "1.3.0"'
	runs
}

@test "create passes its stdout and stderr to the container" {
	prog 'echo to-out; echo to-err >&2'
	exec 7>"$T/c.out" 8>"$T/c.err"
	"${FG[@]}" 10 "${BR[@]}" create -b "$B" "$ID" </dev/null >&7 2>&8 3>&-
	ok start "$ID"
	becomes stopped
	is "$(<"$T/c.out")" to-out
	is "$(<"$T/c.err")" to-err
}

@test "create and start work without /proc in the container" {
	known_peer_failure runc
	config '.mounts |= map(select(.destination != "/proc"))'
	creates
	ok start "$ID"
	becomes stopped
}

@test "create leaves only descriptors that it needs in the init process" {
	creates
	init_pid
	for f in /proc/"$PID"/fd/*; do
		t=$(readlink "$f")
		case $t in
		/dev/null | "$T"/* | pipe:* | socket:* | anon_inode:* | */exec.fifo | /memfd:* | /proc* | /runc) ;;
		"$R"/*) ;;
		*) fail "init holds $f -> $t" ;;
		esac
	done
}

@test "start runs the program and returns" {
	prog 'echo ran >/tmp/ran; sleep 100'
	creates
	ok start "$ID"
	appears "$B/rootfs/tmp/ran"
	status_is running
}

@test "start prints nothing" {
	creates
	ok start "$ID"
	out_is ""
	is "$err" ""
}

@test "start of an unknown id fails" {
	no start "$ID"
	err_has 'does not exist'
}

@test "start without an id fails" {
	no start
}

@test "start of a running container fails and leaves it running" {
	sleeps
	no start "$ID"
	err_has 'running'
	status_is running
}

@test "start of a stopped container fails" {
	creates
	ok start "$ID"
	becomes stopped
	no start "$ID"
	err_has 'stopped'
}

@test "the second start fails" {
	config '.process.args = ["sleep","100"]'
	creates
	ok start "$ID"
	no start "$ID"
	status_is running
}

@test "two starts at once: one wins" {
	known_peer_failure runc # the second one hangs
	prog 'echo ran >>/tmp/ran; sleep 100'
	creates
	for i in 1 2; do
		(
			rc=0
			"${FG[@]}" 10 "${BR[@]}" start "$ID" </dev/null >/dev/null 2>&1 3>&- || rc=$?
			echo $rc >"$T/rc$i"
		) 3>&- &
		PIDS+=($!)
	done
	wait "${PIDS[@]}" || :
	read -r a <"$T/rc1"
	read -r z <"$T/rc2"
	[ $((a == 0)) != $((z == 0)) ] || fail "both ended with $a and $z"
	is "$(<"$B/rootfs/tmp/ran")" ran
}

@test "two creates of one id at once: one wins and its container works" {
	config '.process.args = ["sleep","100"]'
	for i in 1 2; do
		(
			rc=0
			"${FG[@]}" 10 "${BR[@]}" create -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&- || rc=$?
			echo $rc >"$T/rc$i"
		) 3>&- &
		PIDS+=($!)
	done
	wait "${PIDS[@]}" || :
	read -r a <"$T/rc1"
	read -r z <"$T/rc2"
	known_peer_failure runc
	[ $((a == 0)) != $((z == 0)) ] || fail "both ended with $a and $z"
	status_is created
	ok start "$ID"
	status_is running
}

@test "create and delete --force at once leave nothing" {
	for i in 1 2 3 4 5; do
		"${FG[@]}" 10 "${BR[@]}" create -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&- &
		p=$!
		PIDS+=("$p")
		b delete --force "$ID"
		wait "$p" || :
		b delete --force "$ID"
	done
	known_peer_failure runc
	nothing_left
}

@test "the program of a created container starts after the bundle is gone" {
	prog 'echo ran >/tmp/ran'
	creates
	mv "$B/config.json" "$T/moved"
	ok start "$ID"
	becomes stopped
	is "$(<"$B/rootfs/tmp/ran")" ran
}

@test "a created container whose process is killed is stopped and can be deleted" {
	creates
	init_pid
	kill -9 "$PID"
	becomes stopped
	ok delete "$ID"
	nothing_left
}
