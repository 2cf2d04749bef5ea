#!/usr/bin/env bats
load helpers
load ../lib/levels
# grants: what a sandbox may do beside its level, at its start and while it runs, and how that ends

D=

docs() {
	D=$T/docs
	mkdir -p "$D/sub"
	echo hello >"$D/a"
	chmod 755 "$T"
}

# A sandbox that sleeps; ARGS: options of run
stays() {
	ok run -d --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK "$@" -- sleep 100
}
host_program() { b run --rootfs / --id "$ID" --env BRIG_TEST_MARK "$@"; }
inside() { b exec "$ID" sh -c "$1"; }
sees() { inside "$1" && [ "$status" = 0 ]; }
sees_not() { ! sees "$1"; }
expiry_pid() { jq -r .expiryPid "$R/$ID/grants"; }
is_gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
needs_landlock() {
	b doctor --format json
	jq -e '.checks[] | select(.mechanism == "landlock" and .found == "yes")' "$T/out" >/dev/null || skip "no Landlock"
}
each() { # FN
	for LEVEL in standard high; do
		at "$LEVEL"
		"$1"
	done
}

# --- at a start --------------------------------------------------------------------------------

@test "grants: a path of the host is read at its own path, never written, no set-user-ID, no devices" {
	docs
	look() {
		succeeds --user 0:0 --grant "filesystem:read:$D" -- sh -c "cat $D/a; ls $D; echo x >$D/b || echo no
			grep ' $D ' /proc/self/mountinfo"
		out_has 'hello.a.sub.*no'
		out_has 'ro,nosuid,nodev,noexec'
		[ ! -e "$D/b" ]
		succeeds --grant "filesystem:read:$D/a" -- sh -c "cat $D/a; ls $D"
		is "$out" $'hello\na'
	}
	each look
}

@test "grants: what is mounted below a granted directory is not granted with it" {
	docs
	mount -t tmpfs none "$D/sub" && MOUNTED+=("$D/sub")
	echo secret >"$D/sub/s"
	succeeds --grant "filesystem:read:$D" -- sh -c "ls $D/sub; cat $D/sub/s 2>/dev/null || echo empty"
	out_is empty
}

@test "grants: a writable place has its size, and is nowhere on the host" {
	room() {
		succeeds --user 0:0 --grant filesystem:write:/data:1M -- sh -c 'echo x >/data/x; df -k /data | tail -n 1
			dd if=/dev/zero of=/data/y bs=64k count=100 2>/dev/null || echo full'
		out_has ' 1024 '
		out_has full
		[ ! -e /data ]
	}
	each room
}

@test "grants: limits only tighten, execution by level is refused at custom" {
	succeeds --memory 256M --grant memory:limit:64M --grant cpu:limit:50% -- \
		sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max'
	out_is $((64 << 20))
	succeeds --memory 64M --grant memory:limit:128M -- \
		sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max'
	out_is $((64 << 20))
	at custom
	refuses 'only a level does that' --grant exec:deny -- true
	refuses 'only a level does that' --grant filesystem:read:/etc -- true
}

@test "grants: a bundle takes them from the command line and from its annotation" {
	docs
	at high
	config '.process.args = ["sh", "-c", "cat '"$D"'/a; echo x >/data/x && echo wrote"]'
	ok run -b "$B" --grant "filesystem:read:$D" --grant filesystem:write:/data:1M "$ID"
	out_is $'hello\nwrote'
	admin "\"grants\": {\"paths\": [\"$D\"]}"
	config ".annotations = {\"dev.brig.grant\": \"[\\\"filesystem:read:$D\\\",\\\"filesystem:write:/data:1M\\\"]\"}"
	runs
	out_is $'hello\nwrote'
}

