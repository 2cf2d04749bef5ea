#!/usr/bin/env bats
# Programs and data that were not made for the tests: a Debian root file system with its python
# and gcc.  tests/lib/rootfs makes it once; where that is not possible the tests are skipped.

load helpers
load ../lib/brig

more_setup() {
	requires root
	image debian
	# Bound, not copied: it is big, and the root is read-only in these tests.
	rm -rf "$B/rootfs"
	config --arg r "$IMAGE" '.root = {path: $r, readonly: true}
		| .process.env = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "BRIG_TEST_MARK='"$ID"'"]
		| .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs",
			options: ["nosuid", "nodev", "mode=1777", "size=64m"]}]'
}

@test "python counts the words of the license as coreutils do" {
	config '.process.args = ["python3", "-c",
		"import re, sys, collections\nwords = re.findall(\"[a-z]+\", sys.stdin.read().lower())\nprint(*collections.Counter(words).most_common(1)[0])"]'
	STDIN=$TOP/COPYING runs
	out_is "the $(tr 'A-Z' 'a-z' <"$TOP/COPYING" | tr -cs a-z '\n' | grep -cx the)"
}

@test "gcc compiles and runs a program of this repository in a container" {
	prog 'cat >/tmp/replay.c && cd /tmp && echo "int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { (void)d; return n < 0; }" >t.c &&
		gcc -D_GNU_SOURCE -O1 -o replay replay.c t.c && ./replay /etc/passwd /etc/group 2>/dev/null'
	STDIN=$TOP/tests/fuzz/replay.c runs
	out_is "2 inputs replayed"
}

@test "python starts threads and processes" {
	config '.process.args = ["python3", "-c",
		"import os, threading\nt = [threading.Thread(target=sum, args=(range(1000),)) for _ in range(8)]\n[x.start() for x in t]; [x.join() for x in t]\npids = [os.fork() or os._exit(i) for i in range(4)]\nprint(sorted(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in pids))"]'
	runs
	out_is '[0, 1, 2, 3]'
}

@test "a python program that raises ends with status 1 and its trace on stderr" {
	config '.process.args = ["python3", "-c", "raise SystemError(\"on purpose\")"]'
	b run -b "$B" "$ID"
	is "$status" 1
	err_has 'SystemError: on purpose'
}
