# shellcheck shell=bash disable=SC2154 # of tests/attack/run: T B R BRIG probe secret mark
# The hostile root file system, a sandbox with it, and the control arms without one.

make_root() {
	local root=$B/rootfs f disk
	mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,var/tmp,workspace,etc,attack}
	chmod 1777 "$root/tmp" "$root/var/tmp"
	: >"$root/.attack-root"
	cp "$probe" "$root/bin/attack" || return 1
	privileged_files 0 || return 1
	mknod "$root/attack/device-char" c 1 11
	for disk in /sys/block/*/dev; do
		[ ! -e "$disk" ] || IFS=: read -r f disk <"$disk"
		break
	done
	mknod "$root/attack/device-block" b "${f//[!0-9]/7}" "${disk//[!0-9]/0}"
	chmod 666 "$root"/attack/device-*
	echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
	: >"$root/etc/resolv.conf"
	echo 'nameserver 192.0.2.1' >"$T/resolv.conf"
	mkdir "$T/granted"
	echo granted >"$T/granted/file"
	chmod 777 "$T/granted"
	chmod 666 "$T/granted/file"
	echo token >"$T/token"
	echo '{"v":1,"audit":{"when":"always","path":"'"$log"'"}}' >"$T/brig.json"
	chmod 644 "$T/resolv.conf"
}

# Files that give rights, to whoever is OWNER on the machine.
privileged_files() { # OWNER
	local f dir=$B/rootfs/attack caps=cap_chown,cap_dac_override+ep
	for f in plain setuid setgid capability; do
		cp "$probe" "$dir/$f" && chown "$1:$1" "$dir/$f" || return 1
	done
	chmod 4755 "$dir/setuid"
	chmod 2755 "$dir/setgid"
	if [ "$1" = 0 ]; then setcap $caps "$dir/capability"; else setcap -n "$1" $caps "$dir/capability"; fi
}

# What an engine sends, give or take: no user namespace, a root that may be written, 14
# capabilities, privileges that may be gained.  The level has to do the rest.
CAPS='"CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FSETID","CAP_FOWNER","CAP_MKNOD","CAP_NET_RAW",
	"CAP_SETGID","CAP_SETUID","CAP_SETFCAP","CAP_SETPCAP","CAP_NET_BIND_SERVICE",
	"CAP_SYS_CHROOT","CAP_KILL","CAP_AUDIT_WRITE"'
write_config() { # USER [USER NAMESPACE] ARG...
	local user=$1 args userns=''
	shift
	[ "$1" != userns ] || { shift && userns=',{"type":"user"}'; }
	args=$(printf ',"%s"' "$@")
	cat >"$B/config.json" <<-END
		{"ociVersion":"1.0.2",
		"annotations":{${LANGUAGE:+"\"dev.brig.seccomp.language\":\"$LANGUAGE\""}},
		"process":{"user":{"uid":$user,"gid":$user},"args":[${args:1}],
		"env":["PATH=/bin","BRIG_ATTACK_MARK=$mark","ATTACK_LOG=$log","ATTACK_GRANT=$T/granted"],"cwd":"/","noNewPrivileges":false,
		"rlimits":[{"type":"RLIMIT_NOFILE","hard":1024,"soft":1024}],
		"capabilities":{"bounding":[$CAPS],"effective":[$CAPS],"permitted":[$CAPS]}},
		"root":{"path":"rootfs"},"hostname":"attacked",
		"mounts":[{"destination":"/proc","type":"proc","source":"proc"},
		{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755","size=65536k"]},
		{"destination":"/dev/pts","type":"devpts","source":"devpts",
		 "options":["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620"]},
		{"destination":"/dev/shm","type":"tmpfs","source":"shm","options":["nosuid","nodev","size=65536k"]},
		{"destination":"/dev/mqueue","type":"mqueue","source":"mqueue","options":["nosuid","nodev"]},
		{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]},
		{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["nosuid","nodev","ro"]},
		{"destination":"/etc/resolv.conf","type":"bind","source":"$T/resolv.conf","options":["rbind","ro"]}],
		"linux":{"namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},
		 {"type":"network"}$userns],
		${userns:+"\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}],
		\"gidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}],"}
		"resources":{"devices":[{"allow":false,"access":"rwm"}],"memory":{"limit":134217728,
		 "swap":134217728},"cpu":{"cpus":"0"}},
		"maskedPaths":["/proc/acpi","/proc/kcore","/proc/keys","/proc/timer_list","/proc/scsi",
		 "/sys/firmware"],
		"readonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}}
	END
}

sandboxes=0
# What every sandbox is given, and one for a probe alone beside that.
given=(--grant "filesystem:read:$T/granted" --secret token=8)
declare -A given_alone=([exec-other]='--grant exec:deny' [flood]='--audit syscalls')
# sandbox LEVEL HOW USER PROBE...: answers in $T/answers, brig's exit status in STATUS
sandbox() {
	local level=$1 how=$2 user=$3 id
	local brig=("$BRIG" --system-config "$T/brig.json" --root "$R" --level "${ATTACK_AS:-$level}")
	local arguments options=("${given[@]}")
	shift 3
	sandboxes=$((sandboxes + 1)) id=$mark-$sandboxes STATUS=0
	# shellcheck disable=SC2206 # words
	[ $# != 3 ] || options+=(${given_alone[$2]:-})
	: >"$T/answers"
	: >"$T/err"
	if [ "$how" != exec ]; then
		write_config "$user" /bin/attack batch "$@"
		arguments=("${options[@]}" -b "$B" "$id")
		[ "$how" != direct ] || arguments=("${options[@]}" --id "$id" --rootfs "$B/rootfs" --user "$user:$user"
			--memory 128m --ro "$T/resolv.conf:/etc/resolv.conf" --env "BRIG_ATTACK_MARK=$mark"
			--env "ATTACK_LOG=$log" --env "ATTACK_GRANT=$T/granted"
			-- /bin/attack batch "$@")
		BRIG_ATTACK_MARK=$mark WORD=$secret timeout -k 5 180 "${brig[@]}" run "${arguments[@]}" \
			</dev/null 2>"$T/err" 8<"$T/token" 9</etc/hostname | cat >"$T/answers"
		STATUS=${PIPESTATUS[0]}
	else
		write_config "$user" /bin/attack wait
		BRIG_ATTACK_MARK=$mark WORD=$secret timeout 20 "${brig[@]}" run -d "${options[@]}" -b "$B" "$id" \
			</dev/null >"$T/err" 2>&1 8<"$T/token" || STATUS=$?
		[ "$STATUS" != 0 ] || {
			WORD=$secret timeout -k 5 180 "${brig[@]}" exec "$id" /bin/attack batch "$@" \
				</dev/null 2>"$T/err" 9</etc/hostname | cat >"$T/answers"
			STATUS=${PIPESTATUS[0]}
		}
	fi
	timeout 20 "${brig[@]}" delete --force "$id" >/dev/null 2>&1
}

remove_sandboxes() {
	local d
	for d in "$R"/*/; do
		[ ! -d "$d" ] || timeout 20 "$BRIG" --root "$R" --level custom delete --force "$(basename "$d")"
	done >/dev/null 2>&1
}

