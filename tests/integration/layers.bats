#!/usr/bin/env bats
load helpers
load ../lib/reuse

more_setup() { reuse_setup; }

# What a generation wrote, looked at when it has ended: diff, collect, discard.  docs/layers.md

levels=(standard high)

makes() { ok create --reuse --keep-layers -b "$B" "$ID"; }
runs_and_ends() { ok start "$ID" && wait_for 20 has_ended && ok wait "$ID"; }
wrote() { prog "$1" && makes && runs_and_ends; }

# --- diff ---------------------------------------------------------------------------------------

@test "layers: diff tells each entry that a program has left, and only those" {
	for LEVEL in "${levels[@]}"; do
		at "$LEVEL"
		wrote 'printf 12345 >/tmp/f; mkdir /tmp/d; ln -s /etc/passwd /tmp/l; chmod 750 /tmp/f
			mkfifo /var/tmp/p; echo gone >/tmp/g; rm /tmp/g'
		ok diff --format json --hash "$ID"
		is "$(jq -c '[.v, .generation, .status]' <<<"$out")" '[1,1,"stopped"]'
		is "$(sums)" '[4,0,0,5]'
		is "$(entry /tmp/f '[.op, .type, .mode, .size, .sha256] | join(" ")')" \
			"added file 0750 5 $(printf 12345 | sha256sum | cut -d' ' -f1)"
		is "$(entry /tmp/d .type)" directory
		is "$(entry /tmp/l .target)" /etc/passwd
		is "$(entry /var/tmp/p .type)" fifo
		is "$(jq .changes.special <<<"$out")" 1
		ok delete "$ID"
		nothing_left
	done
}

@test "layers: one that wrote nothing, and a parked one, have no changes" {
	wrote true
	ok diff --format json "$ID"
	is "$(sums)" '[0,0,0,0]'
	ok reset "$ID"
	ok diff --format json "$ID"
	is "$(jq -c '[.status, .generation, .entries]' <<<"$out")" '["created",2,[]]'
	ok diff "$ID"
	is "$out" ''
}

@test "layers: the next generation has its own, and nothing of the one before" {
	wrote 'echo x >/tmp/$$.first; ls /tmp'
	ok reset "$ID"
	runs_and_ends
	ok diff --format json "$ID"
	is "$(jq '.entries | length' <<<"$out")" 1
	is "$(jq .generation <<<"$out")" 2
}

@test "layers: a name may be anything, and the answer is JSON all the same" {
	wrote 'cd /tmp; touch "$(printf "a\nb")" "$(printf "q\"q")" "$(printf "\377\376x")" "back\slash" \
		"$(printf "\033[31mred")" "$(printf "\342\200\256rtl")" "$(printf "\303\244")" -- -x'
	ok diff --format json "$ID"
	is "$(jq -r '.entries[].path' <<<"$out" | LC_ALL=C sort)" "$(LC_ALL=C sort <<'END'
/tmp/-x
/tmp/\x1b[31mred
/tmp/\xe2\x80\xaertl
/tmp/\xff\xfex
/tmp/a\x0ab
/tmp/back\\slash
/tmp/q"q
/tmp/ä
END
)"
	ok diff "$ID"
	is "$(grep -c . <<<"$out")" 8
	[ "$(LC_ALL=C tr -d '\n -~\303\244' <<<"$out")" = '' ]
}

@test "layers: 3000 directories deep: diff, collect and delete get to the end of it" {
	has_probe
	wrote 'probe deep /tmp 4200'
	ok diff --format json "$ID"
	is "$(sums)" '[4201,0,0,0]'
	is "$(jq -r '.entries[-1].path | length' <<<"$out")" $((4200 * 2 + 4 + 4))
	ok collect "$ID" /tmp/d "$T/deep"
	is "$(jq -c '[.files, .directories, .bytes]' <<<"$out")" '[1,4200,0]'
	rm -rf "$T/deep"
	"${BR[@]}" collect --tar "$ID" /tmp/d 2>"$T/report" | wc -c
	is "$(jq .directories "$T/report")" 4200
}

