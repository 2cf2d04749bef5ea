# shellcheck shell=bash
# For the tests of sandboxes that are used again: ids that nobody else has, an administrator's file, and
# words for what reset and verify say.
#
#	reuse_setup         for more_setup; at high
#	makes ARGS          create --reuse of this test's bundle
#	answers CODE RE ARGS    that exit code, with one line that matches
#	has_ended; runs_and_ends
#	report JQ           of the report, or what else the last verb has printed
#	reuse NAME          a member of that in state.json;  init_of: its first process
#	bad_rows; clean     what verify finds;  dirty ROW: it names that row, and changes nothing
#	entry PATH JQ; sums what diff has told

load ../lib/levels

reuse_setup() {
	requires root
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	own_ids "$BASHPID"
	admin ''
	at high
}

makes() { ok create --reuse -b "$B" "$@" "$ID"; }
has_ended() { ok state "$ID" && [ "$(jq -r .status <<<"$out")" = stopped ]; }
runs_and_ends() { ok start "$ID" && wait_for 20 has_ended; }
answers() {
	local want=$1 re=$2
	shift 2
	b "$@"
	[ "$status" = "$want" ] || fail "$*: status $status, not $want" "out: $out" "err: $err"
	[[ $err =~ $re && $err != *$'\n'* ]] || fail "$*: not /$re/ on one line: $err"
}
report() { jq -r "$1" "$T/out"; }
reuse() { jq -r ".reuse.$1" "$R/$ID/state.json"; }
init_of() { jq -r .pid "$R/$ID/state.json"; }
bad_rows() { report '[.checks[] | select(.ok | not) | .name] | join(" ")'; }
clean() { ok verify "$ID" && is "$(report '[.clean, .fingerprint_match] | join(" ")')" "true true"; }
dirty() {
	b verify "$ID"
	[ "$status" = 76 ] || fail "status $status" "$out" "$err"
	is "$(report .clean)" false
	[[ " $(bad_rows) " == *" $1 "* ]] || fail "no row $1 but: $(bad_rows)"
	[ ! -e "$R/$ID/taint" ]
}
entry() { jq -r --arg p "$1" '.entries[] | select(.path == $p) | '"$2" <<<"$out"; }
sums() { jq -c '.changes | [.added, .changed, .deleted, .bytes]' <<<"$out"; }

has_probe() { cp "$TOP/build/bin/probe" "$B/rootfs/bin/probe"; }
# a writable bind mount of $T/vol
volume() {
	config --arg s "$T/vol" \
		'.mounts += [{"destination": "/data", "type": "bind", "source": $s, "options": ["bind", "rw"]}]'
}
