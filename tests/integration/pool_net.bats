#!/usr/bin/env bats
load helpers
load ../lib/pool
load ../lib/net

# The network of members of a pool: --net, --egress, --ingress, --resolver of `pool ensure`, in a
# small internet of its own (tests/lib/net.bash).  docs/pools.md

export NET_LEAN=1
setup_file() { net_up; }
teardown_file() { net_down; }

eval "net_$(declare -f more_setup)"
more_setup() {
	net_more_setup
	pool_setup
}
more_teardown() {
	"${BR[@]}" pool remove --force "$POOL" >/dev/null 2>&1 || :
}

links() { in_host ip -j link show group 46870 | jq '[.[].ifname | select(.)] | length'; }

@test "pool net: members reach what --egress lets them, and nothing else, in each generation" {
	prog 'probe tcp 203.0.113.10 443 hello >/tmp/said; probe tcp 203.0.113.20 443
		probe dns api.example.org >>/tmp/said; [ "$(head -n 1 /tmp/said)" = "ok hello" ] && echo ok >/tmp/ok'
	ensure --min 2 --keep-layers --net veth --egress CIDR:203.0.113.10:443 --egress api.example.org \
		--ingress 8080 --resolver "$DNS"
	is "$(pool '[.net, (.egress | join(",")), .ingress[0], .resolvers[0]] | join(" ")')" \
		"veth CIDR:203.0.113.10:443,api.example.org 8080 $DNS"
	is "$(links)" 2
	for _ in 1 2 3; do
		acquire
		as start "$LEASED"
		wait_for 10 has_ended "$LEASED"
		as diff "$LEASED"
		out_has /tmp/ok
		release
		is "$(jq -r '[.clean, .fingerprint_match] | join(" ")' <<<"$out")" 'true true'
	done
	has_arrived '203.0.113.10 6 443'
	not_arrived '203.0.113.20 .*'
	drop_pool
	wait_for 5 eval '[ "$(links)" = 0 ]'
}

@test "pool net: it is said as a whole, and cannot be another while there are members" {
	ensure --min 1 --net veth --egress CIDR:203.0.113.10:443 --ingress 8080
	ensure --min 1 --net veth --egress CIDR:203.0.113.10:443 --ingress 8080
	ok pool ensure "$POOL"
	answers 76 'another --egress' pool ensure "$POOL" --net veth --egress CIDR:203.0.113.20:443 --ingress 8080
	answers 76 'another --ingress' pool ensure "$POOL" --net veth --egress CIDR:203.0.113.10:443
	answers 76 'another --net' pool ensure "$POOL" --net none
	answers 76 'another --resolver' pool ensure "$POOL" --net veth --egress CIDR:203.0.113.10:443 \
		--ingress 8080 --resolver "$DNS"
	is "$(members)" "$POOL-1"
	ok pool drain "$POOL"
	ok pool ensure "$POOL" --min 1 --net none
	is "$(pool '[.net, .egress, .ingress] | tostring')" '["none",null,null]'
	is "$(links)" 0
}

@test "pool net: bad grants, ports and addresses are one line that names them" {
	local how opts
	while IFS='|' read -r how opts; do
		# shellcheck disable=SC2086
		answers 1 "$how" pool ensure "$POOL" --min 0 --bundle "$B" --net veth $opts
		[ ! -e "$R/.pools" ] || fail "$opts: something is left"
	done <<-END
		203.0.113.300|--egress CIDR:203.0.113.300:443
		99999|--egress api.example.org:99999
		lunch|--ingress lunch
		lunch|--egress api.example.org --resolver lunch
	END
	is "$(links)" 0
}
