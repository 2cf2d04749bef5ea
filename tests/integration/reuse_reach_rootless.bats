#!/usr/bin/env bats
load helpers
load ../lib/rootless

more_teardown() {
	u delete --force "$ID"
	rootless_teardown
}

# A plain user's sandbox and its generations: docs/reuse.md, A plain user's.

makes() { u_ok --level "$LEVEL" create --reuse -b "$B" "$ID"; }
report() { jq -r "$1" <<<"$out"; }
reuse() { jq -r ".reuse.$1" "$R/$ID/state.json"; }
init_of() { jq -r .pid "$R/$ID/state.json"; }
has_ended() { u_ok state "$ID" && [ "$(jq -r .status <<<"$out")" = stopped ]; }
runs_and_ends() { u_ok start "$ID" && wait_for 10 has_ended; }
bad_rows() { report '[.checks[] | select(.ok | not) | .name + ": " + (.detail // "")] | join(" ")'; }
# u_answers STATUS RE ARGS: that exit code, with that message
u_answers() {
	local want=$1 re=$2
	shift 2
	u "$@"
	[ "$status" = "$want" ] || fail "$*: status $status, not $want" "$out" "$err"
	[[ $err =~ $re ]] || fail "$*: not /$re/: $err"
}
clean() {
	u verify "$ID"
	[ "$status $(report '[.clean, .fingerprint_match] | join(" ")')" = "0 true true" ] ||
		fail "status $status" "$(bad_rows)" "$err"
}
# dirty ROW: verify names that row
dirty() {
	u verify "$ID"
	is "$status $(report .clean)" "76 false"
	[[ " $(bad_rows)" == *" $1:"* ]] || fail "no row $1 but: $(bad_rows)"
}

generations() { # create, start, reset, verify
	local n
	for LEVEL in standard high; do
		prog 'for d in /tmp /var/tmp /run /dev/shm; do [ ! -e $d/left ] || exit 9; echo x >$d/left || [ $d = /run ] || exit 8; done
			(sleep 1000 &) ; nc -l -p 4242 & exit 0'
		makes
		clean
		for n in 1 2 3; do
			runs_and_ends
			u_ok wait "$ID"
			is "$(report '[.generation, .code] | join(" ")')" "$n 0"
			u_ok reset "$ID"
			is "$(report '[.clean, .gen, .uses] | join(" ")')" "true $((n + 1)) $n"
			clean
		done
		u_ok delete "$ID"
		[ ! -e "$R/$ID" ]
	done
}

@test "reuse rootless: generations, with a single id" { generations; }
@test "reuse rootless: generations, with a subordinate range" {
	with_range
	generations
}
@test "reuse rootless: generations of a process that is not the user" {
	with_range
	config '.process.user = {"uid": 1000, "gid": 1000}'
	generations
}

@test "reuse rootless: what a plain user cannot tell is named, and is no row" {
	LEVEL=high
	makes
	clean
	for row in strangers keys ids_lost; do
		is "$(report "[.checks[] | select(.name == \"$row\")] | length")" 0
		is "$(report "[.not_covered[] | select(startswith(\"$row: \"))] | length")" 1
	done
	for row in fingerprint pids cgroups mounts ipc sockets devices descriptors memory_bytes; do
		is "$(report "[.checks[] | select(.name == \"$row\" and .ok)] | length")" 1
	done
	for row in ipc sockets conntrack; do
		is "$(report ".checks[] | select(.name == \"$row\").value")" 0
	done
}

@test "reuse rootless: what is left in a parked one is found" {
	local pid
	LEVEL=standard
	makes
	for d in /tmp /dev/shm; do
		nsenter -t "$(init_of)" -U -m touch "$d/x"
		dirty fingerprint
		nsenter -t "$(init_of)" -U -m rm "$d/x"
		clean
	done
	nsenter -t "$(init_of)" -U -i ipcmk -M 4096 >/dev/null
	dirty ipc
	u_ok reset "$ID"
	clean
	nsenter -t "$(init_of)" -U -u hostname other
	dirty fingerprint
	u_ok reset "$ID"
	nsenter -t "$(init_of)" -U -n busybox nc -l -p 4242 3>&- &
	PIDS+=($!)
	sleep 0.5
	dirty sockets
	kill -9 "${PIDS[-1]}"
	u_ok reset "$ID"
	as prlimit --pid "$(init_of)" --nofile=77:77
	dirty fingerprint
	u_ok reset "$ID"
	: >"$B/rootfs/new"
	dirty fingerprint
	u_answers 76 'not clean' reset "$ID"
	is "$(jq -r '.taint[0].class' "$R/$ID/taint")" residue
	u_answers 75 'cut short' start "$ID"
}

@test "reuse rootless: who waits can be looked into by its maker, and nobody is let in before it runs" {
	config '.process.args = ["sleep", "100"]'
	LEVEL=standard
	makes
	u_answers 255 'is parked' exec "$ID" true
	u_ok start "$ID"
	u_ok exec "$ID" true
	u_answers 75 'is running' reset "$ID"
	u_ok reset --kill "$ID"
	u_answers 255 'is parked' exec "$ID" true
	is "$(report .status 2>/dev/null || :)" ""
}

@test "reuse rootless: late work and its secrets" {
	LEVEL=high
	makes
	for n in 1 2; do
		echo '{"args": ["sh", "-c", "echo $A $B; pwd"], "env": ["A=late"], "cwd": "/tmp"}' >"$T/work.json"
		printf 'B=hidden' >"$T/secret"
		as sh -c 'exec "$T/brig" --root "$R" start --process "$T/work.json" --env-fd 9 "$ID" 9<"$T/secret"'
		[ "$status" = 0 ] || fail "$err"
		mv "$T/out" "$T/printed"
		wait_for 10 has_ended
		is "$(cat "$T/printed")" $'late hidden\n/tmp'
		! grep -rqs hidden "$R/$ID" || fail "the secret is in the state directory"
		u_ok reset "$ID"
		is "$(report .clean)" true
	done
}

@test "reuse rootless: somebody else's is refused with 77" {
	LEVEL=standard
	makes
	for verb in reset verify; do
		# Root's brig of the user's, another user's of it, and the user's of root's.
		b $verb "$ID"
		is "$status" 77
		[[ $err == *"is user 1000's"* ]] || fail "$err"
		status=0
		setpriv --reuid 1001 --regid 1001 --clear-groups "$T/brig" --root "$R" $verb "$ID" \
			>"$T/out" 2>"$T/err" || status=$?
		is "$status" 77
	done
	clean
	u_ok delete "$ID"
	chown 0:0 "$R"
	ok --level standard create --reuse -b "$B" "$ID"
	for verb in reset verify; do u_answers 77 . $verb "$ID"; done
	ok delete "$ID"
	chown 1000:1000 "$R"
}

@test "reuse rootless: from another cgroup it is refused before anything is destroyed" {
	LEVEL=standard
	makes
	pid=$(init_of)
	NO_CGROUP=1 u reset "$ID"
	[ "$status" != 0 ]
	is "$(init_of)" "$pid"
	kill -0 "$pid"
	clean
	u_ok reset "$ID"
}

@test "reuse rootless: not in a user namespace that somebody else made" {
	LEVEL=standard
	as unshare -Urm "$T/brig" --root "$R" --level standard create --reuse -b "$B" "$ID"
	[ "$status" != 0 ]
	err_has 'user namespace'
	makes
	as unshare -Ur "$T/brig" --root "$R" reset "$ID"
	is "$status" 77
	as unshare -Ur "$T/brig" --root "$R" verify "$ID"
	is "$status" 77
}
