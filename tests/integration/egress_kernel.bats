#!/usr/bin/env bats
load helpers
load ../lib/net
# What older kernels do otherwise, in one file with few servers: for the virtual machines (tests/vm).

setup_file() {
	export NET_LEAN=1
	net_up
}
teardown_file() { net_down; }

element() { # FIELD: of the only element of name4
	in_sandbox nft -nj list map inet brig name4 | jq ".nftables[].map? | select(.) | .elem[0][0].elem.$1"
}

# Before 6.12 an element's time is not changed by adding it again.
@test "kernel: a name opens what it leads to, each lookup for its time again" {
	up --timeout 2h --egress short.example.org --ingress 8000
	refused_in 203.0.113.10 443
	inside dns short.example.org
	[[ $out == 'NOERROR 203.0.113.10/'* ]] || fail "$out"
	says_in ok tcp 203.0.113.10 443
	refused_in 203.0.113.20 443
	says_in REFUSED dns other.example.org
	local first before
	first=$(element expires)
	# longer than what lies between the answer and a look at its time, in tests/vm, too
	local some=4
	[ "${LIMIT:-10}" -lt 60 ] || some=10
	less() { [ "$(element expires)" -lt "$((first - some))" ]; }
	wait_for 60 less
	before=$(element expires)
	# its answer is older than its TTL
	inside dns short.example.org
	[[ $out == 'NOERROR 203.0.113.10/'* ]] || fail "$out"
	[ "$(element expires)" -gt "$before" ] || fail "$before, then $(element expires)"
}

@test "kernel: grants come, end by themselves and are revoked, with what is established" {
	talks --egress CIDR:203.0.113.10:9000
	says_told ok dial 1 203.0.113.10 9000
	says_told ECONNREFUSED tcp 203.0.113.20 9000
	ok grant "$ID" 'network:CIDR:203.0.113.20:9000 ttl=3s'
	says_told ok dial 2 203.0.113.20 9000
	says_told 'ok a' say 2 a
	ends() { tell say 2 x; [[ $reply != ok* ]]; }
	wait_for 10 ends
	says_told 'ok b' say 1 b
	ok revoke "$ID" network:CIDR:203.0.113.10:9000
	tell say 1 c
	[[ $reply != ok* ]] || fail "$reply"
	says_told ECONNREFUSED tcp 203.0.113.10 9000
	says_told ECONNREFUSED tcp 203.0.113.20 9000
}

@test "kernel: limits hold and are counted, and nft lists the table" {
	veth_ok --result "$T/result.json" --flows "$T/flows" --egress CIDR:203.0.113.0/24:9000 --egress api.example.org --net-rate 10 \
		--net-open 4 --net-conns 6 --net-bytes 1m --net-bandwidth 1m --ingress 8000 -- \
		sh -c 'probe many 5 203.0.113.10 9000; sleep 1; probe many 5 203.0.113.10 9000 close; sleep 1; probe tcp 203.0.113.10 22; true'
	is "$(head -n 1 <<<"$out")" 'passed 4 refused 1 other 0'
	is "$(tail -n 1 <<<"$out")" ECONNREFUSED
	[ "$(jq '[.limits[] | select(.name | startswith("connections"))] | length' "$T/result.json")" -ge 1 ]
	[ "$(jq '.network.connections' "$T/result.json")" -ge 4 ] || fail "$(<"$T/result.json")"
	grep -q '"203.0.113.10"' "$T/flows"
	up --egress CIDR:203.0.113.0/24:9000 --egress api.example.org --net-rate 10 --net-open 4 --net-conns 6 --net-bytes 1m \
		--net-bandwidth 1m --ingress 8000
	in_sandbox nft list table inet brig | grep -q 'map @cidr4'
}

@test "kernel: IPv6 by veth, where the host forwards it" {
	at high
	up --egress 'CIDR:[2001:db8::/32]:443'
	says_in ok tcp 2001:db8::10 443
	refused_in 2001:db8::10 9000
	ok delete --force "$ID"
	[ ! -e /proc/sys/net/ipv6/conf/all/force_forwarding ] || return 0
	in_host sh -c "echo 0 >/proc/sys/net/ipv6/conf/all/forwarding"
	no_veth 'net.ipv6.conf.all.forwarding' --egress 'CIDR:[2001:db8::/32]:443' -- true
	forwards6 0
}

@test "kernel: who has packet sockets at custom is filtered at the device" {
	config '.annotations = {"dev.brig.egress": "[{\"cidr\":\"203.0.113.10\",\"p\":[9000]}]"}
		| .process.args = ["sh", "-c", "probe tcp 203.0.113.10 9000; probe tcp 203.0.113.20 9000; true"]
		| .process.capabilities |= map_values(["CAP_NET_RAW"])
		| .linux.namespaces |= map(if .type == "network" then .path = env.NET + "/pod" else . end)'
	join_net pod
	at custom
	ok run -b "$B" "$ID"
	is "$out" $'ok\nECONNREFUSED'
	in_net pod nft list ruleset | grep -q 'type filter hook egress device "eth0"'
	leave_net pod
	not_arrived '203.0.113.20 .*'
}
