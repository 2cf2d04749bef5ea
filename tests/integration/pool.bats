#!/usr/bin/env bats
load helpers
load ../lib/pool

# Pools: sandboxes kept parked.  docs/pools.md

more_setup() { pool_setup; }
more_teardown() {
	"${BR[@]}" pool remove --force "$POOL" >/dev/null 2>&1 || :
}

# --- ensure -----------------------------------------------------------------------------------

@test "pool: ensure parks min members, and a second time changes nothing" {
	ensure --min 3
	has 3 ready
	want=$(members)
	ensure --min 3
	is "$(members)" "$want"
	ok pool ensure "$POOL"
	is "$(members)" "$want"
	counts created 3
	is "$(jq -r .reuse.pool "$R/$POOL-1/state.json")" "$POOL"
	drop_pool
	nothing_left
}

@test "pool: each member has a warden, at standard too, and its streams are /dev/null" {
	ensure --min 1
	[ "$(jq .wardenPid "$R/$POOL-1/state.json")" -gt 0 ]
	pid=$(jq .pid "$R/$POOL-1/state.json")
	for fd in 0 1 2; do is "$(readlink "/proc/$pid/fd/$fd")" /dev/null; done
}

@test "pool: ensure keeps min parked beside those that are leased, up to max" {
	ensure --min 2 --max 3
	acquire
	ok pool ensure "$POOL"
	has 2 ready
	has 1 leased
	acquire
	ok pool ensure "$POOL"
	has 1 ready
	is "$(pool '.members | length')" 3
}

@test "pool: ensure deletes the parked ones above max" {
	ensure --min 3
	ok pool ensure "$POOL" --min 1 --max 1
	has 1 ready
	is "$(pool '.members | length')" 1
	counts deleted 2
}

@test "pool: ensure deletes those that were parked longer than shrink-after, down to min" {
	ensure --min 3
	ok pool ensure "$POOL" --min 1 --max 3 --shrink-after 1ms
	is "$(members)" "$POOL-3"
}

@test "pool: ensure replaces a member that is tainted" {
	ensure --min 2
	ok taint --reason test "$POOL-1"
	is "$(condition "$POOL-1")" tainted
	ok pool ensure "$POOL"
	is "$(members)" "$POOL-2 $POOL-3"
	counts tainted 1
}

@test "pool: ensure replaces a member that is too old" {
	ensure --min 1 --max-age 1s
	sleep 1.1
	is "$(condition "$POOL-1")" retired
	ok pool ensure "$POOL" --max-age 1h
	is "$(members)" "$POOL-2"
	counts retired 1
}

@test "pool: ensure replaces members of another boot, whose state directory survived it" {
	ensure --min 2 --max-age 1h
	for n in 1 2; do
		jq -c '.reuse.bootId = "00000000-0000-0000-0000-000000000000"' "$R/$POOL-$n/state.json" >"$T/s"
		cat "$T/s" >"$R/$POOL-$n/state.json"
		kill -9 "$(jq .pid "$R/$POOL-$n/state.json")"
	done
	# one whose reset the reboot cut short
	jq -c '.reuse.journal = "create"' "$R/$POOL-2/state.json" >"$T/s"
	cat "$T/s" >"$R/$POOL-2/state.json"
	is "$(condition "$POOL-1")" retired
	is "$(pool '.members[0].why')" 'it was made before the machine was booted'
	ok pool ensure "$POOL"
	is "$(members)" "$POOL-3 $POOL-4"
	has 2 ready
	counts retired 2
}

@test "pool: ensure replaces a member that was parked for too long" {
	ensure --min 1 --max-idle 1s
	sleep 1.1
	is "$(condition "$POOL-1")" retired
	ok pool ensure "$POOL"
	is "$(members)" "$POOL-2"
}

@test "pool: ensure keeps what is known of a tainted member where it is told to" {
	mkdir "$T/evidence"
	ensure --min 1 --keep-evidence "$T/evidence"
	ok taint --reason test "$POOL-1"
	ok pool ensure "$POOL"
	is "$(members)" "$POOL-2"
	[ -n "$(find "$T/evidence" -name "$POOL-1*")" ]
}

@test "pool: with --keep-layers what a program wrote is there until its sandbox is released" {
	prog 'echo x >/tmp/made'
	ensure --min 1 --keep-layers
	acquire
	as start "$LEASED"
	wait_for 5 has_ended "$LEASED"
	as diff "$LEASED"
	out_has /tmp/made
	release
	is "$(condition "$LEASED")" ready
}

