#!/usr/bin/env bats
# Podman 4.3 with brig and no option, egress rules by annotation: a bridge of netavark, its DNS
# (where aardvark-dns is installed), published ports, pods.

load lib
load engines
load levels
load egress

setup_file()
{
	level_file
	file_up podman-egress networked_podman_up podman conmon catatonit iptables dnsmasq nft
}

# What comes in by published ports is from anywhere: an administrator has to let it.
networked_podman_up()
{
	echo '{ "v": 1, "egress": { "ceiling": ["public", "*.corp.example private"] },
		"ingress": { "ceiling": ["any"] } }' >"$MACHINE_DIR/brig.json"
	printf '#!/bin/sh\nexec %s --system-config %s "$@"\n' "$(runtime_path)" "$MACHINE_DIR/brig.json" >"$RUNTIME"
	inet_up && podman_up "$1"
}

teardown_file()
{
	machine_down
}

setup()
{
	level_test_up
	STATE_ROOT=/run/brig
	POD=
}

teardown()
{
	test_down
	[ -z "$POD" ] || engine pod rm -f -t 0 "$POD" >/dev/null 2>&1 || true
}

EGRESS='[{"d":"api.example.org","p":[8080]}]'

# note NAME JSON: the option, whose argument Podman reads as a line of CSV
note()
{
	NOTE=(--annotation "\"$1=${2//\"/\"\"}\"")
}

# granted OPTION...: $C in the background with these grants
granted()
{
	note dev.brig.egress "$EGRESS"
	up "${NOTE[@]}" "$@"
}

in_c()
{
	run engine exec "${2-$C}" sh -c "$1"
}

@test "podman egress: a granted name is looked up by way of the machine's resolver, nothing else is reached" {
	granted --dns $DNS "$IMAGE" sleep 1000
	in_c 'nslookup api.example.org'
	has 203.0.113.10
	in_c "$(get 203.0.113.10)"
	has $PAGE
	in_c "$(get 203.0.113.20)"
	has "Connection refused"
	in_c 'nslookup other.example.org'
	has NXDOMAIN
	in_c "nslookup api.example.org $DNS"
	[[ $output != *203.0.113.10* ]]
}

@test "podman egress: netavark's DNS of a network is asked by ours" {
	[ -x /usr/lib/podman/aardvark-dns ] || [ -x /usr/libexec/podman/aardvark-dns ] ||
		skip "no aardvark-dns"
	expect 0 engine network create "$C-net"
	EGRESS='[{"d":"db.corp.example","p":[8080],"private":true}]'
	note dev.brig.ingress '[{"from":"any","ports":[8080]}]'
	expect 0 engine run -d --network "$C-net" --network-alias db.corp.example --name "$C-db" \
		"${NOTE[@]}" "$IMAGE" httpd -f -p 8080 -h /etc
	granted --network "$C-net" "$IMAGE" sleep 1000
	in_c 'nslookup db.corp.example'
	in_c "$(get "$(grep -o '10\.[0-9.]*' <<<"$output" | tail -n 1)" 8080 not-executable)"
	has data
	engine rm -f "$C" "$C-db"
	LEFT=
	engine network rm "$C-net"
}

@test "podman egress: a published port answers where ingress from any is let in" {
	note dev.brig.ingress '[{"from":"any","ports":[8080]}]'
	up -p 192.0.2.1:8090:8080 "${NOTE[@]}" "$IMAGE" httpd -f -p 8080 -h /etc
	published() { inside ip netns exec inet busybox nc -w 2 192.0.2.1 8090 <<<"$GET" | grep -q data; }
	eventually 5 published
	in_c "$(get 203.0.113.10)"
	has "Connection refused"
	expect 0 engine rm -f "$C"
	# The same without the annotation.
	up -p 192.0.2.1:8090:8080 "$IMAGE" httpd -f -p 8080 -h /etc
	eventually 5 reaches 127.0.0.1 8080
	run ! published
}

@test "podman egress: a pod's containers have its rules, when each has the same annotation" {
	POD=p$BATS_TEST_NUMBER
	expect 0 engine pod create --name "$POD" --dns $DNS
	note dev.brig.egress "$EGRESS"
	for c in a b d; do
		# One without lives with the rules; its resolv.conf is Podman's, which they refuse.
		[ $c != d ] || NOTE=()
		expect 0 engine run -d --pod "$POD" --name "$C-$c" "${NOTE[@]}" "$IMAGE" sleep 1000
		in_c 'nslookup api.example.org' "$C-$c"
		[ $c = d ] || has 203.0.113.10
		in_c "$(get 203.0.113.10)" "$C-$c"
		has $PAGE
		in_c "$(get 203.0.113.20)" "$C-$c"
		has "Connection refused"
	done
	note dev.brig.egress '[{"cidr":"203.0.113.20/32"}]'
	run engine run -d --pod "$POD" --name "$C" "${NOTE[@]}" "$IMAGE" sleep 1000
	[ "$status" -ne 0 ]
	has "those of another policy"
}

@test "podman egress: a container that joins another's network has to have the same annotation" {
	granted --dns $DNS "$IMAGE" sleep 1000
	expect 0 engine run --rm --network "container:$C" "${NOTE[@]}" "$IMAGE" nslookup api.example.org
	has 203.0.113.10
	run engine run --rm --network "container:$C" "$IMAGE" true
	[ "$status" -ne 0 ]
	has "inet brig with grants"
}

@test "podman egress: play kube with annotations" {
	cat >"$BATS_TEST_TMPDIR/pod.yaml" <<-EOT
		apiVersion: v1
		kind: Pod
		metadata:
		  name: played
		  annotations:
		    dev.brig.egress: '$EGRESS'
		spec:
		  dnsConfig:
		    nameservers: ["$DNS"]
		  containers:
		  - name: first
		    image: $IMAGE
		    command: ["sleep", "1000"]
		  - name: second
		    image: $IMAGE
		    command: ["sleep", "1000"]
	EOT
	POD=played
	sed -i '/^default_ulimits/d' "$CONTAINERS_CONF"
	expect 0 engine play kube "$BATS_TEST_TMPDIR/pod.yaml"
	for c in first second; do
		in_c 'nslookup api.example.org' played-$c
		has 203.0.113.10
		in_c "$(get 203.0.113.10)" played-$c
		has $PAGE
	done
}

@test "podman egress: without a network a grant is taken and reaches nothing; of the host it is refused" {
	granted --network none "$IMAGE" sleep 1000
	in_c "$(get 203.0.113.10)"
	[[ $output != *$PAGE* ]]
	expect 0 engine rm -f "$C"
	run engine run --rm --network host "${NOTE[@]}" "$IMAGE" true
	[ "$status" -ne 0 ]
	has network
}

@test "podman egress: stop, start and restart of a container keep its rules and its names" {
	granted --dns $DNS "$IMAGE" sleep 1000
	expect 0 engine restart -t 0 "$C"
	in_c 'nslookup api.example.org'
	has 203.0.113.10
	in_c "$(get 203.0.113.10)"
	has $PAGE
	expect 0 engine stop -t 0 "$C"
	eventually 5 no_process brig-resolver
	expect 0 engine start "$C"
	in_c 'nslookup api.example.org'
	has 203.0.113.10
}

@test "podman egress: nothing is left after the last container" {
	nothing_stays
	check_no_trace
}
