#!/usr/bin/env bats
load helpers
# config.json that nobody should write: one line that names the thing, nothing left

# bad WORD JQ: the config changed so is refused, the error names WORD
bad() {
	cp "$B/config.json" "$T/good.json"
	config "$2"
	refused "$1" create -b "$B" "$ID"
	cp "$T/good.json" "$B/config.json"
}

@test "no config.json" {
	rm "$B/config.json"
	refused 'config.json' create -b "$B" "$ID"
}

@test "a bundle that does not exist" {
	refused 'none' create -b "$T/none" "$ID"
}

@test "a bundle that is a file" {
	: >"$T/plain"
	refused 'plain' create -b "$T/plain" "$ID"
}

@test "config.json is a directory" {
	rm "$B/config.json"
	mkdir "$B/config.json"
	refused 'config.json' create -b "$B" "$ID"
}

@test "config.json is a fifo that nobody writes to" {
	known_peer_failure runc crun
	rm "$B/config.json"
	mkfifo "$B/config.json"
	LIMIT=3 refused 'config.json' create -b "$B" "$ID"
}

@test "config.json is empty" {
	: >"$B/config.json"
	refused 'config.json|json' create -b "$B" "$ID"
}

@test "config.json is truncated at each of many places" {
	jq -c . "$B/config.json" >"$T/whole"
	slurp whole "$T/whole"
	for ((n = 1; n < ${#whole}; n += ${#whole} / 25)); do
		printf '%s' "${whole:0:n}" >"$B/config.json"
		CHECKED_LATER=1 refused 'json|EOF|truncated|end' create -b "$B" "$ID"
	done
	nothing_left
}

@test "config.json is not JSON" {
	for t in 'hello' '{"ociVersion": nope}' "{'ociVersion': '1.0'}" '[]' '"1.0"' 'null' '3' '{} trailing'; do
		printf '%s' "$t" >"$B/config.json"
		CHECKED_LATER=1 refused . create -b "$B" "$ID"
	done
	nothing_left
}

@test "config.json has a byte order mark, NUL bytes, invalid UTF-8" {
	cp "$B/config.json" "$T/c"
	{ printf '\xef\xbb\xbf'; cat "$T/c"; } >"$B/config.json"
	b create -b "$B" "$ID-1"
	{ printf '{"x\0y": 1,'; tail -c +2 "$T/c"; } >"$B/config.json"
	refused . create -b "$B" "$ID"
	sed 's/brigtest/\xff\xfe/' "$T/c" >"$B/config.json"
	b create -b "$B" "$ID-2"
	[ "$status" = 0 ] || [ -n "$err" ]
}

@test "config.json of 100 MB" {
	known_peer_failure runc crun
	{ printf '{"x": "'; head -c 100000000 /dev/zero | tr '\0' x; printf '"}'; } >"$B/config.json"
	s=$SECONDS
	refused 'config.json|large|big|bytes' create -b "$B" "$ID"
	[ $((SECONDS - s)) -le 3 ]
}

@test "config.json with 10,000 levels" {
	local open all
	printf -v all '%10000s' ''
	for open in '[' '{"a":'; do
		printf '{"x":%s' "${all// /"$open"}" >"$B/config.json"
		CHECKED_LATER=1 refused . create -b "$B" "$ID"
	done
	# complete and therefore valid JSON
	{ printf '{"x":'; printf '[%.0s' {1..10000}; printf ']%.0s' {1..10000}; printf '}'; } >"$B/config.json"
	refused 'deep|depth|nest|level|config.json|process|root|ociVersion' create -b "$B" "$ID"
}

@test "duplicate keys: the last counts or it is refused" {
	jq -c . "$B/config.json" | sed 's/^{/{"hostname":"first",/' >"$T/c"
	cp "$T/c" "$B/config.json"
	config_kept=$(<"$B/config.json")
	b run -b "$B" "$ID"
	[ "$status" = 0 ] || [ -n "$err" ]
	nothing_left
}

@test "every property with a wrong type is refused with its path" {
	mkdir "$T/w"
	ln -s "$B/rootfs" "$T/w/rootfs"
	for p in ociVersion process process.args process.cwd process.env process.user process.user.uid \
		process.user.gid process.user.additionalGids process.capabilities process.capabilities.bounding \
		process.rlimits process.terminal process.noNewPrivileges process.oomScoreAdj process.scheduler \
		process.ioPriority process.execCPUAffinity root root.path root.readonly hostname mounts hooks \
		hooks.prestart annotations linux linux.namespaces linux.uidMappings linux.devices \
		linux.netDevices linux.sysctl linux.resources linux.resources.memory linux.resources.memory.limit \
		linux.resources.cpu linux.resources.pids linux.resources.devices linux.cgroupsPath linux.seccomp \
		linux.seccomp.syscalls linux.rootfsPropagation linux.maskedPaths linux.readonlyPaths \
		linux.mountLabel linux.intelRdt linux.personality linux.timeOffsets linux.memoryPolicy; do
		case $PEER:$p in runc:*scheduler | runc:*ioPriority | runc:*Affinity | runc:*timeOffsets) continue ;;
		runc:*netDevices | runc:*memoryPolicy | runc:*personality) continue ;; esac
		for v in '"wrong"' '[[1]]' '12.5' '{"a":{"b":[]}}'; do
			case $p:$v in
			# right for these
			ociVersion:\"* | process.cwd:\"* | root.path:\"* | hostname:\"* | linux.cgroupsPath:\"*) continue ;;
			linux.mountLabel:\"* | linux.rootfsPropagation:\"*) continue ;;
			*'{"a"'*) case $p in *args | *env | *uid | *.gid | *.limit | *Gids | *bounding | *rlimits) ;; *) continue ;; esac ;;
			esac
			jq --argjson v "$v" ".$p = \$v" <"$B/config.json" >"$T/w/config.json" || fail "$p"
			b create -b "$T/w" "$ID"
			[ "$status" != 0 ] || fail "$p = $v was taken"
			[ "$PEER" != brig ] || [[ $err == *"${p##*.}"* ]] || fail "$p = $v: not named: $err"
			[ "$PEER" != brig ] || [[ $err != *$'\n'* ]] || fail "$p = $v: $err"
		done
	done
	nothing_left
}

