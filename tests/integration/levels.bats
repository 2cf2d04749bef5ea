#!/usr/bin/env bats
load helpers
load ../lib/levels
# What the levels promise (docs/levels.md), seen from inside and from the host, for a bundle's
# configuration: in the process of run, of create and start, and of exec.

LEVELS=(standard high)

# ways SCRIPT: what it says by run, by create and start, and by exec: the same
ways() {
	local first
	says "$1"
	first=$out
	"${FG[@]}" 10 "${BR[@]}" create -b "$B" "$ID" >"$T/started" 2>&1 </dev/null 3>&-
	ok start "$ID"
	becomes stopped
	ok delete "$ID"
	is "$(<"$T/started")" "$first"
	sleeps
	ok exec "$ID" sh -c "$1"
	is "$out" "$first"
	ok delete --force "$ID"
	out=$first
}

# sandbox [JQ]: one that runs; PID is its first process
sandbox() {
	sleeps "$@"
	init_pid
}

# mounts FN: called with point, options, type and super options of each mount of the sandbox but
# those of its /dev/null over files that are masked
mounts() {
	local root point options rest
	while read -r _ _ _ root point options rest; do
		[ "$root" = /null ] || "$1" "$point" "$options" "${rest#*- }"
	done <"/proc/$PID/mountinfo"
}

cp_probe() { cp "$TOP/build/bin/probe" "$B/rootfs/bin/probe"; }

# --- who it is ----------------------------------------------------------------------------------

@test "levels: ids are a range of the pool, or only those the process has" {
	local inside host size
	at standard
	sandbox '.process.user = {"uid": 4000000, "gid": 5, "additionalGids": [4000001]}'
	read -r inside host size <"/proc/$PID/uid_map"
	is "$inside $size" '0 65536'
	[ "$host" -ge 268435456 ] && [ $((host + size)) -le 1610612736 ]
	is "$(awk '{print $1, $3}' "/proc/$PID/uid_map" | tail -n +2)" '4000000 1'
	is "$(awk '{print $1, $3}' "/proc/$PID/gid_map" | tail -n +2)" '4000001 1'
	ok delete --force "$ID"
	at high
	sandbox '.process.user = {"uid": 1000, "gid": 5, "additionalGids": [7]}'
	is "$(awk '{print $1, $3}' "/proc/$PID/uid_map" | tr '\n' ,)" '0 1,1000 1,'
	is "$(awk '{print $1, $3}' "/proc/$PID/gid_map" | tr '\n' ,)" '0 1,5 1,7 1,'
	[[ $(row Uid "/proc/$PID/status") != *[!0-9[:space:]]* ]]
	[ "$(row Uid "/proc/$PID/status" | cut -f1)" -ge 268435456 ]
}

@test "levels: every namespace is its own, and the user namespace owns none of them" {
	local ns mine
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		sandbox
		mine=$(stat -Lc %i /proc/self/ns/user)
		for ns in mnt pid net ipc uts cgroup; do
			[ "$(stat -Lc %i "/proc/$PID/ns/$ns")" != "$(stat -Lc %i "/proc/self/ns/$ns")" ]
			is "$ns $("$TOOLS/nsowner" "/proc/$PID/ns/$ns")" "$ns $mine"
		done
		[ "$(stat -Lc %i "/proc/$PID/ns/user")" != "$mine" ]
		is "$("$TOOLS/nsowner" "/proc/$PID/ns/user")" "$mine"
		ok delete --force "$ID"
	done
}

@test "levels: two sandboxes have different ids, also one after the other" {
	local a
	sandbox
	a=$(awk '{print $2}' "/proc/$PID/uid_map")
	ok run -d -b "$B" "$ID-2"
	ok state "$ID-2"
	[ "$a" != "$(awk '{print $2}' "/proc/$(jq .pid "$T/out")/uid_map")" ]
	ok delete --force "$ID"
	sandbox
	[ "$a" != "$(awk '{print $2}' "/proc/$PID/uid_map")" ]
	ok delete --force "$ID-2"
}

