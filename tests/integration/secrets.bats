#!/usr/bin/env bats
load helpers
load ../lib/levels
# --env-fd and --secret: what is in them is seen by the workload, and by nobody else.
# docs/secrets.md

LEVELS=(custom standard high)
HUSH=hush-$RANDOM$RANDOM$RANDOM

more_setup() {
	requires root
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	LOG=$T/log/audit.jsonl
	admin '"audit": {"path": "'"$LOG"'", "when": "always", "argv": "plain"}'
	at custom
	printf 'A=fd\nMY_SECRET_TOKEN=%s-env\nB=1\nB=2=3\n' "$HUSH" >"$T/env"
	printf '%s-one' "$HUSH" >"$T/one"
	printf '%s-two\n' "$HUSH" >"$T/two"
}

# given: the descriptors anew, for they can be read once
given() { exec 7<"$T/env" 8<"$T/one" 9<"$T/two"; }
FDS=(--env-fd 7 --secret one=8 --secret two.pem=9)
# with ARGS...: ok with all of them
with() {
	given
	ok "$@"
}
# nowhere [FILE...]: nothing of it in the state root, the log, what brig printed, those files
nowhere() {
	local found
	found=$(grep -rlF -- "$HUSH" "$R" "$T/log" "$T/out" "$T/err" "$@" 2>/dev/null) || return 0
	fail "found in: $found"
}
# forgotten PID...: nor in the memory, arguments or environment of those processes
forgotten() {
	python3 - "$HUSH" "$@" <<-'EOF'
		import sys
		word = sys.argv[1].encode()
		for pid in sys.argv[2:]:
		    for name in "cmdline", "environ":
		        assert word not in open(f"/proc/{pid}/{name}", "rb").read(), f"{pid} {name}"
		    with open(f"/proc/{pid}/mem", "rb") as mem:
		        seen = 0
		        for line in open(f"/proc/{pid}/maps"):
		            span, mode = line.split()[:2]
		            if "r" not in mode or "[v" in line:
		                continue
		            start, end = (int(x, 16) for x in span.split("-"))
		            mem.seek(start)
		            try:
		                data = mem.read(end - start)
		            except OSError:
		                continue
		            seen += len(data)
		            assert word not in data, f"memory of {pid}: {line}"
		        assert seen > 100000, f"{pid}: only {seen} bytes read"
	EOF
}
SHOW='echo "$A|$B|$MY_SECRET_TOKEN|$C"; cat /run/secrets/one /run/secrets/two.pem'
shown() { printf '%s\n' "fd|2=3|$HUSH-env|config" "$HUSH-one$HUSH-two"; }

# --- what the workload has -----------------------------------------------------------------------

@test "secrets: in the environment and below /run/secrets, by run, by create and start, in direct mode" {
	prog "$SHOW" '.process.env += ["A=config", "C=config"]'
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		with run "${FDS[@]}" -b "$B" "$ID"
		out_is "$(shown)"
		given
		"${FG[@]}" 10 "${BR[@]}" create "${FDS[@]}" -b "$B" "$ID" >"$T/started" 2>&1 </dev/null 3>&-
		ok start "$ID"
		becomes stopped
		is "$(<"$T/started")" "$(shown)"
		ok delete "$ID"
		given
		succeeds "${FDS[@]}" --env A=config --env C=config -- sh -c "$SHOW"
		out_is "$(shown)"
		: >"$T/out"
		nowhere
	done
}

@test "secrets: one set of owners and modes, whoever the workload is" {
	local user look='stat -c "%a %u %g %n" /run/secrets /run/secrets/*
		grep " /run/secrets " /proc/self/mountinfo | cut -d" " -f6
		touch /run/secrets/x /run/secrets/one 2>/dev/null || echo read-only
		cat /run/secrets/one >/dev/null && ls /proc/self/fd | tr "\n" " "'
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		for user in 0 1000; do
			prog "$look" ".process.user = {uid: $user, gid: $user}"
			given
			ok run "${FDS[@]}" -b "$B" "$ID"
			out_is "500 $user $user /run/secrets
400 $user $user /run/secrets/one
400 $user $user /run/secrets/two.pem
ro,nosuid,nodev,noexec,relatime
read-only
0 1 2 3 "
		done
	done
}

