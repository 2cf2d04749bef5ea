# shellcheck shell=bash
# Checks of limits and results that Podman and Docker share, for levels.bash.  On cgroup v1 a limit of
# memory alone gives a container a warden, which must not be noticed in anything else.

load levels

# The workload waits for go, so that whoever asks is there before its end.
AWAIT='until [ -e /tmp/go ]; do sleep 0.2; done'

# asked: brig wait in the background, by the container's id
asked()
{
	local id

	id=$(field .Id)
	spawn "$BATS_TEST_TMPDIR/result" "$RUNTIME" --root "$STATE_ROOT" wait "$id"
	eventually 10 inside test -e "$STATE_ROOT/$id/waiters" || fail "nobody waits for $id"
}

answered()
{
	# jq takes an empty file for an answer.
	[ -s "$BATS_TEST_TMPDIR/result" ] && jq -e .status "$BATS_TEST_TMPDIR/result" >/dev/null 2>&1
}

# told JQ TEXT: of the answer
told()
{
	eventually 10 answered || fail "no answer: $(cat "$BATS_TEST_TMPDIR/result")"
	[ "$(jq -r "$1" "$BATS_TEST_TMPDIR/result")" = "$2" ] ||
		fail "$1 is not $2: $(cat "$BATS_TEST_TMPDIR/result")"
}

# ends_as STATUS CODE ENGINES-CODE: after go
ends_as()
{
	asked
	expect 0 engine exec "$C" touch /tmp/go
	expect 0 engine wait "$C"
	is "$3"
	told '"\(.status) \(.code)"' "$1 $2"
}

has_warden()
{
	expect 0 inside pgrep -x brig-warden
	[ "${#lines[@]}" = 1 ]
}

# Zombies count: who adopted it must have reaped it.
no_warden()
{
	eventually 10 no_process_named brig-warden || fail "a warden is left: $(inside ps -ef)"
}

another()
{
	expect 0 engine rm -f "$C"
	no_warden
}

on_v1()
{
	inside test ! -e /sys/fs/cgroup/cgroup.controllers
}

# --- memory ---------------------------------------------------------------------------------------

# check_out_of_memory_ends_all [REPORTED]: one process is killed for memory, and its parent would go on
check_out_of_memory_ends_all()
{
	keep -m 32m "$IMAGE" sh -c "$AWAIT; tail /dev/zero; sleep 1000"
	! on_v1 || has_warden
	ends_as memory 137 137
	told '.reason.limit, .signal' $'33554432\n9'
	[ $# -eq 0 ] || eventually 5 field_is .State.OOMKilled "$1" || fail "OOMKilled is not $1"
	no_warden
}

check_restart_after_memory()
{
	keep -m 32m --restart on-failure:2 "$IMAGE" sh -c 'tail /dev/zero; sleep 1000'
	eventually 30 field_is .RestartCount 2 || fail "not restarted: $(field .RestartCount)"
	waits_until_stopped
	field_is .State.ExitCode 137
	no_warden
}

# --- a life with a warden -------------------------------------------------------------------------

check_watched_life()
{
	AT+=(-m 64m)
	expect 42 once "$IMAGE" sh -c 'echo out; echo err >&2; exit 42'
	has out
	has err
	expect 0 once -i "$IMAGE" tr a-z A-Z <<<"some text"
	is "SOME TEXT"
	no_warden
	check_stop
	another
	check_stop_kills
	another
	check_kill_signal
	another
	check_pause
	another
	check_exec
	! on_v1 || has_warden
}

check_watched_terminal()
{
	expect 3 inside script -qec "stty cols 91 rows 23; $ENGINE run --rm -it -m 64m --network none $IMAGE sh -c \
		'read -r line; echo got:\$line; sleep 0.5; stty size; exit 3'" /dev/null <<<word
	has got:word
	has "23 91"
	no_warden
}

# --- how it ended, and what it uses ---------------------------------------------------------------

check_wait_tells_exit()
{
	keep "$IMAGE" sh -c "$AWAIT; exit 7"
	ends_as exited 7 7
	told .exitCode 7
	another
	keep -m 64m "$IMAGE" sh -c "$AWAIT; exit 7"
	ends_as exited 7 7
	another
	keep -m 64m "$IMAGE" sh -c "$AWAIT; sleep 1000"
	asked
	expect 0 engine kill "$C"
	told '"\(.status) \(.signal)"' "signal 9"
}

check_brig_stats()
{
	keep -m 64m --pids-limit 20 "$IMAGE" sleep 1000
	expect 0 brig stats --format json "$(field .Id)"
	[ "$(jq -c '.sandboxes[0] | [.status, .level, .memory.limit, .pids.limit]' <<<"$output")" = \
		'["running","standard",67108864,20]' ] || fail "not as expected"
	expect 0 brig stats --all --format openmetrics
	has "brig_sandbox_memory_limit_bytes{id=\"$(field .Id)\"} 67108864"
}

# --- limits that config.json has no words for: AT chooses them ------------------------------------

# 1 s
check_cpu_time()
{
	keep "$IMAGE" sh -c "$AWAIT; (while :; do :; done) & while :; do :; done"
	has_warden
	ends_as cpu-time 124 137
	told .reason.limit 1000
	no_warden
}

# 1000 bytes
check_output_limit()
{
	keep "$IMAGE" sh -c "$AWAIT; while :; do echo 123456789; done"
	ends_as output 153 137
	told '"\(.output.bytes) \(.output.truncated)"' "1000 true"
	[ "$(engine logs "$C" 2>&1 | wc -c)" -eq 1000 ] || fail "logged: $(engine logs "$C" | wc -c)"
	another
	# Below the limit, and with standard input.
	expect 0 once -i "$IMAGE" tr a-z A-Z <<<"some text"
	is "SOME TEXT"
	run once -t "$IMAGE" true
	[ "$status" -ne 0 ]
	has terminal
}

# cores
check_whole_cores()
{
	local cores

	# One core that is somebody's stays for the rest.
	[ "$(nproc)" -gt 1 ] || skip "one CPU"
	keep --cpus 1 "$IMAGE" sleep 1000
	expect 0 engine exec "$C" grep Cpus_allowed_list /proc/self/status
	cores=$output
	[[ $cores =~ ^Cpus_allowed_list:.[0-9]+$ ]] || fail "not one CPU"
	[ -n "$(inside find /run/brig-cpus -type f ! -name lock)" ] || fail "nothing is claimed"
	run engine "${PRE[@]}" run --rm --network none "${AT[@]}" --cpus 1 "$IMAGE" true
	[ "$status" -ne 0 ]
	has cpu
	another
	expect 0 once --cpus 1 "$IMAGE" true
}
