#!/usr/bin/env bats
load helpers
load ../lib/levels
# policy learn, what it writes, policy check --replay, and run --seccomp FILE

# learns ARGS: policy learn of the test's rootfs;  D: its directory
D=
learns() {
	D=$T/learned
	b policy learn --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK -o "$D" "$@"
}
learned() { # STATUS ARGS
	local want=$1
	shift
	learns "$@"
	[ "$status" = "$want" ] || fail "learn $*: status $status, not $want" "out: $out" "err: $err"
	nothing_left
}
replays() { # STATUS ARGS
	local want=$1
	shift
	b policy check --replay "$D" --id "$ID" --env BRIG_TEST_MARK "$@"
	[ "$status" = "$want" ] || fail "replay $*: status $status, not $want" "out: $out" "err: $err"
	nothing_left
}
# says JQ WANT: of learned.json
told() { is "$(jq -r "$1" "$D/learned.json")" "$2"; }
called() { jq -e --arg n "$1" 'any(.calls[]; .name == $n)' "$D/learned.json" >/dev/null; }
used() { jq -e --arg p "$2" "any(.paths.$1[]; .path == \$p)" "$D/learned.json" >/dev/null; }

both_levels() {
	at standard && "$@" && at high && "$@"
}

# --- --seccomp ----------------------------------------------------------------------------------

profile() { # DEFAULT ACTION NAMES...
	local default=$1 action=$2
	shift 2
	printf '{"defaultAction":"%s","syscalls":[{"names":[%s],"action":"%s"%s}]}' "$default" \
		"$(printf '"%s",' "$@" | sed 's/,$//')" "$action" "${RET:+, \"errnoRet\": $RET}" >"$T/p.json"
}

@test "seccomp file: takes away from a level, and gives nothing back" {
	RET=13 profile SCMP_ACT_ALLOW SCMP_ACT_ERRNO mkdir mkdirat
	takes() {
		succeeds --seccomp "$T/p.json" -- sh -c 'mkdir /tmp/x 2>&1; unshare -r true 2>&1; :'
		out_has 'Permission denied'
		out_has 'unshare.*(not permitted|Function not implemented)'
	}
	both_levels takes
	succeeds -- sh -c 'mkdir /tmp/x'
}

@test "seccomp file: at custom it is the filter, and one more beside config.json's" {
	at custom
	RET=13 profile SCMP_ACT_ALLOW SCMP_ACT_ERRNO mkdir mkdirat
	succeeds --seccomp "$T/p.json" -- sh -c 'mkdir /tmp/x 2>&1; unshare -Ur true && echo made; :'
	out_has 'Permission denied'
	out_has made
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["symlink", "symlinkat"],
		action: "SCMP_ACT_ERRNO", errnoRet: 30}]}'
	prog 'mkdir /tmp/x 2>&1; ln -s a /tmp/y 2>&1; echo done'
	ok run --seccomp "$T/p.json" -b "$B" "$ID"
	out_has 'Permission denied'
	out_has 'Read-only file system'
	out_has 'done'
	# of create, and then of exec, too
	config '.process.args = ["sleep", "100"]'
	ok create --seccomp "$T/p.json" -b "$B" "$ID"
	ok start "$ID"
	b exec "$ID" sh -c 'mkdir /tmp/x 2>&1; ln -s a /tmp/y 2>&1'
	out_has 'Permission denied'
	out_has 'Read-only file system'
	ok delete --force "$ID"
}

@test "seccomp file: two of them both hold" {
	RET=13 profile SCMP_ACT_ALLOW SCMP_ACT_ERRNO mkdir mkdirat
	mv "$T/p.json" "$T/q.json"
	RET=30 profile SCMP_ACT_ALLOW SCMP_ACT_ERRNO symlink symlinkat
	succeeds --seccomp "$T/p.json" --seccomp "$T/q.json" -- sh -c 'mkdir /tmp/x 2>&1; ln -s a /tmp/y 2>&1; :'
	out_has 'Permission denied'
	out_has 'Read-only file system'
}

