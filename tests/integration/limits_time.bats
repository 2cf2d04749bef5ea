#!/usr/bin/env bats
load helpers
load ../lib/levels
load ../lib/bombs
# The wall clock, and who does not want to end

more_setup() {
	requires root
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	admin ''
	bombs_setup
}

@test "wall clock: who is deaf to every signal" {
	deaf() {
		bomb --timeout $SOON -- sleeper 100000
		ended_by 124
	}
	each deaf
}

@test "wall clock: daemons that outlive their parent" {
	outlive() {
		script --timeout $SOON -- 'probe bomb daemons 100000 5; sleep 100'
		ended_by 124
		exactly 5
	}
	each outlive
}

@test "wall clock: who burns all the CPU time there is" {
	burners() {
		bomb --timeout $SOON -- burn 100000 8
		ended_by 124
		bomb --timeout $SOON -- burn-threads 100000 8
		ended_by 124
	}
	each burners
}

@test "wall clock: everything at once" {
	everything() {
		bomb --timeout $SOON --memory 128m -- everything $((16 << 20))
		[ "$status" = 124 ] || fail "$LEVEL: status $status" "$err"
	}
	each everything
}

@test "wall clock: daemons of a sandbox that ends by itself end with it" {
	orphaned() {
		script --timeout 60s -- 'probe bomb daemons 100000 5; exit 3'
		is "$status" 3
		exactly 5
	}
	each orphaned
}

@test "wall clock: detached, deaf, paused; the caller is gone" {
	local level pid
	for level in standard high; do
		at $level
		direct -d --timeout ${SOON/700ms/2s} --keep -- /bin/probe bomb sleeper 100000
		is "$status" 0
		init_pid
		pid=$PID
		ok pause "$ID"
		gone "$pid"
		becomes stopped
		ok delete "$ID"
		nothing_left
	done
}

# --- grace ---------------------------------------------------------------------------------------

@test "grace: who ends at SIGTERM ends by itself, and its time was up all the same" {
	polite() {
		bomb --timeout $SOON --grace 20s -- polite 30000 7
		[ "$status" = 124 ] || fail "$LEVEL: status $status" "$err"
		exactly 15
		bomb --cpu-time 200ms --timeout 60s --grace 20s -- polite 300 7
		[ "$status" = 0 ] # it sleeps: nothing was used up
	}
	each polite
}

# tini and dumb-init wait so; the kernel then shows the signal as neither blocked nor handled.
@test "grace: a signal for who waits in sigtimedwait is delivered, not answered with the kill" {
	local level code
	for level in standard high; do
		at $level
		"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" -- probe bomb polite 30000 9 \
			</dev/null >"$T/o" 2>&1 3>&- &
		PIDS+=($!)
		appears "$T/o"
		kill $!
		code=0
		wait $! || code=$?
		is "$code" 9
		rm "$T/o"
	done
}

@test "grace: who does not is killed" {
	deaf() {
		bomb --timeout $SOON --grace 300ms -- sleeper 100000
		ended_by 124
		script --timeout $SOON --grace 300ms -- 'trap "" TERM; probe bomb daemons 100000 3; probe bomb burn 100000'
		ended_by 124
		exactly 3
	}
	each deaf
}

@test "grace: a paused sandbox is thawed for it" {
	local level
	for level in standard high; do
		at $level
		direct -d --timeout ${SOON/700ms/2s} --grace 20s --keep -- sh -c \
			'trap "echo got it >/tmp/term; exit 7" TERM; while :; do sleep 0.05; done'
		is "$status" 0
		init_pid
		ok pause "$ID"
		gone "$PID"
		becomes stopped
		ok delete "$ID"
	done
}
