#!/usr/bin/env bats
load helpers
# What differs on cgroup v2, and with systemd as the cgroup manager (made for tests/vm)

more_setup() {
	requires v2
	DIR=/sys/fs/cgroup/$ID
}

RW='.mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}]
	| .linux.namespaces += [{"type": "cgroup"}]'
RO='.mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}]'

# file NAME: value is what the container's cgroup says
file() { slurp value "$DIR/$1"; }
file_is() {
	file "$1"
	[ "$value" = "$2" ] || fail "$1: want $2 got $value"
}
# subgroups: an init that moves itself below its cgroup and passes controllers on, as systemd does
subgroups() {
	chown_root 100000:100000
	userns
	prog 'cd /sys/fs/cgroup; mkdir init && echo 1 >init/cgroup.procs &&
		echo +memory +pids >cgroup.subtree_control && echo done >/tmp/done; sleep 100' "$RW"
	ok run -d -b "$B" "$ID"
	appears "$B/rootfs/tmp/done"
}

@test "v2: the container's cgroup is the root of its namespace and of its mount" {
	says 'cat /proc/self/cgroup; grep -c . /sys/fs/cgroup/pids.current; mkdir /sys/fs/cgroup/x 2>&1 || :' \
		"$RW | $RO | del(.mounts[-2])"
	out_has $'^0::/\n1\n.*Read-only'
}

@test "v2: without a cgroup namespace its directory is bound" {
	says 'cat /proc/self/cgroup; ls /sys/fs/cgroup/pids.current' "$RO"
	out_is "0::/$ID"$'\n/sys/fs/cgroup/pids.current'
}

@test "v2: limits are written in the words of v2" {
	sleeps '.linux.resources += {"pids": {"limit": 33}, "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}],
		"memory": {"limit": 67108864, "swap": 100663296, "reservation": 33554432},
		"cpu": {"shares": 512, "quota": 20000, "period": 50000, "cpus": "0", "mems": "0"},
		"blockIO": {"weight": 300}, "unified": {"memory.high": "50331648"}}'
	file_is memory.max 67108864
	file_is memory.swap.max 33554432
	file_is memory.low 33554432
	file_is memory.high 50331648
	file_is pids.max 33
	file_is cpu.max '20000 50000'
	file_is cpu.weight 59
	file_is cpuset.cpus 0
	file_is cpuset.mems 0
	file_is hugetlb.2MB.max 4194304
	file_is io.weight 'default 2930'
	ok update --memory 83886080 --memory-swap 83886080 --pids-limit 44 --cpuset-cpus 1 --cpu-quota 30000 "$ID"
	file_is memory.max 83886080
	file_is memory.swap.max 0
	file_is pids.max 44
	file_is cpuset.cpus 1
	file_is cpu.max '30000 50000'
}

uses() { file memory.current && [ "$value" -gt "$1" ]; }

@test "v2: update refuses memory below what is in use, which the kernel would kill for" {
	prog 'head -c 30000000 /dev/zero | tail -c 29999999 | sleep 100' \
		'.linux.resources += {"memory": {"limit": 83886080, "swap": 83886080}, "pids": {"limit": 33}}'
	ok run -d -b "$B" "$ID"
	wait_for 60 uses 29000000
	no update --memory 8388608 --memory-swap 8388608 --pids-limit 44 "$ID"
	err_has 'memory limit 8388608 is below the [0-9]+ bytes in use'
	file_is memory.max 83886080
	file_is memory.high max
	file_is pids.max 33
	status_is running
	file memory.events
	[[ $value == *'oom_kill 0'* ]]
	ok update --memory 62914560 --memory-swap 62914560 "$ID"
	file_is memory.max 62914560
	status_is running
}

@test "v2: update frees what can be freed before it lowers the limit" {
	# Page cache of a file that nobody writes any more, on the disk of the machine.
	prog 'dd if=/dev/zero of=/big bs=1M count=40 2>/dev/null; sync; echo x >/tmp/done; sleep 100' \
		'.linux.resources += {"memory": {"limit": 83886080, "swap": 83886080}}'
	ok run -d -b "$B" "$ID"
	appears "$B/rootfs/tmp/done"
	[ "$(stat -fc %T "$B/rootfs")" != tmpfs ] || skip "tests are on a tmpfs: nothing can be freed"
	ok update --memory 12582912 --memory-swap 12582912 "$ID"
	file_is memory.max 12582912
	status_is running
	rm -f "$B/rootfs/big"
}

