#!/usr/bin/env bats
load helpers
# root, read-only and masked paths, propagation, devices

@test "the root is writable unless readonly" {
	says 'touch /made && echo ok'
	out_is ok
	[ -e "$B/rootfs/made" ]
}

@test "root.readonly" {
	config '.root.readonly = true'
	says 'touch /made 2>/dev/null || echo refused; touch /dev/made && echo dev'
	out_is $'refused\ndev'
}

@test "root.path may be absolute" {
	config --arg p "$B/rootfs" '.root.path = $p'
	says 'echo hi'
	out_is hi
}

@test "root.path may be the bundle itself" {
	cp "$B/config.json" "$B/rootfs/config.json"
	jq '.root.path = "." | .process.args = ["echo", "hi"]' "$B/config.json" >"$B/rootfs/config.json"
	ok run -b "$B/rootfs" "$ID"
	out_is hi
}

@test "a root that does not exist is refused and named" {
	config '.root.path = "none"'
	refused none run -b "$B" "$ID"
}

@test "a root that is a file is refused" {
	: >"$B/plain"
	config '.root.path = "plain"'
	refused plain run -b "$B" "$ID"
}

@test "a root that is a symlink is resolved or refused, and nothing left" {
	ln -s rootfs "$B/link"
	config '.root.path = "link" | .process.args = ["echo", "hi"]'
	b run -b "$B" "$ID"
	[ "$status" != 0 ] || out_is hi
	nothing_left
}

@test "the host's root is not reachable" {
	says 'ls / | tr "\n" " "; test -e /../etc/debian_version && echo host; true'
	out_lacks host
	out_lacks 'boot|lib64'
}

@test "the old root is gone from the mounts" {
	says 'cat /proc/self/mountinfo'
	out_lacks '/sys/fs/cgroup'
	out_lacks '/put_old|/oldroot'
	# the root is the rootfs directory
	[[ $out == *"$B/rootfs / "* ]] || fail "$out"
}

@test "maskedPaths: a file reads empty, a directory is empty and read-only" {
	mkdir "$B/rootfs/secret"
	echo secret >"$B/rootfs/secret/file"
	echo secret >"$B/rootfs/etc/secret"
	config '.linux.maskedPaths = ["/secret", "/etc/secret", "/proc/keys", "/no/such/path"]'
	says 'cat /etc/secret; ls /secret; touch /secret/x 2>/dev/null || echo ro; head -c 5 /proc/keys'
	out_is ro
}

@test "readonlyPaths: a directory and a file" {
	mkdir "$B/rootfs/fixed"
	: >"$B/rootfs/fixed/file"
	: >"$B/rootfs/etc/fixed"
	config '.linux.readonlyPaths = ["/fixed", "/etc/fixed", "/proc/sys", "/no/such/path"]'
	says 'touch /fixed/x 2>/dev/null || echo ro; echo x 2>/dev/null >/fixed/file || echo ro
		echo x 2>/dev/null >/etc/fixed || echo ro; echo x 2>/dev/null >/proc/sys/kernel/domainname || echo ro'
	out_is $'ro\nro\nro\nro'
}

@test "readonlyPaths keep the flags of the mount they are on" {
	config '.mounts += [{"destination": "/mnt", "type": "tmpfs", "source": "t",
		"options": ["nosuid", "nodev", "noexec"]}] | .linux.readonlyPaths = ["/mnt"]'
	says 'grep " /mnt " /proc/self/mountinfo | tail -n 1'
	out_has ' ro,nosuid,nodev,noexec'
}

@test "rootfsPropagation private, slave, shared" {
	known_peer_failure runc # shared does nothing
	for p in private slave shared; do
		config ".linux.rootfsPropagation = \"$p\""
		says 'grep " / [rw]" /proc/self/mountinfo'
		case $p in
		shared) out_has 'shared:' ;;
		private) out_lacks 'shared:|master:' ;;
		esac
	done
}

@test "rootfsPropagation unbindable" {
	known_peer_failure runc
	config '.linux.rootfsPropagation = "unbindable"'
	says 'grep " / [rw]" /proc/self/mountinfo'
	out_has unbindable
}

@test "rootfsPropagation: an unknown word is refused and named" {
	config '.linux.rootfsPropagation = "nosuch"'
	refused nosuch run -b "$B" "$ID"
}

@test "a mount that the container makes does not appear on the host" {
	caps CAP_SYS_ADMIN
	config '.process.args = ["inside", "call", "mount"] | .linux.rootfsPropagation = "private"'
	runs
	out_is 0
	nothing_left
}

