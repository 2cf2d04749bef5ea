#!/usr/bin/env bats
load helpers
# What a caller hands to a sandbox at standard and high without meaning it

more_setup() {
	requires root
	known_peer_failure runc crun
	HIGH=("$BRIG" --level high --root "$R") STANDARD=("$BRIG" --level standard --root "$R")
	BR=("${HIGH[@]}")
}

@test "high: descriptors of LISTEN_FDS are refused as those of --preserve-fds are" {
	config '.process.args = ["sh", "-c", "cat <&3"]'
	for verb in run create; do
		status=0
		LISTEN_FDS=1 "${BR[@]}" "$verb" -b "$B" "$ID" </dev/null >"$T/out" 2>"$T/err" \
			3</etc/passwd || status=$?
		[ "$status" != 0 ]
		[ ! -s "$T/out" ]
		grep -q 'preserve-fds: 1 is refused' "$T/err"
		nothing_left
	done
	sleeps
	status=0
	LISTEN_FDS=1 "${BR[@]}" exec "$ID" sh -c 'cat <&3' </dev/null >"$T/out" 2>"$T/err" \
		3</etc/passwd || status=$?
	is "$status" 255
	[ ! -s "$T/out" ]
}

@test "a directory as standard input, output or error is refused" {
	for level in standard high; do
		BR=("$BRIG" --level "$level" --root "$R")
		config '.process.args = ["ls", "/proc/self/fd/0/"]'
		STDIN=/ refused 'descriptor 0 is a directory' run -b "$B" "$ID"
		status=0
		"${BR[@]}" create -b "$B" "$ID" </dev/null 2>"$T/err" 1</ || status=$?
		[ "$status" != 0 ]
		nothing_left
		sleeps
		STDIN=/ CHECKED_LATER=1 refused 'descriptor 0 is a directory' \
			exec "$ID" ls /proc/self/fd/0/
		ok delete --force "$ID"
	done
}
