#!/usr/bin/env bats
load helpers
# doctor: what this host can enforce, and features' annotations about it

more_setup() {
	known_peer_failure runc crun
	printf '{"v": 1, "ids": {"directory": "%s"}}' "$T/ids" >"$T/brig.json"
	ADMIN=(--system-config "$T/brig.json")
}

doctor_json() { # FLAGS: what doctor says, status in $status
	b "$@" doctor --format json
	jq -e . "$T/out" >/dev/null || fail "no JSON" "$out" "$err"
}
found() { # MECHANISM WORD
	is "$(jq -r --arg m "$1" '.checks[] | select(.mechanism == $m) | .found' "$T/out")" "$2"
}

@test "doctor has a row for each mechanism, with a remedy for what is missing" {
	doctor_json
	jq -e '.v == 1 and (.kernel | length > 0) and (.checks | length) >= 24
		and (.checks | map(.mechanism) | unique | length) == (.checks | length)
		and all(.checks[]; (.found | IN("yes", "no", "unknown"))
			and (.standard | IN("-", "recorded", "required"))
			and (.high | IN("-", "recorded", "required"))
			and (.found == "yes") == (has("remedy") | not))' "$T/out"
}

@test "doctor's verdict and exit code follow from the rows" {
	doctor_json
	jq -e '(.standard == all(.checks[]; .standard != "required" or .found == "yes"))
		and (.high == all(.checks[]; .high != "required" or .found == "yes"))' "$T/out"
	local both=1
	jq -e '.standard and .high' "$T/out" >/dev/null && both=0
	is "$status" "$both"
	b doctor
	is "$status" "$both"
	out_has 'MECHANISM +STANDARD +HIGH +HERE'
	out_has 'standard: can'
	out_has 'high: can'
}

@test "what high requires is at least what standard requires" {
	doctor_json
	jq -e 'all(.checks[]; .standard != "required" or .high == "required")' "$T/out"
}

@test "doctor as root finds what brig runs with" {
	[ "$EUID" = 0 ] || skip "needs root"
	doctor_json "${ADMIN[@]}"
	jq -e '.privileged' "$T/out"
	for m in user-namespaces namespaces mount-api openat2 procfs seccomp id-pool admin-file levels; do
		found "$m" yes
	done
}

@test "doctor changes nothing" {
	local before after
	before=$(wc -l </proc/self/mountinfo)
	b --root "$T/nowhere/state" "${ADMIN[@]}" doctor
	after=$(wc -l </proc/self/mountinfo)
	is "$after" "$before"
	[ ! -e "$T/nowhere" ] || fail "the state root was made"
	[ ! -e "$T/ids" ] || fail "the directory of ids was made"
}

@test "doctor: a broken brig.json blocks both levels" {
	echo '{"v": 1, "no_such_key": 1}' >"$T/brig.json"
	doctor_json "${ADMIN[@]}"
	is "$status" 1
	found admin-file no
	jq -e '(.standard or .high) == false and
		(.checks[] | select(.mechanism == "admin-file") | .detail | contains("no_such_key"))' "$T/out"
	b "${ADMIN[@]}" doctor
	out_has 'high: cannot be enforced, for lack of .*admin-file'
	out_has 'admin-file: mend the file'
}

@test "doctor: a level file that cannot be used is named" {
	mkdir "$T/levels"
	echo '{"v": 1, "levels": "'"$T/levels"'"}' >"$T/brig.json"
	doctor_json "${ADMIN[@]}"
	found levels yes
	echo '{"v": 1, "name": "mine", "extends": "nobody"}' >"$T/levels/mine.json"
	doctor_json "${ADMIN[@]}"
	is "$status" 1
	found levels no
	jq -e '.checks[] | select(.mechanism == "levels") | .detail | contains("nobody")' "$T/out"
}

@test "doctor: no user namespaces" {
	[ "$EUID" = 0 ] || skip "needs root"
	# the limit of a user namespace of our own, not the host's
	timeout 10 unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh \
		"${BR[@]}" doctor --format json >"$T/out" 3>&- && fail "exit 0" "$(cat "$T/out")"
	found user-namespaces no
	jq -e '(.standard or .high) == false and (.checks[] | select(.mechanism == "user-namespaces") |
		.remedy | contains("user.max_user_namespaces"))' "$T/out"
}

@test "doctor: below a masked /proc" {
	[ "$EUID" = 0 ] || skip "needs root"
	timeout 10 unshare -m sh -c 'mount -t tmpfs -o ro none /proc/sys && exec unshare -Urmpf "$@"' sh \
		"${BR[@]}" doctor --format json >"$T/out" 3>&- && fail "exit 0" "$(cat "$T/out")"
	found procfs no
	jq -e '.high == false' "$T/out"
}

@test "doctor: where a filter hides system calls" {
	cp "$(command -v "$BRIG")" "$B/rootfs/brig"
	! readelf -lW "$B/rootfs/brig" | grep -q INTERP || skip "brig is not static here"
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action":
		"SCMP_ACT_ERRNO", "errnoRet": 38, "names": ["openat2", "landlock_create_ruleset",
		"seccomp", "fsopen"]}]} | .process.args = ["/brig", "doctor", "--format", "json"]'
	b run -b "$B" "$ID"
	is "$status" 1
	for m in openat2 landlock seccomp seccomp-notify mount-api; do found "$m" no; done
	found kernel yes
	jq -e '(.standard or .high) == false' "$T/out"
}

@test "doctor of a plain user" {
	[ "$EUID" = 0 ] || skip "needs root to become another user"
	cp "$(command -v "$BRIG")" "$T/brig-doctor"
	chmod 755 "$T" "$T/brig-doctor"
	timeout 10 setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all env -i \
		PATH="$PATH" XDG_RUNTIME_DIR="$T" "$T/brig-doctor" doctor --format json >"$T/out" 3>&- || :
	found user-namespaces yes
	found procfs yes
	found nf_tables yes
	jq -e '.privileged == false and (.checks | map(.mechanism) | index("subordinate-ids") != null
		and index("id-pool") == null)' "$T/out"
}

@test "features has the same facts as annotations" {
	doctor_json
	cp "$T/out" "$T/doctor.json"
	ok features
	jq -e --slurpfile d "$T/doctor.json" '.annotations as $a | $d[0] |
		($a["dev.brig.level.high"] == (.high | tostring))
		and ($a["dev.brig.level.standard"] == (.standard | tostring))
		and all(.checks[]; $a["dev.brig.host." + .mechanism] == .found)' "$T/out"
}

@test "doctor refuses another format" {
	no doctor --format yaml
	err_has 'invalid format'
}
