#!/usr/bin/env bats
load helpers

# sets: prints the five capability sets
sets() {
	says 'grep -E "^Cap" /proc/self/status' "$1"
}

@test "the sets are those of the config" {
	sets '.process.capabilities = {"bounding": ["CAP_CHOWN", "CAP_KILL"],
		"effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN", "CAP_KILL"]}'
	out_has 'CapBnd:.0000000000000021'
	# exec of a program as uid 0 makes permitted from the bounding set
	out_has 'CapPrm:.0000000000000021'
	out_has 'CapAmb:.0000000000000000'
}

@test "no capabilities object: none at all" {
	known_peer_failure runc
	sets 'del(.process.capabilities)'
	out_has 'CapEff:.0000000000000000'
}

@test "empty sets: none at all" {
	sets '.process.capabilities = {}'
	out_has 'CapPrm:.0000000000000000'
	out_has 'CapEff:.0000000000000000'
	out_has 'CapBnd:.0000000000000000'
}

@test "ambient capabilities reach a real user" {
	sets '.process.user = {"uid": 1000, "gid": 1000} | .process.capabilities = {
		"bounding": ["CAP_NET_BIND_SERVICE"], "permitted": ["CAP_NET_BIND_SERVICE"],
		"effective": ["CAP_NET_BIND_SERVICE"], "inheritable": ["CAP_NET_BIND_SERVICE"],
		"ambient": ["CAP_NET_BIND_SERVICE"]}'
	out_has 'CapEff:.0000000000000400'
	out_has 'CapAmb:.0000000000000400'
}

@test "an ambient capability that is not inheritable is a warning" {
	known_peer_failure runc
	prog 'grep CapAmb /proc/self/status' '.process.capabilities.ambient = ["CAP_CHOWN"]'
	ok run -b "$B" "$ID"
	err_has "can't raise ambient capability CAP_CHOWN|CAP_CHOWN"
}

@test "an unknown capability is a warning, not a failure" {
	caps CAP_NO_SUCH
	prog 'true'
	b run -b "$B" "$ID"
	is "$status" 0
	err_has 'CAP_NO_SUCH|^$'
}

@test "a capability that the caller lacks is left out, not a failure" {
	caps CAP_SYS_RESOURCE
	[[ $(grep CapBnd /proc/self/status) != *ffffff ]] || skip "the caller has them all"
	b run -b "$B" "$ID"
	known_peer_failure runc
	is "$status" 0
}

@test "the full set works" {
	sets '.process.capabilities |= with_entries(.value = ["CAP_CHOWN","CAP_DAC_OVERRIDE",
		"CAP_DAC_READ_SEARCH","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_SETGID","CAP_SETUID",
		"CAP_SETPCAP","CAP_LINUX_IMMUTABLE","CAP_NET_BIND_SERVICE","CAP_NET_BROADCAST",
		"CAP_NET_ADMIN","CAP_NET_RAW","CAP_IPC_LOCK","CAP_IPC_OWNER","CAP_SYS_MODULE",
		"CAP_SYS_RAWIO","CAP_SYS_CHROOT","CAP_SYS_PTRACE","CAP_SYS_PACCT","CAP_SYS_ADMIN",
		"CAP_SYS_BOOT","CAP_SYS_NICE","CAP_SYS_TIME","CAP_SYS_TTY_CONFIG","CAP_MKNOD","CAP_LEASE",
		"CAP_AUDIT_WRITE","CAP_AUDIT_CONTROL","CAP_SETFCAP","CAP_MAC_OVERRIDE","CAP_MAC_ADMIN",
		"CAP_SYSLOG","CAP_WAKE_ALARM","CAP_BLOCK_SUSPEND","CAP_AUDIT_READ","CAP_PERFMON","CAP_BPF",
		"CAP_CHECKPOINT_RESTORE"])'
	out_has 'CapEff:.000001fffeffffff'
}

@test "without CAP_NET_RAW a raw socket is refused" {
	says 'ping -c 1 -W 1 127.0.0.1'  '.process.args = ["sh","-c","ping -c1 -W1 127.0.0.1 2>&1; true"]'
	out_has 'permission denied|not permitted|unreachable'
}

@test "without CAP_CHOWN chown is refused, with it it works" {
	prog 'touch /tmp/f; chown 5 /tmp/f'
	b run -b "$B" "$ID"
	[ "$status" != 0 ]
	caps CAP_CHOWN
	runs
}
