#!/usr/bin/env bats
load helpers
load ../lib/levels
# docs/stats.md

more_setup() {
	requires root
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	admin ''
	at custom
}

# json JQ: of the sandbox, of a fresh `stats ID`
json() {
	ok stats --format json "$ID"
	jq -c ".sandboxes[0] | $1" "$T/out"
}
metrics_are_right() {
	"$TOP/tests/lib/openmetrics" "$T/out" || fail "no OpenMetrics: $out"
}

@test "stats: CPU time, memory and processes are the sandbox's" {
	prog 'i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done; sleep 100 & sleep 100 & echo x >/tmp/done; wait' \
		'.linux.resources = {"memory": {"limit": 67108864, "swap": 67108864}, "pids": {"limit": 20}}'
	ok run -d -b "$B" "$ID"
	appears "$B/rootfs/tmp/done"
	is "$(json '[.status, .level, .tainted, (.pid > 1)]')" '["running","custom",false,true]'
	is "$(json '.cpu | [.totalUs > 20000, .userUs + .systemUs <= .totalUs + 20000, .throttledUs == 0]')" \
		'[true,true,true]'
	is "$(json '.memory | [.bytes > 0, .peak >= .bytes, .limit, .oomKills]')" '[true,true,67108864,0]'
	is "$(json '.pids | [.current, .limit, .refused]')" '[3,20,0]'
	[ "$(json '.pids.peak // 3')" -ge 3 ]
}

@test "stats: a fork that was refused, a quota that held back, a kill for memory are counted" {
	prog 'for i in 1 2 3 4 5 6 7 8; do sleep 100 & done
		sh -c "x=\$(dd if=/dev/zero bs=1M count=64 2>/dev/null | tr \\\\0 x)"
		i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; echo x >/tmp/done; sleep 100' \
		'.linux.resources = {"memory": {"limit": 16777216, "swap": 16777216}, "pids": {"limit": 14},
		"cpu": {"quota": 20000, "period": 100000}}'
	ok run -d -b "$B" "$ID"
	appears "$B/rootfs/tmp/done"
	# The shell's forks of a command substitution go on to the limit and are told by the shell.
	b exec "$ID" sh -c 'sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait'
	is "$(json '[.pids.refused > 0, .cpu.throttledUs > 0, .cpu.throttledPeriods > 0, .memory.oomKills]')" \
		'[true,true,true,1]'
}

@test "stats: what a cgroup had counted before the sandbox is not its" {
	local d=/sys/fs/cgroup/cpuacct/$ID-kept u=/sys/fs/cgroup/unified/$ID-kept
	[ -d /sys/fs/cgroup/cpuacct ] || d=/sys/fs/cgroup/$ID-kept u=$d
	mkdir "$d"
	[ "$d" = "$u" ] || [ ! -d /sys/fs/cgroup/unified ] || mkdir "$u"
	# not in this shell, where bats follows every command
	sh -c 'for f; do [ ! -d "$f" ] || echo $$ >"$f/cgroup.procs"; done
		i=0; while [ $i -lt 1000000 ]; do i=$((i + 1)); done' sh "$d" "$u"
	if [ -e "$d/cpuacct.usage" ]; then
		used=$(<"$d/cpuacct.usage")
	else
		used=$(sed -n 's/^usage_usec \(.*\)/\1000/p' "$d/cpu.stat")
	fi
	[ "$used" -gt 200000000 ] || fail "there is nothing to take off: $used"
	config --arg p "/$ID-kept" '.linux.cgroupsPath = $p | .process.args = ["sleep","100"]'
	ok run -d -b "$B" "$ID"
	json '.cpu.totalUs < 150000 and .cpu.userUs < 150000' >"$T/less"
	ok delete -f "$ID"
	for f in "$d" "$u"; do [ ! -d "$f" ] || rmdir "$f"; done
	is "$(<"$T/less")" true
}

@test "stats: what is on the writable tmpfs of a sandbox" {
	at high
	prog 'dd if=/dev/zero of=/workspace/f bs=1M count=3 2>/dev/null; mkdir /tmp/a /tmp/b; echo x >/dev/shm/done
		sleep 100' '.mounts += [{"destination": "/dev/shm", "type": "tmpfs"},
			{"destination": "/ro", "type": "tmpfs", "options": ["ro"]}]'
	ok run -d -b "$B" "$ID"
	init_pid
	appears "/proc/$PID/root/dev/shm/done"
	is "$(json '.disk | map({(.path): [.bytes, .inodes]}) | add | [.["/workspace"], .["/tmp"], .["/ro"]]')" \
		'[[3145728,2],[0,3],null]'
	is "$(json '[.disk[] | select(.path == "/workspace") | .size, .inodesMax]')" '[134217728,32768]'
}

@test "stats: a link or a file of the sandbox's in the place of a tmpfs is not followed" {
	config '.mounts += [{"destination": "/a/vol", "type": "tmpfs"}] | .process.args = ["sleep","100"]'
	ok run -d -b "$B" "$ID"
	is "$(json '[.disk[].path] | contains(["/a/vol"])')" true
	ok exec "$ID" sh -c 'mv /a /b && ln -s / /a'
	is "$(json '[.disk[].path] | contains(["/a/vol"])')" false
	ok exec "$ID" sh -c 'rm /a && mkdir -p /a/vol'
	is "$(json '[.disk[].path] | contains(["/a/vol"])')" false
}

@test "stats: a sandbox that may mount is not asked what its file systems hold" {
	caps CAP_SYS_ADMIN
	sleeps '.mounts += [{"destination": "/vol", "type": "tmpfs"}]'
	is "$(json 'has("disk")')" false
}

