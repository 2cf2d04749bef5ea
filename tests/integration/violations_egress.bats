#!/usr/bin/env bats
load helpers
load ../lib/net
# Connections and names that are not granted, as violations.  docs/violations.md

setup_file() { net_up; }
teardown_file() { net_down; }

tried() { jq -r '.violations[] | select(.class == "egress") | [.name, .response, (.count > 0)] | map(tostring) | join(" ")' "$1" 2>/dev/null | sort; }
has_tried() { tried "$R/$ID/violations" | grep -q "^$1"; }
answered() {
	level_file mine "\"extends\": \"standard\", \"violations\": {\"egress\": {\"response\": \"$1\"${2:+, \"after\": $2}}}"
	at mine
}
frozen() { ok state "$ID" && [ "$(jq -r .status "$T/out")" = paused ]; }
stopped() { ok state "$ID" && [ "$(jq -r .status "$T/out")" = stopped ]; }

@test "violations: what is refused of the network is counted, detached and in the foreground" {
	counted() {
		up --egress api.example.org:443
		inside tcp 203.0.113.20 25
		inside dns evil.example.com
		wait_for 10 has_tried '203.0.113.20:25/tcp warn'
		wait_for 10 has_tried 'evil.example.com warn'
		ok kill "$ID" KILL
		b wait "$ID"
		printf '%s\n' "$out" >"$T/result"
		[ "$(tried "$T/result" | wc -l)" -ge 2 ]
		is "$(jq -r '.taint // "none"' "$T/result")" none
		ok delete "$ID"
		veth_ok --egress api.example.org:443 --result "$T/result" -- \
			sh -c 'probe tcp 203.0.113.20 25; probe tcp 203.0.113.20 26; sleep 0.5'
		tried "$T/result" | grep -q '^203.0.113.20:26/tcp warn'
	}
	both counted
}

@test "violations: ... and what is granted is not" {
	veth_ok --egress api.example.org:443 --result "$T/result" -- \
		sh -c 'probe dns api.example.org; sleep 0.5'
	is "$(tried "$T/result")" ''
}

@test "violations: what is refused of the network ends, or freezes, where the level says so" {
	answered terminate 2
	exits 159 --net veth --egress api.example.org:443 --result "$T/result" -- \
		sh -c 'probe tcp 203.0.113.20 25; sleep 1; probe tcp 203.0.113.20 26; sleep 100'
	is "$(jq -r '[.status, .reason.class] | join(" ")' "$T/result")" "violation egress"
	answered quarantine
	ok run --rootfs "$B/rootfs" --id "$ID" -d --keep --net veth --egress api.example.org:443 -- \
		sh -c 'probe tcp 203.0.113.20 25 >/dev/null; sleep 100'
	wait_for 10 frozen
	is "$(tried "$R/$ID/violations")" "203.0.113.20:25/tcp quarantine true"
}
