#!/usr/bin/env bats
load helpers
load ../lib/levels
# What a sandbox tries that it may not: counted, answered, remembered, told.  docs/violations.md

LOG() { printf '%s\n' "$T/audit/audit.jsonl"; }

# tool: the program of the test into the root
tool() { cp "$TOOLS/violate" "$B/rootfs/bin/violate"; }

# answered CLASS RESPONSE [AFTER]: what follows runs at a level that answers so
answered() {
	level_file mine "\"extends\": \"standard\", \"violations\": {\"$1\": {\"response\": \"$2\"${3:+, \"after\": $3}}}"
	at mine
}

# tried FILTER: of the rows of the result of the last run
tried() { jq -cr ".violations // [] | $1" "$T/result"; }
# rows: CLASS NAME RESPONSE COUNT, a line each
# ... but for what glibc's threads try first
rows() { tried '.[] | select(.name != "clone3") | [.class, (.name // "-"), .response, .count] | map(tostring) | join(" ")'; }
result() { jq -cr "$1" "$T/result"; }
runs() { succeeds --result "$T/result" "$@"; }
# ends STATUS ARGS: with the result
ends() {
	local want=$1
	shift
	exits "$want" --result "$T/result" "$@"
}
told() { jq -cs "[.[] | select(.ev == \"$1\")] | $2" "$(LOG)"; }
row_of() { jq -r --arg c "$1" '.violations[] | select(.class == $c) | .count' "$R/$ID/violations" 2>/dev/null; }
has_row() { [ -n "$(row_of "$1")" ]; }
frozen() { ok state "$ID" && [ "$(jq -r .status "$T/out")" = paused ]; }
is_running() { ok state "$ID" && [ "$(jq -r .status "$T/out")" = running ]; }

# --- denied calls --------------------------------------------------------------------------

@test "violations: what is denied fails with --audit syscalls as it does without" {
	local level without
	tool
	for level in standard high; do
		at $level
		succeeds -- violate errnos
		without=$out
		runs --audit syscalls -- violate errnos
		is "$out" "$without"
		[ "$(tried length)" -gt 10 ]
		is "$(tried '[.[] | select(.class == "syscall")] | length')" 0
		is "$(tried '[.[] | select(.name == "TIOCSTI") | .class] | join(" ")')" terminal
		is "$(result .status)" exited
	done
}

@test "violations: ... detached, in a process of exec, and at custom by config.json's own filter" {
	local without
	tool
	at standard
	succeeds -- violate errnos
	without=$out
	direct -d --keep --audit syscalls -- sleep 100
	[ "$status" = 0 ]
	ok exec "$ID" violate errnos
	is "$out" "$without"
	wait_for 5 has_row denied
	is "$(jq -r '.violations[] | select(.name == "mount") | .count' "$R/$ID/violations")" 1
	ok exec "$ID" violate errnos
	more() { [ "$(jq -r '.violations[] | select(.name == "mount") | .count' "$R/$ID/violations")" = 2 ]; }
	wait_for 5 more
	ok delete --force "$ID"
	at custom
	config '.process.args = ["violate", "call", "165"] | .process.noNewPrivileges = true |
		.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [
		{names: ["mount"], action: "SCMP_ACT_ERRNO", errnoRet: 95}]}'
	ok run --audit syscalls --result "$T/result" -b "$B" "$ID"
	is "$out" EOPNOTSUPP
	is "$(rows)" "denied mount warn 1"
	config '.process.args = ["sleep", "100"]'
	ok run -d --audit syscalls -b "$B" "$ID"
	ok exec "$ID" violate call 165
	is "$out" EOPNOTSUPP
	wait_for 5 has_row denied
	jq '.process | .args = ["true"] | .noNewPrivileges = false' "$B/config.json" >"$T/process.json"
	no exec --process "$T/process.json" "$ID"
	one_line noNewPrivileges
}

@test "violations: who, what and when is told" {
	tool
	admin "\"audit\": {\"path\": \"$(LOG)\", \"when\": \"always\"}"
	at standard
	runs --audit syscalls -- violate call 272 268435456
	is "$(told SystemCallAttempt 'map([.resource, .outcome, .data.nr, .data.program, .data.args[0]])')" \
		'[["unshare","denied",272,"violate",268435456]]'
	tried '.[0].first' | grep -q '^20..-..-..T..:..:..\....Z$'
}

@test "violations: a call that could not be audited is no start" {
	at custom
	config '.process.args = ["true"]'
	no run --audit syscalls -b "$B" "$ID"
	one_line 'no system call filter'
	no run --audit everything -b "$B" "$ID"
	one_line 'everything'
}

# --- terminals -----------------------------------------------------------------------------

@test "violations: typing into a terminal is refused and written down at high, at standard when asked for" {
	tool
	at high
	runs -- violate errnos
	is "$(rows)" "terminal TIOCSTI deny 1"
	is "$(result '.taint // "none"')" none
	at standard
	runs -- violate errnos
	is "$(rows)" ""
	answered terminal terminate
	ends 159 -- violate errnos
	is "$(rows)" "terminal TIOCSTI terminate 1"
	is "$(result '[.status, .reason.class, .reason.name, .reason.count, .taint[0]] | map(tostring) | join(" ")')" \
		"violation terminal TIOCSTI 1 terminal:TIOCSTI"
}

