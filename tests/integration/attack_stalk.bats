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
