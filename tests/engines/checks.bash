# shellcheck shell=bash
# Checks that Podman and Docker share: both have the same command line for them. Each is one test
# in podman.bats and in docker.bats. Here the life of a container; the rest is in inside.bash.

load inside

# once ARGS...: a container in the foreground that is removed afterwards, without a network.
once()
{
	engine run --rm --network none "$@"
}

# keep ARGS...: a container in the background, named $C; test_down removes it.
keep()
{
	LEFT=1
	expect 0 engine run -d --name "$C" --network none "$@"
}

# field TEMPLATE: what inspect says of $C.
field()
{
	engine inspect --type container -f "{{$1}}" "$C"
}

field_is()
{
	[ "$(field "$1")" = "$2" ]
}

waits_until_stopped()
{
	eventually 10 field_is .State.Status exited || { field .State; return 1; }
}

init_pid()
{
	field .State.Pid
}

# --- output and exit status -----------------------------------------------------------------------

check_output()
{
	expect 0 once "$IMAGE" echo hello
	is hello
}

check_streams()
{
	expect 0 inside sh -c "$ENGINE run --rm --network none $IMAGE \
		sh -c 'echo out; echo err >&2' 2>/dev/null"
	is out
}

check_stdin()
{
	expect 0 once -i "$IMAGE" tr a-z A-Z <<<"some text"
	is "SOME TEXT"
}

check_large_output()
{
	expect 0 once "$IMAGE" sh -c 'dd if=/dev/zero bs=1024 count=1024 2>/dev/null | tr "\0" x'
	[ "${#output}" -eq 1048576 ] || { echo "got ${#output} bytes"; return 1; }
}

check_exit_status()
{
	expect 42 once "$IMAGE" sh -c 'exit 42'
}

check_signal_status()
{
	keep "$IMAGE" sleep 1000
	inside kill -KILL "$(init_pid)"
	expect 0 engine wait "$C"
	is 137
}

check_command_not_found()
{
	expect 127 once "$IMAGE" no-such-command
	has no-such-command
}

check_not_executable()
{
	expect 126 once "$IMAGE" /etc/not-executable
	has "permission denied"
}

check_terminal()
{
	expect 0 once -t "$IMAGE" sh -c 'tty; test -t 1 && echo terminal'
	has /dev/pts/0
	has terminal
	expect 1 once "$IMAGE" tty
}

check_interactive_terminal()
{
	expect 3 inside script -qec \
		"stty cols 91 rows 23; $ENGINE run --rm -it --network none $IMAGE sh -c \
		'read -r line; echo got:\$line; sleep 0.5; stty size; exit 3'" /dev/null <<<word
	has got:word
	has "23 91"
}

# A signal sent to the client in the foreground reaches the command.
check_client_passes_signals()
{
	expect 9 inside sh -c "$ENGINE run --rm --network none $IMAGE sh -c '
			trap \"exit 9\" TERM; echo ready; while :; do sleep 0.1; done' >$BATS_TEST_TMPDIR/out &
		client=\$!
		for i in \$(seq 50); do
			grep -q ready $BATS_TEST_TMPDIR/out && break
			sleep 0.1
		done
		kill -TERM \$client
		wait \$client"
}

# --- life cycle -----------------------------------------------------------------------------------

check_logs()
{
	keep "$IMAGE" sh -c 'echo first; echo second >&2; exit 5'
	waits_until_stopped
	expect 0 engine logs "$C"
	has first
	has second
	field_is .State.ExitCode 5
}

check_state()
{
	local pid

	keep "$IMAGE" sleep 1000
	field_is .State.Status running
	pid=$(init_pid)
	[ "$(inside cat "/proc/$pid/comm")" = sleep ]
	expect 0 engine kill "$C"
	waits_until_stopped
	field_is .State.Status exited
	field_is .State.ExitCode 137
	field_is .State.Pid 0
	run inside test -e "/proc/$pid"
	[ "$status" -ne 0 ]
}

check_exec()
{
	keep --hostname exec-host "$IMAGE" sleep 1000
	expect 0 engine exec "$C" sh -c 'hostname; cat /proc/1/cmdline | tr "\0" " "'
	has exec-host
	has "sleep 1000"
	expect 3 engine exec "$C" sh -c 'exit 3'
	expect 0 engine exec -i "$C" tr a-z A-Z <<<"some text"
	is "SOME TEXT"
}

check_exec_options()
{
	keep "$IMAGE" sleep 1000
	expect 0 engine exec -u worker "$C" id -u
	is 1000
	expect 0 engine exec -u 1000:2000 "$C" id -g
	is 2000
	expect 0 engine exec -e WORD=value -w /home/worker "$C" sh -c 'echo $WORD:$PWD'
	is value:/home/worker
	expect 0 engine exec -d "$C" sh -c 'echo made >/tmp/detached'
	eventually 5 inside grep -q made "/proc/$(init_pid)/root/tmp/detached"
}

check_exec_terminal()
{
	keep "$IMAGE" sleep 1000
	expect 0 engine exec -t "$C" tty
	has /dev/pts/
	expect 1 engine exec "$C" tty
}

