#!/usr/bin/env bats
load helpers
load ../lib/net
# Names: only what is granted is answered, and what is answered is open before the answer comes.

setup_file() { net_up; }
teardown_file() { net_down; }

# Against the name server that lies.
bad() {
	sed -i "s/\"$DNS\"/\"$BAD_DNS\"/" "$T/brig.json"
}
queries() { wc -l <"$NET/bad.queries"; }
element() { # FIELD: of the only element of name4
	in_sandbox nft -nj list map inet brig name4 | jq ".nftables[].map? | select(.) | .elem[0][0].elem.$1"
}
# A sandbox that may live long: in one with a short wall clock addresses stay.
up_long() { up --timeout 2h "$@"; }

@test "names: a granted name is answered and open at once" {
	named() {
		up --egress api.example.org --egress 'CIDR:[2001:db8::99]:1'
		says_in 'NOERROR 203.0.113.10/60' dns api.example.org
		says_in ok tcp 203.0.113.10 443
		says_in 'NOERROR 2001:db8::10/60' dns api.example.org type=AAAA
		says_in ok tcp 2001:db8::10 443
		refused_in 203.0.113.10 80
		refused_in 203.0.113.20 443
	}
	both named
}

@test "names: without IPv6 in the sandbox a name has no IPv6 address" {
	up --egress api.example.org
	says_in NOERROR dns api.example.org type=AAAA
}

@test "names: an address is closed before its name was asked for" {
	up --egress api.example.org
	refused_in 203.0.113.10 443
	says_in 'NOERROR 203.0.113.10/60' dns api.example.org
	says_in ok tcp 203.0.113.10 443
}

# Names that are not known yet: an answer that is kept opens nothing.
@test "names: 300 times flush, look up, connect: none is refused" {
	local i flags=()
	for ((i = 0; i < 300; i++)); do flags+=(--egress "n$i.wild.example"); done
	talks "${flags[@]}"
	for ((i = 0; i < 300; i++)); do
		in_sandbox nft flush map inet brig name4
		says_told 'connected 1 refused 0' race 1 443 "n$i.wild.example"
	done
}

@test "names: 500 lookups and connections without a pause: none is refused, few leave" {
	local before
	before=$(asked | grep -c ' api.example.org$' || :)
	veth_ok --egress api.example.org -- probe race 500 443 api.example.org
	is "$out" 'connected 500 refused 0'
	[ "$(asked | grep -c ' api.example.org$')" -le $((before + 3)) ]
}

@test "names: 90 lookups and connections without a pause: none is refused" {
	# high has 50 connections a second
	both veth_ok --egress api.example.org -- probe race 90 443 api.example.org
	is "$out" 'connected 90 refused 0'
}

@test "names: questions upstream over 200 a second wait, and are answered" {
	local i flags=()
	for ((i = 0; i < 450; i++)); do flags+=(--egress "n$i.wild.example"); done
	talks "${flags[@]}"
	tell names 450 wild.example
	[[ $reply == 'answered 450 '* ]] || fail "$reply"
}

@test "names: an answer is kept for its time and no longer" {
	local before
	times() { asked | grep -c ' short.example.org$' || :; }
	up --egress short.example.org
	before=$(times)
	says_in 'NOERROR 203.0.113.10/1' dns short.example.org
	again() { inside dns short.example.org; is "$out" 'NOERROR 203.0.113.10/1'; [ "$(times)" -gt $((before + 1)) ]; }
	wait_for 10 again
}

@test "names: capital letters are the same name, and do not leave" {
	bad
	up --egress good.bad.test
	says_in 'NOERROR 203.0.113.10/60' dns GoOd.bAd.TeSt
	[[ $(<"$NET/bad.queries") != *476f4f64* ]] || fail "as it was written"
	[[ $(<"$NET/bad.queries") == *04676f6f6403626164047465737400* ]]
}

