#!/usr/bin/env bats
load helpers
load ../lib/net
# A pod as an engine and a network plug-in make it: a namespace by path, a sandbox container with
# the pod's annotations, containers that join it.

setup_file() { net_up; }
teardown_file() { net_down; }

more_teardown() {
	local p
	for p in pod owned; do
		[ ! -e "$NET/$p" ] || leave_net $p
	done
}

# pod_bundle NAME KIND ANNOTATIONS [JQ]: a bundle of the pod in $T/NAME
pod_bundle() {
	mkdir "$T/$1"
	jq --arg kind "$2" --arg pod "$ID-sandbox" --arg net "${POD_NET:-$NET/pod}" --argjson notes "$3" '
		.annotations = $notes + {"io.kubernetes.cri.container-type": $kind, "io.kubernetes.cri.sandbox-id": $pod}
		| .linux.namespaces |= map(if .type == "network" then .path = $net else . end)
		| .process.args = ["sleep", "1000"] | .root.path = "'"$B/rootfs"'"'" ${4:+| $4}" "$B/config.json" >"$T/$1/config.json"
}
# creates_in NAME: of the bundle, its id is ID-NAME;  says_pod NAME WANT ARGS
starts_pod() { ok run -d -b "$T/$1" "$ID-$1"; }
says_pod() {
	b exec "$ID-$1" probe "${@:3}"
	[ "$out" = "$2" ] || fail "$1: probe ${*:3}" "want: $2" "got:  $out $err"
}
GRANT='{"dev.brig.egress": "[{\"d\":\"api.example.org\",\"p\":[443]},{\"cidr\":\"203.0.113.20/32\",\"p\":[9000]}]"}'

@test "pods: the sandbox container's annotations rule each container of the pod" {
	EGRESS='"ceiling": ["public"]' # high has none of its own
	admin ''
	pod() {
		join_net pod
		pod_bundle sandbox sandbox "$GRANT"
		pod_bundle one container '{}'
		starts_pod sandbox
		starts_pod one
		local c
		for c in sandbox one; do
			says_pod $c ok tcp 203.0.113.20 9000
			says_pod $c ECONNREFUSED tcp 203.0.113.20 443
			says_pod $c 'NOERROR 203.0.113.10/60' dns api.example.org
			says_pod $c ok tcp 203.0.113.10 443
			says_pod $c ECONNREFUSED tcp 169.254.169.254 80
		done
		ok delete --force "$ID-one"
		ok delete --force "$ID-sandbox"
		leave_net pod
		rm -r "$T/one" "$T/sandbox"
	}
	both pod
}

@test "pods: a container with the pod's own wish joins, with another one is refused by both digests" {
	join_net pod
	pod_bundle sandbox sandbox "$GRANT"
	pod_bundle same container "$GRANT"
	pod_bundle other container '{"dev.brig.egress": "[{\"cidr\":\"198.51.100.5/32\",\"p\":[443]}]"}'
	starts_pod sandbox
	starts_pod same
	no run -d -b "$T/other" "$ID-other"
	is "$(grep -o sha256 <<<"$err" | wc -l)" 2
	says_pod same ok tcp 203.0.113.20 9000
	says_pod same ECONNREFUSED tcp 198.51.100.5 443
}

@test "pods: the rules stay when a container goes, and a restarted one is under them" {
	join_net pod
	pod_bundle sandbox sandbox "$GRANT"
	pod_bundle one container '{}'
	starts_pod sandbox
	starts_pod one
	ok delete --force "$ID-one"
	in_net pod nft list table inet brig >/dev/null
	starts_pod one
	says_pod one ok tcp 203.0.113.20 9000
	says_pod one ECONNREFUSED tcp 203.0.113.20 443
}

@test "pods: names are answered again when the sandbox container was made anew" {
	join_net pod
	pod_bundle sandbox sandbox "$GRANT"
	pod_bundle one container '{}'
	starts_pod sandbox
	starts_pod one
	says_pod one 'NOERROR 203.0.113.10/60' dns api.example.org
	ok delete --force "$ID-sandbox"
	starts_pod sandbox
	says_pod one 'NOERROR 203.0.113.10/60' dns api.example.org
	says_pod one ok tcp 203.0.113.10 443
}

@test "pods: the rules are kept when the last container is gone" {
	join_net pod
	pod_bundle sandbox sandbox "$GRANT"
	starts_pod sandbox
	ok delete --force "$ID-sandbox"
	is "$(in_net pod "$LIB_TOP/build/bin/probe" tcp 203.0.113.20 443)" ECONNREFUSED
}

@test "pods: what a tenant asks beyond the ceiling is cut, the rest stays" {
	EGRESS='"ceiling": ["*.example.org"]'
	admin ''
	join_net pod
	pod_bundle sandbox sandbox "$GRANT"
	starts_pod sandbox
	says_pod sandbox ECONNREFUSED tcp 203.0.113.20 9000
	says_pod sandbox 'NOERROR 203.0.113.10/60' dns api.example.org
	says_pod sandbox ok tcp 203.0.113.10 443
}

