#!/usr/bin/env bats
load helpers
# Holes of other runtimes in /proc, /sys and masked paths of a hostile root

# No test of this file may harm a host whose runtime has the hole: nothing is ever written to
# what a link points at, only opened or looked at.

@test "CVE-2019-16884, CVE-2019-19921: /proc in the root is a symlink" {
	rm -rf "$B/rootfs/proc"
	mkdir "$B/rootfs/evil"
	ln -s /evil "$B/rootfs/proc"
	refused 'proc' run -b "$B" "$ID"
	[[ $PEER != brig ]] || err_has 'must be mounted on ordinary directory'
	is "$(ls -A "$B/rootfs/evil")" ""
}

@test "CVE-2023-27561, CVE-2023-28642, CVE-2025-54867: /sys in the root is a symlink" {
	known_peer_failure crun
	rm -rf "$B/rootfs/sys"
	mkdir "$B/rootfs/evil"
	ln -s /evil "$B/rootfs/sys"
	config '.mounts += [{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]}]'
	refused 'sys' run -b "$B" "$ID"
	[[ $PEER != brig ]] || err_has 'must be mounted on ordinary directory'
}

@test "CVE-2023-27561: /proc is a symlink to itself with .." {
	rm -rf "$B/rootfs/proc"
	mkdir "$B/rootfs/evil"
	ln -s ../evil "$B/rootfs/proc"
	refused 'proc' run -b "$B" "$ID"
}

@test "CVE-2019-16884: a bind of a user's directory over /proc is refused or procfs is checked" {
	mkdir -p "$T/fake/self/attr" "$T/fake/sys/net/ipv4"
	echo 0 >"$T/fake/sys/net/ipv4/ip_forward"
	config --arg s "$T/fake" '.mounts |= map(if .destination == "/proc" then
		{"destination": "/proc", "type": "bind", "source": $s, "options": ["bind"]} else . end)
		| .linux.sysctl = {"net.ipv4.ip_forward": "1"}'
	b run -b "$B" "$ID"
	# the write never goes into the fake file
	is "$(<"$T/fake/sys/net/ipv4/ip_forward")" 0
	nothing_left
}

@test "CVE-2025-31133, CVE-2025-62161: /dev/null of the root is a symlink: nothing is masked with it" {
	known_peer_failure runc crun # Debian's are older than the fixes
	rm -f "$B/rootfs/dev/null"
	ln -s /proc/sys/kernel/core_pattern "$B/rootfs/dev/null"
	# without a mount on /dev the root's own one would be used
	config '.mounts |= map(select(.destination | startswith("/dev") | not))
		| .linux.maskedPaths = ["/proc/sys/kernel/hostname"] | .linux.readonlyPaths = ["/proc/sys"]'
	prog 'cat /proc/sys/kernel/hostname; grep -c core_pattern /proc/self/mountinfo
		test -w /proc/sys/kernel/core_pattern && (: >>/proc/sys/kernel/hostname) && echo open; true'
	b run -b "$B" "$ID"
	[[ $out != *open* ]] || fail "$out"
	[[ $out != *core* ]]
}

@test "CVE-2025-52565: /dev/console through a symlinked /dev/pts" {
	known_peer_failure crun
	rm -rf "$B/rootfs/dev/pts" "$B/rootfs/dev/console"
	ln -s /proc/sys/kernel "$B/rootfs/dev/pts"
	ln -s /proc/sys/kernel/core_pattern "$B/rootfs/dev/console"
	config '.mounts |= map(select(.destination | startswith("/dev") | not)) | .process.terminal = true'
	prog 'grep -c core_pattern /proc/self/mountinfo'
	timeout 10 script -qec "${BR[*]} run -b $B $ID" /dev/null </dev/null >"$T/out" 2>&1 3>&- || :
	slurp out "$T/out"
	out_lacks '^[1-9]'
	is "$(readlink "$B/rootfs/dev/console")" /proc/sys/kernel/core_pattern || [ "$PEER" != brig ]
}

@test "CVE-2025-52881, CVE-2025-62596: sysctls go to procfs while another container swaps what /proc is" {
	mkdir "$T/shared" "$T/shared/a"
	ln -s /proc/sys/kernel "$T/shared/b"
	before=$(</proc/sys/kernel/core_pattern)
	start_tool swap "$T/shared/a" "$T/shared/b"
	config --arg s "$T/shared" '.mounts += [{"destination": "/shared", "type": "bind", "source": $s,
		"options": ["rbind"]}, {"destination": "/shared/a", "type": "tmpfs", "source": "t"}]
		| .linux.sysctl = {"net.ipv4.ip_forward": "1"} | .linux.maskedPaths = ["/shared/a/x"]'
	for i in {1..20}; do
		b run -b "$B" "$ID"
		[ "$status" -lt 124 ]
	done
	is "$(</proc/sys/kernel/core_pattern)" "$before"
	is "$(</proc/sys/net/ipv4/ip_forward)" "$(</proc/sys/net/ipv4/ip_forward)"
	nothing_left
}

@test "CVE-2022-0492: the release_agent of a cgroup cannot be written" {
	config '.mounts += [{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
		{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]'
	says 'find /sys/fs/cgroup -name release_agent 2>/dev/null | while read f; do
		(: >>$f) 2>/dev/null && echo "$f"; done; true'
	out_is ""
}

@test "CVE-2023-25809: a cgroup mount with ro is read-only without a cgroup namespace too" {
	config '.mounts += [{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
		{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]
		| .linux.namespaces |= map(select(.type != "cgroup"))'
	says 'find /sys/fs/cgroup -name cgroup.procs 2>/dev/null | while read f; do
		(echo $$ >$f) 2>/dev/null && echo "$f"; done; true'
	out_is ""
}

@test "read-only /sys stays read-only in a user namespace with the host's network namespace" {
	userns
	config '.linux.namespaces |= map(select(.type != "network")) | .mounts += [{"destination": "/sys",
		"type": "none", "source": "/sys", "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]}]'
	prog 'grep " /sys " /proc/self/mountinfo'
	b run -b "$B" "$ID"
	[ "$status" != 0 ] || out_has ' ro,'
}
