#!/usr/bin/env bats
# Kubernetes' container runtime interface: containerd's CRI plug-in and its stock shim, which calls brig
# by BinaryName. A client of ours asks what a kubelet asks. What deploy/ tells to configure is what is
# configured here.

load lib
load engines
load cri

setup_file()
{
	export CRI_LEVEL=${CRI_LEVEL:-standard} CRI_HIGH_LEVEL=${CRI_HIGH_LEVEL:-high} CNI_PLUGINS

	for CNI_PLUGINS in /usr/lib/cni /opt/cni/bin; do
		[ ! -x "$CNI_PLUGINS/bridge" ] || break
	done
	file_up cri cri_up containerd ctr protoc python3 "$CNI_PLUGINS/bridge" "$CNI_PLUGINS/loopback"
	[ -n "$SKIP_FILE" ] || python3 -c 'import grpc, google.protobuf' || SKIP_FILE="no python3-grpcio"
}

teardown_file()
{
	machine_down
}

setup()
{
	test_up
}

teardown()
{
	test_down
	[ -n "$SKIP_FILE" ] || pods_gone
}

@test "cri: the runtime and the network are ready" {
	expect 0 cri Status
	[ "$(jq -r '.status.conditions[] | select(.status) | .type' <<<"$output" | sort | xargs)" = \
		"NetworkReady RuntimeReady" ]
}

@test "cri: a pod's sandbox is run by its handler" {
	pod
	expect 0 cri PodSandboxStatus "{\"pod_sandbox_id\":\"$POD\"}"
	[ "$(jq -r .status.state <<<"$output")" = SANDBOX_READY ]
	[ "$(jq -r .status.runtime_handler <<<"$output")" = brig ]
	[[ $(jq -r .status.network.ip <<<"$output") == 10.99.0.* ]]
	[ "$(inside cat "/proc/$(pid_of "$POD")/comm")" = pause ]
}

@test "cri: a handler that is not configured is refused and named" {
	run cri RunPodSandbox '{"config":{"metadata":{"name":"x","uid":"x","namespace":"default"}},
		"runtime_handler":"none"}'
	[ "$status" -ne 0 ]
	has '"none"'
}

@test "cri: two containers share the pod's network, ipc and uts namespaces and no others" {
	local a b kind

	pod
	container a . sleep 1000
	a=$(pid_of "$CONTAINER")
	container b . sleep 1000
	b=$(pid_of "$CONTAINER")
	for kind in net ipc uts; do
		[ "$(inside readlink "/proc/$a/ns/$kind")" = "$(inside readlink "/proc/$b/ns/$kind")" ] ||
			fail "$kind is not shared"
		[ "$(inside readlink "/proc/$a/ns/$kind")" != "$(inside readlink "/proc/1/ns/$kind")" ] ||
			fail "$kind is the machine's"
	done
	for kind in mnt pid; do
		[ "$(inside readlink "/proc/$a/ns/$kind")" != "$(inside readlink "/proc/$b/ns/$kind")" ] ||
			fail "$kind is shared"
	done
	in_container hostname
	is "$C"
}

@test "cri: containers of one pod map the same ids" {
	pod
	container a . sleep 1000
	first=$(inside cat "/proc/$(pid_of "$CONTAINER")/uid_map")
	container b . sleep 1000
	[ "$(inside cat "/proc/$(pid_of "$CONTAINER")/uid_map")" = "$first" ]
	[ "$CRI_LEVEL" = custom ] || [[ $first != *" 0 "*4294967295* ]]
}

@test "cri: containers of one pod talk over the loopback and through /dev/shm" {
	pod
	container a . sh -c 'echo note >/dev/shm/note; exec httpd -f -p 8080 -h /etc'
	container b . sleep 1000
	eventually 5 inside test -e "/proc/$(pid_of "$CONTAINER")/root/dev/shm/note"
	in_container cat /dev/shm/note
	is note
	in_container wget -q -O - http://127.0.0.1:8080/not-executable
	is data
}

@test "cri: a pod's processes are one namespace when it asks for that" {
	pod '.config.linux.security_context.namespace_options.pid = "POD"'
	container a '.config.linux.security_context.namespace_options.pid = "POD"' sleep 4321
	in_container ps
	has /pause
	has "sleep 4321"
}

