#!/usr/bin/env bats
load helpers
load ../lib/pool

# Leases: who may use a member of a pool, and until when.  docs/pools.md

more_setup() { pool_setup; }
more_teardown() {
	"${BR[@]}" pool remove --force "$POOL" >/dev/null 2>&1 || :
}

# --- one holder -------------------------------------------------------------------------------

@test "lease: two holders never have the same sandbox" {
	ensure --min 2
	acquire
	one=$LEASED
	acquire
	[ "$one" != "$LEASED" ]
	answers 75 'none is free' lease acquire "$POOL" --ttl 1s
	has 2 leased
}

@test "lease: eight callers at once get eight sandboxes, and the ninth none" {
	local n pids=()
	ensure --min 8
	for n in 1 2 3 4 5 6 7 8; do
		"${BR[@]}" lease acquire "$POOL" --ttl 60s >"$T/lease.$n" 2>"$T/err.$n" 3>&- &
		pids+=($!)
	done
	for n in "${pids[@]}"; do wait "$n" || fail "$(cat "$T"/err.*)"; done
	is "$(jq -r .id "$T"/lease.[1-8] | sort -u | wc -l)" 8
	is "$(jq -r .token "$T"/lease.[1-8] | sort -u | wc -l)" 8
	answers 75 'none is free' lease acquire "$POOL" --ttl 1s
}

@test "lease: acquire makes a member when there is room" {
	ensure --min 0 --max 1
	has 0 ready
	acquire
	has 1 leased
}

@test "lease: --wait waits until one is given back" {
	ensure --min 1
	acquire
	start=$EPOCHREALTIME
	"${BR[@]}" lease acquire "$POOL" --ttl 9s --wait 20s >"$T/second" 2>&1 3>&- &
	waiter=$!
	sleep 0.3
	[ ! -s "$T/second" ]
	# it sleeps meanwhile: ticks of user and system time
	read -r -a f <"/proc/$waiter/stat"
	[ $((f[13] + f[14])) -lt 15 ] || fail "busy: ${f[13]} ${f[14]}"
	release
	wait "$waiter" || fail "$(cat "$T/second")"
	is "$(jq -r .id "$T/second")" "$LEASED"
	counts waited 1
}

@test "lease: --wait ends after its time with 75" {
	ensure --min 1
	acquire
	SECONDS=0
	answers 75 'none is free' lease acquire "$POOL" --ttl 1s --wait 1s
	[ $SECONDS -ge 1 ] && [ $SECONDS -lt 6 ]
}

@test "lease: --wait waits until another's lease has run out" {
	ensure --min 1
	ok lease acquire "$POOL" --ttl 1s
	ok lease acquire "$POOL" --ttl 1s --wait 8s
	is "$(jq -r .generation <<<"$out")" 2
	counts expired 1
}

# --- the token --------------------------------------------------------------------------------

