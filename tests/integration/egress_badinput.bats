#!/usr/bin/env bats
load helpers
load ../lib/net
# What is written wrong, asked for too much, or cannot be had here: one line, nothing started.

setup_file() { net_up; }
teardown_file() { net_down; }

bad_grant() { # GRANT RE
	no_veth "$2" --egress "$1" -- true
}

@test "bad: names that are none" {
	local n long label
	label=$(printf 'a%.0s' {1..64})
	long=$(printf 'abcdefg.%.0s' {1..32})
	for n in '' ' ' '*' '**' '*.' '.' 'a..b' '-a.org' 'a-.org' "$label.org" "${long}org" 'a b.org' 'ex*mple.org' '*.*.org' \
		'a.*.org' 'http://a.org' 'a.org/path' 'a_b!.org' $'a\nb.org' 'a.org:443/tcp/udp'; do
		direct --net veth --egress "$n" -- true
		is "$n: $status" "$n: 125"
		one_line .
	done
	nothing_left
}

@test "bad: names of other alphabets, written as they are" {
	bad_grant 'bücher.example' 'xn--|ASCII|letters|IDN'
	bad_grant 'exämple.org:443' 'xn--|ASCII|letters|IDN'
	up --egress 'xn--bcher-kva.example'
}

@test "bad: a star over a public suffix" {
	bad_grant '*.com' 'com'
	bad_grant '*.co.uk' 'co\.uk'
	bad_grant '**.org' 'org'
}

@test "bad: ports and protocols" {
	local g
	for g in a.org:0 a.org:65536 a.org:-1 a.org: a.org:80- a.org:90-80 a.org:80,,81 a.org:x a.org:443/sctp a.org:443/ \
		a.org:1-65535 a.org:80/icmp CIDR:203.0.113.1:0 CIDR:203.0.113.1:80/icmp; do
		direct --net veth --egress "$g" -- true
		is "$g: $status" "$g: 125"
		one_line .
	done
	nothing_left
}

@test "bad: ranges" {
	local g
	for g in CIDR: CIDR:203.0.113.0/33 CIDR:203.0.113.1/24:443 CIDR:300.1.1.1 'CIDR:[2001:db8::/129]:1' 'CIDR:[2001:db8::1' \
		CIDR:a.org CIDR:203.0.113 CIDR:203.0.113.0/-1 CIDR:0x7f000001 CIDR:010.1.1.1 203.0.113.10 203.0.113.0/24:443 \
		'[2001:db8::1]:443' 2001:db8::1; do
		direct --net veth --egress "$g" -- true
		is "$g: $status" "$g: 125"
		one_line .
	done
	nothing_left
}

@test "bad: words behind a grant" {
	local g
	for g in 'a.org ttl=' 'a.org ttl=0' 'a.org ttl=-1s' 'a.org ttl=1y' 'a.org ttl=1s ttl=2s' 'a.org public' 'a.org private private' \
		'CIDR:10.0.0.1 private'; do
		direct --net veth --egress "$g" -- true
		is "$g: $status" "$g: 125"
		one_line .
	done
	nothing_left
}

@test "bad: a grant without a network says what is missing" {
	exits 125 --egress api.example.org -- true
	one_line '--net'
	exits 125 --ingress 80 -- true
	one_line '--net'
	nothing_left
}

@test "bad: kinds of network" {
	local n
	for n in '' bridge host veth: join join: join:/nowhere "join:$T" join:/proc/self/ns/mnt pasta:x; do
		direct --net "$n" --egress CIDR:203.0.113.10:443 -- true
		is "$n: $status" "$n: 125"
		one_line .
	done
	nothing_left
}

@test "bad: the host's own network namespace cannot be joined" {
	refused_here() {
		direct --net "join:$NET/host" --egress CIDR:203.0.113.10:443 -- true
		is "$status" 125
		one_line .
		! in_host nft list table inet brig
	}
	both refused_here
}

