#!/usr/bin/env bats
load helpers
# The verb audit: every damage that docs/audit.md names, made on logs that brig has written, has its
# own word, message and exit code.  tests/audit/log.py makes the damage, and logs of its own.

DAMAGE=$BATS_TEST_DIRNAME/../audit/log.py
REAL=$BATS_FILE_TMPDIR

# --- real logs, written once ---------------------------------------------------------------------

# brig_in DIR ARGS: with the log and the state of that directory
brig_in() {
	local d=$1
	shift
	timeout 20 "$BRIG" --level high --system-config "$d/brig.json" --root "$d/state" "$@" </dev/null
}
sandbox() { brig_in "$1" run --id "$2" --rootfs "$BASE_ROOTFS" -- true; }
# The next record of a log begins an epoch: its key is as old as one may become.
age_key() { sed -i 's/ time=17/ time=16/' "$1/log/audit.jsonl.key"; }

fixture() { # NAME MEMBERS-OF-AUDIT
	mkdir -p "$REAL/$1/state" "$REAL/$1/ids"
	printf '{"v": 1, "ids": {"directory": "%s"}, "audit": {"path": "%s"%s}}\n' "$REAL/$1/ids" \
		"$REAL/$1/log/audit.jsonl" "$2" >"$REAL/$1/brig.json"
}

setup_file() {
	local n
	[ "${PEER:-${BRIG##*/}}" = brig ] || return 0
	REAL=$BATS_FILE_TMPDIR
	chmod 711 "$BATS_RUN_TMPDIR" "$REAL"
	# LogOpened, then three records of each of four sandboxes: seq 2 is the first SandboxCreated
	fixture plain ', "argv": "plain"'
	for n in 1 2 3 4; do sandbox "$REAL/plain" "av$n"; done
	# 1 LogOpened, 2 LogKeyed (epoch 0), 3-5 epoch 0, 6-8 epoch 1, 9-11 epoch 2
	fixture keyed ''
	brig_in "$REAL/keyed" audit key >"$REAL/keyed/key"
	sandbox "$REAL/keyed" avk1
	age_key "$REAL/keyed"
	sandbox "$REAL/keyed" avk2
	age_key "$REAL/keyed"
	sandbox "$REAL/keyed" avk3
	fixture rotated ', "max_bytes": 2000'
	for n in 1 2 3 4 5 6; do sandbox "$REAL/rotated" "avr$n"; done
}

more_setup() {
	requires root
	known_peer_failure runc crun
	BR=("$BRIG" --root "$R" --system-config "$T/brig.json")
	log_of plain
}

# log_of NAME: a copy of a real log, with its lock file: L is it, K its key
log_of() {
	rm -rf "$T/log"
	cp -a "$REAL/$1/log" "$T/log"
	L=$T/log/audit.jsonl K=$REAL/$1/key
	printf '{"v": 1, "audit": {"path": "%s"}}\n' "$L" >"$T/brig.json"
	b audit head
	[ "$status" = 0 ] || fail "$err"
	printf '%s\n' "$out" >"$T/head"
}
# The lock file belongs to the log of before; who copies a log has none.
unlock() { rm "$L.lock"; }
damage() { python3 "$DAMAGE" "$1" "$L" "${@:2}" || fail "log.py $*"; }
rotated() { printf '%s\n' "$T/log/"audit.jsonl.[0-9]* | sort -t. -k3n; }
all_lines() {
	local f
	rotated | while read -r f; do cat "$f"; done
	cat "$L"
}

# found WORD CODE REGEX [ARGS]: what verify says, in both forms
found() {
	local word=$1 code=$2 re=$3
	shift 3
	b audit verify "$@"
	[ "$status" = "$code" ] || fail "status $status, not $code" "$out" "$err"
	out_has "verdict: $word"
	[[ ${out%%$'\n'*} =~ :\ $word:\ .*$re ]] || fail "want: $word: $re" "got: ${out%%$'\n'*}"
	[ -z "$err" ] || fail "$err"
	b audit verify --format json "$@"
	[ "$status" = "$code" ] || fail "json: status $status"
	is "$(jq -r '[.verdict, .code, .findings[0].word, .findings[0].code] | @csv' <<<"$out")" \
		"\"$word\",$code,\"$word\",$code"
	MORE=$(jq -r '[.findings[].word] | join(" ")' <<<"$out")
}
intact() {
	b audit verify "$@"
	[ "$status" = 0 ] || fail "status $status" "$out" "$err"
	out_has 'verdict: intact'
	out_has 'no evidence of change between seq'
	out_has 'not shown: '
}

