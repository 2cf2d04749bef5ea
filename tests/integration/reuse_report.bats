#!/usr/bin/env bats
load helpers
load ../lib/reuse

# The questions of a controller, and when a shell is not used any more: docs/reuse.md.  What
# verify's rows see is in reuse_residue.bats.

more_setup() {
	reuse_setup
	admin "\"audit\": {\"path\": \"$T/audit/audit.jsonl\", \"when\": \"always\"}"
	# Limits that are known, and somebody who watches.
	config '.annotations = {"dev.brig.time.wall": "30s"}
		| .linux.resources.memory = {"limit": 67108864, "swap": 67108864}
		| .linux.resources.pids = {"limit": 20}
		| .linux.resources.cpu = {"quota": 50000, "period": 100000}'
}

runs_and_ends() { ok start "$ID" && wait_for 20 has_ended && ok wait "$ID"; }
# after SCRIPT: the report of a generation that ran it, in place of config.json's program
after() {
	jq -n --arg s "$1" '{"args": ["sh", "-c", $s]}' >"$T/work.json"
	ok start --process "$T/work.json" "$ID"
	wait_for 20 has_ended
	ok wait "$ID"
	ok reset "$ID"
	is "$(report .clean)" true
}
# thousandths MEMBER: of a ratio, so that the shell can compare it
thousandths() { report "(.peak.$1 * 1000 | floor)"; }

# --- the questions ------------------------------------------------------------------------------

@test "report: use of memory, processors, processes and disk, each by its own cause" {
	local idle memory pids disk
	makes
	after :
	memory=$(thousandths memory_ratio)
	pids=$(thousandths pids_ratio)
	disk=$(thousandths disk_ratio)
	after 'x=$(head -c 30000000 /dev/zero | tr "\0" x)'
	[ "$(thousandths memory_ratio)" -gt $((memory + 200)) ] ||
		fail "memory: $memory" "$out"
	after 'sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait'
	[ "$(thousandths pids_ratio)" -ge $((pids + 200)) ] || fail "pids: $pids" "$out"
	idle=$(thousandths cpu_ratio)
	after 'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done'
	[ "$(thousandths cpu_ratio)" -gt $((idle + 100)) ] || fail "cpu: $idle" "$out"
	after 'head -c 20000000 /dev/zero >/tmp/x'
	[ "$(thousandths disk_ratio)" -gt $((disk + 10)) ] || fail "disk: $disk" "$out"
	[ "$(report .changes.bytes)" -ge 20000000 ]
}

@test "report: files added, and none outside of the writable places" {
	makes
	after :
	is "$(report '[.changes.added, .changes.bytes, .changes.outside_writable] | join(" ")')" "0 0 0"
	after 'for i in 1 2 3 4 5; do echo x >/tmp/$i; done; echo x >/etc/left || echo x >/left || :'
	is "$(report '[.changes.added, .changes.outside_writable] | join(" ")')" "5 0"
}

@test "report: with its layers kept, what was added, changed, deleted and can be executed" {
	makes --keep-layers
	after :
	is "$(report '.changes | [.added, .changed, .deleted, .bytes, .untrusted, .outside_writable] | join(" ")')" "0 0 0 0 0 0"
	after 'echo 12345 >/tmp/a; echo x >/tmp/b; chmod 755 /tmp/b; rm /dev/shm/x 2>/dev/null; mkdir /run/d'
	is "$(report '.changes | [.added, .changed, .deleted, .bytes, .untrusted] | join(" ")')" "3 0 0 8 1"
	# What had not been waited for is known, too.
	jq -n '{"args": ["sh", "-c", "echo x >/tmp/b; sleep 100"]}' >"$T/work.json"
	ok start --process "$T/work.json" "$ID"
	sleep 0.3
	ok reset --kill "$ID"
	is "$(report '.changes | [.added, .untrusted] | join(" ")')" "1 0"
	is "$(report '.peak.disk_ratio != null')" true
}

