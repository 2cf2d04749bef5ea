#!/usr/bin/env bats
load helpers
# cgroupsPath and resources, read back from the kernel

resources() { sleeps ".linux.resources += {$1}"; }

@test "an absolute cgroupsPath is below the mount of each hierarchy" {
	sleeps ".linux.cgroupsPath = \"/$ID/deep\""
	init_pid
	grep -v '^0::/$' "/proc/$PID/cgroup" | while IFS=: read -r _ _ path; do
		is "$path" "/$ID/deep"
	done
	ok delete --force "$ID"
	[ ! -d "/sys/fs/cgroup/pids/$ID/deep" ]
	rmdir /sys/fs/cgroup/{*/,}"$ID" 2>/dev/null || :
}

@test "a relative cgroupsPath works and is found by its name" {
	sleeps ".linux.cgroupsPath = \"$ID-rel\""
	init_pid
	grep -q "/$ID-rel\$" "/proc/$PID/cgroup"
}

@test "without cgroupsPath the container has a cgroup of its own" {
	sleeps
	init_pid
	grep -q "$ID" "/proc/$PID/cgroup"
}

@test "a cgroupsPath with .. does not leave the hierarchy" {
	config '.linux.cgroupsPath = "/../../../../tmp/'"$ID"'"'
	b run -b "$B" "$ID"
	[ ! -d "/tmp/$ID" ]
	rmdir /sys/fs/cgroup/{*/,}tmp 2>/dev/null || :
}

@test "a cgroup that existed before is used, not removed" {
	known_peer_failure runc crun # they remove it
	local d r=0
	for d in /sys/fs/cgroup/ /sys/fs/cgroup/*/; do
		[ ! -e "$d/cgroup.procs" ] || mkdir "$d/$ID-own"
	done
	config ".linux.cgroupsPath = \"/$ID-own\" | del(.linux.resources)"
	b run -b "$B" "$ID"
	for d in /sys/fs/cgroup/ /sys/fs/cgroup/*/; do
		[ ! -e "$d/cgroup.procs" ] || rmdir "$d/$ID-own" || r=1
	done
	[ "$status" = 0 ]
	return $r
}

@test "where a cgroup existed in one hierarchy only, that one stays" {
	known_peer_failure runc crun # they remove it
	local r=0
	[ -d /sys/fs/cgroup/pids ] || skip "no pids hierarchy of cgroup v1"
	mkdir "/sys/fs/cgroup/pids/$ID-own"
	config ".linux.cgroupsPath = \"/$ID-own\""
	b run -b "$B" "$ID"
	rmdir "/sys/fs/cgroup/pids/$ID-own" || r=1
	return $r
}

@test "a cgroup with processes of others in it is refused for a new container" {
	known_peer_failure runc crun # 1.1.5 takes it
	[ -d /sys/fs/cgroup/pids ] || skip "no pids hierarchy of cgroup v1"
	mkdir "/sys/fs/cgroup/pids/$ID-busy"
	sleep 100 3>&- &
	PIDS+=($!)
	echo $! >"/sys/fs/cgroup/pids/$ID-busy/cgroup.procs"
	config ".linux.cgroupsPath = \"/$ID-busy\""
	CHECKED_LATER=1 refused "not empty" run -b "$B" "$ID"
	kill "$!"
	wait "$!" || :
	rmdir "/sys/fs/cgroup/pids/$ID-busy"
}

@test "processes of others in the cgroup asked for are not killed by a delete --force" {
	local dir=freezer
	known_peer_failure runc crun # 1.1.5 takes it
	[ -d /sys/fs/cgroup/freezer ] || dir=
	mkdir "/sys/fs/cgroup/$dir/$ID-busy"
	sleep 100 3>&- &
	PIDS+=($!)
	echo $! >"/sys/fs/cgroup/$dir/$ID-busy/cgroup.procs"
	config ".linux.cgroupsPath = \"/$ID-busy\""
	CHECKED_LATER=1 refused "not empty" run -b "$B" "$ID"
	b delete --force "$ID"
	kill -0 "$!"
	kill "$!"
	wait "$!" || :
	rmdir "/sys/fs/cgroup/$dir/$ID-busy"
}

