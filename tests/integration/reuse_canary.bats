#!/usr/bin/env bats
load helpers
load ../lib/reuse

# The same program finds the same world in each generation: what a static probe tells from inside.

more_setup() {
	rm -f "$B/rootfs/.complete" # its links are those of tests beside this one
	reuse_setup
	cp "$TOP/build/bin/probe" "$B/rootfs/bin/probe"
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
		| .process.env += ["CANARY=1"]
		| .linux.resources.memory = {"limit": 67108864}
		| .annotations = {"dev.brig.time.wall": "30s"}'
}

# Without numbers that the kernel gives out anew: of mounts, peers and devices; and without links of
# directories, which of /proc are the processes of the host.
own_fingerprint() {
	local look='for v in caps ids attrs signals rlimits sched uts env cwd fds; do
			echo "[$v]"; probe $v 2>&1
		done
		echo "[mounts]"; probe mounts | sed -E "s/[0-9]+ [0-9]+ [0-9]+:[0-9]+ /- /; s/(shared|master):[0-9]+/\1/"
		echo "[files]"; for d in / /tmp /var/tmp /run /dev /dev/shm /workspace; do
			ls -lan $d 2>&1 | sed -E "s/^(d[^ ]*) +[0-9]+ /\1 - /; s/[A-Z][a-z]{2} +[0-9]+ +[0-9:]+/-/"; done
		echo "[proc]"; ls /proc | grep -v "^[0-9]"; ps
		grep -E "^(Cap|Seccomp|NoNew|Groups|Umask|Sig|NSpid|Cpus_allowed_list|Mems_allowed_list)" /proc/self/status
		cat /proc/self/limits /proc/self/uid_map /proc/self/gid_map /proc/self/cgroup /proc/self/oom_score_adj 2>&1
		cat /proc/net/tcp /proc/net/udp /proc/net/unix 2>&1 | wc -l'
	rm -f "$T/said"
	jq -n --arg s "$look" '{"args": ["sh", "-c", $s]} + '"${1:-{\}}" >"$T/work.json"
	# Its output goes where it can be read until it has ended.
	"${BR[@]}" start --process "$T/work.json" "$ID" >"$T/said" 2>&1 </dev/null 3>&-
	wait_for 20 has_ended
	cat "$T/said"
}

@test "canary: a program finds the same in generation 1 and in each later one" {
	local n
	for LEVEL in standard high; do
		at "$LEVEL"
		ok create --reuse -b "$B" "$ID" </dev/null
		own_fingerprint >"$T/first"
		grep -q 'CANARY=1' "$T/first" && grep -q '^\[proc\]' "$T/first" || fail "$(cat "$T/first")"
		[ "$(wc -l <"$T/first")" -gt 80 ] || fail "$(cat "$T/first")"
		for n in 2 3 4 5; do
			ok reset "$ID"
			# One in between that leaves what it can.
			jq -n '{"args": ["sh", "-c", "for d in /tmp /run /dev/shm /workspace; do echo x >$d/left; done; ulimit -n 9
				hostname other; umask 0; trap \"\" INT; (sleep 100 &) ; kill -9 $$"]}' >"$T/work.json"
			"${BR[@]}" start --process "$T/work.json" "$ID" >"$T/noise" 2>&1 </dev/null 3>&-
			wait_for 20 has_ended
			ok reset "$ID"
			own_fingerprint >"$T/later"
			diff "$T/first" "$T/later" >"$T/diff" || fail "generation $((2 * n - 1)):" "$(cat "$T/diff")"
		done
		ok delete "$ID"
	done
}

@test "canary: what one generation is given late it sees, and the next does not" {
	at high
	ok create --reuse -b "$B" "$ID" </dev/null
	own_fingerprint >"$T/first"
	ok reset "$ID"
	own_fingerprint '{"env": ["MORE=1"], "cwd": "/tmp", "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}]}' >"$T/other"
	diff "$T/first" "$T/other" >"$T/diff" && fail "nothing was seen"
	for want in 'MORE=1' '/tmp' '50'; do grep -q "^> .*$want" "$T/diff" || fail "$want:" "$(cat "$T/diff")"; done
	ok reset "$ID"
	own_fingerprint >"$T/later"
	diff "$T/first" "$T/later" >"$T/diff" || fail "$(cat "$T/diff")"
	ok delete "$ID"
}