@test "seccomp file: what is no profile, or asks for more than one may, is an error" {
	local text
	refuses 'no such file' --seccomp "$T/none.json" -- true
	refuses 'is a directory' --seccomp "$T" -- true
	refuses 'empty' --seccomp '' -- true
	for text in '' '{' '{}' '[]' '{"defaultAction": "SCMP_ACT_MAYBE"}' \
		'{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"]}]}'; do
		echo "$text" >"$T/p.json"
		refuses 'p.json' --seccomp "$T/p.json" -- true
	done
	profile SCMP_ACT_ALLOW SCMP_ACT_NOTIFY mkdir
	refuses 'NOTIFY' --seccomp "$T/p.json" -- true
	profile SCMP_ACT_ALLOW SCMP_ACT_ERRNO sendmsg
	refuses 'sendmsg' --seccomp "$T/p.json" -- true
	mkfifo "$T/fifo"
	refuses 'fifo' --seccomp "$T/fifo" -- true
	# before another filter these would let through what that one refuses
	at custom
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"}'
	prog true
	profile SCMP_ACT_LOG SCMP_ACT_ERRNO mkdir
	refused LOG run --seccomp "$T/p.json" -b "$B" "$ID"
}

# --- learn --------------------------------------------------------------------------------------

@test "learn: a shell script passes again under what was learned, and nothing else does" {
	script() {
		rm -rf "$T/learned"
		learned 0 -- sh -c 'echo hello >/tmp/out; cat /etc/passwd | wc -l; test -e /no/where'"; :"
		told .level "$LEVEL"
		told .exit 0
		told .command[0] sh
		called execve
		used write /tmp/out
		used read /etc/passwd
		used absent /no/where
		used execute /bin/busybox
		is "$(stat -c %a "$D")" 755
		is "$(jq -c .writable.paths "$D/level.json")" '["/tmp"]'
		is "$(jq -r .extends "$D/level.json")" "$LEVEL"
		ok policy check "$D/learned.json" "$D/seccomp.json" "$D/level.json"
		out_has 'learned: ok.*seccomp: ok.*level: ok'
		replays 0
		is "$out" 'nothing was denied'
		succeeds --seccomp "$D/seccomp.json" -- sh -c 'echo hello >/tmp/out; cat /etc/passwd | wc -l'
		replays 76 -- sh -c 'mkdir /tmp/d; ln -s a /tmp/b; :'
		out_has '(mkdir|symlink).*ENOSYS.*-'
	}
	both_levels script
}

@test "learn: Python with threads and another program" {
	local code='import threading, os, subprocess, json
t = [threading.Thread(target=os.listdir, args=("/usr",)) for i in range(30)]
[x.start() for x in t]; [x.join() for x in t]
print(subprocess.run(["uname", "-s"], capture_output=True).stdout.decode(), end="")'
	b policy learn --rootfs / --id "$ID" -o "$T/learned" -- /usr/bin/python3 -c "$code"
	D=$T/learned
	is "$status $out" '0 Linux'
	# folded
	jq -e '[.paths.read[].path] | any(startswith("/usr/lib/python3") and endswith("/"))' "$D/learned.json"
	[ "$(jq '.paths.read | length' "$D/learned.json")" -lt 60 ]
	replays 0
	replays 76 -- /usr/bin/python3 -c 'import os; os.link("/etc/passwd", "/tmp/x")'
	out_has 'link +ENOSYS'
	# an executed file and what the kernel loads for it
	used execute "$(readlink -f /usr/bin/python3)"
	jq -e '[.paths.execute[].path] | any(test("ld-linux"))' "$D/learned.json"
}

