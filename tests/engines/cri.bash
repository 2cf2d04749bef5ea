# shellcheck shell=bash
# containerd with its CRI plug-in in the private machine, and short words for what a kubelet does.
#
#	CRI_LEVEL, CRI_HIGH_LEVEL  levels of the handlers brig and brig-high
#	CRI_RANGES                 of the pods' addresses, as the plug-in host-local takes them
CRI_RANGES='"ranges": [[{ "subnet": "10.99.0.0/24" }]]'

PAUSE=localhost/pause:1

# Prints the path of a docker-archive with the pause program alone.
pause_archive()
{
	local dir=$REPO/build/engines archive work

	archive=$dir/pause.tar
	if [ ! "$archive" -nt "$REPO/tests/engines/pause.c" ]; then
		mkdir -p "$dir"
		work=$(mktemp -d "$dir/pause.XXXXXX")
		mkdir "$work/root"
		(
			cd "$work" || exit 1
			"${CC:-cc}" -Os -static -s -o root/pause "$REPO/tests/engines/pause.c"
			umoci init --layout lay
			umoci new --image lay:1
			umoci insert --image lay:1 root /
			umoci config --image lay:1 --config.entrypoint /pause
			skopeo --insecure-policy copy oci:lay:1 "docker-archive:pause.tar:$PAUSE"
		) >&2 || return 1
		mv "$work/pause.tar" "$archive"
		rm -rf "$work"
	fi
	echo "$archive"
}

# What an installation has in deploy/, with the machine's own paths.
handler()
{
	cat <<-EOF
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.$1]
		  runtime_type = "io.containerd.runc.v2"
		  pod_annotations = ["dev.brig.*"]
		  container_annotations = ["dev.brig.*"]
		  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.$1.options]
		    BinaryName = "$MACHINE_DIR/bin/$1"
	EOF
}

cri_config()
{
	local dir=$1

	mkdir -p "$dir/net.d"
	cat >"$dir/net.d/10-test.conflist" <<-EOF
		{ "cniVersion": "0.4.0", "name": "test", "plugins": [ { "type": "bridge", "bridge": "cri0",
		  "isGateway": true, "ipMasq": false, "ipam": { "type": "host-local",
		  "dataDir": "/run/cni-ipam", $CRI_RANGES } } ] }
	EOF
	cat >"$dir/config.toml" <<-EOF
		version = 2
		root = "$dir/root"
		state = "/run/containerd"
		disabled_plugins = ["io.containerd.snapshotter.v1.aufs",
			"io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
			"io.containerd.snapshotter.v1.zfs"]
		[grpc]
		  address = "$CONTAINERD_ADDRESS"
		[ttrpc]
		  address = "$CONTAINERD_ADDRESS.ttrpc"
		[plugins."io.containerd.internal.v1.opt"]
		  path = "$dir/opt"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "$PAUSE"
		  # This machine may lack CAP_SYS_RESOURCE; at level custom brig does not cut it.
		  restrict_oom_score_adj = $([ "$CRI_LEVEL" = custom ] && echo true || echo false)
		  disable_tcp_service = true
		  stream_server_address = "127.0.0.1"
		  [plugins."io.containerd.grpc.v1.cri".cni]
		    bin_dir = "$CNI_PLUGINS"
		    conf_dir = "$dir/net.d"
		  [plugins."io.containerd.grpc.v1.cri".containerd]
		    default_runtime_name = "brig"
		$(handler brig)
		$(handler brig-high)
	EOF
}

cri_wrappers()
{
	local path

	path=$(runtime_path)
	printf '#!/bin/sh\nexec %s --level %s "$@"\n' "$path" "$CRI_LEVEL" >"$MACHINE_DIR/bin/brig"
	if [ "$CRI_HIGH_LEVEL" = high ]; then
		sed "s,/usr/local/bin/brig,$path,; s,/etc/brig,$REPO/deploy/brig," "$REPO/deploy/brig/brig-high"
	else
		printf '#!/bin/sh\nexec %s --level %s "$@"\n' "$path" "$CRI_HIGH_LEVEL"
	fi >"$MACHINE_DIR/bin/brig-high"
	chmod 755 "$MACHINE_DIR/bin/"*
}

