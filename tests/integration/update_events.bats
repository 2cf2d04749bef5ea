#!/usr/bin/env bats
load helpers

@test "update --pids-limit sets the limit" {
	sleeps
	ok update --pids-limit 20 "$ID"
	cg_is pids pids.max 20 pids.max
}

@test "update --pids-limit -1 lifts the limit" {
	sleeps '.linux.resources.pids.limit = 10'
	ok update --pids-limit -1 "$ID"
	cg_is pids pids.max max pids.max
}

@test "update takes flags after the id" {
	known_peer_failure crun
	sleeps
	ok update "$ID" --pids-limit 30
	cg_is pids pids.max 30 pids.max
}

@test "update --memory takes a size with a suffix" {
	sleeps
	ok update --memory 40M "$ID"
	cg_is memory memory.limit_in_bytes 41943040 memory.max
}

@test "update --memory in bytes, then lower, then higher with swap" {
	sleeps '.linux.resources.memory = {"limit": 33554432, "swap": 33554432}'
	ok update --memory 67108864 --memory-swap 67108864 "$ID"
	cg_is memory memory.limit_in_bytes 67108864 memory.max
	cg_is memory memory.memsw.limit_in_bytes 67108864 memory.swap.max 0
	ok update --memory 33554432 --memory-swap 50331648 "$ID"
	cg_is memory memory.limit_in_bytes 33554432 memory.max
	cg_is memory memory.memsw.limit_in_bytes 50331648 memory.swap.max 16777216
}

@test "update --memory -1 lifts the limit" {
	sleeps '.linux.resources.memory.limit = 33554432'
	ok update --memory -1 --memory-swap -1 "$ID"
	cg_is memory memory.limit_in_bytes 9223372036854771712 memory.max max
}

@test "update --memory-reservation sets the soft limit" {
	sleeps
	ok update --memory-reservation 30M "$ID"
	cg_is memory memory.soft_limit_in_bytes 31457280 memory.low
}

@test "update --cpu-share sets the weight" {
	sleeps
	ok update --cpu-share 512 "$ID"
	cg_is cpu cpu.shares 512 cpu.weight 59
}

@test "update --cpu-period and --cpu-quota set the bandwidth" {
	sleeps
	ok update --cpu-period 50000 --cpu-quota 25000 "$ID"
	cg_is cpu cpu.cfs_quota_us 25000 cpu.max '25000 50000'
	cg_is cpu cpu.cfs_period_us 50000 cpu.max '25000 50000'
}

@test "update --cpu-quota alone keeps the period" {
	sleeps '.linux.resources.cpu = {"quota": 30000, "period": 60000}'
	ok update --cpu-quota 15000 "$ID"
	cg_is cpu cpu.cfs_quota_us 15000 cpu.max '15000 60000'
	cg_is cpu cpu.cfs_period_us 60000 cpu.max '15000 60000'
}

@test "update --cpu-quota -1 lifts the bandwidth limit" {
	sleeps '.linux.resources.cpu = {"quota": 30000, "period": 60000}'
	ok update --cpu-quota -1 "$ID"
	cg_is cpu cpu.cfs_quota_us -1 cpu.max 'max 60000'
}

@test "update --cpu-burst sets the burst" {
	known_peer_failure runc
	sleeps '.linux.resources.cpu = {"quota": 30000, "period": 60000}'
	ok update --cpu-burst 10000 "$ID"
	cg_is cpu cpu.cfs_burst_us 10000 cpu.max.burst
}

@test "update --cpu-idle sets idle" {
	known_peer_failure runc
	sleeps
	ok update --cpu-idle 1 "$ID"
	cg_is cpu cpu.idle 1 cpu.idle
}

@test "update --cpuset-cpus and --cpuset-mems set the sets" {
	sleeps
	ok update --cpuset-cpus 0 --cpuset-mems 0 "$ID"
	cg_is cpuset cpuset.cpus 0 cpuset.cpus
	cg_is cpuset cpuset.mems 0 cpuset.mems
}

@test "update --blkio-weight sets the weight where the kernel has it" {
	[ -e /sys/fs/cgroup/blkio/blkio.weight ] || [ -e /sys/fs/cgroup/blkio/blkio.bfq.weight ] ||
		skip "no blkio weight in this kernel"
	sleeps
	ok update --blkio-weight 200 "$ID"
}

@test "update accepts the ignored flags --kernel-memory and --kernel-memory-tcp" {
	sleeps
	ok update --kernel-memory 50M --kernel-memory-tcp 50M "$ID"
}

@test "update --resources reads linux.resources from a file" {
	sleeps
	echo '{"pids": {"limit": 25}, "cpu": {"shares": 700}, "memory": {"limit": 50331648}}' >"$T/r.json"
	ok update --resources "$T/r.json" "$ID"
	cg_is pids pids.max 25 pids.max
	cg_is cpu cpu.shares 700 cpu.weight 27
	cg_is memory memory.limit_in_bytes 50331648 memory.max
}

