# shellcheck shell=bash
# More checks that Podman and Docker share, for checks.bash: what a command finds in its container,
# how it is confined and limited, and the network.

# --- what the command finds -----------------------------------------------------------------------

check_environment()
{
	expect 0 once -e WORD="two words" --hostname some-host "$IMAGE" env
	has "WORD=two words"
	has PATH=/bin:/usr/bin:/sbin:/usr/sbin
	has HOSTNAME=some-host
	has HOME=/root
}

check_workdir()
{
	expect 0 once -w /home/worker "$IMAGE" pwd
	is /home/worker
}

check_user()
{
	expect 0 once -u worker "$IMAGE" id
	has "uid=1000(worker) gid=1000(worker)"
	has "2000(extra)"
	expect 0 once -u 1234:4321 "$IMAGE" sh -c 'id -u; id -g'
	is $'1234\n4321'
	expect 0 once --group-add 777 "$IMAGE" grep Groups: /proc/self/status
	has 777
	expect 0 once -u worker "$IMAGE" grep CapEff /proc/self/status
	has 0000000000000000
}

check_hostname()
{
	expect 0 once --hostname my-host "$IMAGE" sh -c 'hostname; cat /etc/hostname'
	is $'my-host\nmy-host'
}

check_volumes()
{
	local dir=$BATS_TEST_TMPDIR/volume

	mkdir "$dir"
	echo given >"$dir/in"
	expect 0 once -v "$dir:/data" "$IMAGE" sh -c 'cat /data/in; echo made >/data/out'
	is given
	[ "$(cat "$dir/out")" = made ]
	expect 1 once -v "$dir:/data:ro" "$IMAGE" touch /data/other
	has "Read-only file system"
	expect 0 once -v "$dir/in:/not/there/file:ro" "$IMAGE" cat /not/there/file
	is given
}

check_named_volume()
{
	expect 0 once -v "vol-$C:/var/seeded" "$IMAGE" sh -c 'cat /var/seeded/file; echo 2 >/var/seeded/two'
	is seed
	expect 0 once -v "vol-$C:/var/seeded" "$IMAGE" cat /var/seeded/two
	is 2
	expect 0 engine volume rm "vol-$C"
}

check_tmpfs()
{
	expect 0 once --tmpfs /scratch:size=1m,mode=1777 "$IMAGE" \
		sh -c 'echo x >/scratch/x; grep " /scratch " /proc/mounts; stat -c %a /scratch'
	has tmpfs
	has size=1024k
	has 1777
	expect 1 once --tmpfs /scratch:size=1m "$IMAGE" dd if=/dev/zero of=/scratch/x bs=1M count=2
	has "No space left"
}

check_read_only()
{
	expect 1 once --read-only "$IMAGE" touch /file
	has "Read-only file system"
	expect 0 once --read-only --tmpfs /tmp "$IMAGE" touch /tmp/file
}

check_shm_size()
{
	expect 0 once --shm-size 8m "$IMAGE" grep " /dev/shm " /proc/mounts
	has size=8192k
}

check_own_dev()
{
	expect 0 once "$IMAGE" sh -c 'cd /dev; ls null zero full random urandom tty ptmx pts shm mqueue
		stat -c "%t:%T" null; ls -l fd stdin ptmx; echo gone >null; head -c 3 zero | wc -c'
	has 1:3
	has "fd -> /proc/self/fd"
	has "stdin -> /proc/self/fd/0"
}

# --- confinement ----------------------------------------------------------------------------------

check_namespaces()
{
	local kind

	keep "$IMAGE" sleep 1000
	for kind in mnt pid net ipc uts; do
		[ "$(inside readlink "/proc/$(init_pid)/ns/$kind")" != \
			"$(inside readlink "/proc/1/ns/$kind")" ] || fail "$kind namespace is the machine's"
	done
	expect 0 engine exec "$C" ps
	run grep -c sleep <<<"$output"
	is 1
}

check_default_capabilities()
{
	expect 0 once "$IMAGE" cat /proc/self/status
	has "CapEff:	00000000a80425fb"
	has "CapBnd:	00000000a80425fb"
}

check_capabilities()
{
	expect 0 once --cap-drop ALL "$IMAGE" cat /proc/self/status
	has "CapEff:	0000000000000000"
	has "CapBnd:	0000000000000000"
	expect 0 once --cap-drop ALL --cap-add CHOWN "$IMAGE" \
		sh -c 'chown 1000 /etc/passwd && grep CapEff /proc/self/status'
	has 0000000000000001
	expect 1 once --cap-drop CHOWN "$IMAGE" chown 1000 /etc/passwd
	has "Operation not permitted"
	expect 0 once --cap-add NET_ADMIN "$IMAGE" ip link set lo mtu 1400
	expect 2 once "$IMAGE" ip link set lo mtu 1400 || [ "$status" -eq 1 ]
}

