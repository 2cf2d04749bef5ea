#!/usr/bin/env bats
load helpers

# Most of these need a CRIU that works on this kernel (Debian 12's 3.17 does up to 6.12: they run
# in the machine of tests/vm); where it does not, that brig says so and changes nothing is tested.

setup_file() {
	CRIU_WHY=
	if ! command -v criu >/dev/null; then
		CRIU_WHY="no program criu"
	else
		CRIU_WHY=$(criu check 2>&1 >/dev/null | head -n 1) || :
		[ -z "$CRIU_WHY" ] || CRIU_WHY="criu check fails: $CRIU_WHY"
	fi
	export CRIU_WHY
}

requires_criu() {
	known_peer_failure crun # has it as a build option
	requires root
	[ -z "$CRIU_WHY" ] || skip "$CRIU_WHY"
	LIMIT=${LIMIT:-60}
}

# A container that counts in /tmp/count, and in memory.
counts() {
	prog 'i=0; while :; do i=$((i+1)); echo $i >/tmp/count; sleep 0.1; done' "$@"
	ok run -d -b "$B" "$ID"
	appears "$B/rootfs/tmp/count"
}
count() {
	local n
	for ((n = 0; n < 100; n++)); do
		slurp COUNT "$B/rootfs/tmp/count"
		[ -z "$COUNT" ] || return 0
		sleep 0.02
	done
	fail "no count"
}
# goes_on FROM: the count gets above FROM, not from the start again
goes_on() {
	local n
	for ((n = 0; n < 100; n++)); do
		count
		[ "$COUNT" -ge "$1" ] || fail "starts again: $COUNT after $1"
		[ "$COUNT" = "$1" ] || return 0
		sleep 0.1
	done
	fail "stands at $COUNT"
}

saves() {
	ok checkpoint --image-path "$T/images" "$@" "$ID"
}
restores() {
	ok restore -d -b "$B" --image-path "$T/images" "$@" "$ID"
}

is_deleted() {
	no state "$ID"
	err_has 'does not exist'
}

# --- wherever CRIU does not work ---------------------------------------------------------

@test "checkpoint without a working criu: one line, the container runs on, nothing is left" {
	known_peer_failure runc crun
	sleeps
	init_pid
	BR[0]=$(command -v "$BRIG")
	# Where CRIU works, this is what it is like without it.
	[ -n "$CRIU_WHY" ] || BR=(/usr/bin/env PATH=/nowhere "${BR[@]}")
	no checkpoint --image-path "$T/images" --work-path "$T/logs" "$ID"
	[ -n "$CRIU_WHY" ] || BR=("${BR[@]:2}")
	is "$status" 1
	err_has 'checkpoint: (criu [0-9.]+ cannot work on this kernel: .|there is no program criu)'
	[ ! -e "$T/images" ] && [ ! -e "$T/logs" ]
	is "$(field .pid)" "$PID"
	status_is running
}

@test "restore without a working criu: one line, nothing is left" {
	known_peer_failure runc crun
	[ -n "$CRIU_WHY" ] || skip "criu works here"
	refused 'restore: (criu .* cannot work on this kernel|there is no program criu)' \
		restore -b "$B" --image-path "$T/images" "$ID"
	[ ! -e "$T/images" ]
}

@test "restore with grants is refused: it would be without their rules" {
	known_peer_failure runc crun
	jq '.annotations."dev.brig.egress" = "[{\"cidr\":\"203.0.113.20/32\"}]"' "$B/config.json" >"$T/c" && mv "$T/c" "$B/config.json"
	mkdir "$T/images"
	refused 'egress rules: a restored container would not have them' restore -d -b "$B" --image-path "$T/images" "$ID"
}

@test "checkpoint of no container, a created and a stopped one fails" {
	no checkpoint nobody
	err_has 'does not exist'
	creates
	no checkpoint --image-path "$T/images" "$ID"
	err_has 'cannot be checkpointed in created state'
	status_is created
	ok start "$ID"
	becomes stopped
	no checkpoint --image-path "$T/images" "$ID"
	err_has 'cannot be checkpointed in stopped state'
	[ ! -e "$T/images" ]
}