cri_up()
{
	local dir=$MACHINE_DIR/containerd pause

	export CONTAINERD_ADDRESS=$dir/containerd.sock CONTAINERD_NAMESPACE=k8s.io
	export CONTAINER_RUNTIME_ENDPOINT=$dir/containerd.sock CRI_BUILD=$MACHINE_DIR/cri
	ENGINE=ctr
	cri_wrappers
	mkdir -p "$dir" "$MACHINE_DIR/logs"
	cri_config "$dir"
	pause=$(pause_archive) || return 1
	spawn "$MACHINE_DIR/containerd.log" containerd --config "$dir/config.toml"
	eventually 30 cri_ready || return 1
	engine image import "$1" && engine image import "$pause" || return 1
	eventually 10 cri_has_image "$PAUSE" && eventually 10 cri_has_image "$IMAGE"
}

cri()
{
	inside "$REPO/tests/engines/cri.py" "$@"
}

cri_ready()
{
	[ "$(cri Status 2>/dev/null | jq '[.status.conditions[] | select(.status)] | length')" = 2 ]
}

cri_has_image()
{
	cri ListImages | jq -e --arg name "$1" '.images[] | select(.repo_tags | index($name))' >/dev/null
}

# pod [JQ]: runs a pod's sandbox, id in POD; JQ edits the request
pod()
{
	SANDBOX=$(jq -n --arg name "$C" --arg logs "$MACHINE_DIR/logs/$C" '{
		config: { metadata: { name: $name, uid: $name, namespace: "default" },
			log_directory: $logs, hostname: $name,
			linux: { security_context: { namespace_options: { pid: "CONTAINER" } } } },
		runtime_handler: "brig" }'" | ${1:-.}")
	expect 0 cri RunPodSandbox "$SANDBOX"
	POD=$(jq -r .pod_sandbox_id <<<"$output")
}

# container_new NAME JQ COMMAND...: creates one in the pod, id in CONTAINER
container_new()
{
	local name=$1 edit=$2 request

	shift 2
	request=$(jq -n --arg name "$name" --arg image "$IMAGE" --arg pod "$POD" \
		--argjson sandbox "$SANDBOX" '{
		pod_sandbox_id: $pod, sandbox_config: $sandbox.config,
		config: { metadata: { name: $name }, image: { image: $image }, log_path: ($name + ".log"),
			command: $ARGS.positional,
			linux: { security_context: { namespace_options: { pid: "CONTAINER" } } } } }'" | ${edit:-.}" --args -- "$@")
	expect 0 cri CreateContainer "$request"
	CONTAINER=$(jq -r .container_id <<<"$output")
}

container()
{
	container_new "$@"
	expect 0 cri StartContainer "{\"container_id\":\"$CONTAINER\"}"
}

# in_container COMMAND...: ExecSync; output is what it wrote, status its exit code
in_container()
{
	local request

	request=$(jq -n --arg id "$CONTAINER" '{ container_id: $id, cmd: $ARGS.positional, timeout: 20 }' \
		--args -- "$@")
	expect 0 cri ExecSync "$request"
	status=$(jq .exit_code <<<"$output")
	output=$(jq -j '.stdout + .stderr' <<<"$output")
}

# container_is JQ VALUE, of ContainerStatus
container_is()
{
	[ "$(cri ContainerStatus "{\"container_id\":\"$CONTAINER\"}" | jq -r ".status$1")" = "$2" ]
}

ends()
{
	eventually 10 container_is .state CONTAINER_EXITED || fail "the container does not end"
}

# The first process of the container ID, as the machine counts.
pid_of()
{
	inside "$RUNTIME" --root /run/containerd/runc/k8s.io state "$1" | jq .pid
}

log_of()
{
	cat "$MACHINE_DIR/logs/$C/$1.log"
}

pod_gone()
{
	cri StopPodSandbox "{\"pod_sandbox_id\":\"$1\"}" && cri RemovePodSandbox "{\"pod_sandbox_id\":\"$1\"}"
} >/dev/null

# All that there are, so that a test that fails leaves none to the next.
pods_gone()
{
	local pod pids=()

	for pod in $(cri ListPodSandbox | jq -r '.items[].id'); do
		pod_gone "$pod" &
		pids+=($!)
	done
	all_end 55 "${pids[@]}"
}
