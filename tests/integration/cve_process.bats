#!/usr/bin/env bats
load helpers
# Holes of other runtimes in users, capabilities, descriptors, terminals and the runtime binary

@test "CVE-2016-3697: a numeric name in the container's passwd does not change the uid" {
	echo '1000:x:0:0::/root:/bin/sh' >>"$B/rootfs/etc/passwd"
	says 'id -u' '.process.user = {"uid": 1000, "gid": 1000}'
	out_is 1000
	sleeps '.process.user = {"uid": 0, "gid": 0}'
	ok exec -u 1000 "$ID" id -u
	out_is 1000
}

@test "CVE-2026-30892: exec --user: each spelling gives exactly these ids or an error" {
	sleeps
	for row in 1=1:0 1:2=1:2 0=0:0 0:7=0:7 65534:65534=65534:65534; do
		ok exec --user "${row%%=*}" "$ID" sh -c 'echo $(id -u):$(id -g)'
		out_is "${row#*=}"
	done
	local bad=()
	for u in -1 4294967295 4294967296 1: 1x x1 '1 2' 1:2:3 18446744073709551617 0x0 +1 1:-1 1:4294967295 ''; do
		b exec --user="$u" "$ID" id -u
		[ "$status" != 0 ] || bad+=("[$u] gave $out")
	done
	# a group alone may be refused; else it changes the group and nothing else
	b exec --user=:1 "$ID" sh -c 'echo $(id -u):$(id -g)'
	[ "$status" != 0 ] || [ "$out" = 0:1 ] || bad+=("[:1] gave $out")
	known_peer_failure runc crun
	[ "${#bad[@]}" = 0 ] || fail "${bad[@]}"
}

@test "CVE-2024-40635: a uid above 2^31 is not root" {
	config '.process.user = {"uid": 2147483648, "gid": 2147483648}'
	prog 'id -u'
	b run -b "$B" "$ID"
	[ "$status" != 0 ] || out_is 2147483648
}

@test "CVE-2016-9962: the container cannot see descriptors of a process that joins it" {
	prog 'while :; do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) ;; *)
		ls -l $p/fd 2>/dev/null | grep -E " -> (/[^d]|.*(host|state|cgroup))" >>/tmp/seen; esac; done; done'
	ok run -d -b "$B" "$ID"
	exec 9</etc 10</etc/hostname
	for i in {1..30}; do b exec "$ID" true; done
	known_peer_failure runc
	grep -vE '/(dev|proc|tmp|bin)/' "$B/rootfs/tmp/seen" >"$T/bad" || :
	[ ! -s "$T/bad" ] || fail "$(head -n 5 "$T/bad")"
}

@test "CVE-2016-9962: a process that joins is not dumpable: its exe cannot be read" {
	known_peer_failure runc crun
	prog 'while :; do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) ;; *)
		c=$(readlink $p/exe) || continue; case $c in *brig*|*memfd*) echo $c >>/tmp/seen; esac; esac; done; done'
	ok run -d -b "$B" "$ID"
	for i in {1..30}; do b exec "$ID" true; done
	[ ! -s "$B/rootfs/tmp/seen" ] || fail "$(head -n 3 "$B/rootfs/tmp/seen")"
}

