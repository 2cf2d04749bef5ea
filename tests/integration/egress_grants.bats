#!/usr/bin/env bats
load helpers
load ../lib/net
# Grants for addresses: what they let through, and that nothing else leaves.

setup_file() { net_up; }
teardown_file() { net_down; }

@test "egress: without a grant a sandbox with devices reaches nobody" {
	nobody() {
		up --egress CIDR:203.0.113.20:1
		refused_in 203.0.113.10 443
		refused_in 2001:db8::10 443
		says_in EPERM udp 203.0.113.10 9000
		unreached_in udp 2001:db8::10 9000
		is "$(arrived)" ''
	}
	both nobody
}

@test "egress: a range is reached at its port" {
	range() {
		up --egress CIDR:203.0.113.0/24:443
		says_in ok tcp 203.0.113.10 443
		says_in ok tcp 203.0.113.20 443
		has_arrived '203.0.113.20 6 443'
	}
	both range
}

@test "egress: an IPv6 range is reached at its port" {
	range6() {
		up --egress 'CIDR:[2001:db8::/32]:443'
		says_in ok tcp 2001:db8::10 443
		refused_in 2001:db8::10 80
		refused_in 203.0.113.10 443
		has_arrived '2001:db8::10 6 443'
	}
	both range6
}

@test "egress: datagrams pass by a grant for UDP, in fragments, too" {
	datagrams() {
		up --egress CIDR:203.0.113.10:9000/udp --egress 'CIDR:[2001:db8::10]:9000/udp'
		says_in 'ok 4 from 203.0.113.10' udp 203.0.113.10 9000
		says_in 'ok 3000 from 203.0.113.10' udp 203.0.113.10 9000 3000
		says_in 'ok 3000 from 2001:db8::10' udp 2001:db8::10 9000 3000
	}
	both datagrams
}

@test "egress: fragments to a port that is not granted do not leave" {
	up --egress CIDR:203.0.113.10:9000/udp
	says_in EPERM udp 203.0.113.10 443 3000
	unreached_in udp 2001:db8::10 9000 3000
	is "$(arrived)" ''
}

@test "egress: ports in ranges and lists" {
	up --egress CIDR:203.0.113.10:9000-9002,22
	local p
	for p in 22 9000 9001 9002; do says_in ok tcp 203.0.113.10 $p; done
	for p in 21 23 8999 9003; do refused_in 203.0.113.10 $p; done
}

@test "egress: of overlapping ranges each opens its own ports" {
	up --egress CIDR:203.0.113.0/24:443 --egress CIDR:203.0.113.10:443,80 --egress CIDR:203.0.113.0/28:9000-9003 \
		--egress CIDR:203.0.113.10:9002
	says_in ok tcp 203.0.113.10 80
	says_in ok tcp 203.0.113.10 443
	says_in ok tcp 203.0.113.10 9001
	says_in ok tcp 203.0.113.10 9002
	says_in ok tcp 203.0.113.20 443
	refused_in 203.0.113.20 80
	refused_in 203.0.113.20 9001
}

@test "egress: another port of an address that is granted is refused" {
	port() {
		up --egress CIDR:203.0.113.10:443
		refused_in 203.0.113.10 80
		refused_in 203.0.113.10 8443
		is "$(arrived)" ''
	}
	both port
}

@test "egress: an address beside the range is refused" {
	up --egress CIDR:203.0.113.0/28:443
	refused_in 203.0.113.20 443
	refused_in 198.51.100.5 443
	is "$(arrived)" ''
}

@test "egress: name servers of others are refused, by UDP and by TCP" {
	servers() {
		up --egress CIDR:203.0.113.10:443 --egress api.example.org
		says_in EPERM dns api.example.org server=203.0.113.53
		says_in ECONNREFUSED dns api.example.org server=203.0.113.53 tcp
		not_arrived '203.0.113.53 [0-9]+ 53'
	}
	both servers
}

@test "egress: DNS over TLS and over HTTPS at others is refused" {
	up --egress CIDR:203.0.113.10:443
	refused_in 203.0.113.10 853
	says_in EPERM udp 203.0.113.10 853
	refused_in 203.0.113.20 443
	is "$(arrived)" ''
}

@test "egress: a grant for TCP opens no UDP at its port" {
	up --egress CIDR:203.0.113.10:443
	says_in EPERM udp 203.0.113.10 443
	not_arrived '203.0.113.10 17 443'
}

@test "egress: addresses in disguise are refused" {
	disguise() {
		up --egress 'CIDR:[2001:db8::10]:443'
		unreached_in tcp ::ffff:203.0.113.10 443
		unreached_in tcp ::203.0.113.10 443
		unreached_in tcp 64:ff9b::203.0.113.10 443
		unreached_in tcp 0.0.0.0 22
		unreached_in tcp :: 22
		is "$(arrived)" ''
	}
	both disguise
}

