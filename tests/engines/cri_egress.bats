#!/usr/bin/env bats
# Pods with egress rules, by containerd's CRI plug-in, its stock shim and the bridge plug-in of CNI:
# annotations of the pod, names by way of a "cluster's" name server, IPv4 and IPv6.

load lib
load engines
load cri
load levels
load egress

setup_file()
{
	export CRI_LEVEL=standard CRI_HIGH_LEVEL=high CNI_PLUGINS

	level_file
	# shellcheck disable=SC2034  # read by cri.bash
	CRI_RANGES='"ranges": [[{ "subnet": "10.99.0.0/24" }], [{ "subnet": "fd99::/64" }]],
		"routes": [{ "dst": "0.0.0.0/0" }, { "dst": "::/0" }]'
	for CNI_PLUGINS in /usr/lib/cni /opt/cni/bin; do
		[ ! -x "$CNI_PLUGINS/bridge" ] || break
	done
	file_up cri-egress pods_up containerd ctr protoc python3 dnsmasq nft \
		"$CNI_PLUGINS/bridge" "$CNI_PLUGINS/loopback"
	[ -n "$SKIP_FILE" ] || python3 -c 'import grpc, google.protobuf' || SKIP_FILE="no python3-grpcio"
}

pods_up()
{
	inet_up && cri_up "$1"
}

# brig as installed, with deploy/'s file; brig-high with a ceiling, without which it grants nothing
cri_wrappers()
{
	local path

	path=$(runtime_path)
	echo '{ "v": 1, "default_level": "high", "minimum_level": "high", "egress": { "ceiling":
		["api.example.org:8080", "**.svc.cluster.local private"] } }' >"$MACHINE_DIR/high.json"
	echo "#!/bin/sh
		exec $path --system-config $REPO/deploy/brig/brig.json \"\$@\"" >"$MACHINE_DIR/bin/brig"
	echo "#!/bin/sh
		exec $path --system-config $MACHINE_DIR/high.json \"\$@\"" >"$MACHINE_DIR/bin/brig-high"
	chmod 755 "$MACHINE_DIR/bin/"*
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

EGRESS='[{"d":"api.example.org","p":[8080]},{"d":"db.jobs.svc.cluster.local","p":[8080],"private":true}]'

# egress_pod [JQ [EGRESS]]: a pod with these grants (none: ""), as a kubelet tells of its DNS
egress_pod()
{
	local notes='{}'

	[ -z "${2-$EGRESS}" ] || notes=$(jq -n --arg e "${2-$EGRESS}" '{ "dev.brig.egress": $e }')
	pod '.config.annotations = '"$notes"' | .config.dns_config = { servers: ["'$DNS'"],
		searches: ["jobs.svc.cluster.local", "svc.cluster.local", "cluster.local"], options: ["ndots:5"] }
		| '"${1:-.}"
	run cri PodSandboxStatus "{\"pod_sandbox_id\":\"$POD\"}"
	IP=$(jq -r .status.network.ip <<<"$output")
	IP6=$(jq -r '.status.network.additional_ips[0].ip' <<<"$output")
}

# looks_up NAME WANT: WANT is an address, or a word of nslookup's
looks_up()
{
	in_container nslookup "$1"
	has "$2"
}

gets()
{
	in_container sh -c "$(get "$@")"
	has $PAGE
}

# Refused at once, not after a time of waiting.
refused()
{
	local start=$EPOCHREALTIME

	in_container sh -c "$(get "$@")"
	[[ $output != *$PAGE* ]] || fail "$1 answers"
	has "Connection refused"
	[ $((${EPOCHREALTIME/./} - ${start/./})) -lt 2500000 ] || fail "$1: refused too late"
}

# from_node ADDRESS PORT: what the machine gets;  from_pod: another container
from_node()
{
	run inside sh -c "printf 'GET /not-executable HTTP/1.0\r\n\r\n' | busybox nc -w 2 $1 $2"
}

# The rules, without what changes by itself.
rules_of()
{
	table_of "$(pid_of "$POD")" | sed 's/packets [0-9]* bytes [0-9]*//; s/expires [0-9a-z]*//'
}

policy_of()
{
	inside "$RUNTIME" --root /run/containerd/runc/k8s.io policy explain "$POD"
}

@test "cri egress: the rules are in the pod's namespace, once" {
	egress_pod
	container a . sleep 1000
	container b . sleep 1000
	expect 0 inside nsenter --net="/proc/$(pid_of "$POD")/ns/net" nft -j list tables
	[ "$(jq '[.nftables[].table | select(.)] | length' <<<"$output")" = 1 ]
	[ "$(jq -r '.nftables[].table | select(.) | .family + " " + .name' <<<"$output")" = "inet brig" ]
	# One process for all of the pod; none of it in the namespaces of the machine.
	[ "$(inside pgrep -cx brig-resolver)" = 1 ]
	run inside nft list tables
	[[ $output != *brig* ]]
}

