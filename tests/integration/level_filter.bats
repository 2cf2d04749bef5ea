#!/usr/bin/env bats
# Real programs with a level's filter over them and nothing else; tests/filter.
load helpers

setup_file() {
	export UNDER=$BATS_TEST_DIRNAME/../../build/bin/under
	export WORK=$BATS_TEST_DIRNAME/../filter
	[ -x "$UNDER" ]
}

# each LANGUAGE COMMAND...: at both levels, with and without the language, with and without network
each() {
	local language=$1 level l network
	shift
	for level in standard high; do
		for l in - "$language"; do
			for network in network no-network; do
				run timeout 60 "$UNDER" "$level" "$l" "$network" "$@" $network
				echo "$level $l $network: $status $output"
				[ "$status" = 0 ]
				[ "${lines[-1]}" = ok ]
			done
		done
	done
}

@test "Python runs under every filter that is meant for it" {
	# not by a shim of a version manager: the interpreter itself
	each python "$(python3 -c 'import sys; print(sys.executable)')" "$WORK/workload.py"
}

@test "Node runs under every filter that is meant for it" {
	command -v node >/dev/null || skip "no node"
	each node node "$WORK/workload.js"
}

@test "a JVM runs under every filter that is meant for it" {
	command -v javac >/dev/null || skip "no javac"
	javac -d "$BATS_TEST_TMPDIR" "$WORK/Workload.java"
	each jvm java -cp "$BATS_TEST_TMPDIR" Workload
}

@test "shells and their tools run under every filter that is meant for them" {
	for sh in dash bash "busybox sh"; do
		command -v ${sh%% *} >/dev/null || continue
		each shell $sh "$WORK/workload.sh"
	done
}

@test "a compiler and what it makes run under every filter that is meant for them" {
	command -v gcc >/dev/null || skip "no gcc"
	each native sh -c 'gcc -pthread -o "$0/w" "$1/workload.c" && "$0/w"' "$BATS_TEST_TMPDIR" "$WORK"
}

@test "a call that nobody may make ends the process" {
	run "$UNDER" high - network unshare -r true
	[ "$status" = 1 ]
	[ "$(uname -m)" = x86_64 ] || skip "numbers of x86-64"
	run "$UNDER" standard - network perl -e 'syscall(246, 0, 0, 0, 0)'
	[ "$status" = 159 ]
	# but for what an image's init asks at its start
	run "$UNDER" standard - network perl -e 'exit(syscall(169, 0, 0, 0, 0) == -1 ? $!{EPERM} ? 0 : 2 : 1)'
	[ "$status" = 0 ]
	run "$UNDER" high - network perl -e 'syscall(246, 0, 0, 0, 0)'
	[ "$status" = 159 ]
}