@test "secrets: other users of the sandbox see nothing" {
	for LEVEL in standard high; do
		at "$LEVEL"
		config '.process.args = ["sleep", "100"] | .process.user = {"uid": 1000, "gid": 1000}
			| .linux.uidMappings = null'
		given
		ok run -d "${FDS[@]}" -b "$B" "$ID"
		ok exec "$ID" cat /run/secrets/one
		out_is "$HUSH-one"
		[ "$LEVEL" = high ] || {
			b exec --user 1001:1000 "$ID" ls /run/secrets
			[ "$status" != 0 ]
			out_is ''
		}
		ok delete --force "$ID"
	done
}

@test "secrets: a config.json that mounts /run itself, and a root that lacks it" {
	mkdir "$T/run"
	chmod 755 "$T/run"
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		prog 'cat /run/secrets/one' '.mounts += [{"destination": "/run", "type": "tmpfs", "source": "tmpfs",
			"options": ["nosuid", "mode=755"]}]'
		with run "${FDS[@]}" -b "$B" "$ID"
		out_is "$HUSH-one"
		config '.mounts[-1] = {"destination": "/run", "type": "bind", "source": "'"$T/run"'",
			"options": ["rbind", "rw"]}'
		with run "${FDS[@]}" -b "$B" "$ID"
		out_is "$HUSH-one"
		is "$(find "$T/run" -type f)" ''
		config 'del(.mounts[-1])'
	done
	# a root file system without /run, which no level writes to
	for LEVEL in standard high; do
		at "$LEVEL"
		rm -r "$B/rootfs/run"
		level_file norun '"extends": "'"$LEVEL"'", "writable": {"paths": ["/tmp"]}'
		at norun
		with run "${FDS[@]}" -b "$B" "$ID"
		out_is "$HUSH-one"
		[ ! -e "$B/rootfs/run" ]
		mkdir "$B/rootfs/run"
	done
}

@test "secrets: its pages stay out of swap where the kernel can" {
	requires kernel:6.4
	at high
	prog 'grep " /run/secrets " /proc/self/mountinfo'
	with run "${FDS[@]}" -b "$B" "$ID"
	out_has ',noswap'
}

@test "env-fd: NUL separates where there is one; names may have dots; nothing is a fine environment" {
	prog 'env | grep -c . ; printf "%s|" "$KEY" "$B"
		tr "\0" "\n" </proc/1/environ | grep ^x'
	printf 'KEY=line 1\nline 2\n\0B=2\0\0x.y-z=1' >"$T/env"
	given
	ok run --env-fd 7 -b "$B" "$ID"
	out_has $'line 1\nline 2\n[|]2[|]x.y-z=1$'
	: >"$T/env"
	given
	prog 'echo "$A-"'
	ok run --env-fd 7 -b "$B" "$ID"
	out_is -
}

@test "env-fd: standard input, a pipe, and a pipe that is slow" {
	prog 'echo "$A|$B"; cat; readlink /proc/self/fd/0'
	STDIN=$T/env ok run --env-fd 0 -b "$B" "$ID"
	out_is $'fd|2=3\n/dev/null'
	exec 7< <(printf A=1; sleep 0.5; printf '1\nB=x')
	ok run --env-fd 7 -b "$B" "$ID"
	out_is $'11|x\n/dev/null'
}

# --- exec ----------------------------------------------------------------------------------------

