#!/usr/bin/env bats
load helpers
load ../lib/net
# The devices that --net veth makes, the host's table, and the sandbox's as nft(8) lists it.

setup_file() { net_up; }
teardown_file() { net_down; }

rules() { jq "[.nftables[] | $1]" "$T/table.json"; }
inside_address() { in_sandbox ip -j "-$1" address show eth0 | jq -r '[.[0].addr_info[] | select(.scope == "global").local][0]'; }
# A second sandbox beside the test's own.
beside() {
	ok run --rootfs "$B/rootfs" --id "$ID-b" -d --net veth "$@" -- sh -c 'probe listen 8000 & exec sleep 1000'
	OTHER=$(jq -r .pid <<<"$("${BR[@]}" state "$ID-b")")
}

@test "veth: every base chain drops what no rule let through" {
	chains() {
		up --egress api.example.org --egress CIDR:203.0.113.0/24:443 --egress 'CIDR:[2001:db8::/32]:443'
		table
		is "$(rules 'select(.chain.table == "brig" and .chain.hook) | .chain | "\(.family) \(.hook) \(.policy)"' | jq -r 'sort | join(", ")')" \
			'inet forward drop, inet input drop, inet output drop'
	}
	both chains
}

@test "veth: the listing has the plan's grants, and only those" {
	# 2001:db8:1::1 is the host's own, so it is not in the range that was asked for.
	listed() {
		local ids got
		up --egress CIDR:203.0.113.0/24:443 --egress CIDR:198.51.100.5:8000-8100/udp --egress api.example.org:443 \
			--egress 'CIDR:[2001:db8::/32]:443' --egress 'CIDR:10.9.9.9:80 ttl=1h'
		table
		ids=$(jq -r '[.grants[].id] | sort | map(tostring) | join(" ")' "$R/$ID/egress.json")
		got=$(rules 'select(.set.name == "grants") | .set.elem[] | if type == "object" then .elem.val else . end' |
			jq -r 'sort | map(select(. < 11730941)) | map(tostring) | join(" ")')
		is "$got" "$ids"
		is "$(rules 'select(.map) | .map | select(.name | test("cidr|open")) | .elem[] | .[0] | .. | .concat? | select(.)' |
			jq -cS 'sort | .[]' | tr -d '\n')" \
			'["10.9.9.9",6,80]["198.51.100.5",17,{"range":[8000,8100]}][{"prefix":{"addr":"203.0.113.0","len":24}},6,443][{"range":["2001:db8:1::2","2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"]},6,443][{"range":["2001:db8::","2001:db8:1::"]},6,443]'
	}
	both listed
}

@test "veth: the listing is what nft itself can read" {
	# nft 1.0.6 asks Linux 6.12.117 for a conversion of bytes that it has not
	unshare -n nft -cf - <<-'END' 2>/dev/null || skip "this nft cannot load a map by protocol and port here"
		table inet x {
			map m { type ipv4_addr . inet_proto . inet_service : mark; flags interval; }
			chain c { ct mark set ip daddr . meta l4proto . th dport map @m accept; }
		}
	END
	up --egress api.example.org --egress CIDR:203.0.113.0/24:443 --ingress 8000 --net-rate 10 --net-open 5 --net-conns 9 \
		--net-bytes 1m --net-bandwidth 1m
	in_sandbox nft list table inet brig >"$T/listing"
	unshare -n nft -cf "$T/listing"
}

@test "veth: the table names the policy that it came from" {
	up --egress CIDR:203.0.113.0/24:443
	in_sandbox nft list table inet brig >"$T/a"
	jq -e '.digest | startswith("sha256:")' "$R/$ID/egress.json"
}

@test "veth: the sandbox has an address and a route, of IPv6 as well" {
	up --egress CIDR:203.0.113.0/24:443 --egress 'CIDR:[2001:db8::/32]:443'
	[[ $(inside_address 4) == 10.201.* ]]
	[[ $(inside_address 6) == fd62:* ]]
	[ "$(in_sandbox ip -j link | jq length)" = 2 ]
	is "$(in_sandbox ip -j route show default | jq length)" 1
	is "$(in_sandbox ip -j -6 route show default | jq length)" 1
}

@test "veth: the pool of brig.json is used, and one that overlaps a route is refused" {
	EGRESS='"pool": "10.77.0.0/24"'
	admin ''
	up --egress CIDR:203.0.113.0/24:443
	[[ $(inside_address 4) == 10.77.0.* ]]
	says_in ok tcp 203.0.113.10 443
	ok delete --force "$ID"
	EGRESS='"pool": "192.0.2.0/24"'
	admin ''
	no_veth '192\.0\.2' --egress CIDR:203.0.113.0/24:443 -- true
}

@test "veth: without a grant for IPv6 there is none" {
	none() {
		veth_ok --egress CIDR:203.0.113.0/24:443 -- sh -c 'ip -6 addr | grep -c inet6 || :'
		is "$(tr -d 0 <<<"$out")" ''
	}
	both none
}

@test "veth: sandboxes do not reach each other" {
	apart() {
		local four six
		beside --egress CIDR:203.0.113.10:443 --egress 'CIDR:[2001:db8::10]:443' --ingress 8000
		PID=$OTHER
		four=$(inside_address 4) six=$(inside_address 6)
		up --egress CIDR:10.201.0.0/16:1-65535 --egress 'CIDR:[fd62:7269:6700::/64]:1-65535' --egress CIDR:203.0.113.10:443
		is "$(in_host "$LIB_TOP/build/bin/probe" tcp "$four" 8000 hello)" 'ok hello'
		PATIENCE=1500 unreached_in tcp "$four" 8000 hello
		PATIENCE=1500 unreached_in tcp "$six" 8000 hello
		ok delete --force "$ID-b"
	}
	both apart
}

