#!/usr/bin/env bats
load helpers
load ../lib/net
# From the first process to the last: what is there, what dies with what, what is left.

setup_file() { net_up; }
teardown_file() { net_down; }

host_devices() { in_host ip -j link | jq -r '.[].ifname | select(startswith("brg"))'; }
no_devices() { [ -z "$(host_devices)" ]; }
namespaces_now() { lsns -rnt net -o NS | sort -u | wc -l; }
resolver_of() { jq -r .brig.network.resolver.pid "$T/out"; }

@test "lifecycle: the devices go with the sandbox" {
	goes() {
		up --egress CIDR:203.0.113.10:443
		is "$(host_devices | wc -l)" 1
		ok delete --force "$ID"
		wait_for 10 no_devices
	}
	both goes
}

@test "lifecycle: 200 sandboxes leave no device, namespace, slot or process" {
	local n before slots
	before=$(namespaces_now)
	slots=$(find "$NET/slots" -type f -exec md5sum {} + | md5sum)
	for ((n = 0; n < 200; n++)); do
		veth --egress api.example.org:443 -- true
		[ "$status" = 0 ] || fail "round $n: $err"
	done
	wait_for 20 no_devices
	as_before() { [ "$(namespaces_now)" -le "$before" ]; }
	wait_for 20 as_before
	# The host's sets know a device only as long as its slot has not been given anew.
	[ "$(in_host nft list set inet brig_host source4 | grep -o 'brg[0-9a-f]*' | sort -u | wc -l)" -le 220 ]
	! pgrep -f "$R" >/dev/null
}

@test "lifecycle: twelve at once have twelve addresses, all are reached" {
	local n pids=()
	for ((n = 0; n < 12; n++)); do
		"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID-$n" --env BRIG_TEST_MARK --net veth \
			--egress api.example.org -- sh -c 'probe race 3 443 api.example.org; ip -4 -o addr show eth0 | cut -d" " -f7' \
			</dev/null >"$T/o$n" 2>&1 3>&- &
		pids+=($!)
		PIDS+=($!)
	done
	for n in "${pids[@]}"; do wait "$n" || fail "$(cat "$T"/o*)"; done
	is "$(cat "$T"/o* | grep -c 'connected 3 refused 0')" 12
	is "$(cat "$T"/o* | grep -v connected | sort -u | wc -l)" 12
	wait_for 20 no_devices
}

@test "lifecycle: kill -9 of brig at any moment leaves nothing behind delete" {
	local n p
	for ((n = 0; n < 15; n++)); do
		"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK --net veth --egress api.example.org -- \
			sleep 100 </dev/null >/dev/null 2>&1 3>&- &
		p=$!
		PIDS+=("$p")
		sleep "0.0$((n * 2 + 1))"
		kill -9 "$p" 2>/dev/null || :
		wait "$p" || :
		if [ -e "$R/$ID" ]; then
			wait_for 10 deletes || fail "round $n: $err"
		fi
		wait_for 10 no_devices || fail "round $n: $(host_devices)"
	done
	veth_ok --egress api.example.org -- probe race 1 443 api.example.org
	# A claim of ids whose owner's directory is gone is free for the next one, and stays until then.
	rm -f "$T"/ids/[0-9]*
}
deletes() { b delete --force "$ID"; [ ! -e "$R/$ID" ]; }

@test "lifecycle: with its name service the sandbox ends" {
	lost() {
		local p
		up --egress api.example.org
		ok state "$ID"
		p=$(resolver_of)
		[ -d "/proc/$p" ] || fail "no resolver: $out"
		kill -9 "$p"
		becomes stopped
		ok delete "$ID"
	}
	both lost
}

@test "lifecycle: with its warden the sandbox and the name service end" {
	up --egress api.example.org
	local w r
	ok state "$ID"
	r=$(resolver_of)
	w=$(jq -r '.wardenPid' "$R/$ID/state.json")
	kill -9 "$w"
	becomes stopped
	gone "$r"
	ok delete --force "$ID"
}

@test "lifecycle: a name service that is stopped answers nobody, and nothing opens" {
	local p
	up --egress api.example.org --egress CIDR:203.0.113.20:9000
	ok state "$ID"
	p=$(resolver_of)
	kill -STOP "$p"
	says_in silence dns api.example.org ms=1000
	refused_in 203.0.113.10 443
	says_in ok tcp 203.0.113.20 9000
	kill -CONT "$p"
	says_in 'NOERROR 203.0.113.10/60' dns api.example.org
	says_in ok tcp 203.0.113.10 443
}

@test "lifecycle: the name service has no capability but one, no files and a filter" {
	up --egress api.example.org
	local p
	ok state "$ID"
	p=$(resolver_of)
	is "$(row CapAmb "/proc/$p/status" | tr -d 0)$(row CapInh "/proc/$p/status" | tr -d 0)" ''
	[[ $(row CapEff "/proc/$p/status") =~ ^000000000000[01]000$ ]]
	is "$(row Seccomp "/proc/$p/status")" 2
	is "$(row NoNewPrivs "/proc/$p/status")" 1
	is "$(find -L "/proc/$p/root/" -mindepth 1 2>/dev/null | head -n 3)" ''
}

@test "lifecycle: pause and resume keep grants" {
	up --egress api.example.org
	says_in 'NOERROR 203.0.113.10/60' dns api.example.org
	ok pause "$ID"
	ok resume "$ID"
	says_in ok tcp 203.0.113.10 443
}

@test "lifecycle: an exec'd process is under the same rules" {
	up --egress CIDR:203.0.113.10:443
	ok exec "$ID" probe tcp 203.0.113.10 443
	refused_in 203.0.113.10 80
}

@test "lifecycle: the rules are there before the first instruction" {
	early() {
		local n
		for ((n = 0; n < 20; n++)); do
			veth --egress CIDR:203.0.113.10:443 -- probe tcp 203.0.113.20 443
			is "$out" ECONNREFUSED
		done
		is "$(arrived)" ''
	}
	both early
}

@test "lifecycle: a table of the same name that is somebody's stops the start" {
	local p
	new_net owned
	mkfifo "$T/nft"
	nsenter --net="$NET/owned" nft -i <"$T/nft" >/dev/null 2>&1 3>&- &
	p=$!
	PIDS+=("$p")
	exec {TELL}>"$T/nft"
	echo 'add table inet brig { flags owner; }' >&"$TELL"
	has_table() { in_net owned nft list tables | grep -q brig; }
	wait_for 5 has_table
	direct --net "join:$NET/owned" --egress CIDR:203.0.113.10:443 -- true
	is "$status" 125
	one_line 'another policy|nf_tables'
	is "$(in_net owned nft list table inet brig | grep -c chain || :)" 0
	exec {TELL}>&-
	wait "$p" || :
	umount "$NET/owned" && rm "$NET/owned"
}
