# shellcheck shell=bash
# For tests of limits (tests/integration/limits*.bats): tests/probe/bomb*.c inside a sandbox.
#
#	each CMD...         at standard and at high
#	bomb OPTION... -- KIND BOUND ARG...   runs it in direct mode and looks for what it left:
#	                    status, out, err; HELD: how far it came; LAST: its last line
#	stopped_at LIMIT    it came as far, to 5 %, and not further;  exactly N
#	refused_by ERRNO    the kernel said no, and it lived to tell;  ended_by STATUS: it did not
#	SOON                a time of the wall clock
#	script OPTION... -- TEXT   the same of a shell script

# Until the bomb is in full swing, also in tests/vm, which says by LIMIT that all takes longer.
SOON=700ms
[ "${LIMIT:-10}" -lt 60 ] || SOON=10s

bombs_setup() {
	local probe=$TOP/build/bin/probe
	[ -x "$probe" ] || fail "there is no $probe: make test-programs"
	cp "$probe" "$B/rootfs/bin/probe"
}

# A loop and no &&, under which bash would not stop at what fails inside of a function.
each() {
	local level
	for level in standard high; do
		at $level
		"$@"
	done
}

bomb() {
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	direct "${options[@]}" -- /bin/probe bomb "${@:2}"
	after_bomb
}
script() {
	direct "${@:1:$#-1}" sh -c "${!#}"
	after_bomb
}
after_bomb() {
	# the end is enough, and bash is slow with long texts
	local end=${out: -4000}
	end=${end:-$out}
	LAST=${end##*$'\n'} HELD=0
	[[ ! $end =~ .*held\ ([0-9]+) ]] || HELD=${BASH_REMATCH[1]}
	nothing_left
}

stopped_at() {
	[ "$HELD" -ge $(($1 / 100 * 95)) ] && [ "$HELD" -le $(($1 / 100 * 105)) ] ||
		fail "$LEVEL: held $HELD, limit $1; status $status, last $LAST" "$err"
}
exactly() { [ "$HELD" = "$1" ] || fail "$LEVEL: held $HELD, not $1; status $status, last $LAST" "$err"; }
refused_by() {
	[ "$status $LAST" = "1 refused $1" ] || fail "$LEVEL: not $1: status $status, last $LAST" "$err"
}
ended_by() {
	[ "$status" = "$1" ] || fail "$LEVEL: status $status, not $1; last $LAST" "$err"
	[[ $LAST != bound && $LAST != refused* ]] || fail "$LEVEL: lived on: $LAST"
}
