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
		"$USER_BRIG" "${RUNTIME_FLAGS[@]}" "${ROOT_FLAG[@]}" "$@" \
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
		"$USER_BRIG" "${RUNTIME_FLAGS[@]}" --root "$R" "$@" </dev/null >"$T/out" 2>"$T/err" 3>&- || status=$?
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
		XDG_RUNTIME_DIR="$T/xdg" "$USER_BRIG" "${RUNTIME_FLAGS[@]}" --root "$R" run -b "$B" "$ID" \
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
		$USER_BRIG ${RUNTIME_FLAGS[*]} --root $R run -b $B $ID" /dev/null </dev/null >"$T/out" 2>&1 3>&- || :
	slurp out "$T/out"
	out_has '/dev/(pts/0|console)'
}

@test "root inside a user namespace with the whole of its map runs containers" {
	config '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
	chown -R 0:0 "$B/rootfs"
	prog 'echo fine'
	status=0
	timeout 10 unshare -Urm "$BRIG" "${RUNTIME_FLAGS[@]}" --root "$R" run -b "$B" "$ID" </dev/null >"$T/out" 2>"$T/err" 3>&- ||
		status=$?
	slurp out "$T/out"
	slurp err "$T/err"
	[ "$status" = 0 ] && out_is fine || err_has 'cgroup|permission|rootless|mount|device'
}

# --- what `spec --rootless` writes ---------------------------------------------------------

# rootless_spec [JQ]: a bundle of the user's with the document of `spec --rootless`
rootless_spec() {
	rm -f "$B/config.json"
	u_ok spec --rootless -b "$B"
	config '.process.terminal = false | .root.readonly = false'" ${1:+| $1}"
}
# uprog SCRIPT: the container runs it
uprog() { config --arg s "$1" '.process.args = ["sh", "-c", $s]'; }
usleeps() {
	config '.process.args = ["sleep", "100"]'
	u_ok run -d -b "$B" "$ID"
}

@test "spec --rootless: its document runs as it is" {
	rootless_spec
	uprog 'id -u; cat /proc/self/setgroups; ls /dev /sys >/dev/null && echo listed'
	u_ok run -b "$B" "$ID"
	out_is $'0\ndeny\nlisted'
	is "$err" ""
}

@test "spec --rootless: without a cgroup of one's own the cgroup mount shows the caller's, read-only" {
	[ "$(cgroup_layout)" != v2 ] || skip "v2 has a cgroup namespace"
	rootless_spec
	uprog 'while read -r _ _ _ _ at opts rest; do case "$rest" in *"- cgroup cgroup"*) echo "${at##*/} $opts"; esac
		done </proc/self/mountinfo; ls -d /sys/fs/cgroup/pids/tasks; echo 1 >/sys/fs/cgroup/pids/tasks'
	u run -b "$B" "$ID"
	out_has 'pids ro,nosuid,nodev,noexec'
	out_lacks 'pids rw,nosuid'
	out_has '/sys/fs/cgroup/pids/tasks'
	err_has 'Read-only'
}

@test "spec --rootless with network, cgroup and time namespaces of its own" {
	rootless_spec '.linux.namespaces += [{"type":"network"},{"type":"time"}]
		| .linux.namespaces |= unique + (if any(.type == "cgroup") then [] else [{"type":"cgroup"}] end)
		| .linux.timeOffsets = {"boottime": {"secs": 1000000}, "monotonic": {"secs": 5}}'
	uprog 'cut -d. -f1 /proc/uptime; ip addr show lo | grep -c 127.0.0.1'
	u_ok run -b "$B" "$ID"
	[ "${out%%$'\n'*}" -ge 1000000 ]
	is "${out##*$'\n'}" 1
}

@test "rootless exec: a terminal, a working directory, environment, exit codes" {
	rootless_spec
	usleeps
	u_ok exec --cwd /tmp -e A=b "$ID" sh -c 'pwd; echo $A'
	out_is $'/tmp\nb'
	u exec "$ID" sh -c 'exit 7'
	is "$status" 7
	u exec "$ID" /nonexistent
	is "$status" 255
	timeout 10 script -qec "setpriv --reuid 1000 --regid 1000 --clear-groups env XDG_RUNTIME_DIR=$T/xdg \
		$USER_BRIG ${RUNTIME_FLAGS[*]} --root $R exec -t $ID tty" /dev/null </dev/null >"$T/out" 2>&1 3>&- || :
	slurp out "$T/out"
	out_has '/dev/pts/0'
}

@test "rootless: what needs a cgroup says that there is none" {
	rootless_spec
	usleeps
	u pause "$ID"
	[ "$status" = 1 ]
	err_has 'cgroup'
	u update --pids-limit 10 "$ID"
	[ "$status" = 1 ]
	err_has 'cannot set pids limit: container could not join or create cgroup'
}

