#!/usr/bin/env bats
load helpers
load ../lib/auditlog
# The verb audit verify: damage that keys, members of records and the lives of sandboxes show.

# --- keys ----------------------------------------------------------------------------------------

@test "mac: a wrong one, a missing one, another key, no key in the log" {
	local c
	log_of keyed
	unlock
	# Without the key: what is changed can be chained anew, but not sealed.
	damage edit 4 '"exited"' '"exitad"' chain=5
	intact
	found mac 23 'its MAC is not that of the key' --key "$K"
	log_of keyed
	unlock
	python3 - "$L" <<-'PY'
		import hashlib, json, sys
		sys.path.insert(0, '')
		prev, out = None, []
		for n, line in enumerate(open(sys.argv[1], 'rb')):
		    if n >= 6:
		        line = line[:line.index(b',"ep":')] + b'}\n'
		        r = line.split(b'"prev":"')
		        line = r[0] + b'"prev":"' + prev.encode() + r[1][64:]
		    prev = hashlib.sha256(line).hexdigest()
		    out.append(line)
		open(sys.argv[1], 'wb').write(b''.join(out))
	PY
	found mac 23 'it has none, and the log has a key' --key "$K"
	found mac 23 'it has none, and the log has a key'
	log_of keyed
	printf '%064d\n' 7 >"$T/other"
	found mac 23 'the log names another key' --key "$T/other"
	log_of plain
	found mac 23 'no record of the log has a MAC' --key "$REAL/keyed/key"
}

@test "an edited byte is edited, with the key too, and the MAC is named beside it" {
	log_of keyed
	damage edit 4 '"exited"' '"exitad"'
	found edited 10 'its MAC is wrong, too' --key "$K"
	is "$MORE" edited
}

@test "epoch: one that goes down, one left out, one that never began at 0" {
	log_of keyed
	unlock
	damage only chain=10 "seal=$(cat "$K"):own:10" ep=1
	found epoch 24 'epoch 1 comes after 2' --key "$K"
	found epoch 24 'epoch 1 comes after 2'
	log_of keyed
	unlock
	damage only chain=6 "seal=$(cat "$K"):own:6" ep=2
	found epoch 24 'epoch 2 comes after 0: some are left out' --key "$K"
	log_of keyed
	unlock
	damage only chain=2 "seal=$(cat "$K"):own:2" ep=2
	found epoch 24 'the first one with a MAC is of epoch 2, not 0' --key "$K"
}

@test "epoch: one that has too many records or lasts too long" {
	L=$T/made.jsonl
	python3 "$DAMAGE" make "$L" 1100 "key=$(cat "$REAL/keyed/key")" step=0.01
	intact --file "$L" --key "$REAL/keyed/key"
	damage only chain=1001 "seal=$(cat "$REAL/keyed/key"):own:1001" ep=0
	found epoch 24 'epoch 0 has more than 1000 records' --file "$L" --key "$REAL/keyed/key"
	python3 "$DAMAGE" make "$L" 100 "key=$(cat "$REAL/keyed/key")" step=10
	intact --file "$L" --key "$REAL/keyed/key"
	damage only chain=80 "seal=$(cat "$REAL/keyed/key"):own:80" ep=0
	found epoch 24 'epoch 0 lasts longer than 900 seconds' --file "$L"
}

@test "epoch: the key of an earlier one made the MAC" {
	log_of keyed
	unlock
	damage only chain=9 "seal=$(cat "$K"):0:9"
	found epoch 24 'the key of an earlier epoch' --key "$K"
}

@test "resealed: old records with the key of today" {
	log_of keyed
	unlock
	damage edit 4 '"exited"' '"exitad"' chain=5 "seal=$(cat "$K"):2:4"
	intact
	found resealed 25 'somebody who had a later key' --key "$K"
}

# --- what a record says --------------------------------------------------------------------------

@test "time: the wall clock or the boot clock goes back within one boot" {
	unlock
	damage set 6 'ts="2026-01-01T00:00:00.000000Z"' chain=7
	found time 26 'the wall clock was [0-9.]+ seconds further at seq 5'
	log_of plain
	unlock
	damage set 6 mono=1 chain=7
	found time 26 'CLOCK_BOOTTIME was [0-9.]+ seconds further at seq 5'
	# After a reboot both may be anything.
	damage set 6 mono=1 'ts="2026-01-01T00:00:00.000000Z"' 'boot="another"' chain=7
	b audit verify
	out_lacks 'seq 6: time'
}

@test "version: a record of a later format" {
	damage edit 6 '{"v":1,' '{"v":2,'
	found version 27 'v is 2, not 1'
	is "$MORE" version
}

