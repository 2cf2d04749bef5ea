#!/usr/bin/env bats
load helpers
load ../lib/net
# Nobody gets more than what was said.

setup_file() { net_up; }
teardown_file() { net_down; }
more_teardown() { [ ! -e "$NET/pod" ] || leave_net pod; }

# pod_bundle NAME ANNOTATIONS [JQ]: of a pod's first container, in $T/NAME
pod_bundle() {
	mkdir "$T/$1"
	jq --arg kind "${KIND:-sandbox}" --arg pod "$ID-sandbox" --arg net "$NET/pod" --argjson notes "$2" '
		.annotations = $notes + {"io.kubernetes.cri.container-type": $kind, "io.kubernetes.cri.sandbox-id": $pod}
		| .linux.namespaces |= map(if .type == "network" then .path = $net else . end)
		| .process.args = ["sleep", "1000"] | .root.path = "'"$B/rootfs"'"'" ${3:+| $3}" "$B/config.json" >"$T/$1/config.json"
}

@test "widen: a range for all that is granted later opens no private address, metadata or host either" {
	up --egress CIDR:203.0.113.20:1
	ok grant "$ID" 'network:CIDR:0.0.0.0/0:*'
	says_in ok tcp 203.0.113.10 443
	refused_in 169.254.169.254 80
	refused_in 10.9.9.9 80
	refused_in 192.0.2.1 22
}

@test "grant: renewed in time, a name is answered after its first time is over" {
	up --egress 'api.example.org:443 ttl=4s'
	sleep 2
	ok grant "$ID" 'network:api.example.org:443 ttl=4s'
	sleep 3
	says_in 'NOERROR 203.0.113.10/60' dns api.example.org
	says_in ok tcp 203.0.113.10 443
	sleep 2
	says_in REFUSED dns api.example.org
	refused_in 203.0.113.10 443
}

@test "widen: a range that takes in an address of the host or of never opens neither" {
	EGRESS='"never": ["203.0.113.20/32"]'
	admin ''
	up --egress 'CIDR:203.0.113.0/24:443' --egress 'CIDR:192.0.2.0/24:22' --egress CIDR:203.0.113.20:80
	says_in ok tcp 203.0.113.10 443
	says_in ok tcp 203.0.113.20 80 # named itself
	refused_in 203.0.113.20 443
	refused_in 192.0.2.1 22
	ok grant "$ID" 'network:CIDR:203.0.113.16/28:8080'
	refused_in 203.0.113.20 8080
}

@test "widen: what never has within a private entry of the ceiling, and the node, a tenant does not reach" {
	EGRESS='"ceiling": ["CIDR:10.0.0.0/8 private", "CIDR:192.0.2.0/24 private"], "never": ["10.9.9.0/24"]'
	admin ''
	join_net pod
	pod_bundle sandbox '{"dev.brig.egress": "[{\"cidr\":\"10.0.0.0/8\",\"p\":[80]},{\"cidr\":\"10.9.9.9\",\"p\":[443]},{\"cidr\":\"192.0.2.1\",\"p\":[22]}]"}'
	b policy explain -b "$T/sandbox"
	[[ $out == *'egress.never of brig.json has 10.9.9.0/24'* ]] || fail "$out$err"
	ok run -d -b "$T/sandbox" "$ID-sandbox"
	local to
	for to in '10.9.9.9 80' '10.9.9.9 443' '192.0.2.1 22' '10.244.0.1 80'; do
		# shellcheck disable=SC2086
		b exec "$ID-sandbox" probe tcp $to
		is "$out" ECONNREFUSED
	done
}

@test "widen: a later container with CAP_NET_RAW does not get past the rules of one without" {
	local grant='{"dev.brig.egress": "[{\"cidr\":\"203.0.113.20/32\",\"p\":[9000]}]"}'
	at custom
	join_net pod
	pod_bundle sandbox "$grant" '.process.capabilities |= with_entries(.value -= ["CAP_NET_RAW"])'
	KIND=container pod_bundle raw "$grant" '.process.capabilities |= with_entries(.value += ["CAP_NET_RAW"])'
	ok run -d -b "$T/sandbox" "$ID-sandbox"
	no run -d -b "$T/raw" "$ID-raw"
	one_line CAP_NET_RAW
	ok delete --force "$ID-sandbox"
	# As the first one it has rules for its packets.
	leave_net pod
	join_net pod
	ok run -d -b "$T/raw" "$ID-raw"
	ok run -d -b "$T/sandbox" "$ID-sandbox"
	local mac
	mac=$(in_host ip -j link show pod0 | jq -r '.[0].address')
	b exec "$ID-raw" probe packet eth0 "$mac" 10.244.0.2 203.0.113.10 9000
	not_arrived '203.0.113.10 17 9000'
}

@test "widen: what was granted later to a sandbox is not the next one's in the same namespace" {
	join_net pod
	b=(--net "join:$NET/pod" --egress api.example.org)
	ok run --rootfs "$B/rootfs" --id "$ID-a" -d "${b[@]}" -- sleep 1000
	ok grant "$ID-a" network:CIDR:203.0.113.20:443
	b exec "$ID-a" probe tcp 203.0.113.20 443
	is "$out" ok
	ok delete --force "$ID-a"
	ok run --rootfs "$B/rootfs" --id "$ID-b" -d "${b[@]}" -- sleep 1000
	b exec "$ID-b" probe dns api.example.org
	is "$out" 'NOERROR 203.0.113.10/60'
	b exec "$ID-b" probe tcp 203.0.113.20 443
	is "$out" ECONNREFUSED
	ok delete --force "$ID-b"
}