@test "rootless: kill --all without a cgroup ends the container, and is no error afterwards" {
	rootless_spec
	usleeps
	u_ok kill --all "$ID" KILL
	sleep 0.2
	u_ok state "$ID"
	out_has '"status": *"stopped"'
	u_ok kill --all "$ID" KILL
	u_ok delete "$ID"
}

@test "rootless: the words for missing rights on cgroups" {
	rootless_spec '.linux.cgroupsPath = "/not-mine-'"$ID"'"'
	u run -d -b "$B" "$ID"
	[ "$status" = 1 ]
	err_has 'unable to apply cgroup configuration.*permission denied'
	rootless_spec '.linux.resources.pids.limit = 10'
	u run -d -b "$B" "$ID"
	[ "$status" = 1 ]
	err_has 'rootless needs no limits \+ no cgrouppath when no permission is granted for cgroups|cannot set pids limit: container could not join or create cgroup'
	nothing_left
}

@test "rootless: somebody else's cgroup of the same name is not taken for ours" {
	[ -d /sys/fs/cgroup/pids ] || skip "no pids hierarchy of cgroup v1"
	known_peer_failure runc crun
	mkdir "/sys/fs/cgroup/pids/$ID"
	rootless_spec
	config '.process.args = ["sleep", "100"]'
	u run -d -b "$B" "$ID"
	local ran=$status words=$err
	u delete --force "$ID"
	local deleted=$status
	rmdir "/sys/fs/cgroup/pids/$ID"
	is "$ran $words $deleted" "0  0"
}

@test "rootless: only a container without cgroup and pid namespace is discouraged" {
	known_peer_failure runc crun
	rootless_spec
	usleeps
	is "$err" ""
	u_ok delete --force "$ID"
	config '.linux.namespaces |= map(select(.type != "pid"))
		| .mounts |= map(if .type == "proc" then {"destination": "/proc", "type": "none", "source": "/proc",
			"options": ["rbind", "nosuid", "nodev", "noexec"]} else . end)'
	u_ok run -d -b "$B" "$ID"
	err_has 'Such configuration is strongly discouraged'
	u_ok delete --force "$ID"
}

@test "rootless: --rootless=false makes missing rights an error, =true for root none" {
	rootless_spec
	config '.process.args = ["true"]'
	u --rootless=false run -b "$B" "$ID"
	[ "$status" != 0 ]
	err_has 'permission denied'
	u_ok --rootless=true run -b "$B" "$ID"
	u_ok --rootless=auto run -b "$B" "$ID"
	u --rootless=maybe run -b "$B" "$ID"
	[ "$status" != 0 ]
	err_has 'rootless'
}

@test "rootless: hooks run, as the caller, and their failure ends it" {
	rootless_spec '.hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", "id -u >'"$T"'/xdg/hook"]}]
		| .hooks.poststop = [{"path": "/bin/sh", "args": ["sh", "-c", "echo stop >>'"$T"'/xdg/hook"]}]'
	uprog 'echo ran'
	u_ok run -b "$B" "$ID"
	is "$(<"$T/xdg/hook")" $'1000\nstop'
	config '.hooks.createRuntime[0].args[2] = "exit 3"'
	u run -b "$B" "$ID"
	[ "$status" = 1 ]
	err_has 'error running createRuntime hook #0'
	nothing_left
}

@test "rootless: another id than 0 inside" {
	rootless_spec '.linux.uidMappings[0].containerID = 5 | .linux.gidMappings[0].containerID = 6
		| .process.user = {"uid": 5, "gid": 6}'
	uprog 'id -u; id -g'
	u_ok run -b "$B" "$ID"
	out_is $'5\n6'
}

@test "rootless: the namespaces of another container are joined" {
	local p
	rootless_spec
	usleeps
	u_ok state "$ID"
	p=$(jq .pid "$T/out")
	config --arg p "/proc/$p/ns" '.linux.namespaces = [{type:"user",path:($p+"/user")},{type:"pid",path:($p+"/pid")},
		{type:"ipc",path:($p+"/ipc")},{type:"uts",path:($p+"/uts")},{type:"mount"}]
		| del(.linux.uidMappings, .linux.gidMappings, .hostname)'
	uprog '[ "$(readlink /proc/1/ns/pid)" = "$(readlink /proc/self/ns/pid)" ] && cat /proc/1/cmdline'
	u_ok run -b "$B" "$ID-2"
	out_has sleep
}

# --- root in a user namespace that somebody else made --------------------------------------