@test "pool: ensure replaces a member that was used as often as it may be" {
	ensure --min 1 --max-uses 1
	ok pool run "$POOL" -- true
	ok pool ensure "$POOL"
	is "$(members)" "$POOL-2"
	counts retired 1
}

@test "pool: ensure resets a member whose parked process was killed" {
	ensure --min 1
	kill -9 "$(jq .pid "$R/$POOL-1/state.json")"
	wait_for 5 eval '[ "$(condition "$POOL-1")" = used ]'
	ok pool ensure "$POOL"
	is "$(condition "$POOL-1")" ready
	is "$(pool '.members[0].generation')" 2
}

@test "pool: a parked member that somebody has sent a signal is made anew before anybody gets it" {
	ensure --min 1 --max 1
	ok kill "$POOL-1" WINCH
	is "$(condition "$POOL-1")" used
	acquire
	is "$LEASED $GEN" "$POOL-1 2"
	ok verify "$LEASED"
	release
}

@test "pool: ensure replaces a member whose files cannot be believed, and names them" {
	ensure --min 2
	echo '{"v": 1, "token": "x"}' >"$R/$POOL-1/lease.json"
	is "$(condition "$POOL-1")" damaged
	[[ $(pool '.members[0].why') == *lease.json* ]]
	ok pool ensure "$POOL"
	[[ $err == *"$POOL-1"*lease.json* ]] || fail "$err"
	is "$(members)" "$POOL-2 $POOL-3"
}

@test "pool: ensure makes a member in place of one that was deleted by hand" {
	ensure --min 2
	ok delete --force "$POOL-1"
	ok pool ensure "$POOL"
	is "$(members)" "$POOL-2 $POOL-3"
}

@test "pool: two kinds of members in one pool are refused" {
	ensure --min 1
	mkdir "$T/other"
	cp "$B/config.json" "$T/other/"
	answers 76 'made from bundle' pool ensure "$POOL" --bundle "$T/other"
	answers 76 'made from bundle' pool ensure "$POOL" --level high
	has 1 ready
}

@test "pool: a member that cannot be made is one error that says why, and the others stay" {
	ensure --min 1
	mv "$B/config.json" "$T/away"
	answers 1 config.json pool ensure "$POOL" --min 2
	has 1 ready
	mv "$T/away" "$B/config.json"
	ok pool ensure "$POOL"
	has 2 ready
}

@test "pool: a missing bundle, and one that cannot be used again, are one error" {
	answers 1 "bundle $T/none" pool ensure "$POOL" --min 1 --bundle "$T/none"
	config '.root.readonly = false | .mounts += [{"destination": "/data", "type": "bind",
		"source": "'"$T/data"'", "options": ["rbind", "rw"]}]'
	mkdir "$T/data"
	answers 1 'cannot be reused' pool ensure "$POOL" --min 1 --bundle "$B"
}

@test "pool: bad names, bounds and words are refused" {
	local name
	for name in . .. .x a/b '' 'a b' "$(printf 'n%.0s' {1..65})"; do
		answers 1 'no name of a pool' pool ensure "$name" --min 1 --bundle "$B"
	done
	answers 1 'above max' pool ensure "$POOL" --min 3 --max 2 --bundle "$B"
	answers 1 'max' pool ensure "$POOL" --min 0 --max 0 --bundle "$B"
	answers 1 'max' pool ensure "$POOL" --min 99999999999 --bundle "$B"
	answers 1 'does not exist' pool ensure "$POOL" --min 1
	answers 1 'does not exist' pool status "$POOL"
	answers 1 'does not exist' lease acquire "$POOL" --ttl 1s
	answers 1 'none of' pool make "$POOL"
	answers 1 'not for it' pool drain "$POOL" --min 1
	answers 1 'invalid container ID' create -b "$B" .pools
	nothing_left
}

@test "pool: pool.json that cannot be believed is one error that names it" {
	ensure --min 1
	for text in '{"v":1' '{}' '{"v":1,"more":1}' ''; do
		echo "$text" >"$R/.pools/$POOL/pool.json"
		for verb in "status" "ensure" "drain" "killall" "remove"; do
			answers 1 pool.json pool "$verb" "$POOL"
		done
		answers 1 pool.json lease acquire "$POOL" --ttl 1s
	done
	# by hand
	rm -r "$R/.pools"
	ok delete --force "$POOL-1"
}

@test "pool: list and state are of the members, not of .pools" {
	ensure --min 1
	ok list -q
	out_is "$POOL-1"
	[ -z "$err" ] || fail "$err"
	ok state "$POOL-1"
	is "$(jq -r .brig.reuse.pool <<<"$out")" "$POOL"
}

