#!/usr/bin/env bats
load helpers

more_setup() { config '.process.terminal = true'; }

# on_tty SCRIPT: runs the shell line on a terminal of its own (script of util-linux), output in out
on_tty() {
	status=0
	timeout -k 1 "${LIMIT:-10}" script -qec "$1" /dev/null </dev/null >"$T/out" 2>"$T/err" 3>&- ||
		status=$?
	slurp out "$T/out"
	out=${out//$'\r'/}
}

@test "run with terminal on a terminal: the program has a terminal of its own" {
	prog 'tty; test -t 0 && test -t 1 && test -t 2 && echo yes'
	on_tty "${BR[*]} run -b $B $ID"
	is "$status" 0
	out_has '/dev/(pts/0|console)'
	out_has yes
}

@test "run with terminal: the exit code comes through" {
	prog 'exit 17'
	on_tty "${BR[*]} run -b $B $ID"
	is "$status" 17
}

@test "run with terminal takes /dev/tty when stdin and stdout are pipes" {
	known_peer_failure crun
	prog 'tty; echo to-stdout'
	on_tty "echo | ${BR[*]} run -b $B $ID | cat"
	out_has 'to-stdout'
}

@test "run with terminal restores the caller's terminal modes" {
	prog 'true'
	on_tty "stty -g >$T/before; ${BR[*]} run -b $B $ID; stty -g >$T/after"
	is "$(<"$T/after")" "$(<"$T/before")"
}

@test "run with terminal restores the modes when the program is killed" {
	prog 'kill -9 $$; sleep 5' '.linux.namespaces |= map(select(.type != "pid"))'
	on_tty "stty -g >$T/before; ${BR[*]} run -b $B $ID; stty -g >$T/after"
	is "$(<"$T/after")" "$(<"$T/before")"
}

@test "run with terminal gives the size of the caller's terminal" {
	known_peer_failure runc # sets it after the start
	config '.process.args = ["inside", "winsize"]'
	on_tty "stty rows 33 cols 77; ${BR[*]} run -b $B $ID"
	out_has '33 77'
}

@test "/dev/console is the terminal" {
	prog 'test -c /dev/console && echo to-console >/dev/console'
	on_tty "${BR[*]} run -b $B $ID"
	out_has 'to-console'
}

@test "the terminal is the controlling one" {
	prog 'echo to-tty >/dev/tty'
	on_tty "${BR[*]} run -b $B $ID"
	out_has 'to-tty'
}

@test "the terminal belongs to the program's user" {
	prog 'stat -c %u $(readlink -f /proc/self/fd/0); : >/dev/tty && echo writable' \
		'.process.user = {"uid": 1000, "gid": 1000}'
	on_tty "${BR[*]} run -b $B $ID"
	out_has 1000
	out_has writable
}

@test "terminal input reaches the program" {
	prog 'read x; echo got-$x'
	status=0
	(sleep 0.5; echo hello; sleep 1) 3>&- | timeout 10 script -qec "${BR[*]} run -b $B $ID" /dev/null \
		>"$T/out" 2>&1 3>&- || status=$?
	slurp out "$T/out"
	out_has 'got-hello'
}

@test "a window size change reaches the program" {
	prog 'trap "inside winsize; exit 0" WINCH; echo ready >/tmp/ready; while :; do sleep 0.05; done'
	on_tty "(while [ ! -s $B/rootfs/tmp/ready ]; do sleep 0.05; done; stty rows 40 cols 90 </dev/tty) &
		${BR[*]} run -b $B $ID"
	out_has '40 90'
}

@test "create with terminal sends the master to the console socket" {
	prog 'tty; echo on-console; sleep 100'
	receiver tty
	ok create -b "$B" --console-socket "$T/tty.sock" "$ID"
	ok start "$ID"
	appears "$T/tty.out"
	sleep 0.1
	slurp out "$T/tty.out"
	out_has '/dev/(pts/0|console)'
	out_has on-console
}

@test "run -d with terminal sends the master to the console socket, input works" {
	prog 'read x; echo got-$x; sleep 100'
	mkfifo "$T/in"
	exec 7<>"$T/in"
	receiver tty "$T/in"
	ok run -d -b "$B" --console-socket "$T/tty.sock" "$ID"
	echo hello >&7
	sleep 0.3
	slurp out "$T/tty.out"
	out_has got-hello
}

@test "consoleSize is the size of the terminal" {
	config '.process.args = ["sh","-c","inside winsize; sleep 100"]
		| .process.consoleSize = {"height": 10, "width": 110}'
	receiver tty
	ok run -d -b "$B" --console-socket "$T/tty.sock" "$ID"
	appears "$T/tty.out"
	slurp out "$T/tty.out"
	out_has '10 110'
}

@test "consoleSize without terminal is ignored" {
	config '.process.terminal = false | .process.consoleSize = {"height": 10, "width": 110}'
	runs
}

@test "detached with terminal and no console socket is refused" {
	refused 'console socket|console-socket' run -d -b "$B" "$ID"
	refused 'console socket|console-socket' create -b "$B" "$ID"
}

@test "a console socket without terminal is refused" {
	config '.process.terminal = false'
	receiver tty
	refused 'console socket|console-socket' create -b "$B" --console-socket "$T/tty.sock" "$ID"
}

@test "a console socket in the foreground is refused" {
	receiver tty
	refused 'console socket|console-socket' run -b "$B" --console-socket "$T/tty.sock" "$ID"
}

@test "a console socket that does not exist is refused and named" {
	refused 'none.sock' create -b "$B" --console-socket "$T/none.sock" "$ID"
}

@test "a console socket that nobody listens at is refused and named" {
	receiver tty
	kill -9 "$RECEIVER"
	wait "$RECEIVER" 2>/dev/null || :
	refused 'tty.sock' create -b "$B" --console-socket "$T/tty.sock" "$ID"
}

@test "a console socket that is a regular file is refused" {
	: >"$T/file"
	refused 'file' create -b "$B" --console-socket "$T/file" "$ID"
}

@test "exec -t on a terminal gives a terminal" {
	config '.process.terminal = false'
	sleeps
	on_tty "${BR[*]} exec -t $ID sh -c 'tty; test -t 1 && echo yes'"
	is "$status" 0
	out_has '/dev/pts/0'
	out_has yes
}

@test "exec -t takes /dev/tty when stdin and stdout are pipes" {
	known_peer_failure crun
	config '.process.terminal = false'
	sleeps
	on_tty "echo | ${BR[*]} exec -t $ID tty | cat"
	out_has '/dev/pts/0'
}

@test "exec without -t needs no terminal, also when the config has terminal true" {
	prog 'sleep 100'
	receiver tty
	ok run -d -b "$B" --console-socket "$T/tty.sock" "$ID"
	ok exec "$ID" sh -c 'test -t 0 || echo none'
	out_is none
}

@test "exec -t -d sends the master to the console socket" {
	config '.process.terminal = false'
	sleeps
	receiver tty
	ok exec -t -d --console-socket "$T/tty.sock" "$ID" sh -c 'tty; sleep 100'
	appears "$T/tty.out"
	slurp out "$T/tty.out"
	out_has '/dev/pts/0'
}

@test "exec -t -d without a console socket fails with 255" {
	config '.process.terminal = false'
	sleeps
	no exec -t -d "$ID" true
	is "$status" 255
}

@test "exec --process with terminal and consoleSize" {
	config '.process.terminal = false'
	sleeps
	jq '.process | .terminal = true | .args = ["sh","-c","inside winsize; sleep 100"]
		| .consoleSize = {"height": 10, "width": 110}' "$B/config.json" >"$T/p.json"
	receiver tty
	ok exec -d --console-socket "$T/tty.sock" --process "$T/p.json" "$ID"
	appears "$T/tty.out"
	slurp out "$T/tty.out"
	out_has '10 110'
}

@test "run with terminal and no terminal anywhere fails, or relays all the same" {
	prog 'tty; echo relayed'
	status=0
	timeout 10 setsid -w "${BR[@]}" run -b "$B" "$ID" </dev/null >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	if [ "$status" = 0 ]; then
		out_has '/dev/(pts/0|console)'
		out_has relayed
	else
		[ -s "$T/err" ]
	fi
	nothing_left
}

@test "no descriptor of the caller's terminal comes into the container" {
	prog 'inside fds'
	on_tty "${BR[*]} run -b $B $ID"
	is "$status" 0
	out_lacks '[0-9] [/a-z]'
}

@test "exec with terminal: the program has the size of the caller's terminal from its start on" {
	config '.process.args = ["sleep","100"] | .process.terminal = false'
	ok run -d -b "$B" "$ID"
	on_tty "stty rows 33 cols 77; for i in 1 2 3 4 5 6 7 8 9 10; do ${BR[*]} exec -t $ID inside winsize; done"
	is "$(grep -c '33 77' <<<"$out")" 10
}