# --- intact --------------------------------------------------------------------------------------

@test "a log that brig wrote is intact, plain, keyed and rotated" {
	intact
	out_has '13 record\(s\) in 1 file\(s\), seq 1 '
	intact --head "$T/head"
	out_has 'no evidence of change between seq 1, [0-9a-f]{16}\.\.\., and seq 13, '
	log_of keyed
	intact --key "$K" --head "$T/head"
	out_has 'MACs \(10 right\)'
	log_of rotated
	intact --head "$T/head"
	[ "$(rotated | wc -l)" -gt 2 ]
}

@test "what cannot be shown is said: no head, a head before the end, no key" {
	intact
	out_has 'only a head kept elsewhere shows that'
	out_has 'made anew as a whole by who can write it'
	b audit verify --record
	intact --head "$T/head"
	out_has 'and seq 13, '
	out_has 'seq 14 to 14 were not made anew.*nothing is proven after the head of seq 13'
	out_has 'changes by root before the head was taken'
	log_of keyed
	intact
	out_has 'whether its MACs are right: give the first key'
	intact --key "$K"
	out_has 'changes by who had the key of the epoch'
	out_has 'what was before seq 2: the key is younger'
}

@test "several heads, or an export, can be given as heads; standard input too" {
	b audit verify --record
	b audit head
	printf '%s\n' "$out" >>"$T/head"
	intact --head "$T/head"
	out_has '2 met'
	STDIN=$T/head intact --head -
	out_has '2 met'
	ok audit export -o "$T/x"
	intact --head "$T/x"
	out_has '1 met'
}

@test "verify --record writes the verdict down" {
	intact --record
	is "$(tail -n1 "$L" | jq -c '[.ev, .outcome, .data.verdict, .data.seq]')" \
		'["AuditVerified","ok","intact",13]'
	damage edit 3 exited exitee
	b audit verify --record
	is "$status" 10
	is "$(tail -n1 "$L" | jq -c '[.ev, .sev, .outcome, .data.verdict]')" \
		'["AuditVerified","critical","failed","edited"]'
}

@test "what cannot be read is exit code 1, and says so" {
	b audit verify --file "$T/none"
	is "$status" 1
	err_has 'open none: no such file'
	mkfifo "$T/fifo"
	b audit verify --file "$T/fifo"
	is "$status" 1
	err_has 'not a regular file'
	for f in '' '{"log":"x"}' 'hello'; do
		printf '%s\n' "$f" >"$T/bad"
		b audit verify --head "$T/bad"
		is "$status" 1
		b audit verify --key "$T/bad"
		is "$status" 1
	done
}

# --- lines changed -------------------------------------------------------------------------------

@test "edited: a byte of a line" {
	damage edit 3 '"exited"' '"exitad"'
	found edited 10 'seq 4 was written after'
	out_has '"seq": 3'
	is "$MORE" edited
	found edited 10 '' --head "$T/head"
}

@test "edited: a byte of the last line, which the lock file and the head know" {
	damage edit 13 '"ok"' '"ko"'
	found edited 10 'the lock file knows'
	unlock
	found head 33 "the head's" --head "$T/head"
	intact
}

@test "edited: the number of a line" {
	damage edit 6 '"seq":6,' '"seq":9,'
	found edited 10 ''
	is "$(jq '.findings[0].line' <<<"$out")" 6
}

@test "edited: a line that is no record any more" {
	damage edit 6 '"seq":6,' '"seq":6'
	found edited 10 'no record any more'
	is "$MORE" edited
}

