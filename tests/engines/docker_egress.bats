#!/usr/bin/env bats
# dockerd 20.10 with egress rules. It has no annotations: what its containers may reach is in an
# administrator's file, which a runtime's runtimeArgs name.

load lib
load engines
load levels
load egress

setup_file()
{
	level_file
	file_up docker-egress networked_dockerd_up dockerd docker containerd iptables dnsmasq nft
}

networked_dockerd_up()
{
	local allow='"egress": { "allow": ["api.example.org:8080", "**.corp.example:8080 private"]'

	echo "{ \"v\": 1, $allow } }" >"$MACHINE_DIR/granted.json"
	echo "{ \"v\": 1, $allow, \"resolvers\": [\"127.0.0.11\"] } }" >"$MACHINE_DIR/embedded.json"
	inet_up && dockerd_up "$1"
}

more_runtimes()
{
	local name

	for name in granted embedded; do
		printf '"brig-%s": { "path": "%s", "runtimeArgs": ["--system-config", "%s"] },' \
			$name "$RUNTIME" "$MACHINE_DIR/$name.json"
	done
}

teardown_file()
{
	machine_down
}

setup()
{
	level_test_up
	STATE_ROOT=/run/docker/runtime-runc/moby
	AT=(--runtime brig-granted)
}

teardown()
{
	test_down
}

in_c()
{
	run engine exec "$C" sh -c "$1"
}

@test "docker egress: on the bridge granted names are looked up by way of --dns, nothing else is reached" {
	up --dns $DNS "$IMAGE" sleep 1000
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

@test "docker egress: on a network of its own the same" {
	expect 0 engine network create "$C-net"
	up --network "$C-net" --dns $DNS "$IMAGE" sleep 1000
	in_c 'nslookup api.example.org'
	has 203.0.113.10
	in_c "$(get 203.0.113.10)"
	has $PAGE
	in_c "nslookup api.example.org 127.0.0.11"
	[[ $output != *203.0.113.10* ]] || fail "Docker's name server asks past the rules"
	engine rm -f "$C"
	engine network rm "$C-net"
}

@test "docker egress: Docker's own name server, on the container's loopback, is not asked" {
	AT=(--runtime brig-embedded)
	run engine run --rm --runtime brig-embedded --name "$C" "$IMAGE" true
	[ "$status" != 0 ]
	has "an address of the loopback"
}

@test "docker egress: a published port does not answer: nothing lets anybody in" {
	up -p 192.0.2.1:8090:8080 "$IMAGE" httpd -f -p 8080 -h /etc
	eventually 5 reaches 127.0.0.1 8080
	published() { inside ip netns exec inet busybox nc -w 2 192.0.2.1 8090 <<<"$GET" | grep -q data; }
	run ! published
}

@test "docker egress: restart keeps the rules and the names" {
	up --dns $DNS "$IMAGE" sleep 1000
	expect 0 engine restart -t 0 "$C"
	in_c 'nslookup api.example.org'
	has 203.0.113.10
	in_c "$(get 203.0.113.10)"
	has $PAGE
}

@test "docker egress: nothing is left after the last container" {
	nothing_stays
	check_no_trace
}