@test "cri: exec gives output, errors and the exit code" {
	pod
	container a . sleep 1000
	in_container sh -c 'echo out; echo err >&2; exit 3'
	[ "$status" = 3 ]
	is $'out\nerr'
	in_container cat /proc/1/cmdline
	has sleep
}

@test "cri: exec of a missing command fails, and the container goes on" {
	pod
	container a . sleep 1000
	run cri ExecSync "{\"container_id\":\"$CONTAINER\",\"cmd\":[\"no-such-command\"]}"
	[ "$status" -ne 0 ]
	has no-such-command
	container_is .state CONTAINER_RUNNING
}

@test "cri: exec ends after its timeout" {
	pod
	container a . sleep 1000
	run cri ExecSync "{\"container_id\":\"$CONTAINER\",\"cmd\":[\"sleep\",\"100\"],\"timeout\":1}"
	[ "$status" -ne 0 ]
	has DEADLINE
}

@test "cri: probes: twenty execs one after the other" {
	local n

	pod
	container a . sleep 1000
	for n in {1..20}; do
		in_container sh -c "exit $n"
		[ "$status" = "$n" ] || fail "exec $n gave $status"
	done
}

@test "cri: what a container writes is in its log" {
	pod
	container a . sh -c 'echo first; echo second >&2; exit 5'
	ends
	container_is .exit_code 5
	container_is .reason Error
	[[ $(log_of a) == *"stdout F first"* ]]
	[[ $(log_of a) == *"stderr F second"* ]]
}

@test "cri: a container that ends well is completed" {
	pod
	container a . true
	ends
	container_is .exit_code 0
	container_is .reason Completed
}

@test "cri: stop sends the signal, waits, and kills what does not listen" {
	pod
	container a . sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done'
	eventually 5 grep -q ready "$MACHINE_DIR/logs/$C/a.log"
	expect 0 cri StopContainer "{\"container_id\":\"$CONTAINER\",\"timeout\":10}"
	container_is .exit_code 7
	container b . sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
	eventually 5 grep -q ready "$MACHINE_DIR/logs/$C/b.log"
	expect 0 cri StopContainer "{\"container_id\":\"$CONTAINER\",\"timeout\":1}"
	container_is .exit_code 137
}

@test "cri: a container that was removed is started again by another one" {
	pod
	container a . false
	ends
	expect 0 cri RemoveContainer "{\"container_id\":\"$CONTAINER\"}"
	container a '.config.metadata.attempt = 1' sh -c 'echo again'
	ends
	[[ $(log_of a) == *again* ]]
}

@test "cri: brig's annotations of the pod reach it, others do not" {
	[ "$CRI_HIGH_LEVEL" != custom ] || skip "at custom config.json alone counts"
	pod '.config.annotations = {"dev.brig.seccomp.language": "native", "example.org/other": "x"}'
	expect 0 inside "$RUNTIME" --root /run/containerd/runc/k8s.io state "$POD"
	[ "$(jq -r '.annotations["dev.brig.seccomp.language"]' <<<"$output")" = native ]
	[ "$(jq -r '.annotations["example.org/other"]' <<<"$output")" = null ]
	container a '.config.annotations = {"dev.brig.seccomp.language": "shell"}' sleep 1000
	expect 0 inside "$RUNTIME" --root /run/containerd/runc/k8s.io state "$CONTAINER"
	[ "$(jq -r '.annotations["dev.brig.seccomp.language"]' <<<"$output")" = shell ]
}

@test "cri: user, groups, environment and directory are as asked" {
	pod
	container a '.config.envs = [{"key": "WORD", "value": "value"}] | .config.working_dir = "/home/worker"
		| .config.linux.security_context += {"run_as_user": {"value": 1000}, "run_as_group": {"value": 1000},
			"supplemental_groups": [2000]}' sleep 1000
	in_container sh -c 'id -u; id -G; echo $WORD; pwd'
	is $'1000\n1000 2000\nvalue\n/home/worker'
}

@test "cri: a volume is mounted, read-only when asked" {
	pod
	mkdir -m 777 "$MACHINE_DIR/volume-$C"
	echo given >"$MACHINE_DIR/volume-$C/in"
	container a '.config.mounts = [{"container_path": "/data", "host_path": "'"$MACHINE_DIR/volume-$C"'"}]' \
		sleep 1000
	in_container sh -c 'cat /data/in; echo made >/data/out'
	is given
	[ "$(cat "$MACHINE_DIR/volume-$C/out")" = made ]
	container b '.config.mounts = [{"container_path": "/data", "readonly": true,
		"host_path": "'"$MACHINE_DIR/volume-$C"'"}]' sleep 1000
	in_container touch /data/other
	has "Read-only file system"
}

