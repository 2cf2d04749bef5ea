#!/usr/bin/env bats
load helpers
load ../lib/reuse

more_setup() {
	reuse_setup
	mkdir "$T/vol"
}

# Writable bind mounts of a sandbox that can be used again: overlay, wipe, keep.  docs/layers.md

levels=(standard high)

runs_and_ends() { ok start "$ID" && wait_for 20 has_ended && ok wait "$ID"; }
listing() { (cd "$1" && find . -printf '%p %y %s %m\n' | sort); }

# --- policies -----------------------------------------------------------------------------------

@test "volumes: nothing said of a writable bind mount: it is not made" {
	volume
	refused '/data: what is written there would stay' create --reuse -b "$B" "$ID"
	refused 'would stay' create --reuse --volume /data=refuse -b "$B" "$ID"
}

@test "volumes: words and places that are none are told of" {
	volume
	refused 'none of overlay, wipe, keep' create --reuse --volume /data=burn -b "$B" "$ID"
	refused 'no writable bind mount is there' create --reuse --volume /other=keep -b "$B" "$ID"
	refused 'not DEST=POLICY' create --reuse --volume /data -b "$B" "$ID"
	refused 'needs --reuse' create --volume /data=keep -b "$B" "$ID"
	config '.annotations["dev.brig.reuse.volumes"] = "{\"/data\": \"burn\"}"'
	refused 'none of overlay' create --reuse -b "$B" "$ID"
	for text in '{' '[]' '{"/data": 1}' '{"/data":"keep"},"x":{}' '{"/data":"keep"}}'; do
		config --arg t "$text" '.annotations["dev.brig.reuse.volumes"] = $t'
		refused 'dev.brig.reuse.volumes' create --reuse -b "$B" "$ID"
	done
	touch "$T/file"
	config --arg s "$T/file" 'del(.annotations) | .mounts[-1].source = $s'
	refused 'is no directory' create --reuse --volume /data=overlay -b "$B" "$ID"
	refused 'is no directory' create --reuse --volume /data=wipe -b "$B" "$ID"
}

# --- overlay ------------------------------------------------------------------------------------

@test "volumes: overlay: the program reads and writes, the host's directory stays as it was" {
	for LEVEL in "${levels[@]}"; do
		at "$LEVEL"
		rm -rf "$T/vol"
		mkdir -p "$T/vol/d/e"
		echo old >"$T/vol/a"
		echo b >"$T/vol/d/b"
		echo c >"$T/vol/d/e/c"
		chmod -R go+rwX "$T/vol"
		before=$(listing "$T/vol")
		prog 'cd /data && [ "$(cat a)" = old ] && echo new >a && rm d/b && echo n >d/n && rm -r d/e &&
			mkdir d/e && echo z >d/e/z && echo done >/tmp/done'
		[ "$LEVEL" = high ] || volume
		makes --keep-layers --volume /data=overlay
		runs_and_ends
		is "$(listing "$T/vol")" "$before"
		ok diff --format json "$ID"
		is "$(entry /data/a .op)" changed
		is "$(entry /data/d/b .op)" deleted
		is "$(entry /data/d/n .op)" added
		is "$(entry /data/d/e .op)" changed
		is "$(entry /data/d/e/c .op)" deleted
		is "$(entry /data/d/e/z .op)" added
		is "$(entry /data/d .op)" ''
		is "$(jq -r '.layers[] | select(.path == "/data") | [.kind, .source] | join(" ")' <<<"$out")" \
			"overlay $T/vol"
		ok collect "$ID" /data "$T/got.$LEVEL"
		is "$(cat "$T/got.$LEVEL/a")" new
		[ ! -e "$T/got.$LEVEL/d/b" ]
		ok reset "$ID"
		is "$(jq -c .clean <<<"$out")" true
		runs_and_ends
		ok diff --format json "$ID"
		is "$(entry /tmp/done .op)" added
		ok delete "$ID"
		is "$(listing "$T/vol")" "$before"
		nothing_left
	done
}

@test "volumes: overlay: what is written has bounds, and the host's disk none of it" {
	volume
	level_file small '"extends": "high", "writable": {"size": 1048576}'
	at small
	chmod 777 "$T/vol"
	prog 'dd if=/dev/zero of=/data/z bs=64k count=100 2>/dev/null; :'
	makes --keep-layers --volume /data=overlay
	runs_and_ends
	ok diff --format json "$ID"
	[ "$(jq .changes.bytes <<<"$out")" -le 1048576 ] && [ "$(jq .changes.bytes <<<"$out")" -gt 0 ]
	[ -z "$(ls -A "$T/vol")" ]
}

