#!/usr/bin/env bats
load helpers
load ../lib/levels
# A sandbox that keeps what it was granted for longer, or turns brig's own mounting against its mounts

D=

docs() {
	D=$T/a/b/docs
	mkdir -p "$D"
	echo hello >"$D/f"
	chmod -R a+rX "$T/a"
	cp "$TOOLS/moves" "$B/rootfs/bin/moves"
}
inside() { b exec "$ID" sh -c "$1"; }
mounts() { inside "grep -v ' /run/grants' /proc/self/mountinfo | cut -d' ' -f4-"; }
await() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || fail "never: $*"
		sleep 0.05
	done
}
log_says() { jq -es "any(.[]; $1)" "$T/audit/audit.jsonl" >/dev/null; }
is_over() { b state "$ID" && [ "$(jq -r .status "$T/out")" = stopped ]; }

# A grant in a writable place, whose path the program may change.
keeps() { # GRANT-WORDS ARGS of moves
	local words=$1
	shift
	ok run -d --rootfs "$B/rootfs" --id "$ID" --user 0:0 --env BRIG_TEST_MARK \
		--grant "filesystem:read:$D$words" --grant filesystem:write:/tmp -- moves "$@"
}

@test "attack: a link at /run/grants does not make brig unmount what it leads to" {
	docs
	local before
	for LEVEL in standard high; do
		at $LEVEL
		ok run -d --rootfs "$B/rootfs" --id "$ID" --user 0:0 --env BRIG_TEST_MARK -- sh -c "mkdir /run/x
			ln -s /proc/sys /run/x/docs; ln -s /run/x /run/grants; sleep 100"
		await 5 inside 'test -L /run/grants'
		mounts
		before=$out
		no grant "$ID" "filesystem:read:$D"
		one_line 'the sandbox has put something else at /run/grants'
		mounts
		is "$out" "$before"
		ok delete --force "$ID"
	done
}

@test "attack: a program that moves its grant at its first instruction has it until its end only" {
	docs
	local before
	for LEVEL in standard high; do
		at $LEVEL
		ok run -d --rootfs "$B/rootfs" --id "$ID" --user 0:0 --env BRIG_TEST_MARK \
			--grant "filesystem:read:$D" -- moves "${D%/b/docs}" "$T/elsewhere" "$D"
		await 5 inside "test -e $T/elsewhere/b/docs/f"
		mounts
		before=$out
		ok revoke "$ID" "filesystem:read:$D"
		inside "cat $T/elsewhere/b/docs/f"
		[ "$status" != 0 ] || fail "it is in force still"
		mounts
		is "$(diff <(echo "$before") <(echo "$out") | grep -c '^[<>]')" 1
		ok delete --force "$ID"
	done
}

@test "attack: a path of any length that changes all the time keeps no grant from its end" {
	docs
	keeps '' deep "${D%/b/docs}" 300
	sleep 0.5
	ok revoke "$ID" "filesystem:read:$D"
	ok delete --force "$ID"
	# By its time: taken back, or the sandbox is ended; not that it goes on with it.
	keeps ' ttl=1s' deep "${D%/b/docs}" 300
	ended() { is_over || log_says ".id == \"$ID\" and .ev == \"CapabilityExpired\""; }
	await 5 ended
}

@test "attack: what is granted at a start, and what is not, is on the record" {
	docs
	admin "\"grants\": {\"paths\": [\"$T/none\"]}"
	succeeds --grant "filesystem:read:$D" --grant filesystem:write:/data --grant memory:limit:64M -- true
	log_says ".ev == \"CapabilityGranted\" and .data.grants ==
		[\"filesystem:read:$D\", \"filesystem:write:/data\", \"memory:limit:64M\"]"
	config '.annotations["dev.brig.grant"] = "[\"filesystem:read:'"$D"'\"]" | .process.args = ["true"]'
	ok run --bundle "$B" "$ID"
	log_says ".ev == \"CapabilityDenied\" and .resource == \"filesystem:read:$D\" and (.data.reason | test(\"grants.paths\"))"
}

@test "attack: the audit log is not shown under another name of a directory that contains it" {
	docs
	mkdir -p "$T/var/log" "$T/alias"
	admin "\"audit\": {\"path\": \"$T/var/log/brig/audit.jsonl\"}, \"grants\": {\"paths\": [\"$T\"]}"
	succeeds -- true
	mount --bind "$T/var" "$T/alias" && MOUNTED+=("$T/alias")
	exits 125 --grant "filesystem:read:$T/alias" -- true
	one_line "audit log"
	config '.mounts += [{"destination": "/mnt", "type": "bind", "source": "'"$T/alias"'", "options": ["bind"]}]'
	no run --bundle "$B" "$ID"
	one_line "audit log"
}

@test "attack: who asks for a weaker level is on the record of the one that holds" {
	config '.annotations["dev.brig.level"] = "custom"'
	no run --bundle "$B" "$ID"
	one_line 'is weaker than the default level'
	log_says '.ev == "SandboxRefused" and .level == "high" and (.data.error | test("weaker"))'
}
