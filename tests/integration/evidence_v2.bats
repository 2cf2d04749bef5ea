#!/usr/bin/env bats
load helpers
load ../lib/levels
# Violations, grants, secrets, taint, learn and the audit log where they meet cgroup v2, systemd or
# an older kernel: tests/vm/subset*.  Everything else about them is in the files of those names.

more_setup() {
	requires root v2
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	admin ''
	at standard
	D=$T/docs
	mkdir "$D"
	echo hello >"$D/a"
	chmod 755 "$T"
}

under_systemd() {
	requires systemd
	BR+=(--systemd-cgroup)
}
answered() { # CLASS RESPONSE
	level_file mine "\"extends\": \"standard\", \"violations\": {\"$1\": {\"response\": \"$2\"}}"
	at mine
}
stays() { # [OPTIONS] -- ARGS
	ok run -d --keep --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK "$@"
	DIR=$(jq -r '.cgroup.dirs[0].path' "$R/$ID/state.json")
}
in_cgroup() { [ "$(<"$DIR/$1")" = "$2" ]; }
frozen() { grep -q "^frozen $1" "$DIR/cgroup.events"; }
row() { jq -r '.violations[] | [.class, .name, .response, .count] | map(tostring) | join(" ")' "$R/$ID/violations" 2>/dev/null; }
has_row() { [[ $(row) =~ ^$1$ ]]; }
sees() { b exec "$ID" sh -c "$1" && [ "$status" = 0 ]; }
sees_not() { ! sees "$1"; }
result() { jq -r "$1" "$T/result"; }

# --- violations --------------------------------------------------------------------------------

