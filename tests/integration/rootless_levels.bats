#!/usr/bin/env bats
load helpers
load ../lib/rootless
# The levels without the host's root: uid 1000 with and without a subordinate range, and root in a
# user namespace that somebody else made.  docs/levels.md, Hosts.

explained() { # FIELD: outcome, value and reason of the decision
	jq -r --arg f "$1" '.decisions[] | select(.field == $f) | [.outcome, .value, .reason] | join("|")' \
		"$R/$ID/policy.json"
}

@test "rootless levels: direct mode with a single id, at standard and at high" {
	for level in standard high; do
		u_ok run --level $level --rootfs "$B/rootfs" -- sh -c 'id -u; cat /proc/self/uid_map
			touch /x 2>/dev/null || echo ro; touch /workspace/x && stat -c %u /workspace/x
			grep -c . /proc/net/tcp; grep NoNewPrivs /proc/self/status'
		out_has $'^1000\n +1000 +1000 +1\nro\n1000\n'
		out_has $'NoNewPrivs:\t1'
	done
	out_has $'1\nNoNewPrivs'
}

@test "rootless levels: direct mode with a subordinate range" {
	with_range
	u_ok run --level standard --rootfs "$B/rootfs" -- sh -c 'id -u; cat /proc/self/uid_map'
	out_has $'^1000\n +0 +1000 +1\n +1 +200000 +65535$'
	u_ok run --level high --rootfs "$B/rootfs" -- sh -c 'id -u; cat /proc/self/uid_map'
	out_has $'^1000\n +0 +1000 +1\n +1000 +265535 +1$'
	u_ok run --level standard --user 70000:70000 --rootfs "$B/rootfs" -- id -u
	out_is 70000
}

@test "rootless levels: a range without newuidmap, or under no_new_privs, is a single id" {
	with_range
	as /usr/bin/env PATH=/nowhere "$T/brig" --root "$R" run --level high --rootfs "$B/rootfs" -- /bin/cat /proc/self/uid_map
	out_has '^ +1000 +1000 +1$'
	as setpriv --no-new-privs "$T/brig" --root "$R" run --level high --rootfs "$B/rootfs" -- cat /proc/self/uid_map
	out_has '^ +1000 +1000 +1$'
}

@test "rootless levels: what became of the ids is a decision" {
	config '.process.args = ["sleep", "100"] | .process.user.additionalGids = [10]'
	u_ok --level high run -d -b "$B" "$ID"
	is "$(explained ids)" "recorded|a single id: 0 is user 1000|/etc/subuid has no range of user 1000"
	is "$(explained process.user.additionalGids)" "cut|(none)|a single id has no further groups"
	[[ $(explained memfd-noexec) == recorded* ]]
	u_ok delete --force "$ID"
	with_range
	u_ok --level high run -d -b "$B" "$ID"
	is "$(explained ids)" "recorded|0 is user 1000, others are of 200000-265535|the subordinate range of a plain user"
	u_ok exec "$ID" id -G
	out_is "0 10"
	u_ok delete --force "$ID"
}

@test "rootless levels: a bundle through all its verbs" {
	config '.process.args = ["sleep", "100"]'
	for level in standard high; do
		u_ok --level $level create -b "$B" "$ID"
		u_ok start "$ID"
		u_ok state "$ID"
		is "$(jq -r '.status, .brig.level' <<<"$out" | xargs)" "running $level"
		u_ok exec "$ID" sh -c 'id -u; grep -E "Seccomp:|CapPrm" /proc/self/status'
		out_has $'^0\n.*Seccomp:\t2'
		u_ok pause "$ID"
		u_ok resume "$ID"
		u_ok update --pids-limit 9 "$ID"
		u_ok kill "$ID" KILL
		wait_for 5 eval 'u_ok state "$ID"; [[ $out == *stopped* ]]'
		u_ok delete "$ID"
	done
}

@test "rootless levels: nothing is written, listened to or made inside" {
	u_ok run --level high --rootfs "$B/rootfs" -- sh -c 'unshare -U true 2>&1; mount -t tmpfs x /tmp 2>&1
		ip link add d type dummy 2>&1; ping -c 1 -W 1 127.0.0.1 >/dev/null 2>&1 || echo no ping; ls /proc/1/root/ >/dev/null && echo own
		nc -w 1 192.0.2.1 80 </dev/null 2>&1; cat /proc/kcore 2>&1 | head -c 1 | wc -c; echo done'
	out_has 'done'
	out_has 'unshare: .*(not permitted|No space)'
	out_has 'mount: .*(ermission denied|not permitted)'
	[[ $out =~ nc:\ .*(refused|unreachable|not\ permitted) ]]
}

@test "rootless levels: time is over for a foreground and a detached sandbox" {
	u run --level high --timeout 400ms --rootfs "$B/rootfs" -- sleep 100
	is "$status" 124
	u_ok run -d --id "$ID" --level high --timeout 400ms --rootfs "$B/rootfs" -- sleep 100
	wait_for 5 test -e "$R/$ID/ended"
	is "$(jq -r .reason "$R/$ID/ended")" timeout
	u_ok delete "$ID"
}