@test "lease: start, exec, reset and grant need the token" {
	prog 'sleep 100'
	ensure --min 1
	acquire
	answers 77 'leased' start "$LEASED"
	answers 77 'leased' exec "$LEASED" true
	answers 77 'leased' reset "$LEASED"
	answers 77 'leased' grant "$LEASED" network:example.org:443
	wrong=${TOKEN//[0-7]/8}
	answers 77 'not the token' start --lease "$wrong" "$LEASED"
	answers 77 'not the token' start --lease "${TOKEN}0" "$LEASED"
	answers 77 'not the token' start --lease x "$LEASED"
	is "$(condition "$LEASED")" leased
	as start "$LEASED"
	as exec "$LEASED" true
	BRIG_LEASE=$TOKEN b exec "$LEASED" true
	is "$status" 0
	BRIG_LEASE=$wrong b exec "$LEASED" true
	is "$status" 77
	as reset --kill "$LEASED"
	is "$(condition "$LEASED")" leased
}

@test "lease: what a leased one wrote is for its holder: diff, collect, commit and discard need the token" {
	local verb
	prog 'echo mine >/tmp/made'
	ensure --min 1 --keep-layers
	acquire
	as start "$LEASED"
	wait_for 5 has_ended "$LEASED"
	wrong=${TOKEN//[0-7]/8}
	for verb in "diff $LEASED" "collect $LEASED /tmp/made $T/made" "commit $LEASED" "discard $LEASED"; do
		# shellcheck disable=SC2086
		answers 77 'leased' $verb
		# shellcheck disable=SC2086
		answers 77 'not the token' $verb --lease "$wrong"
	done
	[ ! -e "$T/made" ]
	as diff "$LEASED"
	out_has /tmp/made
	as collect "$LEASED" /tmp/made "$T/made"
	is "$(cat "$T/made")" mine
	answers 76 'no overlay volume' commit --lease "$TOKEN" "$LEASED"
	as discard "$LEASED"
	answers 76 'gone' diff --lease "$TOKEN" "$LEASED"
}

@test "lease: pause, resume and a delete without --force of a leased one need the token" {
	prog 'sleep 100'
	ensure --min 1
	acquire
	as start "$LEASED"
	answers 77 'leased' pause "$LEASED"
	is "$(condition "$LEASED")" running
	as pause "$LEASED"
	answers 77 'leased' resume "$LEASED"
	ok state "$LEASED"
	is "$(jq -r .status <<<"$out")" paused
	BRIG_LEASE=$TOKEN ok resume "$LEASED"
	ok kill "$LEASED" KILL
	wait_for 5 has_ended "$LEASED"
	answers 77 'leased' delete "$LEASED"
	as delete "$LEASED"
	is "$(members)" ''
}

@test "lease: of a member that nobody has, root looks at what it wrote, pauses and deletes it without one" {
	prog 'echo mine >/tmp/made'
	ensure --min 1 --keep-layers
	acquire
	as start "$LEASED"
	wait_for 5 has_ended "$LEASED"
	# whoever held it is gone, and its lease has run out
	jq '.expiresNs = .acquiredNs + 1' "$R/$LEASED/lease.json" >"$T/l"
	cat "$T/l" >"$R/$LEASED/lease.json"
	answers 77 'run out' diff --lease "$TOKEN" "$LEASED"
	ok diff "$LEASED"
	out_has /tmp/made
	ok discard "$LEASED"
	ok delete "$LEASED"
}

@test "lease: the token is written down nowhere" {
	ensure --min 1
	acquire
	! grep -rF "$TOKEN" "$R" || fail "the token is in the state"
	[[ $TOKEN =~ ^[0-9a-f]{32}$ ]]
	is "$(lease_of "$LEASED" .token)" "$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)"
	is "$(stat -c %a "$R/$LEASED/lease.json")" 600
}

@test "lease: a member of a pool is used by lease only" {
	ensure --min 1
	answers 77 'by lease only' start "$POOL-1"
	answers 77 'by lease only' exec "$POOL-1" true
	answers 77 'no such lease' start --lease 00000000000000000000000000000000 "$POOL-1"
}

@test "lease: who may kill and delete needs no token" {
	prog 'sleep 100'
	ensure --min 2
	acquire
	as start "$LEASED"
	ok kill "$LEASED" KILL
	wait_for 5 has_ended "$LEASED"
	ok delete --force "$LEASED"
}

@test "lease: a token for one that has no lease is refused, BRIG_LEASE is not minded there" {
	ok create --reuse -b "$B" "$ID"
	answers 77 'no such lease' start --lease 00000000000000000000000000000000 "$ID"
	BRIG_LEASE=00000000000000000000000000000000 ok start "$ID"
}

@test "lease: bad times, keys and words are refused" {
	ensure --min 1
	answers 1 ttl lease acquire "$POOL"
	answers 1 ttl lease acquire "$POOL" --ttl 0s
	answers 1 ttl lease acquire "$POOL" --ttl 99999h
	answers 1 key lease acquire "$POOL" --ttl 1s --key 'a b'
	answers 1 holder lease acquire "$POOL" --ttl 1s --holder "$(printf 'n%.0s' {1..257})"
	answers 1 'none of' lease get "$POOL" --ttl 1s
	answers 1 'not for it' lease release "$POOL-1" --ttl 1s
	answers 77 token lease release "$POOL-1"
	answers 77 token lease renew "$POOL-1" --ttl 1s
	has 1 ready
}

# --- renew and expiry -------------------------------------------------------------------------

@test "lease: one that runs out ends what runs, and only that" {
	prog 'sleep 100'
	ensure --min 2
	acquire
	as start "$LEASED"
	stays=$LEASED
	ok lease acquire "$POOL" --ttl 3s
	id=$(jq -r .id <<<"$out") TOKEN=$(jq -r .token <<<"$out")
	as start "$id"
	wait_for 15 has_ended "$id"
	b wait "$id"
	is "$(jq -r '[.status, .reason.class, .code] | join(" ")' <<<"$out")" "timeout lease 124"
	is "$(condition "$stays")" running
	answers 77 'run out' exec --lease "$TOKEN" "$id" true
	answers 77 'run out' lease renew "$id" --lease "$TOKEN" --ttl 9s
	answers 77 'run out' lease release "$id" --lease "$TOKEN"
}

@test "lease: renew moves the end of what runs to a later time" {
	prog 'sleep 100'
	ensure --min 1
	ok lease acquire "$POOL" --ttl 3s
	LEASED=$(jq -r .id <<<"$out") TOKEN=$(jq -r .token <<<"$out")
	as start "$LEASED"
	ok lease renew "$LEASED" --lease "$TOKEN" --ttl 7s
	sleep 3.5
	is "$(condition "$LEASED")" running
	wait_for 15 has_ended "$LEASED"
}

@test "lease: renew never moves it to an earlier time" {
	ensure --min 1
	acquire
	before=$(lease_of "$LEASED" .expiresNs)
	ok lease renew "$LEASED" --lease "$TOKEN" --ttl 1s
	is "$(lease_of "$LEASED" .expiresNs)" "$before"
	[ "$(jq .expiresMs <<<"$out")" -gt 30000 ]
}

@test "lease: what was parked under a lease that ran out is made anew before anybody gets it" {
	ensure --min 1
	ok lease acquire "$POOL" --ttl 300ms --key k
	sleep 0.4
	is "$(condition "$POOL-1")" used
	acquire --key k
	is "$GEN" 2
	counts expired 1
}

@test "lease: one of another boot does not hold" {
	ensure --min 1
	acquire
	jq '.bootId = "00000000-0000-0000-0000-000000000000"' "$R/$LEASED/lease.json" >"$T/l"
	cat "$T/l" >"$R/$LEASED/lease.json"
	is "$(condition "$LEASED")" used
	answers 77 'run out' start --lease "$TOKEN" "$LEASED"
}

# --- release ----------------------------------------------------------------------------------

@test "lease: release ends what runs, resets it and prints the report" {
	prog 'sleep 100'
	ensure --min 1
	acquire
	as start "$LEASED"
	release
	is "$(jq -r '[.op, .id, .from_gen, .gen, .clean] | join(" ")' <<<"$out")" "reset $LEASED 1 2 true"
	is "$(condition "$LEASED")" ready
	answers 77 'no such lease' lease release "$LEASED" --lease "$TOKEN"
}

@test "lease: release --defer ends it, and leaves the reset to the next acquire" {
	prog 'sleep 100'
	ensure --min 1
	acquire
	as start "$LEASED"
	pid=$(jq .pid "$R/$LEASED/state.json")
	release --defer
	out_is ''
	gone "$pid"
	is "$(condition "$LEASED")" used
	acquire
	is "$GEN" 2
}

@test "lease: release of a tainted one is 76, and the next ensure replaces it" {
	ensure --min 1
	acquire
	as start "$LEASED"
	ok taint --reason test "$LEASED"
	answers 76 tainted lease release "$LEASED" --lease "$TOKEN"
	is "$(condition "$LEASED")" tainted
	acquire
	is "$LEASED" "$POOL-2"
	counts tainted 1
}

@test "lease: a retired one that runs is ended by release" {
	prog 'sleep 100'
	ensure --min 1 --max-uses 1
	acquire
	as start "$LEASED"
	answers 76 'not to be used again' lease release "$LEASED" --lease "$TOKEN"
	wait_for 5 has_ended "$LEASED"
	is "$(condition "$LEASED")" retired
}

@test "lease: its holder may reset it, and then it is still his, and used" {
	ensure --min 1
	acquire
	as start "$LEASED"
	wait_for 5 has_ended "$LEASED"
	as reset "$LEASED"
	is "$(condition "$LEASED")" leased
	as start --expect-gen 2 "$LEASED"
	release
	is "$(jq -r .gen <<<"$out")" 3
}

@test "lease: a wrong generation is 75" {
	ensure --min 1
	acquire
	answers 75 'generation 9' start --lease "$TOKEN" --expect-gen 9 "$LEASED"
	answers 75 'generation 9' reset --lease "$TOKEN" --expect-gen 9 "$LEASED"
}

# --- keys -------------------------------------------------------------------------------------

@test "lease: of a used one only the same key gets it again" {
	ensure --min 2
	acquire --key a
	id=$LEASED
	release
	is "$(pool ".members[] | select(.id == \"$id\") | .key")" a
	acquire --key b
	[ "$LEASED" != "$id" ]
	acquire --key a
	is "$LEASED" "$id"
}

@test "lease: when all are another tenant's, one is deleted and a new one made" {
	ensure --min 1
	acquire --key a
	release
	acquire --key b
	is "$LEASED" "$POOL-2"
	is "$GEN" 1
	is "$(members)" "$POOL-2"
	release
	acquire
	is "$LEASED" "$POOL-3"
}

@test "lease: with cross_tenant a clean one is for anybody" {
	admin '"reuse": {"cross_tenant": true}'
	ensure --min 1
	acquire --key a
	release
	acquire --key b
	is "$LEASED $GEN" "$POOL-1 2"
}

# --- damage -----------------------------------------------------------------------------------

@test "lease: lease.json that cannot be believed is one error that names it" {
	local verb
	ensure --min 1
	acquire
	for text in '{"v":1' '{}' '' '{"v":1,"more":1}' "$(head -c 9000 /dev/zero | tr '\0' ' ')"; do
		echo "$text" >"$R/$LEASED/lease.json"
		answers 1 lease.json start --lease "$TOKEN" "$LEASED"
		answers 1 lease.json reset --lease "$TOKEN" "$LEASED"
		answers 1 lease.json lease release "$LEASED" --lease "$TOKEN"
		answers 255 lease.json exec --lease "$TOKEN" "$LEASED" true
		is "$(condition "$LEASED")" damaged
	done
}

@test "lease: what runs when its lease.json is damaged ends when its time has come" {
	prog 'sleep 100'
	ensure --min 1
	ok lease acquire "$POOL" --ttl 3s
	TOKEN=$(jq -r .token <<<"$out")
	as start "$POOL-1"
	echo '{' >"$R/$POOL-1/lease.json"
	wait_for 15 has_ended "$POOL-1"
}

@test "lease: nothing that a reset leaves behind has its holder's token in its words" {
	local pid key
	ensure --min 1
	acquire
	as reset "$LEASED"
	BRIG_LEASE=$TOKEN ok verify "$LEASED"
	for how in option environment; do
		if [ $how = option ]; then as reset "$LEASED"; else BRIG_LEASE=$TOKEN ok reset "$LEASED"; fi
		for key in pid wardenPid; do
			pid=$(jq -r .$key "$R/$LEASED/state.json")
			[ -e "/proc/$pid/cmdline" ]
			for f in cmdline environ; do
				! grep -qaF "$TOKEN" "/proc/$pid/$f" || fail "$how: $key has it in its $f"
			done
		done
	done
	ok lease release "$LEASED" --lease "$TOKEN"
	run ! grep -rqF "$TOKEN" "$T/audit" "$R"
	drop_pool
}

@test "lease: limits of a member are changed by who has it only" {
	local id
	ensure --min 1
	id=$(members)
	answers 77 'used by lease only' update --pids-limit 77 "$id"
	acquire
	answers 77 'its token is needed' update --pids-limit 77 "$LEASED"
	ok verify "$LEASED"
	as update --pids-limit 77 "$LEASED"
	BRIG_LEASE=$TOKEN ok update --pids-limit 78 "$LEASED"
	b verify "$LEASED"
	is "$status" 76
	release
	drop_pool
}
