#!/usr/bin/env bats
load helpers
# Levels on cgroup v2, under systemd, and on Linux 6.1: tests/vm/subset*

more_setup() {
	requires root v2
	known_peer_failure runc crun
	BR=("$BRIG" --root "$R")
}

# Before 6.3 a tmpfs, where the suite's bundles are, cannot be id-mapped.
root_on_disk() {
	kernel_at_least 6.3 && return
	requires tool:mkfs.ext4
	truncate -s 64M "$T/disk"
	mkfs.ext4 -qF "$T/disk"
	mkdir "$T/mnt"
	mount -o loop "$T/disk" "$T/mnt"
	MOUNTED+=("$T/mnt")
	chmod 755 "$T/mnt"
	cp -a "$BASE_ROOTFS" "$T/mnt/rootfs"
	config --arg r "$T/mnt/rootfs" '.root.path = $r'
}
in_cgroup() { # FILE...: what they hold, on one line
	local d f v line=()
	d=$(jq -r '.cgroup.dirs[0].path' "$R/$ID/state.json")
	for f; do v='' && read -r v <"$d/$f" || :; line+=("$v"); done
	printf '%s' "${line[*]}"
}

@test "levels v2: limits, CPUs, exec and what is seen" {
	root_on_disk
	config '.process.args = ["sleep", "100"] | .linux.resources = {"memory": {"limit": 67108864, "swap": 67108864},
		"cpu": {"quota": 50000, "period": 100000}}'
	for level in standard high; do
		ok --level $level create -b "$B" "$ID"
		is "$(in_cgroup memory.max memory.swap.max memory.oom.group cpu.max)" "67108864 0 1 50000 100000"
		[ "$level" = standard ] || [[ $(in_cgroup cpuset.cpus) =~ ^[0-9]$ ]]
		[ "$level" = high ] && is "$(in_cgroup pids.max)" 256 || is "$(in_cgroup pids.max)" 512
		ok start "$ID"
		ok exec "$ID" sh -c 'cat /proc/self/cgroup; awk "{print (\$2 >= 268435456)}" /proc/self/uid_map | head -n 1; nproc
			grep -c . /sys/fs/cgroup/memory.max 2>/dev/null; ls /sys; touch /x 2>/dev/null || echo ro'
		is "$(in_cgroup cgroup.procs | wc -w)" 1
		[ "$level" = standard ] || out_is $'0::/\n1\n1\n1\ndevices\nfs\nro'
		out_has $'^0::/\n1\n.*ro$'
		ok delete --force "$ID"
	done
}

# Linux 6.12's devpts takes no gid= that large, which config.json gives.
@test "levels v2: ids of the host from 2^31 on, and terminals there" {
	root_on_disk
	printf '{"v": 1, "ids": {"directory": "%s/ids", "first": %d, "count": 1048576}, "audit": {"path": "%s/audit/audit.jsonl"}}\n' \
		"$T" $((200 << 24)) "$T" >"$T/brig.json"
	config '.process.args = ["sleep", "100"] | .mounts |= map(if .type == "devpts" then .options |= (. + ["gid=5"] | unique) else . end)'
	for level in standard high; do
		ok --level $level --system-config "$T/brig.json" create -b "$B" "$ID"
		ok start "$ID"
		ok exec --tty "$ID" sh -c 'echo $(($(awk "NR == 1 { print \$2 }" /proc/self/uid_map) >> 31)); stat -c %u $(tty)'
		is "${out//$'\r'/}" $'1\n0'
		ok delete --force "$ID"
	done
}

@test "levels v2: an OOM kill and the wall clock end all of it" {
	root_on_disk
	config '.process.args = ["sh", "-c", "sleep 100 & (x=$(head -c 90000000 /dev/zero | tr \"\\0\" x)); echo survived"]
		| .linux.resources = {"memory": {"limit": 30000000, "swap": 30000000}}'
	b --level standard run -b "$B" "$ID"
	is "$status" 137
	out_lacks survived
	config '.process.args = ["sh", "-c", "setsid sleep 100 & sleep 100"] | .annotations = {"dev.brig.time.wall": "3s"}'
	ok --level high run -d -b "$B" "$ID"
	d=$(jq -r '.cgroup.dirs[0].path' "$R/$ID/state.json")
	wait_for 30 grep -q 'populated 0' "$d/cgroup.events"
	is "$(jq -r .reason "$R/$ID/ended")" timeout
	ok delete "$ID"
}

@test "levels v2: an overlay root" {
	root_on_disk
	at=$T/o
	[ ! -d "$T/mnt" ] || at=$T/mnt/o
	mkdir -p "$at"/{low,up,work,merged}
	cp -a "$BASE_ROOTFS/bin" "$at/low/bin"
	mkdir "$at/up/etc"
	echo two >"$at/up/etc/name"
	mount -t overlay -o "lowerdir=$at/low,upperdir=$at/up,workdir=$at/work" overlay "$at/merged"
	MOUNTED=("$at/merged" "${MOUNTED[@]}")
	config --arg r "$at/merged" '.root.path = $r'
	prog 'cat /etc/name; stat -c %u /etc/name /bin/sh; touch /etc/x 2>/dev/null || echo ro; pwd' '.process.cwd = "/not/there"'
	for level in standard high; do
		ok --level $level run -b "$B" "$ID"
		out_is $'two\n0\n0\nro\n/not/there'
	done
}