@test "uid -1, 2^32, 1.5, a string" {
	bad 'uid' '.process.user.uid = -1'
	bad 'uid' '.process.user.uid = 4294967296'
	bad 'uid' '.process.user.uid = 1.5'
	bad 'uid' '.process.user.uid = "0"'
}

@test "uid and gid 2^32-1, which mean no change to the kernel" {
	known_peer_failure crun
	bad 'uid' '.process.user.uid = 4294967295'
	bad 'gid' '.process.user.gid = 4294967295'
}

@test "numbers beyond 64 bits and with exponents" {
	jq -c . "$B/config.json" | sed 's/"uid":0/"uid":99999999999999999999999/' >"$T/c"
	cp "$T/c" "$B/config.json"
	refused 'uid|99999999999999999999999' create -b "$B" "$ID"
}

@test "args empty, args absent" {
	bad 'args' '.process.args = []'
	bad 'args' 'del(.process.args)'
}

@test "args[0] empty, a directory" {
	config '.process.args = [""]'
	refused . run -b "$B" "$ID"
	config '.process.args = ["/bin"]'
	refused '/bin' run -b "$B" "$ID"
}

@test "cwd absent, empty, relative" {
	bad 'cwd' 'del(.process.cwd)'
	bad 'cwd' '.process.cwd = ""'
	bad 'cwd' '.process.cwd = "relative/dir"'
}

@test "cwd is a file" {
	: >"$B/rootfs/etc/plain"
	config '.process.cwd = "/etc/plain"'
	refused '/etc/plain' run -b "$B" "$ID"
}

@test "root absent, root.path empty" {
	bad 'root' 'del(.root)'
	known_peer_failure runc crun
	bad 'root|path' '.root.path = ""'
}

@test "ociVersion absent, empty, invalid, 2.0.0" {
	known_peer_failure runc
	bad 'ociVersion' 'del(.ociVersion)'
	bad 'ociVersion|version' '.ociVersion = ""'
	bad 'ociVersion|version' '.ociVersion = "invalid"'
	bad 'ociVersion|version' '.ociVersion = "2.0.0"'
}

@test "strings with NUL are refused, not cut" {
	known_peer_failure runc crun
	bad 'args|NUL|null' '.process.args = ["true\u0000evil"]'
	bad 'hostname|NUL|null' '.hostname = "a\u0000b"'
	bad 'path|root|NUL|null' '.root.path = "rootfs\u0000/x"'
}

@test "env entries without =, or empty" {
	config '.process.env = ["PATH=/bin", "NOEQUALS", ""]'
	b run -b "$B" "$ID"
	[ "$status" = 0 ] || [ -n "$err" ]
	nothing_left
}

@test "a hostname longer than the kernel takes" {
	bad 'hostname' '.hostname = ("h" * 65)'
}

@test "a path longer than the kernel takes" {
	config '.mounts += [{"destination": ("/" + "d" * 300), "type": "tmpfs", "source": "t"}]'
	refused . run -b "$B" "$ID"
	config '.mounts[-1].destination = ("/dd" * 2000)'
	refused . run -b "$B" "$ID"
}

@test "a mount without destination, with an empty one" {
	bad 'destination|mounts' '.mounts += [{"type": "tmpfs", "source": "t"}]'
	known_peer_failure runc crun
	bad 'destination|mounts' '.mounts += [{"destination": "", "type": "tmpfs", "source": "t"}]'
}

@test "ten thousand mounts and a million maskedPaths do not hang" {
	jq '.linux.maskedPaths = [range(20000) | "/no/\(.)"]' <"$B/config.json" >"$T/c"
	cp "$T/c" "$B/config.json"
	b run -b "$B" "$ID"
	[ "$status" != 124 ]
	nothing_left
}

@test "linux absent: refused or without namespaces, never half" {
	known_peer_failure runc crun # they mount in the caller's mount namespace
	config 'del(.linux, .hostname)'
	unshare -m --propagation private "${FG[@]}" 10 "${BR[@]}" run -b "$B" "$ID" </dev/null >"$T/o" 2>&1 3>&- || :
	nothing_left
}
