#!/usr/bin/env bats
load helpers
load ../lib/net
# Grants that come and go while the sandbox runs.

setup_file() { net_up; }
teardown_file() { net_down; }

@test "revoke: an established connection ends with its grant, another lives" {
	revoked() {
		talks --egress CIDR:203.0.113.10:9000 --egress CIDR:203.0.113.20:9000
		says_told ok dial 1 203.0.113.10 9000
		says_told ok dial 2 203.0.113.20 9000
		says_told 'ok a' say 1 a
		ok revoke "$ID" network:CIDR:203.0.113.10/32:9000/tcp
		tell say 1 b
		[[ $reply != ok* ]] || fail "$reply"
		says_told 'ok b' say 2 b
		says_told ECONNREFUSED tcp 203.0.113.10 9000
		hushes
		rm "$T/tell"
	}
	both revoked
}

@test "revoke: what the other side sends is stopped, too" {
	talks --egress CIDR:203.0.113.10:9003
	says_told ok dial 1 203.0.113.10 9003
	tell hear 1
	[[ $reply == ok* ]]
	ok revoke "$ID" network:CIDR:203.0.113.10/32:9003/tcp
	stopped() { tell hear 1; [ "$reply" = silence ]; }
	wait_for 10 stopped
}

@test "revoke: a name closes what it led to, and is not answered any more" {
	talks --egress api.example.org:9000 --egress files.example.org:9000
	says_told 'NOERROR 203.0.113.10/60' dns api.example.org
	says_told 'NOERROR 203.0.113.20/60' dns files.example.org
	says_told ok dial 1 203.0.113.10 9000
	ok revoke "$ID" network:api.example.org
	tell say 1 x
	[[ $reply != ok* ]] || fail "$reply"
	says_told ECONNREFUSED tcp 203.0.113.10 9000
	says_told REFUSED dns api.example.org
	says_told ok tcp 203.0.113.20 9000
	says_told 'NOERROR 203.0.113.20/60' dns files.example.org
}

@test "revoke: of two names with one address, the other stays open" {
	talks --egress api.example.org:9000 --egress git.example.org:9000
	says_told 'NOERROR 203.0.113.10/60' dns api.example.org
	says_told 'NOERROR 203.0.113.10/60' dns git.example.org
	ok revoke "$ID" network:api.example.org
	says_told 'NOERROR 203.0.113.10/60' dns git.example.org
	says_told ok tcp 203.0.113.10 9000
}

@test "revoke: what was never granted is an error" {
	up --egress CIDR:203.0.113.10:9000
	no revoke "$ID" network:files.example.org
	err_has files.example.org
	says_in ok tcp 203.0.113.10 9000
}

@test "grant: an address, while it runs" {
	granted() {
		up --egress CIDR:203.0.113.10:9000
		refused_in 203.0.113.20 9001
		ok grant "$ID" network:CIDR:203.0.113.20:9001
		says_in ok tcp 203.0.113.20 9001
		refused_in 203.0.113.20 9000
		ok revoke "$ID" network:CIDR:203.0.113.20
		refused_in 203.0.113.20 9001
		says_in ok tcp 203.0.113.10 9000
	}
	both granted
}

@test "grant: a name, while it runs" {
	up --egress api.example.org:443
	says_in REFUSED dns files.example.org
	ok grant "$ID" network:files.example.org:9000
	says_in 'NOERROR 203.0.113.20/60' dns files.example.org
	says_in ok tcp 203.0.113.20 9000
}

@test "grant: for a time" {
	up --egress CIDR:203.0.113.10:443
	ok grant "$ID" 'network:CIDR:203.0.113.20:9000 ttl=1500ms'
	says_in ok tcp 203.0.113.20 9000
	over() { inside tcp 203.0.113.20 9000; [ "$out" = ECONNREFUSED ]; }
	wait_for 10 over
}

@test "grant: the same one again is no error" {
	up --egress CIDR:203.0.113.10:9000
	ok grant "$ID" network:CIDR:203.0.113.10:9000
	says_in ok tcp 203.0.113.10 9000
}

@test "grant: revoked, granted again, works" {
	up --egress CIDR:203.0.113.10:9000
	ok revoke "$ID" network:CIDR:203.0.113.10
	refused_in 203.0.113.10 9000
	ok grant "$ID" network:CIDR:203.0.113.10:9000
	says_in ok tcp 203.0.113.10 9000
}

@test "grant: nonsense, another kind, a sandbox without network or that is no more" {
	local g
	up --egress CIDR:203.0.113.10:9000
	for g in network:'*' network:http://x network: network:CIDR:300.1.1.1 network:x:99999 \
		network:203.0.113.10 elsewhere:x.org ''; do
		no grant "$ID" "$g"
	done
	no grant "$ID-not" network:api.example.org
	ok kill "$ID" KILL
	becomes stopped
	no grant "$ID" network:CIDR:203.0.113.20:1
}

@test "grant: a sandbox that has no rules cannot be granted anything" {
	ok run --rootfs "$B/rootfs" --id "$ID" -d -- sleep 1000
	no grant "$ID" network:api.example.org
}

@test "grant: beyond the ceiling of brig.json is refused" {
	EGRESS='"ceiling": ["*.example.org", "CIDR:203.0.113.0/24"]'
	admin ''
	up --egress api.example.org
	no grant "$ID" network:a.wild.example
	err_has ceiling
	ok grant "$ID" network:files.example.org
}
