#!/usr/bin/env bats
load helpers
load ../lib/levels
# What the audit log is told, by whom and when, and what happens when it cannot be: docs/audit.md

LOG() { printf '%s\n' "$T/audit/audit.jsonl"; }

# audited JSON: members of "audit" in brig.json, with the test's own file
audited() { admin "\"audit\": {\"path\": \"$(LOG)\"${1:+, $1}}"; }

# events [ID]: those of the log, in its order, in one line
events() {
	jq -r --arg id "${1:-$ID}" 'select(.id == $id) | .ev' "$(LOG)" | paste -sd' '
}

# one EVENT FILTER: of the last such record
one() {
	jq -cs --arg ev "$1" '[.[] | select(.ev == $ev)] | last | '"$2" "$(LOG)"
}

# Each line has the hash of the one before it, and numbers go up by one.
chained() {
	local line prev seq=0
	prev=$(printf '0%.0s' {1..64})
	while IFS= read -r line; do
		seq=$((seq + 1))
		is "$(jq -r .seq <<<"$line")" $seq
		is "$(jq -r .prev <<<"$line")" "$prev"
		prev=$(printf '%s\n' "$line" | sha256sum)
		prev=${prev%% *}
	done <"$(LOG)"
	[ $seq -gt 0 ] || fail "the log is empty"
}

# A created and started container that runs until it is killed.
starts() {
	config '.process.args = ["sleep","100"]'
	creates
	ok start "$ID"
}

# --- who is written about -----------------------------------------------------------------------

@test "audit: at high a run is written down from its creation to its end" {
	succeeds -- true
	is "$(events)" "SandboxCreated SandboxExited SandboxDestroyed"
	is "$(one SandboxExited '[.level, .action, .outcome, .data.status, .data.exit_code]')" \
		'["high","exit","ok","exited",0]'
	[[ $(one SandboxCreated .cfg) == '"sha256:'* ]]
	[[ $(one SandboxCreated .data.seccomp) == '"sha256:'* ]]
	chained
}

@test "audit: at standard and custom nothing is written, unless brig.json says always" {
	local level
	for level in standard custom; do
		audited ''
		at $level
		succeeds -- true
		[ ! -e "$T/audit" ]
		audited '"when": "always"'
		succeeds -- true
		is "$(events)" "SandboxCreated SandboxExited SandboxDestroyed"
		chained
		rm -r "$T/audit"
	done
}

@test "audit: never, where a level requires it, is no start and names both" {
	audited '"when": "never"'
	refuses 'level high.*audit.*never' -- true
	at standard
	succeeds -- true
	[ ! -e "$T/audit" ]
}

@test "audit: each verb that changes a sandbox is written down" {
	starts
	ok pause "$ID"
	ok resume "$ID"
	ok exec "$ID" true
	ok update --pids-limit 20 "$ID"
	ok kill "$ID" KILL
	becomes stopped
	ok delete "$ID"
	# Its warden may see the end before kill has said what it did.
	is "$(events | sed 's/SandboxExited SandboxSignalled/SandboxSignalled SandboxExited/')" "SandboxCreated \
SandboxStarted SandboxPaused SandboxResumed ProcessStarted SandboxUpdated SandboxSignalled SandboxExited SandboxDestroyed"
	is "$(one SandboxSignalled '[.action, .data.signal]')" '["kill",9]'
	is "$(one SandboxExited '[.data.status, .data.signal]')" '["signal",9]'
	chained
}

@test "audit: a detached sandbox that ends by itself is written down by its warden" {
	ok run -d --id "$ID" --rootfs "$B/rootfs" -- sh -c 'exit 3'
	b wait "$ID"
	is "$status" 3
	becomes stopped
	wait_for 5 grep -q SandboxExited "$(LOG)"
	is "$(one SandboxExited '[.source, .data.exit_code]')" '["warden",3]'
	ok delete "$ID"
	is "$(events)" "SandboxCreated SandboxExited SandboxDestroyed"
}

@test "audit: without a warden the end is written down by who deletes it" {
	at standard
	audited '"when": "always"'
	starts
	ok kill "$ID" KILL
	becomes stopped
	ok delete "$ID"
	is "$(events)" "SandboxCreated SandboxStarted SandboxSignalled SandboxExited SandboxDestroyed"
}