@test "stats: network devices but lo, and nothing where there is only lo" {
	command -v ip >/dev/null || skip "no ip"
	sleeps
	is "$(json 'has("network")')" false
	init_pid
	ip link add "v$$a" type veth peer name "v$$b" netns "$PID"
	ip link set "v$$a" up
	nsenter -t "$PID" -n ip link set "v$$b" up
	b exec "$ID" sh -c 'exit 0'
	json '.network | [.devices, .rxBytes >= 0, .txPackets >= 0]' >"$T/net"
	ip link del "v$$a"
	is "$(<"$T/net")" '[1,true,true]'
}

@test "stats: the host's network is not the sandbox's" {
	sleeps '.linux.namespaces |= map(select(.type != "network"))'
	is "$(json 'has("network")')" false
}

@test "stats: pressure, where the kernel and the cgroups have it" {
	sleeps
	[ -e "/sys/fs/cgroup/unified/$ID/cpu.pressure" ] || [ -e "/sys/fs/cgroup/$ID/cpu.pressure" ] ||
		skip "no PSI of cgroups"
	is "$(json '[.cpu, .memory, .io] | map(.pressure.some | .avg10 >= 0 and .totalUs >= 0)')" '[true,true,true]'
}

@test "stats: several ids in their order, an unknown one is an error" {
	ok create -b "$B" "$ID"
	ok create -b "$B" "$ID-2"
	ok stats --format json "$ID-2" "$ID"
	is "$(jq -c '[.v, [.sandboxes[].id], has("total"), has("host")]' "$T/out")" "[1,[\"$ID-2\",\"$ID\"],false,false]"
	no stats "$ID" nobody
	err_has 'does not exist'
	is "$out" ''
	ok delete -f "$ID-2"
}

@test "stats --all: paused, stopped, half made and damaged ones are listed with what is known" {
	creates
	ok run -d -b "$B" "$ID-exits" # true
	becomes stopped "$ID-exits"
	config '.process.args = ["sleep", "100"]'
	ok run -d -b "$B" "$ID-pause"
	ok pause "$ID-pause"
	mkdir -p "$R/$ID-half" "$R/$ID-hurt"
	echo '{"v":1,' >"$R/$ID-hurt/state.json"
	ok stats --all --format json
	is "$(jq -c '.sandboxes | map(.status)' "$T/out")" '["created","stopped","stopped",null,"paused"]'
	is "$(jq -r '.sandboxes[2].error' "$T/out")" 'container does not exist: it has no state yet, or no more'
	[ "$(jq -r '.sandboxes[3].error' "$T/out")" != null ]
	jq -e '.sandboxes[1] | .cpu.totalUs > 0 and .pids.current <= 1 and has("pid") == false' "$T/out"
	is "$(command jq -c '.total | [.sandboxes, .byStatus, .byLevel]' "$T/out")" \
		'[5,{"created":1,"stopped":2,"unknown":1,"paused":1},{"custom":3,"unknown":2}]'
	jq -e '.total.pids >= 2 and .total.memory > 0 and .host.cpus > 0 and .host.memory > .host.memoryAvailable' "$T/out"
	ok stats --all --format openmetrics
	metrics_are_right
	ok stats --all
	is "$(wc -l <"$T/out")" 6
	ok delete -f "$ID-pause"
	ok delete -f "$ID-exits"
	ok delete "$ID-half"
	ok delete -f "$ID-hurt"
}

@test "stats --all of nothing is empty, of no directory an error" {
	ok stats --all --format json
	is "$(jq -c '[.sandboxes, .total.sandboxes]' "$T/out")" '[[],0]'
	ok stats --all --format openmetrics
	metrics_are_right
	no --root "$T/none" stats --all
	err_has none
}

@test "stats: OpenMetrics text is right, whatever a path is called" {
	config '.mounts += [{"destination": "/a \"b\\c\nd", "type": "tmpfs"}] | .process.args = ["sleep", "100"]'
	ok run -d -b "$B" "$ID"
	ok stats --format openmetrics "$ID"
	metrics_are_right
	out_has 'path="/a \\"b\\\\c\\nd"'
	out_has "brig_sandbox_info\\{id=\"$ID\",level=\"custom\",status=\"running\",ended=\"\"\\} 1"
}

@test "stats: the table has a line for each, and sizes for people" {
	at high
	config '.process.args = ["sleep", "100"] | .linux.resources.memory.limit = 67108864'
	creates
	ok stats "$ID"
	is "$(awk 'NR == 1 {print $1, $2, $3, $4, $5, $6}' "$T/out")" 'ID STATUS LEVEL CPU MEMORY PEAK'
	out_has "$ID +created +high +0\\.[0-9]{3}s +[0-9.]+[KM] / 64M"
}

@test "stats: how it ended, at a level" {
	at high
	config '.annotations = {"dev.brig.time.wall": "300ms"} | .process.args = ["sleep","100"]'
	ok run -d -b "$B" "$ID"
	becomes stopped
	is "$(json '[.status, .ended, .tainted]')" '["stopped","timeout",false]'
	ok stats --format openmetrics "$ID"
	metrics_are_right
	out_has 'status="stopped",ended="timeout"'
}

@test "stats: sandboxes that come and go meanwhile are no error" {
	local i pids=()
	config '.process.args = ["true"]'
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		"${BR[@]}" run -b "$B" "$ID-$i" </dev/null >/dev/null 2>&1 3>&- &
		pids+=($!)
		ok stats --all --format json
		jq -e '.v == 1' "$T/out" >/dev/null
	done
	wait "${pids[@]}"
}

@test "stats: bad usage" {
	no stats
	err_has -- --all
	no stats --all "$ID"
	no stats --format xml --all
	err_has 'invalid format option'
	no stats ../x
	err_has 'invalid container ID format'
}
