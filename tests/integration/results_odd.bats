#!/usr/bin/env bats
load helpers
# Results and waiting, when somebody wants them to be wrong, or is unlucky: docs/results.md

more_setup() {
	requires root tool:python3
	known_peer_failure runc crun
	ID=odd-$ID
	BR=("$BRIG" --root "$R")
	RES=$T/result.json
}

res() { jq -r "$1" "$RES"; }
detached() {
	b run -d --id "$ID" --rootfs / "$@" >/dev/null
	is "$status" 0
}
warden_of() { jq -r .wardenPid "$R/$ID/state.json"; }
pid_of() { jq -r .pid "$R/$ID/state.json"; }
ended() { ! kill -0 "$1" 2>/dev/null || [[ $(<"/proc/$1/stat") == *") Z "* ]]; }

@test "results: a program that ends at once has run for some time, however little" {
	for _ in 1 2 3 4 5; do
		b run --id "$ID" --rootfs / --level standard --result "$RES" -- true
		is "$status" 0
		is "$(res 'has("wallMs") and .started <= .ended')" true
	done
}

@test "results: a warden that is stopped hangs nobody up" {
	detached --level standard --timeout 60s -- sleep 100
	local warden
	warden=$(warden_of)
	kill -STOP "$warden"
	kill -KILL "$(pid_of)"
	wait_for 5 ended "$(pid_of)"
	# more of them than its socket lets wait
	for _ in $(seq 24); do ok state "$ID"; done
	is "$(jq -r .status <<<"$out")" stopped
	LIMIT=10 b wait "$ID"
	is "$(jq -r .status <<<"$out")" signal
	ok list
	ok stats --all
	LIMIT=10 ok delete --force "$ID"
	ended "$warden"
}

@test "results: a terminal's output that nobody reads does not stop the clock" {
	python3 - "${BR[@]}" <<-'P' || fail "$(cat "$T/tty" 2>/dev/null)"
		import subprocess, sys, time
		brig = sys.argv[1:]
		p = subprocess.Popen(brig + ["run", "-t", "--rootfs", "/", "--level", "standard", "--timeout",
		                             "2s", "--id", "odd-tty", "--", "sh", "-c", "while :; do seq 999; done"],
		                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
		until = time.time() + 2
		while not subprocess.run(brig + ["ps", "odd-tty"], capture_output=True).stdout.count(b"sh"):
		    assert time.time() < until, "it does not start"
		time.sleep(3)
		assert not subprocess.run(brig + ["ps", "odd-tty"], capture_output=True).stdout.count(b"sh"), "runs on"
		p.stdout.read()
		assert p.wait() == 124, p.returncode
	P
}

@test "results: a terminal's output comes whole to a slow reader" {
	"${BR[@]}" run -t --rootfs / --level standard -- seq 20000 </dev/null 2>"$T/err" | { sleep 1; tr -d "\r"; } >"$T/out"
	seq 20000 | cmp - "$T/out"
}

@test "results: why it was ended is written on a full disk, too" {
	mkdir "$T/small"
	mount -t tmpfs -o size=256k odd "$T/small"
	R=$T/small/r
	BR=("$BRIG" --root "$R")
	detached --level standard --timeout 1s -- sleep 100
	cat /dev/zero >"$T/small/fill" || true
	sleep 2
	b wait "$ID"
	is "$status" 124
	is "$(jq -r .status <<<"$out")" timeout
	rm "$T/small/fill"
	ok delete "$ID"
	umount "$T/small"
}

@test "results: another user's symbolic link is not written through" {
	mkdir "$T/dir"
	echo kept >"$T/victim"
	ln -s "$T/victim" "$T/dir/r"
	chown -h 12345 "$T/dir/r"
	b run --id "$ID" --rootfs / --level standard --result "$T/dir/r" -- true
	is "$status" 125
	[[ "$err$out" == *"symbolic link of user 12345"* ]]
	is "$(<"$T/victim")" kept
	chown -h 0 "$T/dir/r"
	ok run --id "$ID" --rootfs / --level standard --result "$T/dir/r" -- true
	is "$(jq -r .status < <(tail -1 "$T/victim"))" exited
}

@test "results: a kill for memory that ended nothing else is not the end" {
	[ -d /sys/fs/cgroup/memory ] || skip "v1 alone limits a parent here"
	local above=/sys/fs/cgroup/memory/odd-$BATS_TEST_NUMBER-$$
	mkdir "$above"
	echo 60000000 >"$above/memory.limit_in_bytes"
	prog 'dd if=/dev/zero of=/dev/null bs=150M count=1; exit 3'
	config ".linux.cgroupsPath = \"/${above##*/}/c\" | .annotations = {\"dev.brig.time.wall\": \"20s\"}
		| del(.linux.resources.memory)"
	LIMIT=30 b run --level standard -b "$B" --result "$RES" "$ID"
	rmdir /sys/fs/cgroup/*/"${above##*/}"
	is "$(res '"\(.status) \(.exitCode) \(.memory.oomKills)"')" "exited 3 1"
}

@test "results: a waiter that was stopped does not say that a deleted program never ran" {
	ok --level custom create -b "$B" "$ID"
	"${BR[@]}" wait "$ID" >"$RES" 2>"$T/err" 3>&- &
	local waiter=$!
	PIDS+=("$waiter")
	wait_for 5 test -e "$R/$ID/waiters"
	sleep 0.2
	kill -STOP "$waiter"
	ok start "$ID"
	sleep 0.3
	ok delete --force "$ID"
	prog 'exit 9'
	ok --level custom run -d -b "$B" "$ID"
	kill -CONT "$waiter"
	local code=0
	wait "$waiter" || code=$?
	[[ $(res .status) == @(exited|unknown) ]]
	[ "$code" != 9 ]
	ok delete --force "$ID"
}

@test "results: output that was cut off during the grace is told as cut off" {
	b run --id "$ID" --rootfs / --level standard --timeout 500ms --grace 500ms --max-output 100 \
		--result "$RES" -- sh -c 'trap "yes | head -c 3000" TERM; while :; do sleep 0.1; done'
	is "$(res '"\(.status) \(.output.bytes) \(.output.truncated)"')" "timeout 100 true"
}

@test "results: kill -9 of start: a program that ran is not told as one that never did" {
	local marks=$T/marks waiter
	prog 'echo ran; sleep 0.1; exit 3'
	for i in $(seq 40); do
		"${BR[@]}" --level custom create -b "$B" "$ID" >"$marks" 2>&1 </dev/null 3>&-
		# Who holds its process can tell, whoever reaps it, and when.
		"${BR[@]}" wait "$ID" >"$T/said" 2>/dev/null </dev/null 3>&- &
		waiter=$!
		PIDS+=("$waiter")
		wait_for 5 test -e "$R/$ID/waiters"
		"${BR[@]}" start "$ID" 2>/dev/null 3>&- &
		local start=$!
		sleep "0.00$((i % 8))"
		kill -9 "$start" 2>/dev/null || true
		wait "$start" 2>/dev/null || true
		sleep 0.02
		LIMIT=5 b wait --timeout 200ms "$ID"
		if [ "$(<"$marks")" = ran ]; then
			status=0
			wait "$waiter" || status=$?
			is "$status $(jq -r .status "$T/said")" "3 exited"
		else
			is "$status" 75
		fi
		ok delete --force "$ID"
	done
}