@test "names: a chain of CNAMEs is followed, eight links and no more" {
	bad
	up --egress chain1.bad.test --egress chain8.bad.test --egress chain9.bad.test --egress self.bad.test
	says_in 'NOERROR 203.0.113.10/60' dns chain1.bad.test
	says_in 'NOERROR 203.0.113.10/60' dns chain8.bad.test
	says_in SERVFAIL dns chain9.bad.test
	says_in SERVFAIL dns self.bad.test
}

@test "names: a CNAME leads to a name that is not granted, which stays closed" {
	up --egress www.example.org
	says_in 'NOERROR 203.0.113.10/60' dns www.example.org
	says_in ok tcp 203.0.113.10 443
	says_in REFUSED dns api.example.org
}

@test "names: one star is one label, two are any number, none is the name itself" {
	stars() {
		up --egress '*.wild.example'
		says_in 'NOERROR 203.0.113.20/60' dns a.wild.example
		says_in ok tcp 203.0.113.20 443
		says_in REFUSED dns a.b.wild.example
		says_in REFUSED dns wild.example
		ok delete --force "$ID"
		up --egress '**.wild.example'
		says_in 'NOERROR 203.0.113.20/60' dns a.wild.example
		says_in 'NOERROR 203.0.113.20/60' dns a.b.c.wild.example
		says_in REFUSED dns wild.example
	}
	both stars
}

@test "names: each lookup upstream gives the address its time again" {
	up_long --egress short.example.org
	says_in 'NOERROR 203.0.113.10/1' dns short.example.org
	local first
	first=$(element expires)
	less() { [ "$(element expires)" -lt "$first" ]; }
	wait_for 10 less
	more() { inside dns short.example.org; [ "$(element expires)" -ge "$first" ]; }
	wait_for 10 more
}

@test "names: an address outlives its TTL by the time that pooled clients need" {
	up_long --egress short.example.org
	says_in 'NOERROR 203.0.113.10/1' dns short.example.org
	[ "$(element timeout)" -ge 600 ]
}

@test "names: a download is not cut when its address expires, a new one needs a lookup" {
	cut() {
		talks --egress short.example.org:9000
		tell dns short.example.org
		says_told ok dial 1 203.0.113.10 9000
		in_sandbox nft flush map inet brig name4
		says_told 'ok still' say 1 still
		says_told ECONNREFUSED tcp 203.0.113.10 9000
		opens() { tell dns short.example.org; tell tcp 203.0.113.10 9000; [ "$reply" = ok ]; }
		wait_for 10 opens
		hushes
		rm "$T/tell"
	}
	both cut
}

@test "names: by TCP as by UDP" {
	up --egress api.example.org
	says_in 'NOERROR 203.0.113.10/60' dns api.example.org tcp
	says_in ok tcp 203.0.113.10 443
	says_in REFUSED dns files.example.org tcp
}

@test "names: many addresses: cut without EDNS, whole by TCP, asked upstream by TCP" {
	up --egress many.example.org
	inside dns many.example.org tcp
	is "$(wc -w <<<"$out")" 65
	inside dns many.example.org
	out_has '^NOERROR tc'
	inside dns many.example.org edns=4096
	out_lacks SERVFAIL
	has_arrived "$DNS 6 53"
}

@test "names: an unlisted name is refused at once, and nobody is asked" {
	unlisted() {
		local before
		before=$(asked)
		up --egress api.example.org
		says_in REFUSED dns secret-data.elsewhere.example.org
		says_in REFUSED dns files.example.org
		says_in NXDOMAIN dns 10.113.0.203.in-addr.arpa type=PTR
		says_in NXDOMAIN dns localname
		is "$(asked)" "$before"
		is "$(arrived)" ''
	}
	both unlisted
}

@test "names: look-alikes are not the name" {
	bad
	up --egress good.bad.test
	local n before
	before=$(queries)
	for n in good.bad.test.evil.example evilgood.bad.test xgood.bad.test good.bad.tes \
		'good.bad.test\000.evil' 'good\046bad.test' good-bad.test 'good.bad.test\032'; do
		inside dns "$n"
		[[ $out != NOERROR* ]] || fail "$n: $out"
	done
	is "$(queries)" "$before"
	says_in 'NOERROR 203.0.113.10/60' dns good.bad.test.
}

