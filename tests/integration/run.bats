#!/usr/bin/env bats
load helpers

@test "run returns the exit code of the program" {
	for code in 0 1 3 125 126 127 200 255; do
		prog "exit $code"
		b run -b "$B" "$ID"
		is "$status" "$code"
	done
}

@test "run returns 128 plus the signal that ended the program" {
	prog 'kill -USR1 $$; kill -TERM $$; kill -9 $$' '.process.args = ["sh","-c","ulimit -c 0; exec sh -c \"kill -SEGV \\$\\$\""]'
	# pid 1 of a pid namespace ignores its own signals: without one it dies of them
	config '.linux.namespaces |= map(select(.type != "pid"))'
	b run -b "$B" "$ID"
	is "$status" 139
}

@test "run passes stdin, stdout and stderr through" {
	prog 'cat; echo err >&2'
	echo input >"$T/in"
	STDIN=$T/in runs
	out_is input
	is "$err" err
}

@test "run deletes the container afterwards" {
	runs
	no state "$ID"
	nothing_left
}

@test "run deletes the container of a program that fails" {
	prog 'exit 3'
	b run -b "$B" "$ID"
	no state "$ID"
	nothing_left
}

@test "run --keep leaves a stopped container with pid 0 and its cgroup" {
	known_peer_failure runc
	ok run --keep -b "$B" "$ID"
	status_is stopped
	is "$(field .pid)" 0
	cgroups_of_test
	[ "${#CGROUPS[@]}" -gt 0 ]
	ok delete "$ID"
	nothing_left
}

@test "run --detach returns while the program runs" {
	sleeps
	status_is running
}

@test "run -d --pid-file writes the pid" {
	config '.process.args = ["sleep","100"]'
	ok run -d -b "$B" --pid-file "$T/pid" "$ID"
	init_pid
	is "$(<"$T/pid")" "$PID"
}

@test "run -d hands the container to the caller's subreaper or init, not to itself" {
	sleeps
	init_pid
	ppid=$(awk '/^PPid/ {print $2}' "/proc/$PID/status")
	[ "$ppid" != 0 ]
	read -r comm <"/proc/$ppid/comm"
	[ "$comm" != "${BRIG##*/}" ] || fail "parent is $comm"
}

@test "run reaps orphans of a container without pid namespace" {
	# The runtime is a subreaper: the orphan ends as its child, not as a stray of the machine.
	prog '(sleep 0.2; echo orphan >/tmp/orphan) & exit 5' \
		'.linux.namespaces |= map(select(.type != "pid"))'
	b run -b "$B" "$ID"
	is "$status" 5
	nothing_left
}

@test "run forwards SIGTERM to the program" {
	prog 'trap "exit 42" TERM; echo ready >/tmp/ready; while :; do sleep 0.05; done'
	"${BR[@]}" run -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&- &
	p=$!
	PIDS+=("$p")
	appears "$B/rootfs/tmp/ready"
	kill -TERM "$p"
	rc=0
	wait "$p" || rc=$?
	is "$rc" 42
}

@test "run refuses an id in use and leaves that container running" {
	sleeps
	no run -b "$B" "$ID"
	status_is running
}

@test "run without an id fails" {
	no run -b "$B"
}

@test "run takes the current directory as the bundle" {
	cd "$B"
	ok run "$ID"
}

@test "run: a program that does not exist fails with its name" {
	config '.process.args = ["no-such-program"]'
	b run -b "$B" "$ID"
	[ "$status" != 0 ]
	err_has 'no-such-program'
	err_has 'executable file not found in|no such file or directory'
}

@test "run: a program that is no executable fails with permission denied" {
	echo text >"$B/rootfs/tmp/text"
	chmod 644 "$B/rootfs/tmp/text"
	config '.process.args = ["/tmp/text"]'
	refused 'permission denied' run -b "$B" "$ID"
}