@test "report: how often it was used, how old it is, how long its program ran, how long it is parked" {
	makes --max-uses 9 --max-age 1h --max-idle 30m
	ok verify "$ID"
	is "$(report '[.uses, .max_uses, .max_age_s, .max_idle_s] | join(" ")')" "0 9 3600 1800"
	sleep 1.1
	ok verify "$ID"
	[ "$(report .age_s)" -ge 1 ] && [ "$(report .gen_age_s)" -ge 1 ] && [ "$(report .idle_s)" -ge 1 ]
	after 'sleep 0.3'
	is "$(report '[.uses, .gen, .gen_age_s, .idle_s] | join(" ")')" "1 2 0 0"
	[ "$(report .ran_ms)" -ge 300 ] && [ "$(report .ran_ms)" -lt 20000 ]
	[ "$(report .age_s)" -ge 1 ]
	after :
	is "$(report .uses)" 2
	[ "$(report .ran_ms)" -lt 300 ] || fail "$out"
}

@test "report: taint" {
	makes
	ok reset --check "$ID"
	is "$(report '.taint | length')" 0
	jq -n '{"args": ["swapoff", "/x"]}' >"$T/work.json"
	b start --process "$T/work.json" "$ID"
	wait_for 20 has_ended
	answers 76 'tainted' reset "$ID"
	is "$(report '[.taint[0], .clean] | join(" ")')" "syscall:swapoff false"
}

@test "report: the record of the audit log, by its number and hash" {
	local seq hash line
	makes
	after :
	seq=$(report .audit.seq)
	hash=$(report .audit.hash)
	line=$(jq -c "select(.seq == $seq)" "$T/audit/audit.jsonl")
	is "$(jq -r '[.ev, .id, .gen, .outcome] | join(" ")' <<<"$line")" "SandboxReset $ID 2 ok"
	is "$(jq -c '[.data.from_gen, .data.gen, .data.clean, .data.fingerprint_match, .data.uses]' <<<"$line")" \
		'[1,2,true,true,1]'
	is "$(jq -r .data.fingerprint <<<"$line")" "$(report .fingerprint)"
	is "$(grep -F "\"seq\":$seq," "$T/audit/audit.jsonl" | sha256sum | cut -d' ' -f1)" "$hash"
	ok reset "$ID"
	[ "$(report .audit.seq)" -gt "$seq" ]
	# No reset, no record.
	ok verify "$ID"
	is "$(report .audit)" null
	ok audit verify
}

# --- when it is not used any more ---------------------------------------------------------------

@test "reuse: one that was parked for too long is neither started nor reset" {
	makes --max-idle 2s
	ok verify "$ID"
	sleep 2.1
	answers 76 'parked for' start "$ID"
	answers 76 'parked for' reset "$ID"
	[[ $(report .refused) =~ ^'it has been parked for '[0-9]+' s, at most 2 s are allowed'$ ]] || fail "$out"
	answers 76 'parked for' verify "$ID"
	ok delete "$ID"
	# What runs, or was used, is not idle.
	makes --max-idle 2s
	after 'sleep 2.1'
	ok delete "$ID"
}

@test "reuse: a generation that used too much ends the shell, without taint" {
	local what script
	while IFS='^' read -r what script; do
		makes --retire-on "$what"
		after 'sleep 0.3'
		jq -n --arg s "$script" '{"args": ["sh", "-c", $s]}' >"$T/work.json"
		ok start --process "$T/work.json" "$ID"
		wait_for 20 has_ended
		ok wait "$ID"
		answers 76 'not to be used again: generation 2 used' reset --check "$ID"
		is "$(reuse retired)" null
		answers 76 'not to be used again: generation 2 used' reset "$ID"
		is "$(report '[.clean, (.taint | length)] | join(" ")')" "false 0"
		is "$(report .refused)" "$(reuse retired)"
		is "$(reuse uses)" 2
		ok state "$ID"
		is "$(jq -r .brig.reuse.retired <<<"$out")" "$(reuse retired)"
		is "$(jq -r .brig.tainted <<<"$out")" false
		answers 76 'generation 2 used' reset --kill "$ID"
		answers 76 'generation 2 used' start "$ID"
		ok delete "$ID"
	done <<-'END'
		memory=0.45^x=$(head -c 20000000 /dev/zero | tr "\0" x)
		pids=.4^sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait
		disk=0.005^head -c 20000000 /dev/zero >/tmp/x
		cpu=0.1,memory=1^for n in 1 2; do (i=0; while [ $i -lt 400000 ]; do i=$((i + 1)); done) & done; wait
	END
	nothing_left
}