@test "the cgroup of a container that has ended is refused for another: deleting the first would end the second" {
	known_peer_failure runc crun # they take it
	prog true ".linux.cgroupsPath = \"/$ID-both\""
	ok run -d -b "$B" "$ID"
	becomes stopped
	no run -d -b "$B" "$ID-2"
	err_has "of container $ID"
	[ ! -e "$R/$ID-2" ]
	ok delete "$ID"
	ok run -d -b "$B" "$ID-2"
	ok delete --force "$ID-2"
}

@test "a cgroup that is another's by now, at the same path, is not ended by the delete of who had it first" {
	known_peer_failure runc crun # they kill what is in it
	local d
	prog 'sleep 100' ".linux.cgroupsPath = \"/$ID-both\""
	ok create -b "$B" "$ID"
	kill -9 "$(jq .pid "$R/$ID/state.json")"
	becomes stopped
	# As systemd does with what is empty, and a reboot.
	while read -r d; do rmdir "$d"; done < <(jq -r '.cgroup.dirs[].path' "$R/$ID/state.json")
	ok run -d -b "$B" "$ID-2"
	ok delete "$ID"
	ok exec "$ID-2" true
	while read -r d; do [ -d "$d" ] || fail "$d is gone"; done < <(jq -r '.cgroup.dirs[].path' "$R/$ID-2/state.json")
	ok delete --force "$ID-2"
	# A directory of others', then: nothing of it is known.
	ok create -b "$B" "$ID"
	kill -9 "$(jq .pid "$R/$ID/state.json")"
	becomes stopped
	while read -r d; do rmdir "$d" && mkdir "$d"; done < <(jq -r '.cgroup.dirs[].path' "$R/$ID/state.json")
	ok run -d -b "$B" "$ID-2"
	ok delete "$ID"
	ok exec "$ID-2" true
	jq -r '.cgroup.dirs[].path' "$R/$ID-2/state.json" >"$T/dirs"
	ok delete --force "$ID-2"
	while read -r d; do rmdir "$d"; done <"$T/dirs"
}

@test "pids.limit" {
	resources '"pids": {"limit": 20}'
	cg_is pids pids.max 20 pids.max
}

@test "pids.limit is in force: forks fail" {
	prog 'i=0; while [ $i -lt 30 ]; do sleep 5 & i=$((i+1)); done; echo all' '.linux.resources.pids.limit = 10'
	b run -b "$B" "$ID"
	[[ $out$err =~ (fork|esource|unavailable) ]] || fail "$out $err"
	out_lacks all
}

@test "pids.limit -1 is no limit" {
	resources '"pids": {"limit": -1}'
	cg_is pids pids.max max pids.max
}

@test "memory.limit, reservation and swap" {
	resources '"memory": {"limit": 67108864, "reservation": 33554432, "swap": 134217728}'
	cg_is memory memory.limit_in_bytes 67108864 memory.max
	cg_is memory memory.soft_limit_in_bytes 33554432 memory.low
	cg_is memory memory.memsw.limit_in_bytes 134217728 memory.swap.max 67108864
}

@test "memory.limit is in force: too much memory is killed, status 137" {
	config '.process.args = ["sh", "-c", "x=$(dd if=/dev/zero bs=1M count=64 2>/dev/null | tr \"\\\\0\" x); echo survived"]
		| .linux.resources.memory = {"limit": 16777216, "swap": 16777216}'
	b run -b "$B" "$ID"
	out_lacks survived
	[ "$status" != 0 ]
}

@test "memory.swappiness and disableOOMKiller on v1" {
	[ -d /sys/fs/cgroup/memory ] || skip "no memory hierarchy of cgroup v1"
	resources '"memory": {"limit": 67108864, "swappiness": 30, "disableOOMKiller": true}'
	cg_is memory memory.swappiness 30
	cg memory memory.oom_control
	[[ $value == *'oom_kill_disable 1'* ]] || fail "$value"
}

@test "memory.limit -1 is no limit" {
	resources '"memory": {"limit": -1, "swap": -1}'
	cg_is memory memory.limit_in_bytes 9223372036854771712 memory.max max
}

