#!/usr/bin/env bats
load helpers
load ../lib/pool

# What the audit log is told about leases.  docs/audit.md

more_setup() {
	pool_setup
	at high
	LOG=$T/audit/audit.jsonl
}
more_teardown() {
	"${BR[@]}" pool remove --force "$POOL" >/dev/null 2>&1 || :
}

# events: of leases, in their order; record EVENT JQ: of its last one
events() { jq -r 'select(.ev | startswith("Lease")) | .ev | ltrimstr("Lease")' "$LOG" | xargs; }
record() { jq -rs --arg ev "$1" 'map(select(.ev == $ev)) | last | '"$2" "$LOG"; }
sum() { printf 'sha256:%s' "$(printf %s "$1" | sha256sum | cut -d' ' -f1)"; }
intact() {
	ok audit verify
	[[ $out == *intact* ]] || fail "$out"
}

@test "lease audit: acquire, renew and release are written down, the names of key and holder hashed" {
	local lease
	ensure --min 1
	acquire --key tenant-7 --holder controller-1
	ok lease renew "$LEASED" --lease "$TOKEN" --ttl 90s
	release
	is "$(events)" 'Acquired Renewed Released'
	lease=sha256:$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)
	is "$(record LeaseAcquired '[.id, .gen, .level, .action, .outcome, .source, .sev] | join(" ")')" \
		"$LEASED 1 high acquire ok cli info"
	is "$(record LeaseAcquired .principal)" "$(sum controller-1)"
	is "$(record LeaseAcquired .data.key)" "$(sum tenant-7)"
	is "$(record LeaseAcquired '[.data.pool, .data.lease, .data.ttl_ms] | join(" ")')" "$POOL $lease 60000"
	is "$(record LeaseRenewed '[.action, .data.lease, .data.ttl_ms] | join(" ")')" "renew $lease 90000"
	is "$(record LeaseReleased '[.gen, .action, .data.lease, .data.key] | join(" ")')" \
		"1 release $lease $(sum tenant-7)"
	! grep -e tenant-7 -e controller-1 -e "$TOKEN" "$LOG" || fail "a name, or the token, is in the log"
	intact
}

@test "lease audit: without --key and --holder nothing is said of them" {
	ensure --min 1
	acquire
	is "$(record LeaseAcquired '[.data.key, .principal] | tostring')" '[null,null]'
	# what changes nothing is not told
	ok lease renew "$LEASED" --lease "$TOKEN" --ttl 1s
	is "$(events)" Acquired
}

@test "lease audit: the warden tells that a lease has run out, once" {
	prog 'sleep 100'
	ensure --min 1
	ok lease acquire "$POOL" --ttl 3s --key k
	id=$(jq -r .id <<<"$out") TOKEN=$(jq -r .token <<<"$out")
	as start "$id"
	wait_for 15 has_ended "$id"
	is "$(events)" 'Acquired Expired'
	is "$(record LeaseExpired '[.id, .gen, .action, .source, .sev, .data.pool, .data.key] | join(" ")')" \
		"$id 1 expire warden notice $POOL $(sum k)"
	is "$(record LeaseExpired .data.lease)" "$(record LeaseAcquired .data.lease)"
	ok pool ensure "$POOL"
	counts expired 1
	is "$(events)" 'Acquired Expired'
	intact
}

@test "lease audit: of one that ran out while nothing ran, whoever clears up tells, once" {
	ensure --min 1
	ok lease acquire "$POOL" --ttl 200ms
	sleep 0.3
	is "$(events)" Acquired
	ok pool ensure "$POOL"
	is "$(events)" 'Acquired Expired'
	is "$(record LeaseExpired '[.id, .gen, .source] | join(" ")')" "$POOL-1 1 cli"
	ok pool ensure "$POOL"
	is "$(events)" 'Acquired Expired'
	# and of one whose program had ended by itself before
	prog true
	ok lease acquire "$POOL" --ttl 4s
	TOKEN=$(jq -r .token <<<"$out")
	as start "$POOL-1"
	wait_for 5 has_ended "$POOL-1"
	sleep 4
	ok pool ensure "$POOL"
	is "$(events)" 'Acquired Expired Acquired Expired'
	is "$(record LeaseExpired '[.gen, .source] | join(" ")')" "2 cli"
	intact
}

@test "lease audit: killall tells each lease that it takes back" {
	prog 'sleep 100'
	ensure --min 2
	acquire
	one=$LEASED
	as start "$LEASED"
	acquire --holder me
	ok pool killall "$POOL"
	wait_for 5 has_ended "$one"
	is "$(jq -r 'select(.ev == "LeaseRevoked") | .id' "$LOG" | sort | xargs)" "$POOL-1 $POOL-2"
	is "$(record LeaseRevoked '[.action, .source, .sev] | join(" ")')" 'killall cli notice'
	is "$(jq -r 'select(.ev == "LeaseRevoked") | .principal // empty' "$LOG")" "$(sum me)"
	ok pool ensure "$POOL"
	ok pool killall "$POOL"
	is "$(jq -r 'select(.ev == "LeaseRevoked") | .id' "$LOG" | wc -l)" 2
	intact
}

@test "lease audit: pool run writes acquire and release" {
	ensure --min 1
	ok pool run "$POOL" -- true
	is "$(events)" 'Acquired Released'
	intact
}

@test "lease audit: where the log is required and cannot be written, nobody gets or keeps one longer" {
	ensure --min 1 --max 1
	acquire
	before=$(lease_of "$LEASED" .expiresNs)
	mv "$T/audit" "$T/away"
	: >"$T/audit"
	answers 1 'audit' lease renew "$LEASED" --lease "$TOKEN" --ttl 1h
	is "$(lease_of "$LEASED" .expiresNs)" "$before"
	# it ends all the same
	b lease release "$LEASED" --lease "$TOKEN" --defer
	is "$status" 0
	is "$(lease_of "$LEASED" .token)" null
	rm "$T/audit"
	mv "$T/away" "$T/audit"
	ok pool ensure "$POOL"
	has 1 ready
	mv "$T/audit" "$T/away"
	: >"$T/audit"
	answers 1 'audit' lease acquire "$POOL" --ttl 9s
	is "$(condition "$POOL-1")" ready
	rm "$T/audit"
	mv "$T/away" "$T/audit"
}

@test "lease audit: where no log is wanted there is none" {
	at standard
	ensure --min 1
	acquire
	release
	[ ! -e "$T/audit" ] || ! grep Lease "$LOG" || fail "a log"
}