@test "learn: many threads, tens of thousands of calls" {
	[ -x "$TOP/build/bin/probe" ] || skip "no probe"
	cp "$TOP/build/bin/probe" "$B/rootfs/bin/probe"
	LIMIT=60 learned 0 -- probe crowd 16 500 /tmp
	is "$out" 'failed 0'
	[ "$(jq .total "$D/learned.json")" -gt 32000 ]
	told '.paths.write[0].path' /tmp/
	told '.paths.write[0].files' 8000
	told .paths.more 0
	told .paths.unread 0
	LIMIT=60 replays 0
}

@test "learn: more paths than are kept are counted" {
	[ -x "$TOP/build/bin/probe" ] || skip "no probe"
	cp "$TOP/build/bin/probe" "$B/rootfs/bin/probe"
	# long ones, of which 16 MiB are kept
	LIMIT=60 learned 0 -- sh -c 'd=/tmp; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do d=$d/$(printf %0240d 0); done
		mkdir -p $d; probe crowd 8 700 $d'
	is "$out" 'failed 0'
	told '.paths.more > 1000' true
	told '.paths.write[-1].files > 4000' true
	err_has 'too many paths'
}

@test "learn: what the level denies stays denied, and is told" {
	denied() {
		rm -rf "$T/learned"
		learned 0 -- sh -c 'unshare -m true 2>/dev/null || echo refused'
		is "$out" refused
		told '.denied[0].name' unshare
		told '.denied[0].answer' "$1"
		replays 0
		out_has "unshare +$1 +1 +denied"
	}
	at standard
	denied EPERM
	at high
	denied EPERM
	at custom
	learned 0 -- sh -c 'unshare -Ur true && echo made'
	is "$out" made
	told '.denied | length' 0
	told .levelFile null
	[ ! -e "$D/level.json" ]
	replays 0
}

@test "learn: a call that no program makes ends what it would have ended" {
	at standard
	learned 0 -- sh -c '(swapoff /x); echo $?'
	is "$out" 137
	told '.denied[0].name' swapoff
	told '.denied[0].answer' kill
	at high
	learned 143 -- sh -c 'swapoff /x; sleep 9'
	told '.denied[0].answer' kill
}

@test "learn: the program's input, output, errors and exit code are as in a run" {
	echo some words >"$T/in"
	STDIN=$T/in learned 7 -- sh -c 'cat; echo to-err >&2; exit 7'
	is "$out" 'some words'
	err_has '^to-err'
	told .exit 7
	# of a replay only what was denied is on standard output
	replays 0 -- sh -c 'echo mine'
	out_lacks mine
	err_has mine
	replays 0 --format json -- sh -c 'exit 3'
	is "$(jq -c '[.v, .exit, .passed, .denied]' <<<"$out")" '[1,3,true,[]]'
}

@test "learn: a program that hangs is ended by its limit, and what it did is kept" {
	learned 124 --timeout 500ms -- sh -c 'echo x >/tmp/a; sleep 100'
	told .exit 124
	used write /tmp/a
}

@test "learn: processes that are killed while they are watched" {
	learned 0 -- sh -c 'i=0; while [ $i -lt 100 ]; do
		sh -c "while :; do : </etc/passwd; done" & kill -9 $!; wait $! 2>/dev/null; i=$((i + 1)); done; echo done'
	is "$out" 'done'
}

@test "learn: SIGTERM reaches the program, and what it did is kept" {
	D=$T/learned
	"${BR[@]}" policy learn --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK -o "$D" -- sh -c \
		'trap "echo got; exit 9" TERM; echo ready; while :; do sleep 0.05; done' \
		</dev/null >"$T/out" 2>"$T/err" 3>&- &
	PIDS+=($!)
	wait_for 5 grep -q ready "$T/out"
	kill $!
	local got=0
	wait $! || got=$?
	is "$got" 9
	is "$(<"$T/out")" $'ready\ngot'
	told .exit 9
	nothing_left
}

