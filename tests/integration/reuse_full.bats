#!/usr/bin/env bats
load helpers
load ../lib/reuse

# create --digests and --packages, verify --full: each file of the root.  docs/reuse.md

more_setup() {
	reuse_setup
	# A root of its own: it is changed.
	rm -r "$B/rootfs"
	cp -a "$BASE_ROOTFS" "$B/rootfs"
	mkdir -p "$B/rootfs/opt/deep"
	echo trusted >"$B/rootfs/opt/deep/file"
}

detail() { report ".checks[] | select(.name == \"$1\") | .detail"; }

@test "verify --full: a file that the host changed, far below, is found; without --full it is not" {
	LIMIT=60
	makes --digests
	[[ $(reuse digests) == sha256:* ]]
	is "$(sha256sum "$R/$ID/lower.digests" | cut -d' ' -f1)" "$(reuse digests | cut -d: -f2)"
	ok verify --full "$ID"
	is "$(report '[.clean, (.not_covered | map(select(startswith("files of"))) | length)] | join(" ")')" "true 0"
	ok reset "$ID"
	is "$(report .clean)" true
	ok verify --full "$ID"
	echo Trusted >"$B/rootfs/opt/deep/file"
	ok verify "$ID"
	answers 76 'not clean' verify --full "$ID"
	is "$(bad_rows)" lower_files
	is "$(detail lower_files)" 'changed: /opt/deep/file'
	echo trusted >"$B/rootfs/opt/deep/file"
	ok verify --full "$ID"
	mkfifo "$B/rootfs/opt/deep/fifo"
	answers 76 'not clean' verify --full "$ID"
	is "$(detail lower_files)" 'new: /opt/deep/fifo'
	rm "$B/rootfs/opt/deep/fifo"
	# Who changes the list, too, is found by state.json.
	echo >>"$R/$ID/lower.digests"
	answers 76 'not clean' verify --full "$ID"
	is "$(detail lower_files)" 'the list is not the one of create'
	ok delete "$ID"
}

@test "verify --full: needs a list; --digests and --packages need --reuse" {
	makes
	answers 76 'has no list' verify --full "$ID"
	ok verify "$ID"
	ok delete "$ID"
	answers 1 'needs --reuse' create --digests -b "$B" "$ID"
	answers 1 'needs --reuse' create --packages "$T/brig.json" -b "$B" "$ID"
	nothing_left
}

@test "packages: checked at create and by verify --full" {
	LIMIT=60
	(cd "$B/rootfs" && sha256sum bin/busybox opt/deep/file) >"$T/list" || skip "no busybox"
	makes --packages "$T/list"
	ok verify --full "$ID"
	is "$(report '[.clean, .packages.listed, (.packages.differ | length)] | join(" ")')" "true 2 0"
	ok verify "$ID"
	is "$(report .packages)" null
	echo Trusted >"$B/rootfs/opt/deep/file"
	answers 76 'not clean' verify --full "$ID"
	is "$(bad_rows)" packages
	is "$(report '.packages.differ | join(" ")')" opt/deep/file
	rm "$B/rootfs/opt/deep/file"
	ln -s /etc/passwd "$B/rootfs/opt/deep/file"
	answers 76 'not clean' verify --full "$ID"
	is "$(report '.packages.differ | join(" ")')" opt/deep/file
	ok delete "$ID"
	# It differs before anything runs.
	answers 1 '1 of 2 files differ: opt/deep/file' create --reuse --packages "$T/list" -b "$B" "$ID"
	nothing_left
	echo nonsense >"$T/list"
	answers 1 'packages .*line 1' create --reuse --packages "$T/list" -b "$B" "$ID"
	: >"$T/list"
	answers 1 'no line' create --reuse --packages "$T/list" -b "$B" "$ID"
	answers 1 'no such file' create --reuse --packages "$T/nope" -b "$B" "$ID"
	nothing_left
}
