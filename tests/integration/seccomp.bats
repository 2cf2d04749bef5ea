#!/usr/bin/env bats
load helpers

# seccomp DEFAULT RULES: rules are JSON objects
seccomp() {
	config --argjson r "[$2]" '.linux.seccomp = {"defaultAction": "'"$1"'", "syscalls": $r}'
}
# asks CALL: what the call answers inside
asks() {
	config --arg c "$1" '.process.args = ["inside", "call", $c]'
	runs
}
MKDIR='"names": ["mkdir", "mkdirat"]'

@test "an errno rule answers EPERM by default" {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_ERRNO\"}"
	asks mkdir
	out_is EPERM
}

@test "errnoRet chooses the errno" {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 100}"
	asks mkdir
	out_is ENETDOWN
}

@test "defaultErrnoRet chooses the errno of the default action" {
	known_peer_failure runc # its last steps need more calls than the program
	seccomp SCMP_ACT_ERRNO '{"names": ["execve", "brk", "arch_prctl", "set_tid_address", "set_robust_list",
		"rseq", "prlimit64", "readlink", "readlinkat", "getrandom", "mprotect", "newfstatat", "fstat", "ioctl", "write",
		"exit_group", "exit", "munmap", "mmap", "uname", "access", "openat", "read", "close", "futex"],
		"action": "SCMP_ACT_ALLOW"}'
	config '.linux.seccomp.defaultErrnoRet = 38'
	asks mkdir
	out_is ENOSYS
}

@test "a kill rule kills the program with SIGSYS" {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_KILL_PROCESS\"}"
	config '.process.args = ["inside", "call", "mkdir"]'
	b run -b "$B" "$ID"
	is "$status" 159
}

@test "SCMP_ACT_KILL, KILL_THREAD and TRAP end it too" {
	for a in SCMP_ACT_KILL SCMP_ACT_KILL_THREAD SCMP_ACT_TRAP; do
		seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"$a\"}"
		config '.process.args = ["inside", "call", "mkdir"]'
		b run -b "$B" "$ID"
		is "$status" 159
	done
}

@test "SCMP_ACT_LOG lets the call pass" {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_LOG\"}"
	asks mkdir
	out_is 0
}

@test "TRACE without a tracer answers ENOSYS" {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_TRACE\", \"errnoRet\": 3}"
	asks mkdir
	out_is ENOSYS
}

@test "an argument rule: equal and not equal" {
	seccomp SCMP_ACT_ALLOW '{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97,
		"args": [{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}]}'
	asks socket-netlink
	out_is EAFNOSUPPORT
	asks socket-inet
	out_is 0
	seccomp SCMP_ACT_ALLOW '{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97,
		"args": [{"index": 0, "value": 16, "op": "SCMP_CMP_NE"}]}'
	asks socket-netlink
	out_is 0
	asks socket-inet
	out_is EAFNOSUPPORT
}

@test "argument operators: LT, LE, GT, GE, MASKED_EQ" {
	# AF_INET is 2, AF_NETLINK is 16
	for row in LT:3:0:EPERM:0 LE:2:0:EPERM:0 GT:2:0:0:EPERM GE:16:0:0:EPERM MASKED_EQ:16:16:0:EPERM; do
		IFS=: read -r op v two inet netlink <<<"$row"
		seccomp SCMP_ACT_ALLOW "{\"names\": [\"socket\"], \"action\": \"SCMP_ACT_ERRNO\",
			\"args\": [{\"index\": 0, \"value\": $v, \"valueTwo\": $two, \"op\": \"SCMP_CMP_$op\"}]}"
		asks socket-inet
		is "$op $out" "$op $inet"
		asks socket-netlink
		is "$op $out" "$op $netlink"
	done
}

@test "flags are taken: LOG, SPEC_ALLOW, TSYNC" {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_ERRNO\"}"
	for f in '"SECCOMP_FILTER_FLAG_LOG"' '"SECCOMP_FILTER_FLAG_SPEC_ALLOW"' \
		'"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"' '"SECCOMP_FILTER_FLAG_TSYNC"'; do
		known_peer_failure runc
		config ".linux.seccomp.flags = [$f]"
		asks mkdir
		out_is EPERM
	done
}

@test "architectures: several are taken, native always works" {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_ERRNO\"}"
	config '.linux.seccomp.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"]'
	asks mkdir
	out_is EPERM
}

@test "names of system calls that this kernel does not know are passed over" {
	seccomp SCMP_ACT_ALLOW "{\"names\": [\"no_such_call\", \"mkdir\", \"mkdirat\"], \"action\": \"SCMP_ACT_ERRNO\"}"
	asks mkdir
	out_is EPERM
}

@test "unknown action, operator, architecture and flag are refused and named" {
	seccomp SCMP_ACT_NOSUCH ''
	refused SCMP_ACT_NOSUCH run -b "$B" "$ID"
	seccomp SCMP_ACT_ALLOW '{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO",
		"args": [{"index": 0, "value": 1, "op": "SCMP_CMP_NOSUCH"}]}'
	refused SCMP_CMP_NOSUCH run -b "$B" "$ID"
	seccomp SCMP_ACT_ALLOW ''
	config '.linux.seccomp.architectures = ["SCMP_ARCH_NOSUCH"]'
	refused SCMP_ARCH_NOSUCH run -b "$B" "$ID"
	config '.linux.seccomp.architectures = [] | .linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_NOSUCH"]'
	refused SECCOMP_FILTER_FLAG_NOSUCH run -b "$B" "$ID"
}

