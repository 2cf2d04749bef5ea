#!/usr/bin/env bats
load helpers
load ../lib/net
# How much, how often, how many at once; and what the kernel and the name service have counted.

setup_file() { net_up; }
teardown_file() { net_down; }

counts() { [[ $out =~ passed\ ([0-9]+)\ refused\ ([0-9]+)\ other\ ([0-9]+) ]] || fail "$out" "$err"; }
result() { jq -r "$1" "$T/result.json"; }
reports() { veth_ok --result "$T/result.json" "$@"; }

@test "limits: connections a second: a burst of twice as many, the rest is refused" {
	rate() {
		reports --egress CIDR:203.0.113.10:9000 --net-rate 10 -- probe many 100 203.0.113.10 9000 close
		counts
		[ "${BASH_REMATCH[1]}" -ge 10 ] && [ "${BASH_REMATCH[1]}" -le 60 ] || fail "$out"
		is "${BASH_REMATCH[3]}" 0
		[ "$(result '.limits[] | select(.name == "connections-rate").count')" -ge 40 ]
	}
	both rate
}

@test "limits: connections at once" {
	open() {
		reports --egress CIDR:203.0.113.10:9000 --net-open 8 -- probe many 20 203.0.113.10 9000
		is "$out" 'passed 8 refused 12 other 0'
		[ "$(result '.limits[] | select(.name == "connections-open").count')" -ge 12 ]
	}
	both open
}

@test "limits: what is closed makes room for another" {
	talks --egress CIDR:203.0.113.10:9000 --net-open 2
	says_told ok dial 1 203.0.113.10 9000
	says_told ok dial 2 203.0.113.10 9000
	says_told ECONNREFUSED tcp 203.0.113.10 9000
	says_told ok close 1
	again() { tell tcp 203.0.113.10 9000; [ "$reply" = ok ]; }
	wait_for 10 again
}

@test "limits: connections in a sandbox's life" {
	life() {
		reports --egress CIDR:203.0.113.10:9000 --net-conns 5 -- sh -c \
			'probe many 8 203.0.113.10 9000 close; probe many 4 203.0.113.10 9000 close'
		is "$out" $'passed 5 refused 3 other 0\npassed 0 refused 4 other 0'
		[ "$(result '.limits[] | select(.name == "connections-total").count')" -ge 7 ]
		is "$(result '.limits[] | select(.name == "connections-total").limit')" 5
	}
	both life
}

@test "limits: a connection that begins anew between the same ports is one more" {
	anew() {
		reports --egress CIDR:203.0.113.10:9004 --net-conns 3 -- probe again 8 40000 203.0.113.10 9004
		is "$out" 'passed 3 refused 5'
		is "$(result .network.connections)" 3
	}
	both anew
}

@test "limits: lookups are no connections" {
	reports --egress api.example.org --net-conns 2 -- sh -c 'for i in 1 2 3 4 5; do probe dns api.example.org; done
		probe many 3 203.0.113.10 443'
	is "${out##*$'\n'}" 'passed 2 refused 1 other 0'
}

# A packet before segmentation may have 64 KiB.
@test "limits: bytes, both ways together" {
	bytes() {
		veth --result "$T/result.json" --egress CIDR:203.0.113.10:80 --net-bytes 100k -- sh -c \
			'probe get 203.0.113.10 80 /big; probe tcp 203.0.113.10 80' || :
		[ "${out%% *}" -le 240000 ] || fail "$out"
		is "$(sed -n 2p <<<"$out")" ECONNREFUSED
		[ "$(result '.limits[] | select(.name == "network-bytes").count')" -ge 1 ]
	}
	both bytes
}

@test "limits: below the bytes nothing is cut" {
	reports --egress CIDR:203.0.113.10:80 --net-bytes 8m -- probe get 203.0.113.10 80 /big
	[[ $out =~ ^419[4-9][0-9]*\ closed$ ]] || fail "$out"
	is "$(result '[.limits[]? | select(.name == "network-bytes")] | length')" 0
}

@test "limits: bytes a second slow a download down, which ends whole" {
	local from=$SECONDS
	LIMIT=60 reports --egress CIDR:203.0.113.10:80 --net-bandwidth 1m -- probe get 203.0.113.10 80 /big
	[[ $out =~ ^419[4-9][0-9]*\ closed$ ]] || fail "$out"
	[ $((SECONDS - from)) -ge 2 ] || fail "4 MiB in $((SECONDS - from)) s"
}

@test "limits: the default of a level bounds what is open at once" {
	at high
	reports --egress CIDR:203.0.113.10:9000 -- probe many 300 203.0.113.10 9000 close
	counts
	at high
	reports --egress CIDR:203.0.113.10:9000 -- probe many 300 203.0.113.10 9000
	counts
	[ "${BASH_REMATCH[1]}" -le 256 ] || fail "$out"
}

@test "limits: 5000 grants, the learned addresses are bounded, and the name service lives" {
	local i grants=()
	sed -i "s/\"$DNS\"/\"$BAD_DNS\"/" "$T/brig.json"
	for ((i = 0; i < 340; i++)); do grants+=(--egress "n$i.many.test:9000-9015"); done
	LIMIT=60 up "${grants[@]}"
	LIMIT=60 b exec "$ID" sh -c 'i=0; while [ $i -lt 340 ]; do probe dns n$i.many.test; i=$((i + 1)); done | cut -d" " -f1 | sort | uniq -c'
	[[ $out =~ NOERROR ]]
	[ "$(in_sandbox nft -nj list map inet brig name4 | jq '[.nftables[].map? | select(.) | .elem[]] | length')" -le 4096 ]
	inside dns n0.many.test
	[[ $out =~ ^(NOERROR|SERVFAIL) ]] || fail "$out"
}

@test "limits: the result counts connections, lookups, grants and who was refused" {
	results() {
		reports --egress api.example.org:443 --egress CIDR:203.0.113.20:9000 -- sh -c 'probe dns api.example.org
			probe tcp 203.0.113.10 443; probe tcp 203.0.113.20 9000; probe tcp 198.51.100.5 25
			probe dns other.example.org'
		is "$(result '.network.connections')" 2
		[ "$(result .network.denied)" -ge 1 ]
		is "$(result .network.lookups)" 2
		is "$(result .network.lookupsDenied)" 1
		is "$(result '.network.refused[] | select(.to == "198.51.100.5:25/tcp").count')" 1
		is "$(result '.network.names[] | select(.name == "other.example.org").verdict')" not-listed
		is "$(result '.network.grants | map(.grant) | sort | join(" ")')" \
			'CIDR:203.0.113.20:9000/tcp api.example.org:443/tcp'
	}
	both results
}

@test "limits: flow records name what led to an address" {
	veth --egress api.example.org:443 --flows "$T/flows" -- sh -c 'probe dns api.example.org
		probe tcp 203.0.113.10 443; probe tcp 198.51.100.5 25; probe dns other.example.org'
	jq -e -s 'length >= 3' "$T/flows"
	grep 203.0.113.10 "$T/flows" | grep -q api.example.org
	grep -q 198.51.100.5 "$T/flows"
	grep -q other.example.org "$T/flows"
}