check_no_new_privileges()
{
	expect 0 once --security-opt no-new-privileges "$IMAGE" grep NoNewPrivs /proc/self/status
	has "NoNewPrivs:	1"
	expect 0 once "$IMAGE" grep NoNewPrivs /proc/self/status
	has "NoNewPrivs:	0"
}

check_seccomp()
{
	expect 0 once "$IMAGE" grep "^Seccomp:" /proc/self/status
	has "Seccomp:	2"
	# The capability for it is there, the file is no swap: only the profile forbids the call.
	expect 1 once --cap-add SYS_ADMIN "$IMAGE" swapoff /dev/null
	has "Operation not permitted"
	expect 1 once --cap-add SYS_ADMIN --security-opt seccomp=unconfined "$IMAGE" swapoff /dev/null
	has "Invalid argument"
	expect 0 once --security-opt seccomp=unconfined "$IMAGE" grep "^Seccomp:" /proc/self/status
	has "Seccomp:	0"
}

check_own_seccomp_profile()
{
	cat >"$BATS_TEST_TMPDIR/profile.json" <<-EOF
		{ "defaultAction": "SCMP_ACT_ALLOW",
		  "syscalls": [ { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO",
				  "errnoRet": 28 } ] }
	EOF
	expect 1 once --security-opt "seccomp=$BATS_TEST_TMPDIR/profile.json" "$IMAGE" mkdir /new
	has "mkdir"
	has "$1"
}

check_masked_paths()
{
	expect 0 once "$IMAGE" sh -c 'wc -c </proc/timer_list; ls /sys/firmware
		[ ! -e /proc/kcore ] || head -c 1 /proc/kcore; cat /proc/keys'
	is 0
	expect 1 once "$IMAGE" touch /proc/bus /proc/irq
	has "Read-only file system"
	expect 1 once "$IMAGE" sh -c 'echo x >/proc/sys/kernel/domainname'
	has "Read-only file system"
	expect 1 once "$IMAGE" sh -c 'cd /sys/fs/cgroup/memory 2>/dev/null || cd /sys/fs/cgroup; mkdir sub'
	has "Read-only file system"
}

check_devices()
{
	expect 0 once --device /dev/null:/dev/other-null:rw "$IMAGE" \
		sh -c 'echo x >/dev/other-null; stat -c %t:%T /dev/other-null'
	is 1:3
	# A loop device may be made, but the devices cgroup does not let it be opened.
	expect 1 once "$IMAGE" sh -c 'mknod /loop b 7 0 || exit 9; head -c 1 /loop'
	has "Operation not permitted"
}

check_privileged()
{
	local all

	run once --privileged "$IMAGE" sh -c 'mount -t tmpfs tmpfs /tmp &&
		echo x >/proc/sys/kernel/domainname && grep ^Seccomp: /proc/self/status'
	all=$(printf '%016x' $(((1 << ($(cat /proc/sys/kernel/cap_last_cap) + 1)) - 1)))
	if [ "$status" -ne 0 ] && [[ $output == *cap* ]] &&
		! grep -q "CapEff:.$all" /proc/self/status; then
		skip "this machine lacks capabilities the engine asks for: $output"
	fi
	[ "$status" -eq 0 ]
	has "Seccomp:	0"
}

check_sysctl()
{
	expect 0 once --sysctl net.ipv4.ip_unprivileged_port_start=80 --sysctl kernel.msgmax=4096 \
		"$IMAGE" cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax
	is $'80\n4096'
}

check_ulimit()
{
	expect 0 once --ulimit nofile=100:200 --ulimit core=0:0 --ulimit nproc=300 "$IMAGE" \
		sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c'
	is $'100\n200\n0'
}

check_oom_score()
{
	expect 0 once --oom-score-adj 500 "$IMAGE" cat /proc/self/oom_score_adj
	is 500
}

# --- limits ---------------------------------------------------------------------------------------

check_memory_limit()
{
	keep -m 64m --memory-reservation 32m "$IMAGE" sleep 1000
	[ "$(cgroup_value "$(init_pid)" memory memory.limit_in_bytes memory.max)" = 67108864 ]
	[ "$(cgroup_value "$(init_pid)" memory memory.soft_limit_in_bytes memory.low)" = 33554432 ]
}