@test "cri: a read-only root, no new privileges, no capabilities" {
	pod
	container a '.config.linux.security_context += {"readonly_rootfs": true, "no_new_privs": true,
		"capabilities": {"drop_capabilities": ["ALL"]}}' sleep 1000
	in_container touch /file
	has "Read-only file system"
	in_container cat /proc/self/status
	has "CapEff:	0000000000000000"
	has "NoNewPrivs:	1"
}

@test "cri: the engine's seccomp profile is in force when asked for" {
	pod
	container a '.config.linux.security_context.seccomp.profile_type = "RuntimeDefault"' sleep 1000
	in_container cat /proc/self/status
	has "Seccomp:	2"
}

@test "cri: limits are written to the cgroup, and changed" {
	pod
	container a '.config.linux.resources = {"memory_limit_in_bytes": 67108864, "cpu_quota": 50000,
		"cpu_period": 100000}' sleep 1000
	[ "$(cgroup_value "$(pid_of "$CONTAINER")" memory memory.limit_in_bytes memory.max)" = 67108864 ]
	expect 0 cri UpdateContainerResources "{\"container_id\":\"$CONTAINER\",
		\"linux\":{\"memory_limit_in_bytes\":134217728}}"
	[ "$(cgroup_value "$(pid_of "$CONTAINER")" memory memory.limit_in_bytes memory.max)" = 134217728 ]
}

@test "cri: running out of memory is the reason" {
	pod
	container a '.config.linux.resources.memory_limit_in_bytes = 33554432' tail /dev/zero
	ends
	container_is .exit_code 137
	container_is .reason OOMKilled
}

# no_warden: the pod's shim, which lives on, has reaped it
no_warden()
{
	eventually 10 gone_from_machine brig-warden || fail "a warden is left: $(inside ps -ef)"
}

gone_from_machine()
{
	! inside pgrep -x "$1" >/dev/null
}

# asked, told: brig wait of the container in the background, and what it said
asked()
{
	spawn "$BATS_TEST_TMPDIR/$CONTAINER" "$RUNTIME" --root /run/containerd/runc/k8s.io wait "$CONTAINER"
	eventually 10 inside test -e "/run/containerd/runc/k8s.io/$CONTAINER/waiters"
}

told()
{
	eventually 10 test -s "$BATS_TEST_TMPDIR/$CONTAINER"
	[ "$(jq -r '"\(.status) \(.code)"' "$BATS_TEST_TMPDIR/$CONTAINER")" = "$1" ] ||
		fail "not $1: $(cat "$BATS_TEST_TMPDIR/$CONTAINER")"
}

@test "cri: one process out of memory ends its container, and no other of the pod" {
	local other

	[ "$CRI_LEVEL" != custom ] || skip "at custom the rest of a container lives on"
	pod
	container other '.config.linux.resources.memory_limit_in_bytes = 33554432' sleep 1000
	other=$CONTAINER
	container a '.config.linux.resources.memory_limit_in_bytes = 33554432' \
		sh -c 'until [ -e /tmp/go ]; do sleep 0.2; done; tail /dev/zero; sleep 1000'
	asked
	in_container touch /tmp/go
	ends
	container_is .exit_code 137
	container_is .reason OOMKilled
	told "memory 137"
	CONTAINER=$other
	container_is .state CONTAINER_RUNNING
	in_container echo alive
	is alive
	expect 0 cri StopContainer "{\"container_id\":\"$CONTAINER\",\"timeout\":0}"
	no_warden
}

@test "cri: CPU time and output by annotation end a container" {
	[ "$CRI_LEVEL" != custom ] || skip "at custom config.json alone counts"
	pod
	container a '.config.annotations = {"dev.brig.time.cpu": "1s"}' \
		sh -c 'until [ -e /tmp/go ]; do sleep 0.2; done; while :; do :; done'
	asked
	in_container touch /tmp/go
	ends
	container_is .exit_code 137
	told "cpu-time 124"
	container b '.config.annotations = {"dev.brig.output.limit": "1000"}' \
		sh -c 'until [ -e /tmp/go ]; do sleep 0.2; done; while :; do echo 123456789; done'
	asked
	in_container touch /tmp/go
	ends
	container_is .exit_code 137
	told "output 153"
	[ "$(log_of b | cut -d' ' -f4- | grep -c '^123456789$')" = 100 ] || fail "$(log_of b | tail -n 3)"
	no_warden
}

