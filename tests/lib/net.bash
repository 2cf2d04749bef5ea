# shellcheck shell=bash disable=SC2034  # variables are read by the tests
# A small internet for the tests of egress (egress_*.bats), made once for a file of them:
#
#	"host" -- up0 192.0.2.1/30, 2001:db8:1::1/126 ---- "inet": INET_ADDRESSES on its loopback
#
# brig runs in "host", so what --net veth makes is made there; this machine's own network is never
# touched.  In "inet": nginx (80, 443, 8080), tests/net/servers.py (echoes), dnsmasq (203.0.113.53)
# and tests/net/bad_dns.py (203.0.113.66).  What arrives in "inet" from elsewhere is kept by nft(8).
#
#	net_up / net_down      in setup_file and teardown_file;  $NET is its directory.  NET_LEAN=1: of the
#	                       servers only dnsmasq, and echoes by TCP at 443 and 9000
#	in_host, in_inet CMD   in_net NAME CMD, in any namespace made by  new_net NAME
#	arrived / nothing_seen what has come to "inet" since:  "ADDRESS PROTOCOL PORT", a line each
#	at LEVEL               as in levels.bash, from "host"
#	veth ARGS              brig run --net veth ARGS of the test's rootfs;  up ARGS: detached, sleeps
#	inside ARGS            the probe in it (brig exec), its answer in out;  says_in WANT ARGS
#	talks ARGS             a sandbox whose program is `probe session`;  tell WORDS: answer in reply
#	table                  the sandbox's ruleset as nft -j lists it, in $T/table.json

load ../lib/levels

INET_ADDRESSES=(203.0.113.10 203.0.113.20 198.51.100.5 169.254.169.254 10.9.9.9 192.168.9.9
	2001:db8::10 2001:db8::20 fd00:ec2::254 fd00::9)
DNS=203.0.113.53 BAD_DNS=203.0.113.66

# --- namespaces -----------------------------------------------------------------------------

# A namespace that a file holds (unshare binds it there), with its loopback up.
new_net() {
	: >"$NET/$1"
	unshare --net="$NET/$1" ip link set lo up
}
in_net() { nsenter --net="$NET/$1" -- "${@:2}"; }
in_host() { in_net host "$@"; }
in_inet() { in_net inet "$@"; }

# ip commands of one namespace in one go
ips() { in_net "$1" ip -batch -; }

net_up() {
	[ "$EUID" = 0 ] || return 0 # each test says why it is skipped
	local p
	NET=$BATS_FILE_TMPDIR/net
	export NET
	mkdir "$NET"
	net_has || return 0
	new_net host
	new_net inet
	ips host <<-END
		link add up0 type veth peer name down0
		link set down0 netns $NET/inet
		addr add 192.0.2.1/30 dev up0
		addr add 2001:db8:1::1/126 dev up0 nodad
		link set up0 up
	END
	ips inet <<-END
		addr add 192.0.2.2/30 dev down0
		addr add 2001:db8:1::2/126 dev down0 nodad
		link set down0 up
		$(for p in "${INET_ADDRESSES[@]}" "$DNS" "$BAD_DNS"; do
			case $p in *:*) echo "addr add $p/128 dev lo nodad" ;; *) echo "addr add $p/32 dev lo" ;; esac
		done)
	END
	ips host <<-END
		route add default via 192.0.2.2
		route add default via 2001:db8:1::2
	END
	# before Linux 6.17 only the administrator can let a host forward IPv6 (docs/network.md)
	forwards6 0
	in_inet nft -f - <<-'END'
		table inet seen {
			set four { type ipv4_addr . inet_proto . inet_service; flags dynamic; size 65535; }
			set six { type ipv6_addr . inet_proto . inet_service; flags dynamic; size 65535; }
			set from4 { type ipv4_addr; flags dynamic; size 65535; }
			set from6 { type ipv6_addr; flags dynamic; size 65535; }
			chain in {
				type filter hook prerouting priority raw;
				iifname "lo" return
				ip frag-off & 0x1fff != 0 return
				meta l4proto { tcp, udp } add @four { ip daddr . meta l4proto . th dport }
				meta l4proto { tcp, udp } add @six { ip6 daddr . meta l4proto . th dport }
				meta l4proto != { tcp, udp, ipv6-icmp } add @four { ip daddr . meta l4proto . 0 }
				meta l4proto != { tcp, udp, ipv6-icmp } add @six { ip6 daddr . meta l4proto . 0 }
				icmpv6 type echo-request add @six { ip6 daddr . meta l4proto . 0 }
				add @from4 { ip saddr }
				add @from6 { ip6 saddr }
			}
		}
	END
	net_servers
}

