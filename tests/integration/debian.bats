#!/usr/bin/env bats
load helpers
# A whole distribution as the root: what people run

more_setup() {
	image debian
	rm -rf "$B/rootfs"
	mkdir -p "$T/upper" "$T/work" "$B/rootfs"
	mount -t overlay overlay -o "lowerdir=$IMAGE,upperdir=$T/upper,workdir=$T/work" "$B/rootfs"
	MOUNTED+=("$B/rootfs")
	config '.process.env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "BRIG_TEST_MARK='"$ID"'"]
		| .process.capabilities |= with_entries(.value += ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER",
		"CAP_SETUID", "CAP_SETGID"])'
}

@test "debian: apt-get --version" {
	config '.process.args = ["apt-get", "--version"]'
	runs
	out_has '^apt [0-9]'
}

@test "debian: python3 computes, forks and writes a file" {
	config --arg s 'import os, subprocess, tempfile
print(sum(range(1000)), subprocess.check_output(["echo", "child"]).decode().strip())
with tempfile.NamedTemporaryFile() as f: f.write(b"x"); print(os.path.exists(f.name))' \
		'.process.args = ["python3", "-c", $s]'
	runs
	out_is $'499500 child\nTrue'
}

@test "debian: gcc compiles a program and it runs" {
	prog 'cd /tmp && printf "#include <stdio.h>\nint main(void) { puts(\"compiled\"); return 3; }\n" >x.c &&
		gcc -O2 -o x x.c && ./x'
	b run -b "$B" "$ID"
	is "$status" 3
	out_is compiled
}

@test "debian: dpkg verifies its own database" {
	config '.process.args = ["dpkg", "--audit"]'
	runs
	out_is ""
}

@test "debian: exec into it as a user by name's uid, with login shell" {
	sleeps
	ok exec -u 65534:65534 "$ID" bash -lc 'id -un; echo $HOME'
	out_has '^nobody'
}
