#!/usr/bin/env bats
load helpers
load ../lib/levels
# What must not start: wrong level files, requests that widen, ids that are not to be had, a
# machine that lacks what a level requires.  One line that names it, and nothing left.

# starts_nothing RE: neither by a bundle nor in direct mode
starts_nothing() {
	refused "$1" run -b "$B" "$ID"
	refused "$1" create -b "$B" "$ID"
	refuses "$1" -- true
	[ ! -d "$T/ids" ] || ! grep -rqF "$R/" "$T/ids"
}

# --- levels -------------------------------------------------------------------------------------

@test "bad level: names that are none" {
	local l
	for l in nope HIGH 'high ' ../levels/x /etc/passwd "$(printf 'a%.0s' {1..300})"; do
		at "$l"
		starts_nothing 'unknown level|level'
	done
	BR=("$BRIG" --level '' --system-config "$T/brig.json" --root "$R")
	starts_nothing 'unknown level'
}

@test "bad level: files that loosen, contradict, are no level or circle" {
	local what text
	while IFS='|' read -r what text; do
		level_file x "$text"
		at x
		starts_nothing "$what"
	done <<-'END'
		extends|
		extends|"extends": "nowhere"
		circle|"extends": "x"
		weaker|"extends": "standard", "network": {"egress": "any"}
		not in the list|"extends": "high", "capabilities": ["CAP_KILL"]
		weaker|"extends": "high", "seccomp": {"policy": "standard"}
		weaker|"extends": "standard", "root": {"readonly": false}
		weaker|"extends": "high", "direct": {"memory": 99999999999}
		weaker|"extends": "high", "direct": {"pids": 0}
		weaker|"extends": "high", "landlock": "best-effort"
		weaker|"extends": "standard", "host_namespaces": true
		left out|"extends": "standard", "env": {"patterns": []}
		colour|"extends": "high", "colour": "red"
		seccomp|"extends": "high", "seccomp": {"polycy": "high"}
		CAP_NONSENSE|"extends": "standard", "capabilities": ["CAP_NONSENSE"]
		ids|"extends": "standard", "ids": "mine"
		memory|"extends": "standard", "direct": {"memory": -7}
		memory|"extends": "standard", "direct": {"memory": "1g"}
		memory|"extends": "standard", "direct": {"memory": 1e400}
		writable|"extends": "standard", "writable": {"paths": ["relative"]}
		writable|"extends": "standard", "writable": {"paths": ["/proc/x"]}
		cobol|"extends": "standard", "seccomp": {"language": "cobol"}
	END
}

@test "bad level: a file that is no JSON, another version, empty, huge, a directory, not ours" {
	local f=$T/levels/x.json
	at x
	for text in '' '{' 'null' '[]' '{"v": 2, "name": "x", "extends": "high"}' \
		'{"v": 1, "name": "y", "extends": "high"}' '{"v": 1, "extends": "high"}'; do
		printf '%s' "$text" >"$f"
		starts_nothing 'x'
	done
	level_file x '"extends": "high"'
	head -c 300000 /dev/zero | tr '\0' ' ' >>"$f"
	starts_nothing 'x.*(large|big|bytes|long)'
	rm "$f" && mkdir "$f"
	starts_nothing 'x'
	rmdir "$f" && ln -s /dev/zero "$f"
	starts_nothing 'x'
	rm "$f"
	level_file x '"extends": "high"'
	chmod 666 "$f"
	starts_nothing 'everybody may write'
}

@test "bad level: below the minimum, or a default that is" {
	admin '"minimum_level": "standard"'
	at custom
	starts_nothing 'minimum level'
	admin '"minimum_level": "high", "default_level": "standard"'
	at high
	BR=("$BRIG" --system-config "$T/brig.json" --root "$R")
	starts_nothing 'minimum_level'
	admin '"minimum_level": "nope"'
	at high
	starts_nothing 'nope'
	admin '"default_level": "nope"'
	BR=("$BRIG" --system-config "$T/brig.json" --root "$R")
	starts_nothing 'nope'
}

@test "bad level: the run's own --level counts like the global one" {
	admin '"minimum_level": "high", "default_level": "high"'
	at high
	refuses 'minimum level' --level standard -- true
	refused 'minimum level' run --level custom -b "$B" "$ID"
	refuses 'nope' --level nope -- true
}

# --- the administrator's file -------------------------------------------------------------------