@test "head: an edited line and all behind it chained anew" {
	unlock
	damage edit 3 '"exited"' '"exitad"' chain=4
	intact
	found head 33 'changed and chained anew' --head "$T/head"
}

@test "edited: the same where the lock file was not made anew" {
	damage edit 3 '"exited"' '"exitad"' chain=4
	found edited 10 'the lock file knows'
}

@test "gap: a line out of the middle, or several" {
	damage drop 5
	found gap 11 'seq 6 follows seq 4: 1 missing'
	is "$MORE" gap
	log_of plain
	damage drop 5 9
	found gap 11 'seq 10 follows seq 4: 5 missing'
	is "$MORE" gap
}

@test "gap: a number left out though the hashes are right" {
	damage drop 5 chain=6
	found gap 11 'its hash is right: it was written so'
}

@test "repeated: a line twice, next to itself, later and earlier" {
	damage repeat 5
	found repeated 12 'the same record is line 5'
	is "$MORE" repeated
	log_of plain
	damage repeat 5 9
	found repeated 12 'the same record is line 5'
	is "$MORE" repeated
	log_of plain
	damage repeat 9 5
	found repeated 12 'the same record is line'
	is "$MORE" repeated
}

@test "repeated: a number that comes again though the hashes are right" {
	damage set 6 seq=5 chain=7
	found repeated 12 'the chain goes on from it'
	is "$(jq '.findings[0].line' <<<"$out")" 6
}

@test "reordered: two lines swapped, next to each other or not" {
	damage swap 5 6
	found reordered 13 'before seq 5'
	is "$MORE" reordered
	log_of plain
	damage swap 4 9
	found reordered 13 ''
	is "$MORE" "reordered reordered"
}

@test "reordered: a line moved back, and forth" {
	damage move 4 9
	found reordered 13 'behind seq 9'
	is "$MORE" reordered
	log_of plain
	damage move 9 4
	found reordered 13 'before seq 8'
	is "$MORE" reordered
}

@test "reordered: the last two lines" {
	unlock
	damage swap 12 13
	found reordered 13 ''
	is "$MORE" reordered
}

@test "inserted: text, a record that fits nowhere, and output of a program that looks like records" {
	damage insert 5 'hello'
	found inserted 14 'no records'
	is "$MORE" inserted
	log_of plain
	damage insert 5 "$(sed -n 9p "$L" | sed 's/"seq":9/"seq":6/')"
	found inserted 14 'follows no record of the log'
	is "$MORE" inserted
	log_of plain
	# As if somebody had sent a program's output there.
	printf '%s\n' '{"v":1,"seq":14,"ev":"SandboxDestroyed","id":"x"}' >>"$L"
	found not-canonical 29 'ts is missing'
	log_of plain
	printf 'one\ntwo\n' >>"$L"
	found inserted 14 '2 line\(s\) that are no records, and none follows'
}

@test "inserted: a line that a writer found and noted is told all the same" {
	echo 'not the beginning of a record' >>"$L"
	b audit verify --record
	found inserted 14 'a writer has noted them'
}

@test "fork: a record that follows the same one as another" {
	damage forge 5 'ev="ProcessStarted"'
	found fork 19 'line 6 follows the same record'
	is "$MORE" fork
	# Two writers, each with its own end.
	log_of plain
	cp -a "$T/log" "$T/other"
	b audit verify --record
	tail -n1 "$L" >"$T/end"
	cp "$T/other/"* "$T/log"
	sleep 0.01
	b audit verify --record
	cat "$T/end" >>"$L"
	found fork 19 'follows the same record'
}

# --- ends ----------------------------------------------------------------------------------------

@test "truncated: lines off the end, which the lock file knows" {
	damage keep 10
	found truncated 15 'seq 10 is the last record, the lock file knows seq 13'
	found truncated 15 '' --head "$T/head"
	: >"$L"
	found truncated 15 'the lock file knows seq 13'
}

