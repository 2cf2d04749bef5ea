#!/usr/bin/env bats
load helpers
load ../lib/levels
# Grants that are none, requests beyond a ceiling, brig.json that contradicts itself: one line that
# names it, nothing started. And what `policy explain` tells of those that hold.

# explained FIELD: value, who, outcome and what was asked, of each row about it
explained() { jq -c --arg f "$1" '.fields[] | select(.field == $f) | [.value, .by, .outcome, .asked]' <<<"$out"; }

@test "egress: a grant that is none is refused with the reason" {
	local grant want
	at standard
	while IFS='|' read -r grant want; do
		refuses "--egress: .*$want" --net veth --egress "$grant" -- true
	done <<-'END'
		*|a wildcard needs a name behind it
		*.com|everybody has names below
		**.co.uk|everybody has names below
		a.*.example|a wildcard is the whole first part
		a..example|a part between its dots is empty
		-a.example|begins or ends with
		büch.example|write it as xn--
		https://a.example|is a URL
		192.0.2.1:443|is an address, not a name: write CIDR:192.0.2.1
		[2001:db8::1]|is an address, not a name
		a.example:0|port 0: ports are 1 to 65535
		a.example:65536|port 65536: ports are 1 to 65535
		a.example:90-80|the first one is the smaller one
		a.example:*|16 ports at most
		a.example/sctp|is no protocol
		a.example/icmp|icmp is for addresses
		a.example ttl=0s|1ms to 8784h
		a.example ttl=soon|is no duration
		a.example sometimes|unknown word
		CIDR:10.1.2.3/8|bits behind the first 8 are set
		CIDR:10.0.0.0/33|no number of bits
		CIDR:a.example|is no address
		CIDR:192.0.2.1:8/icmp|icmp has no ports
		CIDR:10.0.0.0/8 private|private is for names
		CIDR:::ffff:10.0.0.1|is an IPv4 address
	END
	refuses '63 are the most' --net veth --egress "$(printf 'a%.0s' {1..64}).example" -- true
	refuses '253 are the most' --net veth --egress "$(printf 'abc.%.0s' {1..64})example" -- true
	refuses '16 ports' --net veth --egress "a.example:$(seq -s, 1 2 40)" -- true
}

@test "egress: options of the network that lead nowhere are refused with the remedy" {
	local o
	at standard
	for o in '--egress a.example' '--ingress 80' '--resolver 192.0.2.1' '--net-rate 1' '--net-open 1' \
		'--net-conns 1' '--net-bytes 1M' '--net-bandwidth 1M' "--flows $T/f"; do
		# shellcheck disable=SC2086
		refuses "${o%% *} with --net none: .*add --net veth" $o -- true
	done
	refuses '[-]-grant network: with --net none: .*add --net veth' --grant network:a.example -- true
	refuses 'none of none, veth, pasta, join:PATH' --net bridge -- true
	refuses 'not an absolute path' --net join:x -- true
	refuses "host's namespace" --net join:/proc/self/ns/net -- true
	refuses 'net-rate: 0 is too little' --net veth --net-rate 0 -- true
	refuses 'resolver: .*no address' --net veth --resolver one -- true
	refuses 'resolver: more than one address' --net veth --resolver 192.0.2.0/24 -- true
	refuses 'ingress: .*is no port' --net veth --ingress http -- true
	refuses 'ingress: port 0' --net veth --ingress 0 -- true
}

@test "egress: a bundle has no options of the network" {
	local o
	for o in '--egress a.example' '--net veth' '--ingress 80' '--flows f'; do
		# shellcheck disable=SC2086
		b run $o -b "$B" "$ID"
		one_line "${o%% *} is for direct mode"
	done
}

@test "egress: annotations that are no list of grants start nothing" {
	local name value want
	while IFS='|' read -r name value want; do
		cp "$B/config.json" "$T/good.json"
		config --arg k "dev.brig.$name" --arg v "$value" '.annotations = {($k): $v}'
		no policy explain --level standard -b "$B"
		err_has "annotation dev.brig.$name: .*$want"
		cp "$T/good.json" "$B/config.json"
	done <<-'END'
		egress|["a.example"]|not an object
		egress|[{"d":"a.example","q":1}]|q: unknown
		egress|[{"p":[443]}]|d: missing
		egress|[{"d":"a.example","cidr":"192.0.2.1"}]|one of them
		egress|[{"d":"a.example:80/udp private"}]|has a
		egress|[{"d":"a.example","ttl":"1s private"}]|has a
		egress|[{"d":"*"}]|a wildcard needs a name
		egress|[{"d":"a.example","p":[0]}]|port 0
		egress|[{"d":"a.example","p":[1.5]}]|is no port
		egress|[{"d":"a.example","private":"yes"}]|not true or false
		egress|[],"ingress":[]|more than a list
		ingress|true|not an array
		ingress|[{"ports":[80]}]|from: missing
		ingress|[{"from":"me"}]|none of node, any and an address
		ingress|[{"from":"any","proto":"icmp"}]|of tcp or udp
		net.rate|0|0 is too little
		net.conns|many|is no number
		net.bytes|1X|is no size
		net.speed|1|not known
	END
}

@test "egress: more than 5000 grants are refused, 5000 are not" {
	local list
	list=$(seq 5001 | jq -sc 'map({d: "n\(.).example"})')
	jq --arg v "$list" '.annotations = {"dev.brig.egress": $v}' "$B/config.json" >"$T/c" && cp "$T/c" "$B/config.json"
	no policy explain --level standard -b "$B"
	err_has 'more than 5000 grants'
	jq '.annotations["dev.brig.egress"] |= (fromjson | .[1:] | tojson)' "$B/config.json" >"$T/c" && cp "$T/c" "$B/config.json"
	ok policy explain --level standard -b "$B" --format json
	[[ $(explained network.grants) == *'and 4984 more'* ]] || fail "$(explained network.grants)"
}

