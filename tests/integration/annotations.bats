#!/usr/bin/env bats
load helpers
# Annotations that crun's users know, at level custom

more_setup() { known_peer_failure runc; }

@test "run.oci.handler: a handler is refused and named, an empty one is none" {
	known_peer_failure crun
	config '.annotations = {"run.oci.handler": "wasm"}'
	refused 'run.oci.handler.*wasm' run -b "$B" "$ID"
	config '.annotations = {"run.oci.handler": ""}'
	runs
}

@test "run.oci.keep_original_groups: the caller's groups, for run and exec" {
	local keep='.annotations = {"run.oci.keep_original_groups": "1"}'
	config '.process.args = ["sleep", "100"]'
	config "$keep | .process.user.additionalGids = [77]"
	BR=(setpriv "--groups=0,1234,4321" "${BR[@]}")
	ok run -d -b "$B" "$ID"
	ok exec "$ID" id -G
	out_is '0 1234 4321'
	ok delete --force "$ID"
	says 'id -G' "$keep"
	out_is '0 1234 4321'
	says 'id -G' '.annotations = {} | .process.user.additionalGids = [77]'
	out_is '0 77'
}

@test "run.oci.keep_original_groups: as a plain user with a single id" {
	[ -r "$BRIG" ] || skip "not readable for others"
	config '.annotations = {"run.oci.keep_original_groups": "1"}
		| .linux.namespaces |= map(select(.type != "network")) + [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 1}]
		| .linux.gidMappings = [{"containerID": 0, "hostID": 1000, "size": 1}]
		| del(.linux.resources) | .mounts |= map(if .options then .options -= ["gid=5"] else . end)'
	cp "$BRIG" "$T/brig" && chmod 755 "$T" "$T/brig"
	mkdir "$T/xdg" && chown 1000 "$T/xdg"
	rm -rf "$B/rootfs" && cp -a "$BASE_ROOTFS" "$B/rootfs" && chown -R 1000:1000 "$B" "$R"
	# A file that only the group may read.
	echo secret >"$T/file" && chmod 640 "$T/file" && chgrp 4321 "$T/file"
	: >"$B/rootfs/tmp/file"
	config --arg f "$T/file" '.mounts += [{"destination": "/tmp/file", "type": "bind", "source": $f, "options": ["bind"]}]'
	prog 'cat /tmp/file'
	BR=(setpriv --reuid 1000 --regid 1000 --groups 4321 --inh-caps=-all env "XDG_RUNTIME_DIR=$T/xdg"
		"$T/brig" "${RUNTIME_FLAGS[@]}" --root "$R")
	runs
	out_is secret
}

@test "run.oci.seccomp.receiver: is the listener where the config names none" {
	receiver seccomp
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
		"syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}
		| .process.args = ["inside", "call", "mkdir"]'
	config --arg s "$T/seccomp.sock" '.annotations = {"run.oci.seccomp.receiver": $s}'
	runs
	out_is 0
	[ ! -d "$B/rootfs/tmp/inside" ]
	[ -s "$T/seccomp.out" ]
}

@test "run.oci.seccomp.receiver: a relative path is refused" {
	known_peer_failure crun
	config '.annotations = {"run.oci.seccomp.receiver": "x.sock"}'
	refused 'seccomp.receiver' run -b "$B" "$ID"
}

hook() { printf '[{"path": "/bin/sh", "args": ["sh", "-c", "echo out-%s; echo err-%s >&2"]}]' "$1" "$1"; }

@test "run.oci.hooks.stdout and stderr: what hooks write is added to the files" {
	local all="" k
	for k in createRuntime createContainer startContainer poststart poststop; do
		all+=".hooks.$k = $(hook $k) | "
	done
	config --arg o "$T/o" --arg e "$T/e" "$all"'.annotations = {"run.oci.hooks.stdout": $o, "run.oci.hooks.stderr": $e}'
	echo before >"$T/o"
	config '.process.args = ["true"]'
	creates
	ok start "$ID"
	becomes stopped
	ok delete "$ID"
	is "$(<"$T/o")" $'before\nout-createRuntime\nout-createContainer\nout-startContainer\nout-poststart\nout-poststop'
	is "$(<"$T/e")" $'err-createRuntime\nerr-createContainer\nerr-startContainer\nerr-poststart\nerr-poststop'
	ok run -b "$B" "$ID"
	is "$(grep -c out- "$T/o")" 10
}

@test "run.oci.hooks.stdout: the message of a failure still has what went to stderr" {
	known_peer_failure crun
	config --arg o "$T/o" '.annotations = {"run.oci.hooks.stdout": $o}
		| .hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", "echo fine; echo broken >&2; exit 4"]}]'
	refused 'createRuntime hook #0: exit status 4: broken' run -b "$B" "$ID"
	is "$(<"$T/o")" fine
}

@test "run.oci.hooks.stdout: a path that cannot be written is refused before anything is made" {
	known_peer_failure crun
	config --arg o "$T/none/o" '.annotations = {"run.oci.hooks.stdout": $o} | .hooks.createRuntime = '"$(hook x)"
	refused 'hooks.stdout.*no such file' run -b "$B" "$ID"
}

@test "the container's program has no descriptor of the hooks' files" {
	config --arg o "$T/o" '.annotations = {"run.oci.hooks.stdout": $o} | .hooks.startContainer = '"$(hook x)"
	config '.process.args = ["inside", "fds"]'
	runs
	out_is ""
}
