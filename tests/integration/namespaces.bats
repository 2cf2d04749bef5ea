#!/usr/bin/env bats
load helpers

# ns TYPE FILE: the container's is not ours
differs() {
	says "readlink /proc/self/ns/$1"
	[ "$out" != "$(readlink "/proc/self/ns/$1")" ] || fail "$1 is the host's"
}
same() {
	config --arg t "$2" '.linux.namespaces |= map(select(.type != $t))'
	says "readlink /proc/self/ns/$1"
	out_is "$(readlink "/proc/self/ns/$1")"
}
# add TYPE [PATH]
add() {
	config --arg t "$1" --arg p "${2:-}" '.linux.namespaces |= map(select(.type != $t))
		| .linux.namespaces += [{"type": $t} + (if $p == "" then {} else {"path": $p} end)]'
}
# holder FLAGS: a process in new namespaces; HOLDER is its pid
holder() {
	unshare "$@" sh -c "echo x >$T/held; exec sleep 100" </dev/null >/dev/null 2>&1 3>&- &
	PIDS+=($!)
	HOLDER=$!
	appears "$T/held"
}

@test "new namespaces are not the host's" {
	for t in pid ipc uts mnt net; do differs $t; done
}

@test "pid namespace: the program is pid 1" {
	says 'echo $$'
	out_is 1
}

@test "absent namespaces are the host's: pid" { same pid pid; }
@test "absent namespaces are the host's: network" { same net network; }
@test "absent namespaces are the host's: ipc" { same ipc ipc; }
@test "absent namespaces are the host's: uts" {
	config 'del(.hostname)'
	same uts uts
}
@test "absent namespaces are the host's: cgroup and user" {
	same cgroup cgroup
	same user user
}

