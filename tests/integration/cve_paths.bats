#!/usr/bin/env bats
load helpers
# Holes of other runtimes where a path in a hostile root or volume leads to the host

more_setup() {
	mkdir "$T/outside"
	echo untouched >"$T/outside/ptmx"
	chmod 777 "$T/outside"
}
outside_untouched() {
	is "$(ls -A "$T/outside")" ptmx
	is "$(<"$T/outside/ptmx")" untouched
}

@test "CVE-2026-41579, CVE-2026-47766: /dev is an absolute symlink out of the root" {
	known_peer_failure runc crun
	rm -rf "$B/rootfs/dev"
	ln -s "$T/outside" "$B/rootfs/dev"
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	b run -b "$B" "$ID"
	outside_untouched
	nothing_left
}

@test "CVE-2026-41579: /dev is a relative symlink out of the root" {
	known_peer_failure runc crun
	rm -rf "$B/rootfs/dev"
	ln -s "../../outside" "$B/rootfs/dev"
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	b run -b "$B" "$ID"
	outside_untouched
	nothing_left
}

@test "CVE-2026-41579: /dev is a symlink and a mount goes there" {
	known_peer_failure runc crun
	rm -rf "$B/rootfs/dev"
	ln -s "$T/outside" "$B/rootfs/dev"
	b run -b "$B" "$ID"
	outside_untouched
	nothing_left
}

@test "CVE-2026-88264: the console of a root without a /dev mount" {
	known_peer_failure runc crun
	echo console >"$T/outside/ptmx"
	ln -sf "$T/outside/ptmx" "$B/rootfs/dev/console"
	config '.mounts |= map(select(.destination | startswith("/dev") | not))
		| .process.terminal = true | .root.readonly = true'
	prog 'true'
	before=$(stat -c '%u %g %a %Y' "$T/outside/ptmx")
	timeout 10 script -qec "${BR[*]} run -b $B $ID" /dev/null </dev/null >"$T/out" 2>&1 3>&- || :
	is "$(stat -c '%u %g %a %Y' "$T/outside/ptmx")" "$before"
	is "$(<"$T/outside/ptmx")" console
	nothing_left
}

@test "CVE-2026-88265: closed stdio and a /dev/null that is a symlink: the target keeps its owner" {
	known_peer_failure runc crun
	rm -f "$B/rootfs/dev/null"
	echo canary >"$B/rootfs/etc/canary"
	ln -s /etc/canary "$B/rootfs/dev/null"
	config '.mounts |= map(select(.destination | startswith("/dev") | not))
		| .process.user = {"uid": 1000, "gid": 1000}'
	before=$(stat -c '%u %g %a' "$B/rootfs/etc/canary")
	timeout 10 "${BR[@]}" run -b "$B" "$ID" <&- >&- 2>&- 3>&- || :
	is "$(stat -c '%u %g %a' "$B/rootfs/etc/canary")" "$before"
	is "$(<"$B/rootfs/etc/canary")" canary
}

@test "stdio of another user's file is not given to the container's user" {
	: >"$T/mine"
	chown 5:5 "$T/mine"
	config '.process.user = {"uid": 1000, "gid": 1000}'
	"${FG[@]}" 10 "${BR[@]}" run -b "$B" "$ID" </dev/null >"$T/mine" 2>&1 3>&-
	is "$(stat -c %u "$T/mine")" 5
	is "$(stat -c %u /dev/null)" 0
}

@test "CVE-2019-18837: a mount destination below a symlink to ../../.." {
	ln -s ../../../../../../../../.. "$B/rootfs/link"
	config --arg d "/link$T/outside/new" '.mounts += [{"destination": $d, "type": "tmpfs", "source": "t"}]'
	b run -b "$B" "$ID"
	outside_untouched
	nothing_left
}

@test "CVE-2026-87766: a deep missing mount point below a symlink to /" {
	ln -s / "$B/rootfs/a"
	config --arg d "/a$T/outside/b/c" '.mounts += [{"destination": $d, "type": "tmpfs", "source": "t"}]'
	b run -b "$B" "$ID"
	outside_untouched
	nothing_left
}

@test "CVE-2024-45310: a parent of a missing mount point is swapped for a symlink while it is made" {
	mkdir -p "$T/vol/real"
	ln -s "$T/outside" "$T/vol/link"
	start_tool swap "$T/vol/real" "$T/vol/link"
	config --arg s "$T/vol" '.mounts += [{"destination": "/vol", "type": "bind", "source": $s, "options": ["rbind"]},
		{"destination": "/vol/real/new/dir", "type": "tmpfs", "source": "t"},
		{"destination": "/vol/real/file", "type": "bind", "source": "/etc/hostname", "options": ["bind"]}]'
	for i in {1..25}; do
		b run -b "$B" "$ID"
		[ "$status" -lt 124 ]
	done
	known_peer_failure runc crun
	outside_untouched
	nothing_left
}

@test "CVE-2021-30465: a mount target of a shared volume is swapped for a symlink to the host" {
	mkdir -p "$T/vol/real"
	ln -s / "$T/vol/link"
	start_tool swap "$T/vol/real" "$T/vol/link"
	config --arg s "$T/vol" '.mounts += [{"destination": "/vol", "type": "bind", "source": $s, "options": ["rbind"]},
		{"destination": "/vol/real", "type": "tmpfs", "source": "t"}]'
	before=$(wc -l </proc/self/mountinfo)
	for i in {1..40}; do
		b run -b "$B" "$ID"
		[ "$status" -lt 124 ]
	done
	is "$(grep -cE "$ID|$T" /proc/self/mountinfo || :)" 0
	nothing_left
}

@test "CVE-2025-24965: no file of the runtime's own is written into the root" {
	runs # once, so that mount points exist
	find "$B/rootfs" -printf '%P %y %s %i\n' | sort >"$T/before"
	runs
	find "$B/rootfs" -printf '%P %y %s %i\n' | sort >"$T/after"
	cmp "$T/before" "$T/after"
	[ ! -e "$B/rootfs/.krun_config.json" ]
	[ ! -e "$B/rootfs/.dockerenv" ]
}

@test "CVE-2019-12439: nothing predictable in /tmp of the host" {
	ls -A /tmp /var/tmp /dev/shm >"$T/before"
	runs
	ls -A /tmp /var/tmp /dev/shm >"$T/after"
	! diff "$T/before" "$T/after" | grep -iE '> .*(brig|runc|crun)'
}