@test "checkpoint refuses bad options before it does anything" {
	known_peer_failure runc crun
	sleeps
	for option in --manage-cgroups-mode=loose --empty-ns=user --page-server=nowhere \
		--page-server=1:2:3 --page-server=a:0 --parent-path=/abs --status-fd=77; do
		word=${option#--}
		no checkpoint --image-path "$T/images" "$option" "$ID"
		err_has "${word%%=*}"
	done
	[ ! -e "$T/images" ]
	status_is running
}

# --- wherever it works -------------------------------------------------------------------

@test "checkpoint deletes the container, restore lets it go on where it was" {
	requires_criu
	counts
	saves --work-path "$T/logs"
	is_deleted
	[ -s "$T/logs/dump.log" ]
	count
	before=$COUNT
	restores --work-path "$T/logs" --pid-file "$T/pid"
	[ -s "$T/logs/restore.log" ]
	goes_on "$before"
	status_is running
	init_pid
	is "$(<"$T/pid")" "$PID"
	# It is a container like any other.
	ok exec "$ID" sh -c 'ip addr show lo; cat /proc/1/cgroup'
	out_has '127\.0\.0\.1'
	out_has "$ID"
	ok pause "$ID"
	status_is paused
	ok resume "$ID"
	# and can be saved again
	saves --work-path "$T/logs"
	is_deleted
	restores --work-path "$T/logs"
	goes_on "$before"
}

@test "checkpoint --leave-running keeps it, its images start another one" {
	requires_criu
	counts
	init_pid
	saves --leave-running
	count
	status_is running
	is "$(field .pid)" "$PID"
	goes_on "$COUNT"
	ok delete --force "$ID"
	restores
	goes_on 1
}

@test "checkpoint of a paused container works" {
	requires_criu
	counts
	ok pause "$ID"
	saves
	is_deleted
	restores
	goes_on 1
}

@test "checkpoint --pre-dump keeps it, the images after it need only the changes" {
	requires_criu
	if ! criu check --feature mem_dirty_track >/dev/null 2>&1; then skip "no memory tracking"; fi
	counts
	ok checkpoint --pre-dump --image-path "$T/before" "$ID"
	status_is running
	saves --parent-path ../before
	[ -L "$T/images/parent" ]
	is_deleted
	count
	restores
	goes_on "$COUNT"
	no checkpoint --image-path "$T/more" --parent-path ../nowhere "$ID"
	err_has 'invalid --parent-path'
	[ ! -e "$T/more" ]
}

@test "restore into pipes: what is written after it arrives at their other end" {
	requires_criu
	prog 'echo ready >/tmp/count; while read line; do echo "pong $line"; done; exit 7'
	# Pipes without a name, open for both: neither end ever sees the end of file.
	exec {in}<> <(:) {res}<> <(:)
	"${BR[@]}" run -d -b "$B" "$ID" <&$in >&$res 2>&1 3>&-
	appears "$B/rootfs/tmp/count"
	saves
	grep -q 'pipe:\[' "$T/images/descriptors.json"
	exec {in}>&- {res}>&- {new}<> <(:) {newres}<> <(:)
	"${BR[@]}" restore -d -b "$B" --image-path "$T/images" "$ID" <&$new >&$newres 2>&1 3>&-
	echo ping >&$new
	IFS= read -r -t 20 line <&$newres
	is "$line" "pong ping"
}

@test "restore in the foreground returns the exit code and deletes the container" {
	requires_criu
	prog 'echo ready >/tmp/count; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo bye; exit 23'
	ok run -d -b "$B" "$ID"
	appears "$B/rootfs/tmp/count"
	saves
	: >"$B/rootfs/tmp/go"
	b restore -b "$B" --image-path "$T/images" "$ID"
	is "$status" 23
	out_is bye
	is_deleted
}

@test "restore hands the terminal to the console socket" {
	requires_criu
	prog 'echo ready >/tmp/count; read line; echo "got $line" >/tmp/line; sleep 100' '.process.terminal = true'
	receiver tty
	ok run -d -b "$B" --console-socket "$T/tty.sock" "$ID"
	appears "$B/rootfs/tmp/count"
	saves
	kill "$RECEIVER" 2>/dev/null || :
	rm -f "$T/tty.sock"
	echo hello >"$T/in"
	receiver tty "$T/in"
	restores --console-socket "$T/tty.sock"
	appears "$B/rootfs/tmp/line"
	is "$(<"$B/rootfs/tmp/line")" "got hello"
}

@test "restore in the foreground of a terminal relays it" {
	requires_criu
	prog 'echo ready >/tmp/count; read line; echo "got $line"; exit 3' '.process.terminal = true'
	receiver tty
	ok run -d -b "$B" --console-socket "$T/tty.sock" "$ID"
	appears "$B/rootfs/tmp/count"
	saves
	status=0
	(sleep 5; echo hello; sleep 10) | timeout 60 script -qec \
		"${BR[*]} restore -b $B --image-path $T/images $ID" /dev/null >"$T/out" 2>&1 3>&- || status=$?
	slurp out "$T/out"
	is "$status" 3
	out_has 'got hello'
	is_deleted
}

@test "the default config comes back: filter, capabilities, limits, read-only root" {
	requires_criu
	requires v2
	(cd "$B" && rm config.json && "${BR[@]}" spec)
	config '.process.terminal = false
		| .mounts += [{"destination":"/tmp","type":"tmpfs","source":"tmpfs"}]
		| .process.env += ["BRIG_TEST_MARK='"$ID"'"]
		| .linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":
			[{"names":["swapon"],"action":"SCMP_ACT_ERRNO"}]}
		| .linux.resources.memory = {"limit": 67108864}'
	prog 'cat /proc/self/status >/tmp/before; sleep 1000'
	ok run -d -b "$B" "$ID"
	init_pid
	sleep 1
	before=$(grep -E '^(Cap|Seccomp:|NoNewPrivs|Uid|Gid)' "/proc/$PID/status"; grep files "/proc/$PID/limits")
	saves
	restores
	init_pid
	after=$(grep -E '^(Cap|Seccomp:|NoNewPrivs|Uid|Gid)' "/proc/$PID/status"; grep files "/proc/$PID/limits")
	is "$after" "$before"
	[[ $after =~ Seccomp:[[:space:]]*2 ]]
	is "$(cat /sys/fs/cgroup/"$ID"/memory.max)" 67108864
	# a program that is added gets the filter too
	ok exec "$ID" sh -c 'grep Seccomp: /proc/self/status; (>/x) 2>&1; cat /tmp/before | head -n 1'
	out_has 'Seccomp:[[:space:]]*2'
	out_has 'Read-only file system'
	out_has 'Name:'
}

