#!/usr/bin/env bats
load helpers
# What people run, at standard and at high, from an image of a whole distribution: tests/workloads.

more_setup() {
	requires root
	known_peer_failure runc crun
	image programs
	BR=("$BRIG" --root "$R")
}

# A program that could not be installed in the image is no fault of brig.
needs() {
	local what
	for what; do
		[ ! -e "$IMAGE/opt/made/missing/$what" ] || skip "$what: $(<"$IMAGE/opt/made/missing/$what")"
	done
}

# in_it LEVEL OPTION... -- PROGRAM...: it must succeed and say ok at its end
in_it() {
	local level=$1
	shift
	LIMIT=60 ok run --level "$level" --rootfs "$IMAGE" --ro "$TOP/tests/workloads:/opt/src" "$@"
	is "${out##*$'\n'}" ok
}

# each LANGUAGE PROGRAM...: at both levels, with the language's filter and without
each() {
	local language=$1 level
	shift
	for level in standard high; do
		in_it "$level" -- "$@"
		in_it "$level" --lang "$language" -- "$@"
	done
}

# The word after NAME in the last output.
said() { sed -n "s/^$1 //p" <<<"$out"; }

@test "workloads: Python's threads, processes, asyncio, sqlite, http, venv and pip" {
	needs python
	local level
	for level in standard high; do
		in_it "$level" -- python3 /opt/src/work.py
		in_it "$level" --lang python -- python3 /opt/src/work.py venv
	done
}

@test "workloads: Node's workers, files, children and http" {
	needs node
	each node node /opt/src/work.js
}

@test "workloads: a JVM compiles and runs threads, children, nio and http" {
	needs java
	each jvm sh -c 'javac -d . /opt/src/Work.java && java Work'
}

@test "workloads: a static Go program" {
	needs go
	each native /opt/made/go
}

@test "workloads: a static Rust program" {
	needs rust
	each native /opt/made/rust
}

@test "workloads: gcc compiles, and what it made runs" {
	each native sh /opt/src/work.sh compiler
}

@test "workloads: a shell and its tools, git and busybox" {
	needs git busybox
	each shell sh /opt/src/work.sh shell git busybox
}

@test "workloads: the heap of a JVM stays below the memory limit" {
	needs java
	local level
	heap() { # LEVEL MIB OPTION...
		in_it "$1" "${@:3}" -- sh -c 'java -XX:+PrintFlagsFinal -version 2>/dev/null |
			awk "\$2 == \"MaxHeapSize\" {print \"heap\", \$4}"; echo ok'
		[ "$(said heap)" -gt 0 ] && [ "$(said heap)" -lt $(($2 << 20)) ] ||
			fail "$1: heap $(said heap) of $2 MiB"
	}
	heap standard 1024
	heap high 512
	for level in standard high; do heap "$level" 256 --memory 256m; done
}

@test "workloads: every program counts the CPUs it was given" {
	needs python node java go rust
	local n level got # what reads /proc and /sys sees the host's CPUs at standard
	for level in standard high; do
		for ((n = 1; n <= 2 && n <= $(nproc); n++)); do
			in_it "$level" --cpus "$n" --pin cpus -- sh -c 'nproc
				python3 -c "import os; print(len(os.sched_getaffinity(0)))"
				node -e "console.log(os.availableParallelism?.() ?? os.cpus().length)"
				echo "System.out.println(Runtime.getRuntime().availableProcessors());" | jshell -s - || exit
				/opt/made/go | sed -n "s/cpus //p"
				/opt/made/rust | sed -n "s/cpus //p"
				[ "$0" = standard ] || getconf _NPROCESSORS_ONLN
				[ "$0" = standard ] || node -p "os.cpus().length"
				[ "$0" = standard ] || python3 -c "import os; print(os.cpu_count())"
				[ "$0" = standard ] || grep -c ^processor /proc/cpuinfo
				echo ok' "$level"
			got=$(sort -u <<<"${out%$'\n'ok}")
			is "$level: $got" "$level: $n"
		done
	done
}