@test "cgroup namespace: the container's cgroup is the root of what it sees" {
	add cgroup
	says 'grep -c ":/$" /proc/self/cgroup; wc -l </proc/self/cgroup'
	a=${out%%$'\n'*} z=${out##*$'\n'}
	is "$a" "$z"
}

@test "time namespace: offsets of monotonic and boottime" {
	known_peer_failure runc crun
	add time
	config '.linux.timeOffsets = {"monotonic": {"secs": 86400}, "boottime": {"secs": 864000, "nanosecs": 5}}'
	says 'cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets'
	up=${out%%$'\n'*}
	read -r host _ </proc/uptime
	[ "$up" -ge $((${host%.*} + 863998)) ] || fail "$up, host $host"
	out_has 'monotonic +86400 +0'
	out_has 'boottime +864000 +5'
}

@test "time namespace: timeOffsets without one is refused" {
	known_peer_failure runc crun
	config '.linux.timeOffsets = {"monotonic": {"secs": 86400}}'
	refused 'time' run -b "$B" "$ID"
}

@test "time namespace: an unknown clock is refused and named" {
	known_peer_failure runc crun
	add time
	config '.linux.timeOffsets = {"realtime": {"secs": 1}}'
	refused 'realtime' run -b "$B" "$ID"
}

@test "time namespace: too large an offset is refused" {
	known_peer_failure runc crun
	add time
	config '.linux.timeOffsets = {"monotonic": {"secs": 9223372036854775807}}'
	refused 'time' run -b "$B" "$ID"
}

@test "joining a network namespace by path" {
	holder -n
	add network "/proc/$HOLDER/ns/net"
	says 'readlink /proc/self/ns/net'
	out_is "$(readlink "/proc/$HOLDER/ns/net")"
}

@test "joining an ipc and a uts namespace by path" {
	holder -iu
	add ipc "/proc/$HOLDER/ns/ipc"
	add uts "/proc/$HOLDER/ns/uts"
	config 'del(.hostname)'
	says 'readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts'
	out_is "$(readlink "/proc/$HOLDER/ns/ipc" "/proc/$HOLDER/ns/uts")"
}

@test "joining a pid namespace by path: exit code, kill and delete work" {
	sleeps
	init_pid
	sed "s/$ID/$ID-2/" "$B/config.json" >"$T/c2"
	config --arg p "/proc/$PID/ns/pid" '.linux.namespaces |= map(if .type == "pid" then .path = $p else . end)'
	prog 'readlink /proc/self/ns/pid; exit 6'
	b run -b "$B" "$ID-2"
	is "$status" 6
	out_is "$(readlink "/proc/$PID/ns/pid")"
	config '.process.args = ["sleep", "100"]'
	ok run -d -b "$B" "$ID-2"
	ok kill "$ID-2" KILL
	becomes stopped "$ID-2"
	ok delete "$ID-2"
	status_is running
}

@test "joining a cgroup namespace by path" {
	holder -C
	add cgroup "/proc/$HOLDER/ns/cgroup"
	known_peer_failure crun
	says 'readlink /proc/self/ns/cgroup'
	out_is "$(readlink "/proc/$HOLDER/ns/cgroup")"
}

@test "joining a user namespace by path" {
	known_peer_failure runc # 1.1.5 wants mappings too
	holder -Ur
	add user "/proc/$HOLDER/ns/user"
	config 'del(.linux.uidMappings, .linux.gidMappings)
		| .mounts |= map(if .options then .options -= ["gid=5"] else . end)' # 5 is not mapped
	says 'readlink /proc/self/ns/user; id -u'
	out_is "$(readlink "/proc/$HOLDER/ns/user")"$'\n0'
}

@test "joining a time namespace by path" {
	known_peer_failure runc crun
	unshare --help | grep -q -- --time || skip "unshare without --time"
	unshare -T -f sh -c "echo x >$T/held; exec sleep 100" </dev/null >/dev/null 2>&1 3>&- &
	PIDS+=($!)
	appears "$T/held"
	read -r child _ <"/proc/$!/task/$!/children" || :
	[ -n "$child" ]
	PIDS+=("$child")
	add time "/proc/$child/ns/time"
	says 'readlink /proc/self/ns/time'
	out_is "$(readlink "/proc/$child/ns/time")"
}

@test "a namespace of another type at the path is refused" {
	add network /proc/self/ns/ipc
	refused 'network|ipc|namespace' run -b "$B" "$ID"
}

@test "a namespace path that does not exist is refused and named" {
	add network /no/such/ns
	refused '/no/such/ns' run -b "$B" "$ID"
}

@test "a namespace path that is a regular file is refused" {
	: >"$T/plain"
	add network "$T/plain"
	refused 'plain' run -b "$B" "$ID"
}

@test "a relative namespace path is refused" {
	add network proc/self/ns/net
	refused 'proc/self/ns/net|absolute' run -b "$B" "$ID"
}

@test "a namespace type given twice is refused" {
	config '.linux.namespaces += [{"type": "pid"}]'
	refused 'pid|twice|duplicate' run -b "$B" "$ID"
}

@test "an unknown namespace type is refused and named" {
	config '.linux.namespaces += [{"type": "nosuch"}]'
	refused 'nosuch' run -b "$B" "$ID"
}

@test "without a mount namespace it is refused, or leaves no mount behind" {
	known_peer_failure runc crun
	config '.linux.namespaces |= map(select(.type != "mount"))'
	# Never in the machine's own mount namespace.
	unshare -m --propagation private "${FG[@]}" 10 "${BR[@]}" run -b "$B" "$ID" </dev/null 3>&- || :
	nothing_left
}

@test "user namespace: ids are mapped" {
	userns
	says 'id -u; cat /proc/self/uid_map /proc/self/gid_map'
	out_has '^0'
	out_has '0 +100000 +65536.*0 +100000 +65536'
}

@test "user namespace: what the program makes belongs to the mapped user" {
	userns
	chmod 777 "$B/rootfs/tmp"
	chmod 755 "$T" "$B" "$B/rootfs"
	says 'touch /tmp/made'
	is "$(stat -c %u:%g "$B/rootfs/tmp/made")" 100000:100000
}

@test "user namespace: another uid of the map" {
	userns
	says 'id -u' '.process.user = {"uid": 1000, "gid": 1000}'
	out_is 1000
}

@test "user namespace: several mappings" {
	userns
	config '.linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 10},
		{"containerID": 10, "hostID": 200000, "size": 5}, {"containerID": 1000, "hostID": 5, "size": 1}]'
	says 'cat /proc/self/uid_map | wc -l; id -u' '.process.user.uid = 1000'
	out_is $'3\n1000'
}