@test "CVE-2019-5736: the runtime's binary cannot be overwritten through /proc/self/exe" {
	# The real binary is never at risk: a copy is run.
	mkdir "$T/bin"
	cp "$(command -v "$BRIG")" "$T/bin/${BRIG##*/}"
	sum=$(sha256sum <"$T/bin/${BRIG##*/}")
	printf '#!/proc/self/exe\n' >"$B/rootfs/tmp/entry"
	chmod 755 "$B/rootfs/tmp/entry"
	config '.process.args = ["/tmp/entry"]'
	timeout 5 "$T/bin/${BRIG##*/}" "${RUNTIME_FLAGS[@]}" --root "$R" run -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&- || :
	is "$(sha256sum <"$T/bin/${BRIG##*/}")" "$sum"
	b delete --force "$ID"
	# a program in the container opens the exe of each process that execs, to write to it later
	prog 'while :; do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) ;; *)
		(echo evil >>$p/exe) 2>/dev/null; esac; done; done'
	ok run -d -b "$B" "$ID"
	for i in {1..15}; do
		timeout 5 "$T/bin/${BRIG##*/}" "${RUNTIME_FLAGS[@]}" --root "$R" exec "$ID" /tmp/entry </dev/null >/dev/null 2>&1 3>&- || :
	done
	is "$(sha256sum <"$T/bin/${BRIG##*/}")" "$sum"
}

@test "CVE-2024-21626: cwd /proc/self/fd/N is refused for every N" {
	exec 9</ 10</etc
	for n in {3..30}; do
		config ".process.cwd = \"/proc/self/fd/$n\""
		prog 'pwd; ls /proc/self/cwd/'
		b run -b "$B" "$ID"
		[ "$status" != 0 ] || fail "fd $n: $out"
	done
	nothing_left
}

@test "CVE-2024-21626: exec --cwd /proc/self/fd/N is refused for every N" {
	sleeps
	exec 9</ 10</etc
	for n in {3..20}; do
		b exec --cwd "/proc/self/fd/$n" "$ID" pwd
		[ "$status" != 0 ] || fail "fd $n: $out"
	done
}

@test "CVE-2024-21626: a symlink in the root to /proc/self/fd/N as cwd" {
	exec 9</
	for n in 5 6 7 8 9; do
		ln -sfn "/proc/self/fd/$n" "$B/rootfs/link"
		config '.process.cwd = "/link"'
		b run -b "$B" "$ID"
		[ "$status" != 0 ] || fail "fd $n"
	done
}

@test "CVE-2022-24769, CVE-2022-27650: no inheritable capabilities in run" {
	says 'grep CapInh /proc/self/status' '.process.capabilities.inheritable = ["CAP_KILL", "CAP_NET_BIND_SERVICE"]'
	known_peer_failure runc crun # what the config asks for, they give
	out_has 'CapInh:.0000000000000000'
}

@test "CVE-2022-24769: without inheritable in the config there is none" {
	says 'grep CapInh /proc/self/status'
	out_has 'CapInh:.0000000000000000'
}

@test "CVE-2022-29162: exec --cap adds nothing inheritable" {
	sleeps
	ok exec --cap CAP_CHOWN "$ID" grep CapInh /proc/self/status
	out_has 'CapInh:.0000000000000000'
}

@test "CVE-2025-27612: exec has the container's capabilities, not the caller's" {
	sleeps
	ok exec "$ID" grep -E 'Cap(Bnd|Prm|Eff)' /proc/self/status
	out_has 'CapBnd:.0000000020000420'
	out_has 'CapPrm:.0000000020000420'
	out_has 'CapEff:.0000000020000420'
}

@test "CVE-2017-18367: two arguments of one seccomp rule are both required" {
	# socket(AF_INET, SOCK_STREAM): the rule wants AF_INET and SOCK_DGRAM
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["socket"],
		"action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"},
		{"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]}]} | .process.args = ["inside", "call", "socket-inet"]'
	runs
	out_is 0
	config '.linux.seccomp.syscalls[0].args[1].value = 1'
	runs
	out_is EPERM
	config '.process.args = ["inside", "call", "socket-netlink"]'
	runs
	out_is 0
}

@test "CVE-2017-18367: the same argument twice in one rule means either" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["socket"],
		"action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"},
		{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}]}]} | .process.args = ["inside", "call", "socket-inet"]'
	runs
	out_is EPERM
	config '.process.args = ["inside", "call", "socket-netlink"]'
	runs
	out_is EPERM
}

@test "CVE-2019-7303: a masked comparison is not passed by high bits" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["socket"],
		"action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 4294967295, "valueTwo": 2,
		"op": "SCMP_CMP_MASKED_EQ"}]}]} | .process.args = ["inside", "call", "socket-inet-high"]'
	runs
	out_is EPERM
}

@test "CVE-2017-5226, CVE-2016-10124: TIOCSTI cannot type into the caller's terminal" {
	config '.process.args = ["inside", "call", "tiocsti"]'
	# stdin is the caller's own terminal, terminal false
	timeout 10 script -qec "${BR[*]} run -b $B $ID; read -t 0.2 -n 1 x && echo typed-\$x" /dev/null \
		</dev/null >"$T/out" 2>&1 3>&- || :
	slurp out "$T/out"
	out_lacks 'typed-x'
}

@test "CVE-2021-43784: mappings of 70,000 bytes do not change the namespaces" {
	userns
	config '.linux.uidMappings = [range(3000) | {"containerID": (. * 10), "hostID": (100000 + . * 10), "size": 10}]'
	refused 'uid_?map|mapping' run -b "$B" "$ID"
}

