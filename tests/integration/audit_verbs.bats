#!/usr/bin/env bats
load helpers
load ../lib/auditlog
# audit show, tail, export, key, and verify of long logs and beside writers.

# --- constant memory, and who goes on writing ----------------------------------------------------

@test "verify needs no more memory for a long log than for a short one" {
	local n peak=()
	L=$T/made.jsonl
	for n in 500 5000; do
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