# --- what it may --------------------------------------------------------------------------------

@test "levels: capabilities are cut to the seven, or to none" {
	config '(.process.capabilities[]) = ["CAP_SYS_ADMIN", "CAP_NET_RAW", "CAP_MKNOD", "CAP_CHOWN",
		"CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETUID", "CAP_SETGID", "CAP_KILL",
		"CAP_NET_BIND_SERVICE", "CAP_SETPCAP", "CAP_SYS_CHROOT"]
		| .process.capabilities.ambient = .process.capabilities.bounding
		| .process.capabilities.inheritable = .process.capabilities.bounding'
	at standard
	ways 'grep ^Cap /proc/self/status | cut -f2 | sort -u'
	is "$out" 00000000000004eb
	at high
	ways 'grep ^Cap /proc/self/status | cut -f2 | sort -u'
	is "$out" 0000000000000000
}

@test "levels: no_new_privs is forced, a filter is there, privileges stay locked" {
	config '.process.noNewPrivileges = false'
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		ways 'grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status'
		is "$out" $'NoNewPrivs:\t1\nSeccomp:\t2'
	done
	# what prctl does not tell at high: a setuid program of root gains nothing
	cp "$TOP/build/bin/probe" "$B/rootfs/bin/suid"
	chmod 4755 "$B/rootfs/bin/suid"
	config '.process.user = {"uid": 1000, "gid": 1000}'
	ways 'suid ids | head -n 2; suid caps | grep permitted'
	out_lacks '[^0-9]0( |$)'
	out_has 'permitted 0000000000000000'
}

@test "levels: the policy's filter and config.json's are both loaded" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}'
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		ways 'mkdir /tmp/x 2>&1 | grep -o "Function.*"; inside call unshare-user; inside call mount'
		is "$out" $'Function not implemented\nEPERM\nEPERM'
		out_lacks kept
	done
}

@test "levels: a core may not be dumped, the limits of config.json above the hard one are cut" {
	local hard
	hard=$(ulimit -Hn)
	config --argjson n $((hard + 1)) '.process.rlimits = [
		{"type": "RLIMIT_NOFILE", "soft": $n, "hard": $n},
		{"type": "RLIMIT_CORE", "soft": 1000000, "hard": 1000000}]'
	cp_probe
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		sandbox
		# Limit, soft, hard, unit
		is "$(awk '/^Max core/ {print $5, $6}' "/proc/$PID/limits")" '1 1'
		[ "$(awk '/^Max open/ {print $5}' "/proc/$PID/limits")" -le "$hard" ]
		ok delete --force "$ID"
	done
}

@test "levels: oomScoreAdj below the caller's is cut" {
	local mine
	mine=$(</proc/self/oom_score_adj)
	sandbox '.process.oomScoreAdj = -998'
	[ "$(<"/proc/$PID/oom_score_adj")" -ge "$mine" ]
}

# --- files --------------------------------------------------------------------------------------

@test "levels: every mount is nosuid, only /dev has devices, only writable places may be written" {
	check() {
		local o=",$2,"
		[[ $o == *,nosuid,* ]] || fail "$LEVEL: suid: $1 $2"
		case $1 in
		/dev | /dev/pts | /dev/console) ;;
		*) [[ $o == *,nodev,* ]] || fail "$LEVEL: devices: $1 $2" ;;
		esac
		case $1 in
		/tmp | /var/tmp | /run | /workspace | /dev | /dev/pts | /dev/shm | /proc) ;;
		*) [[ $o == *,ro,* ]] || fail "$LEVEL: writable: $1 $2" ;;
		esac
	}
	config '.mounts += [{"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["suid", "dev"]},
		{"destination": "/etc/hosts", "type": "bind", "source": "/etc/hosts", "options": ["bind", "ro", "suid", "dev"]}]'
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		sandbox
		mounts check
		ok delete --force "$ID"
	done
}

