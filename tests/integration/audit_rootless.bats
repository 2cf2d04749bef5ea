#!/usr/bin/env bats
load helpers
load ../lib/rootless
# The audit log of a plain user, and what his sandboxes try: docs/audit.md, docs/violations.md

log_at() { LOG=$T/xdg/$1; }
events() { jq -r --arg id "$ID" 'select(.id == $id) | .ev' "$LOG" | xargs; }
row() { jq -r '.violations[] | [.class, .name, .response, .count] | map(tostring) | join(" ")' "$1"; }
high() { u_ok run --level high --id "$ID" --rootfs "$B/rootfs" "$@"; }

@test "rootless audit: the log is below XDG_STATE_HOME, else below HOME, and his alone" {
	local at
	for at in brig/audit.jsonl .local/state/brig/audit.jsonl; do
		log_at $at
		case $at in
		brig/*) high -- true ;;
		*)
			as /usr/bin/env -u XDG_STATE_HOME HOME="$T/xdg" "$T/brig" --root "$R" run --level high --id "$ID" \
				--rootfs "$B/rootfs" -- true
			is "$status" 0
			;;
		esac
		is "$(stat -c %u:%a "${LOG%/*}" "$LOG" | xargs)" "1000:700 1000:600"
		is "$(events)" "SandboxCreated SandboxExited SandboxDestroyed"
		as "$T/brig" audit verify --file "$LOG"
		is "$status" 0
	done
	u_ok audit show --id "$ID" --format json
	is "$(wc -l <<<"$out")" 3
}

@test "rootless audit: without a place for it nothing starts at high, and it says why" {
	local env
	for env in "-u XDG_STATE_HOME" "XDG_STATE_HOME= HOME=" "XDG_STATE_HOME=relative"; do
		# shellcheck disable=SC2086
		as /usr/bin/env $env "$T/brig" --root "$R" run --level high --rootfs "$B/rootfs" -- true
		is "$status" 125
		err_has 'neither HOME nor XDG_STATE_HOME is set'
		[[ $err != *$'\n'* ]]
		# shellcheck disable=SC2086
		as /usr/bin/env $env "$T/brig" --root "$R" run --level standard --rootfs "$B/rootfs" -- true
		is "$status" 0
	done
	as /usr/bin/env XDG_STATE_HOME=/nonexistent/at/all "$T/brig" --root "$R" run --level high --rootfs "$B/rootfs" -- true
	is "$status" 125
	err_has 'audit'
	is "$(ls -A "$R")" ''
}

@test "rootless audit: a detached one, exec, and its end by the warden" {
	log_at brig/audit.jsonl
	high -d --keep -- sh -c 'sleep 1.5; exit 3'
	u_ok exec "$ID" true
	u wait "$ID"
	is "$status" 3
	wait_for 5 grep -q SandboxExited "$LOG"
	u_ok delete "$ID"
	is "$(events)" "SandboxCreated ProcessStarted SandboxExited SandboxDestroyed"
	is "$(jq -r 'select(.ev == "SandboxExited") | [.source, .data.exit_code] | map(tostring) | join(" ")' "$LOG")" "warden 3"
}

@test "rootless audit: what it tries is counted, told and answered, with and without a range" {
	local range
	log_at brig/audit.jsonl
	cp "$TOOLS/violate" "$B/rootfs/bin/violate"
	for range in no yes; do
		[ $range = no ] || with_range
		u_ok run --level standard --audit syscalls --result "$T/xdg/r" --rootfs "$B/rootfs" -- violate call 272 268435456
		out_is EPERM
		is "$(row "$T/xdg/r" | grep -v clone3)" 'denied unshare warn 1'
		u run --level high --id "$ID" --result "$T/xdg/r" --rootfs "$B/rootfs" -- sh -c 'violate call 168 0; echo survived'
		is "$status" 159
		out_is ''
		is "$(row "$T/xdg/r")" 'syscall swapoff terminate 1'
		is "$(jq -r 'select(.ev == "SystemCallAttempt") | .resource + " " + .data.program' "$LOG" | tail -n 1)" 'swapoff violate'
	done
}

@test "rootless audit: forks beyond his limit" {
	cp "$TOOLS/violate" "$B/rootfs/bin/violate"
	u_ok run --level standard --pids 20 --result "$T/xdg/r" --rootfs "$B/rootfs" -- violate forks 100
	out_is 'refused 81'
	is "$(row "$T/xdg/r")" 'pids pids warn 81'
}

@test "rootless audit: learned and tried" {
	as "$T/brig" --root "$R" --level high policy learn --rootfs "$B/rootfs" --id "$ID" -o "$T/xdg/learned" -- \
		sh -c 'echo x >/tmp/out'
	is "$status" 0
	is "$(jq -r '.paths.write[0].path' "$T/xdg/learned/learned.json")" /tmp/out
	as "$T/brig" --root "$R" policy check --replay "$T/xdg/learned"
	[ "$status" = 0 ] || fail "status $status" "$out" "$err"
}
