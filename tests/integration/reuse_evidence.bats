#!/usr/bin/env bats
load helpers
load ../lib/reuse

# reset and delete --keep-evidence: what is kept of a sandbox that is not used again.  docs/reuse.md

more_setup() {
	reuse_setup
	KEPT=$T/kept
	mkdir -m 700 "$KEPT"
}

runs_and_ends() { ok start "$ID" && wait_for 20 has_ended && b wait "$ID"; }

@test "evidence: of one that is tainted, once" {
	for LEVEL in standard high; do
		at $LEVEL
		prog 'swapoff /x'
		makes
		runs_and_ends
		answers 76 'tainted' reset --check --keep-evidence "$KEPT" "$ID"
		is "$(ls -A "$KEPT")" ''
		answers 76 'tainted' reset --keep-evidence "$KEPT" "$ID"
		is "$(report .evidence)" "$KEPT/$ID.1"
		is "$(stat -c %a "$KEPT/$ID.1")" 700
		is "$(stat -c %a "$KEPT/$ID.1"/* | sort -u)" 600
		for f in config.json request.config.json state.json result.json report.json fingerprint; do
			[ -s "$KEPT/$ID.1/$f" ] || fail "no $f"
		done
		[[ $(jq -r '.taint[0]' "$KEPT/$ID.1/result.json") == syscall* ]]
		is "$(jq -r '.clean' "$KEPT/$ID.1/report.json")" false
		answers 76 'tainted' reset --keep-evidence "$KEPT" "$ID"
		is "$(report .evidence)" "$KEPT/$ID.1"
		ok delete --keep-evidence "$KEPT" "$ID"
		is "$(ls -A "$KEPT")" "$ID.1"
		rm -r "$KEPT/$ID.1"
		nothing_left
	done
}

@test "evidence: of one that is not clean, with what was found" {
	at standard
	makes
	runs_and_ends
	# Another fingerprint than was taken of generation 1.
	echo x >>"$R/$ID/fingerprint"
	jq -c '.reuse.fingerprint = "sha256:0"' "$R/$ID/state.json" >"$T/s" && cat "$T/s" >"$R/$ID/state.json"
	answers 76 'not clean' reset --keep-evidence "$KEPT" "$ID"
	is "$(report .evidence)" "$KEPT/$ID.2"
	grep -q '^mount' "$KEPT/$ID.2/fingerprint.found"
	is "$(jq -r .generation "$KEPT/$ID.2/result.1.json")" 1
	grep -q '"class":"residue"' "$KEPT/$ID.2/taint"
	is "$(jq -r '.checks[] | select(.ok | not) | .name' "$KEPT/$ID.2/report.json")" fingerprint
	answers 76 tainted reset --keep-evidence "$KEPT" "$ID"
	ok delete "$ID"
}

@test "evidence: delete keeps what is tainted, and only that" {
	makes
	ok delete --keep-evidence "$KEPT" "$ID"
	is "$(ls -A "$KEPT")" ''
	# What runs is ended first, and how it ended is kept.
	config '.process.args = ["sleep", "100"]'
	makes
	ok start "$ID"
	ok taint --reason 'looks odd' "$ID"
	answers 1 'not stopped' delete --keep-evidence "$KEPT" "$ID"
	is "$(ls -A "$KEPT")" ''
	ok delete --force --keep-evidence "$KEPT" "$ID"
	is "$(jq -r '[.status, .signal] | join(" ")' "$KEPT/$ID.1/result.json")" 'signal 9'
	# Another one of that name.
	makes
	ok taint --reason 'looks odd' "$ID"
	ok delete --keep-evidence "$KEPT" "$ID"
	is "$(ls -A "$KEPT")" "$(printf '%s\n' "$ID.1" "$ID.1-2")"
	# One that is used once.
	creates
	ok taint --reason 'looks odd' "$ID"
	ok delete --keep-evidence "$KEPT" "$ID"
	[ -s "$KEPT/$ID.1-3/config.json" ]
	nothing_left
}

@test "evidence: a directory that is a link, others can write to, or is not there" {
	local bad
	makes
	ok taint --reason test "$ID"
	ln -s "$KEPT" "$T/link"
	mkdir "$T/open" "$T/other" "$KEPT/below"
	chmod 1777 "$T/open"
	chown 12345 "$T/other"
	for bad in link link/below open other nope; do
		answers 1 'keep-evidence' reset --keep-evidence "$T/$bad" "$ID"
		answers 1 'keep-evidence' delete --keep-evidence "$T/$bad" "$ID"
		ok state "$ID"
	done
	is "$(find "$KEPT" "$T/open" "$T/other" -name "*$ID*")" ""
	# What is in the way under its name is not followed, nor filled.
	ln -s "$T/other" "$KEPT/$ID.1"
	ln -s "$T/other" "$KEPT/$ID.1.part"
	b delete --keep-evidence "$KEPT" "$ID"
	[ "$status" != 0 ] || [ -s "$KEPT/$ID.1-2/config.json" ] || fail "$(ls -la "$KEPT")"
	is "$(ls -A "$T/other")" ''
}

@test "evidence: what cannot be kept is not deleted" {
	makes
	ok taint --reason test "$ID"
	mkdir "$T/full"
	mount -t tmpfs -o size=4k,mode=700 none "$T/full"
	MOUNTED+=("$T/full")
	b delete --keep-evidence "$T/full" "$ID"
	is "$status" 1
	is "$(ls -A "$T/full")" ''
	ok state "$ID"
	answers 76 'not kept: evidence' reset --keep-evidence "$T/full" "$ID"
	ok delete "$ID"
}

@test "evidence: what it wrote, where its layers are kept" {
	for verb in reset delete; do
		prog 'echo loot >/tmp/loot; mkdir -p /var/tmp/d; ln -s /etc/passwd /tmp/l; swapoff /x'
		makes --keep-layers
		runs_and_ends
		if [ $verb = reset ]; then
			answers 76 tainted reset --keep-evidence "$KEPT" "$ID"
			is "$(report '[.changes.added, .changes.changed, .changes.bytes] | join(" ")')" "3 0 5"
			ok delete "$ID"
		else
			ok delete --keep-evidence "$KEPT" "$ID"
		fi
		[ -s "$KEPT/$ID.1/layers.json" ]
		found=$(for f in "$KEPT/$ID.1"/layer.*.tar; do tar -tf "$f"; done | grep -c 'loot$\|/d/$')
		is "$found" 2
		for f in "$KEPT/$ID.1"/layer.*.tar; do tar -xOf "$f" --wildcards '*loot' 2>/dev/null || :; done >"$T/got"
		is "$(cat "$T/got")" loot
		rm -r "$KEPT/$ID.1"
	done
}