# --- status -----------------------------------------------------------------------------------

@test "pool: status tells each condition, as table, JSON and OpenMetrics" {
	ensure --min 2
	acquire --holder me --key k1
	ok pool status "$POOL"
	out_has "$LEASED|leased.*me"
	out_has "ready +0 +-"
	is "$(pool '.members[] | select(.condition == "leased") | [.id, .key, .holder] | join(" ")')" "$LEASED k1 me"
	ok pool status --format json
	is "$(jq -r 'type, .[0].name' <<<"$out" | xargs)" "array $POOL"
	ok pool status "$POOL" --format openmetrics
	out_has "brig_pool_members\{pool=\"$POOL\",condition=\"ready\"\} 1"
	out_has "brig_pool_acquired_total\{pool=\"$POOL\"\} 1"
	"$TOP/tests/lib/openmetrics" <<<"$out"
	out_lacks "$TOKEN"
	answers 1 format pool status "$POOL" --format xml
}

# --- run --------------------------------------------------------------------------------------

@test "pool: run gives the program's output, input, exit code and result, and leaves a clean one" {
	ensure --min 1
	STDIN=$T/in
	echo hello >"$STDIN"
	b pool run "$POOL" --result "$T/result.json" -- sh -c 'cat; echo bad >&2; echo x >/tmp/left; exit 7'
	is "$status" 7
	out_is hello
	is "$err" bad
	is "$(jq -r '[.status, .exitCode, .generation] | join(" ")' "$T/result.json")" "exited 7 1"
	has 1 ready
	is "$(pool '.members[0].generation')" 2
	ok pool run "$POOL" -- sh -c '[ ! -e /tmp/left ]'
	counts acquired 2
	counts released 2
	counts reset 2
}

@test "pool: run ends what takes too long, and what cannot be executed is 126 or 127" {
	ensure --min 1
	b pool run "$POOL" --timeout 200ms -- sleep 100
	is "$status" 124
	b pool run "$POOL" -- /no/where
	is "$status" 127
	[[ $err == *"/no/where"* && $err != *$'\n'* ]] || fail "$err"
	b pool run "$POOL" -- /etc
	is "$status" 126
	has 1 ready
}

@test "pool: run takes a process from a file" {
	ensure --min 1
	echo '{"args": ["sh", "-c", "echo $X; pwd"], "env": ["X=17"], "cwd": "/tmp"}' >"$T/work.json"
	ok pool run "$POOL" --process "$T/work.json"
	is "$out" $'17\n/tmp'
	answers 125 either pool run "$POOL" --process "$T/work.json" -- true
	answers 125 either pool run "$POOL"
}

@test "pool: run that is told to end gives its sandbox back first" {
	ensure --min 1
	"${BR[@]}" pool run "$POOL" -- sleep 100 3>&- &
	job=$!
	wait_for 5 eval '[ "$(pool .conditions.running)" = 1 ]'
	kill -TERM $job
	status=0
	wait $job || status=$?
	is "$status" 143
	has 1 ready
}

@test "pool: run that is killed leaves a lease that runs out, which ends the program" {
	ensure --min 1
	"${BR[@]}" pool run "$POOL" --ttl 4s -- sleep 100 3>&- &
	job=$!
	wait_for 5 eval '[ "$(pool .conditions.running)" = 1 ]'
	kill -9 $job
	wait_for 15 eval '[ "$(condition "$POOL-1")" = used ]'
	b wait "$POOL-1"
	is "$(jq -r '[.status, .reason.class, .code] | join(" ")' <<<"$out")" "timeout lease 124"
	ok pool ensure "$POOL"
	has 1 ready
	counts expired 1
}

# overtaken ARGS: a `pool run` (job) is stopped until its lease has run out, and somebody else has the next
# generation: LEASED, TOKEN, whose program runs
overtaken() {
	prog 'sleep 100'
	ensure --min 1 --max 1
	"${BR[@]}" pool run "$POOL" --ttl 2s "$@" -- sleep 100 >"$T/run.out" 2>"$T/run.err" 3>&- &
	job=$!
	wait_for 10 eval '[ "$(pool .conditions.running)" = 1 ]'
	kill -STOP "$job"
	wait_for 10 eval '[ "$(condition "$POOL-1")" = used ]'
	acquire
	as start "$LEASED"
}
goes_on() {
	kill -CONT "$job"
	code=0
	wait "$job" || code=$?
}
# it runs, and is its holder's
still_runs() {
	is "$(condition "$LEASED")" running
	as exec "$LEASED" true
}

