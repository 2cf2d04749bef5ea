#!/usr/bin/env bats
load helpers
# sysctl, personality, memory policy, intelRdt, network devices, LSM labels

@test "sysctl: a network and an ipc parameter" {
	config '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.shmmni": "1234", "fs.mqueue.msg_max": "11"}'
	says 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni /proc/sys/fs/mqueue/msg_max'
	out_is $'1\n1234\n11'
}

@test "sysctl: the slash form of a name with dots" {
	known_peer_failure runc
	config '.linux.sysctl = {"net/ipv4/conf/lo/forwarding": "1"}'
	says 'cat /proc/sys/net/ipv4/conf/lo/forwarding'
	out_is 1
}

@test "sysctl: what belongs to the host is refused and named" {
	for k in kernel.core_pattern vm.swappiness kernel.sysrq fs.file-max; do
		config --arg k $k '.linux.sysctl = {($k): "1"}'
		refused "$k" run -b "$B" "$ID"
	done
}

@test "sysctl: a namespace that is the host's makes its parameters the host's: refused" {
	config '.linux.sysctl = {"net.ipv4.ip_forward": "1"}
		| .linux.namespaces |= map(select(.type != "network"))'
	refused 'net.ipv4.ip_forward|namespace' run -b "$B" "$ID"
	config '.linux.sysctl = {"kernel.msgmax": "65536"}
		| .linux.namespaces |= map(select(.type != "ipc"))'
	refused 'kernel.msgmax|namespace' run -b "$B" "$ID"
}

@test "sysctl: one that does not exist is refused and named" {
	config '.linux.sysctl = {"net.ipv4.nosuch": "1"}'
	refused 'nosuch' run -b "$B" "$ID"
}

@test "sysctl: path tricks do not leave /proc/sys" {
	for k in 'net.ipv4/../../kernel/core_pattern' 'net/../kernel/core_pattern' 'net...kernel.core_pattern'; do
		config --arg k "$k" '.linux.sysctl = {($k): "evil"}'
		b run -b "$B" "$ID"
		[ "$status" != 0 ] || fail "$k was taken"
		[ "$(</proc/sys/kernel/core_pattern)" != evil ] || fail "core_pattern of the host changed"
	done
}

@test "sysctl: kernel.domainname with a uts namespace" {
	config '.linux.sysctl = {"kernel.domainname": "example.test"}'
	known_peer_failure runc
	says 'cat /proc/sys/kernel/domainname'
	out_is example.test
}

@test "sysctl in a user namespace" {
	userns
	config '.linux.sysctl = {"net.ipv4.ping_group_range": "0 100", "kernel.shmmni": "99"}'
	says 'cat /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/shmmni'
	out_has '0.100'
	out_has '99$'
}

@test "personality LINUX32" {
	known_peer_failure runc
	says 'uname -m; cat /proc/self/personality' '.linux.personality = {"domain": "LINUX32"}'
	out_has '^(i686|armv)'
	out_has '00000008'
}

@test "personality LINUX" {
	says 'cat /proc/self/personality' '.linux.personality = {"domain": "LINUX"}'
	out_is 00000000
}

@test "personality: an unknown domain is refused and named" {
	known_peer_failure runc
	config '.linux.personality = {"domain": "BSD"}'
	refused BSD run -b "$B" "$ID"
}

@test "memoryPolicy MPOL_BIND" {
	known_peer_failure runc crun
	[ -e /proc/self/numa_maps ] || skip "no NUMA in this kernel"
	says 'head -n 1 /proc/self/numa_maps' '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0"}'
	out_has 'bind.*:0'
}

@test "memoryPolicy MPOL_INTERLEAVE with flags" {
	known_peer_failure runc crun
	[ -e /proc/self/numa_maps ] || skip "no NUMA in this kernel"
	says 'head -n 1 /proc/self/numa_maps' '.linux.memoryPolicy = {"mode": "MPOL_INTERLEAVE",
		"nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}'
	out_has 'interleave.*static.*:0'
}

@test "memoryPolicy MPOL_DEFAULT and MPOL_LOCAL take no nodes" {
	known_peer_failure runc crun
	[ -e /proc/self/numa_maps ] || skip "no NUMA in this kernel"
	for m in MPOL_DEFAULT MPOL_LOCAL; do
		config ".linux.memoryPolicy = {\"mode\": \"$m\"}"
		runs
	done
}

@test "memoryPolicy: unknown mode, flag and node are refused in runc's words" {
	known_peer_failure runc crun
	config '.linux.memoryPolicy = {"mode": "MPOL_NOSUCH", "nodes": "0"}'
	refused 'invalid memory policy' run -b "$B" "$ID"
	config '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NOSUCH"]}'
	refused 'invalid memory policy flag' run -b "$B" "$ID"
	config '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0-x"}'
	refused 'invalid memory policy node' run -b "$B" "$ID"
	config '.linux.memoryPolicy = {"mode": "MPOL_DEFAULT", "nodes": "0-7"}'
	refused 'mode requires 0 nodes but got 8' run -b "$B" "$ID"
}