@test "learn: kill -9 of the observer takes the sandbox with it, and delete the rest" {
	local pid p
	for LEVEL in custom standard high; do
		at "$LEVEL"
		"${BR[@]}" policy learn --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK -o "$T/learned" -- \
			sh -c 'while :; do :; done' </dev/null >/dev/null 2>&1 3>&- &
		pid=$!
		PIDS+=("$pid")
		becomes running
		p=$(field .pid)
		kill -9 "$pid"
		gone "$p"
		becomes stopped
		ok delete "$ID"
		wait "$pid" || :
		nothing_left
	done
}

@test "learn: options that were not used are not kept, and what is in the environment neither" {
	mkdir "$T/a" "$T/b"
	echo text >"$T/a/file"
	export SOME_WORD=hidden-word
	learned 0 --ro "$T/a:/a" --ro "$T/b:/b" --grant "filesystem:read:$T/b" --write /data:1m --write /other:1m --memory 128m \
		--env SOME_WORD --env WORD=hidden-too -- sh -c 'cat /a/file >/data/out; test -n "$WORD"'
	told '.flags | join(" ")' "--level high --rootfs $B/rootfs --memory 134217728 --write /data:1m \
--ro $T/a:/a --env BRIG_TEST_MARK --env SOME_WORD --env WORD --seccomp seccomp.json"
	run ! grep -r hidden "$D"
	export WORD=again
	b policy check --replay "$D" --id "$ID"
	is "$status" 0
}

@test "learn: a bundle" {
	at standard
	prog 'echo of a bundle; echo x >/tmp/x'
	D=$T/learned
	b policy learn --bundle "$B" --id "$ID" -o "$D"
	is "$status $out" '0 of a bundle'
	told '.command[0]' sh
	told '.flags[1]' "--bundle $B"
	b policy check --replay "$D" --id "$ID"
	is "$status $out" '0 nothing was denied'
	prog 'mkdir /tmp/x'
	b policy check --replay "$D" --id "$ID"
	is "$status" 76
	out_has 'mkdir +ENOSYS'
	# one process has one listener
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/run/x",
		syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}'
	b policy learn --bundle "$B" --id "$ID" -o "$D"
	is "$status" 125
	at custom
	config 'del(.linux.seccomp) | .process.noNewPrivileges = false'
	b policy learn --bundle "$B" --id "$ID" -o "$D"
	is "$status" 125
	one_line noNewPrivileges
}

@test "learn: its level holds where an administrator takes it up" {
	learned 0 --name only-tmp -- sh -c 'echo x >/tmp/a'
	cp "$D/only-tmp.json" "$T/levels/"
	at only-tmp
	succeeds --seccomp "$D/seccomp.json" -- sh -c 'echo x >/tmp/a'
	exits 1 -- sh -c 'echo x >/var/tmp/a'
	err_has 'Read-only|nonexistent'
	exits 1 -- sh -c 'echo x >/run/a'
}

@test "learn: what was learned is in the audit log where its run is" {
	local digest
	at high
	learned 0 -- echo
	digest=sha256:$(sha256sum <"$D/seccomp.json")
	is "$(jq -r 'select(.ev == "PolicyRecorded") | .resource + " " + .data.seccomp' "$T/audit/audit.jsonl")" \
		"$D ${digest%% *}"
	run ! grep -q '"echo"' "$T/audit/audit.jsonl"
	rm -r "$T/audit"
	at standard
	learned 0 -- true
	[ ! -e "$T/audit/audit.jsonl" ]
}

@test "learn: code that is made at run time is seen" {
	b policy learn --rootfs / --id "$ID" -o "$T/learned" -- /usr/bin/python3 -c \
		'import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)'
	D=$T/learned
	is "$status" 0
	told .makesCode true
	is "$(jq .mdwe "$D/level.json")" null
	learned 0 -- true
	told .makesCode false
	is "$(jq -r .mdwe "$D/level.json")" on
}