@test "a container that was given a notify socket comes back without a listener" {
	requires_criu
	receiver notify
	export NOTIFY_SOCKET=$T/notify.sock
	prog 'echo ready >/tmp/count; sleep 1000'
	creates
	"${BR[@]}" start "$ID" >"$T/start.out" 2>&1 3>&- &
	PIDS+=($!)
	appears "$B/rootfs/tmp/count"
	saves
	restores
	status_is running
}

@test "bind mounts, masked and read-only paths, limits and hooks come back" {
	requires_criu
	mkdir "$T/volume" "$T/state-of-hook"
	echo file >"$T/one"
	counts '
		.mounts += [
		 {"destination":"/mnt/v","type":"bind","source":"'"$T"'/volume","options":["rbind","rw"]},
		 {"destination":"/etc/one","type":"bind","source":"'"$T"'/one","options":["bind","ro"]},
		 {"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]},
		 {"destination":"/dev/shm","type":"tmpfs","source":"shm"},
		 {"destination":"/dev/mqueue","type":"mqueue","source":"mqueue"}]
		| .linux.maskedPaths = ["/proc/kcore","/proc/keys","/proc/acpi","/sys/firmware"]
		| .linux.readonlyPaths = ["/proc/sys","/proc/bus"]
		| .linux.resources.pids.limit = 77
		| .hooks.createRuntime = [{"path":"/bin/sh","args":["sh","-c","cat >>'"$T"'/hook"]}]'
	ok exec "$ID" sh -c 'echo kept >/dev/shm/x'
	rm -f "$T/hook"
	saves
	is_deleted
	restores
	goes_on 1
	[ -s "$T/hook" ]
	ok exec "$ID" sh -c 'cat /dev/shm/x /etc/one; echo new >/mnt/v/new; wc -c </proc/keys
		(echo x >/proc/sys/kernel/domainname) 2>&1; (echo x >/etc/one) 2>&1; ls /sys/firmware'
	out_is "$(printf '%s\n' kept file 0 \
		"sh: can't create /proc/sys/kernel/domainname: Read-only file system" \
		"sh: can't create /etc/one: Read-only file system")"
	is "$(<"$T/volume/new")" new
	is "$(cat /sys/fs/cgroup/"$ID"/pids.max)" 77
}

@test "a container with a cgroup namespace and its mount comes back" {
	requires_criu
	requires v2
	counts '.linux.namespaces += [{"type":"cgroup"}]
		| .mounts += [{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["ro"]}]'
	saves
	count
	restores
	goes_on "$COUNT"
	ok exec "$ID" cat /proc/1/cgroup
	out_has ':/$'
}

@test "a joined network namespace is joined again" {
	requires_criu
	requires tool:unshare
	: >"$T/net"
	unshare --net="$T/net" true
	MOUNTED+=("$T/net")
	counts '(.linux.namespaces[] | select(.type == "network")).path = "'"$T/net"'"'
	saves
	count
	restores
	goes_on "$COUNT"
	init_pid
	is "$(stat -Lc %i "/proc/$PID/ns/net")" "$(stat -Lc %i "$T/net")"
}

@test "a connection to oneself survives with --tcp-established" {
	requires_criu
	prog 'sleep 1000 | nc -l -p 5555 >/tmp/got & sleep 1
		(echo one; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo two; sleep 1) | nc 127.0.0.1 5555 &
		sleep 1000'
	ok run -d -b "$B" "$ID"
	appears "$B/rootfs/tmp/got"
	no checkpoint --image-path "$T/images" "$ID"
	err_has 'criu: .*log: '
	status_is running
	saves --tcp-established
	restores --tcp-established
	: >"$B/rootfs/tmp/go"
	wait_for 30 grep -q two "$B/rootfs/tmp/got"
	is "$(<"$B/rootfs/tmp/got")" $'one\ntwo'
}

@test "restore without images, or with spoilt ones, leaves nothing" {
	requires_criu
	refused 'image directory .*no such file' restore -d -b "$B" --image-path "$T/nowhere" "$ID"
	mkdir "$T/images"
	refused 'descriptors.json' restore -d -b "$B" --image-path "$T/images" "$ID"
	counts
	saves
	printf 'spoilt' >"$T/images/pstree.img"
	refused 'criu: .*restore.log' restore -d -b "$B" --image-path "$T/images" "$ID"
	is_deleted
	echo '["a",1]' >"$T/images/descriptors.json"
	refused 'descriptors.json' restore -d -b "$B" --image-path "$T/images" "$ID"
}

@test "restore with an id in use fails and leaves that container alone" {
	requires_criu
	counts
	saves --leave-running
	init_pid
	no restore -d -b "$B" --image-path "$T/images" "$ID"
	err_has 'already exists'
	is "$(field .pid)" "$PID"
	status_is running
}

@test "a hook that fails ends the restore and nothing is left" {
	requires_criu
	counts
	saves
	config '.hooks.createRuntime = [{"path":"/bin/false"}]'
	refused 'createRuntime hook' restore -d -b "$B" --image-path "$T/images" "$ID"
	is_deleted
}

@test "a container with a user namespace comes back" {
	requires_criu
	userns
	chown -R 100000:100000 "$B/rootfs/tmp"
	# Files of the host are opened anew, by the container's user.
	: >"$T/out" && : >"$T/err"
	chmod 666 "$T/out" "$T/err"
	counts
	saves
	count
	restores
	goes_on "$COUNT"
	init_pid
	[[ $(<"/proc/$PID/uid_map") =~ 100000 ]]
}

@test "lazy pages: the container runs elsewhere while its memory is fetched" {
	requires_criu
	if ! criu check --feature uffd-noncoop >/dev/null 2>&1; then skip "no lazy pages"; fi
	counts
	mkfifo "$T/ready"
	exec {ready}<>"$T/ready"
	"${BR[@]}" checkpoint --lazy-pages --page-server 127.0.0.1:27277 --status-fd "$ready" \
		--image-path "$T/images" "$ID" >"$T/dump.out" 2>&1 </dev/null 3>&- &
	PIDS+=($!)
	IFS= read -r -d '' -t 40 <&"$ready"
	criu lazy-pages --page-server --address 127.0.0.1 --port 27277 -D "$T/images" -W "$T" \
		>"$T/lazy.out" 2>&1 </dev/null 3>&- &
	PIDS+=($!)
	count
	wait_for 20 test -S "$T/lazy-pages.socket"
	ok restore -d --lazy-pages -b "$B" --image-path "$T/images" --work-path "$T" "$ID-2"
	goes_on "$COUNT"
	ok delete --force "$ID-2"
}