@test "intelRdt without a resctrl mount is refused" {
	grep -q resctrl /proc/mounts && skip "resctrl is mounted"
	config '.linux.intelRdt = {"closID": "g", "l3CacheSchema": "L3:0=f"}'
	refused 'intelRdt|resctrl|RDT' run -b "$B" "$ID"
}

@test "an apparmorProfile where there is no AppArmor is refused" {
	[ ! -d /sys/kernel/security/apparmor ] || skip "this host has AppArmor"
	config '.process.apparmorProfile = "nosuch"'
	refused 'apparmor' run -b "$B" "$ID"
}

@test "selinuxLabel and mountLabel where SELinux is off are ignored or refused, never half applied" {
	[ ! -d /sys/fs/selinux ] || skip "this host has SELinux"
	config '.process.selinuxLabel = "system_u:system_r:x_t:s0"'
	b run -b "$B" "$ID"
	nothing_left
	config 'del(.process.selinuxLabel) | .linux.mountLabel = "system_u:object_r:x_t:s0"'
	known_peer_failure runc
	runs
}

# veth: a pair vbHOST/vbPEER whose first end goes into the container
veth() {
	command -v ip >/dev/null || skip "no ip"
	V=vb$((RANDOM % 10000))
	ip link add "${V}a" type veth peer name "${V}b" 2>/dev/null || skip "no veth in this kernel"
	VETH=$V
}
more_teardown() { [ -z "${VETH:-}" ] || ip link del "${VETH}b" 2>/dev/null || :; }

@test "netDevices: a device is moved into the container and up" {
	known_peer_failure runc crun
	veth
	config --arg n "${V}a" '.linux.netDevices = {($n): {}}'
	says "ip link show ${V}a"
	out_has "${V}a.*UP"
}

@test "netDevices: renamed" {
	known_peer_failure runc crun
	veth
	config --arg n "${V}a" '.linux.netDevices = {($n): {"name": "eth7"}}'
	says 'ip -o link | cut -d: -f2'
	out_has 'eth7'
	out_lacks "${V}a"
}

@test "netDevices: addresses with global scope and the MTU are kept" {
	known_peer_failure runc crun
	veth
	ip addr add 192.0.2.7/24 dev "${V}a"
	ip addr add 2001:db8::7/64 dev "${V}a" nodad
	ip link set "${V}a" mtu 1333 address 02:00:00:00:00:07
	config --arg n "${V}a" '.linux.netDevices = {($n): {"name": "eth0"}}'
	says 'ip addr show eth0'
	out_has 'inet 192.0.2.7/24'
	out_has 'inet6 2001:db8::7/64'
	out_has 'mtu 1333'
	out_has '02:00:00:00:00:07'
}

@test "netDevices: a template with %d" {
	known_peer_failure runc crun
	veth
	config --arg n "${V}a" '.linux.netDevices = {($n): {"name": "net%d"}}'
	says 'ip -o link'
	out_has 'net0'
}

@test "netDevices: a device that does not exist is refused and named" {
	known_peer_failure runc crun
	config '.linux.netDevices = {"nosuchdev0": {}}'
	refused nosuchdev0 run -b "$B" "$ID"
}

@test "netDevices: without a network namespace it is refused" {
	known_peer_failure runc crun
	veth
	config --arg n "${V}a" '.linux.netDevices = {($n): {}}
		| .linux.namespaces |= map(select(.type != "network"))'
	refused 'net|namespace' run -b "$B" "$ID"
	ip link show "${V}a" >/dev/null
}

@test "netDevices: a name that is taken inside is refused, the device stays on the host" {
	known_peer_failure runc crun
	veth
	config --arg n "${V}a" '.linux.netDevices = {($n): {"name": "lo"}}'
	refused 'lo' run -b "$B" "$ID"
	ip link show "${V}a" >/dev/null
}

@test "netDevices: impossible names are refused" {
	known_peer_failure runc crun
	for n in '' '..' 'a/b' 'a b' abcdefghijklmnopq; do
		config --arg n "$n" '.linux.netDevices = {"lo": {"name": $n}}'
		[ -n "$n" ] || config '.linux.netDevices = {"": {}}'
		refused 'net' run -b "$B" "$ID"
	done
}

@test "loopback is up in a new network namespace" {
	says 'ip link show lo; ping -c 1 -W 1 127.0.0.1 >/dev/null 2>&1; true'
	out_has 'LOOPBACK,UP'
}