@test "rootless levels: a call no program makes ends the sandbox" {
	u run --level high --rootfs "$B/rootfs" -- sh -c 'swapoff /x; echo survived'
	[ "$status" != 0 ]
	out_lacks survived
	err_has swapoff
}

@test "rootless levels: memory, pids and CPUs are in force" {
	u run --level high --memory 20M --rootfs "$B/rootfs" -- sh -c 'x=$(head -c 60000000 /dev/zero | tr "\0" x); echo survived'
	out_lacks survived
	u run --level high --pids 8 --cpus 0.5 --rootfs "$B/rootfs" -- sh -c \
		'nproc; for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done 2>&1'
	out_has '^1'
	[[ "$out $err" == *"can't fork"* ]]
	[ -d "$T/xdg/brig-cpus" ]
}

@test "rootless levels: the host's own programs as root" {
	for level in standard high; do
		u_ok run --level $level --rootfs / -- sh -c 'id -u; touch /etc/x 2>/dev/null || echo ro'
		out_is $'1000\nro'
	done
}

@test "rootless levels: mount points and a working directory that the image lacks" {
	config '.process.cwd = "/not/there" | .process.args = ["pwd"]
		| .mounts += [{"destination": "/nor/this", "type": "bind", "source": "/etc/hostname", "options": ["bind", "ro"]}]'
	for level in standard high; do
		u_ok --level $level run -b "$B" "$ID"
		out_is /not/there
	done
	[ ! -e "$B/rootfs/not" ]
}

@test "rootless levels: a mapping of config.json is taken" {
	config '.linux.uidMappings = [{"containerID": 5, "hostID": 1000, "size": 1}]
		| .linux.gidMappings = [{"containerID": 6, "hostID": 1000, "size": 1}] | .linux.namespaces += [{"type": "user"}]
		| .process.user = {"uid": 5, "gid": 6} | .process.args = ["sh", "-c", "id -u; id -g"]'
	for level in standard high; do
		u_ok --level $level run -b "$B" "$ID"
		out_is $'5\n6'
	done
}

@test "rootless levels: without a cgroup there is no start, and the remedy is named" {
	export NO_CGROUP=1
	for level in standard high; do
		u run --level $level --rootfs "$B/rootfs" -- true
		is "$status" 125
		err_has "level $level needs a cgroup: .*(start it|handed over)"
		u --level $level run -b "$B" "$ID"
		is "$status" 1
		err_has "level $level needs a cgroup: "
		u --cgroup-manager disabled run --level $level --rootfs "$B/rootfs" -- true
		is "$status" 125
		err_has 'cgroups are required, but --cgroup-manager is disabled'
	done
	nothing_left
	unset NO_CGROUP
}

# --- root in a user namespace that somebody else made --------------------------------------

# nested UNSHARE-OPTION... -- SCRIPT: as its root
nested() {
	local opts=()
	while [ "$1" != -- ]; do opts+=("$1") && shift; done
	as unshare "${opts[@]}" sh -ec 'brig() { "$T/brig" --root "$R" "$@" </dev/null; }; '"$2"
	[ "$status" = 0 ] || fail "status $status" "$out" "$err"
}
NESTED='for l in standard high; do brig run --level $l --rootfs "$B/rootfs" -- sh -c "id -u; cat /proc/self/uid_map"
	brig run --level $l --rootfs / -- id -u
	brig run -d --id $ID --level $l --timeout 20s --rootfs "$B/rootfs" -- sleep 100
	brig exec $ID id -u; brig delete --force $ID
	brig --level $l create -b "$B" "$ID"; brig start "$ID"; brig exec $ID id -u; brig delete --force $ID; done; echo end'

@test "nested levels: root of a namespace with a single id gives that" {
	config '.process.args = ["sleep", "100"]'
	for o in -Ur -Urm; do
		nested $o -- "$NESTED"
		out_has $'^1000\n +1000 +0 +1\n1000\n1000\n0\n1000\n +1000 +0 +1\n1000\n1000\n0\nend$'
	done
}

@test "nested levels: root of a namespace with a range gives all of it as it is" {
	with_range
	config '.process.args = ["sleep", "100"]'
	chmod 711 "$B"
	for o in -U -Um; do
		nested $o --map-root-user --map-auto -- "$NESTED"
		out_has $'^1000\n +0 +0 +1\n +1 +1 +[0-9]+\n1000\n1000\n0\n1000\n +0 +0 +1\n.*end$'
	done
}

@test "nested levels: a detached warden takes the sandbox with it" {
	with_range
	nested -Um --map-root-user --map-auto -- 'brig run -d --id $ID --level high --timeout 20s --rootfs "$B/rootfs" -- sleep 100
		kill -9 $(sed -n "s/.*\"wardenPid\": *\([0-9]*\).*/\1/p" "$R/$ID/state.json"); sleep 0.5
		brig state $ID; brig delete $ID'
	out_has '"status": *"stopped"'
}