@test "reuse: thresholds that are none, or of what nobody would know" {
	local bad
	for bad in '' memory memory= memory=0 memory=1.1 'memory=0.9,' memory=0.9,memory=0.8 memory=0.9001 \
		memory=x time=0.5 memory=-1 'memory=0.9 ' memory=1. memory=10; do
		answers 1 'no list such as' create --reuse --retire-on "$bad" -b "$B" "$ID"
	done
	answers 1 'needs --reuse' create --retire-on memory=1 -b "$B" "$ID"
	answers 1 'above 0' create --reuse --max-idle 0 -b "$B" "$ID"
	at standard
	config 'del(.linux.resources.cpu, .linux.resources.memory) | .annotations = {}'
	answers 1 'retire-on memory: it has no limit' create --reuse --retire-on memory=1 -b "$B" "$ID"
	answers 1 'retire-on cpu: it has no quota' create --reuse --retire-on cpu=1 -b "$B" "$ID"
	nothing_left
	ok create --reuse --retire-on disk=1 -b "$B" "$ID"
	ok delete "$ID"
	config '.annotations = {"dev.brig.time.wall": "30s", "dev.brig.reuse": "true",
		"dev.brig.reuse.max_idle": "1h", "dev.brig.reuse.retire_on": "disk=0.5,pids=1"}'
	ok create -b "$B" "$ID"
	is "$(jq -c '.reuse | [.maxIdleMs, .retireOn.disk, .retireOn.pids]' "$R/$ID/state.json")" \
		'[3600000,500,1000]'
}

@test "reuse: the key of one that was given none tells policy, level and root" {
	local first
	makes
	first=$(reuse key)
	[[ $first == sha256:* ]]
	ok state "$ID"
	is "$(jq -r .brig.reuse.key <<<"$out")" "$first"
	ok reset "$ID"
	is "$(reuse key)" "$first"
	ok delete "$ID"
	config '.process.env += ["MORE=1"]' # not policy
	makes
	is "$(reuse key)" "$first"
	ok delete "$ID"
	at standard
	makes
	[ "$(reuse key)" != "$first" ]
	ok delete "$ID"
	at high
	mv "$B/rootfs" "$B/other" && cp -a "$B/other" "$B/rootfs"
	makes
	[ "$(reuse key)" != "$first" ]
	ok delete "$ID"
	makes --reuse-key mine
	is "$(reuse key)" mine
}

@test "list: generation, uses, key and what is not used any more, where there is one to be used again" {
	local json
	ok list
	out_lacks 'GEN'
	makes --max-uses 1
	ok list
	is "$(head -1 "$T/out" | tr -s ' ' | sed 's, $,,')" 'ID PID STATUS BUNDLE CREATED OWNER GEN USES KEY REUSE'
	is "$(awk 'NR == 2 {print $7, $8, $9, $10}' "$T/out")" "1 0 $(reuse key | cut -c -19) -"
	runs_and_ends
	ok taint --reason test "$ID"
	ok list
	is "$(awk 'NR == 2 {print $(NF - 4), $(NF - 3), $(NF - 1), $NF}' "$T/out")" '1 1 retired manual'
	ok list -f json
	json=$(jq -c '.[0].reuse | [.generation, .uses, .maxUses, .key, .retired]' "$T/out")
	is "$json" "[1,1,1,\"$(reuse key)\",\"it was used 1 times, as often as is allowed\"]"
	is "$(jq -r '.[0].tainted' "$T/out")" true
	ok state "$ID"
	is "$(jq -c '.brig.reuse | [.generation, .uses, .maxUses, .key, .retired]' "$T/out")" "$json"
	ok delete "$ID"
	creates
	ok list -f json
	is "$(jq -c '.[0].reuse' "$T/out")" null
}
