# shellcheck shell=bash disable=SC2154 # of tests/attack/run: T B R BRIG probe mark pids
# What the machine looks like: a file per part, compared before and after each sandbox.

PARTS=(mounts processes files sockets sysctls time modules cgroups keys)

start_machine() {
	local n
	"$probe" listen >"$T/listen.out" 2>&1 &
	pids+=($!)
	# Somebody else's process, of root and of an id that a sandbox may have been given.
	sleep 100000 &
	pids+=($!)
	setpriv --reuid 100000 --regid 100000 --clear-groups sleep 100000 &
	pids+=($!)
	for ((n = 0; n < 100; n++)); do
		[ ! -s "$T/listen.out" ] || break
		sleep 0.02
	done
	grep -q ready "$T/listen.out" || { cat "$T/listen.out" >&2 && return 1; }
}

part_mounts() { cat /proc/self/mountinfo; }
# Those that must live, and those that must not: with the mark in the environment.
part_processes() {
	local p n
	for p in "${pids[@]}"; do kill -0 "$p" && echo "$p"; done
	for ((n = 0; n < 50; n++)); do
		grep -lsz "^BRIG_ATTACK_MARK=$mark\$" /proc/[0-9]*/environ >"$T/marked" || break
		sleep 0.02
	done
	cat "$T/marked"
}
# mtimes of directories tell of files that came and went.
part_files() {
	find "$B/rootfs" "$T/resolv.conf" "$T/granted" "$T/token" -printf '%p %y %m %U %G %s %l %T@\n' | sort
	cat "$T/resolv.conf"
	sha256sum <"$BRIG"
	stat -c '%U %a %s' "$BRIG"
	ls "$R"
	find /tmp /run /dev -maxdepth 1 -name 'attack*'
}
part_sockets() {
	cat "$T/listen.out"
	grep -i attack /proc/net/unix | awk '{ print $NF }' | sort -u
}
part_sysctls() {
	local f
	for f in core_pattern core_uses_pid modprobe poweroff_cmd hostname domainname sysrq panic \
		usermodehelper/bset usermodehelper/inheritable perf_event_paranoid; do
		[ ! -e "/proc/sys/kernel/$f" ] || cat "/proc/sys/kernel/$f"
	done
	cat /proc/swaps /sys/kernel/mm/transparent_hugepage/enabled /proc/sys/vm/overcommit_memory
	ls /proc/sys/fs/binfmt_misc
} 2>/dev/null
# Wall clock minus the time since boot, in ten seconds: a clock that was set.
part_time() {
	local up
	read -r up _ </proc/uptime
	echo $(((EPOCHSECONDS - ${up%.*} - clock + 5) / 10))
}
part_modules() { [ ! -e /proc/modules ] || cut -d' ' -f1 /proc/modules; }
part_cgroups() {
	cat /sys/fs/cgroup/{,*/}{release_agent,notify_on_release,cgroup.subtree_control}
	find /sys/fs/cgroup -name "*$mark*"
} 2>/dev/null
part_keys() { awk '$8 == "user" { print $9 }' /proc/keys; } 2>/dev/null

snapshot() { # DIRECTORY
	local p
	mkdir -p "$1"
	for p in "${PARTS[@]}"; do "part_$p" >"$1/$p" 2>/dev/null; done
}
machine_before() {
	local up
	read -r up _ </proc/uptime
	clock=$((EPOCHSECONDS - ${up%.*}))
	snapshot "$T/before"
}
# CHANGED: the parts that differ
machine_after() {
	local p
	snapshot "$T/after"
	CHANGED=''
	for p in "${PARTS[@]}"; do
		cmp -s "$T/before/$p" "$T/after/$p" || {
			CHANGED+="$p "
			diff "$T/before/$p" "$T/after/$p" | head -n 5 >"$T/changed.$p"
		}
	done
}
changes() { cat "$T/changed.$1" 2>/dev/null; }