@test "levels: the root cannot be written, tmpfs places can" {
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		ways 'for d in / /etc /bin /usr /home /root /mnt; do touch $d/x 2>/dev/null && echo wrote $d; done
			for d in /tmp /var/tmp /run /workspace; do echo x >$d/x || echo no $d; done'
		is "$out" ''
	done
	run find "$B/rootfs" -name x
	is "$output" ''
}

@test "levels: Landlock: even what a mount would let be written cannot be, elsewhere" {
	[ "$("$BRIG" doctor --format json | jq -r '.checks[] | select(.mechanism == "landlock") | .found')" = yes ] ||
		skip "no Landlock"
	for LEVEL in custom "${LEVELS[@]}"; do
		at "$LEVEL"
		sandbox
		nsenter --mount="/proc/$PID/ns/mnt" mount -t tmpfs -o mode=1777 none /mnt
		b exec "$ID" sh -c 'echo x >/tmp/x && mv /tmp/x /tmp/y && echo x >/mnt/x && echo wrote'
		if [ "$LEVEL" = custom ]; then out_has wrote; else err_has '/mnt/x: Permission denied'; fi
		ok delete --force "$ID"
	done
}

@test "levels: size and inodes of a writable place end with ENOSPC" {
	local want
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		[ "$LEVEL" = high ] && want=32 || want=65
		config '.annotations = {"dev.brig.disk.limit": "8Mi"}'
		says 'dd if=/dev/zero of=/tmp/f bs=1M count=20 2>&1 | grep -o "No space.*"
			df -k | awk '"'"'$6 ~ "^/(tmp|var/tmp|run|workspace)$" {s += $2} END {print (s <= 8192)}'"'"'
			cd /run; i=0; while [ $i -lt 70000 ] && true 2>/dev/null >$i; do i=$((i+1)); done; echo $((i / 1000))'
		[[ $out == $'No space left on device\n1\n'* ]] || fail "$out"
		[ "${out##*$'\n'}" -le "$want" ] && [ "${out##*$'\n'}" -gt $((want / 10)) ]
	done
}

@test "levels: a tmpfs of config.json is bounded, too" {
	config '.mounts += [{"destination": "/big", "type": "tmpfs", "source": "t", "options": ["size=100g"]},
		{"destination": "/all", "type": "tmpfs", "source": "t"}]'
	sizes() { case $1 in /big | /all) SIZES+=" ${3#*size=}" ;; esac; }
	sandbox
	SIZES=
	mounts sizes
	[[ $SIZES =~ ^\ 131072k,nr_inodes=32768.*\ 131072k,nr_inodes=32768 ]] || fail "$SIZES"
}

@test "levels: a working directory and mount points that the image lacks; the image stays as it was" {
	local before
	# of its own: a link made or removed by a test beside this one would be seen
	rm -rf "$B/rootfs"
	cp -a "$BASE_ROOTFS" "$B/rootfs"
	mkdir "$T/vol" && echo word >"$T/vol/f"
	config --arg v "$T/vol" '.process.cwd = "/not/there"
		| .mounts += [{"destination": "/mnt/a/b", "type": "bind", "source": $v, "options": ["bind", "ro"]},
			{"destination": "/new/file", "type": "bind", "source": ($v + "/f"), "options": ["bind", "ro"]}]'
	before=$(find "$B/rootfs" -printf '%P %y %m %U %G %s %T@ %C@ %n\n' | sort | md5sum)
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		ways 'pwd; cat /mnt/a/b/f /new/file; stat -c %u /mnt /new /bin'
		is "$out" $'/not/there\nword\nword\n0\n0\n0'
	done
	is "$(find "$B/rootfs" -printf '%P %y %m %U %G %s %T@ %C@ %n\n' | sort | md5sum)" "$before"
}

