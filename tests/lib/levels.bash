# shellcheck shell=bash
# For tests that run at a level (tests/integration/levels*.bats, direct.bats): an administrator's
# file and an id pool of their own, direct mode, and what a sandbox may leave besides.
#
#	at LEVEL            what follows runs at it, whatever BRIG_FLAGS says
#	admin JSON          further members of brig.json;  level_file NAME JSON: those of a level
#	own_ids             ids that no other test has while this one runs, for admin's file
#	direct ARGS         b run --rootfs of the test's bundle;  succeeds ARGS: status must be 0
#	refuses RE ARGS     exactly one line that matches, status 125, nothing left

at() {
	LEVEL=$1
	BR=("$BRIG" --level "$1" --system-config "$T/brig.json" --root "$R")
}

admin() {
	local log="\"audit\": {\"path\": \"$T/audit/audit.jsonl\"}"
	[[ $1 != *'"audit"'* ]] || log=''
	printf '{"v": 1, "levels": "%s", "ids": {"directory": "%s"%s}%s%s}\n' "$T/levels" "$T/ids" \
		"${IDS:+, $IDS}" "${1:+, $1}" "${log:+, $log}" >"$T/brig.json"
}

# A process of the host with one of a sandbox's ids is a stranger to it: tests beside each other
# must not share them.  A claim counts as long as the process of its number lives.
own_ids() {
	local n claims=${TMPDIR:-/tmp}/brig-test-ids
	mkdir -p "$claims"
	n=$(
		exec 9>"$claims/lock"
		flock 9
		for ((n = 20; n < 250; n++)); do
			[ -e "/proc/$(cat "$claims/$n" 2>/dev/null || echo gone)" ] || break
		done
		echo "$1" >"$claims/$n"
		echo "$n"
	)
	IDS="\"first\": $((n << 24)), \"count\": 16777216"
}

level_file() {
	printf '{"v": 1, "name": "%s"%s}\n' "$1" "${2:+, $2}" >"$T/levels/$1.json"
}

more_setup() {
	requires root
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	admin ''
	at high
}

# Claims of id ranges and CPUs by this test's sandboxes, whether they still count or not.
more_teardown() {
	local f left=''
	for f in "$T"/ids/[0-9]* /run/brig-cpus/*; do
		[ ! -f "$f" ] || ! grep -qF "$R/" "$f" || left+=" $f"
	done
	[ -z "$left" ] || { echo "claims left over:$left" && bad=1; }
}

direct() { b run --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK "$@"; }
succeeds() {
	direct "$@"
	[ "$status" = 0 ] || fail "run $*: status $status" "out: $out" "err: $err"
}
exits() { # STATUS ARGS
	local want=$1
	shift
	direct "$@"
	[ "$status" = "$want" ] || fail "run $*: status $status, not $want" "out: $out" "err: $err"
}
refuses() {
	local re=$1
	shift
	exits 125 "$@"
	one_line "$re"
	nothing_left
}
one_line() {
	[ -n "$err" ] || fail "not a word"
	[[ $err != *$'\n'* ]] || fail "more than one line: $err"
	[[ $err =~ $1 ]] || fail "want: $1" "got:  $err"
}

# row KEY FILE: value of a line "KEY: value" of a status file
row() {
	local k v
	while read -r k v; do
		[ "$k" != "$1:" ] || { echo "$v" && return; }
	done <"$2"
	fail "no $1 in $2"
}
