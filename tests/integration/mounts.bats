#!/usr/bin/env bats
load helpers

# mnt DEST TYPE SOURCE OPTIONS...: adds a mount
mnt() {
	config --arg d "$1" --arg t "$2" --arg s "$3" \
		'.mounts += [{"destination": $d, "type": $t, "source": $s, "options": $ARGS.positional}]' \
		--args "${@:4}"
}
# mounted DEST: the container's line of mountinfo, per-mount options and super options
mounted() {
	says "grep ' $1 ' /proc/self/mountinfo"
}
# volume: a directory of the host with a file
volume() {
	mkdir -p "$T/vol"
	echo content >"$T/vol/file"
	chmod 777 "$T/vol"
}

@test "a bind mount shows the host's directory" {
	volume
	mnt /mnt bind "$T/vol" bind
	says 'cat /mnt/file; echo new >/mnt/new'
	out_is content
	is "$(<"$T/vol/new")" new
}

@test "a bind mount of a file" {
	volume
	mnt /etc/single bind "$T/vol/file" bind,ro
	config '.mounts[-1].options = ["bind", "ro"]'
	says 'cat /etc/single; echo x 2>/dev/null >/etc/single || echo refused'
	out_is $'content\nrefused'
}

@test "bind without the type: the options decide" {
	volume
	mnt /mnt none "$T/vol" rbind
	config 'del(.mounts[-1].type)'
	says 'cat /mnt/file'
	out_is content
}

@test "the source of a bind mount may be relative to the bundle" {
	mkdir "$B/data"
	echo here >"$B/data/file"
	mnt /mnt bind data bind
	cd /
	says 'cat /mnt/file'
	out_is here
}

@test "a missing destination is made, with its parents" {
	volume
	mnt /a/deep/dir bind "$T/vol" bind
	says 'cat /a/deep/dir/file'
	out_is content
}

@test "a missing destination of a file is made as a file" {
	volume
	mnt /a/deep/name bind "$T/vol/file" bind
	says 'cat /a/deep/name'
	out_is content
}

@test "a relative destination is below the root" {
	volume
	mnt mnt bind "$T/vol" bind
	says 'cat /mnt/file'
	out_is content
}

@test "a destination with .. stays in the root" {
	volume
	mnt /../../mnt bind "$T/vol" bind
	says 'cat /mnt/file'
	out_is content
}

@test "mounts are made in the listed order" {
	volume
	mkdir "$T/vol2"
	echo second >"$T/vol2/file"
	mnt /mnt bind "$T/vol" bind
	mnt /mnt bind "$T/vol2" bind
	says 'cat /mnt/file'
	out_is second
}

@test "a bind source that does not exist is refused and named" {
	mnt /mnt bind "$T/none" bind
	refused none run -b "$B" "$ID"
}

@test "a directory over a file and a file over a directory are refused" {
	volume
	: >"$B/rootfs/etc/plain"
	mnt /etc/plain bind "$T/vol" bind
	refused 'plain' run -b "$B" "$ID"
	config 'del(.mounts[-1])'
	mnt /mnt bind "$T/vol/file" bind
	refused '/mnt' run -b "$B" "$ID"
}

@test "an unknown filesystem type is refused and named" {
	mnt /mnt nosuchfs none
	refused 'nosuchfs|/mnt' run -b "$B" "$ID"
}

@test "each mount option word that the kernel shows" {
	for pair in ro:ro nosuid:nosuid nodev:nodev noexec:noexec noatime:noatime nodiratime:nodiratime \
		relatime:relatime; do
		config '.mounts |= map(select(.destination != "/mnt"))'
		mnt /mnt tmpfs tmpfs "${pair%%:*}"
		mounted /mnt
		[[ $out == *" /mnt "*"${pair##*:}"*" - tmpfs"* ]] || fail "${pair%%:*}: $out"
	done
}

@test "nosymfollow" {
	known_peer_failure runc
	mnt /mnt tmpfs tmpfs nosymfollow
	mounted /mnt
	out_has nosymfollow
}