check_exec_is_confined()
{
	keep --cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges "$IMAGE" sleep 1000
	expect 0 engine exec "$C" cat /proc/self/status
	has "CapEff:	0000000000000001"
	has "CapBnd:	0000000000000001"
	has "NoNewPrivs:	1"
	has "Seccomp:	2"
	# In the container's cgroups, or its limits would not hold.
	expect 0 engine exec -d "$C" sleep 2000
	eventually 5 exec_in_cgroup 2000
}

exec_in_cgroup()
{
	local dir pid

	dir=$(cgroup_dir "$(init_pid)" pids)
	for pid in $(inside cat "$dir/cgroup.procs"); do
		inside cat "/proc/$pid/cmdline" | tr '\0' ' ' | grep -q "sleep $1" && return 0
	done
	return 1
}

check_exec_in_parallel()
{
	local n pids=()

	keep "$IMAGE" sleep 1000
	for n in 1 2 3 4 5; do
		engine exec "$C" sh -c "exit $n" &
		pids+=($!)
	done
	for n in 1 2 3 4 5; do
		status=0
		wait "${pids[n - 1]}" || status=$?
		[ "$status" -eq "$n" ] || fail "exec $n gave $status"
	done
}

check_exec_fails_when_stopped()
{
	keep "$IMAGE" true
	waits_until_stopped
	run engine exec "$C" true
	[ "$status" -ne 0 ]
	has "not running" || has "only create exec sessions on running"
}

check_pause()
{
	local before root

	keep "$IMAGE" sh -c 'while :; do echo x >>/tmp/count; sleep 0.05; done'
	root=/proc/$(init_pid)/root
	eventually 5 inside test -s "$root/tmp/count"
	expect 0 engine pause "$C"
	field_is .State.Status paused
	before=$(inside stat -c %s "$root/tmp/count")
	sleep 0.5
	[ "$(inside stat -c %s "$root/tmp/count")" = "$before" ]
	run engine exec "$C" true
	[ "$status" -ne 0 ]
	expect 0 engine unpause "$C"
	field_is .State.Status running
	eventually 5 grows "$root/tmp/count" "$before"
}

grows()
{
	[ "$(inside stat -c %s "$1")" -gt "$2" ]
}

check_stop()
{
	keep "$IMAGE" sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'
	eventually 5 logs_have ready
	expect 0 engine stop -t 10 "$C"
	field_is .State.ExitCode 5
}

logs_have()
{
	engine logs "$C" 2>&1 | grep -q "$1"
}

check_stop_kills()
{
	keep "$IMAGE" sleep 1000
	expect 0 engine stop -t 1 "$C"
	field_is .State.ExitCode 137
}

check_kill_signal()
{
	keep "$IMAGE" sh -c 'trap "exit 7" USR1; echo ready; while :; do sleep 0.1; done'
	eventually 5 logs_have ready
	expect 0 engine kill -s USR1 "$C"
	expect 0 engine wait "$C"
	is 7
	# Once stopped there is nothing to signal any more.
	run engine kill "$C"
	[ "$status" -ne 0 ]
}

check_restart()
{
	keep "$IMAGE" sh -c 'echo x >>/starts; exec sleep 1000'
	expect 0 engine stop -t 0 "$C"
	expect 0 engine start "$C"
	expect 0 engine exec "$C" wc -l /starts
	has "2 /starts"
	expect 0 engine restart -t 0 "$C"
	expect 0 engine exec "$C" wc -l /starts
	has "3 /starts"
}

check_create_then_start()
{
	LEFT=1
	expect 0 engine create --name "$C" --network none "$IMAGE" sh -c 'echo again; exit 4'
	field_is .State.Status created
	expect 4 engine start -a "$C"
	is again
	expect 4 engine start -a "$C"
	is again
}

# A start that fails says so, and the container can still be removed.
check_failed_start()
{
	LEFT=1
	expect 0 engine create --name "$C" --network none "$IMAGE" no-such-command
	run engine start "$C"
	[ "$status" -ne 0 ]
	has no-such-command
	expect 0 engine rm "$C"
	LEFT=
}

check_rm()
{
	local id pid

	keep "$IMAGE" sh -c 'sleep 2000 & sleep 3000 & wait'
	id=$(field .Id)
	pid=$(init_pid)
	expect 0 engine rm -f "$C"
	LEFT=
	run inside test -e "/proc/$pid"
	[ "$status" -ne 0 ]
	eventually 5 nothing_left "$id"
}

check_top()
{
	keep "$IMAGE" sh -c 'sleep 4321 & exec sleep 1234'
	eventually 5 top_has "sleep 4321"
	top_has "sleep 1234"
}

top_has()
{
	engine top "$C" | grep -q "$1"
}

# The last test of a file: with all containers gone nothing of them is left.
check_nothing_left()
{
	expect 0 engine ps -aq
	is ""
	expect 0 inside "$RUNTIME" list -q
	is ""
	# Podman's conmon and Docker's shims end a moment after their containers.
	eventually 5 no_process_named conmon
	eventually 5 no_process_named containerd-shim
}

no_process_named()
{
	! inside pgrep -x "$1" >/dev/null
}