@test "learn: sockets pass by their family" {
	b policy learn --rootfs / --id "$ID" -o "$T/learned" -- /usr/bin/python3 -c \
		'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("127.0.0.1", 9))'
	D=$T/learned
	is "$status" 0
	told '.families | join(" ")' AF_INET
	told '.addresses[0] | .how + " " + .to' 'connect 127.0.0.1:9'
	replays 0
	replays 76 -- /usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX)'
	out_has 'socket +ENOSYS'
}

@test "learn: writing twice replaces, and a level that does not fit any more goes" {
	learned 0 -- true
	[ -e "$D/level.json" ]
	chmod 600 "$D/learned.json"
	learned 0 -- sh -c 'echo'
	told '.command[0]' sh
	at custom
	learned 0 -- true
	[ ! -e "$D/level.json" ]
}

@test "learn: what is wrong is one line and leaves nothing" {
	local words
	bad() { # RE ARGS
		local re=$1
		shift
		b policy "$@"
		[ "$status" != 0 ]
		one_line "$re"
		nothing_left
	}
	bad 'where is it to be written' learn --rootfs "$B/rootfs" -- true
	bad 'what is to be run' learn -o "$T/x" -- true
	bad 'no program' learn --rootfs "$B/rootfs" -o "$T/x"
	bad 'config.json' learn --bundle "$B" -o "$T/x" -- true
	bad 'has another meaning' learn --rootfs "$B/rootfs" -o "$T/x" --name high -- true
	bad 'has another meaning' learn --rootfs "$B/rootfs" -o "$T/x" --name learned -- true
	bad 'no name of a level' learn --rootfs "$B/rootfs" -o "$T/x" --name ../x -- true
	bad 'No such file|no such file' learn --rootfs "$B/rootfs" -o "$T/no/where" -- true
	bad 'nowhere' learn --rootfs "$B/rootfs" -o "$T/x" -- nowhere
	is "$status" 127
	[ ! -e "$T/x/learned.json" ]
	echo file >"$T/file"
	bad 'file' learn --rootfs "$B/rootfs" -o "$T/file" -- true
	bad 'for check' learn --rootfs "$B/rootfs" -o "$T/x" --replay "$T/x" -- true
	bad 'for learn' show --memory 1g
	bad 'for learn' explain --rootfs /
	bad 'for learn' check --output "$T/x" "$T/brig.json"
	bad 'for learn' check --replay "$T/x" --memory 1g
	bad 'learned.json' check --replay "$T/none"
	mkdir "$T/d"
	for words in '' '{' '{"v": 2, "level": "high", "command": ["a"]}' \
		'{"v": 1, "level": "high", "command": ["a"], "flags": ["rm -rf"]}' \
		'{"v": 1, "level": "high", "command": ["a"], "flags": ["--detach"]}' \
		'{"v": 1, "level": "high", "command": ["a"], "flags": []}'; do
		echo "$words" >"$T/d/learned.json"
		bad 'check' check --replay "$T/d"
	done
	learned 0 -- true
	chmod o+w "$D/learned.json"
	bad 'everybody may write' check --replay "$D"
	chmod o-w "$D/learned.json"
	rm "$D/seccomp.json"
	bad 'seccomp.json' check --replay "$D"
}

@test "learn: what somebody else has left in the directory leads nowhere" {
	at custom
	mkdir "$T/learned"
	echo '{}' >"$T/victim.json"
	mkfifo "$T/learned/seccomp.json.tmp"
	printf '{"v":1,"level":"custom","levelFile":"../victim","command":["true"],"flags":[]}\n' \
		>"$T/learned/learned.json"
	D=$T/learned
	b policy check --replay "$D"
	[ "$status" = 1 ]
	one_line 'levelFile: .*is no name of a level'
	learned 0 -- true
	[ -e "$T/victim.json" ]
	chown 4711 "$D/learned.json"
	b policy check --replay "$D"
	[ "$status" = 1 ]
	one_line 'it belongs to uid 4711'
}
