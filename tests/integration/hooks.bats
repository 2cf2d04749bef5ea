#!/usr/bin/env bats
load helpers

more_setup() {
	# Each call notes its name and the state it got.
	cat >"$T/hook" <<-END
		#!/bin/sh
		cat >"$T/state.\$1"
		echo "\$1" >>"$T/order"
	END
	chmod 755 "$T/hook"
	# what runs inside needs a place that exists there
	mkdir -p "$B/rootfs/hooks"
	cat >"$B/rootfs/hooks/inside" <<-'END'
		#!/bin/sh
		cat >/tmp/state.$1
		echo "$1" >>/tmp/order
	END
	chmod 755 "$B/rootfs/hooks/inside"
}
# hook KIND [WORD]: adds a hook that notes WORD
hook() {
	config --arg p "$T/hook" --arg k "$1" --arg w "${2:-$1}" \
		'.hooks[$k] += [{"path": $p, "args": ["hook", $w]}]'
}
# bad_hook KIND: one that fails; quietly so
bad_hook() {
	config --arg k "$1" '.hooks[$k] += [{"path": "/bin/false", "args": ["false"]}]'
}
# order FILE WORDS: what was noted
order() { is "$(tr '\n' ' ' <"$1")" "$2 "; }

@test "all six kinds run in the order of the runtime-spec" {
	known_peer_failure runc # poststart at create
	# startContainer runs inside the root; the others may write to the host's file
	for k in poststop poststart createContainer createRuntime prestart; do hook $k; done
	config '.hooks.startContainer = [{"path": "/hooks/inside", "args": ["inside", "startContainer"]}]'
	prog 'cat /tmp/order; echo program'
	creates
	order "$T/order" 'prestart createRuntime createContainer'
	[ ! -e "$B/rootfs/tmp/order" ]
	ok start "$ID"
	becomes stopped
	order "$T/order" 'prestart createRuntime createContainer poststart'
	order "$B/rootfs/tmp/order" startContainer
	ok delete "$ID"
	order "$T/order" 'prestart createRuntime createContainer poststart poststop'
}

@test "hooks of one kind run in the listed order" {
	for i in 1 2 3; do hook createRuntime c$i; done
	for i in 1 2 3; do hook poststop d$i; done
	runs
	order "$T/order" 'c1 c2 c3 d1 d2 d3'
}

@test "run calls every kind too" {
	for k in prestart createRuntime createContainer poststart poststop; do hook $k; done
	runs
	order "$T/order" 'prestart createRuntime createContainer poststart poststop'
}

@test "the state comes on stdin: id, bundle, pid, annotations, status" {
	known_peer_failure runc # poststart at create
	for k in createRuntime poststart poststop; do hook $k; done
	config '.annotations = {"a": "b"}'
	prog 'sleep 0.2'
	creates
	init_pid
	jq -e --arg id "$ID" --arg b "$B" --argjson pid "$PID" '.id == $id and .bundle == $b
		and .pid == $pid and .annotations.a == "b" and .ociVersion
		and (.status == "creating" or .status == "created")' "$T/state.createRuntime"
	ok start "$ID"
	jq -e '.status == "running"' "$T/state.poststart"
	becomes stopped
	ok delete "$ID"
	jq -e --arg id "$ID" '.status == "stopped" and .id == $id' "$T/state.poststop"
}

@test "a startContainer hook gets the pid as the container sees it" {
	known_peer_failure runc crun
	config '.hooks.startContainer = [{"path": "/hooks/inside", "args": ["inside", "sc"]}]'
	runs
	jq -e '.pid == 1 and .status == "created"' "$B/rootfs/tmp/state.sc"
}

@test "args: argv[0] is the first of args, and without args the path" {
	printf '#!/bin/sh\ntr "\\0" "|" </proc/$$/cmdline >%s/argv\n' "$T" >"$T/argv.sh"
	chmod 755 "$T/argv.sh"
	config --arg p "$T/argv.sh" '.hooks.createRuntime = [{"path": $p, "args": ["zero", "one", "two"]}]'
	runs
	is "$(<"$T/argv")" "/bin/sh|$T/argv.sh|one|two|"
}