@test "env-fd: exec has its own, and not those of the first process" {
	config '.process.args = ["sleep", "100"] | .process.env += ["A=config"]'
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		given
		ok --debug run -d "${FDS[@]}" -b "$B" "$ID"
		nowhere
		init_pid
		grep -qF "$HUSH-env" "/proc/$PID/environ"
		ok exec "$ID" sh -c 'echo "$A|$MY_SECRET_TOKEN|"'
		out_is 'config||'
		given
		ok exec --env-fd 7 --env A=flag "$ID" sh -c 'echo "$A|$B|$MY_SECRET_TOKEN"; ls /proc/self/fd | wc -l'
		out_is "fd|2=3|$HUSH-env"$'\n4'
		given
		jq '.process | .args = ["sh", "-c", "echo $MY_SECRET_TOKEN"]' "$B/config.json" >"$T/process.json"
		ok exec --env-fd 7 --process "$T/process.json" "$ID"
		out_is "$HUSH-env"
		given
		ok --debug exec -d --env-fd 7 "$ID" sleep 100
		nowhere
		ok delete --force "$ID"
	done
}

# --- and nobody else -----------------------------------------------------------------------------

@test "secrets: not in the state directory, the audit log, debug output, brig, its warden" {
	requires tool:python3
	local pids
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		config '.process.args = ["sleep", "100"]'
		given
		"${BR[@]}" --debug run "${FDS[@]}" -b "$B" "$ID" >"$T/fg" 2>&1 </dev/null 3>&- &
		PIDS+=($!)
		becomes running
		forgotten "$!"
		nowhere "$T/fg"
		[ "$LEVEL" = custom ] || {
			ok policy explain "$ID"
			nowhere
			out_has '/run/secrets.*one two.pem'
		}
		ok kill "$ID" KILL
		wait "$!" || :
		gone "$!"
		given
		ok --debug run -d "${FDS[@]}" -b "$B" "$ID"
		ok state "$ID"
		pids=$(jq -r '.brig.warden.pid // empty' "$T/out")
		[ "$LEVEL" != high ] || [ -n "$pids" ]
		[ -z "$pids" ] || forgotten "$pids"
		nowhere
		ok delete --force "$ID"
		nowhere
	done
}

@test "secrets: what is created waits with them, and its directory has nothing of them" {
	config '.process.args = ["sh", "-c", "echo $MY_SECRET_TOKEN; sleep 100"]'
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		given
		ok --debug create "${FDS[@]}" -b "$B" "$ID"
		nowhere
		init_pid
		! tr '\0' '\n' <"/proc/$PID/environ" | grep -F "$HUSH" || fail "in the environment of what waits"
		! grep -F "$HUSH" "/proc/$PID/cmdline" || fail "in its arguments"
		ok start "$ID"
		ok delete --force "$ID"
	done
}

@test "secrets: a program that cannot be started says nothing of them" {
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		config '.process.args = ["/no/such"]'
		given
		b --debug run "${FDS[@]}" -b "$B" "$ID"
		[ "$status" != 0 ]
		nowhere
		config '.process.args = ["true"] | .mounts += [{"destination": "/x", "type": "nosuchfs", "source": "x"}]'
		given
		b --debug run "${FDS[@]}" -b "$B" "$ID"
		[ "$status" != 0 ]
		nowhere
		config 'del(.mounts[-1])'
		nothing_left
	done
}

@test "policy explain: environment that was dropped, by name only" {
	at standard
	succeeds --env "DB_PASSWORD=$HUSH" --env "PLAIN=1" -- sh -c 'echo "$DB_PASSWORD|$PLAIN"'
	out_is '|1'
	given
	b run -d --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK --env "DB_PASSWORD=$HUSH" --env-fd 7 -- sleep 100
	is "$status" 0
	ok policy explain "$ID"
	out_has 'process.env.*DB_PASSWORD'
	out_has '--env-fd'
	nowhere
	ok delete --force "$ID"
}

# --- what is refused -----------------------------------------------------------------------------

