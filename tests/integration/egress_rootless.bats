#!/usr/bin/env bats
load helpers
load ../lib/net
load ../lib/rootless
# A plain user's sandboxes: rules without a device, and with pasta where it is installed.

setup_file() { net_up; }
teardown_file() { net_down; }

more_setup() {
	requires root userns tool:nft
	[ ! -e "$NET/missing" ] || skip "$(<"$NET/missing")"
	mkdir -p "$T/levels"
	EGRESS=""
	admin ""
	rootless_setup
	cp "$LIB_TOP/build/bin/probe" "$B/rootfs/bin/probe"
	# where the machine keeps the device for itself, these users have one in their own mount namespace
	mknod -m 666 "$T/tun" c 10 200
	sed -i '1a [ ! -c /dev/net/tun ] || mount --bind "$1/tun" /dev/net/tun || exit 99' "$T/in.sh"
	chmod 711 "$NET" "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR/file" 2>/dev/null || :
	forget_arrived
}

# As in rootless.bash, from "host"; his level is standard unless the test says so.
as() {
	status=0
	timeout -k 2 "${LIMIT:-30}" nsenter --net="$NET/host" -- unshare -m sh "$T/in.sh" "$T" "$ID" \
		setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" XDG_RUNTIME_DIR="$T/xdg" XDG_STATE_HOME="$T/xdg" BRIG_TEST_MARK="$ID" \
		T="$T" B="$B" R="$R" ID="$ID" "$@" \
		<"${STDIN:-/dev/null}" >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	slurp err "$T/err"
}
his() { u run --rootfs "$B/rootfs" --id "$ID" "$@"; }
needs_pasta() {
	command -v pasta >/dev/null || skip "no pasta (package passt)"
	[ -c /dev/net/tun ] || skip "no /dev/net/tun"
}

@test "rootless: --net none has the loopback and nothing else" {
	his -- sh -c 'probe tcp 203.0.113.10 443; probe tcp 192.0.2.1 22; echo done'
	out_lacks '(^|\n)ok'
	out_has "done"
	is "$(arrived)" ''
}

@test "rootless: veth is refused with what to use instead" {
	his --net veth --egress CIDR:203.0.113.10:443 -- true
	is "$status" 125
	one_line 'pasta'
}

@test "rootless: pasta that is not there is named with its package" {
	mkdir "$T/empty"
	chmod 755 "$T/empty"
	PATH_WITHOUT=$T/empty
	as env PATH="$PATH_WITHOUT" "$T/brig" --root "$R" run --rootfs "$B/rootfs" --id "$ID" --net pasta \
		--egress CIDR:203.0.113.10:443 -- true
	is "$status" 125
	one_line 'passt'
}

@test "rootless: pasta carries what is granted, and nothing else" {
	needs_pasta
	his --resolver "$DNS" --net pasta --egress api.example.org --egress CIDR:203.0.113.20:9000 -- sh -c '
		probe dns api.example.org; probe tcp 203.0.113.10 443; probe tcp 203.0.113.20 9000
		probe tcp 203.0.113.20 80; probe tcp 198.51.100.5 443; probe tcp 10.9.9.9 80'
	is "$out" $'NOERROR 203.0.113.10/60\nok\nok\nECONNREFUSED\nECONNREFUSED\nECONNREFUSED'
	not_arrived '198.*'
}

@test "rootless: services of the host are out of reach through pasta" {
	needs_pasta
	his --net pasta --egress CIDR:0.0.0.0/0:22 -- sh -c '
		for a in 192.0.2.1 192.0.2.2 127.0.0.1 10.0.2.2; do PATIENCE=2000 probe tcp $a 22 hello & done; wait
		echo done'
	out_lacks 'ok hello'
	out_has "done"
}

@test "rootless: root, too, may have pasta" {
	needs_pasta
	at standard
	b run --rootfs "$B/rootfs" --id "$ID" --net pasta --egress CIDR:203.0.113.10:443 -- sh -c \
		'probe tcp 203.0.113.10 443; probe tcp 203.0.113.20 443'
	is "$out" $'ok\nECONNREFUSED'
}

@test "rootless: pasta ends with the sandbox" {
	needs_pasta
	his --net pasta --egress CIDR:203.0.113.10:443 -- probe tcp 203.0.113.10 443
	is "$out" ok
	! pgrep -u 1000 pasta
}

@test "rootless: rules of the sandbox cannot be changed from inside" {
	needs_pasta
	his --net pasta --egress CIDR:203.0.113.10:443 -- sh -c 'ip link set eth0 down; ip route flush table main
		probe tcp 203.0.113.10 443'
	is "${out##*$'\n'}" ok
}