@test "cri egress: both containers look granted names up and reach their servers, nothing else" {
	local c

	egress_pod
	for c in a b; do
		container $c . sleep 1000
		looks_up api.example.org 203.0.113.10
		gets 203.0.113.10
		refused 203.0.113.10 80
		refused 203.0.113.20
		looks_up other.example.org NXDOMAIN
		refused 203.0.113.20
		# Neither the cluster's name server nor another is asked past ours.
		in_container nslookup api.example.org $DNS
		[[ $output != *203.0.113.10* ]] || fail "the cluster's name server answers"
	done
}

@test "cri egress: a Service in the cluster by its short name, as the ceiling of deploy/ has it" {
	egress_pod
	container a . sleep 1000
	in_container cat /etc/resolv.conf
	is $'nameserver 127.0.77.53\nsearch jobs.svc.cluster.local svc.cluster.local cluster.local
options edns0 timeout:2 attempts:2 ndots:5'
	looks_up db.jobs.svc.cluster.local 10.96.7.7
	gets 10.96.7.7
	# musl and busybox walk the search list: what is not granted does not exist.
	in_container nslookup db
	has 10.96.7.7
}

@test "cri egress: IPv6 is the same" {
	egress_pod '.' '[{"d":"api.example.org","p":[8080]}]'
	[[ $IP6 == fd99::* ]]
	container a . httpd -f -p 8080 -h /etc
	looks_up api.example.org 2001:db8::10
	gets 2001:db8::10
	refused 2001:db8::10 80
	refused 2001:db8:1::2
	refused fd99::1 8081
	eventually 5 from_node "$IP6" 8080
	has data
}

@test "cri egress: the node's probes reach the pod, other machines and other pods do not" {
	local first first6

	egress_pod
	first=$IP first6=$IP6
	container a . httpd -f -p 8080 -h /etc
	node_answers() { from_node "$first" 8080 && [[ $output == *data* ]]; }
	eventually 5 node_answers
	run inside ip netns exec inet busybox nc -w 2 "$first" 8080 <<<"$GET"
	[[ $output != *data* ]] || fail "another machine gets in"
	C=$C-2
	# Even one that may leave: its own rules let it, the first one's do not.
	egress_pod . "[{\"cidr\":\"10.99.0.0/24\",\"p\":[8080]},${EGRESS:1}"
	container b . sleep 1000
	in_container sh -c "$(get "$first" 8080 not-executable)"
	[[ $output != *data* ]] || fail "another pod gets in"
	in_container sh -c "$(get "$first6" 8080 not-executable)"
	[[ $output != *data* ]] || fail "another pod gets in by IPv6"
}

@test "cri egress: dev.brig.ingress narrows what the node may, and false closes it" {
	egress_pod '.config.annotations["dev.brig.ingress"] = "[{\"from\":\"node\",\"ports\":[8080]}]"'
	container a . sh -c 'httpd -p 8081 -h /etc; exec httpd -f -p 8080 -h /etc'
	node_answers() { from_node "$IP" 8080 && [[ $output == *data* ]]; }
	eventually 5 node_answers
	from_node "$IP" 8081
	[[ $output != *data* ]]
	C=$C-2
	egress_pod '.config.annotations["dev.brig.ingress"] = "false"'
	container b . httpd -f -p 8080 -h /etc
	answers_itself() { in_container sh -c "$(get 127.0.0.1 8080 not-executable)" && [[ $output == *data* ]]; }
	eventually 5 answers_itself
	from_node "$IP" 8080
	[[ $output != *data* ]]
}

@test "cri egress: a pod without annotations lets probes in and nothing out" {
	egress_pod . ''
	container a . httpd -f -p 8080 -h /etc
	node_answers() { from_node "$IP" 8080 && [[ $output == *data* ]]; }
	eventually 5 node_answers
	refused 203.0.113.10
	in_container nslookup api.example.org
	[[ $output != *203.0.113.10* ]]
	no_process brig-resolver
}

@test "cri egress: a container that starts again finds the same rules, and names still open them" {
	local before

	egress_pod
	container a . sleep 1000
	looks_up api.example.org 203.0.113.10
	gets 203.0.113.10
	before=$(rules_of)
	expect 0 cri StopContainer "{\"container_id\":\"$CONTAINER\",\"timeout\":0}"
	expect 0 cri RemoveContainer "{\"container_id\":\"$CONTAINER\"}"
	[ "$(rules_of)" = "$before" ] || fail "changed: $(diff <(rules_of) - <<<"$before")"
	container a '.config.metadata.attempt = 1' sleep 1000
	[ "$(rules_of)" = "$before" ] || fail "changed: $(diff <(rules_of) - <<<"$before")"
	gets 203.0.113.10
	looks_up db.jobs.svc.cluster.local 10.96.7.7
	gets 10.96.7.7
	refused 203.0.113.20
}

