#!/usr/bin/env bats
load helpers
# A hostile process beside the one that brig makes: it wants it before it is the workload

more_setup() {
	cp "$TOOLS/stalk" "$B/rootfs/bin/stalk"
}

# stalker: the container $ID runs it, what it catches is in $T/caught
stalker() {
	config '.process.args = ["stalk", "60"]'" ${1:+| $1}"
	"${BR[@]}" run -d -b "$B" "$ID" </dev/null >"$T/caught" 2>&1 3>&- || fail "$(cat "$T/caught")"
}

SECCOMP='.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
	"syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}'

# What was traced was the workload, and not what it was before.
caught_none() {
	! grep -v 'exe=/bin/' "$T/caught" | head -n 3 | grep . || fail "traced too early"
}
filtered() {
	! grep 'seccomp=[01?]' "$T/caught" | head -n 3 | grep . || fail "traced without its filter"
}

@test "exec: no process of the container traces the joiner without its seccomp filter" {
	stalker "$SECCOMP"
	for i in {1..40}; do ok exec "$ID" true; done
	filtered
}

@test "exec, privileges may be gained: the joiner is not traced without its seccomp filter" {
	stalker "$SECCOMP | .process.noNewPrivileges = false"
	for i in {1..40}; do ok exec "$ID" true; done
	filtered
}

@test "exec: the same with capabilities that read every file" {
	caps CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH
	stalker "$SECCOMP"
	for i in {1..40}; do ok exec "$ID" true; done
	filtered
}

@test "exec in a user namespace: nothing but the workload is traced" {
	caps CAP_SYS_PTRACE
	userns
	stalker "$SECCOMP"
	for i in {1..40}; do ok exec "$ID" true; done
	caught_none
	filtered
}

@test "a container that joins a pid and a user namespace is not traced before it is the workload" {
	caps CAP_SYS_PTRACE
	userns
	stalker
	init_pid
	config --arg p "/proc/$PID/ns" '.process.args = ["true"]
		| .linux.namespaces |= map(select(.type != "pid" and .type != "user"))
		| .linux.namespaces += [{"type": "pid", "path": ($p + "/pid")},
			{"type": "user", "path": ($p + "/user")}]'
	for i in {1..40}; do ok run -b "$B" "$ID-2"; done
	caught_none
}

@test "a container that joins a pid namespace: not traced without its seccomp filter" {
	stalker
	init_pid
	config --arg p "/proc/$PID/ns" '.process.args = ["true"]
		| .linux.namespaces |= map(select(.type != "pid"))
		| .linux.namespaces += [{"type": "pid", "path": ($p + "/pid")}]'" | $SECCOMP"
	for i in {1..40}; do ok run -b "$B" "$ID-2"; done
	filtered
}

# hunter [CONFIG]: a stalker that looks for what each process has; out in $T/caught
hunter() {
	SECRET=word-of-the-host-$BATS_TEST_NUMBER
	config --arg w "$SECRET" --arg f "$T/owned" '.process.args = ["stalk", "60", $w, $f]'"${1:+ | $1}"
	"${BR[@]}" run -d -b "$B" "$ID" </dev/null >"$T/caught" 2>&1 3>&- || fail "$(cat "$T/caught")"
	CAPS=$(grep CapEff "/proc/$("${BR[@]}" state "$ID" | jq .pid)/status")
	export SECRET
}
# joiners COUNT CMD...: so often, and until one of them was traced: a busy machine may not let the
# hostile process run in the right instant.
joiners() {
	local i
	for ((i = 0; i < $1 || (i < 1000 && $(stat -c %s "$T/caught") == 0); i++)); do "${@:2}"; done
}
got_nothing() {
	[ -s "$T/caught" ] || fail "nothing was traced: the test shows nothing"
	[ ! -e "$T/owned" ] || fail "a file of the host was written"
	local bad
	bad=$(grep -E 'other-root|written|word$' "$T/caught" | head -n 3)
	[ -z "$bad" ] || fail "the host was within reach: $bad"
	# its end of the pair by which it says that execve failed, and no other
	bad=$(sed -E 's/ fd[0-9]+=socket:\[[0-9]+\]//' "$T/caught" | grep -E ' fd[0-9]+=' | head -n 3)
	[ -z "$bad" ] || fail "descriptors beyond its own: $bad"
	bad=$(grep -v "caps=${CAPS##*[[:space:]]}" "$T/caught" | head -n 3)
	[ -z "$bad" ] || fail "capabilities beyond ${CAPS##*[[:space:]]}: $bad"
	bad=$(grep -vE 'exe=(/bin/|/memfd:brig-stub)' "$T/caught" | head -n 3)
	[ -z "$bad" ] || fail "brig itself was traced: $bad"
}