@test "volumes: overlay by annotation, in each generation" {
	volume
	config '.annotations["dev.brig.reuse"] = "true"
		| .annotations["dev.brig.reuse.layers"] = "true"
		| .annotations["dev.brig.reuse.volumes"] = "{\"/data\":\"overlay\"}"'
	chmod 777 "$T/vol"
	prog '[ ! -e /data/x ] && echo x >/data/x'
	creates
	for n in 1 2 3; do
		runs_and_ends
		ok diff --format json "$ID"
		is "$(entry /data/x .op)" added
		ok reset "$ID"
	done
	[ -z "$(ls -A "$T/vol")" ]
}

# --- commit -------------------------------------------------------------------------------------

# committed SCRIPT: a sandbox that ran it over $T/vol, which keeps its layers
overlaid() {
	volume
	prog "$1"
	makes --keep-layers --volume /data=overlay
	runs_and_ends
}
tree() {
	mkdir -p "$T/vol/d/e"
	echo old >"$T/vol/a"
	echo b >"$T/vol/d/b"
	echo c >"$T/vol/d/e/c"
	chmod -R go+rwX "$T/vol"
	sleep 0.05
}

@test "commit: what was added, changed and deleted is so in the host's directory" {
	at standard # high maps no other ids
	tree
	chown 1234:1235 "$T/vol/a" "$T/vol/d"
	overlaid 'cd /data && echo new >a && rm d/b && echo n >d/n && rm -r d/e && mkdir d/e && echo z >d/e/z &&
		ln -s a here && ln -s ../a d/up && mkdir -p x/y && echo w >x/y/w && chmod 700 x; chmod 4711 d/n || chmod 711 d/n'
	ok commit --check "$ID"
	is "$(jq -c .applied <<<"$out")" false
	is "$(cat "$T/vol/a")" old
	ok commit "$ID"
	is "$(jq -c '[.applied, .volumes[0].source, .volumes[0].skipped]' <<<"$out")" "[true,\"$T/vol\",0]"
	is "$(cat "$T/vol/a" "$T/vol/d/n" "$T/vol/d/e/z" "$T/vol/x/y/w" | tr '\n' ' ')" 'new n z w '
	[ ! -e "$T/vol/d/b" ] && [ ! -e "$T/vol/d/e/c" ]
	is "$(readlink "$T/vol/here")" a
	is "$(stat -c '%u:%g' "$T/vol/a" "$T/vol/d/n" | tr '\n' ' ')" '1234:1235 1234:1235 '
	is "$(stat -c %a "$T/vol/x" "$T/vol/d/n" | tr '\n' ' ')" '700 711 '
	before=$(listing "$T/vol")
	ok commit "$ID" /data
	is "$(jq -c '.volumes[0] | [.added, .changed, .deleted]' <<<"$out")" '[0,0,0]'
	is "$(listing "$T/vol")" "$before"
	[ -z "$(find "$T/vol" -name '.brig*')" ]
}

@test "commit: where the host changed the same, nothing is done: 76" {
	for change in 'echo host >a' 'echo host >n' 'echo host >d/new' 'rm a' 'touch d/e/c'; do
		rm -rf "$T/vol"
		tree
		config '.mounts |= map(select(.destination != "/data"))'
		overlaid 'cd /data && echo new >a && echo n >n && rm -r d && echo x >x'
		sleep 0.05
		(cd "$T/vol" && eval "$change")
		before=$(listing "$T/vol")
		answers 76 'the host has changed it, too' commit "$ID"
		is "$(listing "$T/vol")" "$before"
		ok delete "$ID"
	done
}

@test "commit: what the host changed elsewhere is no conflict" {
	tree
	overlaid 'cd /data && echo new >a && echo n >d/n'
	echo host >"$T/vol/d/other"
	ok commit "$ID"
	is "$(cat "$T/vol/a" "$T/vol/d/other" "$T/vol/d/n" | tr '\n' ' ')" 'new host n '
}

@test "commit: fifos, sockets and links that lead out are refused, or left out" {
	has_probe
	for what in 'mkfifo p' 'ln -s /etc/shadow l' 'ln -s ../x l' 'mkdir q; ln -s q/../../x l' 'probe odd . >/dev/null'; do
		rm -rf "$T/vol"
		tree
		config '.mounts |= map(select(.destination != "/data"))'
		overlaid "cd /data && echo new >a && $what"
		answers 76 'neither file, directory nor link|lead, out' commit "$ID"
		is "$(cat "$T/vol/a")" old
		rm -f "$T/vol/none"
		if [[ $what != probe* ]]; then
			ok commit --skip "$ID"
			is "$(jq .volumes[0].skipped <<<"$out")" 1
			is "$(cat "$T/vol/a")" new
			[ ! -L "$T/vol/l" ] && [ ! -e "$T/vol/p" ]
		fi
		ok delete "$ID"
	done
}

