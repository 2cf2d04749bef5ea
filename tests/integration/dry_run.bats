#!/usr/bin/env bats
load helpers
load ../lib/levels

# run --dry-run: what a program would write to the host is told, and not written.  docs/layers.md

levels=(standard high)

host() { # a directory of the host's to work on
	rm -rf "$T/host"
	mkdir -p "$T/host/d"
	echo old >"$T/host/a"
	echo b >"$T/host/d/b"
	chmod -R go+rwX "$T/host"
}
listing() { (cd "$1" && find . -printf '%p %y %s %m %T@\n' | sort); }

@test "dry-run: nothing of the host is written, and what would have been is told" {
	for LEVEL in "${levels[@]}"; do
		at "$LEVEL"
		host
		before=$(listing "$T/host")
		succeeds --dry-run --bind "$T/host:/w" --result "$T/result" -- sh -c \
			'cd /w && echo new >a && rm d/b && echo n >d/n && ln -s a l && cat a'
		is "$out" new
		is "$(listing "$T/host")" "$before"
		[[ $err =~ 'C file      0666            4 '"$T/host/a" ]]
		[[ $err =~ 'D file         -            0 '"$T/host/d/b" ]]
		[[ $err =~ 'A symlink   0777            0 '"$T/host/l -> a" ]]
		is "$(jq -c '.changes | [.added, .changed, .deleted, .bytes, .truncated]' "$T/result")" '[2,1,1,6,false]'
		is "$(jq -r '.changes.entries[] | select(.op == "deleted") | .path' "$T/result")" "$T/host/d/b"
		nothing_left
	done
}

@test "dry-run: the program's exit code is its own, and an empty diff is empty" {
	host
	exits 7 --dry-run --bind "$T/host:/w" -- sh -c 'cat /w/a >/dev/null; exit 7'
	is "$err" ''
	exits 124 --dry-run --timeout 500ms --bind "$T/host:/w" -- sh -c 'echo x >/w/x; sleep 100'
	[[ $err =~ "A file" ]]
	[ ! -e "$T/host/x" ]
}

@test "dry-run: a name may be anything; many entries are told, the result has the first" {
	host
	succeeds --dry-run --bind "$T/host:/w" --result "$T/result" -- sh -c \
		'cd /w; touch "$(printf "a\nb\033[2J")"; mkdir m; i=0; while [ $i -lt 700 ]; do : >m/$i; i=$((i+1)); done'
	is "$(grep -c '^A file' <<<"$err")" 701
	[[ $err == *'/a\x0ab\x1b[2J'* ]]
	is "$(jq -c '.changes | [.added, .truncated, (.entries | length)]' "$T/result")" '[702,true,500]'
}

@test "dry-run: what it cannot keep its word of is refused" {
	host
	refuses 'who would tell' --dry-run -d --bind "$T/host:/w" -- true
	touch "$T/file"
	refuses 'is no directory' --dry-run --bind "$T/file:/f" -- true
	at custom
	refuses 'only at a level' --dry-run --bind "$T/host:/w" -- true
}

@test "dry-run: a bundle's writable bind mounts, too" {
	at standard
	host
	config --arg s "$T/host" '.root.readonly = true
		| .mounts += [{"destination": "/w", "type": "bind", "source": $s, "options": ["rbind", "rw"]}]'
	prog 'echo x >/w/x'
	ok run --dry-run -b "$B" "$ID"
	[[ $err =~ "A file" ]]
	[ ! -e "$T/host/x" ]
	mkdir "$T/host/d/m"
	mount -t tmpfs none "$T/host/d/m"
	MOUNTED+=("$T/host/d/m")
	b run --dry-run -b "$B" "$ID"
	[ "$status" != 0 ]
	[[ $err =~ 'something is mounted below' ]]
}