@test "audit: without a warden the end is written down once, by who waited for it" {
	at standard
	audited '"when": "always"'
	config '.process.args = ["sh", "-c", "exit 3"]'
	creates
	# Holds its process, so that it can tell also behind whoever reaps it.
	"${BR[@]}" wait "$ID" >/dev/null 2>&1 </dev/null 3>&- &
	PIDS+=($!)
	wait_for 5 test -e "$R/$ID/waiters"
	sleep 0.1
	ok start "$ID"
	status=0
	wait "${PIDS[-1]}" || status=$?
	is "$status" 3
	is "$(one SandboxExited '[.data.status, .data.exit_code]')" '["exited",3]'
	b wait "$ID"
	ok delete "$ID"
	is "$(events)" "SandboxCreated SandboxStarted SandboxExited SandboxDestroyed"
	ok create --reuse -b "$B" "$ID" </dev/null
	ok start "$ID"
	b wait "$ID"
	ok reset "$ID"
	ok delete "$ID"
	ok audit verify
}

@test "audit: one that is deleted while it runs has one end in the log, by its warden" {
	local i
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		ok run -d --id "$ID" --rootfs "$B/rootfs" -- sleep 100
		ok delete --force "$ID"
		is "$(events)" "SandboxCreated SandboxExited SandboxDestroyed"
		is "$(one SandboxExited .source)" '"warden"'
		rm -r "$T/audit"
	done
}

@test "audit: an end is written down once, whoever comes first" {
	local n id
	for n in {1..12}; do
		id=$ID
		ok run -d --rootfs "$B/rootfs" --id "$id" --timeout 1m -- sleep 100
		[ $((n % 2)) = 0 ] || ok pause "$id"
		ok delete --force "$id"
	done
	ok run --keep --rootfs "$B/rootfs" --id "$ID" -- true
	ok delete "$ID"
	is "$(jq -r .ev "$(LOG)" | sort | uniq -c | awk '{ print $1, $2 }' | grep -E 'Created|Exited|Destroyed' | paste -sd,)" \
		"13 SandboxCreated,13 SandboxDestroyed,13 SandboxExited"
}

@test "audit: a start that is refused is written down with its reason" {
	refuses 'is refused' --ro /proc:/mnt -- true
	is "$(one SandboxRefused '[.outcome, (.data.error | contains("/mnt"))]')" '["denied",true]'
	config '.annotations."dev.brig.colour" = "red"'
	refused colour create -b "$B" "$ID"
	is "$(events)" "SandboxRefused SandboxRefused"
}

@test "audit: a start that fails on its way has an end, too" {
	exits 127 -- no-such-program
	is "$(events)" "SandboxCreated SandboxDestroyed"
	is "$(one SandboxDestroyed .outcome)" '"failed"'
}

# --- what is in it ------------------------------------------------------------------------------

@test "audit: arguments are hashed, plain or absent, as brig.json has it; the environment never is" {
	local word
	for word in hash plain none; do
		audited "\"argv\": \"$word\""
		succeeds --env SECRETVALUE=xyzzy123 -- echo words-of-it
		case $word in
		hash) is "$(one SandboxCreated .data.argv)" \
			"\"sha256:$(printf 'echo\0words-of-it\0' | sha256sum | cut -d' ' -f1)\"" ;;
		plain) is "$(one SandboxCreated .data.argv)" '["echo","words-of-it"]' ;;
		none) is "$(one SandboxCreated .data.argv)" null ;;
		esac
		run ! grep 'SECRETVALUE\|xyzzy123' "$(LOG)"
		[ $word = plain ] || run ! grep words-of-it "$(LOG)"
		rm -r "$T/audit"
	done
}

@test "audit: what a program prints and is called cannot become a record" {
	local evil=$'x\n{"v":1,"seq":1,"ev":"SandboxDestroyed"}\n'
	audited '"argv": "plain"'
	succeeds -- printf '%s' "$evil" "$evil"
	chained
	is "$(grep -c SandboxDestroyed "$(LOG)")" 2 # its own, and the text within the arguments
	is "$(events)" "SandboxCreated SandboxExited SandboxDestroyed"
}

@test "audit: the log and its directory are the administrator's alone" {
	succeeds -- true
	is "$(stat -c %a "$T/audit")" 700
	is "$(stat -c %a "$(LOG)")" 600
	refuses 'audit' --ro "$T/audit:/mnt" -- true
	refuses 'audit' --bind "$T/audit:/mnt" -- true
}

