#!/usr/bin/env bats
# The end of what `make check` prints: all that is kept of it, where it is long.

setup()
{
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir -p build/results
	SUMMARY=$BATS_TEST_DIRNAME/../lib/summary
}

# stage NAME COUNTS: with what it has printed on standard input
stage()
{
	cat >"build/results/$1.txt"
	echo "$2" >"build/results/$1.count"
}

@test "summary: a failure is said again with what it says, and with its stage" {
	stage lint "1 1 0" <<<$'FAIL words\n     a.c:1: word\nok   sizes\n     a note'
	stage unit "2 0 0" <<<$'ok unit a\nok unit b\n# not a failure'
	stage engines "2 1 1" <<<$'ok 1 a\nnot ok 2 b c # timeout\n# (in test file x)\n#   `wait\' failed\nok 3 d\n# later'
	run "$SUMMARY" lint unit engines
	[ "$status" -eq 1 ]
	[ "$output" = '== failed
engines: not ok 2 b c # timeout
engines: # (in test file x)
engines: #   `wait'"' failed"'
lint: FAIL words
lint:      a.c:1: word
lint         1 passed, 1 failed, 0 skipped
unit         2 passed, 0 failed, 0 skipped
engines      2 passed, 1 failed, 1 skipped
5 passed, 2 failed, 1 skipped' ]
}

@test "summary: nothing is said again where nothing failed" {
	stage unit "2 0 0" <<<$'ok unit a\n# a note'
	run "$SUMMARY" unit
	[ "$status" -eq 0 ]
	[ "$output" = 'unit         2 passed, 0 failed, 0 skipped
2 passed, 0 failed, 0 skipped' ]
}

@test "summary: what fails with many lines, or many times, stays short" {
	local n

	{ echo "not ok 1 a"; seq -f '# %g' 500; } | stage unit "0 1 0"
	run "$SUMMARY" unit
	[ "${#lines[@]}" -eq 18 ]
	[ "${lines[13]}" = "unit: # 12" ]
	for n in 30 119 4000; do
		for ((; n > 0; n--)); do printf 'not ok %d a\n# b\n# c\n# d\n# e\n' $n; done | stage unit "0 $n 0"
		run "$SUMMARY" unit
		[ "${#lines[@]}" -gt 90 ]
		[ "${#lines[@]}" -le 124 ]
	done
}

@test "summary: a stage without a result is a failure, shown with its last lines" {
	seq 100 >build/results/san.txt
	run "$SUMMARY" san-unit
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "san-unit     gave no result" ]
	[ "${lines[15]}" = "    100" ]
	[ "${lines[16]}" = "0 passed, 1 failed, 0 skipped" ]
}