@test "an argument index above 5 is refused" {
	seccomp SCMP_ACT_ALLOW '{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO",
		"args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}'
	refused 'index|6|seccomp' run -b "$B" "$ID"
}

@test "names must not be empty" {
	known_peer_failure runc crun
	seccomp SCMP_ACT_ALLOW '{"names": [], "action": "SCMP_ACT_ERRNO"}'
	refused 'names' run -b "$B" "$ID"
}

@test "the filter is in force for exec" {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_ERRNO\"}"
	sleeps
	ok exec "$ID" inside call mkdir
	out_is EPERM
	ok exec "$ID" grep Seccomp: /proc/self/status
	out_has 'Seccomp:.2'
}

@test "the filter works without noNewPrivileges" {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_ERRNO\"}"
	config '.process.noNewPrivileges = false'
	asks mkdir
	out_is EPERM
}

@test "the filter does not hit the runtime's own last steps" {
	# what a runtime needs before exec, but the program does not
	seccomp SCMP_ACT_ALLOW '{"names": ["mount", "umount2", "pivot_root", "setns", "unshare", "mknod",
		"mknodat", "chroot", "sethostname", "fsopen", "fsmount", "move_mount", "mount_setattr", "open_tree"],
		"action": "SCMP_ACT_KILL_PROCESS"}'
	runs
}

@test "a profile as large as an engine's works" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [range(400) |
		{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": (. + 100), "op": "SCMP_CMP_EQ"}]}]}'
	asks socket-inet
	out_is 0
}

@test "a startContainer hook runs under the filter" {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_KILL_PROCESS\"}"
	config '.hooks.startContainer = [{"path": "/bin/mkdir", "args": ["mkdir", "/tmp/x"]}]'
	known_peer_failure crun
	no run -b "$B" "$ID"
	err_has 'startContainer hook|running hook'
}

notifying() {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_NOTIFY\"}"
	config --arg s "$T/seccomp.sock" '.linux.seccomp.listenerPath = $s'
	config '.process.args = ["inside", "call", "mkdir"]'
}

@test "NOTIFY: the agent gets the state and the descriptor and answers the call" {
	receiver seccomp
	notifying
	config '.linux.seccomp.listenerMetadata = "opaque data" | .annotations = {"k": "v"}'
	runs
	out_is 0
	[ ! -d "$B/rootfs/tmp/inside" ] # the agent said 0 and nothing was made
	jq -e --arg id "$ID" --arg b "$B" '.fds == ["seccompFd"] and .metadata == "opaque data" and .pid > 0
		and .ociVersion and .state.id == $id and .state.bundle == $b and .state.pid == .pid
		and .state.annotations.k == "v" and (.state.status | test("creating|created|running"))' "$T/seccomp.out"
}

@test "NOTIFY: the connection is closed after the state" {
	known_peer_failure runc
	receiver seccomp
	notifying
	runs
	[[ $(<"$T/tool.err") != *'stays open'* ]]
}

@test "NOTIFY: exec connects to the agent again" {
	receiver seccomp
	notifying
	config '.process.args = ["sleep", "100"]'
	ok run -d -b "$B" "$ID"
	kill -9 "$RECEIVER"
	rm -f "$T/seccomp.sock"
	receiver seccomp
	ok exec "$ID" inside call mkdir
	out_is 0
	jq -e '.state.status == "running"' "$T/seccomp.out"
}

@test "NOTIFY: no agent at the path is an error" {
	notifying
	refused 'seccomp' run -b "$B" "$ID"
}

@test "NOTIFY without a listenerPath is an error" {
	notifying
	config 'del(.linux.seccomp.listenerPath)'
	refused 'listenerPath|SCMP_ACT_NOTIFY|seccomp' run -b "$B" "$ID"
}

@test "NOTIFY of write and as the default action are refused" {
	receiver seccomp
	notifying
	config '.linux.seccomp.syscalls[0].names = ["write"]'
	refused 'SCMP_ACT_NOTIFY cannot be used for the write syscall|write' run -b "$B" "$ID"
	config '.linux.seccomp.defaultAction = "SCMP_ACT_NOTIFY" | .linux.seccomp.syscalls = []'
	refused 'SCMP_ACT_NOTIFY' run -b "$B" "$ID"
}

@test "listenerPath without a NOTIFY rule is ignored" {
	seccomp SCMP_ACT_ALLOW "{$MKDIR, \"action\": \"SCMP_ACT_ERRNO\"}"
	config '.linux.seccomp.listenerPath = "/no/such/socket"'
	asks mkdir
	out_is EPERM
}

@test "listenerMetadata without a listenerPath is refused" {
	notifying
	config 'del(.linux.seccomp.listenerPath) | .linux.seccomp.listenerMetadata = "x"'
	refused 'listener|NOTIFY|seccomp' run -b "$B" "$ID"
}