@test "truncated: what a writer noted about it stays" {
	damage keep 10
	b audit verify --record
	found truncated 15 'a writer noted here that seq 13'
	is "$(sed -n 11p "$L" | jq -c '[.ev, .data.expected_seq, .data.found_seq]')" \
		'["LogRepaired",13,10]'
}

@test "truncated: a rotated file" {
	log_of rotated
	L=$(rotated | sed -n 2p) damage keep 1
	found truncated 15 'is named after its last record'
	is "$MORE" truncated
}

@test "truncated: all of the newest file, also without a lock file" {
	log_of rotated
	unlock
	mv "$L" "$L.$(jq .seq <"$T/head")"
	: >"$L"
	found truncated 15 'it is empty, and .*has its first record'
	is "$MORE" truncated
}

@test "lifecycle: without a lock file or a head the missing end of a sandbox shows the cut" {
	unlock
	damage keep 11
	found lifecycle 32 'av4: it was made, is not there, and has no end'
	damage keep 10
	intact
}

@test "rollback: an older copy of log and lock file against a newer head" {
	cp -a "$T/log" "$T/old"
	b audit verify --record
	b audit head
	printf '%s\n' "$out" >"$T/head"
	rm -r "$T/log"
	cp -a "$T/old" "$T/log"
	intact
	found rollback 18 'seq 13 is the last record, the head is of seq 14' --head "$T/head"
	# Written on since then, it has another record of that number.
	b audit verify --record
	found head 33 'rolled back and written on' --head "$T/head"
}

@test "beheaded: the first records, or all of them" {
	damage behead 1
	found beheaded 16 'seq 2 comes first, an event SandboxCreated'
	is "$MORE" beheaded
	unlock
	: >"$L"
	found beheaded 16 'there is no record in it'
}

@test "replaced: another log in its place" {
	unlock
	cp "$REAL/keyed/log/audit.jsonl" "$L"
	intact
	found replaced 17 "its id is [0-9a-f]{32}, the head's" --head "$T/head"
	cp "$REAL/plain/log/audit.jsonl.lock" "$L.lock"
	found replaced 17 'the lock file knows'
}

@test "replaced: a log that was begun when the one before was gone, and says so" {
	rm "$L"
	b audit verify --record
	is "$status" 21
	found replaced 17 'it was begun when a log that had come to seq 13 was gone'
}

@test "replaced: another log behind the rotated files, or behind its own records" {
	log_of rotated
	unlock
	cp "$REAL/plain/log/audit.jsonl" "$L"
	found replaced 17 'another log begins in place of what follows audit.jsonl'
	log_of plain
	unlock
	cat "$REAL/keyed/log/audit.jsonl" >>"$L"
	found replaced 17 'another log begins behind seq 13'
}

@test "torn: the last line without its end, or with nothing but that missing" {
	damage tear 20
	found torn 20 'the next writer will note it'
	log_of plain
	damage tear 1
	found torn 20 'it is whole but for its end'
	is "$MORE" torn
}

@test "a torn line that its next writer noted is no damage, but told" {
	printf '{"v":1,"seq":14,"ts":"2026-' >>"$L"
	found torn 20 ''
	b audit verify --record
	intact
	out_has 'repaired: 1 torn line'
	is "$(sed -n 15p "$L" | jq -c '[.ev, .data.bytes]')" '["LogRepaired",27]'
	# Changed afterwards it is not what was noted.
	sed -i '14s/2026/2027/' "$L"
	found inserted 14 'a writer has noted them'
}

# --- files ---------------------------------------------------------------------------------------

@test "missing-file: the oldest, one in the middle, the newest" {
	log_of rotated
	rm "$(rotated | sed -n 2p)"
	found missing-file 21 'it goes on from audit\.jsonl\.[0-9]+, and before it stands audit\.jsonl\.'
	is "$MORE" missing-file
	log_of rotated
	rm "$(rotated | sed -n 1p)"
	found missing-file 21 'audit\.jsonl\.[0-9]+, which it goes on from'
	is "$MORE" missing-file
	log_of rotated
	rm "$L"
	found missing-file 21 'the lock file knows of more'
	is "$MORE" missing-file
	rm "${T:?}/log/"audit.jsonl.[0-9]*
	found missing-file 21 'the lock file knows of more'
}