# check_out_of_memory [REPORTED]: what inspect has to say, where the engine finds it out.
check_out_of_memory()
{
	# Time around it, because the engine has to be watching.
	keep -m 32m "$IMAGE" sh -c 'sleep 0.5; tail /dev/zero; status=$?; sleep 0.5; exit $status'
	expect 0 engine wait "$C"
	is 137
	[ $# -eq 0 ] || field_is .State.OOMKilled "$1"
}

check_pids_limit()
{
	keep --pids-limit 10 "$IMAGE" sleep 1000
	[ "$(cgroup_value "$(init_pid)" pids pids.max pids.max)" = 10 ]
	run once --pids-limit 10 "$IMAGE" \
		sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo all'
	[[ $output != *all* ]] || has "can't fork"
}

check_cpu_limits()
{
	keep --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0 "$IMAGE" sleep 1000
	run cgroup_value "$(init_pid)" cpu cpu.cfs_quota_us cpu.max
	has 50000
	run cgroup_value "$(init_pid)" cpu cpu.shares cpu.weight
	[ "$output" = 512 ] || is 20
	expect 0 engine exec "$C" grep Cpus_allowed_list /proc/self/status
	has "Cpus_allowed_list:	0"
}

# check_update OPTIONS...: memory to 96 MiB and half a CPU while running; more is the caller's.
check_update()
{
	keep -m 64m "$IMAGE" sleep 1000
	expect 0 engine update -m 96m --memory-swap 96m --cpu-quota 50000 --cpu-period 100000 "$@" "$C"
	[ "$(cgroup_value "$(init_pid)" memory memory.limit_in_bytes memory.max)" = 100663296 ]
	run cgroup_value "$(init_pid)" cpu cpu.cfs_quota_us cpu.max
	has 50000
}

check_stats()
{
	keep -m 128m --tmpfs /scratch "$IMAGE" \
		sh -c 'dd if=/dev/zero of=/scratch/x bs=1M count=20 2>/dev/null
			sleep 1000 & echo ready; exec sleep 1000'
	eventually 5 logs_have ready
	expect 0 engine stats --no-stream --format '{{.MemUsage}}' "$C"
	# 20 MiB and something, of 128 MiB.
	[[ $output =~ ^2[0-9](\.[0-9]+)?Mi?B\ /\ (128MiB|134\.2MB)$ ]] || fail "not as expected"
	expect 0 engine stats --no-stream --format '{{.PIDs}}' "$C"
	is 2
}

# --- network and shared namespaces ----------------------------------------------------------------

check_network_none()
{
	expect 0 once "$IMAGE" ls /sys/class/net
	is lo
	expect 0 once "$IMAGE" ip addr show lo
	has 127.0.0.1
}

# busybox's wget needs libraries that the image lacks; its nc does not.
GET=$'GET /not-executable HTTP/1.0\r\n\r\n'

check_network_bridge()
{
	local address

	LEFT=1
	expect 0 engine run -d --name "$C" "$IMAGE" httpd -f -p 80 -h /etc
	address=$(field .NetworkSettings.IPAddress)
	[ -n "$address" ]
	expect 0 engine run -i --rm "$IMAGE" nc -w 5 "$address" 80 <<<"$GET"
	has data
}

check_published_port()
{
	LEFT=1
	expect 0 engine run -d --name "$C" -p 127.0.0.1:8080:80 "$IMAGE" httpd -f -p 80 -h /etc
	eventually 5 port_answers 8080
}

port_answers()
{
	inside busybox nc -w 5 127.0.0.1 "$1" <<<"$GET" | grep -q data
}

check_network_host()
{
	expect 0 engine run --rm --network host "$IMAGE" readlink /proc/self/ns/net
	is "$(inside readlink /proc/self/ns/net)"
}

check_shared_namespaces()
{
	keep --ipc shareable --hostname first "$IMAGE" sh -c 'echo note >/dev/shm/note; exec sleep 1234'
	expect 0 engine run --rm --network "container:$C" --pid "container:$C" --ipc "container:$C" \
		"$IMAGE" sh -c 'ps; cat /dev/shm/note; readlink /proc/self/ns/net'
	has "sleep 1234"
	has note
	has "$(inside readlink "/proc/$(init_pid)/ns/net")"
}

check_host_pid()
{
	expect 0 once --pid host "$IMAGE" readlink /proc/self/ns/pid
	is "$(inside readlink /proc/1/ns/pid)"
}

check_init()
{
	expect 0 once --init "$IMAGE" sh -c 'cat /proc/1/comm; echo $$'
	has init
	[ "${lines[1]}" != 1 ]
	expect 6 once --init "$IMAGE" sh -c 'exit 6'
}

check_build()
{
	local dir=$BATS_TEST_TMPDIR/build

	mkdir "$dir"
	printf 'FROM %s\nRUN echo built >/built && ls /proc/1\nCMD cat /built\n' "$IMAGE" \
		>"$dir/Dockerfile"
	expect 0 engine build -t localhost/built "$dir"
	expect 0 once localhost/built
	is built
	expect 0 engine rmi -f localhost/built
	# A failing command fails the build.
	printf 'FROM %s\nRUN exit 3\n' "$IMAGE" >"$dir/Dockerfile"
	run engine build --force-rm "$dir"
	[ "$status" -ne 0 ]
}