@test "v2: update with CPUs that cannot be had is refused" {
	sleeps '.linux.resources.cpu = {"cpus": "0"} | .linux.resources.pids.limit = 33'
	no update --cpuset-cpus 999 --pids-limit 44 "$ID"
	err_has 'can be had'
	file_is cpuset.cpus 0
	file_is pids.max 33
}

@test "v2: stats tells what v2 counts" {
	sleeps '.linux.resources += {"memory": {"limit": 83886080, "swap": 83886080}, "pids": {"limit": 33}}'
	ok stats --format json "$ID"
	jq -e '.sandboxes[0] | .cpu.totalUs > 0 and .cpu.throttledPeriods == 0 and .memory.bytes > 0
		and .memory.limit == 83886080 and .memory.oomKills == 0 and .memory.limitHits >= 0
		and .pids == (.pids + {"current": 1, "limit": 33, "refused": 0})' "$T/out"
	ok stats --all --format openmetrics
	"$TOP/tests/lib/openmetrics" "$T/out"
}

@test "v2: device rules are in force" {
	caps CAP_MKNOD
	says 'mknod /tmp/kmsg c 1 11 && head -c1 /tmp/kmsg 2>&1; echo x >/dev/null && echo fine'
	out_has 'not permitted'
	out_has 'fine$'
}

@test "v2: pause freezes the cgroup, resume thaws it" {
	sleeps
	ok pause "$ID"
	status_is paused
	file cgroup.events
	[[ $value == *'frozen 1'* ]]
	ok resume "$ID"
	file cgroup.events
	[[ $value == *'frozen 0'* ]]
}

@test "v2: events tells an out-of-memory kill of the first process" {
	# shellcheck disable=SC2016
	config '.process.args = ["sh", "-c", "until [ -e /tmp/go ]; do sleep 0.2; done
		x=$(dd if=/dev/zero bs=1M count=64 2>/dev/null | tr \"\\\\0\" x); echo $x"]
		| .linux.resources.memory = {"limit": 16777216, "swap": 16777216}'
	ok run -d -b "$B" "$ID"
	"${FG[@]}" 100 "${BR[@]}" events --interval 90s "$ID" >"$T/events" 2>&1 3>&- &
	PIDS+=($!)
	sleep 1
	: >"$B/rootfs/tmp/go"
	wait "$!"
	slurp out "$T/events"
	out_has '"type":"oom"'
}

@test "v2: a writable cgroup mount in a user namespace is delegated" {
	subgroups
	is "$(stat -c '%u' "$DIR")" 100000
	is "$(stat -c '%u' "$DIR/memory.max")" 0
	file_is cgroup.subtree_control 'memory pids'
}

@test "v2: exec joins the sub-cgroup of the first process where its cgroup takes none" {
	subgroups
	ok exec "$ID" cat /proc/self/cgroup
	out_is 0::/init
	mkdir "$DIR/other"
	ok exec --cgroup other "$ID" cat /proc/self/cgroup
	out_is 0::/other
	no exec --cgroup ../.. "$ID" true
	no exec --cgroup absent "$ID" true
}

@test "v2: delete removes sub-cgroups: deep, threaded, frozen" {
	subgroups
	mkdir -p "$DIR/init/a/b/c" "$DIR/t/in"
	echo threaded >"$DIR/t/in/cgroup.type"
	echo 1 >"$DIR/init/cgroup.freeze"
	ok delete --force "$ID"
	[ ! -d "$DIR" ]
}

@test "v2: a parent or a cgroup with processes in it is refused" {
	mkdir "$DIR-busy"
	sleep 100 3>&- &
	PIDS+=($!)
	echo "$!" >"$DIR-busy/cgroup.procs"
	config ".linux.cgroupsPath = \"/$ID-busy\""
	CHECKED_LATER=1 refused 'not empty' run -b "$B" "$ID"
	config ".linux.cgroupsPath = \"/$ID-busy/in\" | .linux.resources.memory.limit = 67108864"
	CHECKED_LATER=1 refused 'processes of its own' run -b "$B" "$ID"
	kill "$!"
	wait "$!" || :
	rmdir "$DIR-busy"
}