@test "option words without effect are taken: async, defaults, loud, silent, atime, rw, ..." {
	mnt /mnt tmpfs tmpfs rw dev exec suid atime diratime async nomand
	runs
	mnt /mnt tmpfs tmpfs norelatime nostrictatime
	runs
}

@test "option words that newer lists have: loud, silent, lazytime, nolazytime, iversion, symfollow" {
	known_peer_failure runc crun
	mnt /mnt tmpfs tmpfs defaults loud silent lazytime nolazytime iversion noiversion symfollow norelatime \
		nostrictatime dirsync sync
	runs
}

@test "strictatime is what the kernel takes, not relatime" {
	mnt /mnt tmpfs tmpfs strictatime
	mounted /mnt
	out_lacks 'relatime|noatime'
}

@test "options of the filesystem reach it: size, mode, nr_inodes, uid" {
	mnt /mnt tmpfs tmpfs size=1m mode=0700 nr_inodes=50 uid=7
	mounted /mnt
	out_has 'size=1024k'
	out_has 'mode=700'
	out_has 'nr_inodes=50'
	out_has 'uid=7'
}

@test "an option that the filesystem refuses is an error" {
	mnt /mnt tmpfs tmpfs size=nonsense
	refused '/mnt|nonsense' run -b "$B" "$ID"
}

@test "a bind mount takes ro, nosuid, nodev, noexec" {
	volume
	mnt /mnt bind "$T/vol" bind ro nosuid nodev noexec
	mounted /mnt
	out_has ' ro,nosuid,nodev,noexec'
}

@test "a bind mount does not lose the flags of its source" {
	known_peer_failure runc
	mkdir "$T/src"
	mount -t tmpfs -o nosuid,nodev,noexec,mode=777 none "$T/src"
	MOUNTED+=("$T/src")
	mnt /mnt bind "$T/src" bind ro
	mounted /mnt
	out_has ' ro,nosuid,nodev,noexec'
}

@test "rbind takes the mounts below, bind does not" {
	volume
	mkdir "$T/vol/sub"
	mount -t tmpfs none "$T/vol/sub"
	MOUNTED+=("$T/vol/sub")
	echo x >"$T/vol/sub/below"
	mnt /mnt bind "$T/vol" bind
	says 'ls /mnt/sub'
	out_is ""
	config '.mounts[-1].options = ["rbind"]'
	says 'ls /mnt/sub'
	out_is below
}

@test "rbind,ro leaves mounts below writable; rro makes them read-only too" {
	known_peer_failure runc
	volume
	mkdir "$T/vol/sub"
	mount -t tmpfs none "$T/vol/sub"
	MOUNTED+=("$T/vol/sub")
	mnt /mnt bind "$T/vol" rbind ro
	says 'touch /mnt/a 2>/dev/null || echo no; touch /mnt/sub/a && echo yes'
	out_is $'no\nyes'
	config '.mounts[-1].options = ["rbind", "rro"]'
	says 'touch /mnt/b 2>/dev/null || echo no; touch /mnt/sub/b 2>/dev/null || echo no'
	out_is $'no\nno'
}

@test "recursive words: rnosuid, rnodev, rnoexec, rnoatime, rnodiratime, rrelatime" {
	volume
	mkdir "$T/vol/sub"
	mount -t tmpfs none "$T/vol/sub"
	MOUNTED+=("$T/vol/sub")
	mnt /mnt bind "$T/vol" rbind rnosuid rnodev rnoexec rnoatime
	known_peer_failure runc
	mounted /mnt/sub
	out_has 'nosuid,nodev,noexec,noatime'
}

@test "a recursive word can clear: rbind,ro source with rrw, rexec, rsuid, rdev" {
	known_peer_failure runc
	volume
	mkdir "$T/vol/sub"
	mount -t tmpfs -o noexec,nodev none "$T/vol/sub"
	MOUNTED+=("$T/vol/sub")
	mnt /mnt bind "$T/vol" rbind rexec rdev rsuid rrw
	mounted /mnt/sub
	out_lacks noexec
	out_lacks nodev
}