@test "layers: what is no file is told by its type, and read by nobody" {
	has_probe
	for LEVEL in "${levels[@]}"; do
		at "$LEVEL"
		wrote 'mkdir /tmp/o; probe odd /tmp/o >/tmp/told; :'
		ok diff --format json --hash "$ID"
		is "$(entry /tmp/o/sparse .sha256)" null
		is "$(entry /tmp/o/sparse .size)" 1099511627776
		is "$(entry /tmp/o/fifo .type)" fifo
		is "$(entry /tmp/o/abs .target)" /etc/shadow
		is "$(jq '[.entries[] | select(.type == "block")] | length' <<<"$out")" 0
		ok collect --max-bytes 2T "$ID" /tmp/o "$T/odd.$LEVEL"
		is "$(ls "$T/odd.$LEVEL")" sparse
		is "$(stat -c %a "$T/odd.$LEVEL/sparse" | grep -c '^[0-7]\{3\}$')" 1
		ok delete "$ID"
	done
}

@test "layers: while a program renames and writes, diff and collect end, and well or with 75" {
	has_probe
	prog 'mkdir /tmp/o; exec probe churn /tmp/o'
	makes
	ok start "$ID"
	for i in 1 2 3 4 5 6 7 8; do
		b diff --format json --hash "$ID"
		[ "$status" = 0 ] || [ "$status" = 75 ] || fail "diff: $status $err"
		jq -e .changes <<<"$out" >/dev/null || fail "no JSON: $out"
		b collect --max-bytes 100M "$ID" /tmp "$T/c$i"
		[ "$status" = 0 ] || [ "$status" = 75 ] || fail "collect: $status $err"
		[ "$status" = 0 ] || [ ! -e "$T/c$i" ]
		[ -z "$(find "$T/c$i" -type l 2>/dev/null)" ]
	done
	ok reset --kill "$ID"
}

@test "layers: 20000 names are told, each once" {
	has_probe
	wrote 'probe wide /tmp 20000'
	ok diff --format json "$ID"
	is "$(sums)" '[20000,0,0,0]'
	is "$(jq -r '.entries[].path' <<<"$out" | sort -u | wc -l)" 20000
}

@test "layers: of a running one diff tells what it meets" {
	prog 'echo x >/tmp/f; sleep 1000'
	makes
	ok start "$ID"
	appears_in_diff() { b diff --format json "$ID" && [ "$(sums)" = '[1,0,0,2]' ]; }
	wait_for 10 appears_in_diff
	is "$(jq -r .status <<<"$out")" running
	ok reset --kill "$ID"
}

@test "layers: no more entries than asked for are looked at, and that is said" {
	wrote 'cd /tmp; for i in 1 2 3 4 5 6 7 8 9; do echo >$i; done'
	ok diff --format json --max-entries 5 "$ID"
	is "$(jq -c '[.changes.truncated, (.entries | length) <= 5]' <<<"$out")" '[true,true]'
}

# --- who keeps them, and who does not -----------------------------------------------------------

@test "layers: the report of a reset tells what was written" {
	wrote 'echo 12345 >/tmp/a; cp /tmp/a /tmp/b; chmod 755 /tmp/b; mkdir /tmp/d'
	ok reset "$ID"
	is "$(jq -c '.changes | [.added, .changed, .deleted, .bytes, .untrusted, .outside_writable]' <<<"$out")" \
		'[3,0,0,12,1,0]'
	ok reset "$ID"
	is "$(jq -c .changes <<<"$out")" null
}

@test "layers: without --keep-layers there are none: 76" {
	prog true
	ok create --reuse -b "$B" "$ID"
	runs_and_ends
	answers 76 'keeps no layers' diff "$ID"
	answers 76 'keeps no layers' collect "$ID" /tmp "$T/x"
	answers 76 'keeps no layers' discard "$ID"
}

