# shellcheck shell=bash disable=SC2016,SC2034,SC2028  # scripts for other shells; read by the tests
# A small internet beside an engine in its private machine, for tests of egress rules:
#
#	machine, up0 192.0.2.1, 2001:db8:1::1 ---- "inet", addresses of INET on its loopback
#
# In "inet" a web server on port 8080 of every address; the machine itself has dnsmasq on 10.96.0.10,
# in the place of a cluster's or a site's name server. Nothing translates addresses there: "inet"
# sees who asks, and could connect to containers as any other machine could.

INET=(203.0.113.10 203.0.113.20 10.96.7.7 2001:db8::10)
DNS=10.96.0.10
export DNS
# What the server says; what a container asks it with (busybox's wget needs libraries for names).
PAGE=inet-answers
# Of a container's web server below /etc.
GET=$'GET /not-executable HTTP/1.0\r\n\r\n'

inet_up()
{
	local address

	mkdir -p "$MACHINE_DIR/www"
	chmod 755 "$MACHINE_DIR/www"
	echo $PAGE >"$MACHINE_DIR/www/page"
	inside ip netns add inet
	inside sh -e -c 'ip link add up0 type veth peer name down0 netns inet
		ip addr add 192.0.2.1/30 dev up0; ip addr add 2001:db8:1::1/126 dev up0 nodad; ip link set up0 up
		ip addr add "$1/32" dev lo
		ip -n inet link set lo up; ip -n inet link set down0 up
		ip -n inet addr add 192.0.2.2/30 dev down0; ip -n inet addr add 2001:db8:1::2/126 dev down0 nodad
		ip -n inet route add default via 192.0.2.1; ip -n inet route add default via 2001:db8:1::1
		ip route add default via 192.0.2.2; ip route add default via 2001:db8:1::2' sh $DNS
	for address in "${INET[@]}"; do
		inside ip -n inet addr add "$address" dev lo nodad
	done
	spawn "$MACHINE_DIR/inet.log" ip netns exec inet busybox httpd -f -p 8080 -h "$MACHINE_DIR/www"
	spawn "$MACHINE_DIR/dns.log" dnsmasq --conf-file=/dev/null --no-daemon --no-resolv --no-hosts \
		--bind-interfaces --listen-address=$DNS --log-queries --user=root --pid-file= \
		--host-record=api.example.org,203.0.113.10,2001:db8::10 \
		--host-record=other.example.org,203.0.113.20 \
		--host-record=db.jobs.svc.cluster.local,10.96.7.7
	eventually 10 inside busybox wget -q -O - http://203.0.113.10:8080/page &&
		eventually 10 inside busybox nslookup api.example.org $DNS
} >/dev/null

# get ADDRESS [PORT [PATH]]: a shell's words that ask a server
get()
{
	echo "printf 'GET /${3:-page} HTTP/1.0\r\n\r\n' | nc -w 3 $1 ${2:-8080}"
}

# The table of the namespace that the process PID is in.
table_of()
{
	inside nsenter --net="/proc/$1/ns/net" nft list table inet brig
}

# What each name service is at and has decided, and what its network has counted, for who reads of a
# failure: answers that were sent and not heard are NoPorts.
names_state()
{
	inside sh -c 'for pid in $(pgrep -x brig-resolver); do
			echo "== name service $pid: $(cat /proc/$pid/wchan)"
			cat /proc/$pid/stack
			grep ^Udp: /proc/$pid/net/snmp
			cat /proc/$pid/net/udp
			nsenter --net=/proc/$pid/ns/net nft list table inet brig | grep -E "counter|elements"
		done
		find /run /tmp -name flows.jsonl -path "*$1*" -exec tail -n 8 {} +' sh "${STATE_ROOT:-}" 2>&1 || true
}

no_process()
{
	! inside pgrep -x "$1" >/dev/null
}

# Processes of brig beside containers, or namespaces, that have outlived them.
nothing_stays()
{
	eventually 10 no_process brig-resolver || fail "a resolver is left: $(inside ps -ef)"
	eventually 10 no_process brig-warden || fail "a warden is left: $(inside ps -ef)"
	[ "$(inside ip netns list | grep -vc '^inet')" = 0 ] || fail "left: $(inside ip netns list)"
}