@test "levels: an image whose root is an overlay, handed in as engines do" {
	mkdir -p "$T"/{lower,upper,work,merged}
	cp -a "$B/rootfs/." "$T/lower"
	echo below >"$T/lower/etc/word"
	mount -t overlay overlay -o "lowerdir=$T/lower,upperdir=$T/upper,workdir=$T/work" "$T/merged"
	MOUNTED+=("$T/merged")
	echo above >"$T/merged/etc/other"
	rm "$T/merged/etc/group"
	config --arg r "$T/merged" '.root.path = $r | .process.cwd = "/not/there"'
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		ways 'cat /etc/word /etc/other; stat -c %u /etc/other /bin/busybox /; ls /etc/group 2>/dev/null; pwd
			touch /etc/x 2>/dev/null || echo refused'
		is "$out" $'below\nabove\n0\n0\n0\n/not/there\nrefused'
	done
	is "$(ls "$T/upper")" etc
}

@test "levels: standard masks /proc and /sys" {
	local f
	config '.linux.maskedPaths = [] | .linux.readonlyPaths = []
		| .mounts += [{"destination": "/sys", "type": "sysfs", "source": "sysfs"}]'
	at standard
	ways 'for f in kcore keys timer_list; do cat /proc/$f 2>/dev/null | head -c 1; done
		ls /proc/acpi /sys/firmware 2>/dev/null | grep -v :
		for f in sys/kernel/hostname sysrq-trigger; do echo 1 2>/dev/null >/proc/$f && echo wrote $f; done
		echo end'
	is "$(tr -d '\n' <<<"$out")" end
}

@test "levels: high shows only the process's own and what brig makes from the plan" {
	config '.linux.resources.memory = {"limit": 67108864} | .linux.resources.cpu = {"quota": 50000, "period": 100000}'
	at high
	ways 'nproc; grep -c ^processor /proc/cpuinfo; grep MemTotal /proc/meminfo | tr -s " "
		cat /sys/devices/system/cpu/online
		for f in /proc/*; do case ${f##*/} in
			[0-9]*|self|thread-self|mounts|net|cpuinfo|stat|meminfo|loadavg|sys|cgroups|uptime|filesystems|version) ;;
			*) [ ! -d "$f" ] || f=$(ls -A "$f" 2>/dev/null)
				[ -z "$f" ] || [ -e "$f" ] && [ -z "$(cat "$f" 2>/dev/null | head -c 1)" ] || echo "shown: $f";;
		esac; done'
	[[ $out == $'1\n1\nMemTotal: 65536 kB\n'* ]] || fail "$out"
	out_lacks 'shown'
	sandbox
	hidden() { [ "$1" != /proc ] || [[ $3 != proc* ]] || PROC=$3; }
	PROC=
	mounts hidden
	[[ $PROC == *hidepid=invisible* ]] || fail "$PROC"
}

# --- the network --------------------------------------------------------------------------------

@test "levels: loopback works, the table denies everything else" {
	requires tool:nft
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		sandbox
		run nsenter --net="/proc/$PID/ns/net" nft list ruleset
		[[ $output == *'policy drop'* ]] && [[ $output == *'"lo"'* ]] || fail "$output"
		is "$(nsenter --net="/proc/$PID/ns/net" sh -c 'ls /proc/self/ns/net >/dev/null; cat /proc/net/dev' | tail -n +3 | cut -d: -f1 | tr -d ' ')" lo
		is "$(nsenter --net="/proc/$PID/ns/net" cat /proc/sys/net/ipv6/conf/all/disable_ipv6)" 1
		# a way out that somebody makes does not help
		nsenter --net="/proc/$PID/ns/net" sh -ec 'ip link add out type veth peer out2
			ip addr add 198.51.100.1/24 dev out; ip link set out up; ip link set out2 up
			ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:02 dev out'
		ok exec "$ID" sh -c 'nc -l -p 8080 -e echo hi & sleep 0.3
			nc -w 2 127.0.0.1 8080 </dev/null; nc -w 1 198.51.100.2 80 </dev/null || echo closed'
		is "$out" $'hi\nclosed'
		[ "$(nsenter --net="/proc/$PID/ns/net" ip -s link show out | awk '/TX:/ {getline; print $2}')" = 0 ]
		ok delete --force "$ID"
	done
	[[ $(nft list tables 2>/dev/null) != *brig* ]]
}