@test "bad brig.json: whatever is wrong with it, nothing starts" {
	local text
	at high
	while IFS= read -r text; do
		printf '%s' "$text" >"$T/brig.json"
		starts_nothing 'brig.json'
	done <<-'END'
		{
		[]
		{"v": 2}
		{"v": 1, "surprise": true}
		{"v": 1, "ids": {"first": 0, "count": 70000}}
		{"v": 1, "ids": {"first": 4294901760, "count": 4294967295}}
		{"v": 1, "ids": {"first": 100000, "count": 10}}
		{"v": 1, "ids": {"first": -1}}
		{"v": 1, "ids": {"directory": "relative"}}
		{"v": 1, "hooks_allowed": ["true"]}
		{"v": 1, "levels": "relative"}
	END
	rm "$T/brig.json"
	starts_nothing 'brig.json'
	admin ''
	chmod 666 "$T/brig.json"
	starts_nothing 'brig.json'
}

@test "bad ids: a pool that is used up says so, and gives again what was freed" {
	IDS='"first": 700000000, "count": 131584, "quarantine": 0'
	admin ''
	at high
	ok run -d --rootfs "$B/rootfs" --id "$ID-1" -- sleep 100
	ok run -d --rootfs "$B/rootfs" --id "$ID-2" -- sleep 100
	exits 125 -- true
	one_line 'id pool: exhausted.*ids.count'
	ok delete --force "$ID-1"
	ok delete --force "$ID-2"
}

@test "bad ids: ranges of the machine's users are passed over" {
	IDS='"first": 6000000, "count": 65792, "quarantine": 0'
	admin ''
	at high
	succeeds -- true
	{ cat /etc/passwd && echo 'late:x:6000007:1::/:/bin/sh'; } >"$T/passwd"
	run unshare --mount --propagation private sh -c 'mount --bind "$1" /etc/passwd && shift && exec "$@"' - \
		"$T/passwd" "${BR[@]}" run -b "$B" "$ID"
	[ "$status" = 1 ] && [[ $output =~ 'id pool: exhausted'.*'1 belong to users of the host'.*ids.count ]] ||
		fail "$output"
	is "$(wc -l <<<"$output")" 1
	nothing_left
}

@test "bad ids: bookkeeping that others may write to, or that is damaged" {
	at high
	mkdir "$T/ids" && chmod 777 "$T/ids"
	starts_nothing 'ids'
	rm -rf "$T/ids" && : >"$T/ids"
	starts_nothing 'ids'
	rm "$T/ids" && mkdir -m 700 "$T/ids"
	succeeds -- true
	head -c 4000 /dev/urandom >"$T/ids/lock"
	direct -- true
	[ "$status" = 0 ] || one_line 'id pool|ids'
	head -c 4000 /dev/urandom >"$T/ids/0"
	direct -- true
	[ "$status" = 0 ] || one_line 'id pool|ids'
	rm -rf "$T/ids"
}

@test "bad ids: hostID 0, ids that no user namespace can have" {
	at standard
	userns 0
	refused 'host.*root|hostID' run -b "$B" "$ID"
	refuses '--user' --user 4294967295 -- true
	config 'del(.linux.uidMappings, .linux.gidMappings)
		| .process.user.additionalGids = [range(70000; 70400)]'
	refused 'more than 256 ids|ids' run -b "$B" "$ID"
}

# --- requests that widen ------------------------------------------------------------------------

@test "bad request: annotations that widen, or that nobody knows" {
	local name value word
	at high
	cp "$B/config.json" "$T/good.json"
	while IFS='|' read -r name value word; do
		cp "$T/good.json" "$B/config.json"
		config --arg k "$name" --arg v "$value" '.annotations = {($k): $v}'
		refused "$word" run -b "$B" "$ID"
		refused "$word" create -b "$B" "$ID"
	done <<-'END'
		dev.brig.level|custom|weaker
		dev.brig.seccomp.violation|kill|weaker
		dev.brig.cpu.pin|none|weaker
		dev.brig.timewall|1s|not known
		dev.brig.time.wall|-1|duration
		dev.brig.time.wall|999999999999999999999h|duration
		dev.brig.memory.limit|18446744073709551616|memory
		dev.brig.pids.limit|0x10|pids
		dev.brig.fs.write|/../x|write
		dev.brig.fs.write|/sys/x|write
		dev.brig.egress|["*"]|egress
		dev.brig.root.readonly|no|readonly
	END
	# not an error, and not heard: the strictest of all holds
	cp "$T/good.json" "$B/config.json"
	config '.annotations = {"dev.brig.level": "standard", "dev.brig.root.readonly": "false",
		"dev.brig.memory.limit": "1024Gi", "dev.brig.pids.limit": "100000"}'
	sleeps
	PID=
	cg_is pids pids.max 256
	is "$(row CapBnd "/proc/$PID/status")" 0000000000000000
	ok exec "$ID" sh -c 'touch /x 2>&1 || echo refused'
	out_has refused
}

@test "bad request: the host's namespaces, by absence, by path, by another's path" {
	local t
	for LEVEL in standard high; do
		at "$LEVEL"
		for t in pid network mount; do
			cp "$B/config.json" "$T/good.json"
			config --arg t "$t" '.linux.namespaces |= map(select(.type != $t))'
			refused "$t" run -b "$B" "$ID"
			cp "$T/good.json" "$B/config.json"
		done
		for t in pid:pid network:net ipc:ipc uts:uts mount:mnt user:user cgroup:cgroup; do
			cp "$B/config.json" "$T/good.json"
			for p in self 1 "$$"; do
				config --arg t "${t%:*}" --arg p "/proc/$p/ns/${t#*:}" \
					'.linux.namespaces |= map(select(.type != $t)) + [{type: $t, path: $p}]'
				refused "${t%:*}|namespace" run -b "$B" "$ID"
			done
			ln -sf "/proc/self/ns/${t#*:}" "$T/link"
			config --arg t "${t%:*}" --arg p "$T/link" \
				'.linux.namespaces |= map(select(.type != $t)) + [{type: $t, path: $p}]'
			refused "${t%:*}|namespace" run -b "$B" "$ID"
			cp "$T/good.json" "$B/config.json"
		done
		cp "$B/config.json" "$T/good.json"
		config '.linux.namespaces += [{"type": "network", "path": "/proc/1/ns/net"}]'
		refused 'network|twice|duplicate' run -b "$B" "$ID"
		cp "$T/good.json" "$B/config.json"
	done
	[[ $(nft list ruleset 2>/dev/null) != *'policy drop'* ]] || [ -n "${DROPS_BEFORE:-}" ]
}