@test "names: malformed queries are refused or dropped, and nothing leaves" {
	local h before many
	bad
	up --egress good.bad.test
	before=$(queries)
	many=$(printf '3f%0126d' 0)
	#      nothing, id alone, a response, opcode 2, no question, two, class CH
	#      a loop of pointers, a label beyond the end, a reserved label type, a name of 5 x 63
	for h in 00 1234 123481800001000000000000 \
		12348180000100000000000004676f6f64036261640474657374000001 \
		123410000001000000000000046 123401000000000000000000 \
		123401000001000000000000c00c00010001 123401000001000000000000c0ff00010001 \
		1234010000010000000000003f6100010001 1234010000010000000000008061000001 \
		"123401000001000000000000$many$many$many$many${many}0000010001" \
		12340100ffffffffffffffff04676f6f6403626164047465737400 \
		12340100000100000000000004676f6f64036261640474657374000001; do
		inside dns "hex=$h"
		[[ $out =~ ^(dropped|FORMERR|NOTIMP|REFUSED) ]] || fail "$h: $out"
	done
	inside dns good.bad.test class=3
	[[ $out != NOERROR* ]]
	inside dns good.bad.test questions=2
	[[ $out != NOERROR* ]]
	inside dns good.bad.test flags=0x8100
	is "$out" dropped
	inside dns good.bad.test flags=0x2900
	[[ $out =~ dropped|NOTIMP ]]
	inside dns "$(printf 'a%.0s' {1..64}).bad.test"
	[[ $out != NOERROR* ]]
	is "$(queries)" "$before"
	says_in 'NOERROR 203.0.113.10/60' dns good.bad.test
}

@test "names: an address that is never reached is not told, whoever says it" {
	rebound() {
		local n
		bad
		up --egress '*.bad.test:80,443,22'
		for n in loopback zero private metadata lan cgnat multicast broadcast gateway; do
			says_in REFUSED dns $n.bad.test
		done
		for n in loopback zero private metadata mapped nat64 linklocal multicast sixtofour; do
			inside dns $n.bad.test type=AAAA
			[[ $out != *::* ]] || fail "$n: $out"
		done
		says_in 'NOERROR 203.0.113.10/60' dns mixed.bad.test
		refused_in 169.254.169.254 80
		refused_in 10.9.9.9 80
		not_arrived '(10|169|192).*'
	}
	both rebound
}

@test "names: the metadata service is out of reach although its name is granted" {
	up --egress meta.example.org:80
	says_in REFUSED dns meta.example.org
	refused_in 169.254.169.254 80
	not_arrived '169.254.169.254.*'
}

@test "names: private lets a granted name lead to a private address, and only it" {
	up --egress 'db.corp.example:5432 private' --egress 'meta.example.org:80 private'
	says_in 'NOERROR 10.9.9.9/60' dns db.corp.example
	says_in ok tcp 10.9.9.9 5432
	refused_in 10.9.9.9 80
	refused_in 192.168.9.9 5432
	# link-local stays what it is
	says_in REFUSED dns meta.example.org
	refused_in 169.254.169.254 80
}

@test "names: only addresses are told: no HTTPS, SVCB, TXT, MX, ANY or other record" {
	local t
	up --egress api.example.org
	for t in HTTPS SVCB TXT MX NS ANY SRV PTR CNAME; do
		says_in NOERROR dns api.example.org type=$t
	done
	is "$(asked | grep -cE '^(TXT|MX|HTTPS|type)' || :)" 0
}

