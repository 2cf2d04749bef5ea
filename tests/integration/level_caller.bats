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

# The annotation is a tenant's, the hooks are an engine's.
@test "standard: no annotation makes brig open a file of the host for the output of hooks" {
	BR=("${STANDARD[@]}")
	echo 'echo out; echo err >&2' >"$T/hook"
	for when in poststart poststop; do
		config ".hooks = {\"$when\": [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"$T/hook\"]}]}
			| .annotations = {\"run.oci.hooks.stdout\": \"$T/out.$when\",
				\"run.oci.hooks.stderr\": \"$T/err.$when\"}
			| .process.args = [\"sleep\", \"100\"]"
		for how in "run -d" create; do
			read -ra words <<<"$how"
			ok "${words[@]}" -b "$B" "$ID"
			[ "$how" != create ] || ok start "$ID"
			ok delete --force "$ID"
			[ ! -e "$T/out.$when" ] && [ ! -e "$T/err.$when" ]
		done
	done
}

@test "--rootfs / by another name is the same, never the whole host as an image" {
	ln -s / "$T/slash"
	for name in /. /usr/.. "$T/slash"; do
		ok run --id "$ID" --user 0 --rootfs "$name" -- sh -c 'ls -d /root /home /work /var/lib; head -1 /etc/shadow; :'
		out_is ""
	done
}

@test "a bundle whose root is the host's, or one of its interfaces, is refused" {
	mkdir "$T/bound"
	mount --bind / "$T/bound"
	MOUNTED+=("$T/bound")
	for level in standard high; do
		BR=("$BRIG" --level "$level" --root "$R")
		for path in / /. "$T/bound" /proc /dev /sys/fs; do
			config ".root.path = \"$path\""
			CHECKED_LATER=1 refused 'root.path' create -b "$B" "$ID"
		done
	done
}

@test "high: NOTIFY_SOCKET of the caller is not offered, at standard it is" {
	config '.process.args = ["sh", "-c", "echo $NOTIFY_SOCKET; ls /run"]'
	export NOTIFY_SOCKET=$T/notify.sock
	runs
	out_is ""
	BR=("${STANDARD[@]}")
	runs
	out_is $'/run/notify/notify.sock\nnotify'
	BR=("${HIGH[@]}")
	config '.process.args = ["sleep", "100"]'
	creates
	ok start "$ID"
	[ ! -e "$R/$ID/notify" ]
}
