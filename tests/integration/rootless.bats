#!/usr/bin/env bats
load helpers
# As uid 1000: one id, a subordinate range, no cgroups of one's own

more_setup() {
	[ "$EUID" = 0 ] || skip "needs root to become another user"
	command -v setpriv >/dev/null || skip "no setpriv"
	[ -r "$BRIG" ] || BRIG=$(command -v "$BRIG")
	rm -rf "$B/rootfs"
	cp -a "$BASE_ROOTFS" "$B/rootfs"
	config '.linux.namespaces |= map(select(.type != "network")) + [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 1}]
		| .linux.gidMappings = [{"containerID": 0, "hostID": 1000, "size": 1}]
		| del(.linux.resources) | .mounts |= map(if .options then .options -= ["gid=5"] else . end)'
	chown -R 1000:1000 "$B" "$R"
	chmod 755 "$T"
	mkdir "$T/xdg"
	chown 1000 "$T/xdg"
	# the program under test must be reachable
	cp "$(command -v "$BRIG")" "$T/${BRIG##*/}"
	USER_BRIG=$T/${BRIG##*/}
	ROOT_FLAG=(--root "$R")
}
# u ARGS: b, as the user
u() {
	status=0
	timeout -k 2 "${LIMIT:-10}" setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" HOME=/nonexistent XDG_RUNTIME_DIR="$T/xdg" BRIG_TEST_MARK="$ID" \
		"$USER_BRIG" "${BRIG_FLAGS[@]}" "${ROOT_FLAG[@]}" "$@" \
		<"${STDIN:-/dev/null}" >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	slurp err "$T/err"
}
u_ok() {
	u "$@"
	[ "$status" = 0 ] || fail "status $status" "$out" "$err"
}

@test "rootless run with a single id" {
	prog 'id -u; cat /proc/self/uid_map; touch /tmp/made'
	u_ok run -b "$B" "$ID"
	out_has '^0'
	out_has '0 +1000 +1'
	is "$(stat -c %u "$B/rootfs/tmp/made")" 1000
}

@test "rootless exit codes" {
	prog 'exit 9'
	u run -b "$B" "$ID"
	is "$status" 9
}

@test "rootless create, state, exec, kill, delete" {
	config '.process.args = ["sleep", "100"]'
	u_ok create -b "$B" "$ID"
	u_ok start "$ID"
	u_ok state "$ID"
	out_has '"status": *"running"'
	u_ok exec "$ID" sh -c 'id -u; hostname'
	out_is $'0\nbrigtest'
	u_ok list
	out_has "$ID"
	u_ok kill "$ID" KILL
	sleep 0.2
	u_ok delete "$ID"
}

@test "rootless delete --force of a running container" {
	config '.process.args = ["sleep", "100"]'
	u_ok run -d -b "$B" "$ID"
	u_ok delete --force "$ID"
	nothing_left
}

@test "rootless without --root the state is below XDG_RUNTIME_DIR" {
	config '.process.args = ["sleep", "100"]'
	ROOT_FLAG=()
	u_ok run -d -b "$B" "$ID"
	[ -d "$T/xdg/${BRIG##*/}/$ID" ]
	[ ! -e "/run/brig/$ID" ]
	u_ok delete --force "$ID"
}

@test "rootless with resources that need a cgroup of one's own is refused with the remedy" {
	config '.linux.resources.pids.limit = 10'
	u run -b "$B" "$ID"
	[ "$status" != 0 ]
	err_has 'cgroup|permission|rootless'
	nothing_left
}

@test "rootless with a cgroupsPath that is not writable is refused" {
	config '.linux.cgroupsPath = "/not-mine-'"$ID"'"'
	u run -b "$B" "$ID"
	[ "$status" != 0 ]
	err_has 'cgroup|permission|rootless'
	nothing_left
}

@test "rootless with a cgroup that was handed over" {
	[ -d /sys/fs/cgroup/pids ] || skip "no pids hierarchy of cgroup v1"
	known_peer_failure runc crun
	mkdir "/sys/fs/cgroup/pids/$ID-mine"
	chown -R 1000 "/sys/fs/cgroup/pids/$ID-mine"
	config '.linux.cgroupsPath = "/'"$ID"'-mine/c"'
	u run -b "$B" "$ID"
	rmdir "/sys/fs/cgroup/pids/$ID-mine"/c "/sys/fs/cgroup/pids/$ID-mine" 2>/dev/null || :
	[ "$status" = 0 ] || err_has 'cgroup|permission|rootless'
}

# with_subids COMMAND...: entries of /etc/subuid exist only in a private mount namespace
with_subids() {
	echo "1000:200000:65536" >"$T/subid"
	echo "user1000:200000:65536" >>"$T/subid"
	printf 'user1000:x:1000:1000::/:/bin/sh\n' | cat /etc/passwd - >"$T/passwd"
	cat >"$T/ns.sh" <<-'END'
		mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/subid" /etc/subuid &&
			mount --bind "$1/subid" /etc/subgid || exit 99
		shift
		exec "$@"
	END
	[ -e /etc/subuid ] && [ -e /etc/subgid ] || skip "no /etc/subuid to mount over"
	status=0
	timeout -k 2 15 unshare -m --propagation private sh "$T/ns.sh" "$T" \
		setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" XDG_RUNTIME_DIR="$T/xdg" BRIG_TEST_MARK="$ID" \
		"$USER_BRIG" "${BRIG_FLAGS[@]}" --root "$R" "$@" </dev/null >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	slurp err "$T/err"
}

@test "rootless with a subordinate range by newuidmap" {
	command -v newuidmap >/dev/null || skip "no newuidmap"
	config '.linux.uidMappings += [{"containerID": 1, "hostID": 200000, "size": 65536}]
		| .linux.gidMappings += [{"containerID": 1, "hostID": 200000, "size": 65536}]'
	prog 'cat /proc/self/uid_map; id -u; id -G' '.process.user = {"uid": 7, "gid": 8}'
	with_subids run -b "$B" "$ID"
	is "$status" 0 || fail "$err"
	out_has '1 +200000 +65536'
	out_has $'\n7\n8$'
}

@test "rootless with a range that /etc/subuid does not give is refused" {
	command -v newuidmap >/dev/null || skip "no newuidmap"
	config '.linux.uidMappings += [{"containerID": 1, "hostID": 900000, "size": 65536}]
		| .linux.gidMappings += [{"containerID": 1, "hostID": 900000, "size": 65536}]'
	with_subids run -b "$B" "$ID"
	[ "$status" != 0 ]
	err_has 'newuidmap|uid_?map|mapping|permitted'
	nothing_left
}

@test "rootless without newuidmap in PATH and more than one id is refused, newuidmap named" {
	known_peer_failure runc crun
	config '.linux.uidMappings += [{"containerID": 1, "hostID": 200000, "size": 65536}]
		| .linux.gidMappings += [{"containerID": 1, "hostID": 200000, "size": 65536}]'
	status=0
	timeout 10 setpriv --reuid 1000 --regid 1000 --clear-groups /usr/bin/env -i PATH=/nowhere \
		XDG_RUNTIME_DIR="$T/xdg" "$USER_BRIG" "${BRIG_FLAGS[@]}" --root "$R" run -b "$B" "$ID" \
		</dev/null >"$T/out" 2>"$T/err" 3>&- || status=$?
	[ "$status" != 0 ]
	slurp err "$T/err"
	err_has 'newuidmap|uid_?map|mapping'
}

@test "rootless additional groups with a single id are refused or left out, not wrong" {
	prog 'id -G' '.process.user.additionalGids = [10]'
	u run -b "$B" "$ID"
	[ "$status" != 0 ] || out_lacks '10'
}

@test "rootless: a root that belongs to somebody else can be read" {
	chown -R 0:0 "$B/rootfs"
	prog 'echo fine; touch /made 2>/dev/null || echo refused'
	u_ok run -b "$B" "$ID"
	out_is $'fine\nrefused'
}

@test "rootless: another user's container is out of reach" {
	config '.process.args = ["sleep", "100"] | .linux.namespaces |= map(select(.type != "user"))
		| del(.linux.uidMappings, .linux.gidMappings)'
	ok run -d -b "$B" "$ID"
	u kill "$ID" KILL
	[ "$status" != 0 ]
	u exec "$ID" true
	[ "$status" != 0 ]
	u delete --force "$ID"
	status_is running
}

@test "rootless: a terminal" {
	config '.process.terminal = true'
	prog 'tty; stat -c %u $(readlink -f /proc/self/fd/0)'
	timeout 10 script -qec "setpriv --reuid 1000 --regid 1000 --clear-groups env XDG_RUNTIME_DIR=$T/xdg \
		$USER_BRIG ${BRIG_FLAGS[*]} --root $R run -b $B $ID" /dev/null </dev/null >"$T/out" 2>&1 3>&- || :
	slurp out "$T/out"
	out_has '/dev/(pts/0|console)'
}

@test "root inside a user namespace with the whole of its map runs containers" {
	config '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
	chown -R 0:0 "$B/rootfs"
	prog 'echo fine'
	status=0
	timeout 10 unshare -Urm "$BRIG" "${BRIG_FLAGS[@]}" --root "$R" run -b "$B" "$ID" </dev/null >"$T/out" 2>"$T/err" 3>&- ||
		status=$?
	slurp out "$T/out"
	slurp err "$T/err"
	[ "$status" = 0 ] && out_is fine || err_has 'cgroup|permission|rootless|mount|device'
}
