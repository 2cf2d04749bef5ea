#!/usr/bin/env bats
load helpers
load ../lib/reuse

more_setup() { reuse_setup; }

# What create --reuse takes beside the plain case: docs/reuse.md

resets() { # to generation N
	b reset "$ID"
	[ "$status $(report '[.clean, .gen] | join(" ")' 2>/dev/null)" = "0 true $1" ] ||
		fail "status $status" "$(bad_rows)" "$err"
}

# --- hooks --------------------------------------------------------------------------------------

with_hooks() {
	local k
	cat >"$T/hook" <<-END
		#!/bin/sh
		echo "\$1 \$($(command -v gojq || command -v jq) -r '[.status, .pid > 0] | join(" ")')" >>"$T/order"
	END
	chmod 755 "$T/hook"
	for k in prestart createRuntime createContainer poststart poststop; do
		config --arg k $k --arg p "$T/hook" '.hooks[$k] = [{"path": $p, "args": ["hook", $k]}]'
	done
}

@test "reach: hooks that the administrator allows run for each generation" {
	local n
	with_hooks
	admin "\"hooks_allowed\": [\"$T/hook\"]"
	for LEVEL in standard high; do
		at "$LEVEL"
		: >"$T/order"
		makes
		for n in 2 3; do
			runs_and_ends
			resets $n
			is "$(report '[.not_covered[] | select(. == "what hooks did outside")] | length')" 1
		done
		is "$(cut -d' ' -f1 "$T/order" | xargs)" "prestart createRuntime createContainer poststart poststop$(
			) prestart createRuntime createContainer poststart poststop prestart createRuntime createContainer"
		is "$(grep -c '^poststop stopped false$' "$T/order")" 2
		ok delete "$ID"
		is "$(grep -c '^poststop' "$T/order")" 3
		nothing_left
	done
}

@test "reach: hooks that he does not allow are refused, at any level" {
	with_hooks
	at standard
	answers 1 'cannot be reused: hooks: .*/hook: .*hooks_allowed' create --reuse -b "$B" "$ID"
	ok create -b "$B" "$ID"
	ok delete "$ID"
	at high
	answers 1 'hooks_allowed' create --reuse -b "$B" "$ID"
	nothing_left
}

@test "reach: a hook that fails at reset leaves one that the next reset makes whole" {
	with_hooks
	admin "\"hooks_allowed\": [\"$T/hook\"]"
	makes
	runs_and_ends
	cp "$T/hook" "$T/good"
	printf '#!/bin/sh\nexit 3\n' >"$T/hook"
	b reset "$ID"
	[ "$status" != 0 ]
	err_has hook
	answers 75 'cut short' start "$ID"
	cat "$T/good" >"$T/hook"
	ok reset "$ID"
	is "$(report .clean)" true
	runs_and_ends
	ok delete "$ID"
	nothing_left
}