# own.sh ARGS: the user is root of a user namespace, as a rootless engine has it, with a network of
# his own: "$T/own" is what brig joins, 198.51.100.7:8000 a service behind it.
in_his_own() { # LEVEL ARGS
	cat >"$T/own.sh" <<-'END'
		ip link set lo up
		ip addr add 198.51.100.7/32 dev lo
		unshare -n sleep 1000 & net=$!
		"$T/serve" & serve=$!
		trap 'kill $net $serve' EXIT
		for i in 1 2 3 4 5 6 7 8 9 0; do
			ip link add h0 type veth peer name eth0 netns $net 2>/dev/null && [ -e "$T/serves" ] && break
			ip link del h0 2>/dev/null
			sleep 0.2
		done
		ip addr add 10.77.0.1/24 dev h0
		ip link set h0 up
		in="nsenter --net=/proc/$net/ns/net"
		$in ip link set lo up
		$in ip addr add 10.77.0.2/24 dev eth0
		$in ip link set eth0 up
		$in ip route add default via 10.77.0.1
		level=$1
		shift
		"$T/brig" --level $level --system-config "$T/brig.json" --root "$R" run --rootfs "$B/rootfs" --id "$ID" \
			--net ${NETWORK:-join:/proc/$net/ns/net} "$@"
		status=$?
		[ "${NETWORK:-}" ] || $in nft -nj list ruleset >"$T/table.json"
		exit $status
	END
	cat >"$T/serve" <<-'END'
		#!/usr/bin/python3
		import os, socket
		s = socket.create_server(("198.51.100.7", 8000))
		open(os.environ["T"] + "/serves", "w").close()
		while True:
		    s.accept()[0].close()
	END
	chmod 755 "$T/serve"
	mkdir -p "$T/mine"
	chmod 700 "$T/mine"
	rm -f "$T/serves"
	printf '{"v": 1, "egress": {"directory": "%s"}}\n' "$T/mine" >"$T/brig.json"
	chown 1000:1000 "$T" "$T/mine"
	as env ${NETWORK:+NETWORK=$NETWORK} unshare -Urn sh "$T/own.sh" "$@"
}

@test "rootless: root of a user namespace joins a network namespace with grants" {
	for LEVEL in standard high; do
		in_his_own $LEVEL --egress CIDR:198.51.100.7:8000 -- sh -c 'probe tcp 198.51.100.7 8000; probe tcp 198.51.100.7 8001
			probe tcp 10.77.0.1 8000'
		is "$out" $'ok\nECONNREFUSED\nECONNREFUSED'
		jq -e '.nftables[].table? | select(.name == "brig")' "$T/table.json"
	done
}

# his_net: a user namespace of his with a network namespace, as a rootless engine makes one for a pod,
# behind "host";  $his is a process in it
his_net() {
	NO_CGROUP=1 as sh -c 'unshare -Urn sh -c "echo \$\$ >\$T/xdg/pid; exec sleep 100" >/dev/null 2>&1 3>&- &
		while ! [ -s $T/xdg/pid ]; do sleep 0.1; done'
	his=$(<"$T/xdg/pid")
	PIDS+=("$his")
	rm "$T/xdg/pid"
	new_net() {
		: >"$NET/$1"
		mount --bind "/proc/$his/ns/net" "$NET/$1"
		in_net "$1" ip link set lo up
	}
	join_net his
}

@test "rootless: a network namespace of another user namespace is joined with it, and confined" {
	local level
	printf '{"v": 1, "egress": {"resolvers": ["%s"]}}\n' "$DNS" >"$T/brig.json"
	for level in custom standard; do
		his_net
		config '.annotations = {"dev.brig.egress": "[{\"cidr\":\"203.0.113.20\",\"p\":[9000]},{\"d\":\"api.example.org\"}]"}
			| .process.args = ["sh", "-c", "probe tcp 203.0.113.20 9000; probe tcp 203.0.113.20 80
				probe dns other.example.org; probe dns api.example.org; probe tcp 203.0.113.10 443"]
			| .process.capabilities = {} | .process.noNewPrivileges = true
			| del(.linux.resources, .linux.uidMappings, .linux.gidMappings)
			| .linux.namespaces |= map(select(.type != "network" and .type != "user")) + [
				{"type": "user", "path": "/proc/'"$his"'/ns/user"}, {"type": "network", "path": "/proc/'"$his"'/ns/net"}]
			| .mounts |= map(if .options then .options -= ["gid=5"] else . end)'
		u --level $level --system-config "$T/brig.json" run -b "$B" "$ID"
		leave_net his
		is "$out" $'ok\nECONNREFUSED\nNXDOMAIN\nNOERROR 203.0.113.10/60\nok'
		not_arrived '203.0.113.20 6 80'
		forget_arrived
	done
}

@test "rootless: capabilities over the rules are refused at custom with grants" {
	his_net
	config '.annotations = {"dev.brig.egress": "[{\"cidr\":\"203.0.113.20\",\"p\":[9000]}]"}
		| .process.capabilities = {"bounding": ["CAP_NET_ADMIN"], "permitted": ["CAP_NET_ADMIN"], "effective": ["CAP_NET_ADMIN"]}
		| del(.linux.resources, .linux.uidMappings, .linux.gidMappings)
		| .linux.namespaces |= map(select(.type != "network" and .type != "user")) + [
			{"type": "user", "path": "/proc/'"$his"'/ns/user"}, {"type": "network", "path": "/proc/'"$his"'/ns/net"}]
		| .mounts |= map(if .options then .options -= ["gid=5"] else . end)'
	u --level custom run -b "$B" "$ID"
	leave_net his
	is "$status" 1
	one_line 'CAP_NET_ADMIN counts in'
}