# nested UNSHARE-OPTIONS -- SCRIPT: the script, as root of a namespace of uid 1000 with a range
nested() {
	local opts=()
	while [ "$1" != -- ]; do opts+=("$1") && shift; done
	printf 'user1000:x:1000:1000::/:/bin/sh\n' | cat - /etc/passwd >"$T/passwd"
	printf '%s\n' 1000:200000:65536 user1000:200000:65536 >"$T/subid"
	[ -e /etc/subuid ] && [ -e /etc/subgid ] || skip "no /etc/subuid to mount over"
	cat >"$T/ns.sh" <<-'END'
		mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/subid" /etc/subuid &&
			mount --bind "$1/subid" /etc/subgid || exit 99
		shift
		exec "$@"
	END
	status=0
	timeout -k 2 15 unshare -m --propagation private sh "$T/ns.sh" "$T" \
		setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" BRIG_TEST_MARK="$ID" XDG_RUNTIME_DIR="$T/xdg" \
		unshare "${opts[@]}" sh -c 'brig() { '"$USER_BRIG ${RUNTIME_FLAGS[*]} --root $R"' "$@"; }; '"$2" \
		</dev/null >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	slurp err "$T/err"
}
nested_life() {
	nested "$@" -- "brig run -d -b $B $ID </dev/null >/dev/null && brig exec $ID cat /proc/self/uid_map &&
		brig exec $ID sh -c 'exit 3'; echo \$? && brig kill $ID KILL && sleep 0.2 && brig delete $ID"
	[ "$status" = 0 ] || fail "status $status" "$out" "$err"
	out_has $'\n3$'
}

@test "root in a user namespace: one id, with and without a mount namespace of its own" {
	rootless_spec '.linux.namespaces |= map(select(.type != "user")) + [{"type": "network"}]
		| del(.linux.uidMappings, .linux.gidMappings) | .process.args = ["sleep", "100"]'
	nested_life -Ur
	nested_life -Urm
}

@test "root in a user namespace with a range: the container in it and in one of its own" {
	command -v newuidmap >/dev/null || skip "no newuidmap"
	rootless_spec '.linux.namespaces |= map(select(.type != "user")) + [{"type": "network"}, {"type": "time"}]
		| del(.linux.uidMappings, .linux.gidMappings) | .process.args = ["sleep", "100"]'
	nested_life -U --map-root-user --map-auto
	out_has '0 +1000 +1'
	nested_life -Um --map-root-user --map-auto
	config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 1, "size": 1000}]
		| .linux.gidMappings = .linux.uidMappings'
	chmod 711 "$T" "$B"
	nested_life -Um --map-root-user --map-auto
	out_has '0 +1 +1000'
}

# --- cgroup v2, handed over ----------------------------------------------------------------

@test "rootless on cgroup v2: beside the caller's cgroup where that is the user's own" {
	known_peer_failure crun
	requires root
	cat >"$T/v2.sh" <<-'END'
		mount --make-rprivate / && umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 99
		D=/sys/fs/cgroup/$ID-user
		mkdir "$D" "$D/session" && chown 1000 "$D" "$D"/cgroup.procs "$D/session" "$D/session/cgroup.procs"
		( read -r _ <"$D/session/cgroup.type" && echo 0 >"$D/session/cgroup.procs" && "$@" )
		code=$?
		rmdir "$D/session" "$D" || exit 98
		exit $code
	END
	rootless_spec '.linux.namespaces |= unique + [{"type": "cgroup"}] | .linux.namespaces |= unique
		| .process.args = ["sleep", "100"]'
	cat >"$T/steps.sh" <<-'END'
		brig() { "$BRIG" $FLAGS --root "$R" "$@"; }
		set -e
		brig run -d -b "$B" "$ID" >/dev/null
		D=/sys/fs/cgroup/$ID-user/$ID
		[ "$(cat "$D/cgroup.procs")" = "$(brig state "$ID" | jq .pid)" ]
		brig exec "$ID" sh -c 'tail -n 1 /proc/self/cgroup; ls /sys/fs/cgroup/cgroup.procs'
		brig pause "$ID"
		brig state "$ID" | jq -r .status
		brig resume "$ID"
		brig ps -f json "$ID"
		brig delete --force "$ID"
		[ ! -d "$D" ]
	END
	status=0
	BRIG=$USER_BRIG FLAGS="${RUNTIME_FLAGS[*]}" R=$R B=$B ID=$ID timeout 15 unshare -m sh "$T/v2.sh" setpriv --reuid 1000 --regid 1000 \
		--clear-groups --inh-caps=-all sh "$T/steps.sh" </dev/null >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	slurp err "$T/err"
	[ "$status" = 0 ] || fail "status $status" "$out" "$err"
	out_has $'0::/\n/sys/fs/cgroup/cgroup.procs\npaused\n\\[[0-9]+\\]'
}