@test "env: exactly what the hook lists" {
	printf '#!/bin/sh\nenv >%s/env\n' "$T" >"$T/env.sh"
	chmod 755 "$T/env.sh"
	config --arg p "$T/env.sh" '.hooks.createRuntime = [{"path": $p, "env": ["A=1", "B=2"]}]'
	SECRET_OF_CALLER=1 ok run -b "$B" "$ID"
	is "$(grep -vE '^(PWD|SHLVL|_|OLDPWD)=' "$T/env" | sort | tr '\n' ' ')" 'A=1 B=2 '
}

@test "env: the container's environment does not reach a hook" {
	printf '#!/bin/sh\nenv >%s/env\n' "$T" >"$T/env.sh"
	chmod 755 "$T/env.sh"
	config --arg p "$T/env.sh" '.hooks.createRuntime = [{"path": $p}]
		| .process.env += ["LD_PRELOAD=/evil.so"]'
	b run -b "$B" "$ID"
	[ -e "$T/env" ]
	! grep -q LD_PRELOAD "$T/env"
}

@test "runtime hooks run in the host's namespaces, createContainer in the container's" {
	for k in createRuntime createContainer; do
		printf '#!/bin/sh\nreadlink /proc/self/ns/mnt /proc/self/ns/uts >%s/ns.%s\n' "$T" $k >"$T/ns.$k.sh"
		chmod 755 "$T/ns.$k.sh"
		config --arg p "$T/ns.$k.sh" --arg k $k '.hooks[$k] = [{"path": $p}]'
	done
	creates
	init_pid
	is "$(<"$T/ns.createRuntime")" "$(readlink /proc/self/ns/mnt /proc/self/ns/uts)"
	is "$(<"$T/ns.createContainer")" "$(readlink "/proc/$PID/ns/mnt" "/proc/$PID/ns/uts")"
}

@test "createContainer runs before pivot_root: the host's files are there" {
	printf '#!/bin/sh\ntest -e %s/hook && echo seen >%s/seen\n' "$T" "$T" >"$T/seen.sh"
	chmod 755 "$T/seen.sh"
	config --arg p "$T/seen.sh" '.hooks.createContainer = [{"path": $p}]'
	runs
	is "$(<"$T/seen")" seen
}

@test "a startContainer hook sees the container's root" {
	config '.hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c",
		"ls -d /hooks >/tmp/seen; hostname >>/tmp/seen"]}]'
	runs
	is "$(<"$B/rootfs/tmp/seen")" $'/hooks\nbrigtest'
}

@test "a createRuntime hook can prepare the container's network namespace" {
	cat >"$T/net.sh" <<-'END'
		#!/bin/sh
		pid=$(sed 's/.*"pid": *\([0-9]*\).*/\1/' | head -n 1)
		nsenter -t "$pid" -n ip link set lo mtu 4444
	END
	chmod 755 "$T/net.sh"
	command -v ip >/dev/null || skip "no ip"
	config --arg p "$T/net.sh" '.hooks.createRuntime = [{"path": $p,
		"env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]'
	says 'ip link show lo'
	out_has 'mtu 4444'
}

@test "the output of a hook does not appear on stdout of the program's caller as an error" {
	config '.hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", "cat >/dev/null; echo noise >&2"]}]'
	prog 'echo mine'
	runs
	[[ $out == *mine* ]]
}

@test "a hook that does not read its stdin is no error" {
	config '.hooks.createRuntime = [{"path": "/bin/true"}]
		| .annotations = ([range(5000) | {"key": "a\(.)", "value": "xxxxxxxxxxxxxxxxxxxxxxxx"}] | from_entries)'
	runs
}

for_each_failing_kind() {
	prog 'echo ran >/tmp/ran'
	bad_hook "$1"
	hook poststop
	no run -b "$B" "$ID"
	err_has "$1 hook #[01]|[Hh]ook"
}

@test "a prestart hook that fails: error, no container, poststop hooks run" {
	for_each_failing_kind prestart
	[ ! -e "$B/rootfs/tmp/ran" ]
	nothing_left
}

@test "a createRuntime hook that fails: error, no container" {
	for_each_failing_kind createRuntime
	[ ! -e "$B/rootfs/tmp/ran" ]
	nothing_left
}

@test "a createContainer hook that fails: error, no container" {
	for_each_failing_kind createContainer
	[ ! -e "$B/rootfs/tmp/ran" ]
	nothing_left
}

