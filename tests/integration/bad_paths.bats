#!/usr/bin/env bats
load helpers
# Destinations and links in the root that point at the host

more_setup() {
	mkdir "$T/host"
	: >"$T/host/marker"
	chmod 777 "$T/host"
}
more_teardown() { :; }
# nothing came to or went from the host's directory
host_untouched() { is "$(ls -A "$T/host")" marker; }

@test "a destination through an absolute symlink stays in the root" {
	ln -s "$T/host" "$B/rootfs/link"
	config '.mounts += [{"destination": "/link/sub", "type": "tmpfs", "source": "t"}]'
	b run -b "$B" "$ID"
	host_untouched
	nothing_left
}

@test "a destination through a relative symlink with many .. stays in the root" {
	ln -s ../../../../../../../../../../../.."$T/host" "$B/rootfs/link"
	config '.mounts += [{"destination": "/link/sub", "type": "tmpfs", "source": "t"}]'
	b run -b "$B" "$ID"
	host_untouched
	nothing_left
}

@test "a destination that is a symlink to a host file stays in the root" {
	echo mine >"$T/f"
	ln -s "$T/host/marker" "$B/rootfs/etc/link"
	config --arg s "$T/f" '.mounts += [{"destination": "/etc/link", "type": "bind", "source": $s, "options": ["bind"]}]'
	b run -b "$B" "$ID"
	[ ! -s "$T/host/marker" ]
	host_untouched
	nothing_left
}

@test "symlink loops in a destination are refused" {
	ln -s b "$B/rootfs/a"
	ln -s a "$B/rootfs/b"
	config '.mounts += [{"destination": "/a/sub", "type": "tmpfs", "source": "t"}]'
	refused '/a' run -b "$B" "$ID"
}

@test "maskedPaths and readonlyPaths through symlinks do not touch the host" {
	ln -s "$T/host" "$B/rootfs/link"
	config '.linux.maskedPaths = ["/link", "/link/marker"] | .linux.readonlyPaths = ["/link"]'
	b run -b "$B" "$ID"
	touch "$T/host/writable"
	rm "$T/host/writable"
	host_untouched
	nothing_left
}

@test "a device path through a symlink does not make a node on the host" {
	ln -s "$T/host" "$B/rootfs/link"
	config '.linux.devices = [{"path": "/link/node", "type": "c", "major": 1, "minor": 3}]'
	b run -b "$B" "$ID"
	host_untouched
}

@test "a cwd through a symlink does not make a directory on the host" {
	ln -s "$T/host" "$B/rootfs/link"
	config '.process.cwd = "/link/made"'
	b run -b "$B" "$ID"
	host_untouched
}

@test "the passwd of the container is not followed out of the root" {
	printf 'root:x:0:0::/stolen:/bin/sh\n' >"$T/host/passwd"
	rm "$T/host/marker"
	rm "$B/rootfs/etc/passwd"
	ln -s "$T/host/passwd" "$B/rootfs/etc/passwd"
	says 'echo $HOME'
	out_lacks stolen
}

@test "passwd as a fifo, a device, a directory and a huge line do not hang the start" {
	known_peer_failure runc crun
	rm "$B/rootfs/etc/passwd"
	mkfifo "$B/rootfs/etc/passwd"
	LIMIT=4 runs
	rm "$B/rootfs/etc/passwd"
	mkdir "$B/rootfs/etc/passwd"
	LIMIT=4 b run -b "$B" "$ID"
	[ "$status" -lt 124 ]
	rmdir "$B/rootfs/etc/passwd"
	head -c 30000000 /dev/zero | tr '\0' x >"$B/rootfs/etc/passwd"
	LIMIT=4 b run -b "$B" "$ID"
	[ "$status" -lt 124 ]
}

@test "a root that is on a mount of its own, and one below a shared mount" {
	mkdir "$T/m"
	mount -t tmpfs -o mode=755 none "$T/m"
	mount --make-shared "$T/m"
	MOUNTED+=("$T/m")
	cp -a "$BASE_ROOTFS" "$T/m/rootfs"
	config --arg p "$T/m/rootfs" '.root.path = $p'
	says 'echo fine'
	out_is fine
	is "$(grep -c " $T/m" /proc/self/mountinfo)" 1
}
