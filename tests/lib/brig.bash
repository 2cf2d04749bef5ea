# shellcheck shell=bash
# What suites share beside tests/integration/helpers.bash (which has set-up, the runtime's
# wrapper, bundles, state and the check that nothing is left over):
#
#	requires THING...   skips, with the reason, where this machine lacks THING
#	wait_for SECONDS CMD...
#	image NAME          IMAGE is the path of a root filesystem of tests/lib/rootfs, or skip
#	untraced            in a setup: what follows takes half the time
#
# A skip is for what the machine cannot do, never for what the runtime cannot.

LIB_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# The layout that the kernel shows here: v1, v2 or hybrid.
cgroup_layout() {
	local type
	type=$(stat -fc %T /sys/fs/cgroup)
	if [ "$type" = cgroup2fs ]; then
		echo v2
	elif [ -d /sys/fs/cgroup/unified ]; then
		echo hybrid
	else
		echo v1
	fi
}

has_controller() {
	if [ "$(cgroup_layout)" = v2 ]; then
		grep -qw "$1" /sys/fs/cgroup/cgroup.controllers
	else
		[ -d "/sys/fs/cgroup/$1" ]
	fi
}

# has_capability NUMBER: in this shell's effective set
has_capability() {
	local line
	while read -r line; do
		[[ $line != CapEff:* ]] || return $((!((16#${line##*[[:space:]]} >> $1) & 1)))
	done </proc/self/status
}

kernel_at_least() {
	[ "$(printf '%s\n%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" = "$1" ]
}

requires() {
	local what
	for what; do
		case $what in
		root) [ "$EUID" = 0 ] || skip "needs root" ;;
		v1 | v2 | hybrid) [ "$(cgroup_layout)" = "$what" ] || skip "needs cgroup $what" ;;
		controller:*) has_controller "${what#*:}" || skip "no cgroup controller ${what#*:}" ;;
		kernel:*) kernel_at_least "${what#*:}" || skip "needs Linux ${what#*:}" ;;
		tool:*) command -v "${what#*:}" >/dev/null || skip "no program ${what#*:}" ;;
		sys_resource) has_capability 24 || skip "needs CAP_SYS_RESOURCE" ;;
		systemd) [ -d /run/systemd/system ] || skip "systemd is not pid 1" ;;
		userns) unshare -U true 2>/dev/null || skip "no user namespaces" ;;
		landlock) grep -qw landlock /sys/kernel/security/lsm 2>/dev/null || skip "no Landlock" ;;
		apparmor) [ -e /sys/module/apparmor ] || skip "no AppArmor" ;;
		selinux) [ -d /sys/fs/selinux ] || skip "no SELinux" ;;
		*) echo "requires: what is $what?" >&2 && return 1 ;;
		esac
	done
}

wait_for() {
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.05
	done
}

image() {
	local why=$BATS_TEST_TMPDIR/image.err status=0
	IMAGE=$("$LIB_TOP/tests/lib/rootfs" "$1" 2>"$why") || status=$?
	[ "$status" != 77 ] || skip "$(cat "$why")"
	[ "$status" = 0 ] || { cat "$why" >&2; return 1; }
}

# bats runs a function of its own before each command, in helpers as well, to know where a test has
# failed; that takes as long as the rest of bash.  Bash 5 knows it when a command fails, all the same.
untraced() {
	[ "${BATS_TRACE_LEVEL:-0}" = 0 ] || return 0
	declare -F bats_error_trap bats_timeout_trap bats_capture_stack_trace >/dev/null || return 0
	set +T
	trap - DEBUG
	trap 'failed_here; bats_error_trap' ERR
	trap 'failed_here; bats_timeout_trap' ABRT
}
# What bats prints after an error is the first of these, and after a timeout the second.
failed_here() {
	: "${BATS_ERROR_STATUS:=$?}"
	bats_capture_stack_trace
	# shellcheck disable=SC2034  # bats reads it
	BATS_DEBUG_LASTLAST_STACK_TRACE=("${BATS_DEBUG_LAST_STACK_TRACE[@]}")
}