@test "cri: the second handler runs pods at its own level" {
	pod '.runtime_handler = "brig-high"'
	container a . sh -c 'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status; exec sleep 1000'
	expect 0 cri PodSandboxStatus "{\"pod_sandbox_id\":\"$POD\"}"
	[ "$(jq -r .status.runtime_handler <<<"$output")" = brig-high ]
	in_container echo hello
	is hello
	[ "$CRI_HIGH_LEVEL" = high ] || return 0
	eventually 5 grep -q Seccomp: "$MACHINE_DIR/logs/$C/a.log"
	[[ $(log_of a) == *"CapEff:	0000000000000000"*"NoNewPrivs:	1"*"Seccomp:	2"* ]]
}

@test "cri: a pod of the second handler cannot ask for less" {
	[ "$CRI_HIGH_LEVEL" = high ] || skip "the second handler has level $CRI_HIGH_LEVEL here"
	run cri RunPodSandbox "$(jq -n --arg name "$C" '{ runtime_handler: "brig-high", config: {
		metadata: { name: $name, uid: $name, namespace: "default" }, linux: {},
		annotations: { "dev.brig.level": "standard" } } }')"
	[ "$status" -ne 0 ]
	has dev.brig.level
}

@test "cri: a pod of the sample for untrusted code runs" {
	[ "$CRI_HIGH_LEVEL" != custom ] || skip "at custom config.json alone counts"
	pod '.runtime_handler = "brig-high" | .config.annotations = {"dev.brig.seccomp.language": "python"}'
	container a '.config.linux.resources = {"memory_limit_in_bytes": 268435456, "cpu_quota": 100000,
		"cpu_period": 100000}' sh -c 'echo work >/tmp/file && cat /tmp/file'
	ends
	[[ $(log_of a) == *"stdout F work"* ]]
	container_is .exit_code 0
}

# web HANDLER: a pod that answers on port 8080, and what the machine has on 10.99.0.1
web()
{
	pod ".runtime_handler = \"$1\""
	IP=$(cri PodSandboxStatus "{\"pod_sandbox_id\":\"$POD\"}" | jq -r .status.network.ip)
	container a . httpd -f -p 8080 -h /etc
	eventually 5 answers_itself
	inside busybox wget -q -O - http://10.99.0.1:8081/hostname ||
		spawn "$MACHINE_DIR/httpd.log" busybox httpd -f -p 10.99.0.1:8081 -h /etc
	eventually 5 inside busybox wget -q -O - http://10.99.0.1:8081/hostname
}

answers_itself()
{
	in_container wget -q -O - http://127.0.0.1:8080/not-executable && [ "$output" = data ]
}

get()
{
	echo "printf 'GET $1 HTTP/1.0\r\n\r\n'"
}

# passes LEVEL TEXT: the output has it at level custom, and nowhere else
passes()
{
	case $1 in
	custom) has "$2" ;;
	*) [[ $output != *"$2"* ]] || fail "$1: there was an answer" ;;
	esac
}

@test "cri: what goes in and out of a pod, at each handler's level" {
	local handler level

	for handler in brig brig-high; do
		level=$CRI_LEVEL
		[ $handler = brig ] || level=$CRI_HIGH_LEVEL
		web $handler
		run inside timeout 3 bash -c "exec 3<>/dev/tcp/$IP/8080; $(get /not-executable) >&3; cat <&3"
		# The node's probes get in at each level, docs/egress.md
		has data
		in_container sh -c "$(get /hostname) | timeout 3 nc 10.99.0.1 8081"
		passes "$level" "$(cat /etc/hostname)"
		pod_gone "$POD"
		C=$C-2
	done
}