@test "bad request: devices, sockets, the host's directories, hooks at high" {
	local jq word
	cp "$B/config.json" "$T/good.json"
	start_tool receiver notify "$T/sock" "$T/out.sock"
	appears "$T/sock"
	while IFS='|' read -r word jq; do
		for LEVEL in standard high; do
			at "$LEVEL"
			cp "$T/good.json" "$B/config.json"
			config "${jq//@T@/$T}"
			refused "$word" run -b "$B" "$ID"
		done
	done <<-'END'
		device|.linux.devices = [{"path": "/dev/mem", "type": "c", "major": 1, "minor": 1}]
		/|.mounts += [{"destination": "/h", "type": "bind", "source": "/", "options": ["rbind"]}]
		/proc|.mounts += [{"destination": "/h", "type": "bind", "source": "/proc", "options": ["rbind"]}]
		/sys|.mounts += [{"destination": "/h", "type": "bind", "source": "/sys", "options": ["rbind"]}]
		/dev|.mounts += [{"destination": "/h", "type": "bind", "source": "/dev", "options": ["rbind"]}]
		sock|.mounts += [{"destination": "/h", "type": "bind", "source": "@T@/sock", "options": ["bind"]}]
		state|.mounts += [{"destination": "/h", "type": "bind", "source": "@T@/state", "options": ["bind"]}]
		type|.mounts += [{"destination": "/h", "type": "ext4", "source": "/dev/vda"}]
	END
	at high
	cp "$T/good.json" "$B/config.json"
	config '.hooks = {"prestart": [{"path": "/bin/true"}]}'
	refused 'hook' run -b "$B" "$ID"
}

# --- a machine that lacks it --------------------------------------------------------------------

# The build that can be told to hide something (make FAULT=1).
hiding() {
	[ -x "$TOP/build/fault/bin/brig" ] || skip "no build with faults (make FAULT=1)"
	[[ $BRIG != */san/* ]] || skip "another build is tested"
	BRIG=$TOP/build/fault/bin/brig
	export BRIG_FAULT_HIDE=$1
}

@test "missing: what standard and high require: no start, the mechanism, the reason, the remedy" {
	local what re
	while IFS='|' read -r what re; do
		hiding "$what"
		for LEVEL in standard high; do
			at "$LEVEL"
			starts_nothing "$re"
		done
	done <<-'END'
		userns|user namespace.*max_user_namespaces.*sysctl
		openat2|openat2.*required.*Linux 5\.6
		seccomp|seccomp.*required.*CONFIG_SECCOMP_FILTER
		nf_tables|nf_tables.*the kernel has no.*modprobe
		mount_setattr|mount_setattr.*the kernel has none.*Linux 5\.12
		idmap|cannot be id-mapped.*put the image on
	END
}

@test "missing: what only high requires" {
	local what re
	while IFS='|' read -r what re; do
		hiding "$what"
		at high
		starts_nothing "$re"
		at standard
		succeeds -- echo ran
		is "$out" ran
	done <<-'END'
		landlock|landlock.*required.*CONFIG_SECURITY_LANDLOCK
		seccomp_notify|user notification.*required.*Linux 5\.0
	END
}

@test "missing: best effort is recorded where it is not in force" {
	hiding landlock
	at standard
	ok run -d --rootfs "$B/rootfs" --id "$ID" -- sleep 100
	ok policy explain "$ID"
	out_has 'landlock.*not in force'
	ok delete --force "$ID"
	hiding memfd_noexec,mdwe
	at high
	ok run -d --rootfs "$B/rootfs" --lang native --id "$ID" -- sleep 100
	ok policy explain "$ID"
	out_has 'memfd.*not in force'
}

@test "missing: doctor says the same, with the remedy" {
	local what row
	while read -r what row; do
		hiding "$what"
		at high
		b doctor --format json
		is "$what $(jq -r --arg m "$row" '.checks[] | select(.mechanism == $m) | .found' "$T/out")" "$what no"
		is "$(jq -r .high "$T/out")" false
	done <<-'END'
		landlock landlock
		userns user-namespaces
		openat2 openat2
		seccomp seccomp
		nf_tables nf_tables
	END
	hiding idmap
	at high
	b doctor --format json
	is "$(jq -r '.checks[] | select(.mechanism == "idmapped-mounts") | .found' "$T/out")" no
}