@test "grants: a tenant reads only what brig.json lists, by whatever name" {
	docs
	mkdir "$T/tenants" && ln -s "$D" "$T/tenants/link" && echo mine >"$T/tenants/m"
	at high
	admin "\"grants\": {\"paths\": [\"$T/tenants\"]}"
	asks() {
		config ".process.args = [\"sh\", \"-c\", \"cat $1/* 2>/dev/null || echo nothing\"]
			| .annotations = {\"dev.brig.grant\": \"[\\\"filesystem:read:$1\\\"]\"}"
		runs
	}
	asks "$T/tenants"
	out_has mine
	for f in "$D" "$T/tenants/link" "$T" /etc; do
		asks "$f"
		[ "$f" = /etc ] || out_is nothing
	done
	ok policy explain --bundle "$B"
	out_has 'not below any of grants.paths'
	printf '{"capabilities": {"fileSystemRead": ["%s"]}}' "$D" >"$T/doc.json"
	succeeds --policy "$T/doc.json" -- sh -c "cat $D/a 2>/dev/null || echo nothing"
	out_is nothing
}

@test "grants: a platform's document has them as capabilities" {
	docs
	admin "\"grants\": {\"paths\": [\"$D\"]}"
	cat >"$T/doc.json" <<-END
		{"capabilities": {"fileSystemRead": ["$D"], "fileSystemWrite": ["/data:1M"], "network": false,
			"shell": false, "execute": ["/usr/bin/env"]}}
	END
	host_program --policy "$T/doc.json" -- /bin/sh -c "read x <$D/a; echo \$x >/data/x; read y </data/x; echo \$y
		/bin/true || echo denied; /usr/bin/env echo ran || echo denied"
	[ "$status" = 0 ] || fail "status $status" "out: $out" "err: $err"
	out_is $'hello\ndenied\ndenied'
	printf '{"capabilities": {"fileSystemRead": true}}' >"$T/doc.json"
	refuses 'what is allowed is listed' --policy "$T/doc.json" -- true
	printf '{"capabilities": {"execute": ["/bin"]}}' >"$T/doc.json"
	refuses 'only beside' --policy "$T/doc.json" -- true
}

@test "grants: paths that nobody may be shown are refused" {
	local p
	python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$T/sock')"
	mkfifo "$T/fifo"
	mkdir -p "$T/audit" "$T/ids"
	ln -s /proc/1 "$T/proc"
	ln -s / "$T/root"
	for p in / /proc /proc/1/root /sys /dev /dev/null /dev/pts "$R" "$T" "$T/audit" "$T/ids" "$T/sock" "$T/fifo" \
		"$T/proc" "$T/root" /proc/self/ns /sys/fs/cgroup; do
		refuses 'is refused: |no such|denied' --grant "filesystem:read:$p" -- true
	done
	refuses 'no such file' --grant filesystem:read:/nonexistent -- true
	for p in '/a/../etc' docs '/x ttl=0' '/x tll=3s' '/x until=yesterday' '/x until=2001-01-01T00:00:00Z'; do
		refuses 'grant' --grant "filesystem:read:$p" -- true
	done
}

# --- execution -----------------------------------------------------------------------------------

@test "exec:deny: the first program runs, no other one does, whoever starts it" {
	needs_landlock
	only() {
		host_program --grant exec:deny -- /bin/sh -c 'echo in; /bin/true && echo ran; exec /bin/true'
		is "$status" 126
		out_is in
		# what it makes itself, in a file or in memory
		host_program --grant exec:deny -- python3 -c '
import os
for make in (lambda: open("/workspace/x", "wb").write(open("/bin/true", "rb").read()),
             lambda: os.chmod("/workspace/x", 0o755), lambda: os.rename("/workspace/x", "/workspace/y")):
    make()
for path in ("/workspace/y", "/bin/true", "/usr/bin/env"):
    try:
        os.execv(path, ["x"])
    except PermissionError:
        print("denied")
try:
    os.memfd_create("x")
except PermissionError:
    print("no memory")'
		is "$status" 0
		out_is $'denied\ndenied\ndenied\nno memory'
	}
	each only
}

@test "exec:allow: what it names runs, with its interpreter, and nothing else" {
	needs_landlock
	printf '#!/bin/sh\necho script\n' >"$T/script"
	chmod 755 "$T/script" "$T"
	only() {
		host_program --grant exec:allow:/bin/true -- /bin/sh -c '/bin/true && echo ran; /bin/ls || echo denied'
		out_is $'ran\ndenied'
		host_program --grant exec:allow:/usr/bin -- /bin/sh -c 'ls /bin/sh && /usr/sbin/nologin || echo denied'
		out_is $'/bin/sh\ndenied'
		host_program --ro "$T/script:/opt/script" --grant exec:allow:/opt/script -- \
			/bin/busybox sh -c '/opt/script; /bin/ls || echo denied'
		[ "$status" = 127 ] || out_is $'script\ndenied'
		host_program --ro "$T/script:/opt/script" --grant exec:deny -- /opt/script
		out_is script
	}
	each only
}

@test "exec:deny: holds for brig exec, too" {
	needs_landlock
	at high
	ok run -d --rootfs / --id "$ID" --env BRIG_TEST_MARK --grant exec:deny --grant exec:allow:/usr/bin/id -- sleep 100
	b exec "$ID" /usr/bin/id -u
	out_is 1000
	b exec "$ID" /bin/ls
	[ "$status" != 0 ]
	err_has 'ermission denied'
	b exec "$ID" sleep 0
	is "$status" 0
}

@test "exec:allow: a symlink that the sandbox has made at an allowed path leads exec nowhere" {
	needs_landlock
	at standard
	ok run -d --rootfs / --id "$ID" --env BRIG_TEST_MARK --grant exec:deny --grant exec:allow:/workspace/tool -- \
		python3 -c 'import os, time; os.symlink("/usr/bin", "/workspace/tool"); time.sleep(100)'
	wait_for 5 test -L "/proc/$(field .pid)/root/workspace/tool"
	b exec "$ID" /workspace/tool/id
	[ "$status" != 0 ]
	b exec "$ID" python3 -c 'import os; os.execv("/usr/bin/id", ["id"])'
	[ "$status" != 0 ]
	err_has 'Permission denied'
}

@test "exec:deny: a file without a name is executed as little as any" {
	needs_landlock
	host_program --grant exec:deny -- python3 -c '
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open("/workspace", os.O_TMPFILE | os.O_RDWR, 0o755)
os.write(fd, open("/bin/true", "rb").read())
rd = os.open("/proc/self/fd/%d" % fd, os.O_RDONLY)
os.close(fd)
libc.fexecve(rd, (ctypes.c_char_p * 2)(b"x", None), (ctypes.c_char_p * 1)(None))
print(os.strerror(ctypes.get_errno()))'
	out_is 'Permission denied'
}

@test "grant: to one that waits for its start" {
	docs
	at high
	config '.process.args = ["sh", "-c", "cat /run/grants/docs/a; sleep 100"]'
	creates
	ok grant "$ID" "filesystem:read:$D"
	ok start "$ID"
	sees 'cat /run/grants/docs/a'
}

@test "exec:allow: who limits it does so for all, nobody widens it" {
	needs_landlock
	at high
	printf '{"capabilities": {"shell": false, "execute": ["/usr/bin/env", "/bin/ls"]}}' >"$T/doc.json"
	host_program --policy "$T/doc.json" --grant exec:allow:/usr/bin -- \
		/bin/sh -c '/usr/bin/env -i /usr/bin/env >/dev/null && echo env; /usr/bin/id >/dev/null && echo id; /bin/ls / >/dev/null && echo ls'
	out_is env
}

# --- running ---------------------------------------------------------------------------------------

@test "grant: a path of the host comes below /run/grants, and goes by revoke" {
	docs
	comes() {
		stays --user 0:0
		ok grant "$ID" "filesystem:read:$D"
		out_is /run/grants/docs
		ok grant "$ID" "filesystem:read:$D/a"
		out_is /run/grants/a
		inside 'cat /run/grants/docs/a /run/grants/a; echo x >/run/grants/docs/b || echo no; grep grants/docs /proc/self/mountinfo'
		out_has 'hello.hello.no'
		out_has 'ro,nosuid,nodev,noexec'
		is "$(field '.brig.grants | length')" 2
		is "$(field '.brig.grants[0].place')" /run/grants/docs
		ok revoke "$ID" "filesystem:read:$D"
		sees_not 'ls /run/grants/docs'
		sees 'cat /run/grants/a'
		no revoke "$ID" "filesystem:read:$D"
		err_has 'nothing like it'
		ok delete --force "$ID"
	}
	each comes
}

@test "grant: a writable place comes within the level's size, and goes" {
	stays
	ok grant "$ID" filesystem:write:/data:1M
	sees 'echo x >/run/grants/data/x; dd if=/dev/zero of=/run/grants/data/y bs=64k count=100 2>/dev/null || test -s /run/grants/data/x'
	b grant "$ID" filesystem:write:/more:1G
	is "$status" 76
	err_has 'bytes at most'
	ok revoke "$ID" filesystem:write:/data
	sees_not 'ls /run/grants/data'
}

@test "grant: limits change within the administrator's ceiling, and go back" {
	requires root
	limit_is() { [ "$(cat "/sys/fs/cgroup/memory/$ID/memory.limit_in_bytes" "/sys/fs/cgroup/$ID/memory.max" 2>/dev/null)" = "$1" ]; }
	admin '"grants": {"memory": 536870912, "cpus": "2"}'
	stays --memory 256M --cpus 1
	ok grant "$ID" memory:limit:128M
	limit_is $((128 << 20)) || fail "not lowered"
	ok grant "$ID" memory:limit:512M
	limit_is $((512 << 20)) || fail "not raised"
	b grant "$ID" memory:limit:1G
	is "$status" 76
	ok grant "$ID" cpu:limit:200%
	b grant "$ID" cpu:limit:3
	is "$status" 76
	ok revoke "$ID" memory:limit:512M
	limit_is $((256 << 20)) || fail "not back"
	ok revoke "$ID" cpu:limit:2
}

@test "grant: what cannot be is told with the reason" {
	docs
	stays
	for g in exec:deny exec:allow:/bin; do
		b grant "$ID" "$g"
		is "$status" 76
		one_line 'Landlock'
	done
	b grant "$ID" rubbish
	is "$status" 1
	b grant "$ID" "filesystem:read:$R"
	is "$status" 77
	b grant "$ID" filesystem:read:/proc
	is "$status" 77
	ok delete --force "$ID"
	at custom
	sleeps
	b grant "$ID" "filesystem:read:$D"
	is "$status" 76
	one_line 'level custom'
}

@test "grant: what ends needs a warden, and the remedy is told" {
	docs
	at standard
	config 'del(.linux.resources) | .process.args = ["sleep", "100"]'
	ok create -b "$B" "$ID" </dev/null
	ok start "$ID"
	b grant "$ID" "filesystem:read:$D ttl=10s"
	is "$status" 76
	one_line 'no warden.*--timeout'
	ok grant "$ID" "filesystem:read:$D"
	sees 'cat /run/grants/docs/a'
}

@test "grants: with a time they end, at a start and on a running one" {
	docs
	ends() {
		stays --memory 256M --grant "filesystem:read:$D ttl=1s" --grant 'filesystem:write:/data:1M ttl=1s' \
			--grant 'memory:limit:64M ttl=1s'
		sees "cat $D/a && echo x >/data/x" || fail "not there at first"
		is "$(jq '.grants | length' "$R/$ID/grants")" 3
		wait_for 5 sees_not "ls $D/a"
		wait_for 5 sees_not 'ls /data/x'
		wait_for 5 test "$(jq '.grants | length' "$R/$ID/grants")" = 0
		is "$(cat "/sys/fs/cgroup/memory/$ID/memory.limit_in_bytes" "/sys/fs/cgroup/$ID/memory.max" 2>/dev/null)" $((256 << 20))
		ok grant "$ID" "filesystem:read:$D ttl=1s"
		ok grant "$ID" 'filesystem:write:/data:1M ttl=30s'
		sees 'cat /run/grants/docs/a' || fail "not there at first"
		wait_for 5 sees_not 'ls /run/grants/docs/a'
		sees 'ls /run/grants/data' || fail "gone too early"
		local pid
		pid=$(expiry_pid)
		ok delete --force "$ID"
		wait_for 5 is_gone "$pid"
	}
	each ends
}

@test "grants: the same once more begins its time anew" {
	docs
	stays
	ok grant "$ID" "filesystem:read:$D ttl=1s"
	ok grant "$ID" "filesystem:read:$D"
	sleep 1.3
	sees 'cat /run/grants/docs/a' || fail "it ended at its first end"
	is "$(jq '.grants | length' "$R/$ID/grants")" 1
}

@test "grants: when who ends them is killed, the sandbox ends" {
	docs
	killed() {
		stays
		ok grant "$ID" "filesystem:read:$D ttl=60s"
		kill -9 "$(expiry_pid)"
		becomes stopped
		is "$(field .brig.ended)" warden-lost
		ok delete --force "$ID"
	}
	each killed
	stays --grant "filesystem:read:$D ttl=60s"
	kill -9 "$(expiry_pid)"
	becomes stopped
}

@test "grants: who ends them has a filter, no way to new rights and no standard streams" {
	docs
	stays --grant "filesystem:read:$D ttl=60s"
	local pid
	pid=$(expiry_pid)
	is "$(awk '/^Seccomp:/ {print $2}' "/proc/$pid/status")" 2
	is "$(awk '/^NoNewPrivs:/ {print $2}' "/proc/$pid/status")" 1
	is "$(readlink "/proc/$pid/fd/0" "/proc/$pid/fd/1" "/proc/$pid/fd/2" | sort -u)" /dev/null
}

@test "grants: a foreground run with one that ends leaves nothing" {
	docs
	succeeds --grant "filesystem:read:$D ttl=300ms" -- sh -c "cat $D/a; sleep 1; cat $D/a 2>/dev/null || echo over"
	out_is $'hello\nover'
	nothing_left
	wait_for 3 no_expiry
}
no_expiry() { # of this test: others' state directories are not ours to look at
	local p
	for p in $(pgrep -x brig-expiry); do
		is_gone "$p" || [[ $(readlink "/proc/$p/fd/3") != "$R"* ]] || return 1
	done
}

@test "revoke: says who has something of it yet; --strict kills those, and nobody else" {
	docs
	users() {
		stays --user 0:0
		ok grant "$ID" "filesystem:read:$D"
		ok exec -d "$ID" sh -c 'exec 9</run/grants/docs/a; touch /tmp/1; exec sleep 101'
		ok exec -d "$ID" sh -c 'cd /run/grants/docs; touch /tmp/2; exec sleep 102'
		ok exec -d "$ID" sh -c 'touch /tmp/3; exec sleep 103'
		wait_for 5 sees 'test -e /tmp/1 -a -e /tmp/2 -a -e /tmp/3'
		ok revoke "$ID" "filesystem:read:$D"
		out_has '^2 still have'
		ok grant "$ID" "filesystem:read:$D"
		ok exec -d "$ID" sh -c 'exec 9</run/grants/docs; touch /tmp/4; exec sleep 104'
		wait_for 5 sees 'test -e /tmp/4'
		ok revoke --strict "$ID" "filesystem:read:$D"
		out_has '^killed 1 '
		ok ps "$ID"
		out_lacks 'sleep 104'
		out_has 'sleep 100'
		out_has 'sleep 103'
		ok delete --force "$ID"
	}
	each users
}

@test "revoke --strict: a paused sandbox stays paused" {
	docs
	stays
	ok grant "$ID" "filesystem:read:$D"
	ok pause "$ID"
	ok revoke --strict "$ID" "filesystem:read:$D"
	status_is paused
	ok resume "$ID"
	sees_not 'ls /run/grants/docs'
}

# --- hostile --------------------------------------------------------------------------------------

@test "grant: what the sandbox has put at /run/grants leads nowhere else" {
	docs
	at standard
	local what
	for what in 'ln -s /tmp /run/grants' 'ln -s /etc /run/grants' 'echo x >/run/grants' 'mkfifo /run/grants' \
		'ln -s grants /run/grants'; do
		stays --user 0:0
		inside "$what"
		is "$status" 0
		no grant "$ID" "filesystem:read:$D"
		err_has 'something else at /run/grants'
		is "$(jq '.grants | length' "$R/$ID/grants")" 0
		inside 'rm -f /run/grants; ls /tmp'
		out_is ''
		ok grant "$ID" "filesystem:read:$D"
		sees 'cat /run/grants/docs/a'
		ok delete --force "$ID"
	done
}

@test "grant: a directory that was there is covered, and cannot be got at any more" {
	docs
	at standard
	stays --user 0:0
	sees 'mkdir -p /run/grants/docs && echo mine >/run/grants/docs/a && chmod 777 /run/grants'
	ok grant "$ID" "filesystem:read:$D"
	inside 'cat /run/grants/docs/a; rm -rf /run/grants; mv /run/grants /run/x; mkdir /run/grants/y; umount /run/grants; cat /run/grants/docs/a'
	out_has '^hello.*hello$'
	out_lacks mine
}

@test "grant: a full /run is told, and nothing is left half done" {
	docs
	at standard
	stays --user 0:0 --inodes 100
	inside 'i=0; while mkdir /run/d$i 2>/dev/null; do i=$((i + 1)); done; echo $i'
	b grant "$ID" "filesystem:read:$D"
	[ "$status" != 0 ]
	one_line 'no space|No space|make /run/grants'
	is "$(jq '.grants | length' "$R/$ID/grants")" 0
	inside 'rmdir /run/d*'
	ok grant "$ID" "filesystem:read:$D"
}

@test "grant: a sandbox that swaps /run/grants all the time gains nothing" {
	docs
	at standard
	stays --user 0:0
	ok exec -d "$ID" sh -c 'while :; do mkdir /run/grants 2>/dev/null; mv /run/grants /run/other 2>/dev/null
		ln -s /tmp /run/grants 2>/dev/null; rm -f /run/grants; rmdir /run/other; done 2>/dev/null'
	local n
	for n in 1 2 3 4 5 6 7 8; do
		b grant "$ID" "filesystem:read:$D"
		[ "$status" = 0 ] && break
		one_line 'grants|no such'
	done
	inside 'ls -A /tmp; grep -c brig-grants /proc/self/mountinfo'
	[[ $out =~ ^[01]$ ]] || fail "$out"
}

@test "grants: renaming what is above does not keep a mount beyond its time" {
	docs
	at standard
	stays --user 0:0 --grant "filesystem:read:$D ttl=1500ms"
	inside "mv ${T%/*} /tmp/moved 2>/dev/null || mv /tmp/* /tmp/moved; find /tmp -name a"
	out_has '^/tmp/moved.*/docs/a$'
	local at=$out
	wait_for 5 sees_not "ls $at"
}

@test "grants: a source that is another file by the time it is mounted is refused" {
	docs
	at high
	config '.process.args = ["true"] | .mounts += [{"destination": "/x", "type": "bind", "source": "'"$D"'",
		"options": ["bind", "ro", "brig.is=1:1"]}]'
	no run -b "$B" "$ID"
	err_has 'another file than a moment ago'
}

