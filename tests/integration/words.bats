#!/usr/bin/env bats
load helpers
# spec, features, version, help, logs: what is printed

VERBS="create delete events exec kill list pause ps resume run spec start state update features"

@test "spec writes the config that callers edit" {
	mkdir "$T/s"
	cd "$T/s"
	ok spec
	jq -e '.process.terminal == true and .process.args == ["sh"] and .process.cwd == "/"
		and .process.noNewPrivileges == true and .root.path == "rootfs" and .root.readonly == true
		and .process.user == {"uid": 0, "gid": 0}
		and (.process.env | index("TERM=xterm") != null)
		and .process.rlimits == [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]' config.json
}

@test "spec: the capability sets are runc's" {
	mkdir "$T/s"
	ok spec -b "$T/s"
	jq -e '[.process.capabilities | .bounding, .effective, .permitted] |
		all(. == ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"])' "$T/s/config.json"
}

@test "spec: mounts, namespaces, masked and read-only paths are runc's" {
	mkdir "$T/s"
	ok spec --bundle "$T/s"
	jq -e '[.mounts[].destination] == ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys",
		"/sys/fs/cgroup"] and ([.linux.namespaces[].type] | sort) ==
		(["pid", "network", "ipc", "uts", "mount"] | sort) and (.linux.maskedPaths | length) >= 8
		and (.linux.readonlyPaths | length) >= 5
		and .linux.resources.devices == [{"allow": false, "access": "rwm"}]' "$T/s/config.json" ||
		[ -e /sys/fs/cgroup/cgroup.controllers ]
}

@test "spec does not overwrite config.json" {
	mkdir "$T/s"
	echo mine >"$T/s/config.json"
	no spec -b "$T/s"
	err_has 'config.json exists'
	is "$(<"$T/s/config.json")" mine
}

@test "spec --rootless has a user namespace and mappings of the caller" {
	mkdir "$T/s"
	ok spec --rootless -b "$T/s"
	jq -e '([.linux.namespaces[].type] | index("user") != null) and .linux.uidMappings[0].size == 1
		and .linux.uidMappings[0].hostID == 0 and .linux.uidMappings[0].containerID == 0
		and (.linux.resources == null) and ([.linux.namespaces[].type] | index("network") == null)' \
		"$T/s/config.json"
}

@test "spec into a directory that does not exist fails" {
	no spec -b "$T/none"
}

@test "the config of spec runs" {
	mkdir "$T/s"
	cp -al "$BASE_ROOTFS" "$T/s/rootfs"
	ok spec -b "$T/s"
	jq '.process.terminal = false | .process.args = ["echo", "fine"]' "$T/s/config.json" >"$T/c"
	cp "$T/c" "$T/s/config.json"
	ok run -b "$T/s" "$ID"
	out_is fine
}

@test "features prints the document of features.md" {
	ok features
	jq -e '.ociVersionMin and .ociVersionMax and (.hooks | index("createRuntime") != null)
		and (.mountOptions | index("rbind") != null)
		and (.linux.namespaces | index("network") != null)
		and (.linux.capabilities | index("CAP_CHOWN") != null)
		and (.linux.cgroup | has("v1") and has("v2") and has("systemd"))
		and .linux.seccomp.enabled == true and (.linux.seccomp.actions | length) > 5
		and (.linux.seccomp.operators | length) == 7 and (.linux.seccomp.archs | length) > 3' "$T/out"
}

@test "features names what the runtime-spec 1.3 added" {
	known_peer_failure runc crun
	ok features
	jq -e '(.ociVersionMax | startswith("1.3")) and .linux.netDevices.enabled == true
		and (.linux.memoryPolicy.modes | index("MPOL_BIND") != null)
		and (.linux.mountExtensions.idmap.enabled == true)
		and (.linux.seccomp.supportedFlags | type) == "array"
		and (.linux.intelRdt | has("enabled"))' "$T/out"
}

@test "features lists the mount options of the runtime-spec" {
	known_peer_failure runc
	ok features
	for o in async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev \
		nodiratime noexec noiversion nolazytime norelatime nostrictatime nosuid nosymfollow private \
		ratime rbind rdev rdiratime relatime remount rexec rnoatime rnodiratime rnoexec rnorelatime \
		rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave \
		rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid symfollow \
		sync tmpcopyup unbindable idmap ridmap; do
		[[ $out == *"\"$o\""* ]] || fail "features lacks the mount option $o"
	done
}

@test "version has runc's three lines" {
	ok --version
	mapfile -t l <"$T/out"
	[[ ${l[0]} =~ ^[a-z]+\ version\ [0-9]+\.[0-9]+\.[0-9]+ ]] || fail "${l[0]}"
	[[ ${l[1]} =~ ^commit: ]] || fail "${l[1]}"
	[[ ${l[2]} =~ ^spec:\ [0-9]+\.[0-9]+\.[0-9]+ ]] || fail "${l[2]}"
	ok -v
	is "${out%%$'\n'*}" "${l[0]}"
}