@test "levels: a network namespace that is joined gets the table, its owner keeps it" {
	requires tool:nft
	: >"$T/net"
	unshare --net="$T/net" true
	MOUNTED+=("$T/net")
	config --arg n "$T/net" '(.linux.namespaces[] | select(.type == "network")).path = $n'
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		sandbox
		is "$(stat -Lc %i "/proc/$PID/ns/net")" "$(stat -c %i "$T/net")"
		run nsenter --net="$T/net" nft list ruleset
		[[ $output == *'policy drop'* ]] || fail "$output"
		is "$(grep -c 'table inet' <<<"$output")" 1
		ok delete --force "$ID"
	done
}

@test "levels: sysctls of the list are set, others are cut" {
	config '.linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "81", "kernel.shmmax": "65536"}'
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		sandbox
		is "$(nsenter --net="/proc/$PID/ns/net" cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" 81
		[ "$(nsenter --ipc="/proc/$PID/ns/ipc" cat /proc/sys/kernel/shmmax)" != 65536 ]
		ok policy explain "$ID"
		out_has 'kernel.shmmax.*cut|sysctl.*cut.*kernel.shmmax'
		ok delete --force "$ID"
	done
}

# --- limits -------------------------------------------------------------------------------------

@test "levels: limits of direct mode are in the cgroup" {
	local pids memory
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		[ "$LEVEL" = high ] && pids=256 memory=536870912 || pids=512 memory=1073741824
		succeeds -d -- sleep 100
		PID=
		cg_is pids pids.max "$pids"
		cg_is memory memory.limit_in_bytes "$memory" memory.max "$memory"
		cg_is memory memory.memsw.limit_in_bytes "$memory" memory.swap.max 0
		ok delete --force "$ID"
	done
}

@test "levels: with a bundle only pids are limited, and by the smaller of both" {
	local before
	sandbox
	cg_is pids pids.max 256
	cg memory memory.limit_in_bytes memory.max
	[ "$value" = max ] || [ "$value" -gt 1000000000000 ]
	ok delete --force "$ID"
	config '.linux.resources.pids = {"limit": 1000} | .annotations = {"dev.brig.pids.limit": "99"}'
	sandbox
	cg_is pids pids.max 99
}

@test "levels: memory and processes end at their limits" {
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		cp_probe
		config '.annotations = {"dev.brig.memory.limit": "24Mi", "dev.brig.pids.limit": "12"}'
		prog 'probe alloc 100; echo "$?"'
		b run -b "$B" "$ID"
		[ "$status" != 0 ] || [ "${out##*$'\n'}" = 137 ] || fail "$status $out"
		says 'probe fork 40'
		out_lacks 40
	done
}

@test "levels: high pins to as many CPUs as the quota needs, of those that config.json allows" {
	requires controller:cpuset
	local last
	last=$(nproc)
	at high
	ways 'grep Cpus_allowed_list /proc/self/status | cut -f2 | grep -c "^[0-9]*$"'
	is "$out" 1
	config '.linux.resources.cpu = {"quota": 150000, "period": 100000}'
	says 'nproc'
	is "$out" $((last < 2 ? 1 : 2))
	config '.linux.resources.cpu = {"cpus": "0"}'
	says 'grep Cpus_allowed_list /proc/self/status | cut -f2'
	is "$out" 0
	at standard
	config 'del(.linux.resources.cpu)'
	says 'nproc'
	is "$out" "$last"
}