@test "commit: another directory by now, a running one, no volume: refused" {
	tree
	volume
	prog 'echo new >/data/a; sleep 1000'
	makes --keep-layers --volume /data=overlay
	answers 75 'is created' commit "$ID"
	ok start "$ID"
	answers 75 'is running' commit "$ID"
	ok kill "$ID" KILL
	wait_for 10 has_ended
	answers 76 'no overlay volume' commit "$ID" /tmp
	mv "$T/vol" "$T/moved"
	mkdir "$T/vol"
	answers 76 'another directory by now' commit "$ID"
	rmdir "$T/vol"
	mv "$T/moved" "$T/vol"
	ok commit "$ID"
	is "$(cat "$T/vol/a")" new
}

@test "commit: one that fails in between names what is done, and can be begun anew" {
	mkdir -p "$T/small"
	mount -t tmpfs -o size=256k none "$T/small"
	MOUNTED+=("$T/small")
	chmod 777 "$T/small"
	config --arg s "$T/small" \
		'.mounts += [{"destination": "/data", "type": "bind", "source": $s, "options": ["bind", "rw"]}]'
	prog 'cd /data; echo 1 >a; mkdir b; head -c 400000 /dev/zero >b/big; echo 3 >c'
	makes --keep-layers --volume /data=overlay
	runs_and_ends
	b commit "$ID"
	is "$status" 1
	is "$(jq -c '[.applied, .done]' <<<"$out")" '[false,["added /data/a","added /data/b"]]'
	[[ $err =~ 'no space left' ]]
	[ -z "$(find "$T/small" -name '.brig*')" ]
	mount -o remount,size=10m "$T/small"
	ok commit "$ID"
	is "$(cat "$T/small/c")" 3
	is "$(stat -c %s "$T/small/b/big")" 400000
}

# --- wipe and keep ------------------------------------------------------------------------------

@test "volumes: wipe: each generation finds it empty, however deep it was written" {
	has_probe
	for LEVEL in "${levels[@]}"; do
		at "$LEVEL"
		chmod 777 "$T/vol"
		[ "$LEVEL" = high ] || [ "$(jq '.mounts[-1].destination' "$B/config.json")" = '"/data"' ] || volume
		prog 'ls -A /data; [ -z "$(ls -A /data)" ] || exit 9; echo x >/data/f; chmod 0 /data/f; mkfifo /data/p
			ln -s /etc /data/l; mkdir /data/t; probe deep /data/t 1200 >/dev/null'
		makes --volume /data=wipe
		for n in 1 2; do
			runs_and_ends
			[ -e "$T/vol/f" ]
			ok reset "$ID"
			is "$(command jq -c '[.clean, .volumes]' <<<"$out")" \
				"[true,[{\"path\":\"/data\",\"source\":\"$T/vol\",\"policy\":\"wipe\"}]]"
			is "$(jq -c '.checks[] | select(.name == "volumes") | [.value, .ok]' <<<"$out")" '[0,true]'
			[ -z "$(ls -A "$T/vol")" ]
		done
		[ -e /etc/passwd ]
		ok delete "$ID"
		nothing_left
	done
}

@test "volumes: wipe: not of a directory that has something in it" {
	volume
	echo mine >"$T/vol/mine"
	refused 'wipe is for an empty directory' create --reuse --volume /data=wipe -b "$B" "$ID"
	is "$(cat "$T/vol/mine")" mine
	rm "$T/vol/mine"
	setfattr -n user.x -v y "$T/vol" 2>/dev/null || return 0
	refused 'wipe is for an empty directory' create --reuse --volume /data=wipe -b "$B" "$ID"
}

@test "volumes: wipe: mode and owner that a program changed are as they were" {
	at standard
	volume
	chmod 777 "$T/vol"
	prog 'chmod 1700 /data; chown 7:7 /data; :'
	makes --volume /data=wipe
	before=$(stat -c '%a %u %g' "$T/vol")
	runs_and_ends
	ok reset "$ID"
	is "$(stat -c '%a %u %g' "$T/vol")" "$before"
}