@test "CVE-2021-43784: a mount data string of 70,000 bytes is refused" {
	config '.mounts += [{"destination": "/mnt", "type": "tmpfs", "source": "t", "options": [("x" * 70000)]}]'
	refused . run -b "$B" "$ID"
}

@test "CVE-2020-15257: no abstract unix socket appears" {
	grep '@' /proc/net/unix | awk '{print $NF}' | sort >"$T/before" || :
	creates
	grep '@' /proc/net/unix | awk '{print $NF}' | sort >"$T/after" || :
	! comm -13 "$T/before" "$T/after" | grep -iE 'brig|runc|crun'
}

@test "CVE-2026-53488: annotations do not run programs, load modules or weaken anything" {
	echo 'touch '"$T"'/ran' >"$T/evil"
	chmod 755 "$T/evil"
	config --arg p "$T/evil" '.annotations = {"run.oci.hooks.stdout": $p, "run.oci.handler": $p,
		"io.containerd.runc.v2.binary": $p, "dev.brig.hook": $p, "dev.brig.level": "custom",
		"run.oci.seccomp_fail_unknown_syscall": "0", "run.oci.systemd.force_cgroup_v1": $p}'
	prog 'grep -E "NoNewPrivs|CapEff" /proc/self/status'
	b run -b "$B" "$ID"
	[ ! -e "$T/ran" ]
	[ "$status" != 0 ] || out_has 'CapEff:.0000000020000420'
}

@test "CVE-2024-0132, CVE-2025-23266: a hook does not get LD_PRELOAD of the container" {
	known_peer_failure runc
	printf '#!/bin/sh\nenv >%s/env\n' "$T" >"$T/env.sh"
	chmod 755 "$T/env.sh"
	config --arg p "$T/env.sh" '.hooks.createContainer = [{"path": $p}] | .hooks.createRuntime = [{"path": $p}]
		| .process.env += ["LD_PRELOAD=/evil.so"]'
	runs
	! grep -q LD_PRELOAD "$T/env"
}

@test "CVE-2026-41163: a setuid runtime refuses to run" {
	known_peer_failure runc crun
	mkdir "$T/bin"
	cp "$(command -v "$BRIG")" "$T/bin/brig"
	chmod 4755 "$T/bin/brig"
	chmod 755 "$T"
	status=0
	setpriv --reuid 1000 --regid 1000 --clear-groups "$T/bin/brig" --root "$T/x" list </dev/null \
		>"$T/out" 2>"$T/err" 3>&- || status=$?
	is "$status" 1
	grep -qi 'setuid' "$T/err"
}

@test "firejail#2718: the container cannot reach the state of the runtime" {
	mkdir -p "$B/rootfs$R"
	sleeps
	b exec "$ID" ls -A "$R"
	is "$out" ""
}

@test "CVE-2017-5180, CVE-2022-31214: exec does not join a process that merely has the recorded pid" {
	sleeps
	init_pid
	kill -9 "$PID"
	gone "$PID"
	sleep 100 3>&- &
	other=$!
	PIDS+=("$other")
	state=$(find "$R/$ID" -name state.json)
	sed "s/\"pid\": *$PID/\"pid\":$other/; s/\"init_process_pid\": *$PID/\"init_process_pid\":$other/" "$state" >"$T/s"
	cat "$T/s" >"$state"
	no exec "$ID" true
}

@test "CVE-2016-8649: exec leaves no descriptor of the host's /proc" {
	sleeps
	ok exec "$ID" inside fds
	out_is ""
}

@test "a crash during kill --all leaves no frozen cgroup (crun 1.29.1)" {
	sleeps
	"${BR[@]}" kill --all "$ID" CONT </dev/null >/dev/null 2>&1 3>&- &
	p=$!
	kill -9 "$p" 2>/dev/null || :
	wait "$p" 2>/dev/null || :
	ok exec "$ID" true
}

@test "mappings of several lines with offsets are written as given (crun 1.28)" {
	userns
	config '.linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 100},
		{"containerID": 100, "hostID": 5000, "size": 50}, {"containerID": 65534, "hostID": 9, "size": 1}]'
	says 'tr -s " " </proc/self/uid_map'
	out_is $' 0 100000 100\n 100 5000 50\n 65534 9 1'
}