@test "cri egress: a container without the pod's annotations lives with its rules" {
	egress_pod
	SANDBOX=$(jq 'del(.config.annotations)' <<<"$SANDBOX")
	container a . sleep 1000
	expect 0 inside "$RUNTIME" --root /run/containerd/runc/k8s.io state "$CONTAINER"
	[ "$(jq '.annotations["dev.brig.egress"]' <<<"$output")" = null ]
	looks_up api.example.org 203.0.113.10
	gets 203.0.113.10
	refused 203.0.113.20
}

@test "cri egress: a container alone cannot have what the pod has not" {
	egress_pod . ''
	container_new a '.config.annotations = {"dev.brig.egress": "[{\"cidr\":\"203.0.113.20/32\"}]"}' sleep 1000
	run cri StartContainer "{\"container_id\":\"$CONTAINER\"}"
	[ "$status" -ne 0 ]
	has "those of another policy"
	# Nor after it has failed.
	container b . sleep 1000
	refused 203.0.113.20 443
}

@test "cri egress: what is beyond the ceiling is cut, and explained" {
	egress_pod . '[{"d":"api.example.org","p":[8080]},{"cidr":"10.96.7.7/32","p":[8080]},{"cidr":"169.254.169.254/32","p":[80]}]'
	container a . sleep 1000
	looks_up api.example.org 203.0.113.10
	gets 203.0.113.10
	refused 10.96.7.7
	expect 0 policy_of
	has "169.254.169.254"
	has "beyond the ceiling of brig.json"
}

@test "cri egress: a pod at high has what the administrator's ceiling lets through" {
	egress_pod '.runtime_handler = "brig-high"' \
		"[{\"d\":\"other.example.org\",\"p\":[8080]},${EGRESS:1}"
	container a . httpd -f -p 8080 -h /etc
	looks_up api.example.org 203.0.113.10
	gets 203.0.113.10
	looks_up db.jobs.svc.cluster.local 10.96.7.7
	gets 10.96.7.7
	looks_up other.example.org NXDOMAIN
	refused 203.0.113.20
	node_answers() { from_node "$IP" 8080 && [[ $output == *data* ]]; }
	eventually 5 node_answers
	pod_gone "$POD"
	nothing_stays
}

@test "cri egress: exec and port-forward work, also where nothing comes in" {
	egress_pod '.config.annotations["dev.brig.ingress"] = "false"'
	container a . httpd -f -p 8080 -h /etc
	in_container echo hello
	is hello
	forwarded() {
		run cri PortForward "{\"pod_sandbox_id\":\"$POD\",\"port\":[8080]}"
		run inside "$REPO/tests/engines/portforward.py" "$(jq -r .url <<<"$output")" 8080 <<<"$GET"
		[[ $output == *data* ]]
	}
	eventually 10 forwarded || fail "not forwarded"
}

@test "cri egress: a pod whose name service is killed is not ready, and closed until it is made anew" {
	egress_pod
	container a . sleep 1000
	looks_up api.example.org 203.0.113.10
	inside pkill -KILL -x brig-resolver
	not_ready() {
		[ "$(cri PodSandboxStatus "{\"pod_sandbox_id\":\"$POD\"}" | jq -r .status.state)" = SANDBOX_NOTREADY ]
	}
	eventually 10 not_ready
	# A kubelet that sees this stops the containers. Until then:
	in_container nslookup db.jobs.svc.cluster.local
	[[ $output != *10.96.7.7* ]]
	refused 203.0.113.20
	refused 10.96.7.7
	pod_gone "$POD"
	nothing_stays
}

@test "cri egress: ten pods at once, each with its own rules" {
	local n pids=() PATIENCE=50

	# Each waits for the nine others, too, where processors are few and busy.
	export PATIENCE
	for n in {1..10}; do
		C=c$BATS_TEST_NUMBER-$n
		egress_pod . '[{"d":"api.example.org","p":[8080]}]' &
		pids+=($!)
	done
	all_end 55 "${pids[@]}"
	[ "$(inside pgrep -cx brig-resolver)" = 10 ] || fail "$(inside ps -ef)"
	pods_gone
	nothing_stays
}

@test "cri egress: nothing is left of a removed pod" {
	local container pid ns

	egress_pod '.config.linux.security_context = {}'
	container a '.config.linux.resources.memory_limit_in_bytes = 67108864' sleep 1000
	container=$CONTAINER
	pid=$(pid_of "$POD")
	ns=$(inside ls /run/netns | grep ^cni-)
	expect 0 inside ip netns exec "$ns" nft list table inet brig
	expect 0 cri StopPodSandbox "{\"pod_sandbox_id\":\"$POD\"}"
	expect 0 cri RemovePodSandbox "{\"pod_sandbox_id\":\"$POD\"}"
	run inside test -e "/proc/$pid"
	[ "$status" -ne 0 ]
	eventually 5 nothing_left "$POD"
	eventually 5 nothing_left "$container"
	nothing_stays
	expect 0 inside "$RUNTIME" --root /run/containerd/runc/k8s.io list -q
	is ""
}