@test "layers: --keep-layers is for reusable ones, by option and annotation" {
	prog true
	refused 'needs --reuse' create --keep-layers -b "$B" "$ID"
	config '.annotations["dev.brig.reuse.layers"] = "maybe"'
	refused 'is not true or false' create --reuse -b "$B" "$ID"
	config '.annotations["dev.brig.reuse.layers"] = "true"'
	refused 'needs --reuse' create -b "$B" "$ID"
	ok create --reuse -b "$B" "$ID"
	runs_and_ends
	ok diff "$ID"
}

@test "layers: a warden that is killed takes the layers along, and that is said" {
	for LEVEL in "${levels[@]}"; do
		at "$LEVEL"
		wrote 'echo x >/tmp/f'
		w=$(jq -r .wardenPid "$R/$ID/state.json")
		kill -9 "$w"
		gone "$w"
		answers 76 'are gone' diff "$ID"
		ok reset "$ID"
		runs_and_ends
		ok diff --format json "$ID"
		is "$(sums)" '[1,0,0,2]'
		ok delete "$ID"
		nothing_left
	done
}

@test "layers: discard ends the warden; a reset goes on, a running one is left alone" {
	prog 'echo x >/tmp/f; sleep 1000'
	makes
	answers 75 'is created' discard "$ID"
	ok start "$ID"
	answers 75 'is running' discard "$ID"
	ok kill "$ID" KILL
	wait_for 10 has_ended
	w=$(jq -r .wardenPid "$R/$ID/state.json")
	kill -0 "$w"
	ok discard "$ID"
	gone "$w"
	answers 76 'are gone' discard "$ID"
	b wait "$ID"
	is "$(jq -r '.status' <<<"$out")" signal
	ok reset "$ID"
}

@test "layers: delete ends the warden that holds them" {
	wrote 'echo x >/tmp/f'
	w=$(jq -r .wardenPid "$R/$ID/state.json")
	ok delete "$ID"
	gone "$w"
	nothing_left
}

# --- collect ------------------------------------------------------------------------------------

@test "layers: collect copies files and directories, and nothing else" {
	wrote 'cd /tmp; mkdir -p o/s; echo hi >o/a; echo x >o/s/b; ln -s /etc/shadow o/l; mkfifo o/p
		chmod 6755 o/a || chmod 755 o/a; ln o/a o/hard; chmod 1777 o/s || :'
	ok collect "$ID" /tmp/o "$T/got"
	is "$(jq -c '[.files, .directories, .bytes, .skipped.symlinks, .skipped.special]' <<<"$out")" \
		'[3,2,8,1,1]'
	is "$(cd "$T/got" && find . | sort | tr '\n' ' ')" '. ./a ./hard ./s ./s/b '
	is "$(stat -c '%a %u %g' "$T/got/a")" "755 0 0"
	is "$(stat -c '%a' "$T/got/s")" 755
	is "$(stat -c '%h' "$T/got/a")" 1
	is "$(cat "$T/got/a")" hi
	ok collect "$ID" /tmp/o/a "$T/one"
	is "$(cat "$T/one")" hi
}

@test "layers: collect makes its destination itself, behind no symlink" {
	wrote 'mkdir /tmp/o; echo hi >/tmp/o/a'
	mkdir "$T/real"
	ln -s real "$T/link"
	ln -s nowhere "$T/dangling"
	answers 1 'symbolic link leads to it' collect "$ID" /tmp/o "$T/link/x"
	answers 1 'exists' collect "$ID" /tmp/o "$T/dangling"
	answers 1 'exists' collect "$ID" /tmp/o "$T/real"
	answers 1 'exists' collect "$ID" /tmp/o/a "$T/dangling"
	answers 1 'no name' collect "$ID" /tmp/o "$T/real/.."
	[ ! -e "$T/nowhere" ] && [ -z "$(ls -A "$T/real")" ]
}