@test "grants: audited: requested, granted, denied, expired, revoked" {
	docs
	admin "\"audit\": {\"when\": \"always\", \"path\": \"$T/audit/audit.jsonl\"}"
	mkdir -m 700 "$T/audit"
	stays
	ok grant "$ID" "filesystem:read:$D"
	ok revoke "$ID" "filesystem:read:$D"
	ok grant "$ID" 'filesystem:write:/data:1M ttl=300ms'
	b grant "$ID" exec:deny
	wait_for 5 grep -q CapabilityExpired "$T/audit/audit.jsonl"
	is "$(jq -r 'select(.resource) | .ev + " " + .resource' "$T/audit/audit.jsonl" | grep ^Capability)" \
		"CapabilityRequested filesystem:read:$D
CapabilityGranted filesystem:read:$D
CapabilityRevoked filesystem:read:$D
CapabilityRequested filesystem:write:/data:1M ttl=300ms
CapabilityGranted filesystem:write:/data:1M ttl=300ms
CapabilityRequested exec:deny
CapabilityDenied exec:deny
CapabilityExpired filesystem:write:/data:1M ttl=300ms"
}

@test "grants: audited at a start, and the first use of one that ends" {
	docs
	admin "\"audit\": {\"when\": \"always\", \"path\": \"$T/audit/audit.jsonl\"}"
	mkdir -m 700 "$T/audit"
	stays --grant "filesystem:read:$D ttl=60s" --grant exec:deny
	ok grant "$ID" "filesystem:read:$D/a"
	is "$(grep -c CapabilityUsed "$T/audit/audit.jsonl")" 0
	wait_for 5 used "$D" "filesystem:read:$D ttl=60s"
	wait_for 5 used /run/grants/a "filesystem:read:$D/a"
	is "$(grep -c CapabilityUsed "$T/audit/audit.jsonl")" 2
	is "$(jq -c '[.grants[] | select(.used)] | length' "$R/$ID/grants")" 2
	is "$(jq -r 'select(.ev == "CapabilityGranted" and .action == "start") | .data.grants[]' "$T/audit/audit.jsonl")" \
		"filesystem:read:$D ttl=60s"$'\n'exec:deny
	printf '{"capabilities": {"fileSystemRead": ["%s"]}}' "$D" >"$T/doc.json"
	ok delete --force "$ID"
	succeeds --policy "$T/doc.json" -- true
	grep -q '"CapabilityDenied".*grants.paths' "$T/audit/audit.jsonl"
}
used() { # PATH GRANT: sleep is busybox, which alone may be executed
	inside "ls $1; cat $1" || :
	jq -r 'select(.ev == "CapabilityUsed") | .resource' "$T/audit/audit.jsonl" | grep -qxF "$2"
}