# What the fixture itself needs; a reason in missing where it is not here.
net_has() {
	local p
	for p in ip nft nsenter dnsmasq nginx python3 openssl; do
		command -v "$p" >/dev/null || { echo "no program $p" >"$NET/missing" && return 1; }
	done
	unshare --net true || { echo "no network namespaces" >"$NET/missing" && return 1; }
}

# forwards6 0|1: "host" as a router of IPv6, as veth needs it where no device has a switch of its own
forwards6() {
	local v=$1
	[ -e /proc/sys/net/ipv6/conf/all/force_forwarding ] || v=1
	in_host sh -c "echo $v >/proc/sys/net/ipv6/conf/all/forwarding"
}

# --- servers --------------------------------------------------------------------------------

# serve NAME NAMESPACE CMD...: a server of this file, ended by net_down
serve() {
	nsenter --net="$NET/$2" -- "${@:3}" >"$NET/$1.log" 2>&1 </dev/null 3>&- 4>&- &
	echo $! >>"$NET/pids"
}

net_servers() {
	local www=$NET/www dir=$LIB_TOP/tests/net
	mkdir -p "$www/files" "$NET/slots"
	chmod 755 "$NET" "$www"
	echo welcome >"$www/files/index.html"
	head -c 4194304 /dev/zero >"$www/files/big"
	truncate -s 256M "$www/files/huge"
	[ "${NET_LEAN:-}" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=example.org \
		-addext 'subjectAltName=DNS:example.org,DNS:*.example.org' \
		-keyout "$www/key" -out "$www/certificate" 2>/dev/null
	cat >"$www/conf" <<-END
		pid $www/pid;
		error_log stderr;
		events { worker_connections 1024; }
		http {
			access_log $www/access;
			client_body_temp_path $www/body;
			proxy_temp_path $www/proxy;
			fastcgi_temp_path $www/fastcgi;
			uwsgi_temp_path $www/uwsgi;
			scgi_temp_path $www/scgi;
			keepalive_timeout 600;
			server {
				listen 80; listen [::]:80; listen 8080; listen [::]:8080;
				listen 443 ssl; listen [::]:443 ssl;
				ssl_certificate $www/certificate;
				ssl_certificate_key $www/key;
				root $www/files;
				autoindex on;
				location /leave { return 302 http://elsewhere.example.org/index.html; }
				location /metadata { return 302 http://169.254.169.254/index.html; }
			}
		}
	END
	cat >"$NET/dnsmasq.conf" <<-END
		no-resolv
		no-hosts
		no-poll
		bind-interfaces
		listen-address=$DNS
		pid-file=
		user=root
		group=root
		log-queries
		log-facility=-
		local-ttl=60
		edns-packet-max=1232
		host-record=api.example.org,203.0.113.10,2001:db8::10,60
		host-record=files.example.org,203.0.113.20,2001:db8::20,60
		host-record=elsewhere.example.org,198.51.100.5,60
		host-record=only6.example.org,2001:db8::10,60
		host-record=short.example.org,203.0.113.10,1
		host-record=db.corp.example,10.9.9.9,60
		host-record=meta.example.org,169.254.169.254,60
		host-record=pypi.example.org,203.0.113.10,60
		host-record=git.example.org,203.0.113.10,60
		host-record=deb.example.org,203.0.113.10,60
		cname=www.example.org,api.example.org
		cname=mirror.example.org,files.example.org
		address=/wild.example/203.0.113.20
		addn-hosts=$NET/many
		txt-record=api.example.org,secret
		mx-host=api.example.org,files.example.org,5
	END
	local i
	for i in {1..100}; do echo "198.51.100.$i many.example.org"; done >"$NET/many"
	serve dnsmasq inet dnsmasq --keep-in-foreground --conf-file="$NET/dnsmasq.conf"
	[ "${NET_LEAN:-}" ] || net_servers_more
	wait_for 20 net_answers || { cat "$NET/dnsmasq.log" >&2 && return 1; }
	for i in 443 9000; do
		[ ! "${NET_LEAN:-}" ] || serve "echo$i" inet busybox nc -ll -p $i -e cat
	done
}
net_servers_more() {
	serve nginx inet nginx -e stderr -p "$www" -c "$www/conf" -g 'daemon off;'
	serve echo inet python3 "$dir/servers.py" "$NET/echo.ready" "${INET_ADDRESSES[@]}"
	serve bad inet python3 "$dir/bad_dns.py" "$NET/bad.ready" "$NET/bad.queries" "$BAD_DNS" 53
	serve host host python3 "$dir/servers.py" "$NET/host.ready" 0.0.0.0 :: @brig-test-host
	local f
	for f in "$NET/echo.ready" "$NET/bad.ready" "$NET/host.ready" "$www/pid"; do
		wait_for 20 test -e "$f" || { cat "$NET"/*.log >&2 && return 1; }
	done
}
net_answers() {
	[[ $(in_host "$LIB_TOP/build/bin/probe" dns api.example.org "server=$DNS") == *203.0.113.10* ]]
}

net_down() {
	local p f
	[ -d "${NET:-}" ] || return 0
	if [ -e "$NET/pids" ]; then
		while read -r p; do kill "$p" 2>/dev/null || :; done <"$NET/pids"
		while read -r p; do wait_for 5 net_gone "$p" || kill -9 "$p" || :; done <"$NET/pids"
	fi
	for f in "$NET"/*; do
		[ "$(stat -fc %T "$f")" != nsfs ] || umount "$f"
	done
}
net_gone() { ! grep -qs '^State:.[^ZX]' "/proc/$1/status"; }

# --- what arrived ------------------------------------------------------------------------------

# Lines "ADDRESS PROTOCOL PORT" (port 0: none) of what came to "inet" over its link.
arrived() {
	local s
	for s in four six; do
		in_inet nft -nj list set inet seen $s
	done | jq -r '.nftables[].set? | select(.) | .elem[]? | .concat | map(tostring) | join(" ")' | sort
}
sources() {
	local s
	for s in from4 from6; do
		in_inet nft -nj list set inet seen $s
	done | jq -r '.nftables[].set? | select(.) | .elem[]? | tostring' | sort
}
forget_arrived() {
	local s
	for s in four six from4 from6; do echo "flush set inet seen $s"; done | in_inet nft -f -
}
has_arrived() { grep -q "^$1\$" <<<"$(arrived)" || fail "$1 has not arrived" "$(arrived)"; }
not_arrived() { ! grep -E "^$1\$" <<<"$(arrived)" || fail "$1 has arrived"; }
# What the good name server was asked: "TYPE NAME" a line
asked() { sed -n 's/.*: query\[\([A-Z]*\)\] \([^ ]*\) from.*/\1 \2/p' "$NET/dnsmasq.log"; }

# --- sandboxes ------------------------------------------------------------------------------------

at() {
	LEVEL=$1
	BR=(nsenter --net="$NET/host" -- "$BRIG" --level "$1" --system-config "$T/brig.json" --root "$R")
}

# admin JSON: members of brig.json;  EGRESS: members of its "egress" beside the fixture's
admin() {
	printf '{"v": 1, "levels": "%s", "ids": {"directory": "%s"%s},
		"egress": {"resolvers": ["%s"], "directory": "%s"%s}%s}\n' "$T/levels" "$T/ids" \
		"${IDS:+, $IDS}" "$DNS" "$NET/slots" "${EGRESS:+, $EGRESS}" "${1:+, $1}" >"$T/brig.json"
}

more_setup() {
	requires root tool:ip tool:nft
	known_peer_failure runc crun
	[ ! -e "${NET:-/nowhere}/missing" ] || skip "$(<"$NET/missing")"
	mkdir -p "$T/levels"
	EGRESS=''
	admin ''
	at standard
	cp "$LIB_TOP/build/bin/probe" "$B/rootfs/bin/probe"
	forget_arrived
}

# direct mode over its own pair of devices
veth() { direct --net veth "$@"; }
veth_ok() { succeeds --net veth "$@"; }
no_veth() { # RE ARGS: refused, with one line that matches
	local re=$1
	shift
	refuses "$re" --net veth "$@"
}
# up ARGS: it sleeps, detached
up() {
	ok run --rootfs "$B/rootfs" --id "$ID" -d --net veth "$@" -- sleep 1000
	init_pid
}
# PATIENCE=MS inside ...: where silence is expected
inside() { b exec ${PATIENCE:+--env "PATIENCE=$PATIENCE"} "$ID" probe "$@"; }
# says_in WANT PROBE-ARGS: what the probe answers, all of it
says_in() {
	inside "${@:2}"
	[ "$out" = "$1" ] || fail "probe ${*:2}" "want: $1" "got:  $out" "err:  $err"
}
# A connection is refused at once; by IPv6, which is off where no grant needs it, there may be no
# address to connect from.
refused_in() { # ADDRESS PORT
	inside tcp "$@"
	case $1:$out in
	*:ECONNREFUSED | *:*:*:EADDRNOTAVAIL | *:*:*:ENETUNREACH) ;;
	*) fail "tcp $*: ${out:-$err}" ;;
	esac
}
# Neither reached nor answered, whether by an error or by silence.
unreached_in() {
	inside "$@"
	[[ $out != ok* ]] || fail "probe $* reached it: $out"
	[ -n "$out" ] || fail "probe $*: not a word" "$err"
}
# both FUNCTION: at standard, then at high
both() {
	for LEVEL in standard high; do
		at "$LEVEL"
		forget_arrived
		"$@"
		[ ! -e "$R/$ID" ] || ok delete --force "$ID"
	done
}
# The namespace of the sandbox, from outside, as root.
in_sandbox() { nsenter --net="/proc/$PID/ns/net" -- "$@"; }

# A sandbox that does what it is told, a line each way.
talks() {
	: >"$T/talk"
	mkfifo "$T/tell"
	"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK --net veth "$@" -- probe session \
		<"$T/tell" >"$T/talk" 2>"$T/talk.err" 3>&- &
	TALKER=$!
	PIDS+=("$TALKER")
	exec {TELL}>"$T/tell"
	wait_for 10 grep -q ready "$T/talk" || fail "does not start" "$(<"$T/talk.err")"
	init_pid
	answers=1
}
heard() {
	local all
	mapfile -t all <"$T/talk"
	[ "${#all[@]}" -gt "$answers" ]
}
tell() {
	local all
	echo "$*" >&"$TELL"
	wait_for 15 heard || fail "no answer to $*" "$(<"$T/talk.err")"
	mapfile -t all <"$T/talk"
	reply=${all[answers]}
	answers=$((answers + 1))
}
# says_told WANT WORDS
says_told() {
	tell "${@:2}"
	[ "$reply" = "$1" ] || fail "${*:2}" "want: $1" "got:  $reply"
}
# The standard input ends: so does the program.
hushes() {
	exec {TELL}>&-
	status=0
	wait "$TALKER" || status=$?
}

table() { in_sandbox nft -nj list ruleset >"$T/table.json"; }

# --- namespaces as a network plug-in makes them -----------------------------------------------------

# join_net NAME: with eth0 10.244.0.2 and fd00:244::2 behind "host", which forwards for it as a node
# does;  leave_net NAME: it goes
join_net() {
	new_net "$1"
	ips host <<-END
		link add pod0 type veth peer name eth0 netns $NET/$1
		addr add 10.244.0.1/24 dev pod0
		addr add fd00:244::1/64 dev pod0 nodad
		link set pod0 up
	END
	ips "$1" <<-END
		addr add 10.244.0.2/24 dev eth0
		addr add fd00:244::2/64 dev eth0 nodad
		link set eth0 up
	END
	ips "$1" <<-END
		route add default via 10.244.0.1
		route add default via fd00:244::1
	END
	in_host sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/forwarding'
	forwards6 1
	ips inet <<-END
		route replace 10.244.0.0/24 via 192.0.2.1
		route replace fd00:244::/64 via 2001:db8:1::1
	END
}
leave_net() {
	ips host <<<"link del pod0"
	umount "$NET/$1" && rm "$NET/$1"
	in_host sh -c 'echo 0 >/proc/sys/net/ipv4/conf/all/forwarding'
	forwards6 0
}