@test "a startContainer hook that fails: error, no program" {
	for_each_failing_kind startContainer
	[ ! -e "$B/rootfs/tmp/ran" ]
	nothing_left
}

@test "a poststart hook that fails: error, the container is stopped" {
	config '.process.args = ["sleep", "100"]'
	bad_hook poststart
	no run -b "$B" "$ID"
	err_has 'poststart|hook'
	nothing_left
}

@test "a failing createRuntime hook under create leaves nothing, the poststop hooks run" {
	known_peer_failure runc crun
	bad_hook createRuntime
	hook poststop
	refused 'createRuntime' create -b "$B" "$ID"
	order "$T/order" poststop
}

@test "start with a failing startContainer hook: the container is gone or stopped" {
	bad_hook startContainer
	creates
	b start "$ID"
	known_peer_failure runc crun
	[ "$status" != 0 ]
	err_has 'startContainer'
	b state "$ID"
	[ "$status" != 0 ] || out_has stopped
}

@test "a poststop hook that fails is a warning, the rest run" {
	known_peer_failure runc
	bad_hook poststop
	hook poststop after
	creates
	b delete "$ID"
	is "$status" 0
	order "$T/order" after
	nothing_left
}

@test "error texts name the kind and the number of the hook" {
	hook createRuntime
	bad_hook createRuntime
	no run -b "$B" "$ID"
	[ "$PEER" != brig ] || err_has 'createRuntime hook #1'
}

@test "a hook that does not exist fails and is named" {
	config '.hooks.createRuntime = [{"path": "/no/such/hook"}]'
	refused '/no/such/hook' run -b "$B" "$ID"
}

@test "a hook that is not executable fails and is named" {
	: >"$T/plain"
	config --arg p "$T/plain" '.hooks.createRuntime = [{"path": $p}]'
	refused 'plain' run -b "$B" "$ID"
}

@test "a hook with a relative path is refused" {
	known_peer_failure crun
	config '.hooks.createRuntime = [{"path": "bin/true"}]'
	refused 'bin/true|hook' run -b "$B" "$ID"
}

@test "a hook killed by a signal is an error" {
	config '.hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", "kill -9 $$"]}]'
	refused 'hook' run -b "$B" "$ID"
}

@test "a hook that hangs is ended by its timeout, also when its child keeps the pipes open" {
	known_peer_failure runc # waits for the child
	config '.hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", "sleep 60"], "timeout": 1}]'
	s=$SECONDS
	refused 'time' run -b "$B" "$ID"
	[ $((SECONDS - s)) -lt 8 ]
	for m in "${MARKED[@]}"; do fail "$m"; done
}

@test "a timeout of zero or less is refused" {
	known_peer_failure runc crun
	for t in 0 -1; do
		config ".hooks.createRuntime = [{\"path\": \"/bin/true\", \"timeout\": $t}]"
		refused 'timeout' run -b "$B" "$ID"
	done
}

@test "a hook gets no descriptor of the runtime" {
	printf '#!/bin/sh\nls -l /proc/self/fd >%s/fds\n' "$T" >"$T/fds.sh"
	chmod 755 "$T/fds.sh"
	config --arg p "$T/fds.sh" '.hooks.createRuntime = [{"path": $p}]'
	runs
	# ls itself has 3 open on the directory
	is "$(grep -cE ' ([4-9]|[0-9][0-9]) -> ' "$T/fds" || :)" 0
}

@test "a poststop hook runs when the container is deleted by force" {
	hook poststop
	sleeps
	ok delete --force "$ID"
	order "$T/order" poststop
}

@test "a poststop hook runs after the container is gone: its cgroup does not exist" {
	known_peer_failure crun
	printf '#!/bin/sh\nls -d /sys/fs/cgroup/*/%s >%s/cg 2>/dev/null\n' "$ID" "$T" >"$T/cg.sh"
	chmod 755 "$T/cg.sh"
	config --arg p "$T/cg.sh" --arg id "$ID" \
		'.hooks.poststop = [{"path": $p}] | .linux.cgroupsPath = "/" + $id'
	runs
	[ ! -s "$T/cg" ] || fail "$(<"$T/cg")"
}