@test "v2: a cgroup namespace given by path is joined" {
	sleeps "$RW"
	init_pid
	prog 'cat /proc/self/cgroup' \
		".linux.namespaces |= map(if .type == \"cgroup\" then .path = \"/proc/$PID/ns/cgroup\" else . end)"
	ok run -b "$B" "$ID-2"
	out_is "0::/../$ID-2"
}

@test "v2: an id-mapped bind of a tmpfs" {
	requires kernel:6.3
	mkdir "$T/volume"
	chown_root 100000:100000
	userns
	says 'stat -c %u /mnt; : >/mnt/made' \
		".mounts += [{\"destination\": \"/mnt\", \"source\": \"$T/volume\", \"options\": [\"bind\", \"idmap\"]}]"
	out_is 0
	is "$(stat -c %u "$T/volume/made")" 0
}

@test "v2: a time namespace" {
	says 'cat /proc/uptime' '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"boottime": {"secs": 900000}}'
	out_has '^900[0-9]{3}[.]'
}

# --- systemd as the manager --------------------------------------------------------------------

scope() {
	requires systemd
	BR+=(--systemd-cgroup)
	UNIT=brig-$ID.scope
	DIR=/sys/fs/cgroup/system.slice/$UNIT
}
no_unit() { is "$(systemctl list-units --all --no-legend "*$ID*")" ""; }

@test "systemd: a scope with the limits, in which exec, pause and update work" {
	scope
	sleeps '.linux.resources += {"pids": {"limit": 33}, "memory": {"limit": 67108864}, "cpu": {"cpus": "0"}}'
	file_is pids.max 33
	file_is memory.max 67108864
	file_is cpuset.cpus 0
	ok exec "$ID" cat /proc/self/cgroup
	out_is "0::/system.slice/$UNIT"
	ok pause "$ID"
	status_is paused
	ok resume "$ID"
	ok update --pids-limit 44 --memory 83886080 "$ID"
	systemctl daemon-reload
	file_is pids.max 44
	file_is memory.max 83886080
	is "$(systemctl show -P TasksMax "$UNIT")" 44
	ok delete --force "$ID"
	no_unit
}

@test "systemd: the cgroup mount shows the scope, with and without a cgroup namespace" {
	scope
	says 'cat /proc/self/cgroup; ls /sys/fs/cgroup/pids.current' "$RO"
	out_is "0::/system.slice/$UNIT"$'\n/sys/fs/cgroup/pids.current'
	says 'cat /proc/self/cgroup; ls /sys/fs/cgroup/pids.current' '.linux.namespaces += [{"type": "cgroup"}]'
	out_is $'0::/\n/sys/fs/cgroup/pids.current'
	no_unit
}

@test "systemd: cgroupsPath names slice, prefix and name" {
	scope
	config ".linux.cgroupsPath = \"v2-deep.slice:p:$ID\""
	says 'cat /proc/self/cgroup'
	out_is "0::/v2.slice/v2-deep.slice/p-$ID.scope"
	config ".linux.cgroupsPath = \"/plain/$ID\""
	refused 'slice:prefix:name' run -b "$B" "$ID"
}

@test "systemd: a taken name is refused and the other container lives on" {
	scope
	sleeps
	config ".linux.cgroupsPath = \":brig:$ID\""
	no run -b "$B" "$ID-2"
	err_has "$UNIT"
	status_is running
	is "$(systemctl is-active "$UNIT")" active
}