@test "duplicate-key: in a record, and deep in its data" {
	sed -i '6s/"id":"[^"]*"/&,"id":"other"/' "$L"
	found duplicate-key 28 '"id"'
	log_of plain
	sed -i '5s/"data":{/"data":{"a":{"b":1,"c":[{"b":1,"b":2}]},/' "$L"
	found duplicate-key 28 '"b"'
}

@test "not-canonical: blanks, another order, escapes, unknown members, numbers" {
	local s
	for s in 's/,"ts"/, "ts"/' 's/"ts":\("[^"]*"\),"mono":\([0-9]*\)/"mono":\2,"ts":\1/' \
		'{s/"exit"/"\\u0065xit"/;s/"delete"/"\\u0064elete"/;s/"run"/"\\u0072un"/}' 's/,"prev"/,"extra":1,"prev"/' \
		's/"seq":6,/"seq":06,/' 's/"seq":6,/"seq":6.0,/'; do
		log_of plain
		sed -i "6$s" "$L"
		found not-canonical 29 ''
		is "$(jq '.findings[0].line' <<<"$out")" 6
	done
	log_of plain
	unlock
	jq -c . "$L" | sed 's/:/: /' >"$T/x"
	cp "$T/x" "$L"
	found not-canonical 29 ''
}

@test "control: a NUL, a control character, a line end within a record" {
	damage raw 6 00 30
	found control 30 'control character at byte 31'
	log_of plain
	damage raw 6 1b 30
	found control 30 'control character'
	log_of plain
	sed -i '6s/"boot":"/&\x07/' "$L"
	found control 30 ''
	log_of plain
	sed -i '6s/"boot":"/&\n/' "$L"
	found control 30 'a line end within a string; lines 6 and 7 are one record'
	is "$MORE" control
	# As a file system may leave it after the power was cut.
	log_of plain
	printf '\0\0\0\0\0\0\n' >>"$L"
	found control 30 ''
}

@test "too-long: longer than a record, and longer than any room for it" {
	sed -i "6s/\"boot\":\"/&$(printf 'x%.0s' {1..33000})/" "$L"
	found too-long 31 'more than 32768 bytes'
	is "$MORE" too-long
	log_of plain
	head -c 3000000 /dev/zero | tr '\0' x >>"$L"
	echo >>"$L"
	found too-long 31 ''
	is "$MORE" too-long
}

# --- sandboxes -----------------------------------------------------------------------------------

@test "lifecycle: a sandbox whose state is gone and which nobody ended" {
	log_of plain
	local boot
	"${FG[@]}" 20 "$BRIG" --level high --root "$R" --system-config "$T/brig.json" run -d \
		--rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK -- sleep 100 </dev/null 3>&- || fail run
	intact
	out_has 'open: 1 sandbox'
	# The record names the state root, so it is found from another one, too.
	"$BRIG" --root "$T/elsewhere" --system-config "$T/brig.json" audit verify >"$T/out"
	grep -q 'open: 1 sandbox' "$T/out"
	cp -a "$R/$ID" "$T/kept"
	rm -r "${R:?}/$ID"
	found lifecycle 32 "$ID: it was made, is not there, and has no end"
	cp -a "$T/kept" "$R/$ID"
	intact
	ok delete --force "$ID"
	intact
	out_lacks 'open:'
}

@test "lifecycle: the next sandbox of an id was made before the last one ended" {
	unlock
	damage set 3 'ev="ProcessStarted"'
	damage set 4 'ev="ProcessStarted"'
	damage set 5 'id="av1"' chain=4
	found lifecycle 32 'av1: the next one of that id was made meanwhile'
	is "$(jq '.findings[0].line' <<<"$out")" 2
}

@test "output and arguments that look like records are no records" {
	local evil=$'x"}\n{"v":1,"seq":3,"ts":"2026-11-22T00:00:00.000000Z","ev":"SandboxDestroyed"}\n\e[2J'
	rm -r "$T/log"
	printf '{"v": 1, "ids": {"directory": "%s"}, "audit": {"path": "%s", "argv": "plain"}}\n' \
		"$T/ids" "$L" >"$T/brig.json"
	"${FG[@]}" 20 "$BRIG" --level high --root "$R" --system-config "$T/brig.json" run \
		--rootfs "$B/rootfs" --id "$ID" -- printf '%s' "$evil" </dev/null >"$T/out" 3>&- || fail run
	intact
	out_has '4 record\(s\)'
	ok audit show
	[[ $out != *$'\e'* ]] || fail "an escape reached the terminal"
	is "$(wc -l <"$T/out")" 5
}