@test "secrets: descriptors that will not do" {
	exec 7<"$T/env" 8</ 9>"$T/written"
	refused 'descriptor 99 is not open' create --env-fd 99 -b "$B" "$ID"
	refused 'descriptor 99 is not open' create --secret x=99 -b "$B" "$ID"
	refused 'descriptor 8 is a directory' create --env-fd 8 -b "$B" "$ID"
	refused 'descriptor 8 is a directory' create --secret x=8 -b "$B" "$ID"
	refused 'descriptor 9 is not open for reading' create --env-fd 9 -b "$B" "$ID"
	refused 'descriptor 1 is for output' create --env-fd 1 -b "$B" "$ID"
	refused 'descriptor 2 is for output' create --secret x=2 -b "$B" "$ID"
	refused 'descriptor 7 is taken already' create --env-fd 7 --secret x=7 -b "$B" "$ID"
	no create --env-fd 4294967296 -b "$B" "$ID"
	no create --env-fd -1 -b "$B" "$ID"
	no create --env-fd x -b "$B" "$ID"
	# bats has a descriptor of its own there
	status=0
	"${BR[@]}" create --preserve-fds 1 --env-fd 3 -b "$B" "$ID" 3<"$T/env" >"$T/out" 2>"$T/err" || status=$?
	is "$status" 1
	grep -q 'passed on to the program (preserve-fds)' "$T/err"
	printf '' >"$T/none"
	exec 8<"$T/none"
	refused 'nothing in it' create --secret x=8 -b "$B" "$ID"
	# brig's own
	no --log "$T/log.txt" create --env-fd 3 -b "$B" "$ID"
}

@test "secrets: too much of it" {
	head -c 1048577 /dev/zero | tr '\0' x >"$T/one"
	exec 7<"$T/one"
	refused 'more than 1048576' create --secret x=7 -b "$B" "$ID"
	exec 7<"$T/one"
	refused 'more than 1048576' create --env-fd 7 -b "$B" "$ID"
	head -c 1048576 "$T/one" >"$T/exact"
	for LEVEL in "${LEVELS[@]}"; do
		at "$LEVEL"
		exec 7<"$T/exact"
		prog 'wc -c </run/secrets/x'
		ok run --secret x=7 -b "$B" "$ID"
		out_is 1048576
	done
	exec 7<"$T/exact" 8<"$T/two"
	refused 'more than 1048576' create --secret x=7 --secret y=8 -b "$B" "$ID"
	seq -f 'V%.0f=1' 5000 >"$T/many"
	exec 7<"$T/many"
	refused 'more than 4096 entries' create --env-fd 7 -b "$B" "$ID"
}

@test "secrets: names that will not do, and nothing of the text in the error" {
	local bad
	for bad in 'KEY=a\n%s' '=%s' '1A=%s' 'A B=%s' '%s'; do
		# shellcheck disable=SC2059
		printf "$bad" "$HUSH" >"$T/env"
		given
		refused 'env-fd: entry' --debug create --env-fd 7 -b "$B" "$ID"
		nowhere
	done
	for bad in x =7 .=7 ..=7 a/b=7 'a b=7' a= ../x=7; do
		given
		refused 'secret' create --secret "$bad" -b "$B" "$ID"
	done
	given
	refused twice create --secret a=7 --secret a=8 -b "$B" "$ID"
	config '.mounts += [{"destination": "/run/./secrets/", "type": "tmpfs", "source": "x"}]'
	given
	refused 'mounts.3.: /run/secrets' create --secret a=7 -b "$B" "$ID"
}

@test "secrets: a pipe that never ends keeps nobody from the container's name" {
	local pid
	mkfifo "$T/pipe"
	exec 6<>"$T/pipe"
	for option in '--env-fd 7' '--secret x=7'; do
		for LEVEL in custom high; do
			at "$LEVEL"
			exec 7<"$T/pipe"
			# shellcheck disable=SC2086
			"${BR[@]}" create $option -b "$B" "$ID" >"$T/out" 2>&1 </dev/null 3>&- 6>&- &
			pid=$!
			PIDS+=("$pid")
			sleep 0.5
			[ -d "/proc/$pid" ]
			[ ! -e "$R/$ID" ]
			kill "$pid"
			wait "$pid" || :
			nothing_left
			creates
			ok delete "$ID"
		done
	done
	exec 6>&-
}
