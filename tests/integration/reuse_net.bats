#!/usr/bin/env bats
load helpers
load ../lib/reuse
load ../lib/net

# The network of a sandbox that is used again: docs/reuse.md, in a small internet of its own
# (tests/lib/net.bash).  What generation 1 leaves on purpose, generation 2 looks for; and a reset
# with one of its cleaning steps left out (make FAULT=1) is not taken for clean.

export NET_LEAN=1
setup_file() { net_up; }
teardown_file() { net_down; }

# Ids that nobody else on this machine has.
new_setup() {
	own_ids "$BASHPID"
	admin ''
}

parks() { ok create --reuse -b "$B" "$@" "$ID" </dev/null && init_pid; }
resets() {
	ok reset "$ID"
	is "$(bad_rows)" ''
	is "$(report '[.clean, .fingerprint_match] | join(" ")')" "true true"
	init_pid
}
init_pid() { PID=$(jq -r .pid "$R/$ID/state.json"); }
slot() { jq -r .netSlot "$R/$ID/state.json"; }
address() { in_sandbox ip -j -4 address show eth0 | jq -r '.[0].addr_info[0].local'; }
links() { in_host ip -j link show group 46870 | jq '[.[].ifname | select(.)] | length'; }
# Entries of its addresses in the host's connection tracking, as verify's row has them.
entries() { b verify "$ID"; report '.checks[] | select(.name == "host_conntrack") | .value'; }
table_of() { in_sandbox nft list table inet brig; }
with_faults() {
	[ -x "$TOP/build/fault/bin/brig" ] || skip "no build with faults (make FAULT=1)"
	[[ $BRIG != */san/* ]] || skip "another build is tested"
	BRIG=$TOP/build/fault/bin/brig
	at "$LEVEL"
}
# leaving_out STEP: what reset says without it
leaving_out() { BRIG_FAULT_STEP=$1 BRIG_FAULT_KIND=skip b reset --kill "$ID"; }

VETH=(--net veth --egress CIDR:203.0.113.10:443 --egress CIDR:203.0.113.10:9000
	--egress api.example.org)

@test "reuse net: over veth each generation has the same address, and rules of its own" {
	new_setup
	generations() {
		local first n
		prog 'probe tcp 203.0.113.10 443 hello >/workspace/said; probe tcp 203.0.113.20 443
			probe dns api.example.org; [ "$(cat /workspace/said)" = "ok hello" ]'
		parks "${VETH[@]}"
		first="$(slot) $(address)"
		clean
		for n in 1 2 3; do
			runs_and_ends
			ok wait "$ID"
			is "$(jq -r .code <<<"$out")" 0
			resets
			is "$(slot) $(address)" "$first"
			is "$(links)" 1
			clean
		done
		ok delete "$ID"
		wait_for 5 no_links
		nothing_left
	}
	for LEVEL in standard high; do
		at "$LEVEL"
		generations
	done
}

@test "reuse net: a name that generation 1 looked up is not open in generation 2" {
	new_setup
	looked_up() {
		prog 'probe tcp 203.0.113.10 443 hello
			probe dns api.example.org >/dev/null
			probe tcp 203.0.113.10 443 hello'
		parks --net veth --egress api.example.org
		for n in 1 2 3; do
			"${BR[@]}" start "$ID"
			wait_for 10 has_ended
			resets
			! table_of | grep -q 203.0.113.10 || fail "it is open: $(table_of)"
			# before its own lookup, in each generation
			is "$(nsenter --net="/proc/$PID/ns/net" -- "$LIB_TOP/build/bin/probe" tcp 203.0.113.10 443)" ECONNREFUSED
			[ "$(jq -r '.status' "$R/$ID/state.json")" = created ]
			ok reset "$ID" # what the probe has made the rules count
		done
		ok delete "$ID"
	}
	for LEVEL in standard high; do
		at "$LEVEL"
		looked_up
	done
}

@test "reuse net: with IPv6, too" {
	new_setup
	at high
	forwards6 1
	prog 'probe tcp 2001:db8::10 443 hello >/workspace/said; [ "$(cat /workspace/said)" = "ok hello" ]'
	parks --net veth --egress 'CIDR:[2001:db8::10]:443' --egress CIDR:203.0.113.10:443
	for n in 1 2 3; do
		runs_and_ends
		ok wait "$ID"
		is "$(jq -r .code <<<"$out")" 0
		[ "$(in_host grep -c '^ipv6.*fd62' /proc/net/nf_conntrack)" -ge 1 ]
		resets
		is "$(in_host grep -c '^ipv6.*fd62' /proc/net/nf_conntrack || :)" 0
		clean
	done
	ok delete "$ID"
}

@test "reuse net: with IPv6, the link-local address of its own device is no change" {
	new_setup
	at high
	forwards6 1
	prog 'sleep 100'
	parks --net veth --egress 'CIDR:[2001:db8::10]:443'
	ok start "$ID"
	# the kernel gives it one when the device has a carrier, which may take a second
	has_one() { in_host ip -6 addr show scope link | grep -A 1 brg | grep -q 'inet6 fe80'; }
	wait_for 5 has_one
	ok reset --kill "$ID"
	clean
	ok delete --force "$ID"
}

@test "reuse net: a timed grant begins anew with each generation" {
	new_setup
	at standard
	prog 'sleep 0.5'
	parks --net veth --egress 'CIDR:203.0.113.10:443 ttl=40s' --egress CIDR:203.0.113.10:9000
	runs_and_ends
	resets
	left=$(in_sandbox nft -j list set inet brig grants | jq '[.. | .expires? | select(.)][0]')
	[ "$left" -ge 38 ] || fail "left: $left s"
	clean
}

@test "reuse net: the host forgets the connections of a generation" {
	new_setup
	for LEVEL in standard high; do
		at "$LEVEL"
		prog 'probe tcp 203.0.113.10 9000 hello; probe tcp 203.0.113.10 443 hello'
		parks "${VETH[@]}"
		own=$(address)
		is "$(entries)" 0
		runs_and_ends
		[ "$(in_host grep -c "=$own " /proc/net/nf_conntrack)" -ge 2 ]
		resets
		is "$(entries)" 0
		is "$(in_host grep -c "=$own " /proc/net/nf_conntrack || :)" 0
		ok delete "$ID"
	done
}

@test "reuse net: the host forgets the connections of one that is deleted" {
	local own how
	new_setup
	prog 'probe tcp 203.0.113.10 9000 hello; probe tcp 203.0.113.10 443 hello; [ -e /tmp/over ] || sleep 100'
	at standard
	for how in stopped running parked; do
		parks "${VETH[@]}"
		own=$(address)
		case $how in
		stopped)
			: >"/proc/$PID/root/tmp/over"
			runs_and_ends
			;;
		running) ok start "$ID" ;;
		parked) in_sandbox "$LIB_TOP/build/bin/probe" tcp 203.0.113.10 9000 hello >/dev/null ;;
		esac
		connected() { [ "$(in_host grep -c "=$own " /proc/net/nf_conntrack)" -ge 1 ]; }
		wait_for 20 connected
		if [ "$how" = running ]; then ok delete --force "$ID"; else ok delete "$ID"; fi
		is "$(in_host grep -c "=$own " /proc/net/nf_conntrack || :)" 0
	done
}

@test "reuse net: who gets the addresses of one that was never deleted finds no connections of it" {
	local own
	local EGRESS='"pool": "10.201.9.0/30"' # one slot
	new_setup
	prog true
	at high
	parks "${VETH[@]}"
	own=$(address)
	in_sandbox "$LIB_TOP/build/bin/probe" tcp 203.0.113.10 9000 hello >/dev/null
	[ "$(in_host grep -c "=$own " /proc/net/nf_conntrack)" -ge 1 ]
	# As where the host lost it: no process, no state.
	cgroups_of_test
	kill -9 "$PID" "$(jq .wardenPid "$R/$ID/state.json")"
	ended() { [ ! -e "/proc/$PID" ] || grep -q '^State:.Z' "/proc/$PID/status"; }
	wait_for 5 ended
	wait_for 5 no_resolvers
	for f in "${CGROUPS[@]}"; do rmdir "${f#cgroup }" || :; done
	rm -r "${R:?}/$ID"
	ID=${ID}b
	parks "${VETH[@]}"
	is "$(address)" "$own"
	is "$(entries)" 0
	clean
	ok delete "$ID"
}

@test "reuse net: a late reply to generation 1 does not reach generation 2" {
	new_setup
	LEVEL=standard
	with_faults
	command -v python3 >/dev/null || skip "no python3"
	# a server that answers when it is told to, to whoever has asked last
	cat >"$T/late.py" <<-'END'
		import os, socket, sys, time
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("203.0.113.20", 7777))
		open(sys.argv[1] + ".ready", "w").close()
		while True:
		    data, who = s.recvfrom(100)
		    open(sys.argv[1] + ".asked", "w").write("%s %d" % who)
		    while not os.path.exists(sys.argv[1] + ".go"):
		        time.sleep(0.02)
		    s.sendto(b"late", who)
		    os.rename(sys.argv[1] + ".go", sys.argv[1] + ".gone")
	END
	nsenter --net="$NET/inet" -- python3 "$T/late.py" "$T/late" 3>&- 4>&- &
	PIDS+=($!)
	wait_for 5 test -e "$T/late.ready"
	# what comes to the sandbox, whether its rules let it in or not
	came() { in_sandbox nft list counter inet watch c 2>/dev/null | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }
	late_reply() {
		prog 'timeout 1 probe udp 203.0.113.20 7777 || :'
		parks --net veth --egress CIDR:203.0.113.20:7777/udp
		runs_and_ends
		wait_for 5 test -e "$T/late.asked"
		$1
		init_pid
		in_sandbox nft 'add table inet watch; add counter inet watch c;
			add chain inet watch pre { type filter hook prerouting priority -400; };
			add rule inet watch pre iifname eth0 meta l4proto udp counter name c'
		: >"$T/late.go"
		wait_for 5 test -e "$T/late.gone"
		sleep 0.2
		is "$(came)" "$2"
		rm "$T"/late.asked "$T"/late.gone
		ok delete --force "$ID"
	}
	late_reply resets 0
	# That it would be seen is proved by a reset that leaves the host's entries, which verify finds.
	careless() {
		leaving_out "reset/forget connections"
		is "$status" 76
		[[ " $(bad_rows) " == *" host_conntrack "* ]]
	}
	late_reply careless 1
}

@test "reuse net: the devices go at once, whoever holds the old namespace" {
	local fd
	new_setup
	LEVEL=high
	with_faults
	prog true
	parks "${VETH[@]}"
	exec {fd}<"/proc/$PID/ns/net"
	is "$(nsenter --net="/proc/self/fd/$fd" ip -j link | jq length)" 2
	resets
	is "$(nsenter --net="/proc/self/fd/$fd" ip -j link | jq length)" 1
	exec {fd}<&-
	is "$(links)" 1
	# Left out: the next generation is not made.
	exec {fd}<"/proc/$PID/ns/net"
	leaving_out "reset/remove link"
	[ "$status" != 0 ]
	b start "$ID"
	is "$status" 75
	exec {fd}<&-
	resets
	clean
}

@test "verify: rows of the network, by what is put there from outside" {
	new_setup
	at high
	prog true
	parks "${VETH[@]}"
	clean
	in_sandbox nft add element inet brig name4 '{ 203.0.113.99 . tcp . 443 timeout 1h : 0xb20001 }'
	dirty nft_elements
	resets
	in_sandbox nft add element inet brig never4 '{ 203.0.113.99 }'
	dirty fingerprint
	resets
	in_sandbox nft add rule inet brig admit counter packets 5 bytes 500
	dirty nft_counters
	resets
	in_sandbox nft insert rule inet brig in accept
	dirty fingerprint
	resets
	in_sandbox "$LIB_TOP/build/bin/probe" tcp 203.0.113.10 9000 hello >/dev/null
	dirty host_conntrack
	dirty conntrack
	dirty nft_counters
	resets
	in_sandbox ip neigh add 10.201.255.9 lladdr 02:00:00:00:00:09 dev eth0 nud stale
	dirty neighbours
	resets
	in_sandbox ip route add 198.51.100.0/24 dev eth0
	dirty routes
	dirty fingerprint
	resets
	in_sandbox ip link set eth0 mtu 1400
	dirty fingerprint
	resets
	in_sandbox ip address add 192.0.2.77/32 dev eth0
	dirty fingerprint
	resets
	nsenter --net="/proc/$PID/ns/net" -- busybox nc -l -p 4242 3>&- 4>&- &
	PIDS+=($!)
	sleep 0.3
	dirty sockets
	kill -9 "${PIDS[-1]}"
	resets
	clean
}

@test "verify: a slot that went to another, a name service that is gone" {
	local at pid
	new_setup
	at high
	prog true
	parks "${VETH[@]}"
	pid=$(jq -r .resolverPid "$R/$ID/state.json")
	cp "$NET/slots/slots" "$T/slots"
	sed -i "s|$R/$ID|${R%?}_/$ID|" "$NET/slots/slots"
	dirty slot_lost
	cp "$T/slots" "$NET/slots/slots"
	clean
	# Of another process that has its number and its name.
	cp "$R/$ID/state.json" "$T/own"
	jq -c '.resolverStartTime += 1' "$T/own" >"$R/$ID/state.json"
	dirty resolver_lost
	cp "$T/own" "$R/$ID/state.json"
	kill -9 "$pid"
	resolver_gone() { [ ! -e "/proc/$pid" ] || grep -q '^State:.Z' "/proc/$pid/status"; }
	wait_for 5 resolver_gone
	b verify "$ID"
	[ "$status" != 0 ]
}

@test "reset: with a step of the network's making left out it is not taken for clean" {
	local step
	LEVEL=high
	new_setup
	with_faults
	prog true
	for step in "reset/remove link" "reset/forget connections" "reset create/connect network" \
		"reset create/egress rules" "reset destroy/end resolver"; do
		parks "${VETH[@]}"
		in_sandbox "$LIB_TOP/build/bin/probe" tcp 203.0.113.10 9000 hello >/dev/null
		exec {fd}<"/proc/$PID/ns/net"
		leaving_out "$step"
		# The name service ends by itself with the sandbox.
		[ "$status" != 0 ] || [ "$step" = "reset destroy/end resolver" ] || fail "$step: clean"
		exec {fd}<&-
		ok delete --force "$ID"
	done
}

# killed_everywhere LEVEL VERB TURN: each second step, as what differs between the levels is not the network;
# whatever is of the network all the same
killed_everywhere() {
	local step n=$3
	LEVEL=$1
	new_setup
	with_faults
	prog 'probe tcp 203.0.113.10 9000 hello'
	parks "${VETH[@]}"
	: >"$T/steps"
	BRIG_FAULT_LIST=$T/steps "${BR[@]}" reset "$ID" >/dev/null
	grep '^reset' "$T/steps" >"$T/names"
	while IFS= read -r step; do
		of_network "$step" || [ $((n++ % 2)) = 0 ] || continue
		runs_and_ends
		BRIG_FAULT_STEP=$step BRIG_FAULT_KIND=kill-after "${BR[@]}" reset "$ID" >"$T/out" 2>&1 || :
		if [ "$2" = reset ]; then
			resets
			is "$(links)" 1
			is "$(resolvers)" 1
		else
			ok delete --force "$ID"
			wait_for 5 no_links
			wait_for 5 no_resolvers
			is "$(strings -a "$NET/slots/slots" | grep -c "$R/$ID" || :)" 0
			parks "${VETH[@]}"
		fi
	done <"$T/names"
	[ "$(wc -l <"$T/names")" -gt 20 ]
	ok delete --force "$ID"
	wait_for 5 no_links
	wait_for 5 no_resolvers
}
of_network() { [[ $1 =~ network|link|connections|resolver|slot|rules|scrub|/destroy|/create|/forget ]]; }
# Those that run in the namespace "host", which are this file's.
resolvers() {
	local p n=0
	for p in $(pgrep -x brig-resolver || :); do
		! [ "/proc/$p/ns/net" -ef "$NET/host" ] || n=$((n + 1))
	done
	echo $n
}
no_links() { [ "$(links)" = 0 ]; }
no_resolvers() { [ "$(resolvers)" = 0 ]; }

@test "reset: killed after any of its steps: no device, slot or name service is left, at standard" { killed_everywhere standard reset 0; }
@test "reset: killed after any of its steps: no device, slot or name service is left, at high" { killed_everywhere high reset 1; }
@test "delete: killed after any step of a reset: no device, slot or name service is left" { killed_everywhere high delete 0; }

@test "create: what cannot be connected, or used again, is refused with the reason" {
	new_setup
	at standard
	refused_create() {
		b create --reuse -b "$B" "${@:2}" "$ID" </dev/null
		[ "$status" != 0 ] || fail "created"
		[[ $err =~ $1 ]] || fail "$err"
		[ ! -e "$R/$ID" ]
	}
	refused_create 'none or veth' --net pasta
	refused_create 'none or veth' --net join:/proc/1/ns/net
	refused_create 'add --net veth' --egress api.example.org
	refused_create 'wildcard' --net veth --egress '*.com'
	b create -b "$B" --net veth "$ID" </dev/null
	[[ $err == *"need --reuse"* ]] || fail "$err"
}

@test "reset: another pool than the one that it has its slot of is refused" {
	new_setup
	at standard
	parks "${VETH[@]}"
	EGRESS='"pool": "10.77.0.0/24"'
	admin ''
	b reset "$ID"
	is "$status" 76
	[[ $err == *"what it is planned from has changed"* ]]
	EGRESS=''
	admin ''
	resets
}

# --- a network namespace that others have made ------------------------------------------------------

more_teardown() {
	[ ! -e "$NET/pod" ] || leave_net pod
}
joins() {
	join_net pod
	config --arg net "$NET/pod" '.linux.namespaces |= map(if .type == "network" then .path = $net else . end)'
}
JOIN=(--egress CIDR:203.0.113.10:443 --egress CIDR:203.0.113.10:9000 --egress CIDR:198.51.100.5:9000/udp
	--egress api.example.org)
in_pod() { in_net pod "$@"; }
# Everything that a program can leave in the namespace without a right over it: connections that it
# has closed, a neighbour, the size of packets on a way, a name.  Nobody answers the datagrams.
leaves='probe tcp 203.0.113.10 9000 hello; probe tcp 203.0.113.10 443 hello; probe dns api.example.org
	export PATIENCE=100; probe udp 198.51.100.5 9000 1400; probe udp 198.51.100.5 9000 1400; exit 0'
# The way to 198.51.100.5 takes smaller packets.
narrow_way() { in_host ip route replace 198.51.100.5/32 via 192.0.2.2 mtu 1000; }
remains() { # what is in the namespace by now: sockets, entries, neighbours, routes, metrics
	local s
	s="$(in_pod ss -Htan | wc -l) $(in_pod cat /proc/sys/net/netfilter/nf_conntrack_count)"
	s+=" $(in_pod ip -4 neigh show nud all | grep -vcE 'PERMANENT|NOARP' || :)"
	s+=" $(in_pod ip -4 route show cache | grep -c mtu || :) $(in_pod ip tcp_metrics show | grep -c . || :)"
	echo "$s"
}

@test "reuse net: a joined namespace is scrubbed of all that a generation left in it" {
	new_setup
	joins
	narrow_way
	scrubbed() {
		local n
		prog "$leaves"
		parks "${JOIN[@]}"
		clean
		for n in 1 2 3; do
			runs_and_ends
			[[ $(remains) =~ ^[1-9][0-9]*\ [1-9][0-9]*\ [1-9][0-9]*\ [1-9][0-9]*\ [1-9][0-9]*$ ]] ||
				fail "nothing is left on purpose: $(remains)"
			in_pod nft list map inet brig name4 | grep -q 203.0.113.10
			resets
			is "$(remains)" "1 0 0 0 0"
			! in_pod nft list map inet brig name4 | grep -q 203.0.113.10
			clean
		done
		ok delete "$ID"
		in_pod nft delete table inet brig
	}
	command -v ss >/dev/null || skip "no ss"
	for LEVEL in standard high; do
		at "$LEVEL"
		scrubbed
	done
}

@test "reuse net: without a grant, in a joined namespace, all is denied and stays clean" {
	new_setup
	joins
	for LEVEL in standard high; do
		at "$LEVEL"
		prog '! probe tcp 203.0.113.10 443 | grep -q ok'
		parks
		clean
		for n in 1 2; do
			runs_and_ends
			resets
		done
		ok delete "$ID"
		in_pod nft delete table inet brig
	done
}

@test "reset: with a scrubbing step left out, what it had to remove is found" {
	local step row
	LEVEL=high
	new_setup
	with_faults
	joins
	narrow_way
	prog "$leaves"
	while read -r row step; do
		parks "${JOIN[@]}"
		runs_and_ends
		leaving_out "$step"
		is "$status" 76
		[[ " $(bad_rows) " == *" $row "* ]] || fail "$step: no row $row but: $(bad_rows)"
		b start "$ID"
		[ "$status" != 0 ]
		ok delete --force "$ID"
		in_pod nft delete table inet brig
		in_pod ip neigh flush all
		in_pod ip route flush cache
		in_pod ip tcp_metrics flush all
	done <<-END
		sockets reset/scrub sockets
		conntrack reset/scrub connections
		neighbours reset/scrub neighbours
		routes reset/scrub routes
		tcp_metrics reset/scrub metrics
		nft_elements reset create/egress rules
	END
}

@test "reset: where another process has sockets in the joined namespace it is refused, before anything ends" {
	local other
	new_setup
	joins
	at standard
	prog 'sleep 100'
	# One that only sleeps there, as the pause container of a pod does.
	nsenter --net="$NET/pod" -- sleep 1000 3>&- 4>&- &
	PIDS+=($!)
	parks "${JOIN[@]}"
	ok start "$ID"
	ok reset --kill "$ID"
	clean
	nsenter --net="$NET/pod" -- busybox nc -l -p 4242 3>&- 4>&- &
	other=$!
	PIDS+=("$other")
	sleep 0.3
	ok start "$ID"
	for how in --kill "--kill --check"; do
		# shellcheck disable=SC2086  # words
		b reset $how "$ID"
		is "$status" 76
		[[ $err == *"process $other"*"has sockets in its network namespace"* ]] || fail "$err"
		[[ $(report .refused) == *"process $other"* ]]
		ok state "$ID"
		is "$(jq -r .status <<<"$out")" running
	done
	[ ! -e "$R/$ID/taint" ]
	kill -9 "$other"
	ok reset --kill "$ID"
	clean
	dirty_by() {
		"$@" 3>&- 4>&- &
		PIDS+=($!)
		sleep 0.3
		dirty sockets
	}
	dirty_by nsenter --net="$NET/pod" -- busybox nc -l -p 4243
}

@test "reset: another namespace behind the same path is refused" {
	new_setup
	joins
	at standard
	prog true
	parks "${JOIN[@]}"
	umount "$NET/pod"
	new_net pod
	b reset "$ID"
	is "$status" 76
	[[ $err == *"another one now"* ]]
	ok delete "$ID"
	ips host <<<"link del pod0" || :
	umount "$NET/pod"
	rm "$NET/pod"
}

@test "reset: killed after any of its steps it goes on, in a joined namespace" {
	local step n=0
	LEVEL=high
	new_setup
	with_faults
	joins
	# All of it but datagrams, for whose answer it would wait.
	prog "${leaves%%$'\n'*}; exit 0"
	parks "${JOIN[@]}"
	: >"$T/steps"
	BRIG_FAULT_LIST=$T/steps "${BR[@]}" reset "$ID" >/dev/null
	grep '^reset' "$T/steps" >"$T/names"
	while IFS= read -r step; do
		of_network "$step" || [ $((n++ % 2)) = 0 ] || continue
		runs_and_ends
		BRIG_FAULT_STEP=$step BRIG_FAULT_KIND=kill-after "${BR[@]}" reset "$ID" >"$T/out" 2>&1 || :
		resets
	done <"$T/names"
	[ "$n" -gt 20 ]
	is "$(in_pod ss -Htan | wc -l)" 1
}

@test "reuse net: start --egress leaves less of the plan's grants, for that generation only" {
	new_setup
	less() {
		jq -n '{"args": ["sh", "-c", "for p in 443 9000; do probe tcp 203.0.113.10 $p hello; done 2>&1"]}' >"$T/work.json"
		parks "${VETH[@]}"
		answers_refused() {
			b start "$@" "$ID"
			[ "$status" = 76 ] || fail "$*: status $status" "$err"
		}
		answers_refused --egress CIDR:203.0.113.20:443
		answers_refused --egress CIDR:203.0.113.10:443 --egress CIDR:203.0.113.10:444
		answers_refused --egress CIDR:203.0.113.0/24:443
		clean
		is "$(opens)" "2"
		resets
		is "$(opens --egress CIDR:203.0.113.10:443)" "1"
		resets
		is "$(opens --egress none)" "0"
		resets
		is "$(opens)" "2"
		resets
		ok delete "$ID"
		nothing_left
	}
	# opens OPTIONS: how many of both ports its program reaches
	opens() {
		"${BR[@]}" start --process "$T/work.json" "$@" "$ID" >"$T/said" 2>&1 || fail "$(cat "$T/said")"
		wait_for 20 has_ended
		grep -c '^ok' "$T/said" || :
	}
	at high
	less
}

@test "reuse net: start --egress is no worse for a grant whose time ran out while it was parked" {
	new_setup
	at standard
	jq -n '{"args": ["sh", "-c", "for p in 443 9000; do probe tcp 203.0.113.10 $p hello; done 2>&1"]}' >"$T/work.json"
	parks --net veth --egress 'CIDR:203.0.113.10:443 ttl=300ms' --egress CIDR:203.0.113.10:9000
	over() { ! in_sandbox nft list set inet brig grants | grep -q expires; }
	wait_for 5 over
	"${BR[@]}" start --process "$T/work.json" --egress CIDR:203.0.113.10:9000 "$ID" >"$T/said" 2>&1 || fail "$(<"$T/said")"
	wait_for 20 has_ended
	is "$(grep -c '^ok' "$T/said")" 1
	ok delete "$ID"
}