@test "audit: no descriptor of the log is open in the sandbox" {
	succeeds -- sh -c 'ls -l /proc/self/fd /proc/1/fd'
	out_lacks audit
	starts
	init_pid
	find "/proc/$PID/fd" -type l -printf '%l\n' >"$T/open"
	[ -s "$T/open" ]
	run ! grep audit "$T/open"
}

# --- when it cannot be written ------------------------------------------------------------------

@test "audit: at high nothing starts without its record, and nothing is left" {
	local place
	mkdir "$T/loose" "$T/audit"
	chmod 777 "$T/loose"
	ln -s "$T/elsewhere" "$T/audit/link.jsonl"
	mkfifo "$T/audit/fifo.jsonl"
	for place in /dev/null/audit.jsonl /proc/audit/a.jsonl "$T/loose/a.jsonl" \
		"$T/audit/link.jsonl" "$T/audit/fifo.jsonl"; do
		admin "\"audit\": {\"path\": \"$place\"}"
		refuses 'audit' -- true
		refused 'audit' create -b "$B" "$ID"
	done
	[ ! -e "$T/elsewhere" ]
}

@test "audit: at standard it goes on with a warning" {
	at standard
	admin '"audit": {"path": "/dev/null/audit.jsonl", "when": "always"}'
	succeeds -- echo runs
	out_is runs
	err_has 'audit: SandboxCreated is not written'
}

@test "audit: a lock that somebody holds is not waited for longer than brig.json says" {
	audited '"wait": 300'
	succeeds -- true
	flock "$(LOG).lock" sleep 30 3>&- &
	PIDS+=($!)
	wait_for 5 bash -c '! flock -n "$1" true' _ "$(LOG).lock"
	refuses 'audit' -- true
	at standard
	audited '"wait": 300, "when": "always"'
	succeeds -- true
	err_has 'is not written'
}

@test "audit: exec and resume at high need their record, too; pause and kill do without" {
	starts
	mv "$T/audit" "$T/moved"
	ln -s /dev/null "$T/audit"
	b exec "$ID" true
	[ "$status" != 0 ]
	err_has audit
	b pause "$ID"
	is "$status" 0
	b resume "$ID"
	[ "$status" != 0 ]
	err_has audit
	ok state "$ID"
	is "$(jq -r .status <<<"$out")" paused
	rm "$T/audit"
	mv "$T/moved" "$T/audit"
	ok resume "$ID"
	ok exec "$ID" true
	rm -r "$T/audit"
	ln -s /dev/null "$T/audit"
	b kill "$ID" KILL
	is "$status" 0
}

@test "audit: bad words of brig.json are refused" {
	local what text
	while IFS='|' read -r what text; do
		admin "\"audit\": {$text}"
		refuses "audit.*$what|$what" -- true
	done <<-'END'
		when|"when": "sometimes"
		path|"path": "relative"
		path|"path": "/"
		sync|"sync": 1
		argv|"argv": "all"
		flows|"flows": "yes"
		wait|"wait": 99999999
		max_bytes|"max_bytes": -1
		colour|"colour": "red"
	END
}

# --- many, and killed ---------------------------------------------------------------------------

@test "audit: sandboxes side by side share one log without a fault" {
	local i n
	for i in 1 2 3 4 5 6; do
		("${BR[@]}" run --id "$ID-$i" --rootfs "$B/rootfs" -- true </dev/null >/dev/null 2>&1 3>&-) &
		PIDS+=($!)
	done
	for n in "${PIDS[@]}"; do wait "$n"; done
	chained
	for i in 1 2 3 4 5 6; do
		is "$(events "$ID-$i")" "SandboxCreated SandboxExited SandboxDestroyed"
	done
}

@test "audit: what a brig that was killed began is ended by the next" {
	"${BR[@]}" run --id "$ID" --rootfs "$B/rootfs" -- sleep 100 </dev/null >/dev/null 2>&1 3>&- &
	PIDS+=($!)
	becomes running
	kill -9 "${PIDS[-1]}"
	becomes stopped
	ok delete "$ID"
	is "$(events)" "SandboxCreated SandboxExited SandboxDestroyed"
	chained
}