@test "user namespace: a uid that the map lacks is refused" {
	userns
	config '.process.user.uid = 70000'
	refused '70000|uid' run -b "$B" "$ID"
}

@test "user namespace: 340 mappings work, 341 are refused" {
	known_peer_failure crun
	userns
	config '.linux.uidMappings = [range(340) | {"containerID": ., "hostID": ., "size": 1}]'
	says 'wc -l </proc/self/uid_map'
	out_is 340
	config '.linux.uidMappings = [range(341) | {"containerID": ., "hostID": ., "size": 1}]'
	refused '341|340|uid_map|uidMappings' run -b "$B" "$ID"
}

@test "user namespace: mappings of one kind only are refused" {
	userns
	config 'del(.linux.gidMappings)'
	refused 'gid' run -b "$B" "$ID"
}

@test "user namespace: overlapping mappings are refused" {
	userns
	config '.linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 10},
		{"containerID": 5, "hostID": 3000, "size": 10}]'
	refused 'uid_?map' run -b "$B" "$ID"
}

@test "user namespace: a mapping of size 0 is refused" {
	userns
	config '.linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 0}]'
	refused 'uid_?map|size' run -b "$B" "$ID"
}

@test "user namespace: a range past 2^32 is refused" {
	userns
	config '.linux.uidMappings = [{"containerID": 0, "hostID": 4294967290, "size": 100}]'
	refused 'uid_?map' run -b "$B" "$ID"
}

@test "mappings without a user namespace are refused or ignored, never half applied" {
	config '.linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 10}]
		| .linux.gidMappings = .linux.uidMappings'
	prog 'cat /proc/self/uid_map'
	b run -b "$B" "$ID"
	[ "$status" != 0 ] || out_has '0 +0 +4294967295'
}

@test "user namespace: exec joins it" {
	userns
	sleeps
	ok exec "$ID" sh -c 'id -u; cat /proc/self/uid_map'
	out_has '^0'
	out_has '0 +100000 +65536'
}

@test "user namespace: setgroups is possible with a mapping of many" {
	userns
	says 'grep Groups /proc/self/status' '.process.user.additionalGids = [10, 20]'
	out_has 'Groups:.10 20'
}

@test "user namespace with cgroup namespace and cgroup mount" {
	userns
	add cgroup
	mkdir -p "$B/rootfs/sys/fs/cgroup"
	config '.mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
		"options": ["nosuid", "noexec", "nodev", "ro"]}]'
	says 'ls /sys/fs/cgroup | wc -l'
	[ "$out" -ge 1 ]
}

@test "no network namespace may be made: the error names the limit" {
	known_peer_failure runc crun
	config '.process.args = ["true"] | del(.linux.resources)'
	cat >"$T/script" <<-END
		echo 0 >/proc/sys/user/max_net_namespaces || exit 99
		"$BRIG" ${RUNTIME_FLAGS[*]} --root "$R" run -b "$B" "$ID"
	END
	status=0
	"${FG[@]}" 10 unshare -Urmpf --mount-proc sh "$T/script" </dev/null >"$T/out" 2>"$T/err" 3>&- || status=$?
	is "$status" 1
	grep -q 'user.max_' "$T/err" || fail "$(<"$T/err")"
	nothing_left
}
