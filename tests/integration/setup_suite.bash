# shellcheck shell=bash
# Once before all files: the small programs of tests/tools and a root file system of busybox.

setup_suite() {
	local top tools rootfs applet c
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	tools=${BRIG_TEST_TOOLS:-$top/build/tools}
	rootfs=${BRIG_TEST_ROOTFS:-$top/build/rootfs}
	[ -z "${BRIG:-}" ] || command -v "$BRIG" >/dev/null || return 1
	mkdir -p "$tools"
	for c in "$top"/tests/tools/*.c; do
		c=${c##*/} c=${c%.c}
		[ "$tools/$c" -nt "$top/tests/tools/$c.c" ] && continue
		# Static: the programs also run inside containers and in a machine without a compiler.
		"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -O1 -static \
			-o "$tools/$c" "$top/tests/tools/$c.c" || return 1
	done
	[ "$rootfs/.complete" -nt "$tools/inside" ] && return 0
	rm -rf "$rootfs"
	mkdir -p "$rootfs"/{bin,dev,proc,sys,tmp,etc,root,home,mnt,var/tmp,run,usr/bin}
	chmod 1777 "$rootfs/tmp" "$rootfs/var/tmp"
	cp "$(command -v busybox)" "$rootfs/bin/busybox"
	for applet in $(busybox --list); do
		[ "$applet" = busybox ] || ln -s busybox "$rootfs/bin/$applet"
	done
	printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'nobody:x:65534:65534:n:/nonexistent:/bin/sh' \
		'tester:x:1000:1000::/home/tester:/bin/sh' >"$rootfs/etc/passwd"
	printf '%s\n' 'root:x:0:' 'tester:x:1000:' >"$rootfs/etc/group"
	cp "$tools/inside" "$rootfs/bin/inside"
	: >"$rootfs/.complete"
}