@test "pods: high grants a tenant nothing without a ceiling" {
	at high
	join_net pod
	pod_bundle sandbox sandbox "$GRANT"
	b run -d -b "$T/sandbox" "$ID-sandbox"
	if [ "$status" = 0 ]; then
		says_pod sandbox ECONNREFUSED tcp 203.0.113.20 9000
	fi
}

@test "pods: a tenant's range does not reach private addresses, metadata or the node" {
	join_net pod
	pod_bundle sandbox sandbox '{"dev.brig.egress": "[{\"cidr\":\"0.0.0.0/0\",\"p\":[80,22]},{\"cidr\":\"::/0\",\"p\":[80]}]"}'
	b run -d -b "$T/sandbox" "$ID-sandbox"
	[ "$status" = 0 ] || skip "0.0.0.0/0 is beyond the ceiling: $err"
	says_pod sandbox ECONNREFUSED tcp 10.9.9.9 80
	says_pod sandbox ECONNREFUSED tcp 169.254.169.254 80
	says_pod sandbox ECONNREFUSED tcp fd00:ec2::254 80
	says_pod sandbox ECONNREFUSED tcp 192.0.2.1 22
	says_pod sandbox ECONNREFUSED tcp 10.244.0.1 22
}

@test "pods: probes of the node reach a port, others do not" {
	join_net pod
	pod_bundle sandbox sandbox '{"dev.brig.egress": "[{\"d\":\"api.example.org\"}]",
		"dev.brig.ingress": "[{\"from\":\"node\",\"ports\":[8000]}]"}' \
		'.process.args = ["sh", "-c", "probe listen 8000 & probe listen 8001 & exec sleep 1000"]'
	starts_pod sandbox
	ready() { [ "$(in_host "$LIB_TOP/build/bin/probe" tcp 10.244.0.2 8000 hello)" = 'ok hello' ]; }
	wait_for 10 ready
	local -x PATIENCE=1500
	run in_host "$LIB_TOP/build/bin/probe" tcp 10.244.0.2 8001 hello
	[[ $output != ok* ]]
	run in_inet "$LIB_TOP/build/bin/probe" tcp 10.244.0.2 8000 hello
	[[ $output != ok* ]]
}

@test "pods: ingress false closes the node's way, too" {
	join_net pod
	pod_bundle sandbox sandbox '{"dev.brig.egress": "[{\"d\":\"api.example.org\"}]", "dev.brig.ingress": "false"}' \
		'.process.args = ["sh", "-c", "probe listen 8000 & exec sleep 1000"]'
	starts_pod sandbox
	local -x PATIENCE=1500
	run in_host "$LIB_TOP/build/bin/probe" tcp 10.244.0.2 8000 hello
	[[ $output != ok* ]]
}

@test "pods: a namespace that the pod's user namespace owns: capabilities over it are gone" {
	local p n
	unshare -Urn sleep 1000 3>&- &
	p=$!
	PIDS+=("$p")
	owned() { [ "$(readlink /proc/$p/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }
	wait_for 5 owned
	POD_NET=/proc/$p/ns/net pod_bundle sandbox sandbox "$GRANT"
	config '.' >/dev/null
	jq '.process.capabilities |= with_entries(.value += ["CAP_NET_ADMIN", "CAP_NET_RAW"])' "$T/sandbox/config.json" >"$T/c" &&
		cat "$T/c" >"$T/sandbox/config.json"
	b run -d -b "$T/sandbox" "$ID-sandbox"
	if [ "$status" != 0 ]; then
		err_has 'user namespace|owned|nf_tables|CAP_NET'
		return
	fi
	n=$(jq -r .pid <<<"$("${BR[@]}" state "$ID-sandbox")")
	# 12 and 13: net_admin, net_raw; 21: sys_admin
	is $((16#$(row CapBnd "/proc/$n/status") & (1 << 12 | 1 << 13 | 1 << 21))) 0
}

@test "pods: at custom such a namespace with capabilities over it is refused" {
	local p
	unshare -Urn sleep 1000 3>&- &
	p=$!
	PIDS+=("$p")
	owned() { [ "$(readlink /proc/$p/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }
	wait_for 5 owned
	at custom
	POD_NET=/proc/$p/ns/net pod_bundle sandbox sandbox "$GRANT" \
		'.process.capabilities |= with_entries(.value += ["CAP_NET_ADMIN"])'
	no run -d -b "$T/sandbox" "$ID-sandbox"
	err_has 'CAP_NET_ADMIN'
}

@test "pods: CAP_NET_RAW that a custom configuration insists on does not get past the rules" {
	at custom
	join_net pod
	pod_bundle sandbox sandbox '{"dev.brig.egress": "[{\"cidr\":\"203.0.113.20/32\",\"p\":[9000]}]"}' '.process.capabilities |= with_entries(.value += ["CAP_NET_RAW"])'
	starts_pod sandbox
	local mac
	mac=$(in_host ip -j link show pod0 | jq -r '.[0].address')
	b exec --cap CAP_NET_RAW "$ID-sandbox" probe packet eth0 "$mac" 10.244.0.2 203.0.113.10 9000
	b exec "$ID-sandbox" probe packet eth0 "$mac" 10.244.0.2 203.0.113.10 9000
	not_arrived '203.0.113.10 17 9000'
}
