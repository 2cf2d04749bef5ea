#!/usr/bin/env bats
# Podman 4.3's pods: containers that share namespaces with an infra container, which runs catatonit
# from an image that Podman builds itself.

load lib
load engines
load checks

setup_file()
{
	file_up pods podman_up podman conmon catatonit iptables
}

teardown_file()
{
	machine_down
}

setup()
{
	test_up
	POD=
}

teardown()
{
	test_down
	[ -z "$POD" ] || engine pod rm -f -t 0 "$POD" >/dev/null 2>&1 || true
}

# pod OPTION...: creates the pod $POD; in_pod ARGS...: a container of it in the background.
pod()
{
	POD=p$BATS_TEST_NUMBER
	expect 0 engine pod create --name "$POD" "$@"
}

in_pod()
{
	expect 0 engine run -d --pod "$POD" "$@"
}

# The namespace KIND of the container NAME.
namespace()
{
	inside readlink "/proc/$(engine inspect -f '{{.State.Pid}}' "$1")/ns/$2"
}

@test "pod: two containers share the network, ipc and uts namespaces and no others" {
	local kind

	pod --network none --hostname pod-host
	in_pod --name "$C-a" "$IMAGE" sleep 1000
	in_pod --name "$C-b" "$IMAGE" sleep 1000
	for kind in net ipc uts; do
		[ "$(namespace "$C-a" $kind)" = "$(namespace "$C-b" $kind)" ] ||
			fail "$kind is not shared"
		[ "$(namespace "$C-a" $kind)" != "$(inside readlink /proc/1/ns/$kind)" ] ||
			fail "$kind is the machine's"
	done
	for kind in mnt pid; do
		[ "$(namespace "$C-a" $kind)" != "$(namespace "$C-b" $kind)" ] ||
			fail "$kind is shared"
	done
	expect 0 engine exec "$C-b" hostname
	is pod-host
}

@test "pod: containers talk over the loopback and through /dev/shm" {
	pod --network none
	in_pod --name "$C-a" "$IMAGE" sh -c 'echo note >/dev/shm/note; exec httpd -f -p 8080 -h /etc'
	in_pod --name "$C-b" "$IMAGE" sleep 1000
	eventually 5 engine exec "$C-b" cat /dev/shm/note
	expect 0 engine exec -i "$C-b" nc -w 5 127.0.0.1 8080 <<<"$GET"
	has data
}

@test "pod: a pod on the bridge has one address" {
	local first

	pod
	in_pod --name "$C-a" "$IMAGE" sleep 1000
	in_pod --name "$C-b" "$IMAGE" sleep 1000
	expect 0 engine exec "$C-a" ip -o -4 addr show dev eth0
	first=$output
	expect 0 engine exec "$C-b" ip -o -4 addr show dev eth0
	is "$first"
}

@test "pod: the pid namespace is shared when asked" {
	pod --network none --share pid,ipc,net,uts
	in_pod --name "$C-a" "$IMAGE" sleep 4321
	in_pod --name "$C-b" "$IMAGE" sleep 1000
	expect 0 engine exec "$C-b" ps
	has "sleep 4321"
	has catatonit
	# The first process is the infra container's: ending one container leaves the others.
	expect 0 engine rm -f -t 0 "$C-a"
	expect 0 engine exec "$C-b" ps
	[[ $output != *"sleep 4321"* ]]
	has "sleep 1000"
}

@test "pod: the cgroups of its containers lie below the pod's" {
	local a b

	pod --network none
	in_pod --name "$C-a" "$IMAGE" sleep 1000
	in_pod --name "$C-b" "$IMAGE" sleep 1000
	a=$(cgroup_dir "$(engine inspect -f '{{.State.Pid}}' "$C-a")" memory)
	b=$(cgroup_dir "$(engine inspect -f '{{.State.Pid}}' "$C-b")" memory)
	[ "$a" != "$b" ]
	[ "${a%/*}" = "${b%/*}" ]
}

@test "pod: pause, unpause, stop and start reach every container" {
	pod --network none
	in_pod --name "$C-a" "$IMAGE" sleep 1000
	in_pod --name "$C-b" "$IMAGE" sleep 1000
	expect 0 engine pod pause "$POD"
	expect 0 engine inspect -f '{{.State.Status}}' "$C-a" "$C-b"
	is $'paused\npaused'
	expect 0 engine pod unpause "$POD"
	expect 0 engine pod stop -t 0 "$POD"
	expect 0 engine inspect -f '{{.State.Status}}' "$C-a" "$C-b"
	is $'exited\nexited'
	expect 0 engine pod start "$POD"
	expect 0 engine inspect -f '{{.State.Status}}' "$C-a" "$C-b"
	is $'running\nrunning'
}

@test "pod: an init container runs before the others" {
	pod --network none
	mkdir "$BATS_TEST_TMPDIR/data"
	expect 0 engine create --pod "$POD" --init-ctr always -v "$BATS_TEST_TMPDIR/data:/data" "$IMAGE" \
		sh -c 'echo prepared >/data/file'
	expect 0 engine create --pod "$POD" --name "$C-a" -v "$BATS_TEST_TMPDIR/data:/data" "$IMAGE" \
		cat /data/file
	expect 0 engine pod start "$POD"
	expect 0 engine wait "$C-a"
	is 0
	expect 0 engine logs "$C-a"
	is prepared
}

@test "pod: a Kubernetes document is played" {
	cat >"$BATS_TEST_TMPDIR/pod.yaml" <<-EOF
		apiVersion: v1
		kind: Pod
		metadata:
		  name: played
		spec:
		  containers:
		  - name: first
		    image: $IMAGE
		    command: ["sleep", "1000"]
		    resources: { limits: { memory: 64Mi } }
		    securityContext: { runAsUser: 1000, readOnlyRootFilesystem: true }
		  - name: second
		    image: $IMAGE
		    command: ["sleep", "1000"]
	EOF
	POD=played
	expect 0 engine play kube --network none "$BATS_TEST_TMPDIR/pod.yaml"
	expect 0 engine exec played-first id -u
	is 1000
	expect 1 engine exec played-first touch /tmp/../home/worker/file
	[ "$(cgroup_value "$(engine inspect -f '{{.State.Pid}}' played-first)" \
		memory memory.limit_in_bytes memory.max)" = 67108864 ]
	expect 0 engine play kube --down "$BATS_TEST_TMPDIR/pod.yaml"
}

@test "pod: nothing is left after the last pod" {
	check_nothing_left
	run inside find /sys/fs/cgroup -type d -name '*libpod-*'
	is ""
}
