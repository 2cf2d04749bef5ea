#!/usr/bin/env bats
load helpers
load ../lib/auditlog
# The verb audit verify: damage to lines, ends and files that docs/audit.md names, made on logs that
# brig has written, has its own word, message and exit code each.

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
