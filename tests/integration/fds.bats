#!/usr/bin/env bats
load helpers
# Descriptors: what is passed, what must not be, and the sockets for pidfds and notifications

@test "no descriptor above 2 comes in" {
	config '.process.args = ["inside", "fds"]'
	exec 9</etc 10</etc/passwd 42>"$T/x"
	runs
	out_is ""
}

@test "no descriptor comes in through create and start" {
	prog 'inside fds >/tmp/fds'
	exec 9</etc 10</etc/passwd
	creates
	ok start "$ID"
	becomes stopped
	is "$(<"$B/rootfs/tmp/fds")" ""
}

@test "--preserve-fds passes 3 and following" {
	echo content >"$T/file"
	config '.process.args = ["sh", "-c", "cat <&4; inside fds | cut -d\" \" -f1"]'
	status=0
	"${FG[@]}" 10 "${BR[@]}" run --preserve-fds 2 -b "$B" "$ID" </dev/null >"$T/out" 2>"$T/err" \
		3</dev/null 4<"$T/file" 5</etc/passwd || status=$?
	slurp out "$T/out"
	is "$status" 0
	out_is $'content\n3\n4'
}

@test "--preserve-fds of descriptors that are not open fails and names one" {
	known_peer_failure crun
	b run --preserve-fds 30 -b "$B" "$ID"
	[ "$status" != 0 ]
	err_has 'preserve|descriptor|[0-9]'
	nothing_left
}

@test "--preserve-fds with a bad number fails" {
	known_peer_failure runc
	for n in -1 x 4294967296; do no run --preserve-fds=$n -b "$B" "$ID"; done
}

@test "LISTEN_FDS descriptors are passed with LISTEN_FDS and LISTEN_PID=1" {
	config '.process.args = ["sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; cat <&3"]'
	echo content >"$T/file"
	status=0
	(
		export LISTEN_FDS=1 LISTEN_PID=$BASHPID
		exec "${BR[@]}" run -b "$B" "$ID" </dev/null >"$T/out" 2>"$T/err" 3<"$T/file"
	) || status=$?
	slurp out "$T/out"
	is "$status" 0 || fail "$(<"$T/err")"
	out_is $'1 1\ncontent'
}

@test "closed stdin, stdout and stderr of the caller do not become other files" {
	prog 'ls -l /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 >/tmp/list 2>&1 || :'
	status=0
	"${FG[@]}" 10 "${BR[@]}" run -b "$B" "$ID" <&- >&- 2>&- 3>&- || status=$?
	is "$status" 0
	out=$(<"$B/rootfs/tmp/list")
	out_lacks "$R|cgroup|memfd"
}

@test "--pidfd-socket gets a pidfd of the container" {
	known_peer_failure runc crun
	receiver pidfd
	config '.process.args = ["sleep", "100"]'
	ok run -d --pidfd-socket "$T/pidfd.sock" -b "$B" "$ID"
	appears "$T/pidfd.out"
	init_pid
	is "$(awk '{print $2}' "$T/pidfd.out")" "$PID"
}

@test "exec --pidfd-socket gets a pidfd of the new process" {
	known_peer_failure runc crun
	sleeps
	receiver pidfd
	ok exec -d --pid-file "$T/pid" --pidfd-socket "$T/pidfd.sock" "$ID" sleep 100
	appears "$T/pidfd.out"
	is "$(awk '{print $2}' "$T/pidfd.out")" "$(<"$T/pid")"
}

@test "a pidfd socket that does not exist is refused and named" {
	known_peer_failure runc crun
	refused 'none.sock' create --pidfd-socket "$T/none.sock" -b "$B" "$ID"
}

@test "NOTIFY_SOCKET: the program's READY=1 reaches the caller's socket, with MAINPID" {
	receiver notify
	prog 'inside notify READY=1; sleep 100'
	NOTIFY_SOCKET=$T/notify.sock ok run -d -b "$B" "$ID"
	appears "$T/notify.out"
	sleep 0.1
	slurp got "$T/notify.out"
	init_pid
	[[ $got == *READY=1* ]] || fail "$got"
	[[ $got == *MAINPID=$PID* ]] || fail "$got, pid $PID"
}

@test "NOTIFY_SOCKET: run -d returns only after READY=1" {
	receiver notify
	prog 'sleep 0.4; echo now >/tmp/now; inside notify READY=1; sleep 100'
	NOTIFY_SOCKET=$T/notify.sock ok run -d -b "$B" "$ID"
	[ -e "$B/rootfs/tmp/now" ]
}

@test "NOTIFY_SOCKET: only READY and STATUS lines that are the program's own are passed on" {
	receiver notify
	prog 'inside notify MAINPID=1; inside notify READY=1; sleep 100'
	NOTIFY_SOCKET=$T/notify.sock ok run -d -b "$B" "$ID"
	appears "$T/notify.out"
	sleep 0.1
	grep -qx MAINPID=1 "$T/notify.out" && fail "the program chose the main pid" || :
}

@test "NOTIFY_SOCKET of the caller is not in the environment where it is not offered" {
	prog 'echo "[$NOTIFY_SOCKET]"'
	runs
	out_is '[]'
}

@test "NOTIFY_SOCKET given to start: READY=1 reaches it" {
	receiver notify
	prog 'inside notify READY=1; sleep 100'
	NOTIFY_SOCKET=$T/notify.sock ok create -b "$B" "$ID"
	NOTIFY_SOCKET=$T/notify.sock ok start "$ID"
	appears "$T/notify.out"
	sleep 0.1
	grep -q READY=1 "$T/notify.out"
}

@test "the runtime opens no abstract unix socket" {
	before=$(grep -c '@' /proc/net/unix || :)
	sleeps
	is "$(grep -c '@' /proc/net/unix || :)" "$before"
}