@test "systemd: a brig that is killed while its driver asks leaves no unit" {
	scope
	# Its driver has not asked yet when brig dies, and goes on then; what brig had made is a zombie by then,
	# which systemd takes for a process.
	mkdir "$T/bin"
	cp "$BRIG" "$T/bin/brig"
	cp "${BRIG%/*}/brig-systemd" "$T/bin/real"
	cat >"$T/bin/brig-systemd" <<-END
		#!/bin/sh
		touch "$T/asks"
		while [ ! -e "$T/go" ]; do sleep 0.1; done
		"$T/bin/real" "\$@"
		echo "\$?" >"$T/asked"
	END
	chmod 755 "$T/bin/brig-systemd"
	cat >"$T/bin/lazy" <<-END
		import ctypes, subprocess, sys, time
		ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
		brig = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
		open(sys.argv[1], "w").write(str(brig.pid))
		time.sleep(300)
	END
	BR[0]=$T/bin/brig
	python3 "$T/bin/lazy" "$T/pid" "${BR[@]}" create -b "$B" "$ID" </dev/null 3>&- &
	PIDS+=($!)
	wait_for 20 test -e "$T/asks"
	kill -9 "$(cat "$T/pid")"
	b delete --force "$ID"
	touch "$T/go"
	wait_for 30 test -e "$T/asked"
	is "$(systemctl list-units --all --plain --no-legend "*$ID*")" ''
}

@test "systemd: a limit that fails leaves no unit" {
	scope
	config '.linux.resources.unified = {"no.such": "1"}'
	refused 'no.such' run -b "$B" "$ID"
	no_unit
}

@test "systemd: delete --force of a unit that is being stopped" {
	scope
	sleeps
	systemctl stop --no-block "$UNIT"
	ok delete --force "$ID"
	no_unit
}

# lingering: USER of uid 1000 has a systemd; the bundle is that user's.  u COMMAND: as that user
lingering() {
	requires systemd
	USER=$(id -nu 1000 2>/dev/null) || skip "no user with uid 1000"
	loginctl enable-linger "$USER" || skip "no linger"
	systemctl start user@1000
	cp "$BRIG" "$T/brig"
	cp "${BRIG%/*}/brig-systemd" "$T/" || skip "no brig-systemd"
	config '.linux.namespaces |= map(select(.type != "network")) + [{"type": "user"}, {"type": "cgroup"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 1}]
		| .linux.gidMappings = .linux.uidMappings | .process.args = ["sleep", "100"]
		| .linux.resources = {"pids": {"limit": 30}, "memory": {"limit": 67108864}, "cpu": {"cpus": "1"}}
		| .mounts |= map(if .options then .options -= ["gid=5"] else . end)'
	chown_root 1000:1000
	chown -R 1000:1000 "$B" "$R"
	chmod 755 "$T"
	DIR=/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service
}
u() {
	status=0
	timeout "${LIMIT:-10}" setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" XDG_RUNTIME_DIR=/run/user/1000 BRIG_TEST_MARK="$ID" \
		DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus "$@" \
		</dev/null >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	slurp err "$T/err"
	[ "$status" = 0 ] || fail "$*: status $status" "$out" "$err"
}

@test "systemd: rootless, a scope of the user's own systemd, from outside of it" {
	lingering
	ub=("$T/brig" "${RUNTIME_FLAGS[@]}" --root "$R" --systemd-cgroup)
	u "${ub[@]}" run -d -b "$B" "$ID"
	DIR+=/user.slice/brig-$ID.scope
	file_is pids.max 30
	file_is memory.max 67108864
	file_is cpuset.cpus 1
	u "${ub[@]}" exec "$ID" cat /proc/self/cgroup
	out_is 0::/
	u "${ub[@]}" update --pids-limit 20 "$ID"
	file_is pids.max 20
	u "${ub[@]}" pause "$ID"
	u "${ub[@]}" resume "$ID"
	u "${ub[@]}" delete --force "$ID"
	[ ! -d "$DIR" ]
}

@test "systemd: rootless without it as the manager, in what was delegated" {
	lingering
	ub=("$T/brig" "${RUNTIME_FLAGS[@]}" --root "$R")
	u systemd-run --user --scope -q "${ub[@]}" run -d -b "$B" "$ID"
	DIR+=/app.slice/$ID
	file_is pids.max 30
	u systemd-run --user --scope -q "${ub[@]}" exec "$ID" cat /proc/self/cgroup
	out_is 0::/
	u "${ub[@]}" delete --force "$ID"
	[ ! -d "$DIR" ]
}