@test "memory: swap below limit is refused" {
	config '.linux.resources.memory = {"limit": 67108864, "swap": 33554432}'
	refused 'swap|memory' run -b "$B" "$ID"
}

@test "cpu.shares, quota and period" {
	resources '"cpu": {"shares": 512, "quota": 20000, "period": 40000}'
	cg_is cpu cpu.shares 512 cpu.weight 59
	cg_is cpu cpu.cfs_quota_us 20000 cpu.max '20000 40000'
	cg_is cpu cpu.cfs_period_us 40000 cpu.max '20000 40000'
}

@test "cpu.quota without a period, period without a quota" {
	resources '"cpu": {"quota": 20000}'
	cg_is cpu cpu.cfs_quota_us 20000 cpu.max '20000 100000'
	ok delete --force "$ID"
	resources '"cpu": {"quota": null, "period": 50000}'
	cg_is cpu cpu.cfs_period_us 50000 cpu.max 'max 50000'
}

@test "cpu.burst" {
	known_peer_failure runc crun
	resources '"cpu": {"quota": 40000, "period": 40000, "burst": 10000}'
	cg_is cpu cpu.cfs_burst_us 10000 cpu.max.burst
}

@test "cpu.idle" {
	known_peer_failure runc
	resources '"cpu": {"idle": 1}'
	cg_is cpu cpu.idle 1 cpu.idle
}

@test "cpu.cpus and mems" {
	resources '"cpu": {"cpus": "0", "mems": "0"}'
	cg_is cpuset cpuset.cpus 0 cpuset.cpus
	cg_is cpuset cpuset.mems 0 cpuset.mems
	grep -q 'Cpus_allowed_list:.0$' "/proc/$PID/status"
}

@test "cpu.cpus in a deep cgroupsPath: parents get their sets too" {
	sleeps ".linux.cgroupsPath = \"/$ID/a/b\" | .linux.resources.cpu.cpus = \"0\""
	cg_is cpuset cpuset.cpus 0 cpuset.cpus
	ok delete --force "$ID"
	rmdir /sys/fs/cgroup/{*/,}"$ID"/a /sys/fs/cgroup/{*/,}"$ID" 2>/dev/null || :
}

@test "cpu: CPUs that do not exist are refused" {
	config '.linux.resources.cpu = {"cpus": "4095"}'
	refused 'cpuset|cpus' run -b "$B" "$ID"
}

@test "cpu: a quota below the kernel's least is refused" {
	config '.linux.resources.cpu = {"quota": 5, "period": 100000}'
	refused 'quota|cpu' run -b "$B" "$ID"
}

@test "cpu.realtime where the kernel has it" {
	[ -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ] || skip "no real-time group scheduling"
	resources '"cpu": {"realtimePeriod": 1000000, "realtimeRuntime": 0}'
	cg_is cpu cpu.rt_period_us 1000000
}

@test "blockIO throttles" {
	[ -e /sys/fs/cgroup/blkio/blkio.throttle.read_bps_device ] || [ -e /sys/fs/cgroup/io.max ] ||
		skip "no block throttling"
	read -r dev < <(cat /sys/class/block/vda/dev 2>/dev/null || cat /sys/class/block/sda/dev 2>/dev/null || echo)
	[ -n "$dev" ] || skip "no disk of a known name"
	resources "\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": ${dev%:*}, \"minor\": ${dev#*:}, \"rate\": 1048576}],
		\"throttleWriteIOPSDevice\": [{\"major\": ${dev%:*}, \"minor\": ${dev#*:}, \"rate\": 500}]}"
	cg_is blkio blkio.throttle.read_bps_device "$dev 1048576" io.max "$dev rbps=1048576 wbps=max riops=max wiops=500"
	cg_is blkio blkio.throttle.write_iops_device "$dev 500" io.max "$dev rbps=1048576 wbps=max riops=max wiops=500"
}

@test "hugepageLimits of a page size that does not exist are refused" {
	config '.linux.resources.hugepageLimits = [{"pageSize": "3MB", "limit": 1048576}]'
	known_peer_failure runc # without a hugetlb hierarchy it ignores them
	refused 'huge|3MB' run -b "$B" "$ID"
}

