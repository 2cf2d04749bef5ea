#!/usr/bin/env bats
# What README.md tells a newcomer to type works as written.

@test "README: the first command runs a container on real input" {
	local top script
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	case ${BRIG:-brig} in */runc | */crun) skip "the README is about brig" ;; esac
	# In a copy, because the command makes things below build/.  Objects come along with their
	# times, so that nothing is compiled again; the packages are there already.
	mkdir "$BATS_TEST_TMPDIR/clone"
	cd "$BATS_TEST_TMPDIR/clone"
	(cd "$top" && git ls-files -co --exclude-standard && ls -d .git build/plain build/bin build/probe) |
		tar -C "$top" -cf - -T - | tar -xf -
	script=$(awk '/^```sh$/ { on = 1; next } /^```$/ { if (on) exit } on' README.md)
	[[ $script == *apt-get* ]]
	apt-get() { :; }
	export -f apt-get
	bash -euc "$script" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- ||
		{ cat "$BATS_TEST_TMPDIR/err" && false; }
	# the last lines of its output are those that README.md shows
	awk '/^    [ 0-9]+ the$/ { on = 1 } on && /^```$/ { exit } on' README.md |
		tr -s ' ' >"$BATS_TEST_TMPDIR/want"
	tail -n 3 "$BATS_TEST_TMPDIR/out" | tr -s ' ' | diff "$BATS_TEST_TMPDIR/want" -
}