@test "reach: poststop runs once for each generation, wherever its reset or delete was cut short" {
	local step verb n=0
	LEVEL=standard
	with_hooks
	admin "\"hooks_allowed\": [\"$T/hook\"]"
	[ -x "$TOP/build/fault/bin/brig" ] || skip "no build with faults (make FAULT=1)"
	[[ $BRIG != */san/* ]] || skip "another build is tested"
	BRIG=$TOP/build/fault/bin/brig
	at "$LEVEL"
	makes
	for verb in reset delete; do
		: >"$T/steps"
		runs_and_ends
		BRIG_FAULT_LIST=$T/steps "${BR[@]}" $verb "$ID" >/dev/null
		# Of the making of the next one, and behind its state, nothing is asked here.
		grep "^$verb" "$T/steps" | grep -v -e '^reset create' -e '^reset/create' -e 'delete/remove state' >"$T/$verb"
		[ $verb = delete ] || continue
		makes
	done
	for verb in reset delete; do
		while IFS= read -r step; do
			runs_and_ends
			: >"$T/order"
			! BRIG_FAULT_STEP=$step BRIG_FAULT_KIND=kill-after "${BR[@]}" $verb "$ID" >"$T/out" 2>&1 ||
				fail "$step: not killed"
			ok $verb "$ID"
			# One that was made, and killed before anybody could start it, has an end, too.
			case $step in
			reset/verify | reset/audit | "reset/journal done") is "$step $(grep -c '^poststop' "$T/order")" "$step 2" ;;
			*) is "$step $(grep -c '^poststop' "$T/order")" "$step 1" ;;
			esac
			n=$((n + 1))
			[ $verb = reset ] || makes
		done <"$T/$verb"
	done
	[ $n -gt 10 ] || fail "only $n steps"
	ok delete "$ID"
	nothing_left
}

@test "reach: what a hook leaves in a generation is found in the next one" {
	with_hooks
	config 'del(.hooks.createContainer, .hooks.poststop)'
	admin "\"hooks_allowed\": [\"$T/hook\"]"
	makes
	printf '#!/bin/sh\npid=$(jq .pid)\nexec nsenter -t $pid -u hostname other\n' >"$T/hook"
	b reset "$ID"
	is "$status" 76
	is "$(jq -r '.taint[0].class' "$R/$ID/taint")" residue
}

# --- --seccomp ------------------------------------------------------------------------------------

@test "reach: --seccomp files hold in each generation, whatever becomes of the files" {
	local n
	prog 'mkdir /tmp/d 2>&1; rmdir /tmp/d 2>&1; echo end'
	printf '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}' >"$T/one.json"
	for LEVEL in standard high; do
		at "$LEVEL"
		# The second one is the caller's standard input, which no reset has.
		sed 's/mkdir/rmdir/g; s/rmdirat/unlinkat/; s/38/39/' "$T/one.json" >"$T/two.json"
		STDIN=$T/two.json ok create --reuse -b "$B" --seccomp "$T/one.json" --seccomp /dev/stdin "$ID"
		mv "$T/one.json" "$T/gone.json"
		echo '{"args": ["sh", "-c", "mkdir /tmp/d; rmdir /tmp/d; ls -A /tmp; echo end"]}' >"$T/work.json"
		for n in 2 3; do
			"${BR[@]}" start --process "$T/work.json" "$ID" >"$T/said" 2>&1
			wait_for 10 has_ended
			grep -q 'mkdir: .*Function not implemented' "$T/said" || fail "$(cat "$T/said")"
			grep -q "rmdir: .*Directory not empty" "$T/said" || fail "$(cat "$T/said")"
			resets $n
		done
		is "$(find "$R/$ID" -name 'request.seccomp*' | wc -l)" 2
		echo '{"defaultAction": "SCMP_ACT_ALLOW"}' >"$R/$ID/request.seccomp.0"
		answers 76 'has changed' reset "$ID"
		ok delete "$ID"
		mv "$T/gone.json" "$T/one.json"
	done
}

@test "reach: brig.json by a relative path holds from wherever reset is called" {
	local here=$PWD
	cd "$T"
	ok --level high --system-config brig.json create --reuse -b "$B" "$ID" </dev/null
	cd /
	resets 2
	cd "$here"
}

# --- of one generation: secrets and grants ----------------------------------------------------------

# starts WORK-SCRIPT ARGS: that script, what it prints in $T/said; waits for its end
starts() {
	local script=$1
	shift
	jq -n --arg s "$script" '{args: ["sh", "-c", $s]}' >"$T/work.json"
	"${BR[@]}" start --process "$T/work.json" "$@" "$ID" </dev/null >"$T/said" 2>&1 || fail "$(cat "$T/said")"
	wait_for 10 has_ended
}

@test "reach: secrets of start are files of one generation, and nowhere else" {
	local script='stat -c "%a %u" /run/secrets /run/secrets/key 2>&1; cat /run/secrets/* 2>&1; echo x 2>&1 >/run/secrets/x
		ls -A /run /tmp; mount | grep -c secrets'
	for LEVEL in standard high; do
		at "$LEVEL"
		makes
		printf 'tls hidden7' >"$T/secret"
		starts "$script" --secret key=9 9<"$T/secret"
		grep -qx '500 0' "$T/said" || fail "$(cat "$T/said")"
		grep -qx '400 0' "$T/said" || fail "$(cat "$T/said")"
		grep -q '^tls hidden7' "$T/said" || fail "$(cat "$T/said")"
		grep -q 'Read-only' "$T/said" || fail "$(cat "$T/said")"
		! grep -rqs hidden7 "$R/$ID" "$T/audit" || fail "the secret is in a file of the host"
		resets 2
		# Not in the next one, whose process never had it, nor in what brig keeps.
		starts "$script"
		! grep -q hidden7 "$T/said" || fail "$(cat "$T/said")"
		[[ $(cat "$T/said") == *'No such file'* ]]
		is "$(tail -n 1 "$T/said")" 0
		resets 3
		! grep -rqs hidden7 "$R/$ID" "$T/audit" || fail "the secret is in a file of the host"
		# Without --process, too.
		config '.process.args = ["sh", "-c", "[ $(cat /run/secrets/key) = hidden8 ]"]'
		ok delete "$ID"
		makes
		printf hidden8 >"$T/secret"
		ok start --secret key=9 "$ID" 9<"$T/secret"
		wait_for 10 has_ended
		ok wait "$ID"
		is "$(jq .code "$T/out")" 0
		ok delete "$ID"
	done
}

@test "reach: bad secrets and grants of start are told, and the sandbox stays parked" {
	local re args
	makes
	while IFS='^' read -r re args; do
		# shellcheck disable=SC2086
		answers 1 "$re" start $args "$ID"
		ok state "$ID"
		is "$(jq -r .status "$T/out")" created
	done <<-'END'
		NAME=FD^--secret key
		not open^--secret key=77
		both are standard^--process - --secret key=0
		--grant^--grant nonsense
		--grant^--grant filesystem:read:relative
	END
	ok verify "$ID"
	ok delete "$ID"
	creates
	answers 76 'create --reuse' start --grant filesystem:read:/usr "$ID"
}

@test "reach: grants of start hold for one generation, with and without a time" {
	local expiry script='cat /run/grants/g/file 2>&1; ls /run/grants 2>&1; grep -c /run/grants /proc/mounts; sleep 0.1'
	mkdir "$T/g"
	echo granted >"$T/g/file"
	chmod 755 "$T" "$T/g"
	admin "\"grants\": {\"paths\": [\"$T/g\"]}"
	for LEVEL in standard high; do
		at "$LEVEL"
		makes
		starts "$script" --grant "filesystem:read:$T/g"
		is "$(head -n 1 "$T/said")" granted
		[ -e "$R/$ID/grants" ]
		resets 2
		[ ! -e "$R/$ID/grants" ]
		starts "$script"
		is "$(tail -n 1 "$T/said")" 0
		resets 3
		ok delete "$ID"
	done
	# With a time: who ends it ends with its generation.
	at high
	makes
	starts 'cat /run/grants/g/file' --grant "filesystem:read:$T/g ttl=1h"
	is "$(cat "$T/said")" granted
	expiry=$(jq .expiryPid "$R/$ID/grants")
	resets 2
	[ "$expiry" -gt 1 ]
	! grep -qs '^State:.[^Z]' "/proc/$expiry/status" || fail "$(head -n 8 "/proc/$expiry/status")"
	starts "$script"
	is "$(tail -n 1 "$T/said")" 0
}

@test "reach: a grant to a parked one is seen by verify, and gone with its generation" {
	mkdir "$T/g"
	chmod 755 "$T" "$T/g"
	admin "\"grants\": {\"paths\": [\"$T/g\"]}"
	makes
	ok grant "$ID" "filesystem:read:$T/g"
	b verify "$ID"
	is "$status" 76
	[[ " $(bad_rows) " == *" fingerprint "* && " $(bad_rows) " == *" state_files "* ]] || fail "$(bad_rows)"
	resets 2
	ok verify "$ID"
}

@test "reach: a grant that is refused ends the generation, and the next one is clean" {
	makes
	answers 1 grant start --grant filesystem:read:/nowhere "$ID"
	ok state "$ID"
	is "$(jq -r .status "$T/out")" stopped
	resets 2
	runs_and_ends
}

# --- nothing grows ----------------------------------------------------------------------------------

# What there is on this machine of it: descriptors of its processes, mounts, cgroups, files, charged memory
holds() {
	local pids files=("$R/$ID"/*) fds=()
	mapfile -t pids < <(jq -r '.pid, .wardenPid // empty' "$R/$ID/state.json")
	fds=("${pids[@]/#//proc/}") fds=("${fds[@]/%//fd}")
	mapfile -t fds < <(find "${fds[@]}" -mindepth 1)
	cgroups_of_test
	echo "descriptors ${#fds[@]}, mounts $(grep -c "$T" /proc/self/mountinfo)," \
		"inside $(wc -l <"/proc/${pids[0]}/mountinfo"), cgroups ${#CGROUPS[@]}, files ${#files[@]}"
}
charged() { report '.checks[] | select(.name == "memory_bytes") | .value'; }

@test "reach: fifty resets: descriptors, mounts, cgroups and memory stay what they were" {
	local n want first last
	for LEVEL in standard high; do
		at "$LEVEL"
		prog 'echo x >/tmp/left; exit 0'
		makes
		runs_and_ends
		resets 2
		want=$(holds)
		first=$(charged)
		for ((n = 3; n < 53; n++)); do
			ok start "$ID"
			wait_for 10 has_ended
			resets $n
			is "$(holds)" "$want"
		done
		last=$(charged)
		[ "$last" -le $((first + (1 << 20))) ] || fail "charged for $first, then $last bytes"
		ok delete "$ID"
		nothing_left
	done
}

# --- a limit of output ------------------------------------------------------------------------------

@test "reach: a limit of output holds in each generation, wherever a start says it goes" {
	local n
	config '.annotations = {"dev.brig.output.limit": "1k"}'
	for LEVEL in standard high; do
		at "$LEVEL"
		config '.process.args = ["sh", "-c", "echo first; echo second >&2"]'
		STDIN=/dev/null ok create --reuse -b "$B" "$ID"
		# Of create's, as without: generation 1 writes to where create did.
		runs_and_ends
		resets 2
		for n in 3 4; do
			echo '{"args": ["sh", "-c", "echo late '$n'; echo oops >&2; cat"]}' >"$T/work.json"
			echo given | "${BR[@]}" start --process "$T/work.json" "$ID" >"$T/said" 2>"$T/cried"
			wait_for 10 has_ended
			is "$(cat "$T/said")" "late $((n))"$'\n'given
			is "$(cat "$T/cried")" oops
			resets $n
		done
		# Too much: it is ended, and a result says so; the next one has all of its own again.
		echo '{"args": ["sh", "-c", "while :; do echo 0123456789; done"]}' >"$T/work.json"
		"${BR[@]}" start --process "$T/work.json" "$ID" </dev/null >"$T/said" 2>/dev/null
		wait_for 10 has_ended
		b wait "$ID"
		is "$(jq -r .status "$T/out")" output
		is "$(stat -c %s "$T/said")" 1024
		resets 5
		# Without streams of its own it writes to nowhere, and who resets is not held up.
		runs_and_ends
		ok wait "$ID"
		is "$(jq -r '[.status, .code] | join(" ")' "$T/out")" 'exited 0'
		resets 6
		ok delete "$ID"
	done
}