@test "network.classID where the kernel has net_cls" {
	[ -d /sys/fs/cgroup/net_cls ] || skip "no net_cls hierarchy"
	resources '"network": {"classID": 1048577}'
	cg_is net_cls net_cls.classid 1048577
}

@test "unified on cgroup v1 is refused: invalid configuration" {
	[ ! -e /sys/fs/cgroup/cgroup.controllers ] || skip "cgroup v2"
	config '.linux.resources.unified = {"memory.max": "1048576"}'
	refused 'invalid configuration|unified' run -b "$B" "$ID"
}

@test "unified on cgroup v2 is written" {
	[ -e /sys/fs/cgroup/cgroup.controllers ] || skip "cgroup v1"
	resources '"unified": {"memory.high": "33554432", "pids.max": "33"}'
	cg_is memory - 33554432 memory.high
	cg_is pids - 33 pids.max
}

@test "unified keys with a slash or an unknown name are refused" {
	[ -e /sys/fs/cgroup/cgroup.controllers ] || skip "cgroup v1"
	for k in '../cgroup.procs' 'memory/../x' 'no.such'; do
		config --arg k "$k" '.linux.resources.unified = {($k): "1"}'
		refused "unified|$k|such" run -b "$B" "$ID"
	done
}

@test "limits apply to children and to exec" {
	resources '"pids": {"limit": 6}'
	b exec "$ID" sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 3 & done; echo all'
	[[ $out$err != *all* ]] || [[ $err =~ fork ]]
}

@test "the cgroups are gone after delete" {
	resources '"pids": {"limit": 20}'
	ok delete --force "$ID"
	cgroups_of_test
	is "${#CGROUPS[@]}" 0
}

@test "a limit that cannot be set leaves no cgroup" {
	config '.linux.resources.memory.limit = 67108864 | .linux.resources.cpu.cpus = "4095"'
	refused 'cpu' create -b "$B" "$ID"
}

@test "cgroup v2: exec joins the sub-cgroup of init where the container's own passes controllers on" {
	known_peer_failure crun
	requires root
	# The private view has what v1 left of the controllers; any of them shows it.
	cat >"$T/v2.sh" <<-'END2'
		mount --make-rprivate / && umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 99
		read -r ctrl _ </sys/fs/cgroup/cgroup.controllers || exit 77
		echo "+$ctrl" >/sys/fs/cgroup/cgroup.subtree_control
		echo "$ctrl"
		D=/sys/fs/cgroup/$ID
		$BRIG --root "$R" run -d -b "$B" "$ID" >/dev/null || exit 98
		n=0
		until read -r _ <"$D/cgroup.subtree_control"; do n=$((n + 1)); [ $n -lt 100 ] || break; sleep 0.02; done
		$BRIG --root "$R" exec "$ID" sh -c 'grep ^0: /proc/self/cgroup'
		$BRIG --root "$R" exec "$ID" sh -c 'exit 5'
		echo $?
		$BRIG --root "$R" exec --cgroup other "$ID" sh -c 'grep ^0: /proc/self/cgroup'
		$BRIG --root "$R" delete --force "$ID"
		[ ! -d "$D" ]
	END2
	config '.linux.namespaces += [{"type": "cgroup"}]
		| .mounts += [{"destination": "/sys", "type": "sysfs", "source": "sysfs"},
			{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}]'
	prog 'cd /sys/fs/cgroup && mkdir init other && echo $$ >init/cgroup.procs &&
		read -r ctrl _ <cgroup.controllers && echo +$ctrl >cgroup.subtree_control; sleep 100'
	status=0
	BRIG="$BRIG ${RUNTIME_FLAGS[*]}" R=$R B=$B ID=$ID timeout 15 unshare -m sh "$T/v2.sh" </dev/null >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	slurp err "$T/err"
	[ "$status" != 77 ] || skip "v1 has all controllers"
	[ "$status" = 0 ] || fail "status $status" "$out" "$err"
	is "${out#*$'\n'}" $'0::/init\n5\n0::/other'
}