@test "layers: collect does not leave its layer" {
	wrote 'cd /tmp; ln -s / root; ln -s ../etc up; mkdir d; ln -s /etc/passwd d/p'
	answers 1 'symbolic link is on the way' collect "$ID" /tmp/root/etc/passwd "$T/x"
	answers 1 'it is a symbolic link' collect "$ID" /tmp/up "$T/x"
	answers 1 'it is a symbolic link' collect "$ID" /tmp/d/p "$T/x"
	answers 1 'with ."\.\.' collect "$ID" /tmp/../etc/passwd "$T/x"
	answers 1 'not an absolute path' collect "$ID" tmp/d "$T/x"
	answers 1 'none of its layers' collect "$ID" /etc/passwd "$T/x"
	[ ! -e "$T/x" ]
}

@test "layers: collect has bounds, and leaves nothing half copied" {
	wrote 'cd /tmp; mkdir o; for i in 1 2 3 4; do head -c 1000 /dev/zero >o/$i; done; mkdir s
		dd if=/dev/zero of=s/sparse bs=1 count=1 seek=1099511627775 2>/dev/null'
	answers 1 'more than 3999 bytes' collect --max-bytes 3999 "$ID" /tmp/o "$T/x"
	answers 1 'more than 4 files' collect --max-files 4 "$ID" /tmp/o "$T/x"
	answers 1 'more than 1073741824 bytes' collect "$ID" /tmp/s "$T/x"
	answers 1 'more than' collect --tar "$ID" /tmp/s
	is "$out" ''
	[ ! -e "$T/x" ]
	ok collect --max-bytes 4000 --max-files 5 "$ID" /tmp/o "$T/x"
	ok collect --max-bytes 2T "$ID" /tmp/s "$T/sparse"
	[ "$(stat -c %s "$T/sparse/sparse")" = 1099511627776 ]
	[ "$(stat -c %b "$T/sparse/sparse")" -lt 1000 ]
}

@test "layers: a failing collect removes what it had copied" {
	wrote 'cd /tmp; mkdir -p o/a/b/c; head -c 3000000 /dev/zero >o/a/b/c/z; echo x >o/a/b/y'
	mkdir "$T/small"
	mount -t tmpfs -o size=1m none "$T/small"
	MOUNTED+=("$T/small")
	answers 1 'no space left' collect "$ID" /tmp/o "$T/small/x"
	[ -z "$(ls -A "$T/small")" ]
}

@test "layers: collect --tar is an archive that tar reads" {
	long=$(printf 'n%.0s' {1..150})
	wrote "cd /tmp; mkdir -p o/$long; echo hi >o/$long/f; chmod 4755 o/$long/f || chmod 755 o/$long/f; ln -s x o/l; echo y >'o/a
b'"
	b collect --tar "$ID" /tmp/o >/dev/null
	"${BR[@]}" collect --tar "$ID" /tmp/o >"$T/o.tar" 2>"$T/report"
	is "$(jq -c '[.files, .directories, .skipped.symlinks]' "$T/report")" '[2,2,1]'
	mkdir "$T/un"
	tar -xpf "$T/o.tar" -C "$T/un"
	is "$(cat "$T/un/o/$long/f")" hi
	is "$(stat -c %a "$T/un/o/$long/f")" 755
	[ -e "$T/un/o/a"$'\n'b ]
	is "$(tar -tf "$T/o.tar" | wc -l)" 4
	[ $(($(stat -c %s "$T/o.tar") % 512)) = 0 ]
}

# --- arguments ----------------------------------------------------------------------------------

@test "layers: bad arguments are told of in one line" {
	prog true
	for verb in diff collect discard; do
		answers 1 'does not exist|requires|argument|source' "$verb" nobody /x /y
	done
	wrote true
	answers 1 'invalid format' diff --format yaml "$ID"
	answers 1 'an id, a source and a destination' collect "$ID" /tmp
	answers 1 'an id and a source' collect --tar "$ID" /tmp /x
}