@test "volumes: wipe: what cannot be removed, or is another by now, refuses the reset: 76" {
	volume
	chmod 777 "$T/vol"
	prog 'mkdir -p /data/a; echo x >/data/a/b'
	makes --volume /data=wipe
	runs_and_ends
	mount -t tmpfs none "$T/vol/a"
	MOUNTED+=("$T/vol/a")
	answers 76 'something is mounted' reset "$ID"
	is "$(jq -r .refused <<<"$out")" 'volume /data is not empty'
	answers 75 '' start "$ID"
	umount "$T/vol/a"
	mv "$T/vol" "$T/moved"
	mkdir "$T/vol"
	echo mine >"$T/vol/mine"
	answers 76 'another directory by now' reset "$ID"
	[ -e "$T/vol/mine" ]
	rm -r "$T/vol"
	mv "$T/moved" "$T/vol"
	ok reset "$ID"
	[ -z "$(ls -A "$T/vol")" ]
	runs_and_ends
}

@test "volumes: wipe: what somebody puts there after the reset is found by verify" {
	volume
	chmod 777 "$T/vol"
	prog true
	makes --volume /data=wipe
	ok verify "$ID"
	echo x >"$T/vol/x"
	answers 76 'not clean' verify "$ID"
	is "$(jq -c '.checks[] | select(.ok == false) | [.name, .value, .detail]' <<<"$out")" '["volumes",1,"/data"]'
}

@test "volumes: keep: it stays, and the report says that it does" {
	volume
	chmod 777 "$T/vol"
	prog 'echo x >>/data/f'
	makes --volume /data=keep
	for n in 1 2 3; do
		runs_and_ends
		ok reset "$ID"
		is "$(jq -r '.volumes[0].policy' <<<"$out")" keep
		is "$(jq -r '[.not_covered[] | select(startswith("volume /data (keep)"))] | length' <<<"$out")" 1
	done
	is "$(wc -l <"$T/vol/f")" 3
	ok verify "$ID"
	is "$(jq -r '.volumes[0].policy' <<<"$out")" keep
}

# --- cut short ----------------------------------------------------------------------------------

with_faults() {
	[ -x "$TOP/build/fault/bin/brig" ] || skip "no build with faults (make FAULT=1)"
	[[ $BRIG != */san/* ]] || skip "another build is tested"
	BRIG=$TOP/build/fault/bin/brig
	at high
}

@test "volumes: a reset that is killed or fails around the wipe is made good by the next one" {
	with_faults
	volume
	chmod 777 "$T/vol"
	prog '[ -z "$(ls -A /data)" ] || exit 9; mkdir /data/d; echo x >/data/d/f'
	makes --keep-layers --volume /data=wipe
	for step in destroy wipe create "journal done"; do
		for kind in kill-before kill-after fail; do
			runs_and_ends
			BRIG_FAULT_STEP="reset/$step" BRIG_FAULT_KIND=$kind b reset "$ID"
			[ "$status" != 0 ] || fail "$step $kind: not cut short"
			ok reset "$ID"
			is "$(jq .clean <<<"$out")" true
			[ -z "$(ls -A "$T/vol")" ]
		done
	done
	ok delete "$ID"
	nothing_left
}

@test "volumes: a reset that leaves the wipe out is found by its own look: 76" {
	with_faults
	volume
	chmod 777 "$T/vol"
	prog 'echo x >/data/f'
	makes --volume /data=wipe
	runs_and_ends
	BRIG_FAULT_STEP=reset/wipe BRIG_FAULT_KIND=skip b reset "$ID"
	is "$status" 76
	is "$(jq -c '.checks[] | select(.name == "volumes") | [.value, .ok]' <<<"$out")" '[1,false]'
}

@test "layers: a create that is killed or fails while it hands them over leaves nothing" {
	with_faults
	volume
	for kind in kill-before kill-after fail; do
		prog true
		BRIG_FAULT_STEP=create/layers BRIG_FAULT_KIND=$kind \
			b create --reuse --keep-layers --volume /data=overlay -b "$B" "$ID"
		[ "$status" != 0 ] || fail "$kind: not cut short"
		ok delete --force "$ID"
		nothing_left
	done
}

@test "commit: killed or failed at any of its steps, a second one does it" {
	with_faults
	tree
	overlaid 'cd /data && echo new >a && rm -r d && mkdir d && echo n >d/n'
	for step in look audit begin apply; do
		for kind in kill-before kill-after fail; do
			BRIG_FAULT_STEP=commit/$step BRIG_FAULT_KIND=$kind b commit "$ID"
			[ "$status" != 0 ] || fail "$step $kind: not cut short"
		done
	done
	ok commit "$ID"
	is "$(cat "$T/vol/a" "$T/vol/d/n" | tr '\n' ' ')" 'new n '
	is "$(ls -A "$T/vol/d")" n
}
