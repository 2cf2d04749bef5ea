# shellcheck shell=bash
# For tests of a plain user, uid 1000, on a machine whose administrator gave him cgroups or did not.
#
#	u ARGS              brig as him, in a cgroup of each hierarchy that is his;  u_ok: it must succeed
#	as PROGRAM ARGS     any program
#	NO_CGROUP=1         without a cgroup of his own
#	LACKS="cpuacct"     without one of these hierarchies of v1
#	with_range          he has a subordinate range of ids

more_setup() { rootless_setup; }
rootless_setup() {
	requires root userns
	known_peer_failure runc crun
	command -v setpriv >/dev/null || skip "no setpriv"
	rm -rf "$B/rootfs"
	cp -a "$BASE_ROOTFS" "$B/rootfs"
	config '.annotations = {"dev.brig.time.wall": "20s"}'
	mkdir "$T/xdg"
	cp "$(command -v "$BRIG")" "$T/brig"
	chown -R 1000:1000 "$B" "$R" "$T/xdg"
	chmod 755 "$T"
	BR=("$BRIG" --root "$R")
	printf 'user1000:x:1000:1000::/:/bin/sh\n' | cat - /etc/passwd >"$T/passwd"
	: >"$T/subid"
	write_scripts
}

# in.sh T ID COMMAND...: /etc as it should be, and in a cgroup of ID-mine that is the user's
write_scripts() {
	cat >"$T/in.sh" <<-'END'
		mount --make-rprivate / || exit 99
		for f in passwd:passwd subid:subuid subid:subgid; do
			[ -e "/etc/${f#*:}" ] || : >"/etc/${f#*:}"
			mount --bind "$1/${f%:*}" "/etc/${f#*:}" || exit 99
		done
		sys=/sys/fs/cgroup
		enter() { # DIRECTORY FILE...
			mkdir -p "$1" && (cd "$1" && chown 1000 . "$@") 2>/dev/null
			echo 0 >"$1/cgroup.procs" || exit 99
		}
		if [ "$NO_CGROUP" ]; then
			:
		elif [ -e $sys/cgroup.controllers ]; then
			echo "+memory +pids +cpu +cpuset" >$sys/cgroup.subtree_control
			mkdir -p "$sys/$2-mine" && chown 1000 "$sys/$2-mine" "$sys/$2-mine"/cgroup.*
			echo "+memory +pids +cpu +cpuset" >"$sys/$2-mine/cgroup.subtree_control"
			mkdir -p "$sys/$2-mine/own" && chown 1000 "$sys/$2-mine/own" "$sys/$2-mine/own"/cgroup.*
			echo 0 >"$sys/$2-mine/own/cgroup.procs" || exit 99
		else
			for h in $sys/*/; do
				[ ! -L "${h%/}" ] && [ -e "$h/cgroup.procs" ] || continue
				n=${h%/} n=${n##*/}
				case " $LACKS " in *" $n "*) continue ;; esac
				d=$h$2-mine
				mkdir -p "$d"
				[ ! -e "$d/cpuset.cpus" ] || { cat "$h/cpuset.cpus" >"$d/cpuset.cpus"
					cat "$h/cpuset.mems" >"$d/cpuset.mems"; }
				chown 1000 "$d" "$d"/cgroup.procs
				[ ! -e "$d/tasks" ] || chown 1000 "$d/tasks"
				echo 0 >"$d/cgroup.procs" || exit 99
			done
		fi
		shift 2
		exec "$@"
	END
}
more_teardown() { rootless_teardown; }
rootless_teardown() {
	local d n
	for d in /sys/fs/cgroup/{,*/}"$ID-mine"; do
		[ -d "$d" ] || continue
		for ((n = 0; n < 20; n++)); do
			find "$d" -depth -type d -exec rmdir {} + 2>/dev/null && break
			sleep 0.05
		done
	done
}

# as PROGRAM...: by the user, in his cgroup
as() {
	status=0
	timeout -k 2 "${LIMIT:-20}" unshare -m sh "$T/in.sh" "$T" "$ID" \
		setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" XDG_RUNTIME_DIR="$T/xdg" XDG_STATE_HOME="$T/xdg" BRIG_TEST_MARK="$ID" \
		T="$T" B="$B" R="$R" ID="$ID" "$@" \
		<"${STDIN:-/dev/null}" >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	slurp err "$T/err"
}
# u ARGUMENTS: brig by the user;  u_ok: it must succeed
u() { as "$T/brig" --root "$R" "$@"; }
u_ok() {
	u "$@"
	[ "$status" = 0 ] || fail "status $status" "$out" "$err"
}
with_range() {
	command -v newuidmap >/dev/null || skip "no newuidmap"
	echo 1000:200000:65536 >"$T/subid"
}