@test "run: a script without an interpreter fails with its name" {
	printf '#!/no/such/interpreter\n' >"$B/rootfs/tmp/script"
	chmod 755 "$B/rootfs/tmp/script"
	config '.process.args = ["/tmp/script"]'
	b run -b "$B" "$ID"
	[ "$status" != 0 ]
	err_has '/tmp/script'
	err_has 'no such file or directory'
}

@test "run finds the program by the container's PATH" {
	mkdir "$B/rootfs/tools"
	printf '#!/bin/sh\necho found\n' >"$B/rootfs/tools/mytool"
	chmod 755 "$B/rootfs/tools/mytool"
	config '.process.args = ["mytool"] | .process.env = ["PATH=/nowhere:/tools"]'
	runs
	out_is found
}

@test "run skips what cannot be executed in PATH" {
	mkdir -p "$B/rootfs/tools/mytool" "$B/rootfs/tools2"
	printf '#!/bin/sh\necho found\n' >"$B/rootfs/tools2/mytool"
	chmod 755 "$B/rootfs/tools2/mytool"
	config '.process.args = ["mytool"] | .process.env = ["PATH=/tools:/tools2"]'
	runs
	out_is found
}

@test "run: a relative program is relative to cwd" {
	printf '#!/bin/sh\necho here\n' >"$B/rootfs/tmp/tool"
	chmod 755 "$B/rootfs/tmp/tool"
	config '.process.args = ["./tool"] | .process.cwd = "/tmp"'
	runs
	out_is here
}

@test "run --no-pivot works" {
	prog 'echo hi; ls /'
	ok run --no-pivot -b "$B" "$ID"
	out_has 'hi'
	out_has 'bin'
}

@test "run --no-pivot does not let the container mount" {
	config '.process.args = ["inside","call","mount"]'
	ok run --no-pivot -b "$B" "$ID"
	out_is EPERM
}

@test "run --no-new-keyring keeps the caller's session keyring, run makes one of its own" {
	config '.process.args = ["inside","keyring"]'
	command -v keyctl >/dev/null || :
	ok run -b "$B" "$ID"
	own=$out
	ok run --no-new-keyring -b "$B" "$ID"
	mine=$("$TOOLS/inside" keyring)
	[ "$own" != "$mine" ] || fail "the session keyring of the caller came in: $own"
	is "$out" "$mine"
}

@test "the root option of the host is used for the state" {
	sleeps
	[ -d "$R/$ID" ]
	no --root "$T/elsewhere" state "$ID"
}

@test "the state directory is closed to others" {
	sleeps
	[[ $(stat -c %a "$R/$ID") == 7[01][01] ]]
}

@test "twenty runs leave nothing" {
	for i in {1..20}; do
		"${FG[@]}" 10 "${BR[@]}" run -b "$B" "$ID" </dev/null 3>&-
	done
	nothing_left
}

@test "four runs at once all work" {
	config '.process.args = ["sh","-c","echo fine"]'
	for i in 1 2 3 4; do
		"${BR[@]}" run -b "$B" "$ID-$i" </dev/null >"$T/o$i" 2>&1 3>&- &
		PIDS+=($!)
	done
	for p in "${PIDS[@]}"; do wait "$p"; done
	is "$(cat "$T"/o?)" $'fine\nfine\nfine\nfine'
}

@test "run works called by a program that ignores SIGCHLD" {
	prog 'exit 4'
	rc=0
	# inside timeout, which gives its child the default again
	"${FG[@]}" 10 bash -c "trap '' CHLD; exec \"\$@\"" bash "${BR[@]}" run -b "$B" "$ID" \
		</dev/null >/dev/null 2>&1 3>&- || rc=$?
	is "$rc" 4
}

@test "the program starts with no signal blocked or ignored" {
	prog 'grep -E "Sig(Blk|Ign)" /proc/self/status'
	(
		trap '' HUP USR1
		ok run -b "$B" "$ID"
	)
	slurp out "$T/out"
	out_has 'SigBlk:.0000000000000000'
}
