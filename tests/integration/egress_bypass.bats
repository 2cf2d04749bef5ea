#!/usr/bin/env bats
load helpers
load ../lib/net
# Ways around the rules, tried from inside.

setup_file() { net_up; }
teardown_file() { net_down; }

@test "bypass: raw sockets and headers of one's own are refused" {
	raw() {
		up --egress CIDR:203.0.113.10:443
		inside header 192.0.2.99 203.0.113.10 443
		[[ $out =~ ^(EPERM|EPROTONOSUPPORT|EACCES)$ ]] || fail "$out"
		inside raw 1 203.0.113.10
		[[ $out =~ ^(EPERM|EPROTONOSUPPORT|EACCES)$ ]] || fail "$out"
		is "$(arrived)" ''
	}
	both raw
}

@test "bypass: tunnels of other protocols are refused, and by the rules, too" {
	tunnels() {
		local p
		up --egress CIDR:203.0.113.10:443
		for p in 4 41 47 50 132; do
			inside raw $p 203.0.113.10
			[[ $out =~ ^(EPERM|EPROTONOSUPPORT|EACCES)$ ]] || fail "$p: $out"
			is "$(in_sandbox "$LIB_TOP/build/bin/probe" raw $p 203.0.113.10)" EPERM
		done
		is "$(arrived)" ''
	}
	both tunnels
}

@test "bypass: packet sockets are refused" {
	packets() {
		up --egress CIDR:203.0.113.10:443
		inside packet eth0 ff:ff:ff:ff:ff:ff 192.0.2.99 203.0.113.10 443
		[[ $out =~ ^(EPERM|EAFNOSUPPORT)$ ]] || fail "$out"
		is "$(arrived)" ''
	}
	both packets
}

@test "bypass: source routes are refused" {
	routes() {
		up --egress CIDR:203.0.113.10:443
		says_in EPERM route lsrr 203.0.113.20
		says_in EPERM route ssrr 203.0.113.20
	}
	both routes
}

@test "bypass: the mark that the name service uses cannot be set, nor can transparency" {
	marks() {
		up --egress api.example.org
		says_in EPERM option mark 0xb2ffff
		says_in EPERM option transparent 1
		inside option transparent6 1
		[ "$out" != ok ]
	}
	both marks
}

@test "bypass: IPv6 behind extension headers is what it carries" {
	extended() {
		up --egress 'CIDR:[2001:db8::10]:9001/udp'
		inside extended 2001:db8::10 9000
		inside extended 2001:db8::20 9001
		is "$(arrived)" ''
	}
	both extended
}

@test "bypass: IPv6 link-local addresses are out of reach" {
	up --egress 'CIDR:[2001:db8::10]:443'
	local gateway
	gateway=$(in_sandbox ip -j -6 route show default | jq -r '.[0].gateway')
	unreached_in tcp "$gateway" 22
	unreached_in tcp fe80::1 22
}

@test "bypass: data in the first packet of a refused connection does not leave" {
	opened() {
		up --egress CIDR:203.0.113.10:443
		inside fastopen 203.0.113.20 9000
		inside fastopen 2001:db8::10 9000
		[ "$out" != ok ]
		is "$(arrived)" ''
	}
	both opened
}

@test "bypass: an answer from an address that was not asked is not heard" {
	up --egress CIDR:203.0.113.10:9100/udp
	says_in silence udp 203.0.113.10 9100
	has_arrived '203.0.113.10 17 9100'
}

@test "bypass: a source address that is not the sandbox's does not leave" {
	spoofed() {
		up --egress CIDR:203.0.113.10:9000/udp --egress 'CIDR:[2001:db8::10]:9000/udp'
		inside spoof 198.51.100.77 203.0.113.10 9000
		inside spoof 2001:db8::77 2001:db8::10 9000
		! grep -E '198.51.100.77|2001:db8::77' <<<"$(sources)"
	}
	both spoofed
}