@test "update -r - reads stdin" {
	sleeps
	echo '{"pids": {"limit": 26}}' >"$T/r.json"
	STDIN=$T/r.json ok update -r - "$ID"
	cg_is pids pids.max 26 pids.max
}

@test "update --resources=- with the id after it, as engines call it" {
	sleeps
	echo '{"pids": {"limit": 27}}' >"$T/r.json"
	STDIN=$T/r.json ok update --resources=- "$ID"
	cg_is pids pids.max 27 pids.max
}

@test "update with an empty document changes nothing" {
	sleeps '.linux.resources.pids.limit = 10'
	echo '{}' >"$T/r.json"
	ok update -r "$T/r.json" "$ID"
	cg_is pids pids.max 10 pids.max
}

@test "update with bad JSON fails and changes nothing" {
	sleeps '.linux.resources.pids.limit = 10'
	echo '{"pids": ' >"$T/r.json"
	no update -r "$T/r.json" "$ID"
	is "$status" 1
	cg_is pids pids.max 10 pids.max
}

@test "update with an absent file fails and names it" {
	sleeps
	no update -r "$T/none.json" "$ID"
	err_has none.json
}

@test "update with an invalid value fails with 1" {
	sleeps
	for a in "--memory x" "--memory 12Q" "--pids-limit many" "--cpu-share -4" "--cpu-quota ten"; do
		# shellcheck disable=SC2086
		no update $a "$ID"
		is "$status" 1
	done
}

@test "update that the kernel refuses fails with 1 and rolls back what it did" {
	known_peer_failure runc crun
	sleeps '.linux.resources.pids.limit = 10 | .linux.resources.cpu = {"shares": 300}'
	echo '{"pids": {"limit": 44}, "cpu": {"shares": 600, "quota": 10000, "period": 5}}' >"$T/r.json"
	no update -r "$T/r.json" "$ID"
	is "$status" 1
	cg_is pids pids.max 10 pids.max
	cg_is cpu cpu.shares 300 cpu.weight 39
}

@test "update with a cache schema where there is no resctrl fails and changes nothing" {
	known_peer_failure runc crun
	! mountpoint -q /sys/fs/resctrl || skip "resctrl is mounted"
	sleeps '.linux.resources.pids.limit = 20'
	no update --pids-limit 30 --l3-cache-schema 'L3:0=f' "$ID"
	err_has resctrl
	cg_is pids pids.max 20 pids.max
}

@test "update with memory.checkBeforeUpdate refuses a limit below the usage" {
	known_peer_failure runc crun
	prog 'dd if=/dev/zero of=/dev/shm-fill bs=1M count=20 2>/dev/null; echo x >/tmp/done; sleep 100'
	ok run -d -b "$B" "$ID"
	appears "$B/rootfs/tmp/done"
	echo '{"memory": {"limit": 1048576, "checkBeforeUpdate": true}}' >"$T/r.json"
	no update -r "$T/r.json" "$ID"
	err_has 'rejecting memory limit'
	rm -f "$B/rootfs/dev/shm-fill"
}

# unchanged: what limited says; three different hierarchies on v1
limited() {
	prog 'head -c 20000000 /dev/zero | tail -c 19999999 | sleep 100' \
		'.linux.resources += {"memory": {"limit": 67108864, "swap": 67108864}, "pids": {"limit": 30},
			"cpu": {"shares": 300, "cpus": "0"}}'
	ok run -d -b "$B" "$ID"
	wait_for 60 uses memory.usage_in_bytes memory.current
}
uses() {
	cg memory "$1" "$2"
	[ "$value" -gt 19000000 ]
}
unchanged() {
	is "$status" 1
	cg_is memory memory.limit_in_bytes 67108864 memory.max
	cg_is memory memory.memsw.limit_in_bytes 67108864 memory.swap.max 0
	cg_is pids pids.max 30 pids.max
	cg_is cpu cpu.shares 300 cpu.weight 39
	cg_is cpuset cpuset.cpus 0 cpuset.cpus
	status_is running
}

@test "update of memory below what is in use is refused in words, and nothing is changed" {
	known_peer_failure runc crun
	limited
	no update --pids-limit 44 --cpu-share 600 --cpuset-cpus 1 --memory 5M "$ID"
	err_has 'memory limit 5242880 is below the [0-9]+ bytes in use'
	unchanged
	no update --memory 5M --memory-swap 5M "$ID"
	err_has 'is below the [0-9]+ bytes in use'
	unchanged
	ok update --memory 50M "$ID"
	cg_is memory memory.limit_in_bytes 52428800 memory.max
}

@test "update of memory above the limit of memory and swap says what is missing" {
	requires hybrid
	known_peer_failure runc crun
	limited
	no update --memory 100M --pids-limit 44 "$ID"
	err_has 'memory limit 104857600 is above the limit 67108864 of memory and swap'
	unchanged
	ok update --memory 100M --memory-swap 100M "$ID"
	cg_is memory memory.limit_in_bytes 104857600
}