@test "names: below a wildcard only so many names a minute leave" {
	local i answered=0
	bad
	talks --egress '**.bad.test'
	for ((i = 0; i < 120; i++)); do
		tell dns "x$i-$RANDOM.good.bad.test"
		[[ $reply != NOERROR* ]] || answered=$((answered + 1))
	done
	[ "$answered" -ge 16 ] && [ "$answered" -le 64 ] || fail "$answered were answered"
}

@test "names: long labels below a wildcard do not leave" {
	local before
	bad
	up --egress '*.bad.test'
	before=$(queries)
	inside dns "$(printf 'a%.0s' {1..60}).bad.test"
	[[ $out != NOERROR* ]]
	is "$(queries)" "$before"
}

@test "names: what a lying name server answers opens nothing that it should not" {
	local n
	bad
	up --egress '**.bad.test:80'
	local -A asked=()
	# Side by side: for some of the answers it is waited.
	for n in wrongowner counts short cut loop length noise empty servfail silent question; do
		timeout 20 "${BR[@]}" exec "$ID" probe dns $n.bad.test </dev/null >"$T/$n" 2>&1 3>&- &
		asked[$n]=$!
	done
	for n in "${!asked[@]}"; do
		wait "${asked[$n]}" || :
		out=$(cat "$T/$n")
		[[ $out != *198.51.100.5* ]] || fail "$n: $out"
		[[ $out =~ ^(SERVFAIL|NOERROR|REFUSED|NXDOMAIN) ]] || fail "$n: $out"
	done
	refused_in 198.51.100.5 80
	says_in 'NOERROR 203.0.113.10/60' dns good.bad.test
}

@test "names: an answer with another id or question is not taken" {
	bad
	up --egress wrongid.bad.test --egress wrongname.bad.test
	for n in wrongid wrongname; do
		inside dns $n.bad.test
		[[ $out != *198.51.100.5* ]] || fail "$n: $out"
	done
	refused_in 198.51.100.5 443
}

@test "names: a name that does not exist, and a server that cannot say" {
	bad
	up --egress nxdomain.bad.test --egress servfail.bad.test
	says_in NXDOMAIN dns nxdomain.bad.test
	says_in SERVFAIL dns servfail.bad.test
}

@test "names: a TTL of nought and one of a century" {
	bad
	up --egress ttl0.bad.test --egress ttlmax.bad.test
	inside dns ttl0.bad.test
	out_has '^NOERROR 203.0.113.10/[01]$'
	says_in ok tcp 203.0.113.10 443
	says_in 'NOERROR 203.0.113.10/300' dns ttlmax.bad.test
}

@test "names: resolv.conf names the sandbox's own name service" {
	conf() {
		veth_ok --egress api.example.org -- cat /etc/resolv.conf
		out_has '^nameserver 127\.0\.77\.53'
		out_has 'options .*edns0'
		is "$(grep -c nameserver <<<"$out")" 1
	}
	both conf
}

@test "names: without a name there is no name service" {
	up --egress CIDR:203.0.113.10:443
	inside dns api.example.org ms=500
	[[ $out != NOERROR* ]]
	veth_ok --egress CIDR:203.0.113.10:443 --id "$ID-2" -- cat /etc/resolv.conf
	out_lacks nameserver
}

@test "names: nobody but the sandbox asks its name service" {
	up --egress api.example.org
	is "$(in_host "$LIB_TOP/build/bin/probe" dns api.example.org ms=500)" ECONNREFUSED
}

@test "names: what a wildcard learned of one name, another name's port does not open" {
	up --egress api.example.org:443 --egress files.example.org:80
	inside dns api.example.org
	inside dns files.example.org
	says_in ok tcp 203.0.113.10 443
	says_in ok tcp 203.0.113.20 80
	refused_in 203.0.113.10 80
	refused_in 203.0.113.20 443
}

@test "names: two names with one address, each opens its port" {
	up --egress api.example.org:443 --egress git.example.org:80
	inside dns git.example.org
	says_in ok tcp 203.0.113.10 80
	refused_in 203.0.113.10 443
	inside dns api.example.org
	says_in ok tcp 203.0.113.10 443
}