@test "help of each verb begins with NAME and the verb" {
	for v in $VERBS; do
		ok "$v" -h
		mapfile -t l <"$T/out"
		is "${l[0]}" NAME:
		[[ ${l[1]} == *"${BRIG##*/} $v"* ]] || fail "$v: ${l[1]}"
	done
}

@test "--help of a verb is the same as -h" {
	for v in run exec update; do
		ok "$v" -h
		h=$out
		ok "$v" --help
		out_is "$h"
	done
}

@test "help names each flag of create, run and exec" {
	ok run --help
	for f in bundle detach console-socket pid-file keep no-pivot no-new-keyring no-subreaper \
		preserve-fds; do
		out_has "--$f"
	done
	ok exec --help
	for f in tty detach user additional-gids env cwd process pid-file console-socket preserve-fds \
		cap cgroup ignore-paused no-new-privs process-label apparmor; do
		out_has "--$f"
	done
}

@test "global help names each verb and global flag" {
	ok --help
	for v in $VERBS; do out_has "$v"; done
	for f in root debug log log-format systemd-cgroup rootless; do out_has "--$f"; done
	h=$out
	ok -h
	out_is "$h"
}

@test "an unknown verb fails and is named" {
	no foo
	err_has 'foo' || out_has 'foo'
}

@test "an unknown verb with -h fails: No help topic" {
	b foo -h
	[ "$status" != 0 ]
	[[ $out$err =~ "No help topic for 'foo'" ]]
}

@test "an unknown global flag fails and is named" {
	b --no-such-flag list
	[ "$status" != 0 ]
	[[ $out$err == *no-such-flag* ]]
}

@test "a flag that needs a value fails without it" {
	b run -b
	[ "$status" != 0 ]
	b --root
	[ "$status" != 0 ]
}

@test "an error is one line in runc's text format on stderr" {
	no state "$ID"
	[[ $err =~ ^time=\"20[0-9T:+Z-]+\"\ level=error\ msg=\".*\"$ ]] || fail "$err"
}

@test "--log FILE gets the error, stderr the bare message" {
	no --log "$T/log" state "$ID"
	slurp log "$T/log"
	[[ $log =~ level=error\ msg=\".*does\ not\ exist ]] || fail "$log"
	[[ $err != *level=error* ]] || fail "$err"
	err_has 'does not exist'
}

@test "--log-format json writes JSON lines" {
	no --log "$T/log" --log-format json state "$ID"
	jq -e '.level == "error" and (.msg | test("does not exist")) and (.time | test("^20.*T"))' "$T/log"
}

@test "--log-format=json --log=FILE, as go-runc writes them" {
	no --log="$T/log" --log-format=json state "$ID"
	jq -e '.level == "error"' "$T/log"
}

@test "a message with quotes, newlines and control characters is one valid JSON line" {
	config '.process.args = ["/no \"such\"\nfile\u0001\u00ff"]'
	b --log "$T/log" --log-format json run -b "$B" "$ID"
	[ "$status" != 0 ]
	tail -n 1 "$T/log" | jq -e '.msg | length > 0'
}

@test "--log appends" {
	echo first >"$T/log"
	no --log "$T/log" state "$ID"
	is "$(head -n 1 "$T/log")" first
}

@test "--log into a directory that does not exist fails and names it" {
	no --log "$T/none/log" list
	err_has 'none/log'
}

@test "an unknown --log-format fails and is named" {
	no --log-format xml list
	err_has 'xml|log-format'
}

@test "--debug logs at level debug, without it nothing does" {
	b --debug run -b "$B" "$ID"
	is "$status" 0
	err_has 'level=debug'
	runs
	is "$err" ""
}

@test "--debug with --log and json" {
	ok --debug --log "$T/log" --log-format json run -b "$B" "$ID"
	jq -es 'map(select(.level == "debug")) | length > 0' "$T/log"
}

@test "the program's output is not mixed with the log" {
	prog 'echo mine'
	ok --debug --log "$T/log" run -b "$B" "$ID"
	out_is mine
}

@test "global flags take =VALUE and a space" {
	"$BRIG" --root="$R" list -q
	"$BRIG" --root "$R" list -q
}

@test "--rootless takes auto, true and false and nothing else" {
	for v in auto true false; do ok --rootless $v list; done
	known_peer_failure runc
	no --rootless perhaps list
}

@test "called through a symlink named runc it says runc" {
	known_peer_failure crun
	ln -s "$(command -v "$BRIG")" "$T/runc"
	is "$("$T/runc" --version | head -n 1 | cut -d ' ' -f 1,2)" 'runc version'
	"$T/runc" state -h | sed -n 2p | grep -q 'runc state'
}

@test "checkpoint and restore have help" {
	ok checkpoint -h
	out_has '--leave-running'
	ok restore -h
	out_has '--image-path'
}
