#!/usr/bin/env bats
load helpers
load ../lib/net
# What a hostile sandbox, a hostile neighbour in its pod and a confused caller have tried.

setup_file() { net_up; }
teardown_file() { net_down; }

more_teardown() {
	[ ! -e "$NET/pod" ] || leave_net pod
}
# A process of the namespace without a single right, as a workload is one.
as_nobody() { in_net pod setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"; }

@test "attack: exec hands out no capability that the sandbox's configuration must not have" {
	local c
	at custom
	up --egress CIDR:203.0.113.10:443
	for c in CAP_NET_ADMIN CAP_SYS_ADMIN CAP_NET_RAW; do
		no exec --cap $c "$ID" true
		[[ $err == *"$c"* ]] || fail "$err"
	done
	ok exec --cap CAP_SYS_TIME "$ID" true
	jq '.process | .args = ["true"] | .capabilities.bounding = ["CAP_NET_ADMIN"]' \
		"$R/$ID/config.json" >"$T/process.json"
	no exec --process "$T/process.json" "$ID"
	[[ $err == *CAP_NET_ADMIN* ]] || fail "$err"
}

@test "attack: exec into a sandbox without rules gives what is asked" {
	at custom
	ok run --rootfs "$B/rootfs" --id "$ID" -d -- sleep 1000
	ok exec --cap CAP_NET_ADMIN "$ID" true
}

@test "attack: with CAP_NET_RAW nobody takes himself for a name service beside him" {
	at custom
	join_net pod
	jq --arg net "$NET/pod" '.linux.namespaces |= map(if .type == "network" then .path = $net else . end)
		| .annotations."dev.brig.egress" = "[{\"d\":\"api.example.org\",\"p\":[443]}]"
		| .process.capabilities |= with_entries(.value += ["CAP_NET_RAW"])' "$B/config.json" >"$T/c" &&
		mv "$T/c" "$B/config.json"
	no run -d -b "$B" "$ID"
	[[ $err == *CAP_NET_RAW*"name service"* ]] || fail "$err"
	nothing_left
}

@test "attack: a neighbour does not answer for the name server over loopback" {
	join_net pod
	in_net pod sh -c 'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start'
	ips inet <<<"addr replace 2001:db8::53/128 dev lo nodad"
	ok run -d --rootfs "$B/rootfs" --id "$ID" --net "join:$NET/pod" --resolver 2001:db8::53 \
		--egress api.example.org:443 -- sleep 1000
	# nobody listens there, and who would say so is silent: the question waits
	in_inet nft 'add chain inet seen mute { type filter hook input priority 0; }; add rule inet seen mute ip6 daddr 2001:db8::53 drop'
	as_nobody python3 "$LIB_TOP/tests/net/forged_answers.py" 2001:db8::53 fd00:244::2 >"$T/forged" 2>&1 3>&- &
	PIDS+=($!)
	b exec "$ID" probe dns api.example.org
	wait "${PIDS[-1]}"
	in_inet nft delete chain inet seen mute
	[[ $(<"$T/forged") == 'refused '* ]] || fail "$(<"$T/forged")"
	is "$(in_net pod cat /proc/net/snmp6 | awk '/Udp6InDatagrams/ { print $2 }')" 0
}

@test "attack: after a flush of the host's tables the host is no router for good" {
	up --egress CIDR:203.0.113.10:443
	ok delete --force "$ID"
	in_host nft flush ruleset
	is "$(in_host cat /proc/sys/net/ipv4/conf/up0/forwarding)" 1
	# another machine behind the host: its address is reached by a router only
	new_net lan
	ips host <<-END
		link add lan0 type veth peer name eth0 netns $NET/lan
		addr add 10.77.0.1/24 dev lan0
		link set lan0 up
	END
	ips lan <<-END
		addr add 10.77.0.2/24 dev eth0
		link set eth0 up
		route add default via 10.77.0.1
	END
	up --egress CIDR:203.0.113.10:443
	says_in ok tcp 203.0.113.10 443
	ips inet <<<'route replace 10.77.0.0/24 via 192.0.2.1'
	in_net lan nft 'add table inet seen; add chain inet seen in { type filter hook input priority 0; };
		add rule inet seen in meta l4proto tcp counter'
	in_inet timeout 2 "$LIB_TOP/build/bin/probe" tcp 10.77.0.2 22 || :
	out=$(in_net lan nft list ruleset)
	umount "$NET/lan" && rm "$NET/lan"
	ips host <<<'link del lan0' 2>/dev/null || :
	[[ $out == *'counter packets 0 '* ]] || fail "the host forwards" "$out"
}

@test "attack: a flushed table of the host has its rules again with the next sandbox" {
	up --egress CIDR:203.0.113.10:443
	ok delete --force "$ID"
	in_host nft flush table inet brig_host
	up --egress CIDR:203.0.113.10:443
	says_in ok tcp 203.0.113.10 443
	in_host nft list chain inet brig_host input | grep -q 'services of the host'
}

@test "attack: the name service holds no directory" {
	local p f
	up --egress api.example.org:443
	p=$(jq .resolverPid "$R/$ID/state.json")
	[ "$p" -gt 1 ]
	for f in "/proc/$p/fd"/*; do
		[ ! -d "$f" ] || fail "$f: $(readlink "$f")"
	done
}

@test "attack: hooks of an engine run behind the rules, and find them" {
	at custom
	jq --arg h "$T/hook" '.annotations."dev.brig.egress" = "[{\"cidr\":\"203.0.113.20/32\",\"p\":[9000]}]"
		| .hooks = {prestart: [{path: $h}], createRuntime: [{path: $h}]}
		| .process.args = ["sleep", "1000"]' "$B/config.json" >"$T/c" && mv "$T/c" "$B/config.json"
	cat >"$T/hook" <<-END
		#!/bin/sh
		nsenter --net="/proc/\$(jq .pid)/ns/net" nft list table inet brig >>"$T/found"
	END
	chmod +x "$T/hook"
	ok run -d -b "$B" "$ID"
	is "$(grep -c 'chain out' "$T/found")" 2
}

@test "attack: a guest in a pod has no capability over the pod's rules" {
	local c
	at custom
	join_net pod
	guest() { # ANNOTATIONS CAPABILITY
		mkdir -p "$T/$2"
		jq --argjson notes "$1" --arg net "$NET/pod" --arg cap "$2" --arg root "$B/rootfs" '.annotations = $notes
			| .linux.namespaces |= map(if .type == "network" then .path = $net else . end) | .root.path = $root
			| .process.args = ["sleep", "1000"] | .process.capabilities |= with_entries(.value += [$cap])' \
			"$B/config.json" >"$T/$2/config.json"
	}
	guest '{"dev.brig.egress": "[{\"cidr\":\"203.0.113.20/32\",\"p\":[9000]}]"}' CAP_CHOWN
	ok run -d -b "$T/CAP_CHOWN" "$ID"
	for c in CAP_NET_ADMIN CAP_SYS_ADMIN CAP_NET_RAW; do
		guest '{}' $c
		no run -d -b "$T/$c" "$ID-guest"
		[[ $err == *"$c"*'table inet brig'* ]] || fail "$err"
	done
	guest '{}' CAP_FOWNER
	ok run -d -b "$T/CAP_FOWNER" "$ID-guest"
	ok exec "$ID-guest" true
	no exec --cap CAP_NET_ADMIN "$ID-guest" true
	[[ $err == *CAP_NET_ADMIN*'table inet brig'* ]] || fail "$err"
}

@test "attack: with CAP_NET_RAW devices that come later would pass the rules" {
	at custom
	jq '.annotations."dev.brig.egress" = "[{\"cidr\":\"203.0.113.20/32\",\"p\":[9000]}]"
		| .process.capabilities |= with_entries(.value += ["CAP_NET_RAW"])' "$B/config.json" >"$T/c" &&
		mv "$T/c" "$B/config.json"
	no run -d -b "$B" "$ID"
	[[ $err == *CAP_NET_RAW*later* ]] || fail "$err"
}
