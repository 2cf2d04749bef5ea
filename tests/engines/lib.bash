# shellcheck shell=bash
# What the engine tests share: an image made without a registry, a private machine to start an engine
# in, and small helpers. The checks themselves are in checks.bash.
#
#   BRIG       the runtime under test (default: build/bin/brig of this repository)
#   BRIG_FLAGS  options before the engine's own (default: --level custom when BRIG is a brig)
#
# A "private machine" is one process with its own mount, network, pid and cgroup namespace. Engines,
# their shims and their containers live below it, so killing that one process ends all of them, and
# neither links, firewall rules nor mounts can reach the machine the suite runs on. Its cgroups are
# one child in each hierarchy, removed with what is in it.

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Also read by the machine's first process, which is no test.
! declare -F bats_require_minimum_version >/dev/null || bats_require_minimum_version 1.5.0
IMAGE=localhost/bb:latest
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

# --- what is under test ---------------------------------------------------------------------------

runtime_path()
{
	local path=${BRIG:-$REPO/build/bin/brig}

	command -v "$path"
}

# The engines know the runtime by the name "brig"; what it does there is decided by this script.
write_wrapper()
{
	local path args=${BRIG_FLAGS-}

	path=$(runtime_path)
	case ${path##*/} in
	brig*) args=${BRIG_FLAGS---level custom} ;;
	esac
	printf '#!/bin/sh\nexec %s %s "$@"\n' "$path" "$args" >"$1"
	chmod 755 "$1"
}

# missing PROGRAM...: the reason why a file cannot run here, or nothing.
missing()
{
	local program

	[ "$(id -u)" -eq 0 ] || { echo "needs root"; return; }
	runtime_path >/dev/null || { echo "no runtime at ${BRIG:-build/bin/brig}"; return; }
	for program in umoci skopeo nsenter unshare jq "$@"; do
		command -v "$program" >/dev/null || { echo "$program is not installed"; return; }
	done
	[ -x /usr/bin/busybox ] || [ -x /bin/busybox ] || echo "busybox is not installed"
}

# --- the image ------------------------------------------------------------------------------------

image_rootfs()
{
	local root=$1 applet busybox

	busybox=$(command -v busybox)
	mkdir -p "$root"/{bin,dev,etc,home/worker,proc,root,sys,tmp,var}
	chmod 1777 "$root/tmp"
	cp "$busybox" "$root/bin/busybox"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000:worker:/home/worker:/bin/sh\n' \
		>"$root/etc/passwd"
	printf 'root:x:0:\nworker:x:1000:\nextra:x:2000:worker\n' >"$root/etc/group"
	echo data >"$root/etc/not-executable"
	mkdir "$root/var/seeded"
	echo seed >"$root/var/seeded/file"
	chown -R 1000:1000 "$root/home/worker"
}

# Prints the path of a docker-archive of IMAGE, made once and kept in build/.
image_archive()
{
	local dir=$REPO/build/engines archive work

	archive=$dir/image-2.tar
	if [ ! -e "$archive" ]; then
		mkdir -p "$dir"
		work=$(mktemp -d "$dir/image.XXXXXX")
		image_rootfs "$work/root"
		(
			cd "$work" || exit 1
			umoci init --layout lay
			umoci new --image lay:latest
			umoci insert --image lay:latest root /
			umoci config --image lay:latest --config.cmd /bin/sh \
				--config.env PATH=/bin:/usr/bin:/sbin:/usr/sbin
			skopeo --insecure-policy copy oci:lay:latest \
				"docker-archive:image.tar:$IMAGE"
		) >&2 || return 1
		mv "$work/image.tar" "$archive"
		rm -rf "$work"
	fi
	echo "$archive"
}

# --- cgroups of the private machine ---------------------------------------------------------------