@test "cri: containerd and brig read what deploy/ has" {
	local handler

	expect 0 inside containerd --config "$REPO/deploy/containerd/config-v2.toml" config dump
	for handler in brig brig-high; do
		has "BinaryName = \"/usr/local/bin/$handler\""
	done
	[ "$(grep -c 'pod_annotations = \["dev.brig.\*"\]' <<<"$output")" = 2 ]
	expect 0 python3 - "$REPO"/deploy <<-EOF
		import sys, tomllib
		old, new, crio = (tomllib.load(open(sys.argv[1] + name, "rb")) for name in
			("/containerd/config-v2.toml", "/containerd/config-v3.toml", "/crio/10-brig.conf"))
		assert (old.pop("version"), new.pop("version")) == (2, 3)
		assert old["plugins"]["io.containerd.grpc.v1.cri"] == new["plugins"]["io.containerd.cri.v1.runtime"]
		assert set(crio["crio"]["runtime"]["runtimes"]) == {"brig", "brig-high"}
	EOF
	expect 0 "$(runtime_path)" --system-config "$REPO/deploy/brig/brig.json" policy show standard
	expect 0 "$(runtime_path)" --system-config "$REPO/deploy/brig/high.json" policy show high
}

# refused JQ WORD: the pod's sandbox does not start, and the error names it
refused()
{
	run cri RunPodSandbox "$(jq -n --arg name "$C" '{ runtime_handler: "brig", config: {
		metadata: { name: $name, uid: $name, namespace: "default" }, linux: {} } }'" | $1")"
	[ "$status" -ne 0 ] || fail "$1 was taken"
	has "$2"
}

# refused_container JQ WORD: the same of a container in the pod
refused_container()
{
	container_new a "$1" true
	run cri StartContainer "{\"container_id\":\"$CONTAINER\"}"
	[ "$status" -ne 0 ] || fail "$1 was taken"
	has "$2"
}

@test "cri: the machine's network, pid and ipc namespaces are refused" {
	[ "$CRI_LEVEL" != custom ] || skip "at custom they are given"
	refused '.config.linux.security_context.namespace_options.network = "NODE"' network
	refused '.config.linux.security_context.namespace_options.pid = "NODE"' pid
	# containerd 1.6 then binds the node's /dev/shm.
	refused '.config.linux.security_context.namespace_options.ipc = "NODE"' /dev/shm
}

@test "cri: capabilities beyond the level are cut, privileges are never gained" {
	[ "$CRI_LEVEL" != custom ] || skip "at custom they are given"
	pod
	container a '.config.linux.security_context.capabilities.add_capabilities = ["SYS_ADMIN", "NET_RAW"]' \
		sleep 1000
	in_container cat /proc/self/status
	# CHOWN DAC_OVERRIDE FOWNER SETGID SETUID KILL NET_BIND_SERVICE
	has "CapEff:	00000000000004eb"
	has "CapBnd:	00000000000004eb"
	has "NoNewPrivs:	1"
}

@test "cri: a socket of the node as a volume is refused" {
	[ "$CRI_LEVEL" != custom ] || skip "at custom it is given"
	pod
	refused_container '.config.mounts = [{"container_path": "/run/x.sock",
		"host_path": "'"$CONTAINERD_ADDRESS"'"}]' socket
}

@test "cri: a privileged container does not start" {
	[ "$CRI_LEVEL" != custom ] || skip "at custom it does"
	pod '.config.linux.security_context.privileged = true'
	refused_container '.config.linux.security_context.privileged = true' "a device of the host"
}

@test "cri: a stopped pod is not ready, and nothing of a removed one is left" {
	local container pid

	pod
	container a . sleep 1000
	container=$CONTAINER
	pid=$(pid_of "$POD")
	expect 0 cri StopPodSandbox "{\"pod_sandbox_id\":\"$POD\"}"
	expect 0 cri PodSandboxStatus "{\"pod_sandbox_id\":\"$POD\"}"
	[ "$(jq -r .status.state <<<"$output")" = SANDBOX_NOTREADY ]
	expect 0 cri RemovePodSandbox "{\"pod_sandbox_id\":\"$POD\"}"
	run inside test -e "/proc/$pid"
	[ "$status" -ne 0 ]
	eventually 5 nothing_left "$POD"
	eventually 5 nothing_left "$container"
	expect 0 cri ListContainers
	[ "$(jq '.containers | length' <<<"$output")" = 0 ]
}

@test "cri: nothing is left after the last pod" {
	expect 0 cri ListPodSandbox
	[ "$(jq '.items | length' <<<"$output")" = 0 ]
	expect 0 inside "$RUNTIME" --root /run/containerd/runc/k8s.io list -q
	is ""
	eventually 5 no_shim
}

no_shim()
{
	! inside pgrep -x containerd-shim >/dev/null
}