@test "tmpcopyup copies what was below into the tmpfs" {
	mkdir -p "$B/rootfs/data/sub"
	echo content >"$B/rootfs/data/file"
	ln -s file "$B/rootfs/data/link"
	chown 0:6 "$B/rootfs/data/file"
	chmod 640 "$B/rootfs/data/file"
	mnt /data tmpfs tmpfs tmpcopyup
	says 'cat /data/link; stat -c "%u %g %a" /data/file; ls -d /data/sub; echo y >/data/file'
	out_is $'content\n0 6 640\n/data/sub'
	is "$(<"$B/rootfs/data/file")" content
}

@test "without tmpcopyup a tmpfs is empty" {
	mkdir "$B/rootfs/data"
	: >"$B/rootfs/data/file"
	mnt /data tmpfs tmpfs
	says 'ls /data'
	out_is ""
}

@test "a tmpfs takes the mode of the directory it covers" {
	mkdir "$B/rootfs/data"
	chmod 1770 "$B/rootfs/data"
	mnt /data tmpfs tmpfs
	says 'stat -c %a /data'
	out_is 1770
}

@test "propagation words: private, slave, shared, unbindable" {
	mkdir "$T/src"
	mount -t tmpfs none "$T/src"
	mount --make-shared "$T/src"
	MOUNTED+=("$T/src")
	for pair in 'shared:shared:' 'slave:master:' 'rslave:master:' 'unbindable:unbindable' 'runbindable:unbindable'; do
		config '.mounts |= map(select(.destination != "/mnt"))'
		mnt /mnt bind "$T/src" bind "${pair%%:*}"
		mounted /mnt
		[[ $out =~ ${pair#*:} ]] || fail "$pair: $out"
	done
	config '.mounts |= map(select(.destination != "/mnt"))'
	mnt /mnt bind "$T/src" bind private
	mounted /mnt
	out_lacks 'shared:|master:|unbindable'
}

@test "a slave mount receives what the host mounts later" {
	mkdir -p "$T/src"
	mount -t tmpfs none "$T/src"
	mount --make-shared "$T/src"
	mkdir "$T/src/late"
	MOUNTED+=("$T/src")
	mnt /mnt bind "$T/src" rbind rslave
	config '.linux.rootfsPropagation = "rslave"'
	sleeps
	mount -t tmpfs none "$T/src/late"
	: >"$T/src/late/seen"
	ok exec "$ID" ls /mnt/late
	umount "$T/src/late"
	out_is seen
}

@test "proc, sysfs, mqueue, devpts, tmpfs" {
	mnt /sys sysfs sysfs nosuid noexec nodev ro
	mnt /dev/mqueue mqueue mqueue nosuid noexec nodev
	mnt /dev/shm tmpfs shm nosuid noexec nodev mode=1777 size=65536k
	says 'for m in /proc /sys /dev/mqueue /dev/shm /dev/pts; do
		grep " $m " /proc/self/mountinfo | sed "s/.* - //;s/ .*//"; done'
	out_is $'proc\nsysfs\nmqueue\ntmpfs\ndevpts'
}

@test "a cgroup mount shows the container's own cgroups, read-only with ro" {
	mnt /sys sysfs sysfs ro
	mnt /sys/fs/cgroup cgroup cgroup nosuid noexec nodev relatime ro
	says 'ls -d /sys/fs/cgroup/* | head -n 1; cat /sys/fs/cgroup/pids/cgroup.procs 2>/dev/null
		mkdir /sys/fs/cgroup/pids/x 2>/dev/null && echo made; true'
	out_lacks made
	out_has /sys/fs/cgroup/
}

@test "mqueue with an ipc namespace is its own" {
	mnt /dev/mqueue mqueue mqueue
	says 'ls /dev/mqueue'
	out_is ""
}

@test "remount changes the flags of what is mounted" {
	mnt /mnt tmpfs tmpfs
	mnt /mnt tmpfs tmpfs remount ro
	b run -b "$B" "$ID"
	mounted /mnt
	out_has ' ro,'
}

@test "an overlay mount with its options" {
	mkdir "$T/l" "$T/u" "$T/w"
	echo lower >"$T/l/file"
	mnt /mnt overlay overlay "lowerdir=$T/l" "upperdir=$T/u" "workdir=$T/w"
	says 'cat /mnt/file; echo upper >/mnt/file'
	out_is lower
	is "$(<"$T/u/file")" upper
}

@test "a hundred mounts" {
	volume
	config --arg s "$T/vol" '.mounts += [range(100) | {"destination": "/m/\(.)", "type": "bind",
		"source": $s, "options": ["bind", "ro"]}]'
	says 'cat /m/99/file; grep -c " /m/" /proc/self/mountinfo'
	out_is $'content\n100'
}

@test "a path with spaces, tabs, backslashes and UTF-8" {
	mkdir "$T/a b" "$T/ä\\c"
	echo one >"$T/a b/f"
	echo two >"$T/ä\\c/f"
	mnt '/x y' bind "$T/a b" bind
	mnt '/ü\z' bind "$T/ä\\c" bind
	says 'cat "/x y/f" "/ü\z/f"'
	out_is $'one\ntwo'
}

@test "an id-mapped mount with mappings of its own" {
	known_peer_failure runc
	volume
	chown 1000:1000 "$T/vol/file"
	userns
	mnt /mnt bind "$T/vol" bind idmap
	config '.mounts[-1] += {"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
		"gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}'
	says 'stat -c %u:%g /mnt/file; touch /mnt/made'
	out_is 1000:1000
	is "$(stat -c %u:%g "$T/vol/made")" 0:0
}

@test "idmap without mappings takes those of the user namespace" {
	known_peer_failure runc crun
	volume
	chown 1000:1000 "$T/vol/file"
	userns
	mnt /mnt bind "$T/vol" bind idmap
	says 'stat -c %u:%g /mnt/file'
	out_is 1000:1000
}

@test "ridmap maps the mounts below too, idmap does not" {
	known_peer_failure runc crun
	volume
	mkdir "$T/vol/sub"
	mount -t tmpfs -o mode=755 none "$T/vol/sub"
	MOUNTED+=("$T/vol/sub")
	: >"$T/vol/sub/f"
	chown 1000 "$T/vol/sub/f"
	userns
	mnt /mnt bind "$T/vol" rbind ridmap
	says 'stat -c %u /mnt/sub/f'
	out_is 1000
	config '.mounts[-1].options = ["rbind", "idmap"]'
	says 'stat -c %u /mnt/sub/f'
	out_is 65534
}

@test "an id-mapped mount without a user namespace, with mappings" {
	known_peer_failure runc
	volume
	mnt /mnt bind "$T/vol" bind idmap
	config '.mounts[-1] += {"uidMappings": [{"containerID": 0, "hostID": 2000, "size": 1000}],
		"gidMappings": [{"containerID": 0, "hostID": 2000, "size": 1000}]}'
	says 'stat -c %u:%g /mnt/file'
	out_is 2000:2000
}

@test "idmap without mappings and without a user namespace is refused" {
	known_peer_failure runc
	volume
	mnt /mnt bind "$T/vol" bind idmap
	refused 'idmap|mapping|/mnt' run -b "$B" "$ID"
}

@test "uidMappings without gidMappings are refused" {
	known_peer_failure runc crun
	volume
	mnt /mnt bind "$T/vol" bind idmap
	config '.mounts[-1].uidMappings = [{"containerID": 0, "hostID": 2000, "size": 1000}]'
	refused 'mapping|/mnt' run -b "$B" "$ID"
}

@test "a mount on / covers the root or is refused, never the host's" {
	mnt / tmpfs tmpfs
	b run -b "$B" "$ID"
	nothing_left
	[ -x /bin/sh ]
}