# Prints "hierarchy-mount current-path" for each hierarchy this process is in.
own_cgroups()
{
	local controllers path mount

	while IFS=: read -r _ controllers path; do
		mount=/sys/fs/cgroup/${controllers#name=}
		if [ -z "$controllers" ]; then
			mount=/sys/fs/cgroup
			[ -e $mount/cgroup.controllers ] || mount=/sys/fs/cgroup/unified
		fi
		[ -e "$mount/cgroup.procs" ] && echo "$mount ${path%/}"
	done </proc/self/cgroup
}

# Moves this shell, and with it all that it starts, into a new child of each of its cgroups.
cgroup_enter()
{
	local mount path dir

	own_cgroups >"$MACHINE_DIR/cgroups"
	while read -r mount path; do
		dir=$mount$path/$MACHINE_NAME
		mkdir "$dir"
		if [ -e "$dir/cpuset.cpus" ] && [ -e "$dir/cgroup.clone_children" ]; then
			cat "$mount$path/cpuset.cpus" >"$dir/cpuset.cpus"
			cat "$mount$path/cpuset.mems" >"$dir/cpuset.mems"
		fi
		echo $$ >"$dir/cgroup.procs"
	done <"$MACHINE_DIR/cgroups"
}

cgroup_leave()
{
	local mount path

	[ -e "$MACHINE_DIR/cgroups" ] || return 0
	while read -r mount path; do
		echo $$ >"$mount$path/cgroup.procs"
		# The last exits of the killed processes may still be under way.
		eventually 5 remove_cgroups "$mount$path/$MACHINE_NAME"
	done <"$MACHINE_DIR/cgroups"
}

remove_cgroups()
{
	[ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
}

# --- the private machine --------------------------------------------------------------------------

# The first process of the machine: mounts what belongs to its namespaces, then reaps and waits.
machine_init()
{
	local dir=$1 pid mount

	# The outer /proc is still mounted: it tells the number others know this process by.
	read -r pid _ </proc/self/stat
	umount -R -l /sys
	mount -t proc proc /proc
	mount -t tmpfs -o mode=755 tmpfs /run
	mkdir -p /run/lock
	mount -t sysfs sysfs /sys
	if grep -q '^/sys/fs/cgroup ' "$dir/cgroups"; then
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		# A cgroup with processes cannot give controllers to its children.
		mkdir /sys/fs/cgroup/init
		xargs -rn1 <"/sys/fs/cgroup/cgroup.procs" |
			while read -r mount; do echo "$mount" >/sys/fs/cgroup/init/cgroup.procs; done
		sed 's/^/+/; s/ / +/g' /sys/fs/cgroup/cgroup.controllers \
			>/sys/fs/cgroup/cgroup.subtree_control
	else
		mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
		while read -r mount _; do
			mkdir "$mount"
			case ${mount##*/} in
			unified) mount -t cgroup2 cgroup2 "$mount" ;;
			systemd) mount -t cgroup -o none,name=systemd cgroup "$mount" ;;
			*) mount -t cgroup -o "${mount##*/}" cgroup "$mount" ;;
			esac
		done <"$dir/cgroups"
	fi
	ip link set lo up
	# conmon writes into /, dockerd into /etc/docker, Podman into /var: nowhere but in the directory
	# for temporary files, or it would be left on the machine the suite runs on.
	mount --rbind "${TMPDIR:-/tmp}" "${TMPDIR:-/tmp}"
	for mount in /etc/cni /etc/docker /var/lib /var/log /var/tmp /root; do
		[ ! -d "$mount" ] || mount -t tmpfs -o mode=755 tmpfs "$mount"
	done
	chmod 1777 /var/tmp
	# Rootless Podman expects it, as systemd would have it.
	mount --make-rshared /
	mount -o remount,bind,ro /
	echo "$pid" >"$dir/pid.new"
	mv "$dir/pid.new" "$dir/pid"
	exec </dev/null >/dev/null 2>&1
	while :; do
		sleep 3600 &
		wait $!
	done
}

# machine_up NAME: starts the machine, sets MACHINE (its pid), MACHINE_DIR, RUNTIME (the wrapper).
machine_up()
{
	export MACHINE MACHINE_DIR MACHINE_NAME RUNTIME

	MACHINE_NAME=brig-engines-$1.$$
	MACHINE_DIR=$(mktemp -d "${TMPDIR:-/tmp}/$MACHINE_NAME.XXXXXX")
	chmod 755 "$MACHINE_DIR"
	mkdir "$MACHINE_DIR/bin"
	RUNTIME=$MACHINE_DIR/bin/brig
	write_wrapper "$RUNTIME"
	cgroup_enter
	# 3 and 4 are bats's own: a daemon that keeps them open would keep bats waiting.
	setpriv --pdeathsig KILL \
		unshare --mount --net --pid --cgroup --fork --kill-child \
		bash -c '. "$0"; set -e; machine_init "$1"' "${BASH_SOURCE[0]}" "$MACHINE_DIR" \
		</dev/null >"$MACHINE_DIR/machine.log" 2>&1 3>&- 4>&- &
	echo $! >"$MACHINE_DIR/unshare.pid"
	eventually 10 test -s "$MACHINE_DIR/pid" || { cat "$MACHINE_DIR/machine.log"; return 1; }
	MACHINE=$(cat "$MACHINE_DIR/pid")
}

machine_down()
{
	[ -n "${MACHINE_DIR:-}" ] || return 0
	if [ -n "${MACHINE:-}" ]; then
		kill -KILL "$MACHINE" 2>/dev/null || true
		eventually 20 ended "$(cat "$MACHINE_DIR/unshare.pid")" || {
			echo "the machine does not end:"
			descendants "$(cat "$MACHINE_DIR/unshare.pid")"
		}
	fi
	cgroup_leave
	rm -rf "$MACHINE_DIR"
}