@test "pool: run whose lease has run out does not end what somebody else runs there by then" {
	# told to end while it was stopped
	overtaken --result "$T/result.json"
	kill -TERM "$job"
	goes_on
	still_runs
	is "$code" 143
	# How its own program ended is on record still.
	is "$(jq -r '[.status, .reason.class, .generation] | join(" ")' "$T/result.json")" "timeout lease 1"
	[ ! -s "$T/run.err" ] || fail "$(cat "$T/run.err")"
	release
	drop_pool
	# and out of its time
	overtaken --timeout 3s
	sleep 2
	goes_on
	still_runs
	is "$code" 124
	release
	drop_pool
	nothing_left
}

@test "pool: run whose lease has run out tells no other generation's end for its own" {
	overtaken --result "$T/result.json"
	release
	acquire
	is "$GEN" 3
	as start "$LEASED"
	goes_on
	still_runs
	is "$code" 77
	[[ $(cat "$T/run.err") =~ "the lease has run out".*"generation 1" ]] || fail "$(cat "$T/run.err")"
	is "$(wc -l <"$T/run.err")" 1
	[ ! -s "$T/result.json" ] || fail "$(cat "$T/result.json")"
	ok kill "$LEASED" KILL
	release
	drop_pool
	# one of another pool of that name, which begins with generation 1 as well
	overtaken
	drop_pool
	ensure --min 1 --max 1
	acquire
	is "$LEASED $GEN" "$POOL-1 1"
	as start "$LEASED"
	goes_on
	still_runs
	# Its files are gone; what the kernel still tells of its process it may say.
	[[ $code =~ ^(124|125|137)$ ]] || fail "$code"
	release
	drop_pool
	nothing_left
}

# --- drain, killall, remove -------------------------------------------------------------------

@test "pool: drain deletes those that nobody has, refuses leases, and spares what runs" {
	ensure --min 2
	acquire
	ok pool drain "$POOL"
	is "$(members)" "$LEASED"
	answers 76 draining lease acquire "$POOL" --ttl 1s
	answers 76 draining pool run "$POOL" -- true
	ok pool ensure "$POOL"
	is "$(members)" "$LEASED"
	release
	is "$(members)" ''
	ensure --min 1
	has 1 ready
}

@test "pool: drain leaves no member that was being reset while it passed" {
	local how job code n
	# A reset that takes its time: its hook does.
	printf '#!/bin/sh\n[ ! -e "%s" ] || sleep 1\n' "$T/slow" >"$T/hook"
	chmod 755 "$T/hook"
	admin "\"hooks_allowed\": [\"$T/hook\"]"
	config --arg p "$T/hook" '.hooks.poststop = [{"path": $p}]'
	for how in release ensure; do
		ensure --min 1 --max 1
		acquire
		: >"$T/slow"
		if [ "$how" = release ]; then
			"${BR[@]}" lease release "$LEASED" --lease "$TOKEN" >/dev/null 2>"$T/why" 3>&- &
		else
			release --defer
			"${BR[@]}" pool ensure "$POOL" >/dev/null 2>"$T/why" 3>&- &
		fi
		job=$!
		wait_for 5 eval '[ "$(condition "$LEASED")" = resetting ]'
		ok pool drain "$POOL"
		is "$(members)" ''
		answers 76 draining lease acquire "$POOL" --ttl 1s
		rm "$T/slow"
		code=0
		wait "$job" || code=$?
		is "$code" 0
		is "$(members)" ''
		drop_pool
	done
	nothing_left
}

@test "pool: killall takes leases back and ends what runs" {
	prog 'sleep 100'
	ensure --min 2
	acquire
	as start "$LEASED"
	ok pool killall "$POOL"
	wait_for 5 has_ended "$LEASED"
	answers 77 lease lease renew "$LEASED" --lease "$TOKEN" --ttl 9s
	ok pool ensure "$POOL"
	has 2 ready
}

