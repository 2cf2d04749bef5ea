#!/usr/bin/env bats
load helpers
load ../lib/reuse
# Sandboxes that are used again, where cgroup v2 is all there is: tests/vm/subset.  docs/reuse.md

more_setup() {
	requires v2
	reuse_setup
	prog 'for d in /tmp /run /dev/shm; do [ ! -e $d/left ] || exit 9; echo x >$d/left || exit 8; done
		(sleep 1000 &); exit 0'
	config '.linux.resources.memory.limit = 67108864 | .linux.resources.pids.limit = 50'
}
details() { report '[.checks[] | select(.ok | not) | .name + ": " + (.detail // "")] | join("; ")'; }
resets() { # to generation N
	b reset "$ID"
	[ "$status $(report '[.clean, .gen] | join(" ")' 2>/dev/null)" = "0 true $1" ] ||
		fail "status $status" "$(details)" "$err"
}
directory() { jq -r '.cgroup.dirs[0].path' "$R/$ID/state.json"; }

five_resets() {
	local n d
	ok create --reuse -b "$B" "$ID" </dev/null
	d=$(directory)
	is "$(cat "$d/memory.max" "$d/pids.max" | xargs)" "67108864 50"
	for n in 2 3 4 5 6; do
		ok start "$ID"
		wait_for 60 has_ended
		resets $n
		is "$(directory)" "$d"
		is "$(cat "$d/memory.max" "$d/pids.max" | xargs)" "67108864 50"
		is "$(wc -l <"$d/cgroup.procs")" 1
	done
	ok verify "$ID"
	ok delete "$ID"
	[ ! -d "$d" ]
	nothing_left
}

@test "reuse v2: five resets" { five_resets; }

@test "reuse v2: how a generation ended is known to who asks later, also without limits at standard" {
	at standard
	prog 'exit 7'
	config 'del(.linux.resources)'
	ok create --reuse -b "$B" "$ID" </dev/null
	for n in 2 3; do
		ok start "$ID"
		wait_for 60 has_ended
		b wait "$ID"
		is "$status $(report .status)" "7 exited"
		resets $n
	done
	ok run -d -b "$B" "$ID-2" </dev/null
	stopped() { ok state "$ID-2" && [[ $out == *'"stopped"'* ]]; }
	wait_for 60 stopped
	b wait "$ID-2"
	is "$status" 7
	ok delete "$ID-2"
}

@test "reuse v2: what is left in its cgroup is found" {
	ok create --reuse -b "$B" "$ID" </dev/null
	d=$(directory)
	mkdir "$d/sub"
	b verify "$ID"
	is "$status" 76
	[[ " $(bad_rows) " == *" cgroups "* ]]
	rmdir "$d/sub"
	ok verify "$ID"
	echo 77 >"$d/pids.max"
	b verify "$ID"
	is "$status" 76
	is "$(bad_rows)" fingerprint
	resets 2
	ok verify "$ID"
	# Frozen, and with a process that has moved away within it.
	ok start "$ID"
	echo 1 >"$d/cgroup.freeze"
	ok reset --kill "$ID"
	is "$(report .clean)" true
	is "$(cat "$d/cgroup.freeze")" 0
}

@test "reuse v2: programs that somebody attached to its cgroup are found, and brig's own are the same each time" {
	command -v python3 >/dev/null || skip "no python3"
	ok create --reuse -b "$B" "$ID" </dev/null
	[ "$(grep -c '^program device 0 ' "$R/$ID/fingerprint")" = 1 ]
	ok verify "$ID"
	"$LIB_TOP/tests/tools/attach_program.py" "$(directory)"
	b verify "$ID"
	is "$status" 76
	is "$(bad_rows)" fingerprint
	[[ $(details) == *"new: program device 1 "* ]]
	resets 2
	ok verify "$ID"
}

@test "systemd: a sandbox that is used again has a scope for each generation" {
	requires systemd
	BR+=(--systemd-cgroup)
	five_resets
}