# inside COMMAND...: runs it in the private machine. What hangs fails, and the next test can run.
# PATIENCE: seconds for what takes long where other tests run, too.
inside()
{
	local start=$SECONDS status=0

	# As a process group: nsenter's child outlives it otherwise, and holds on to a pipe to "run".
	timeout --kill-after 1 "${PATIENCE:-30}" \
		nsenter --target "$MACHINE" --mount --net --pid --cgroup -- "$@" || status=$?
	# 124 and 137 can be the command's own, too.
	case $status in 124 | 137)
		[ $((SECONDS - start)) -lt "${PATIENCE:-30}" ] ||
			echo "killed after ${PATIENCE:-30} seconds: $*" >&2 ;;
	esac
	return $status
}

# spawn LOG COMMAND...: starts a daemon in the private machine; it ends with the machine.
spawn()
{
	local log=$1

	shift
	nsenter --target "$MACHINE" --mount --net --pid --cgroup -- "$@" \
		</dev/null >"$log" 2>&1 3>&- 4>&- &
}

# --- small helpers --------------------------------------------------------------------------------

# eventually SECONDS COMMAND...: repeats it until it succeeds.
eventually()
{
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# all_end SECONDS PID...: waits for commands that the test has in the background, and fails if one of
# them fails or takes longer. A bare "wait" never ends here: bats' time limit (BATS_TEST_TIMEOUT) is a
# child of each test.
all_end()
{
	local end=$((SECONDS + $1)) seconds=$1 pid code failed=

	shift
	for pid; do
		if ! eventually $((end - SECONDS)) ended "$pid"; then
			failed+="$pid has not ended after $seconds seconds: $(descendants "$pid")"$'\n'
			continue
		fi
		code=0
		wait "$pid" || code=$?
		[ $code -eq 0 ] || failed+="$pid ended with status $code"$'\n'
	done
	[ -z "$failed" ] || fail "$failed"
}

ended()
{
	[ ! -d "/proc/$1" ]
}

# --- what hangs -----------------------------------------------------------------------------------

# How long processes have been there, and in which of the kernel's functions they wait.
PS_COLUMNS=pid,ppid,stat,etimes,wchan:22,args

# descendants PID: it and all that it has started, in this machine's numbers
descendants()
{
	local all=("$1") next=("$1")

	while mapfile -t next < <(pgrep -P "$(IFS=,; echo "${next[*]}")"); [ ${#next[@]} -gt 0 ]; do
		all+=("${next[@]}")
	done
	ps -o $PS_COLUMNS --forest -p "$(IFS=,; echo "${all[*]}")" | cut -c -300
}

# What the private machine is at, for who reads of a failure: its processes, where brig's are in the
# kernel, and who waits for a lock of a file.
machine_state()
{
	local PATIENCE=10

	echo "==> processes of the machine <=="
	inside ps -e -o $PS_COLUMNS --forest | cut -c -300
	inside sh -c 'for pid in $(pgrep "^(brig|exe$)"); do
			echo "== $(cat /proc/$pid/comm) $pid:" $(sed "s/.* //; s/+.*//" /proc/$pid/stack | head -n 4)
		done 2>/dev/null
		grep -e "->" /proc/locks; true'
}

# expect STATUS COMMAND...: like run, and says what went wrong.
expect()
{
	local want=$1

	shift
	# Naming the status keeps bats from warning about 127.
	if [ "$want" -eq 127 ]; then run -127 "$@"; else run "$@"; fi
	[ "$status" -eq "$want" ] || fail "$*: exit status $status, expected $want"
}

fail()
{
	echo "$1"
	echo "output: $output"
	return 1
}

# has TEXT: the output contains it; is TEXT: the output is it.
has()
{
	[[ $output == *"$1"* ]] || fail "expected to find: $1"
}

is()
{
	[ "$output" = "$1" ] || fail "expected exactly: $1"
}

# cgroup_dir PID CONTROLLER: the directory that limits the process, as seen in the machine.
cgroup_dir()
{
	local line

	if inside test -e /sys/fs/cgroup/cgroup.controllers; then
		line=$(inside cat "/proc/$1/cgroup" | sed -n 's/^0:://p')
		echo "/sys/fs/cgroup$line"
	else
		line=$(inside cat "/proc/$1/cgroup" | sed -n "s/^[0-9]*:$2://p")
		echo "/sys/fs/cgroup/$2$line"
	fi
}

# cgroup_value PID CONTROLLER V1FILE V2FILE
cgroup_value()
{
	local dir

	dir=$(cgroup_dir "$1" "$2")
	inside sh -c 'cat "$1" 2>/dev/null || cat "$2"' sh "$dir/$3" "$dir/$4"
}

# nothing_left ID: no cgroup, mount, process or state directory of that container is left.
nothing_left()
{
	local id=$1 found

	found=$(inside find /sys/fs/cgroup -type d -name "*$id*"
		inside sh -c 'find /run -maxdepth 3 -name "$1" -path "*/runc/*"; \
			find /run -maxdepth 3 -name "$1" -path "*/brig/*"' sh "$id"
		inside grep -- "$id" /proc/self/mountinfo || true)
	[ -z "$found" ] || { echo "left behind: $found"; return 1; }
}