@test "veth: a foreign source address does not pass the host, even from a packet socket" {
	local mac four
	up --egress CIDR:203.0.113.10:9000/udp
	mac=$(in_host ip -j link | jq -r '[.[] | select(.ifname | startswith("brg"))][0].address')
	four=$(inside_address 4)
	# as root in its namespace, past its own rules: its own address passes the host
	is "$(in_sandbox "$LIB_TOP/build/bin/probe" packet eth0 "$mac" "$four" 203.0.113.10 9002)" ok
	came() { grep -q '203.0.113.10 17 9002' <<<"$(arrived)"; }
	wait_for 5 came
	local f
	for f in 198.51.100.77 10.201.255.253 192.0.2.1 127.0.0.1; do
		is "$(in_sandbox "$LIB_TOP/build/bin/probe" packet eth0 "$mac" $f 203.0.113.10 9001)" ok
	done
	# one more honest packet: what was sent before would have come by now
	in_sandbox "$LIB_TOP/build/bin/probe" packet eth0 "$mac" "$four" 203.0.113.10 9003
	came() { grep -q '203.0.113.10 17 9003' <<<"$(arrived)"; }
	wait_for 5 came
	not_arrived '203.0.113.10 17 9001'
}

@test "veth: packet sockets to the host's own addresses do not pass either" {
	local mac four
	up --egress CIDR:203.0.113.10:9000/udp
	mac=$(in_host ip -j link | jq -r '[.[] | select(.ifname | startswith("brg"))][0].address')
	four=$(inside_address 4)
	in_host nft -f - <<-'END'
		table inet watch {
			counter c { }
			chain in { type filter hook input priority 300; udp dport 9000 counter name c; }
		}
	END
	in_sandbox "$LIB_TOP/build/bin/probe" packet eth0 "$mac" "$four" 192.0.2.1 9000
	in_sandbox "$LIB_TOP/build/bin/probe" packet eth0 "$mac" "$four" 203.0.113.10 9003
	came() { grep -q '203.0.113.10 17 9003' <<<"$(arrived)"; }
	wait_for 5 came
	is "$(in_host nft -j list counter inet watch c | jq '.nftables[].counter? | select(.) | .packets')" 0
	in_host nft delete table inet watch
}

@test "veth: the host forwards for the sandbox's device, not for others" {
	local before
	before=$(in_host cat /proc/sys/net/ipv4/ip_forward)
	up --egress CIDR:203.0.113.10:443
	says_in ok tcp 203.0.113.10 443
	is "$(in_host cat /proc/sys/net/ipv4/ip_forward)" "$before"
}

@test "veth: the host's other tables are left alone" {
	in_host nft 'add table inet mine; add chain inet mine c; add rule inet mine c counter'
	up --egress CIDR:203.0.113.10:443
	ok delete --force "$ID"
	in_host nft list table inet mine | grep -q counter
	in_host nft delete table inet mine
}

@test "veth: a device of the host whose name begins as ours is left alone" {
	in_host ip link add brguest type veth peer name guest0 netns "$NET/inet"
	ips host <<-END
		addr add 172.30.0.1/30 dev brguest
		link set brguest up
	END
	ips inet <<-END
		addr add 172.30.0.2/30 dev guest0
		link set guest0 up
	END
	is "$(in_inet "$LIB_TOP/build/bin/probe" tcp 172.30.0.1 9000)" ok
	up --egress CIDR:203.0.113.10:443
	is "$(in_inet "$LIB_TOP/build/bin/probe" tcp 172.30.0.1 9000)" ok
	unreached_in tcp 172.30.0.1 9000
	ips host <<<"link del brguest"
}

@test "veth: the host's table comes back when it was flushed" {
	up --egress CIDR:203.0.113.10:443
	says_in ok tcp 203.0.113.10 443
	ok delete --force "$ID"
	in_host nft flush ruleset
	up --egress CIDR:203.0.113.10:443
	says_in ok tcp 203.0.113.10 443
}

@test "veth: a flushed table of the host closes, it opens nothing" {
	up --egress CIDR:203.0.113.10:443
	in_host nft flush ruleset
	inside tcp 203.0.113.10 443
	[ "$out" != ok ]
	ok delete --force "$ID"
}

@test "join: a namespace that others have made gets rules of its own" {
	joined() {
		join_net joined
		direct --net "join:$NET/joined" --egress CIDR:203.0.113.10:443 -- sh -c \
			'probe tcp 203.0.113.10 443; probe tcp 203.0.113.10 80; probe tcp 10.9.9.9 80'
		is "$out" $'ok\nECONNREFUSED\nECONNREFUSED'
		leave_net joined
	}
	both joined
}

@test "join: a table that sets marks of connections is named, and nothing starts" {
	join_net joined
	in_net joined nft 'add table inet mesh; add chain inet mesh c { type filter hook output priority -200; }
		add rule inet mesh c ct mark set 0xb20001'
	direct --net "join:$NET/joined" --egress CIDR:203.0.113.10:443 -- true
	is "$status" 125
	one_line mesh
	leave_net joined
}

@test "join: another policy's rules are named, and nothing starts; the same policy joins" {
	join_net joined
	direct --net "join:$NET/joined" --egress CIDR:203.0.113.10:443 -- probe tcp 203.0.113.10 443
	is "$out" ok
	direct --net "join:$NET/joined" --egress CIDR:203.0.113.10:443 -- probe tcp 203.0.113.10 443
	is "$out" ok
	direct --net "join:$NET/joined" --egress CIDR:203.0.113.10:80 -- true
	is "$status" 125
	one_line sha256
	leave_net joined
}
