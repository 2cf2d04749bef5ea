#!/usr/bin/env bats
load helpers
load ../lib/levels
# Direct mode: run --rootfs and run --policy, without a bundle

both_levels() { # CMD...: at standard and at high
	at standard && "$@" && at high && "$@"
}

# --- what is run --------------------------------------------------------------------------------

@test "direct: the program's output, arguments as they are, and its exit code" {
	both_levels exits 7 -- sh -c 'echo "$0|$1|$2"; echo to-err >&2; exit 7' 'a b' '' '*'
	is "$out" 'a b||*'
	is "$err" to-err
}

@test "direct: standard input and output are the caller's pipes" {
	seq 1 20000 >"$T/in"
	STDIN=$T/in succeeds -- sh -c 'cat | sort -rn | tail -n 1; wc -l </dev/null'
	is "$out" $'1\n0'
	is "$(seq 1 70000 | "${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" -- cat 3>&- | md5sum)" \
		"$(seq 1 70000 | md5sum)"
	is "$("${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" -- sh -c \
		'echo x >/dev/stdout; echo z >/dev/fd/1' 2>&1 3>&- </dev/null | cat)" $'x\nz'
}

@test "direct: a reader that goes away ends it" {
	run bash -c "$(printf '%q ' timeout 8 "${BR[@]}") run --rootfs $B/rootfs --id $ID -- yes 2>&1 3>&- | head -n 2"
	is "$output" $'y\ny'
	nothing_left
}

@test "direct: -- ends brig's options, the program's own are not looked at" {
	succeeds -- echo --id -- --rootfs
	is "$out" '--id -- --rootfs'
	succeeds echo --id x
	is "$out" '--id x'
	# -d and --keep would be brig's
	direct ls -d --keep /bin
	err_has "ls: unrecognized option '--keep'"
	[ ! -e "$R/$ID" ]
	exits 127 -- --
}

@test "direct: exit codes of brig: 124, 125, 126, 127" {
	exits 124 --timeout 300ms -- sleep 10
	one_line 'time of 300 ms'
	exits 127 -- nowhere
	one_line 'nowhere'
	exits 127 -- /no/where
	one_line '/no/where'
	exits 126 -- /etc/passwd
	one_line '/etc/passwd'
	exits 126 -- /tmp
	one_line '/tmp'
	exits 125
	one_line 'no program'
	exits 124 -- sh -c 'exit 124'
	is "$err" ''
}

@test "direct: a program that a signal ended gives 128 and its number" {
	exits 139 -- sh -c 'sh -c "kill -SEGV \$\$"; exit $?'
	# the first process of a pid namespace is safe from itself, but not from the caller
	"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" -- sleep 100 </dev/null >"$T/out" 2>&1 3>&- &
	PIDS+=($!)
	becomes running
	ok kill "$ID" KILL
	local got=0
	wait $! || got=$?
	is "$got" 137
}

@test "direct: a call that no program makes ends the sandbox with 159" {
	exits 159 -- sh -c 'swapoff /x; echo survived'
	out_lacks survived
	one_line 'swapoff'
	at standard
	exits 159 -- sh -c 'exec swapoff /x'
}

@test "direct: SIGTERM, SIGINT and SIGHUP reach the program" {
	local sig got
	for sig in TERM INT HUP USR1; do
		: >"$T/out" # of the signal before
		"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" -- sh -c \
			"trap 'echo got $sig; exit 9' $sig; echo ready; while :; do sleep 0.05; done" \
			</dev/null >"$T/out" 2>"$T/err" 3>&- &
		PIDS+=($!)
		wait_for 5 grep -q ready "$T/out"
		kill -"$sig" $!
		got=0
		wait $! || got=$?
		is "$got" 9
		is "$(<"$T/out")" "ready"$'\n'"got $sig"
		nothing_left
	done
}

@test "direct: kill -9 of brig takes the sandbox with it, and delete the rest" {
	local pid p
	for LEVEL in standard high; do
		at "$LEVEL"
		"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK -- \
			sh -c 'sleep 100 & sleep 100 & wait' </dev/null >/dev/null 2>&1 3>&- &
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

@test "direct: two at once, and an id that is taken" {
	"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" -- sleep 100 </dev/null >/dev/null 2>&1 3>&- &
	PIDS+=($!)
	becomes running
	exits 125 -- true
	one_line "exists.*$ID"
	b run --rootfs "$B/rootfs" -- echo beside
	is "$status $out" '0 beside'
	ok kill "$ID" KILL
	wait $! || :
}

@test "direct: without --id each has a name of its own, and none is left" {
	local n
	for n in 1 2 3; do
		b run --rootfs "$B/rootfs" -- sh -c 'cat /proc/self/cgroup'
		is "$status" 0
	done
	is "$(ls "$R")" ''
}

# --- options ------------------------------------------------------------------------------------

@test "direct: --rootfs / shows the host's programs read-only, and nothing else of it" {
	echo secret >"$T/secret"
	at standard
	b run --rootfs / --id "$ID" -- sh -c "ls / | tr '\n' ' '; cat $T/secret; touch /usr/x /etc/x; id -u; ls /root /home /var"
	out_has '^bin dev etc lib.*usr var workspace'
	out_lacks 'secret|home|root|boot|mnt|opt|srv'
	err_has 'Read-only'
	at high
	b run --rootfs // --id "$ID" -- sh -c 'cat /etc/shadow; echo shadow $?; cat /proc/self/uid_map'
	out_has 'shadow 1'
	[ ! -e /usr/x ] && [ ! -e /etc/x ]
}

@test "direct: relative paths are the caller's" {
	echo word >"$T/file"
	cd "$T"
	b run --rootfs bundle/rootfs --id "$ID" --ro file:/data/file --ro ./levels:/data/levels -- cat /data/file
	is "$status $out" '0 word'
	b run --rootfs ../nowhere --id "$ID" -- true
	is "$status" 125
	one_line '\.\./nowhere'
}

@test "direct: --ro and --bind show the caller's files; only --bind may be written" {
	mkdir "$T/src" && echo word >"$T/src/f"
	chmod 777 "$T/src"
	at standard
	succeeds --ro "$T/src:/in" --bind "$T/src:/inout" -- sh -c \
		'cat /in/f; touch /in/x 2>/dev/null || echo refused; echo made >/inout/made; ls -ld /in | cut -c1-10'
	is "$out" $'word\nrefused\ndrwxrwxrwx'
	is "$(<"$T/src/made")" made
	# what it makes belongs to who it seems to be: the ids are mapped
	is "$(stat -c %u "$T/src/made")" 1000
	for o in ro bind; do
		refuses 'No such file|no such file' --"$o" "$T/nowhere" -- true
		refuses 'not absolute' --"$o" "$T/src:in" -- true
		refuses '' --"$o" '' -- true
	done
	refuses '/proc' --ro /proc:/p -- true
	refuses '/' --bind /:/host -- true
	refuses 'state' --bind "$R:/state" -- true
}

@test "direct: --write gives a place of its own, with its own size, gone afterwards" {
	both_levels succeeds --write /data/deep --write /small:64k -- sh -c \
		'echo x >/data/deep/f && dd if=/dev/zero of=/small/f bs=1k count=100 2>&1 | grep -o "No space.*"
		df -k /small | tail -n 1 | tr -s " " | cut -d" " -f2'
	is "$out" $'No space left on device\n64'
	[ ! -e "$B/rootfs/data" ] && [ ! -e "$B/rootfs/small" ]
	local w
	for w in relative /a/../b /proc/x /dev/x '' :1m /a:x /a:-1; do
		refuses '--write' --write "$w" -- true
	done
}

@test "direct: --env sets, takes over, keeps and drops" {
	VISIBLE=1 MY_TOKEN=s3cret UNSET_ONE=x
	export VISIBLE MY_TOKEN
	unset UNSET_ONE
	at standard
	succeeds --env A=1 --env B= --env 'C=a=b c' --env VISIBLE --env MY_TOKEN --env UNSET_ONE \
		--env API_KEY=x -- env
	out_has $'(^|\n)A=1(\n|$)'
	out_has $'(^|\n)B=(\n|$)'
	out_has $'(^|\n)C=a=b c(\n|$)'
	out_has 'VISIBLE=1'
	out_lacks 's3cret|MY_TOKEN|API_KEY|UNSET_ONE|BASH|TERM|USER'
	out_has 'HOME=/workspace'
	admin '"env": {"allow": ["MY_TOKEN"]}'
	succeeds --env MY_TOKEN -- env
	out_has 'MY_TOKEN=s3cret'
	at high
	succeeds --env MY_TOKEN --env HOME=/tmp -- env
	out_has 'MY_TOKEN=s3cret'
	is "$(grep -c HOME <<<"$out")" 1
	refuses 'no name' --env =x -- true
}

@test "direct: --user, numbers only; 1000:1000 without it" {
	succeeds -- id
	out_has 'uid=1000.*gid=1000'
	succeeds --user 12:34 -- sh -c 'id -u; id -g; id -G'
	is "$out" $'12\n34\n34'
	succeeds --user 0:0 -- sh -c 'id -u; id -g; grep CapPrm /proc/self/status'
	out_has $'^0\n0\n.*0000000000000000'
	at standard
	succeeds --user 0 -- grep CapPrm /proc/self/status
	out_has '00000000000004eb'
	succeeds --user 4000000:4000001 -- sh -c 'id -u; id -g; echo x >/tmp/f; stat -c %u:%g /tmp/f'
	is "$out" $'4000000\n4000001\n4000000:4000001'
	local u
	for u in root -1 4294967295 99999999999 1:-1 1: '' 1:2:3 0x10; do
		refuses '--user' --user "$u" -- true
	done
}

@test "direct: --cwd, made where the image lacks it" {
	succeeds --cwd /not/there -- pwd
	is "$out" /not/there
	[ ! -e "$B/rootfs/not" ]
	refuses 'absolute' --cwd not/there -- pwd
	refuses '' --cwd /etc/passwd -- pwd
}

@test "direct: limits by --memory, --pids, --nofile, --cpus" {
	succeeds --nofile 77 --pids 20 -- sh -c 'ulimit -n; ulimit -Hn
		n=0; while [ $n -lt 40 ]; do sleep 2 & n=$((n+1)); done 2>&1 | grep -c fork'
	[[ $out == $'77\n77\n'[1-9]* ]] || fail "$out"
	direct --memory 32m -- sh -c 'a=x; while :; do a=$a$a; done'
	[ "$status" != 0 ] && [ "$status" -ne 124 ] || fail "$status"
	local o v
	while read -r o v; do
		refuses "$o" "--$o" "$v" -- true
	done <<-'END'
		memory x
		memory 1q
		memory -5
		memory 99999999999999999999
		pids x
		pids 99999999999999999999
		nofile -1
		cpus x
		cpus -1
		cpus 1e9
		timeout x
		timeout -1s
		timeout 99999999999999999999s
	END
}

@test "direct: --timeout counts from the start and ends everything" {
	local from=$SECONDS
	exits 124 --timeout 400ms -- sh -c 'sleep 100 & sleep 100'
	exits 124 --timeout 1s -- sh -c 'trap "" TERM INT; while :; do :; done'
	[ $((SECONDS - from)) -lt 6 ]
	succeeds --timeout 1m30s -- true
}

@test "direct: --lang narrows, an unknown one is refused" {
	local l
	for l in python node shell native jvm; do
		succeeds --lang "$l" -- true
	done
	refuses 'cobol' --lang cobol -- true
}

@test "direct: --pin none and cpus; others are refused (cores: pin.bats)" {
	succeeds --pin cpus -- grep Cpus_allowed_list /proc/self/status
	out_has 'list:\s[0-9]+$'
	at standard
	succeeds --pin none -- true
	succeeds --pin cpus -- grep Cpus_allowed_list /proc/self/status
	out_has 'list:\s[0-9]+$'
	refuses 'pin' --pin everywhere -- true
}

@test "direct: --egress without a way out is refused with the remedy" {
	refuses 'egress with --net none: .*add --net veth' --egress example.org:443 -- true
}

@test "direct: --tty gives a terminal" {
	run script -qec "$(printf '%q ' "${BR[@]}") run --rootfs $B/rootfs --id $ID --tty -- sh -c 'tty; test -t 0 && test -t 1 && echo terminal'" /dev/null 3>&-
	[[ $output == */dev/pts/0* ]] || [[ $output == */dev/console* ]] || fail "$output"
	[[ $output == *terminal* ]] || fail "$output"
	nothing_left
}

@test "direct: --keep keeps what it was, -d leaves it running" {
	exits 3 --keep -- sh -c 'exit 3'
	status_is stopped
	ok policy explain "$ID"
	out_has 'high'
	ok delete "$ID"
	succeeds -d -- sleep 100
	status_is running
	ok exec "$ID" id -u
	is "$out" 1000
	ok kill "$ID" KILL
	becomes stopped
	ok delete "$ID"
}

@test "direct: its options need it, a bundle's contradict it" {
	local o
	for o in --timeout=1s --memory=1m --cpus=1 --pin=cpus --pids=1 --nofile=1 --write=/x --ro=/x --bind=/x \
		--env=A=1 --user=1 --cwd=/x --lang=shell --tty --writable-root; do
		refused "${o%%=*}" run "$o" -b "$B" "$ID"
	done
	refuses 'contradict' -b "$B" -- true
	exits 125 --id '../x' -- true
	one_line 'x'
}

@test "direct: --writable-root only where the level lets it" {
	at custom
	b run --rootfs "$B/rootfs" --id "$ID" --writable-root --user 0 -- touch /written
	is "$status" 0
	[ -e "$B/rootfs/written" ]
	rm "$B/rootfs/written"
	b run --rootfs "$B/rootfs" --id "$ID" --user 0 -- touch /written
	is "$status" 1
	at standard
	direct --writable-root --user 0 -- touch /written
	[ "$status" != 0 ] && [ ! -e "$B/rootfs/written" ]
}

@test "direct: --rootfs that is no directory, or hostile" {
	b run --rootfs "$T/nowhere" --id "$ID" -- true
	is "$status" 125
	one_line 'nowhere'
	b run --rootfs "$B/config.json" --id "$ID" -- true
	is "$status" 125
	one_line '[Nn]ot a directory'
	b run --rootfs '' --id "$ID" -- true
	is "$status" 125
	ln -s / "$T/link"
	b run --rootfs "$T/link" --id "$ID" -- true
	is "$status" 0
	# / by another name is the host's programs, not the host
	b run --rootfs "$T/link" --id "$ID" -- ls "$T"
	[ "$status" != 0 ]
}

# --- documents ----------------------------------------------------------------------------------

document() { echo "$1" >"$T/doc.json"; }

@test "direct: --policy takes a platform's document" {
	document '{"securityLevel": "high", "runAsUser": 55, "timeout": 60000, "readOnlyRoot": true,
		"writablePaths": ["/data"], "resources": {"memory": "64Mi", "pids": 30, "cpu": "500m"}}'
	at standard
	succeeds --policy "$T/doc.json" -- sh -c 'id -u; grep CapBnd /proc/self/status; touch /data/x && echo written'
	is "$out" $'55\nCapBnd:\t0000000000000000\nwritten'
	succeeds --policy "$T/doc.json" --user 66 -- id -u
	is "$out" 66
}

@test "direct: a document that cannot be honoured starts nothing" {
	local text word
	while IFS='|' read -r text word; do
		document "$text"
		refuses "$word" --policy "$T/doc.json" -- true
	done <<-'END'
		{"securityLevel": "nope"}|nope
		{"securityLevel": "custom"}|custom
		{"secretLevel": "high"}|secretLevel
		{"timeout": "soon"}|timeout
		{"networkAccess": {"egress": ["example.org"]}}|egress
		{"writablePaths": ["/proc"]}|/proc
		{"resources": {"memory": -1}}|memory
		[]|doc.json
		{|doc.json
		{"securityLevel": "high"} x|doc.json
	END
	refuses 'nowhere' --policy "$T/nowhere" -- true
}

@test "direct: a program without handlers ends by TERM, INT and HUP as it would outside" {
	local sig code
	for sig in TERM:143 INT:130 HUP:129; do
		rm -f "$T/o"
		"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" -- sh -c 'echo up; exec sleep 100' >"$T/o" 2>"$T/e" </dev/null 3>&- &
		PIDS+=($!)
		appears "$T/o"
		kill -s "${sig%:*}" "$!"
		code=0
		wait $! || code=$?
		is "$code" "${sig#*:}"
	done
}

@test "direct: a program that ignores TERM goes on" {
	"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" -- sh -c 'trap "" TERM; echo up; sleep 1; exit 5' >"$T/o" 2>"$T/e" </dev/null 3>&- &
	PIDS+=($!)
	appears "$T/o"
	kill $!
	local code=0
	wait $! || code=$?
	is "$code" 5
}