@test "the default devices exist and work" {
	says 'for d in null zero full random urandom tty; do
		stat -c "%n %t %T %a" /dev/$d; done; echo x >/dev/null; head -c 3 /dev/zero | wc -c'
	out_is $'/dev/null 1 3 666\n/dev/zero 1 5 666\n/dev/full 1 7 666\n/dev/random 1 8 666\n/dev/urandom 1 9 666\n/dev/tty 5 0 666\n3'
}

@test "the default links exist: fd, stdin, stdout, stderr, ptmx" {
	says 'for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done'
	out_is $'/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx'
}

@test "linux.devices: a character, a block device and a fifo with mode and owner" {
	config '.linux.devices = [
		{"path": "/dev/mynull", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 5, "gid": 6},
		{"path": "/dev/deep/loop", "type": "b", "major": 7, "minor": 0, "fileMode": 384},
		{"path": "/dev/fifo", "type": "p"}]'
	says 'stat -c "%F %t %T %a %u %g" /dev/mynull /dev/deep/loop; stat -c %F /dev/fifo'
	out_is $'character special file 1 3 666 5 6\nblock special file 7 0 600 0 0\nfifo'
}

@test "linux.devices: an unknown type and a relative path are refused" {
	config '.linux.devices = [{"path": "/dev/x", "type": "q", "major": 1, "minor": 3}]'
	refused 'q|device' run -b "$B" "$ID"
	config '.linux.devices = [{"path": "dev/x", "type": "c", "major": 1, "minor": 3}]'
	known_peer_failure runc crun
	refused 'dev/x' run -b "$B" "$ID"
}

@test "linux.devices outside /dev" {
	config '.linux.devices = [{"path": "/mynull", "type": "c", "major": 1, "minor": 3}]'
	says 'stat -c "%t %T" /mynull'
	out_is '1 3'
}

@test "device rules: what is not allowed cannot be opened or made" {
	caps CAP_MKNOD
	says 'mknod /tmp/loop b 7 0 && (read x </tmp/loop) 2>&1; mknod /tmp/n c 1 3 && echo x >/tmp/n && echo null'
	out_has 'not permitted|Operation not'
	out_has 'null'
}

@test "device rules: an allowed device works" {
	caps CAP_MKNOD
	config '.linux.resources.devices += [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rwm"},
		{"allow": true, "type": "b", "major": 7, "access": "rm"}]'
	says 'mknod /tmp/loop b 7 99 && (read x </tmp/loop) 2>&1; (echo >/tmp/loop) 2>&1; true'
	out_has 'No such device|not permitted'
	out_lacks 'loop: Permission denied'
}

@test "device rules: a later rule takes an earlier one back" {
	caps CAP_MKNOD
	config '.linux.resources.devices += [{"allow": true, "type": "b", "major": 7, "minor": 5, "access": "rwm"},
		{"allow": true, "type": "b", "major": 7, "minor": 6, "access": "rwm"},
		{"allow": false, "type": "b", "major": 7, "minor": 5, "access": "rwm"}]'
	# 7:6 may be opened, whether or not it exists; 7:5 may not
	says 'mknod /tmp/a b 7 6; mknod /tmp/b b 7 5; (read x </tmp/a) 2>&1; (read x </tmp/b) 2>&1; true'
	[[ $out != */tmp/a*not\ permitted*/tmp/b* ]] || fail "$out"
	out_has '/tmp/b: Operation not permitted'
}

@test "the rules of devices for user namespaces: devices are bound, not made" {
	userns
	says 'echo x >/dev/null && head -c 2 /dev/zero | wc -c'
	out_is 2
}

@test "without /dev in the mounts the devices are made in the root" {
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	says 'echo x >/dev/null && stat -c %F /dev/null'
	out_is 'character special file'
}

@test "a bind of the host's /dev is left as it is" {
	mkdir "$T/dev"
	for d in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
		# shellcheck disable=SC2086
		set -- $d
		mknod -m 666 "$T/dev/$1" c "$2" "$3"
	done
	before=$(ls "$T/dev")
	config --arg s "$T/dev" '.mounts |= map(if .destination == "/dev" then
		{"destination": "/dev", "type": "bind", "source": $s, "options": ["bind"]} else . end)
		| .mounts |= map(select(.destination != "/dev/pts"))'
	runs
	is "$(ls "$T/dev")" "$before"
}