@test "rotation: an edited last line, a missing first one, files that do not belong together" {
	local first
	log_of rotated
	first=$(rotated | sed -n 1p)
	sed -i '$s/"ok"/"ko"/' "$first"
	found rotation 22 'it goes on from'
	is "$MORE" rotation
	log_of rotated
	sed -i 1d "$(rotated | sed -n 2p)"
	found rotation 22 'does not begin with LogRotated, but with'
	is "$MORE" rotation
	log_of rotated
	mv "$first" "$T/log/audit.jsonl.3"
	found rotation 22 'is named after its last record'
	log_of rotated
	sed -i '1s/"log":"[0-9a-f]*"/"log":"00000000000000000000000000000000"/' "$L"
	found rotation 22 'it names the log 0000'
}

@test "a crash between the two renames of a rotation is no damage" {
	log_of rotated
	local last
	last=$(tail -n1 "$L" | jq .seq)
	mv "$L" "$L.$last"
	intact
	b audit verify --record
	intact
	is "$(head -n1 "$L" | jq -r '[.ev, .data.file] | @csv')" "\"LogRotated\",\"audit.jsonl.$last\""
}

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

# --- constant memory, and who goes on writing ----------------------------------------------------

@test "verify needs no more memory for a long log than for a short one" {
	local n peak=()
	L=$T/made.jsonl
	for n in 2000 20000; do
		python3 "$DAMAGE" make "$L" "$n"
		/usr/bin/env python3 - "$BRIG" "$L" >"$T/peak" <<-'PY'
			import resource, subprocess, sys
			subprocess.run([sys.argv[1], 'audit', 'verify', '--file', sys.argv[2]],
			               check=True, stdout=subprocess.DEVNULL)
			print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
		PY
		peak+=("$(cat "$T/peak")")
	done
	[ "${peak[1]}" -lt $((peak[0] + 1024)) ] || fail "KiB: ${peak[*]}"
}

@test "verify while others write and rotate sees a log that is intact" {
	printf '{"v": 1, "audit": {"path": "%s", "max_bytes": 20000}}\n' "$L" >"$T/brig.json"
	(for _ in {1..60}; do "${BR[@]}" audit verify --record >/dev/null || exit 1; done) 3>&- &
	PIDS+=($!)
	while kill -0 "${PIDS[0]}" 2>/dev/null; do intact; done
	wait "${PIDS[0]}"
	intact
	out_has '73 record|7[4-9] record'
}

# --- the other verbs -----------------------------------------------------------------------------

@test "show: filters, and what is no record" {
	ok audit show --format json
	[ "$out" = "$(cat "$L")" ]
	ok audit show --format json --id av2
	is "$(jq -r .ev <<<"$out" | paste -sd' ')" "SandboxCreated SandboxExited SandboxDestroyed"
	ok audit show --format json --event SandboxExited --since 9
	is "$(jq -r .id <<<"$out" | paste -sd' ')" "av3 av4"
	ok audit show --format json --severity notice
	is "$(jq -r .ev <<<"$out")" LogOpened
	ok audit show --format json --since 1h
	is "$(wc -l <<<"$out")" 13
	ok audit show --format json --since 2100-01-01
	is "$out" ''
	no audit show --since yesterday
	err_has 'no sequence number, no time'
	no audit show --event Nothing
	no audit show --severity loud
	no audit show --head x
	err_has 'show: --head is not for it'
	printf 'x\e[31m\n' >>"$L"
	ok audit show
	out_has '6 bytes that are no record'
	[[ $out != *$'\e'* ]]
}

@test "show: control characters, marks of direction and what has no width cannot reach a terminal" {
	L=$T/made.jsonl
	python3 "$DAMAGE" make "$L" 8
	ok audit show --file "$L" --event ViolationDetected
	out_has 'ptrace\\x0a\\x1b\[2J\\u202e"\\\\ ü'
	[[ $out != *$'\e'* && $out != *$'\u202e'* ]]
	is "$(wc -l <<<"$out")" 2
}