# The kernel wakes the warden: the row is there while the sandbox lives, and v2 is never polled.
# Under systemd there is a keeper, too, which must not take the news away.
forks() {
	cp "$TOOLS/violate" "$B/rootfs/bin/violate"
	stays --pids 20 -- sh -c 'violate forks 30; sleep 100'
	wait_for 20 has_row 'pids pids warn 1[0-9]'
	ok delete --force "$ID"
}
stands_still() {
	cp "$TOOLS/violate" "$B/rootfs/bin/violate"
	answered pids quarantine
	[ $# = 0 ] || under_systemd
	# One that is refused, as it is frozen again at each.
	stays --timeout 60s --pids 20 -- sh -c 'violate forks 19; sleep 100'
	wait_for 30 frozen 1
	in_cgroup cgroup.freeze 1
	status_is paused
	is "$(jq -r '.brig.tainted' "$T/out")" true
	ok resume "$ID"
	frozen 0
	ok delete --force "$ID"
	# What is frozen dies all the same.  (systemd removes its scope then.)
	stays --timeout 3s --pids 20 -- sh -c 'violate forks 30; sleep 100'
	wait_for 40 test -e "$R/$ID/result.json"
	[ ! -d "$DIR" ] || grep -q 'populated 0' "$DIR/cgroup.events"
	is "$(jq -r '.status' "$R/$ID/result.json")" timeout
	ok delete "$ID"
}

@test "evidence: forks beyond the limit are told while it runs" {
	forks
}

@test "evidence: quarantine is a frozen cgroup, which time still ends" {
	stands_still
}

@test "evidence: throttle freezes and thaws" {
	cp "$TOOLS/violate" "$B/rootfs/bin/violate"
	answered pids throttle
	stays --pids 20 -- violate storm
	wait_for 60 frozen 1
	wait_for 60 frozen 0
	wait_for 60 frozen 1
	ok delete --force "$ID"
}

@test "evidence: calls that are denied are answered, throttled or end it" {
	cp "$TOOLS/violate" "$B/rootfs/bin/violate"
	succeeds --audit syscalls --result "$T/result" -- violate call 272 268435456
	out_is EPERM
	is "$(result '.violations[] | [.class, .name, .count] | map(tostring) | join(" ")')" 'denied unshare 1'
	at high
	exits 159 --result "$T/result" -- sh -c 'violate call 168 0; echo survived'
	out_lacks survived
	is "$(result '[.status, .taint[0]] | join(" ")')" 'syscall syscall:swapoff'
	is "$(jq -r 'select(.ev == "SystemCallAttempt") | .resource + " " + .data.program' "$T/audit/audit.jsonl")" \
		'swapoff violate'
	answered denied quarantine
	stays -- sh -c 'violate flood 1 1; sleep 100'
	wait_for 30 frozen 1
	ok delete --force "$ID"
}

@test "evidence: memory is a row" {
	exits 137 --memory 16m --result "$T/result" -- sh -c 'x=x; while :; do x=$x$x; done'
	is "$(result '.violations[] | [.class, .response] | join(" ")')" 'memory terminate'
}

@test "systemd: forks beyond the limit, and quarantine, in its scope" {
	under_systemd
	forks
	stands_still systemd
}

# --- grants ------------------------------------------------------------------------------------

limits() {
	stays --memory 256M --cpus 1 --grant 'memory:limit:64M ttl=30s' -- sleep 100
	in_cgroup memory.max $((64 << 20))
	ok grant "$ID" cpu:limit:50%
	in_cgroup cpu.max '50000 100000'
	[ $# = 0 ] || systemctl daemon-reload
	in_cgroup cpu.max '50000 100000'
	ok revoke "$ID" cpu:limit:50%
	in_cgroup cpu.max '100000 100000'
	ok grant "$ID" 'cpu:limit:20% ttl=8s'
	in_cgroup cpu.max '20000 100000'
	wait_for 40 in_cgroup cpu.max '100000 100000'
	wait_for 60 in_cgroup memory.max $((256 << 20))
	[ $# = 0 ] || systemctl daemon-reload
	in_cgroup memory.max $((256 << 20))
	in_cgroup cpu.max '100000 100000'
	status_is running
	ok delete --force "$ID"
}

@test "evidence: granted limits are set, end by themselves and are revoked" {
	limits
}

@test "systemd: granted limits are the unit's" {
	under_systemd
	limits systemd
}

@test "evidence: granted places come and go" {
	stays --user 0:0 --grant "filesystem:read:$D ttl=30s" --grant 'filesystem:write:/data:1M ttl=30s' -- sleep 100
	sees "cat $D/a && echo x >/data/x" || fail "not there at first: $err"
	ok grant "$ID" "filesystem:read:$D/a"
	ok grant "$ID" 'filesystem:write:/more:1M ttl=8s'
	sees 'cat /run/grants/a' || fail "not there: $err"
	wait_for 40 sees_not 'ls -d /run/grants/more'
	ok exec -d "$ID" sh -c 'exec 9</run/grants/a; touch /tmp/1; exec sleep 101'
	wait_for 20 sees 'test -e /tmp/1'
	ok revoke --strict "$ID" "filesystem:read:$D/a"
	out_has '^killed 1 '
	frozen 0
	wait_for 60 sees_not "ls $D/a"
	wait_for 30 sees_not 'ls /data/x'
	ok delete --force "$ID"
}

@test "evidence: what is executed is limited" {
	requires landlock
	b run --rootfs / --id "$ID" --env BRIG_TEST_MARK --grant exec:deny --grant exec:allow:/bin/true -- \
		/bin/sh -c 'true; /bin/true && echo ran; /bin/ls || echo denied'
	out_is $'ran\ndenied'
	b run --rootfs / --id "$ID" --env BRIG_TEST_MARK --level high --grant exec:deny -- /bin/sh -c '/bin/true; echo $?'
	out_is 126
}

# --- the log, secrets, learn, taint ------------------------------------------------------------

@test "evidence: at high there is a log at its place, and it is intact" {
	BR=("$BRIG" --level high --root "$R")
	succeeds -- true
	is "$(stat -c %a:%u /var/log/brig /var/log/brig/audit.jsonl | xargs)" "700:0 600:0"
	ok audit show --id "$ID" --format json
	is "$(jq -r .ev <<<"$out" | xargs)" "SandboxCreated SandboxExited SandboxDestroyed"
	ok audit verify
}

@test "evidence: secrets are read by the workload alone, and stay out of swap" {
	printf hush >"$T/one"
	for LEVEL in standard high; do
		at $LEVEL
		exec 7<"$T/one"
		succeeds --secret one=7 -- sh -c 'cat /run/secrets/one; stat -c ":%a:%u" /run/secrets/one
			grep " /run/secrets " /proc/self/mountinfo'
		out_has '^hush:400:1000.*ro,nosuid,nodev,noexec'
		! kernel_at_least 6.4 || out_has ,noswap
	done
}

@test "evidence: what a program needs is learned, and tried" {
	for LEVEL in standard high; do
		at $LEVEL
		rm -rf "$T/learned"
		ok policy learn --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK -o "$T/learned" -- sh -c 'echo x >/tmp/out'
		is "$(jq -r '.paths.write[0].path' "$T/learned/learned.json")" /tmp/out
		ok policy check --replay "$T/learned" --id "$ID" --env BRIG_TEST_MARK
		b policy check --replay "$T/learned" --id "$ID" --env BRIG_TEST_MARK -- sh -c 'ln -s a /tmp/b; :'
		is "$status" 76
		out_has '(clone|symlink) +ENOSYS'
	done
}

@test "evidence: taint is told, and taken back" {
	at high
	stays -- sleep 100
	ok taint "$ID" --reason odd
	is "$(field .brig.tainted)" true
	ok untaint "$ID" --reason seen
	is "$(field '.brig.tainted // false')" false
	ok delete --force "$ID"
	is "$(jq -r 'select(.id) | .ev' "$T/audit/audit.jsonl" | xargs)" \
		"SandboxCreated SandboxTainted SandboxUntainted SandboxExited SandboxDestroyed"
}
