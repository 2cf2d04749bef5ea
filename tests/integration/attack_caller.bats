#!/usr/bin/env bats
load helpers
# What comes from brig's caller must not reach the workload, nor the container hold up the caller

NO_EXECVEAT='.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
	"syscalls": [{"names": ["execveat"], "action": "SCMP_ACT_ERRNO"}]} | .process.noNewPrivileges = false'

@test "run by way of the sealed copy: the workload has no signals blocked" {
	says 'grep -E "^SigBlk" /proc/self/status' "$NO_EXECVEAT"
	out_has 'SigBlk:.0000000000000000'
}

@test "exec by way of the sealed copy: no signals blocked" {
	sleeps "$NO_EXECVEAT"
	ok exec "$ID" grep SigBlk /proc/self/status
	out_has 'SigBlk:.0000000000000000'
}

@test "a filter without fcntl does not stop the start" {
	says 'echo here' '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names":
		["fcntl"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]}]}'
	out_is here
	says 'echo here' '.process.noNewPrivileges = false'
	out_is here
}

@test "what the caller had blocked or ignored is neither for the workload" {
	config '.process.args = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]'
	env --block-signal=TERM,USR1 --ignore-signal=HUP "${BR[@]}" run -b "$B" "$ID" \
		>"$T/out" </dev/null 3>&-
	is "$(tr -d '[:blank:]' <"$T/out" | paste -sd' ')" "SigBlk:0000000000000000 SigIgn:0000000000000000"
}

@test "the umask of the caller does not reach the workload" {
	prog 'umask'
	for m in 0 077; do
		(umask $m && "${BR[@]}" run -b "$B" "$ID" >"$T/out.$m" </dev/null 3>&-)
		is "$(<"$T/out.$m")" 0022
	done
	sleeps
	is "$(umask 0 && "${BR[@]}" exec "$ID" sh -c umask </dev/null 3>&-)" 0022
}

@test "exec -t returns although the container writes to the terminal for ever" {
	prog 'while :; do [ ! -c /dev/pts/0 ] || for i in 1 2 3 4; do (yes >/dev/pts/0)& done; wait; done'
	"${BR[@]}" run -d -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&-
	for i in 1 2 3; do
		LIMIT=8 ok exec -t "$ID" true
		sleep 0.2
	done
}

@test "LISTEN_FDS of another process passes nothing" {
	echo secret >"$T/file"
	prog 'ls /proc/self/fd; echo "${LISTEN_FDS-none}"'
	exec 4<"$T/file" 5<"$T/file"
	LISTEN_FDS=3 LISTEN_PID=1 b run -b "$B" "$ID"
	is "$status" 0
	out_has 'none'
	out_lacks $'\n4\n'
}

@test "LISTEN_FDS: the workload gets what the caller passed, and nothing of brig" {
	echo passed >"$T/file"
	prog 'cat <&3; ls /proc/self/fd | wc -l'
	LISTEN_FDS=1 "${BR[@]}" run -b "$B" "$ID" </dev/null 3<"$T/file" >"$T/out" 2>"$T/err" || fail "$(<"$T/err")"
	is "$(<"$T/out")" $'passed\n5'
}

@test "a container whose id begins with a dot is listed" {
	config '.process.args = ["sleep", "100"]'
	ok run -d -b "$B" ".$ID"
	ok list -q
	found=$out
	ok delete --force ".$ID"
	is "$found" ".$ID"
}

@test "a session keyring that another container has made for it is not joined" {
	prog 'inside squat "_ses.'"$ID"'-2" & sleep 100'
	"${BR[@]}" run -d -b "$B" "$ID" </dev/null >"$T/squat" 2>&1 3>&-
	appears "$T/squat"
	config '.process.args = ["inside", "keyring"]'
	ok run -b "$B" "$ID-2"
	[[ $out =~ ^[0-9]+$ ]]
	[ "$out" != "$(<"$T/squat")" ] || fail "joined $out"
}
