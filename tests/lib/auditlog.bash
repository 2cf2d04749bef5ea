# shellcheck shell=bash
# Real audit logs for bats files: written once for a file by brig, then copied and damaged by
# tests/audit/log.py.

DAMAGE=$BATS_TEST_DIRNAME/../audit/log.py
REAL=$BATS_FILE_TMPDIR

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