@test "pool: killall ends what runs also where it is tainted, or used up, or its files are damaged" {
	local what
	prog 'sleep 100'
	for what in tainted retired lease.json state.json; do
		ensure --min 1 --max-uses 1
		acquire
		as start "$LEASED"
		case $what in
		tainted)
			ok taint "$LEASED" --reason seen
			jq -c '.token = null' "$R/$LEASED/lease.json" >"$T/lease" && cp "$T/lease" "$R/$LEASED/lease.json"
			;;
		retired) jq -c '.token = null' "$R/$LEASED/lease.json" >"$T/lease" && cp "$T/lease" "$R/$LEASED/lease.json" ;;
		*.json) echo '{' >"$R/$LEASED/$what" ;;
		esac
		is "$(condition "$LEASED")" "${what/*.json/damaged}"
		pid=$(jq -r .pid "$R/$LEASED/state.copy")
		kill -0 "$pid"
		ok pool killall "$POOL"
		gone() { ! kill -0 "$pid" 2>/dev/null || [[ $(cat "/proc/$pid/stat" 2>/dev/null) == *") Z"* ]]; }
		wait_for 5 gone || fail "$what"
		# Nobody gets it any more, whoever had it.
		ok pool ensure "$POOL"
		has 1 ready
		[ ! -e "$R/$LEASED" ] || fail "$what is still there"
		drop_pool
	done
	nothing_left
}

@test "pool: killall does not take what was given to somebody else while it was at work" {
	local killer
	local -A token
	prog 'sleep 100'
	ensure --min 2
	for _ in 1 2; do
		acquire
		token[$LEASED]=$TOKEN
	done
	# It comes to the first one, and has to wait there: somebody has its lock.
	exec 9<"$R/$POOL-1"
	flock 9
	"${BR[@]}" pool killall "$POOL" >"$T/killed" 2>&1 3>&- 9>&- &
	killer=$!
	sleep 0.5
	ok lease release "$POOL-2" --lease "${token[$POOL-2]}"
	acquire
	is "$LEASED $GEN" "$POOL-2 2"
	as start "$LEASED"
	exec 9>&-
	wait "$killer" || fail "$(cat "$T/killed")"
	is "$(condition "$POOL-1")" used
	is "$(condition "$POOL-2")" running
	as exec "$POOL-2" true
	# one that is begun after it takes that, too
	ok pool killall "$POOL"
	wait_for 5 has_ended "$POOL-2"
}

@test "pool: remove is refused while somebody has a member, and takes all with --force" {
	ensure --min 2
	acquire
	answers 75 leased pool remove "$POOL"
	ok pool remove --force "$POOL"
	nothing_left
	answers 1 'does not exist' pool remove "$POOL"
}

@test "pool: a plain user is not allowed" {
	ensure --min 1
	chmod 711 "$R"
	b_as_nobody() { status=0; setpriv --reuid 65534 --regid 65534 --clear-groups "${BR[@]}" "$@" >"$T/out" 2>"$T/err" || status=$?; }
	b_as_nobody pool ensure "$POOL"
	is "$status" 77
	b_as_nobody lease acquire "$POOL" --ttl 1s
	is "$status" 77
}

# --- many at once -----------------------------------------------------------------------------

@test "pool: of eight ensures at once none makes more than max, and all end well" {
	local n pids=()
	for n in 1 2 3 4 5 6 7 8; do
		"${BR[@]}" pool ensure "$POOL" --bundle "$B" --min 3 --max 3 >"$T/out.$n" 2>&1 3>&- &
		pids+=($!)
	done
	for n in "${pids[@]}"; do wait "$n" || fail "$(cat "$T"/out.*)"; done
	has 3 ready
	is "$(pool '.members | length')" 3
	is "$(find "$R/.pools/$POOL" -name 'making.*' | wc -l)" 0
}

@test "pool: run --behind answers when its program has ended, and the sandbox is reset all the same" {
	ensure --min 1 --max 1
	# Whoever reads its output to the end does not wait for the reset.
	is "$("${BR[@]}" pool run "$POOL" --behind -- sh -c 'echo said; echo x >/tmp/left' 3>&-)" said
	clean() { [ "$(pool '.counters.reset')" = 1 ] && [ "$(pool .conditions.ready)" = 1 ]; }
	wait_for 10 clean
	ok pool run "$POOL" --behind -- sh -c '[ ! -e /tmp/left ]'
	b pool run "$POOL" --wait 5s --behind -- sh -c 'exit 7'
	again() { [ "$(pool .counters.reset)" = 3 ] && [ "$(pool .conditions.ready)" = 1 ]; }
	is "$status" 7
	wait_for 10 again
	CHECKED_LATER=1 refused behind pool ensure "$POOL" --behind
	drop_pool
	nothing_left
}

@test "pool: run --behind, killed behind with all that it has made, leaves what the next one clears up" {
	ensure --min 1 --max 1
	"${BR[@]}" pool run "$POOL" --behind -- true </dev/null 3>&-
	pkill -KILL -f "pool run $POOL" || :
	ok pool run "$POOL" --wait 5s -- sh -c '[ ! -e /tmp/left ]'
	has 1 ready
	drop_pool
	nothing_left
}