@test "bypass: rules, devices, routes and filters cannot be changed from inside" {
	changes() {
		veth_ok --egress CIDR:203.0.113.10:443 -- sh -c 'ip link set eth0 mtu 900; echo $?
			ip route add 198.51.100.0/24 dev eth0; echo $?; ip addr add 203.0.113.99/32 dev eth0; echo $?'
		[[ ${out//[!0-9]/} =~ ^[1-9][1-9][1-9]$ ]] || fail "$out"
	}
	both changes
}

@test "bypass: families that no rule sees cannot be had" {
	families() {
		local f
		up --egress CIDR:203.0.113.10:443
		# vsock, xdp, alg, tipc, can, bluetooth, packet
		for f in 40 44 38 30 29 31 17; do
			inside syscall 41 $f 3 0
			[[ $out =~ ^(EAFNOSUPPORT|EPERM)$ ]] || fail "family $f: $out"
		done
	}
	both families
}

@test "bypass: sysctls of the network cannot be written" {
	sysctls() {
		veth_ok --egress CIDR:203.0.113.10:443 -- sh -c '
			for f in /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ping_group_range \
				/proc/sys/net/ipv6/conf/all/disable_ipv6; do echo 1 2>&- >$f && echo wrote $f; done; echo done'
		is "$out" "done"
	}
	both sysctls
}

@test "bypass: the sandbox's devices ignore redirects and advertisements" {
	up --egress 'CIDR:[2001:db8::10]:443'
	local f
	for f in ipv4/conf/eth0/accept_redirects ipv4/conf/eth0/send_redirects ipv6/conf/eth0/accept_ra \
		ipv6/conf/eth0/accept_redirects ipv4/conf/eth0/accept_source_route; do
		is "$f $(in_sandbox cat /proc/sys/net/$f)" "$f 0"
	done
}

@test "bypass: a user namespace or network namespace inside has no way out" {
	nested() {
		direct --net veth --egress CIDR:203.0.113.10:443 -- sh -c \
			'unshare -Un probe tcp 203.0.113.10 443 || unshare -n probe tcp 203.0.113.10 443'
		out_lacks '^ok'
		is "$(arrived)" ''
	}
	both nested
}

@test "bypass: an abstract socket of the host is not there" {
	unix() {
		is "$(in_host "$LIB_TOP/build/bin/probe" abstract brig-test-host)" ok
		up --egress CIDR:203.0.113.10:443
		says_in ECONNREFUSED abstract brig-test-host
	}
	both unix
}

@test "bypass: services of the host are out of reach, at each of its addresses" {
	services() {
		local a
		is "$(in_host "$LIB_TOP/build/bin/probe" tcp 192.0.2.1 22 hello)" 'ok hello'
		up --egress CIDR:203.0.113.0/24:22 --egress 'CIDR:[2001:db8::/64]:22'
		for a in 192.0.2.1 2001:db8:1::1 127.0.0.1 ::1 \
			$(in_sandbox ip -j route show default | jq -r '.[0].gateway') \
			$(in_sandbox ip -j -6 route show default | jq -r '.[0].gateway'); do
			unreached_in tcp "$a" 22 hello
		done
	}
	both services
}

@test "bypass: services of the host are out of reach although the caller granted everything" {
	up --egress CIDR:0.0.0.0/0:1-65535 --egress 'CIDR:[::/0]:1-65535' --egress CIDR:0.0.0.0/0:1-65535/udp
	local a
	says_in ok tcp 203.0.113.10 22
	for a in 192.0.2.1 2001:db8:1::1 \
		$(in_sandbox ip -j route show default | jq -r '.[0].gateway'); do
		unreached_in tcp "$a" 22
	done
	unreached_in udp 192.0.2.1 9000
}

@test "bypass: nobody comes in" {
	knock() { PATIENCE=1500 in_host "$LIB_TOP/build/bin/probe" tcp "$address" 8000 hello; }
	inward() {
		local address
		talks --egress CIDR:203.0.113.10:443
		address=$(in_sandbox ip -j -4 address show eth0 | jq -r '.[0].addr_info[0].local')
		# By itself, so that it is what $! names: of a function that would be a shell.
		nsenter --net="/proc/$PID/ns/net" -- "$LIB_TOP/build/bin/probe" listen 8000 >"$T/listen" 3>&- {TELL}>&- &
		PIDS+=($!)
		wait_for 5 grep -q listening "$T/listen"
		run knock
		[[ $output != ok* ]] || fail "$output"
		# knocking changes nothing
		local p
		for p in 7000 7001 7002; do
			in_host bash -c "exec 3<>/dev/udp/$address/$p; echo >&3" || :
		done
		run knock
		[[ $output != ok* ]] || fail "$output"
		hushes
		rm "$T/tell"
	}
	both inward
}

@test "bypass: an ingress port is open, its neighbour is not" {
	local address
	talks --ingress 8000
	address=$(in_sandbox ip -j -4 address show eth0 | jq -r '.[0].addr_info[0].local')
	local p
	for p in 8000 8001; do
		# By itself, so that it is what $! names: of a function that would be a shell.
		nsenter --net="/proc/$PID/ns/net" -- "$LIB_TOP/build/bin/probe" listen $p >"$T/listen$p" 3>&- {TELL}>&- &
		PIDS+=($!)
		wait_for 5 grep -q listening "$T/listen$p"
	done
	is "$(in_host "$LIB_TOP/build/bin/probe" tcp "$address" 8000 hello)" 'ok hello'
	local -x PATIENCE=1500
	run in_host "$LIB_TOP/build/bin/probe" tcp "$address" 8001 hello
	[[ $output != ok* ]] || fail "$output"
	says_told ECONNREFUSED tcp 203.0.113.10 443
}

@test "bypass: a connection that the other side opens at the same time is refused" {
	up --egress CIDR:203.0.113.10:443
	inside from 4444 203.0.113.20 5555
	[ "$out" != ok ]
	local address
	address=$(in_sandbox ip -j -4 address show eth0 | jq -r '.[0].addr_info[0].local')
	local -x PATIENCE=1500
	run in_host "$LIB_TOP/build/bin/probe" from 5555 "$address" 4444
	[[ $output != ok* ]] || fail "$output"
	is "$(arrived)" ''
}

@test "bypass: what --net none has leads nowhere" {
	none() {
		succeeds -- sh -c 'probe tcp 203.0.113.10 443; probe tcp 192.0.2.1 22; probe tcp 127.0.0.1 22; echo'
		out_lacks '(^|\n)ok'
		is "$(arrived)" ''
	}
	both none
}