@test "bad: limits" {
	local o
	for o in '--net-rate 0' '--net-rate -1' '--net-rate x' '--net-open 0' '--net-open 99999999999' '--net-conns 1.5' \
		'--net-conns 9223372036854775808' '--net-conns 18446744073709551615' \
		'--net-bytes -1' '--net-bytes 1q' '--net-bandwidth x' '--resolver api.example.org' '--resolver 1.2.3' \
		'--ingress 0' '--ingress 70000' '--ingress 80/icmp' '--ingress 90-80'; do
		# shellcheck disable=SC2086  # an option and its value
		direct --net veth --egress CIDR:203.0.113.10:443 $o -- true
		is "$o: $status" "$o: 125"
		one_line .
	done
	nothing_left
}

@test "bad: a flow file that cannot be written" {
	no_veth nowhere --egress CIDR:203.0.113.10:443 --flows "$T/nowhere/flows" -- true
}

@test "bad: 5000 grants are taken, one more is not" {
	local i many=()
	for ((i = 0; i < 5000; i++)); do many+=(--egress "CIDR:11.$((i >> 8)).$((i & 255)).0/24:443"); done
	LIMIT=60 veth "${many[@]}" -- probe tcp 203.0.113.10 443
	is "$status $out" '1 ECONNREFUSED'
	LIMIT=60 no_veth '5000' "${many[@]}" --egress CIDR:203.0.113.10:443 -- true
}

@test "bad: a flag beyond the ceiling is refused, with what lies beyond" {
	EGRESS='"ceiling": ["*.example.org"]'
	admin ''
	no_veth 'ceiling' --egress a.wild.example -- true
	no_veth 'ceiling' --egress CIDR:203.0.113.10:443 -- true
	veth_ok --egress api.example.org -- true
}

@test "bad: brig.json: members and values of egress" {
	local j
	for j in '"ceiling": "public"' '"ceiling": ["*"]' '"ceiling": [1]' '"never": ["x"]' '"pool": "10.0.0.0"' '"pool": "10.0.0.0/31"' \
		'"pool6": "x"' '"unknown": 1' '"allow": [""]' '"pasta": 1'; do
		EGRESS=$j
		admin ''
		direct --net veth --egress CIDR:203.0.113.10:443 -- true
		is "$j: $status" "$j: 125"
		one_line brig.json
	done
	nothing_left
}

@test "bad: annotations of egress" {
	local a
	for a in '' '{}' 'x' '[1]' '[{}]' '[{"d":"*"}]' '[{"d":"a.org","x":1}]' '[{"d":"a.org","cidr":"1.2.3.4"}]' \
		'[{"d":"a.org","p":[0]}]' '[{"d":"a.org","p":["x"]}]' '[{"d":"a.org","proto":"sctp"}]' '[{"d":"a.org","ttl":"x"}]'; do
		config --arg a "$a" '.annotations["dev.brig.egress"] = $a'
		b run -b "$B" "$ID"
		[ "$status" != 0 ] || fail "$a: taken"
		one_line 'dev\.brig\.egress'
	done
	nothing_left
}

@test "bad: without libmnl a sandbox with grants does not start, one without does" {
	local so=() f
	for f in /usr/lib/*/libmnl.so.0* /lib/*/libmnl.so.0*; do [ ! -f "$f" ] || so+=("$f"); done
	[ "${#so[@]}" -gt 0 ] || skip "no libmnl here"
	without() {
		# shellcheck disable=SC2016
		unshare -m --propagation private bash -c 'n=$1; shift; for f in "${@:1:n}"; do mount --bind /dev/null "$f" 2>/dev/null; done
			shift "$n"; exec "$@"' without "${#so[@]}" "${so[@]}" "${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" "$@" \
			>"$T/out" 2>"$T/err" 3>&- </dev/null && status=0 || status=$?
		slurp out "$T/out"
		slurp err "$T/err"
	}
	without --net veth --egress CIDR:203.0.113.10:443 -- true
	is "$status" 125
	one_line libmnl
	without -- echo fine
	is "$status $out" '0 fine'
	nothing_left
}

@test "bad: without nft_ct and its like there would be no start: a kernel that refuses a part names it" {
	skip "the kernel's modules are built in here: nothing can be taken away"
}
