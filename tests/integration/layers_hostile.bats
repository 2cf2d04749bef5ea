#!/usr/bin/env bats
load helpers
load ../lib/reuse

more_setup() {
	reuse_setup
	mkdir "$T/vol"
	mkdir -m 700 "$T/kept"
	at standard
}

# What a sandbox leaves for those who look at its layers, so that they hang, fill a disk, lose
# something or do it by halves; and what goes by a wipe.  docs/layers.md

runs_and_ends() { ok start "$ID" && wait_for 20 has_ended && b wait "$ID"; }
overlaid() {
	chmod -R go+rwX "$T/vol"
	sleep 0.05
	volume
	prog "$1"
	makes --keep-layers --volume /data=overlay
	runs_and_ends
}

# --- archives -----------------------------------------------------------------------------------

@test "hostile: long paths are not more in an archive than it may hold" {
	has_probe
	prog 'probe deep /tmp 3000 255; swapoff /x'
	makes --keep-layers
	runs_and_ends
	ok collect "$ID" /tmp "$T/out1"
	rm -r "$T/out1"
	answers 1 'more than 10000000 bytes' collect --max-bytes 10000000 --tar "$ID" /tmp
	answers 1 'more than 1073741824 bytes' collect --tar "$ID" /tmp
	answers 76 'tainted' reset --keep-evidence "$T/kept" "$ID"
	[[ $(cat "$T/kept/$ID.1"/layer.*.error) = 'more than 1073741824 bytes' ]]
	[ "$(du -s "$T/kept" | cut -f1)" -lt 10000 ]
}

@test "hostile: a lease on a file does not hold up who reads it" {
	has_probe
	prog 'exec probe lease /tmp/f >/tmp/told'
	makes --keep-layers
	ok start "$ID"
	is_held() { ok collect "$ID" /tmp/told "$T/told" && [ -s "$T/told" ] || { rm -f "$T/told"; return 1; }; }
	wait_for 10 is_held
	is "$(cat "$T/told")" ok
	SECONDS=0
	answers 75 'in use' collect "$ID" /tmp/f "$T/f"
	answers 75 'in use' diff --hash "$ID"
	[ "$SECONDS" -lt 10 ]
	ok reset --kill "$ID"
}

# --- wipe ---------------------------------------------------------------------------------------

@test "hostile: wipe: what a program wrote into the times of a volume is gone" {
	volume
	prog 'touch -d @1234567890 /data'
	makes --volume /data=wipe
	runs_and_ends
	is "$(stat -c '%X %Y' "$T/vol")" '1234567890 1234567890'
	ok reset "$ID"
	[ "$(stat -c %X "$T/vol")" != 1234567890 ] && [ "$(stat -c %Y "$T/vol")" != 1234567890 ]
}

# --- commit -------------------------------------------------------------------------------------

@test "hostile: commit: files that were hard links of each other" {
	echo old >"$T/vol/a"
	ln "$T/vol/a" "$T/vol/b"
	ln "$T/vol/a" "$T/vol/c"
	mkdir "$T/vol/d"
	ln "$T/vol/a" "$T/vol/d/e"
	overlaid 'cd /data && echo 1 >a && echo 2 >b && rm c && rm -r d'
	ok commit "$ID"
	is "$(cat "$T/vol/a" "$T/vol/b" | tr '\n' ' ')" '1 2 '
	is "$(ls "$T/vol")" $'a\nb'
}

@test "hostile: commit: cut short after a move and in the middle of a tree, it can be begun anew" {
	mount -t tmpfs -o size=256k none "$T/vol"
	MOUNTED+=("$T/vol")
	echo moved >"$T/vol/a"
	echo 1 >"$T/vol/l1"
	ln "$T/vol/l1" "$T/vol/l2"
	overlaid 'cd /data && mv a z && rm l1 && echo 2 >l2 && head -c 400000 /dev/zero >k'
	answers 1 'no space left' commit "$ID"
	[ ! -e "$T/vol/a" ] && [ ! -e "$T/vol/z" ]
	mount -o remount,size=10m "$T/vol"
	ok commit "$ID"
	is "$(cat "$T/vol/z" "$T/vol/l2" | tr '\n' ' ')" 'moved 2 '
}

@test "hostile: commit: what a killed one left is no conflict" {
	mkdir "$T/vol/d"
	echo x >"$T/vol/d/x"
	overlaid 'cd /data && rm -r d && mkdir d && echo n >d/n'
	echo half >"$T/vol/d/.brig-commit.$ID"
	ok commit "$ID"
	is "$(ls -A "$T/vol/d")" n
}

@test "hostile: commit: a name that commit itself needs takes nothing along" {
	for what in 'echo t >' 'mkdir '; do
		rm -rf "$T/vol"
		mkdir "$T/vol"
		config '.mounts |= map(select(.destination != "/data"))'
		overlaid "cd /data && $what.brig-commit.$ID && echo x >x"
		answers 76 "brig-commit.*needs that name" commit "$ID"
		ok commit --skip "$ID"
		is "$(ls -A "$T/vol")" x
		ok delete "$ID"
	done
}