@test "egress: a mapped address is what it maps to" {
	up --egress CIDR:203.0.113.10:443
	says_in ok tcp ::ffff:203.0.113.10 443
	refused_in ::ffff:203.0.113.20 443
}

@test "egress: echo requests leave only by a grant for icmp" {
	echoes() {
		up --egress CIDR:203.0.113.10:443 --egress 'CIDR:[2001:db8::10]:443'
		unreached_in ping 203.0.113.10
		unreached_in ping 2001:db8::10
		in_sandbox "$LIB_TOP/build/bin/probe" ping 203.0.113.10 || :
		in_sandbox "$LIB_TOP/build/bin/probe" ping 2001:db8::10 || :
		is "$(arrived)" ''
	}
	both echoes
}

@test "egress: a grant for icmp lets echo requests out, and nothing else" {
	up --egress CIDR:203.0.113.10/icmp --egress 'CIDR:[2001:db8::10]/icmp'
	is "$(in_sandbox "$LIB_TOP/build/bin/probe" ping 203.0.113.10)" ok
	is "$(in_sandbox "$LIB_TOP/build/bin/probe" ping 2001:db8::10)" ok
	refused_in 203.0.113.10 443
	in_sandbox "$LIB_TOP/build/bin/probe" ping 203.0.113.20 || :
	not_arrived '203.0.113.20 1 0'
}

@test "egress: the loopback of the sandbox works, and it is its own" {
	loops() {
		veth_ok --egress CIDR:203.0.113.10:443 -- sh -c 'probe listen 8000 127.0.0.1 >/tmp/l &
			until grep -q listening /tmp/l; do :; done; probe tcp 127.0.0.1 8000 hello
			probe tcp 127.0.0.1 22; probe tcp ::1 22 || :'
		[[ $out =~ ^ok\ hello.ECONNREFUSED.(ECONNREFUSED|EADDRNOTAVAIL)$ ]] || fail "$out"
	}
	both loops
}

@test "egress: private addresses and the metadata service are refused below a range for all" {
	never() {
		local a
		up --egress 'CIDR:203.0.113.0/24:80'
		for a in 169.254.169.254 10.9.9.9 192.168.9.9 fd00:ec2::254 fd00::9; do
			refused_in $a 80
		done
		is "$(arrived)" ''
	}
	both never
}

@test "egress: the caller's own range reaches a private address" {
	up --egress CIDR:10.9.9.9:80
	says_in ok tcp 10.9.9.9 80
	refused_in 192.168.9.9 80
}

@test "egress: an address planted among the learned ones is refused when it is private" {
	up --egress api.example.org:80
	in_sandbox nft 'add element inet brig name4 { 169.254.169.254 . tcp . 80 : 0xb20001 }'
	in_sandbox nft 'add element inet brig name4 { 10.9.9.9 . tcp . 80 : 0xb20001 }'
	refused_in 169.254.169.254 80
	refused_in 10.9.9.9 80
	is "$(arrived)" ''
}

@test "egress: never of brig.json holds for a name, too" {
	EGRESS='"never": ["203.0.113.0/24"]'
	admin ''
	up --egress api.example.org:443 --egress files.example.org
	says_in REFUSED dns api.example.org
	refused_in 203.0.113.10 443
}

@test "egress: a time-bounded grant ends, established connections, too" {
	ends() {
		talks --egress 'CIDR:203.0.113.10:9000 ttl=1500ms' --egress CIDR:203.0.113.20:9000
		says_told ok dial 1 203.0.113.10 9000
		says_told ok dial 2 203.0.113.20 9000
		refuses_by_itself() { tell say 1 x; [[ $reply != ok* ]]; }
		wait_for 10 refuses_by_itself
		says_told ECONNREFUSED tcp 203.0.113.10 9000
		says_told 'ok y' say 2 y
		hushes
		is "$status" 0
		rm "$T/tell"
	}
	both ends
}

@test "egress: a time-bounded grant ends although nobody of brig lives" {
	up --egress 'CIDR:203.0.113.10:9000 ttl=2s'
	says_in ok tcp 203.0.113.10 9000
	# what the kernel has is enough: the processes are stopped
	local p
	ok state "$ID"
	for p in $(jq -r '.brig | .warden.pid, .network.resolver.pid' "$T/out"); do
		kill -STOP "$p"
	done
	over() { [ "$(in_sandbox "$LIB_TOP/build/bin/probe" tcp 203.0.113.10 9000)" = ECONNREFUSED ]; }
	wait_for 10 over
	for p in $(jq -r '.brig | .warden.pid, .network.resolver.pid' "$T/out"); do
		kill -CONT "$p"
	done
}
