#!/usr/bin/env bats
load helpers
load ../lib/net
# policy learn with a network: what was asked for, reached and refused

setup_file() { NET_LEAN=1 net_up; }
teardown_file() { net_down; }

D=
learns() {
	D=$T/learned
	b policy learn --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK --net veth -o "$D" "$@"
	[ "$status" = 0 ] || fail "learn $*: status $status" "out: $out" "err: $err"
	nothing_left
}
replays() {
	b policy check --replay "$D" --id "$ID" --env BRIG_TEST_MARK "${@:2}"
	[ "$status" = "$1" ] || fail "replay $*: status $status" "out: $out" "err: $err"
	nothing_left
}
name() { jq -r --arg n "$1" '[.names[] | select(.name == $n) | .verdict] | join(" ")' "$D/learned.json"; }

@test "learn: names that were asked for, and addresses" {
	names() {
		# what a program that was watched before may have left there
		mkdir -p "$T/learned"
		ln -sf "$T/victim" "$T/learned/.flows.tmp"
		learns --egress api.example.org:443 --egress CIDR:203.0.113.20:443 -- sh -c \
			'probe dns api.example.org; probe dns other.example.org; probe tcp 203.0.113.10 443'
		[[ $(name api.example.org) == *answered* ]] || fail "$(jq .names "$D/learned.json")"
		is "$(name other.example.org)" not-listed
		jq -e 'any(.addresses[]; .how == "connect" and .to == "203.0.113.10:443")' "$D/learned.json"
		jq -e '.families | index("AF_INET")' "$D/learned.json"
		is "$(jq -r '.flags[] | select(startswith("--egress"))' "$D/learned.json")" \
			'--egress api.example.org:443'
		[ ! -e "$T/victim" ]
		[ ! -L "$D/.flows.tmp" ] && [ ! -e "$D/.flows.tmp" ]
		ok policy check "$D/learned.json" "$D/seccomp.json"
		# what was refused then is expected
		replays 0
		out_has 'other.example.org +not-listed +[0-9]+ +denied'
	}
	both names
}

@test "learn: what the network refuses in a replay is told" {
	learns --egress api.example.org:443 -- probe dns api.example.org
	replays 0
	replays 76 -- probe dns more.example.org
	out_has 'more.example.org +not-listed +[0-9]+ +-'
	replays 76 --format json -- probe tcp 203.0.113.20 443
	jq -e 'any(.denied[]; .name == "203.0.113.20:443" and .answer == "denied" and (.expected | not))' <<<"$out"
}