@test "levels: two pinned sandboxes do not share a CPU while there is another" {
	requires controller:cpuset
	[ "$(nproc)" -gt 1 ] || skip "one CPU"
	local first
	sandbox
	first=$(row Cpus_allowed_list "/proc/$PID/status")
	ok run -d -b "$B" "$ID-2"
	ok state "$ID-2"
	grep -qF "$R/$ID-2" /run/brig-cpus/*
	[ -n "$first" ] && [[ $first != *[,-]* ]]
	ok delete --force "$ID-2"
}

# --- the environment ----------------------------------------------------------------------------

@test "levels: secret-looking names are kept at standard when config.json has them, dropped at high" {
	config '.process.env += ["API_TOKEN=s1", "db_password=s2", "PLAIN=p"]'
	at standard
	ways 'echo "$API_TOKEN $db_password $PLAIN"'
	is "$out" 's1 s2 p'
	at high
	ways 'echo "$API_TOKEN $db_password $PLAIN"; env | grep -c "s[12]" || :'
	is "$out" $'  p\n0'
	admin '"env": {"allow": ["API_TOKEN"]}'
	ways 'echo "$API_TOKEN $db_password $PLAIN"'
	is "$out" 's1  p'
}

@test "levels: descriptors of the caller: refused at high, taken at standard" {
	at high
	run bash -c 'exec 3</etc/hostname; exec "$@"' - "${BR[@]}" run --preserve-fds 1 -b "$B" "$ID"
	[ "$status" = 1 ] && [[ $output == *preserve*fds* ]] || fail "$output"
	at standard
	config '.process.args = ["inside", "fds"]'
	run bash -c 'exec 3</etc/hostname; exec "$@"' - "${BR[@]}" run --preserve-fds 1 -b "$B" "$ID"
	[[ $output == '3 '* ]] || fail "$output"
}

# --- the rest -----------------------------------------------------------------------------------

@test "levels: time is bounded when an annotation says so, at standard too" {
	config '.process.args = ["sleep", "100"] | .annotations = {"dev.brig.time.wall": "400ms"}'
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		b run -b "$B" "$ID"
		[ "$status" != 0 ] && [ "$status" != 124 ] || is "$err" ''
		one_line 'its time of 400 ms was over'
		ok run -d -b "$B" "$ID"
		becomes stopped
		ok delete "$ID"
	done
}

@test "levels: state and list say which level, with the digest of the policy" {
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		sandbox
		ok policy explain "$ID" --format json
		is "$(jq -r '.fields[] | select(.field == "level") | .value' "$T/out")" "$LEVEL"
		[[ $(jq -r .digest "$T/out") == sha256:* ]]
		ok delete --force "$ID"
	done
}

@test "levels: a rootless brig without a delegated cgroup says what is missing" {
	requires userns
	at high
	chmod 755 "$T" "$B"
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$BRIG" --level high --root "$T/rl" run -b "$B" "$ID"
	[ "$status" != 0 ]
	[ "$(wc -l <<<"$output")" = 1 ] || fail "$output"
}

# The first host id of a container's user namespace.
first_id() {
	local pid
	pid=$("${BR[@]}" state "$1" | jq .pid)
	awk '{ print $2; exit }' "/proc/$pid/uid_map"
}

@test "a level: another pod's ids are not had by an annotation alone" {
	at standard
	config '.annotations["io.kubernetes.cri.sandbox-id"] = "'"$ID"'-pod" | .process.args = ["sleep", "100"]'
	ok run -d -b "$B" "$ID-pod" # the pod's own container
	ok run -d -b "$B" "$ID"     # somebody else, who names it
	local base
	base=$(first_id "$ID-pod")
	[ "$(first_id "$ID")" != "$base" ]
	# one who shares its network
	config --arg p "/proc/$("${BR[@]}" state "$ID-pod" | jq .pid)/ns/net" \
		'.linux.namespaces |= map(if .type == "network" then .path = $p else . end)'
	ok run -d -b "$B" "$ID-2"
	is "$(first_id "$ID-2")" "$base"
}