@test "update with limits of 0 leaves them, as engines mean it; 0 processes is one" {
	known_peer_failure runc crun
	limited
	echo '{"memory": {"limit": 0, "swap": 0, "reservation": 0}, "cpu": {"quota": 0, "period": 0, "shares": 0}}' >"$T/r.json"
	ok update -r "$T/r.json" "$ID"
	ok update --memory 0 --memory-swap 0 --cpu-quota 0 --cpu-share 0 "$ID"
	status=1 unchanged
	# Below what there is the kernel only lets nobody fork.
	ok update --pids-limit 0 "$ID"
	cg_is pids pids.max 1 pids.max
	status_is running
}

@test "update with absurd numbers, units and sets is refused, and nothing is changed" {
	known_peer_failure runc crun
	limited
	local a
	for a in "--memory 9223372036854775808" "--memory 8E" "--memory -5" "--memory 1.5G" "--memory 12Q" \
		"--memory 0x1000" "--memory-swap 1T1" "--pids-limit 99999999999999" "--pids-limit 1e3" "--pids-limit 10k" \
		"--cpu-period 5" "--cpu-period 2000000" "--cpu-period -100000" "--cpu-quota 1" "--cpu-quota 99999999999999" \
		"--cpu-quota 50%" "--cpuset-cpus 77" "--cpuset-cpus 0-5000" "--cpuset-cpus 1-0" "--cpuset-cpus -1" \
		"--cpuset-cpus all,0" "--cpuset-cpus x" "--cpuset-mems 99" "--blkio-weight 70000" "--cpu-idle 7"; do
		# shellcheck disable=SC2086
		no update --pids-limit 44 --memory 60M $a "$ID"
		unchanged
	done
	for a in '{"memory": {"limit": -5}}' '{"memory": {"limit": "5M"}}' '{"memory": {"limit": 1e9}}' \
		'{"pids": {"limit": 99999999999999999999}}' '{"cpu": {"cpus": "77"}}' '{"cpu": {"quota": 1}}' \
		'{"memory": {"swappiness": 101}}' '[]' '7' ''; do
		echo "$a" >"$T/r.json"
		no update --pids-limit 44 -r "$T/r.json" "$ID"
		unchanged
	done
}

@test "update with CPUs that do not exist names those that do" {
	known_peer_failure runc crun
	limited
	no update --cpuset-cpus 77 "$ID"
	err_has 'only (CPUs )?[0-9,-]+ .*can be had'
	unchanged
}

@test "update of a stopped container fails" {
	creates
	ok start "$ID"
	becomes stopped
	no update --pids-limit 10 "$ID"
}

@test "update of an unknown id fails" {
	no update --pids-limit 10 "$ID"
	err_has 'does not exist'
}

@test "update without an id fails" {
	no update --pids-limit 10
}

@test "update of a created container works" {
	creates
	ok update --pids-limit 11 "$ID"
	cg_is pids pids.max 11 pids.max
}

@test "update survives a pause and does not thaw" {
	sleeps
	ok pause "$ID"
	ok update --pids-limit 12 "$ID"
	status_is paused
	ok resume "$ID"
}

@test "update leaves the device rules in force" {
	caps CAP_MKNOD
	sleeps
	ok update --pids-limit 12 "$ID"
	ok exec "$ID" mknod /tmp/loop b 7 0
	b exec "$ID" sh -c 'read x </tmp/loop'
	[ "$status" != 0 ]
	err_has 'Operation not permitted'
}

@test "events --stats prints one line of statistics" {
	sleeps
	ok events --stats "$ID"
	[[ $out != *$'\n'* ]]
	is "$(jq -r 'keys_unsorted | join(",")' "$T/out")" type,id,data
	jq -e --arg id "$ID" '.type == "stats" and .id == $id and .data.pids.current >= 1
		and .data.memory.usage.usage > 0 and .data.cpu.usage.total > 0' "$T/out"
}

@test "events --interval prints statistics until the container ends" {
	known_peer_failure runc # does not end
	config '.process.args = ["sleep","0.6"]'
	ok run -d -b "$B" "$ID"
	LIMIT=5 ok events --interval 100ms "$ID"
	[ "$(grep -c '"type":"stats"' "$T/out")" -ge 3 ]
}

@test "events reports an out-of-memory kill" {
	# The first process does the starting, a child the eating: v1 kills one of them.
	prog 'sleep 0.4; sh -c "x=\$(dd if=/dev/zero bs=1M count=64 2>/dev/null | tr \\\\0 x)"; sleep 0.3' \
		'.linux.resources.memory = {"limit": 16777216, "swap": 16777216}'
	ok run -d -b "$B" "$ID"
	LIMIT=8 b events --interval 1s "$ID"
	out_has "\\{\"type\":\"oom\",\"id\":\"$ID\"\\}"
}

@test "events with interval 0 fails" {
	sleeps
	no events --interval 0s "$ID"
	err_has 'greater than 0'
}

@test "events with a malformed interval fails" {
	sleeps
	no events --interval 5parsec "$ID"
}

@test "events of an unknown id fails" {
	no events --stats "$ID"
	err_has 'does not exist'
}

@test "events of a stopped container fails" {
	creates
	ok start "$ID"
	becomes stopped
	no events --stats "$ID"
	err_has 'not running'
}