# control ARM PROBE...: see tests/attack/main.c, which refuses to do it in any other way.  Arm
# custom is a container that may gain privileges, in a user namespace.
control() {
	local arm=$1 id=400000 verb="control $1" namespaces=(--user --map-root-user --mount)
	shift
	[ $# -gt 0 ] || return 0
	case $arm in
	custom)
		privileged_files 100000
		write_config 1000 userns /bin/attack batch "$@"
		BRIG_ATTACK_MARK=$mark timeout 60 "$BRIG" --root "$R" --level custom run -b "$B" \
			"$mark-control" </dev/null
		privileged_files 0
		return
		;;
	reach) verb=reach ;;
	root) id=0 ;;
	esac
	[ "$arm" = host ] ||
		namespaces+=(--pid --fork --kill-child --mount-proc --net --ipc --uts)
	# shellcheck disable=SC2086 # verb is two words
	(cd / && WORD=$secret ATTACK_LOG=$log ATTACK_GRANT=$T/granted ATTACK_FILES=$B/rootfs/attack timeout -k 5 180 setpriv --reuid $id \
		--regid $id --clear-groups --pdeathsig KILL unshare "${namespaces[@]}" \
		"$B/rootfs/bin/attack" $verb "$@" </dev/null 9</etc/hostname)
}