@test "egress: explain tells each grant of a tenant that was cut, and why" {
	config '.annotations = {"dev.brig.egress": "[{\"d\":\"API.example.org.\"},{\"cidr\":\"10.0.0.0/8\"},{\"d\":\"db.example\",\"private\":true}]"}'
	ok policy explain --level standard -b "$B" --format json
	is "$(explained network.grants)" \
		'["closed","annotation","cut","CIDR:10.0.0.0/8:443/tcp"]
["db.example:443/tcp","annotation","cut","db.example:443/tcp private"]
["api.example.org:443/tcp, db.example:443/tcp","annotation","set",null]'
	out_has 'private network'
	ok policy explain --level high -b "$B" --format json
	is "$(explained network.grants | grep -c '"closed","annotation","cut"')" 3
	out_has 'egress.ceiling of brig.json opens it'
	admin '"egress": {"ceiling": ["*.example.org", "CIDR:10.0.0.0/8 private"]}'
	at high
	ok policy explain -b "$B" --format json
	is "$(explained network.grants | tail -1)" '["api.example.org:443/tcp, CIDR:10.0.0.0/8:443/tcp","annotation","set",null]'
}

@test "egress: a zone where anybody has names is told, and connections inward are narrowed" {
	config '.annotations = {"dev.brig.egress": "[{\"d\":\"*.github.io\"}]",
		"dev.brig.ingress": "[{\"from\":\"any\",\"ports\":[8080],\"proto\":\"tcp\"}]"}'
	ok policy explain --level standard -b "$B" --format json
	out_has 'anybody can have a name below github.io'
	is "$(explained network.ingress)" '["8080/tcp from=node","annotation","cut","8080/tcp"]'
}

@test "egress: limits of a tenant are no more than the level's" {
	config '.annotations = {"dev.brig.net.open": "1000", "dev.brig.net.rate": "5", "dev.brig.net.conns": "9"}'
	ok policy explain --level high -b "$B" --format json
	is "$(explained network.open)" '["256","annotation","cut","1000"]'
	is "$(explained network.rate)" '["5","annotation","set",null]'
	is "$(explained network.total)" '["9","annotation","set",null]'
}

@test "egress: the ceiling of brig.json holds for flags, too" {
	admin '"egress": {"ceiling": ["*.example.org:443"]}, "ingress": {"ceiling": ["node"]}'
	at standard
	refuses 'a.example.org:80/tcp: beyond the ceiling of brig.json' --net veth --egress a.example.org:80 -- true
	refuses '8080/tcp: beyond ingress.ceiling of brig.json' --net veth --ingress 8080 -- true
}

@test "egress: brig.json that contradicts itself starts nothing" {
	local text want
	while IFS='|' read -r text want; do
		admin "$text"
		at standard
		refuses "$want" -- true
	done <<-'END'
		"egress": {"ceiling": ["none", "public"]}|none stands alone
		"egress": {"ceiling": ["*"]}|a wildcard needs a name
		"egress": {"ceiling": ["a.example ttl=1s"]}|ttl is for grants
		"egress": {"ceiling": ["CIDR:0.0.0.0/0 private"]}|named itself or not at all
		"egress": {"allow": ["a.example:0"]}|allow.0.: .*port 0
		"egress": {"never": ["10.0.0.1/8"]}|bits behind
		"egress": {"resolvers": ["192.0.2.0/24"]}|more than one address
		"egress": {"pool": "10.0.0.0/31"}|no IPv4 range
		"egress": {"pool6": "10.0.0.0/16"}|no IPv6 range
		"egress": {"directory": "run"}|not an absolute path
		"egress": {"pasta": "pasta"}|not an absolute path
		"egress": {"open": true}|open: unknown
		"ingress": {"ceiling": ["nobody"]}|none of node, any
		"ingress": {"ceiling": ["none", "any"]}|none stands alone
	END
}

@test "egress: at custom the caller is trusted, and what is no grant is still refused" {
	config '.annotations = {"dev.brig.egress": "[{\"cidr\":\"10.0.0.0/8\"}]"}'
	at custom
	ok policy explain -b "$B" --format json
	is "$(explained network.grants)" '["CIDR:10.0.0.0/8:443/tcp","annotation","set",null]'
	config '.annotations = {"dev.brig.egress": "[{\"d\":\"*\"}]"}'
	refused 'a wildcard needs a name' run -b "$B" "$ID"
	config '.annotations = {"dev.brig.egress": "[{\"cidr\":\"192.0.2.1\"}]"}
		| .process.capabilities.bounding += ["CAP_NET_ADMIN"]'
	refused 'CAP_NET_ADMIN counts in the sandbox' run -b "$B" "$ID"
}

@test "egress: a document in the words of platforms" {
	echo '{"networkAccess": {"allowedDomains": ["a.example"], "allowedPorts": [443, 80], "denyByDefault": true,
		"egress": [{"domain": "b.example", "ports": [{"port": 53, "protocol": "UDP"}]}], "ingress": false},
		"maxNetworkRequests": 7}' >"$T/doc.json"
	ok policy explain --level standard --policy "$T/doc.json" --format json
	is "$(explained network.grants)" '["b.example:53/udp, a.example:80,443/tcp","document","set",null]'
	is "$(explained network.total)" '["7","document","set",null]'
	ok policy check "$T/doc.json"
	at standard
	refuses 'policy document: networkAccess with --net none' --policy "$T/doc.json" -- true
}