@test "exec into a container with CAP_SYS_PTRACE: its processes get nothing of the host" {
	caps CAP_SYS_PTRACE
	hunter
	joiners 60 ok exec "$ID" true
	got_nothing
}

@test "exec into a container with CAP_SYS_PTRACE: neither of who is given all capabilities" {
	caps CAP_SYS_PTRACE CAP_DAC_OVERRIDE CAP_SYS_ADMIN CAP_SETPCAP
	hunter
	joiners 40 ok exec "$ID" true
	got_nothing
}

@test "exec --cap CAP_SYS_PTRACE: who was given it gets nothing of the host from the next exec" {
	config '.process.args = ["sleep", "60"]'
	ok run -d -b "$B" "$ID"
	export SECRET=word-of-the-host
	"${BR[@]}" exec --cap CAP_SYS_PTRACE "$ID" stalk 10 "$SECRET" "$T/owned" </dev/null \
		>"$T/caught" 2>&1 3>&- &
	PIDS+=($!)
	sleep 0.3
	joiners 40 ok exec --cap CAP_SYS_PTRACE "$ID" true
	CAPS=$(sed -n 's/.*caps=\([0-9a-f]*\).*/\1/p' "$T/caught" | sort | head -n 1)
	got_nothing
}

exec_by_terminal() {
	timeout -k 1 30 script -qec "${BR[*]} exec -t $ID true" /dev/null </dev/null >"$T/o" 2>&1 3>&- ||
		fail "status $?: $(cat "$T/o")" "$(ps -e -o pid,ppid,pgid,stat,etimes,wchan:22,args --forest | grep -w -e "$ID" -e stalk)"
}

@test "exec with a terminal into a container with CAP_SYS_PTRACE: no more is got" {
	caps CAP_SYS_PTRACE
	hunter
	joiners 20 exec_by_terminal
	got_nothing
}

@test "exec into a container with CAP_SYS_PTRACE: its filter is on from the birth on" {
	caps CAP_SYS_PTRACE
	hunter "$SECCOMP"
	joiners 40 ok exec "$ID" true
	got_nothing
	filtered
}

@test "exec into a container with CAP_SYS_PTRACE whose filter forbids to fork: no more is got" {
	caps CAP_SYS_PTRACE
	hunter '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{"names": ["clone", "execveat"], "action": "SCMP_ACT_ERRNO"}]}'
	joiners 20 ok exec "$ID" true
	got_nothing
}

@test "exec into a joined pid namespace whose others may have CAP_SYS_PTRACE: no more is got" {
	caps CAP_SYS_PTRACE
	hunter
	init_pid
	config --arg p "/proc/$PID/ns" '.process.args = ["sleep", "60"]
		| .linux.namespaces |= map(select(.type != "pid"))
		| .linux.namespaces += [{"type": "pid", "path": ($p + "/pid")}]'
	ok run -d -b "$B" "$ID-2"
	sleep 0.3
	# what the first process of that one shows while it is set up is another matter
	rm -f "$T/owned"
	: >"$T/caught"
	joiners 20 ok exec "$ID-2" true
	got_nothing
}

@test "exec into a container with CAP_SYS_PTRACE: who takes its sync pair and kills it does not hold up brig" {
	caps CAP_SYS_PTRACE
	config '.process.args = ["stalk", "60", "hold"]'
	"${BR[@]}" run -d -b "$B" "$ID" </dev/null >"$T/caught" 2>&1 3>&- || fail "$(cat "$T/caught")"
	for i in {1..12}; do
		for detach in "" -d; do
			b exec $detach "$ID" true
			[ "$status" != 124 ] || fail "exec $detach, the ${i}th, hangs"
		done
	done
	grep -q 'exe=/memfd:brig-stub' "$T/caught" || fail "nobody was caught in time: $(cat "$T/caught")"
}
