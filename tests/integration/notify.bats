#!/usr/bin/env bats
load helpers
# sd_notify through NOTIFY_SOCKET; the simple cases are in fds.bats

more_setup() {
	receiver notify
	export NOTIFY_SOCKET=$T/notify.sock
}
more_teardown() { unset NOTIFY_SOCKET; }
# got TEXT: the caller's socket was told that
got() {
	local n
	for ((n = 0; n < 100; n++)); do
		grep -qx "$1" "$T/notify.out" && return 0
		sleep 0.02
	done
	fail "never came: $1" "$(<"$T/notify.out")"
}

@test "notify: inside it is a socket of the container's own, in a read-only directory" {
	says 'echo $NOTIFY_SOCKET; ls /run/notify; touch /run/notify/x 2>/dev/null || echo refused'
	out_is $'/run/notify/notify.sock\nnotify.sock\nrefused'
}

@test "notify: run in the foreground passes READY=1 and STATUS on, and stays the main process" {
	known_peer_failure runc crun
	says 'inside notify "STATUS=half way
MAINPID=4
FDSTORE=1"; inside notify READY=1'
	got READY=1
	got 'STATUS=half way'
	! grep -E 'MAINPID|FDSTORE' "$T/notify.out"
}

@test "notify: another user inside, and a user namespace" {
	userns
	prog 'inside notify READY=1; sleep 100' '.process.user = {"uid": 1000, "gid": 1000}'
	chown 100000:100000 "$B/rootfs/run"
	ok run -d -b "$B" "$ID"
	init_pid
	got READY=1
	got "MAINPID=$PID"
}

@test "notify: start waits for READY=1, and other commands do not wait for start" {
	prog 'while [ ! -e /tmp/go ]; do sleep 0.05; done; inside notify READY=1; sleep 100'
	creates
	"${BR[@]}" start "$ID" </dev/null >"$T/start.out" 2>&1 3>&- &
	local start=$!
	PIDS+=("$start")
	becomes running
	ok exec "$ID" true
	ok pause "$ID"
	ok resume "$ID"
	[ -d "/proc/$start" ]
	grep READY "$T/notify.out" && fail "too early"
	touch "$B/rootfs/tmp/go"
	wait "$start"
	got READY=1
}

@test "notify: a program that ends without READY=1 holds nobody up" {
	prog 'exit 0'
	LIMIT=5 ok run -d -b "$B" "$ID"
	ok delete "$ID"
	creates
	LIMIT=5 ok start "$ID"
	! grep READY "$T/notify.out"
}

@test "notify: create with the socket, start without it" {
	config '.process.args = ["sleep", "100"]'
	creates
	unset NOTIFY_SOCKET
	LIMIT=5 ok start "$ID"
	status_is running
}

@test "notify: start with a socket that create did not offer" {
	prog 'echo "[$NOTIFY_SOCKET]" >/tmp/env; sleep 100'
	(unset NOTIFY_SOCKET && creates)
	LIMIT=5 ok start "$ID"
	status_is running
}

@test "notify: a host's socket that is gone or makes no sense is a warning" {
	known_peer_failure runc crun
	prog 'inside notify READY=1'
	NOTIFY_SOCKET=$T/none.sock
	runs
	err_has 'NOTIFY_SOCKET.*no such file'
	NOTIFY_SOCKET=vsock:2:1234
	prog 'echo "[$NOTIFY_SOCKET]"'
	runs
	out_is '[]'
	err_has 'NOTIFY_SOCKET.*ignored'
}

@test "notify: exec and hooks get nothing of it" {
	config '.hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", "env >'"$T"'/hook"]}]'
	prog 'inside notify READY=1; sleep 100'
	ok run -d -b "$B" "$ID"
	ok exec "$ID" sh -c 'echo "[$NOTIFY_SOCKET]"'
	out_is '[]'
	! grep NOTIFY "$T/hook"
}

@test "notify: an abstract socket of the caller's" {
	command -v socat >/dev/null || skip "no socat"
	socat -u "ABSTRACT-RECVFROM:brig-$ID" "OPEN:$T/abstract,creat" 3>&- 2>/dev/null &
	PIDS+=($!)
	NOTIFY_SOCKET=@brig-$ID
	wait_for 2 grep -q "@brig-$ID" /proc/net/unix
	prog 'inside notify READY=1; sleep 100'
	ok run -d -b "$B" "$ID"
	appears "$T/abstract"
	grep -q READY=1 "$T/abstract"
}
