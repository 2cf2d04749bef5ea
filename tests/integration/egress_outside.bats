#!/usr/bin/env bats
load helpers
load ../lib/net
# With CAP_NET_RAW at custom, and name servers that are no place outside.

setup_file() { net_up; }
teardown_file() { net_down; }
more_teardown() { [ ! -e "$NET/pod" ] || leave_net pod; }

# raw_pod CIDR: a container in the namespace "pod" with that grant, at port 9000, and CAP_NET_RAW
raw_pod() {
	at custom
	jq --arg net "$NET/pod" --arg grant "[{\"cidr\":\"$1\",\"p\":[9000]}]" '
		.linux.namespaces |= map(if .type == "network" then .path = $net else . end)
		| .annotations."dev.brig.egress" = $grant | .process.args = ["sleep", "1000"]
		| .process.capabilities |= with_entries(.value += ["CAP_NET_RAW"])' "$B/config.json" >"$T/c" &&
		mv "$T/c" "$B/config.json"
	ok run -d -b "$B" "$ID"
}

@test "outside: packet sockets are filtered at a device of a high number, too" {
	local mac
	join_net pod
	# devices are numbered on as long as a namespace lives
	ips host <<-END
		link del pod0
	END
	in_net pod ip link add eth0 index 70000 type veth peer name pod0 netns "$NET/host"
	ips host <<-END
		addr add 10.244.0.1/24 dev pod0
		link set pod0 up
	END
	ips pod <<-END
		addr add 10.244.0.2/24 dev eth0
		link set eth0 up
		route add default via 10.244.0.1
	END
	raw_pod 203.0.113.20/32
	mac=$(in_host ip -j link show pod0 | jq -r '.[0].address')
	b exec "$ID" probe packet eth0 "$mac" 10.244.0.2 203.0.113.10 9000
	is "$out" ENOBUFS
	not_arrived '203.0.113.10 17 9000'
}

@test "outside: what only neighbours are told does not leave for elsewhere" {
	join_net pod
	in_inet nft 'add rule inet seen in icmpv6 type nd-neighbor-advert add @six { ip6 daddr . meta l4proto . 136 }'
	raw_pod 2001:db8::20/128
	# what is granted makes the gateway's address known: nothing waits for it
	b exec "$ID" probe tcp 2001:db8::20 9000
	is "$out" ok
	b exec "$ID" probe advert 2001:db8::10
	b exec "$ID" probe tcp 2001:db8::20 9000
	is "$out" ok
	not_arrived '2001:db8::10 58 136'
}

@test "outside: a name server that is everybody's own address is none" {
	local a
	join_net pod
	for a in 0.0.0.0 :: 127.0.0.1 ::1; do
		refuses "--resolver: an address of the loopback" --net "join:$NET/pod" --resolver $a --egress api.example.org -- true
		printf '{"v": 1, "levels": "%s", "ids": {"directory": "%s"}, "egress": {"resolvers": ["%s"]}}\n' \
			"$T/levels" "$T/ids" "$a" >"$T/brig.json"
		refuses "resolvers: an address of the loopback" --net "join:$NET/pod" --egress api.example.org -- true
	done
}