# --- responses -----------------------------------------------------------------------------

@test "violations: warn and deny go on, terminate ends, from the one on that the level says" {
	tool
	answered denied warn
	runs -- violate flood 1 5
	is "$out" "wrong 0"
	is "$(rows)" "" # nobody asked to hear of them
	answered denied deny
	runs -- violate flood 1 5
	is "$out" "wrong 0"
	is "$(rows)" "denied unshare deny 5"
	answered denied terminate 3
	ends 159 -- sh -c 'violate flood 1 5; echo survived'
	out_lacks wrong
	out_lacks survived
	is "$(rows)" "denied unshare terminate 3"
	is "$(result '[.status, .reason.class, .reason.name, .code] | map(tostring) | join(" ")')" \
		"violation denied unshare 159"
}

@test "violations: throttle lets who tries wait, longer each time, and nobody else" {
	tool
	answered denied throttle
	runs -- sh -c 'violate tick 8 >/tmp/ticks & violate flood 1 10; wait; tail -n 1 /tmp/ticks'
	is "${out%%$'\n'*}" "wrong 0"
	[ "$(result .wallMs)" -ge 1000 ]
	[ "${out##*$'\n'}" -lt 1000 ]
	is "$(rows)" "denied unshare throttle 10"
}

@test "violations: quarantine freezes and taints, for somebody to look at" {
	tool
	answered denied quarantine
	direct -d --keep -- sh -c 'exec >/dev/null; violate flood 1 1; violate tick 1000'
	wait_for 5 frozen
	is "$(jq -r '.violations[] | select(.name != "clone3") | [.class, .name, .response, .taints] | map(tostring) | join(" ")' "$R/$ID/violations")" \
		"denied unshare quarantine true"
	ok resume "$ID"
	is_running
	# What is left of it ends as any other.
	ok kill "$ID" KILL
	b wait "$ID"
	is "$status" 137
	is "$(jq -r '[.status, .taint[0]] | join(" ")' <<<"$out")" "signal denied:unshare"
	ok delete "$ID"
}

@test "violations: what is in quarantine gets no grace, in which it would go on" {
	tool
	answered denied quarantine
	ends 124 --timeout 700ms --grace 5s -- \
		sh -c 'trap "echo went on; exit 3" TERM; violate flood 1 1; while :; do sleep 0.05; done'
	is "$(result '[.status, .signal, .taint[0]] | map(tostring) | join(" ")')" "timeout 9 denied:unshare"
	is "$out" ''
}

@test "violations: what would be quarantine is the end during a grace" {
	tool
	answered denied quarantine
	ends 124 --timeout 700ms --grace 5s -- \
		sh -c 'trap "violate flood 1 1; echo went on; exit 3" TERM; while :; do sleep 0.05; done'
	is "$(result '[.status, .signal, .taint[0]] | map(tostring) | join(" ")')" "timeout 9 denied:unshare"
	is "$out" ''
}

@test "violations: a quarantined one is ended by its wall clock" {
	tool
	answered denied quarantine
	ends 124 --timeout 1s -- sh -c 'violate flood 1 1; sleep 100'
	is "$(rows)" "denied unshare quarantine 1"
	is "$(result .status)" timeout
}

@test "violations: a never-legitimate call can be denied instead of ending it, and taints" {
	tool
	answered syscall deny
	runs -- violate call 168 0
	is "$out" EPERM
	is "$(rows)" "syscall swapoff deny 1"
	is "$(result '.taint | join(" ")')" syscall:swapoff
}

@test "violations: a level does not soften what it extends" {
	level_file mine '"extends": "high", "violations": {"syscall": {"response": "warn"}}'
	at mine
	refuses 'violations.syscall: ."warn." is weaker than ."terminate.' -- true
	level_file mine '"extends": "high", "violations": {"terminal": {"response": "deny", "after": 2}}'
	refuses 'violations.terminal: ."deny from 2 on." is weaker than ."deny.' -- true
	level_file mine '"extends": "high", "violations": {"egress": {"response": "deny"}}'
	refuses 'violations.egress: response: ."deny." is nothing that can be done about egress' -- true
	level_file mine '"extends": "high", "violations": {"pids": {"response": "throttle", "after": 0}}'
	refuses 'violations.pids: after: 0' -- true
	level_file mine '"extends": "high", "violations": {"files": {"response": "warn"}}'
	refuses 'violations: files' -- true
}

# --- processes -----------------------------------------------------------------------------

@test "violations: a storm of forks is counted, foreground and detached" {
	tool
	at standard
	runs --pids 20 -- violate forks 100
	is "$out" "refused 81"
	is "$(rows)" "pids pids warn 81"
	direct -d --keep --pids 20 -- violate forks 100
	# By the warden, which has it from the file that it wrote itself.
	wait_for 5 test -e "$R/$ID/result.json"
	is "$(jq .violations[0].count "$R/$ID/result.json")" 81
	ok wait "$ID"
	is "$(jq -r '.violations[0] | [.class, .count] | map(tostring) | join(" ")' <<<"$out")" "pids 81"
	ok delete "$ID"
}