@test "levels v2: what Linux 6.1 lacks is refused, copied or recorded" {
	! kernel_at_least 6.3 || skip "this kernel has it"
	mkdir "$T/memory"
	mount -t tmpfs memory "$T/memory"
	MOUNTED+=("$T/memory")
	cp -a "$B/rootfs" "$T/memory/root"
	config --arg r "$T/memory/root" '.root.path = $r'
	no --level standard run -b "$B" "$ID" # not "refused": the tmpfs is a mount of the test's own
	grep -q 'file system of .* cannot be id-mapped' <<<"$err" || fail "$err"
	[ ! -e "$R/$ID" ]
	config '.annotations = {"dev.brig.root.private": "true"}'
	prog 'stat -c %u /bin/busybox'
	ok --level high run -b "$B" "$ID"
	out_is 0
	config '.annotations += {"dev.brig.seccomp.language": "python"} | .process.args = ["sleep", "100"]'
	ok --level high run -d -b "$B" "$ID"
	is "$(jq -r '.decisions[] | select(.field == ("mdwe", "memfd-noexec")) | .outcome' "$R/$ID/policy.json" | xargs)" \
		"recorded recorded"
	ok delete --force "$ID"
}

@test "systemd: a level with its driver" {
	requires systemd
	BR+=(--systemd-cgroup)
	for level in standard high; do
		ok run --level $level --memory 64M --cpus 0.5 --rootfs "$B/rootfs" -- sh -c 'id -u'
		out_is 1000
	done
	config '.process.args = ["sleep", "100"] | .linux.resources = {"memory": {"limit": 67108864}, "cpu": {"quota": 50000, "period": 100000}}'
	ok --level high run -d -b "$B" "$ID"
	is "$(in_cgroup memory.max memory.oom.group cpu.max pids.max)" "67108864 1 50000 100000 256"
	[[ $(in_cgroup cpuset.cpus) =~ ^[0-9]$ ]]
	ok delete --force "$ID"
}

@test "systemd: a plain user in a scope of his own" {
	requires systemd
	user=$(id -nu 1000)
	loginctl enable-linger "$user"
	systemctl start user@1000
	cp "$BRIG" "$T/brig"
	chmod 755 "$T" "$T/brig"
	chown_root 1000
	as() { runuser -u "$user" -- env XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus \
		timeout 60 "$@" </dev/null 2>&1 3>&-; }
	run as "$T/brig" run --level high --rootfs "$B/rootfs" -- id -u
	is "$status" 125
	[[ $output == *"systemd-run --user --scope -p Delegate=yes"* ]]
	run as systemd-run --user --scope -q -p Delegate=yes "$T/brig" run --level high --memory 64M --cpus 0.5 --rootfs "$B/rootfs" -- \
		sh -c 'id -u; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.oom.group; nproc'
	is "$output" $'1000\n67108864\n1\n1'
}

@test "levels v2: exclusive cores are a partition, which ends with the sandbox" {
	[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
	root_on_disk
	local before others max
	max=$(nproc)
	printf '{"v": 1, "ids": {"directory": "%s"}, "cpu": {"directory": "%s", "exclusive_max": %s}}' \
		"$T/ids" "$T/cpus" "$max" >"$T/brig.json"
	BR=("$BRIG" --system-config "$T/brig.json" --root "$R")
	before=$(</sys/fs/cgroup/cpuset.cpus.effective)
	config '.process.args = ["sleep", "100"] | .annotations["dev.brig.cpu.pin"] = "cores"'
	ok --level high create -b "$B" "$ID"
	is "$(in_cgroup cpuset.cpus.partition)" root
	is "$(in_cgroup cpuset.cpus)" "$(in_cgroup cpuset.cpus.effective)"
	ok policy explain "$ID"
	out_has 'cpu.partition +host +set +- +nobody else runs on these CPUs +root'
	others=$(</sys/fs/cgroup/cpuset.cpus.effective)
	[ "$others" != "$before" ] || fail "root has still $others"
	ok start "$ID"
	init_pid
	grep -q "Cpus_allowed_list:.$(in_cgroup cpuset.cpus)\$" "/proc/$PID/status"
	# what is not pinned runs elsewhere
	config 'del(.annotations) | .process.args = ["grep", "Cpus_allowed_list:", "/proc/self/status"]'
	ok --level standard run -b "$B" "$ID-2"
	out_is "Cpus_allowed_list:	$others"
	# one that is dead, but not deleted, gives its partition up to who needs it
	kill -9 "$PID"
	becomes stopped
	config '.annotations["dev.brig.cpu.pin"] = "cores" | .linux.resources.cpu.cpus = $c' --arg c \
		"$(in_cgroup cpuset.cpus)"
	ok --level high run -b "$B" "$ID-3"
	out_is "Cpus_allowed_list:	$(in_cgroup cpuset.cpus)"
	ok delete "$ID"
	is "$(</sys/fs/cgroup/cpuset.cpus.effective)" "$before"
	# below a cgroup that is no partition there can be none: recorded
	config --arg p "/$ID-up/$ID" '.linux.cgroupsPath = $p | del(.linux.resources.cpu) | .process.args = ["sleep", "100"]'
	ok --level high create -b "$B" "$ID"
	is "$(in_cgroup cpuset.cpus.partition)" member
	ok policy explain "$ID"
	out_has 'cpu.partition +host +recorded +- +others of the host may run there: .* not in force'
	ok delete --force "$ID"
	rmdir "/sys/fs/cgroup/$ID-up"
}