@test "tail: the last ones, over rotated files" {
	log_of rotated
	ok audit tail -n 3 --format json
	is "$out" "$(all_lines | tail -n 3)"
	ok audit tail -n 12 --format json
	is "$out" "$(all_lines | tail -n 12)"
	ok audit tail -n 1000 --format json
	is "$out" "$(all_lines)"
	ok audit tail -n 2 --format json --event SandboxExited
	is "$(jq -r .id <<<"$out" | paste -sd' ')" "avr5 avr6"
	ok audit tail -n 0 --format json
	is "$out" ''
}

@test "tail -f: what comes, over rotations, each once" {
	local n
	printf '{"v": 1, "audit": {"path": "%s", "max_bytes": 1500}}\n' "$L" >"$T/brig.json"
	"${BR[@]}" audit tail -f -n 1 --format json >"$T/followed" 2>&1 3>&- &
	PIDS+=($!)
	sleep 0.3
	for n in {1..12}; do b audit verify --record; done
	for n in {1..50}; do
		[ "$(tail -n1 "$T/followed")" != "$(tail -n1 "$L")" ] || break
		sleep 0.1
	done
	[ "$(rotated | wc -l)" -gt 2 ]
	is "$(cat "$T/followed")" "$(all_lines | tail -n +13)"
}

@test "export: records and a head; verify reads it, whole and from the middle" {
	ok audit export
	is "$out" "$(cat "$L" "$T/head")"
	ok audit export -o "$T/x"
	intact --file "$T/x"
	out_has '13 record\(s\)'
	no audit export -o "$T/x"
	err_has 'file exists'
	ok audit export --since 6 -o "$T/y"
	is "$(wc -l <"$T/y")" 10
	intact --file "$T/y" --head "$T/head"
	out_has 'what was before seq 6: it is not in this file'
	# Cut short, it is not what its head says.
	sed -i 12d "$T/x"
	found gap 11 '' --file "$T/x"
	sed -i 13d "$T/y" && sed -i 9d "$T/y"
	found head 33 'the head in the last line' --file "$T/y"
	echo garbage >>"$L"
	b audit export
	is "$status" 1
	err_has '1 line\(s\) that are no records were left out'
}

@test "key: made once, printed once; later records have MACs" {
	no audit key --head x
	log_of keyed
	no audit key
	is "$(stat -c %a "$L.key")" 600
	run ! grep -q "$(cat "$K")" "$L.key" "$L"
	log_of plain
	ok audit key
	[[ $out =~ ^[0-9a-f]{64}$ ]]
	printf '%s\n' "$out" >"$T/k"
	b audit verify --record
	intact --key "$T/k"
	out_has 'MACs \(2 right\)'
	out_has 'what was before seq 14: the key is younger'
}

# --- format --------------------------------------------------------------------------------------

@test "differential: what brig writes prints the same elsewhere, what others write it takes" {
	local d
	for d in plain keyed; do
		log_of $d
		run python3 "$DAMAGE" canonical "$L"
		is "$status" 0
	done
	log_of rotated
	local files
	mapfile -t files < <(rotated)
	run python3 "$DAMAGE" canonical "${files[@]}" "$L"
	is "$status" 0
	L=$T/made.jsonl
	python3 "$DAMAGE" make "$L" 2500 "key=$(cat "$REAL/keyed/key")" rotate=700,1400
	intact --file "$L" --key "$REAL/keyed/key"
	out_has '2500 record\(s\) in 3 file\(s\)'
	out_has 'MACs \(2500 right\)'
}

@test "docs/audit.md has a row for each damage" {
	local code word
	while read -r code word; do
		grep -qE "^\| *$code *\| *\`?$word\`? *\|" "$TOP/docs/audit.md" || fail "no row: $code $word"
	done < <(b audit --help; grep -oE '[0-9]{2} [a-z-]+' "$T/out" | grep -vE '^(22|14) (T|00)' |
		awk '$1 >= 10 && $1 <= 33')
}
