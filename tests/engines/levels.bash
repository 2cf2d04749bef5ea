# shellcheck shell=bash
# Checks of the levels standard and high that Podman and Docker share.  Nothing chooses a level but
# what a user of that engine can say: no option gives the default, standard.
#
#	PRE, AT     options before and after "run" that choose the level
#	CUSTOM, HIGH  functions of the bats file that fill them
#	STATE_ROOT  where the engine has brig keep its state

load checks

# For setup_file, before file_up: the wrapper passes the engine's own options and no others.
level_file()
{
	export BRIG_FLAGS=
}

# Also in the engine: a Debian as debootstrap left it.
DEBIAN=localhost/debian:latest

debian_up()
{
	local archive PATIENCE=100

	[ -z "$SKIP_FILE" ] || return 0
	export NO_DEBIAN=
	archive=$(debian_archive) || { NO_DEBIAN="no Debian root file system"; return 0; }
	if [ "$ENGINE" = ctr ]; then
		engine image import "$archive"
	else
		engine load -q -i "$archive"
	fi
}

# Prints the path of a docker-archive of DEBIAN, made once and kept in build/.
debian_archive()
{
	local dir=$REPO/build/engines archive work root

	archive=$dir/debian-1.tar
	if [ ! -e "$archive" ]; then
		root=$("$REPO/tests/lib/rootfs" debian) || return 1
		mkdir -p "$dir"
		work=$(mktemp -d "$dir/debian.XXXXXX")
		(
			cd "$work" || exit 1
			tar --create --file layer.tar --numeric-owner --exclude=./dev/* --directory "$root" .
			jq -n --arg layer "sha256:$(sha256sum <layer.tar | cut -d' ' -f1)" \
				--arg arch "$(dpkg --print-architecture)" '{
				architecture: $arch, os: "linux", config: { Cmd: ["/bin/bash"],
				Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] },
				rootfs: { type: "layers", diff_ids: [$layer] } }' >config.json
			jq -n --arg tag "$DEBIAN" \
				'[{ Config: "config.json", RepoTags: [$tag], Layers: ["layer.tar"] }]' >manifest.json
			tar --create --file image.tar config.json manifest.json layer.tar
		) || return 1
		mv "$work/image.tar" "$archive"
		rm -rf "$work"
	fi
	echo "$archive"
}

level_test_up()
{
	test_up
	PRE=() AT=()
}

once()
{
	engine "${PRE[@]}" run --rm --network none "${AT[@]}" "$@"
}

# up ARGS...: in the background, with the network given; keep: without one
up()
{
	LEFT=1
	expect 0 engine "${PRE[@]}" run -d --name "$C" "${AT[@]}" "$@"
}

keep()
{
	up --network none "$@"
}

brig()
{
	inside "$RUNTIME" --root "$STATE_ROOT" "$@"
}

# explains FIELD OUTCOME: policy explain has a row of it for $C
explains()
{
	brig policy explain --format json "$(field .Id)" |
		jq -e --arg f "$1" --arg o "$2" \
			'[.. | objects | select(.field? == $f and .outcome? == $o)] | length > 0' >/dev/null ||
		fail "no $2 $1: $(brig policy explain "$(field .Id)")"
}

level_is()
{
	expect 0 brig state "$(field .Id)"
	[ "$(jq -r .brig.level <<<"$output")" = "$1" ] || fail "another level"
}

# line NAME: of /proc/PID/status of the container's first process, as the machine sees it
line()
{
	inside grep "^$1:" "/proc/$(init_pid)/status" | cut -f2
}

# --- what is in force -----------------------------------------------------------------------------

check_standard_in_force()
{
	local base

	keep "$IMAGE" sleep 1000
	level_is standard
	[ "$(line Seccomp)" = 2 ]
	[ "$(line NoNewPrivs)" = 1 ]
	# What the engine gives, cut to CHOWN DAC_OVERRIDE FOWNER SETUID SETGID KILL NET_BIND_SERVICE.
	[ "$(line CapBnd)" = 00000000000004eb ]
	[ "$(line CapEff)" = 00000000000004eb ]
	base=$(line Uid)
	[ "$base" -ge 65536 ]
	expect 0 engine exec "$C" cat /proc/self/uid_map /proc/self/gid_map
	[ "$(tr -s ' ' <<<"$output")" = " 0 $base 65536"$'\n'" 0 $base 65536" ] || fail "another map"
	expect 1 engine exec "$C" touch /etc/file
	has "Read-only file system"
	expect 0 engine exec "$C" touch /tmp/x /var/tmp/x /run/x /workspace/x /dev/shm/x
	# The same holds for what exec runs.
	expect 0 engine exec "$C" grep -E '^(Seccomp|NoNewPrivs|CapEff|CapBnd):' /proc/self/status
	has "CapEff:	00000000000004eb"
	has "CapBnd:	00000000000004eb"
	has "NoNewPrivs:	1"
	has "Seccomp:	2"
}

check_high_in_force()
{
	local base

	"$HIGH"
	keep "$IMAGE" sleep 1000
	level_is high
	[ "$(line Seccomp)" = 2 ]
	[ "$(line NoNewPrivs)" = 1 ]
	[ "$(line CapBnd)" = 0000000000000000 ]
	base=$(line Uid)
	expect 0 engine exec "$C" cat /proc/self/uid_map
	[ "$(tr -s ' ' <<<"$output")" = " 0 $base 1" ] || fail "another map"
	expect 0 engine exec "$C" grep -E '^(Seccomp|CapEff|CapBnd):' /proc/self/status
	has "CapEff:	0000000000000000"
	has "CapBnd:	0000000000000000"
	has "Seccomp:	2"
	expect 1 engine exec "$C" touch /etc/file
	has "Read-only file system"
	expect 0 engine exec "$C" touch /tmp/x /var/tmp/x /run/x /workspace/x /dev/shm/x
	expect 0 engine exec "$C" sh -c 'wc -c </proc/kallsyms; ls /sys'
	is $'0\ndevices\nfs'
	inside pgrep -x brig-warden
}

# /proc shows at high what the asking process could trace, and an exec is a domain of its own.
check_exec_at_high()
{
	"$HIGH"
	keep --hostname exec-host -u worker "$IMAGE" sleep 1000
	expect 3 engine exec "$C" sh -c 'hostname; id -u; exit 3'
	is $'exec-host\n1000'
	expect 0 engine exec -i "$C" tr a-z A-Z <<<"some text"
	is "SOME TEXT"
	expect 0 engine exec "$C" ps -o comm
	is $'COMMAND\nps'
	# Whom the plan did not map cannot come later.
	run engine exec -u 1234 "$C" true
	[ "$status" -ne 0 ]
	has "uid 1234 is not mapped"
}

check_ranges_differ()
{
	local base

	keep "$IMAGE" sleep 1000
	base=$(line Uid)
	expect 0 once "$IMAGE" cat /proc/self/uid_map
	[[ $output != *" $base "* ]] || fail "the range of another container"
}

# --- programs -------------------------------------------------------------------------------------

check_debian_script()
{
	local user

	[ -z "$NO_DEBIAN" ] || skip "$NO_DEBIAN"
	cat >"$BATS_TEST_TMPDIR/job.sh" <<-'END'
		set -eu
		. /etc/os-release && echo "$ID"
		cd "$(mktemp -d)"
		seq 3 >numbers
		sort -rn numbers | paste -sd,
		printf '#include <stdio.h>\nint main(void) { puts("compiled"); }\n' >x.c
		gcc x.c -o x && ./x
		python3 -c 'import subprocess; print(subprocess.check_output(["id", "-un"]).decode().strip())'
		dpkg -l | grep -c '^ii' >packages && [ "$(cat packages)" -gt 50 ]
		apt-get --version | grep -o '^apt [0-9]'
	END
	chmod 755 "$BATS_TEST_TMPDIR"
	for user in root www-data; do
		expect 0 once -u "$user" -v "$BATS_TEST_TMPDIR/job.sh:/job.sh:ro" "$DEBIAN" bash /job.sh
		is "debian
3,2,1
compiled
$user
apt 2"
	done
}

# /dev/stdout is a pipe of the engine's.
check_stdout_of_other_user()
{
	keep -u worker "$IMAGE" sh -c 'echo out >/dev/stdout; echo err >/dev/stderr; id -u'
	waits_until_stopped
	expect 0 engine logs "$C"
	has out
	has err
	has 1000
}

check_user_above_range()
{
	expect 0 once -u 100000:200000 "$IMAGE" sh -c 'id -u; id -g; touch /tmp/x; stat -c %u:%g /tmp/x'
	is $'100000\n200000\n100000:200000'
}

check_restart_from_volume()
{
	mkdir "$BATS_TEST_TMPDIR/volume"
	keep -v "$BATS_TEST_TMPDIR/volume:/data" "$IMAGE" sh -c 'echo x >>/data/starts; exec sleep 1000'
	expect 0 engine stop -t 0 "$C"
	expect 0 engine start "$C"
	expect 0 engine restart -t 0 "$C"
	eventually 5 starts_are 3 "$BATS_TEST_TMPDIR/volume/starts"
}

starts_are()
{
	[ "$(wc -l <"$2")" = "$1" ]
}

# --- files ----------------------------------------------------------------------------------------

check_volume_owners()
{
	local dir=$BATS_TEST_TMPDIR/volume

	mkdir -p "$dir/worker"
	echo secret >"$dir/roots"
	chmod 600 "$dir/roots"
	chown 1000:1000 "$dir/worker"
	expect 0 once -v "$dir:/data" "$IMAGE" sh -c 'cat /data/roots; stat -c %u /data/roots
		echo made >/data/made; mkdir /data/dir; stat -c %u:%g /data/made'
	is $'secret\n0\n0:0'
	[ "$(stat -c %u:%g "$dir/made" "$dir/dir")" = $'0:0\n0:0' ]
	expect 0 once -u worker -v "$dir:/data" "$IMAGE" sh -c 'echo mine >/data/worker/file
		stat -c %u /data/worker/file; cat /data/roots 2>&1 || true'
	has 1000
	has "Permission denied"
	[ "$(stat -c %u:%g "$dir/worker/file")" = 1000:1000 ]
	expect 1 once -v "$dir:/data:ro" "$IMAGE" sh -c 'cat /data/made; touch /data/other'
	has made
	has "Read-only file system"
}

# A set-user-ID program or a device in a volume is nothing but a file.
check_volume_nosuid_nodev()
{
	mkdir "$BATS_TEST_TMPDIR/volume"
	mknod "$BATS_TEST_TMPDIR/volume/zero" c 1 5
	chmod 666 "$BATS_TEST_TMPDIR/volume/zero"
	expect 1 once -v "$BATS_TEST_TMPDIR/volume:/data" "$IMAGE" \
		sh -c 'grep " /data " /proc/mounts; head -c 1 /data/zero'
	has nosuid
	has nodev
	has "Permission denied"
}

check_engine_files()
{
	expect 0 engine run --rm "${AT[@]}" --hostname my-host "$IMAGE" sh -c '
		echo "$(hostname) $(cat /etc/hostname)"
		grep -q my-host /etc/hosts && grep -q nameserver /etc/resolv.conf && echo found
		stat -c %u /etc/hosts /etc/hostname /etc/resolv.conf
		echo "# line" >>/etc/hosts && tail -n 1 /etc/hosts; echo x >/dev/shm/x && stat -c %a /dev/shm'
	is $'my-host my-host\nfound\n0\n0\n0\n# line\n1777'
}

check_missing_workdir()
{
	expect 0 once -w /not/yet/there "$IMAGE" pwd
	is /not/yet/there
}

check_copy_out()
{
	keep "$IMAGE" sleep 1000
	expect 0 engine cp "$C:/etc/not-executable" "$BATS_TEST_TMPDIR/out"
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = data ]
}

# --- what is cut ----------------------------------------------------------------------------------

check_cut_capabilities()
{
	keep --cap-add SYS_ADMIN --cap-add NET_ADMIN "$IMAGE" sleep 1000
	[ "$(line CapEff)" = 00000000000004eb ]
	explains process.capabilities cut
	explains root.readonly cut
}

check_cut_limits()
{
	local hard=$(($(cat /proc/sys/fs/nr_open) * 2))

	keep --ulimit "nofile=$hard:$hard" "$IMAGE" sleep 1000
	explains process.rlimits.RLIMIT_NOFILE cut
	expect 0 engine exec "$C" true
	expect 0 once --ulimit nofile=100:200 "$IMAGE" sh -c 'ulimit -Sn; ulimit -Hn'
	is $'100\n200'
}

check_cut_sysctls()
{
	keep --sysctl net.ipv4.ip_unprivileged_port_start=80 --sysctl kernel.msgmax=4096 \
		"$IMAGE" sleep 1000
	explains linux.sysctl.kernel.msgmax cut
	expect 0 engine exec "$C" cat /proc/sys/net/ipv4/ip_unprivileged_port_start
	is 80
	expect 0 engine exec "$C" cat /proc/sys/kernel/msgmax
	[ "$output" != 4096 ]
}

# The engine's profile can only add to the level's filter; without it the level's is still there.
check_seccomp_of_both()
{
	expect 159 once --security-opt seccomp=unconfined "$IMAGE" swapoff /dev/null
	check_own_seccomp_profile "No space left"
}

# --- what is refused ------------------------------------------------------------------------------

# refused REASON ARGS...: run fails with one line that names the level, and leaves nothing
refused()
{
	local reason=$1

	shift
	run engine "${PRE[@]}" run --rm --name "$C" "${AT[@]}" "$@"
	[ "$status" -ne 0 ] || fail "run $* works"
	[ "$(grep -c 'is refused: ' <<<"$output")" = 1 ] || fail "not one line"
	has "level ${LEVEL:-standard}: "
	has "$reason"
	engine rm -f "$C" >/dev/null 2>&1 || true
	expect 0 brig list -q
	is ""
}

check_refusals()
{
	local dir=$BATS_TEST_TMPDIR n="--network none"

	refused "a device of the host beyond the default ones" $n --privileged "$IMAGE" true
	refused "a device of the host" $n --device /dev/fuse "$IMAGE" true
	refused "linux.namespaces.pid" $n --pid host "$IMAGE" true
	refused "linux.namespaces.network" --network host "$IMAGE" true
	refused "source /dev/shm" $n --ipc host "$IMAGE" true
	refused "the root of the host" $n -v /:/host "$IMAGE" true
	refused "processes and switches of the host" $n -v /proc:/host/proc "$IMAGE" true
	refused "switches of the host" $n -v /sys/fs/cgroup:/cg "$IMAGE" true
	refused "devices of the host" $n -v /dev:/host/dev "$IMAGE" true
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$dir/docker.sock"
	refused "a socket" $n -v "$dir/docker.sock:/var/run/docker.sock" "$IMAGE" true
	refused "brig's id pool" $n -v /run/brig-ids:/ids "$IMAGE" true
}

# --- network --------------------------------------------------------------------------------------

# reaches ADDRESS PORT: from the container; answers ADDRESS: from the machine
reaches()
{
	engine exec -i "$C" nc -w 3 "$1" "$2" <<<"$GET" 2>/dev/null | grep -q data
}

answers()
{
	inside timeout 3 busybox nc -w 3 "$1" 80 <<<"$GET" | grep -q data
}

# The container's address on the engine's bridge and the bridge's own.
bridge_address() { field .NetworkSettings.IPAddress; }
bridge_gateway() { field .NetworkSettings.Gateway; }

# With a bridge: its devices are there, nothing gets out or in, the loopback and low ports work.
check_bridge_is_closed()
{
	local address gateway

	echo data >"$BATS_TEST_TMPDIR/not-executable"
	spawn "$BATS_TEST_TMPDIR/log" busybox httpd -f -p 7777 -h "$BATS_TEST_TMPDIR"
	"$CUSTOM"
	up "$IMAGE" httpd -f -p 80 -h /etc
	gateway=$(bridge_gateway)
	eventually 5 reaches "$gateway" 7777 || fail "the machine is not reached at custom"
	address=$(bridge_address)
	eventually 5 answers "$address" || fail "the container is not reached at custom"
	expect 0 engine rm -f "$C"
	PRE=() AT=()
	up "$IMAGE" httpd -f -p 80 -h /etc
	eventually 5 reaches 127.0.0.1 80 || fail "the loopback does not work"
	expect 0 engine exec "$C" cat /proc/net/dev
	has eth0
	run ! reaches "$gateway" 7777
	address=$(bridge_address)
	run ! answers "$address"
}

# --- ends -----------------------------------------------------------------------------------------

check_violation_at_standard()
{
	expect 0 once "$IMAGE" sh -c 'swapoff /dev/null; echo "then $?"'
	has "then 159"
}

check_violation_at_high()
{
	"$HIGH"
	expect 137 once "$IMAGE" sh -c 'swapoff /dev/null; echo "then $?"'
	[[ $output != *then* ]] || fail "the sandbox went on"
}

check_warden_killed()
{
	local id

	"$HIGH"
	keep "$IMAGE" sleep 1000
	id=$(field .Id)
	expect 0 inside pgrep -x brig-warden
	[ "${#lines[@]}" = 1 ]
	inside kill -KILL "${lines[0]}"
	waits_until_stopped
	field_is .State.ExitCode 137
	expect 0 engine rm -f "$C"
	LEFT=
	eventually 5 nothing_left "$id"
}

# What brig has left in the machine, whose containers are all gone.
no_trace()
{
	local name

	for name in conmon containerd-shim brig-warden brig; do
		eventually 5 no_process_named "$name" || echo "process $name"
	done
	brig list -q
	# Every range is free again, and no CPU is claimed.
	inside sh -c 'for f in /run/brig-ids/[0-9]*; do grep -q "^free" "$f" || cat "$f"; done
		find /run/brig-cpus -type f ! -name lock 2>/dev/null; find "$1" -mindepth 1 2>/dev/null' \
		sh "$STATE_ROOT"
	# Nothing is mounted in a place of brig's, and no cgroup of a container is left.
	inside grep -E 'brig\.|/run/brig' /proc/self/mountinfo || true
	inside find /sys/fs/cgroup -mindepth 2 -type d \( -path '*/libpod*/libpod-*' -o -path '*/docker/*' \
		-o -path '*/default/*' \) ! -name '*conmon*'
}

# The last test of a file.
check_no_trace()
{
	local left

	expect 0 engine ps -aq
	is ""
	left=$(no_trace)
	[ -z "$left" ] || fail "$left"
}