@test "violations: ... and ended, frozen or slowed down where the level says so" {
	tool
	answered pids terminate 50
	ends 159 --pids 20 -- sh -c 'violate forks 30; violate forks 100; sleep 100'
	is "$(result '[.status, .reason.class, .reason.name] | join(" ")')" "violation pids pids"
	answered pids quarantine
	direct -d --keep --pids 20 -- sh -c 'exec >/dev/null; violate forks 30; sleep 100'
	wait_for 5 frozen
	ok delete --force "$ID"
	answered pids throttle
	direct -d --keep --pids 20 -- violate storm
	# From one tenth of each second to nine: both are seen in the seconds between.
	wait_for 20 frozen
	wait_for 20 is_running
	wait_for 20 frozen
	ok delete --force "$ID"
}

@test "violations: memory is a row, and no taint" {
	at standard
	ends 137 --memory 16m -- sh -c 'x=x; while :; do x=$x$x; done'
	is "$(tried 'map(.class + " " + .response) | join(",")')" "memory terminate"
	is "$(result '.taint // "none"')" none
}

# --- floods --------------------------------------------------------------------------------

@test "violations: a flood neither stops its neighbour nor grows the warden, and its records are few" {
	local w before
	tool
	at standard
	admin "\"audit\": {\"path\": \"$(LOG)\", \"when\": \"always\"}"
	flood() { # N: attempts of 64 threads
		"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID-f" --env BRIG_TEST_MARK -d --keep --pids 200 \
			--audit syscalls -- violate flood 64 $(($1 / 64 + 1)) </dev/null 3>&-
	}
	flood 1000000000
	wait_for 10 flooded
	w=$(jq -r .wardenPid "$R/$ID-f/state.json")
	before=$(anonymous "$w")
	succeeds -- sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done'
	[ "$(anonymous "$w")" -le $((before + 64)) ] || fail "the warden grew from $before KiB"
	ok kill "$ID-f" KILL
	becomes stopped "$ID-f"
	ok delete --force "$ID-f"
	is "$(told AnomalousActivity length)" 1
	rm -r "$T/audit"
	flood "${BRIG_FLOOD:-20000}"
	timeout 300 "${BR[@]}" wait "$ID-f" >"$T/result"
	is "$(result '[.exitCode, (.violations[] | select(.name == "unshare") | .name, .count)] | map(tostring) | join(" ")')" \
		"0 unshare $(((${BRIG_FLOOD:-20000} / 64 + 1) * 64))"
	[ "$(told SystemCallAttempt length)" -le 200 ]
	ok delete "$ID-f"
}
anonymous() { # of a process, in KiB: in one read, for the lines above it change their length
	awk '/^RssAnon:/ { print $2 }' "/proc/$1/status"
}
flooded() { grep -q AnomalousActivity "$(LOG)"; }

@test "violations: behind a flood a call that is taken back is seen" {
	tool
	at high
	ends 159 -- violate hide 246 50
	is "$(result .reason.syscall)" kexec_load
}

@test "violations: callers that are killed while they ask, and threads of all at once" {
	tool
	at standard
	runs --audit syscalls -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do
		violate flood 20 1000 & p=$!; sleep 0.02; kill -9 $p; wait $p; done 2>/dev/null; true'
	is "$(tried '[.[].class] | unique | join(" ")')" denied
	is "$(result .status)" exited
	runs --pids 500 --audit syscalls -- violate flood 400 2
	is "$out" "wrong 0"
	is "$(rows)" "denied unshare warn 800"
}

@test "violations: a start does not wait for an answer to a call of brig's own" {
	local call
	tool
	cp "$B/rootfs/bin/violate" "$B/rootfs/bin/broken"
	printf '#!/nowhere\n' >"$B/rootfs/bin/broken"
	at custom
	filter() { # ACTION-BY-DEFAULT ACTION CALLS
		config ".process.args = [\"violate\", \"call\", \"165\"] | .process.noNewPrivileges = true |
			.linux.seccomp = {defaultAction: \"$1\", architectures: [\"SCMP_ARCH_X86_64\"],
			syscalls: [{names: [$3], action: \"$2\"}]}"
	}
	for call in close fcntl pwrite64 brk mmap munmap; do
		filter SCMP_ACT_ALLOW SCMP_ACT_ERRNO "\"$call\""
		b run --audit syscalls -b "$B" "$ID"
		[ "$status" != 124 ]
		b delete --force "$ID"
		config '.process.args = ["broken"]'
		b run --audit syscalls -b "$B" "$ID"
		[ "$status" = 1 ]
		[[ $err == *broken* ]]
	done
	for call in sendmsg execve exit_group; do
		filter SCMP_ACT_ALLOW SCMP_ACT_ERRNO "\"$call\""
		b run --audit syscalls -b "$B" "$ID"
		[ "$status" = 1 ]
		one_line "the filter has to allow $call"
	done
}
