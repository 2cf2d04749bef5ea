#!/usr/bin/env bats
load helpers
load ../lib/levels
# CPU pinning (docs/cpu.md): with a book of its own, on this machine's CPUs and on others' topologies

more_setup() {
	requires root controller:cpuset
	known_peer_failure runc crun
	[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
	mkdir -p "$T/levels"
	book ''
	at high
	# the last core of the machine is what comes first
	LAST=$(($(nproc) - 1))
}

# book JSON: members of "cpu" in brig.json beside the book's directory
book() { admin '"cpu": {"directory": "'"$T/cpus"'"'"${1:+, $1}"'}'; }

# No entry of this test's book is left; the lock file is.
more_teardown() {
	local f
	for f in "$T"/cpus/[0-9a-f]*-*; do
		[ ! -f "$f" ] || { echo "entry left over: $(tr '\n' ' ' <"$f")" && bad=1; }
	done
}

# entries [KIND]: how many the book has
entries() {
	local f n=0
	for f in "$T"/cpus/[0-9a-f]*-*; do
		[ -f "$f" ] || continue
		[ "${1:-all}" = all ] || [ "$(grep -c exclusive "$f")" = $(($([ "$1" = exclusive ]; echo $?) ^ 1)) ] || continue
		n=$((n + 1))
	done
	echo $n
}

# holds NAME ARGS: a sandbox in the foreground that sleeps, with its pid of brig in HOLDER
holds() {
	local name=$1
	shift
	"${BR[@]}" run --rootfs "$B/rootfs" --id "$name" --env BRIG_TEST_MARK "$@" -- sleep 100 \
		</dev/null >"$T/$name.out" 2>&1 3>&- &
	HOLDER=$!
	PIDS+=($!)
	becomes running "$name"
}
lets_go() { # NAME PID
	ok kill "$1" KILL
	wait "$2" || :
}
mine='grep Cpus_allowed_list: /proc/self/status; cat /sys/devices/system/cpu/online'

@test "pin: cores gives a whole core, to see for the program and in the cgroup" {
	succeeds --pin cores -- sh -c "$mine"
	out_is "Cpus_allowed_list:	$LAST"$'\n'"$LAST"
	is "$(entries)" 0
	at standard
	succeeds --pin cores -- grep Cpus_allowed_list: /proc/self/status
	out_is "Cpus_allowed_list:	$LAST"
	holds "$ID" --pin cores
	is "$(entries exclusive)" 1
	PID='' && cg_is cpuset cpuset.cpus "$LAST" cpuset.cpus
	lets_go "$ID" "$HOLDER"
}

@test "pin: a second exclusive claim is refused in one line, and works when the first has ended" {
	book '"exclusive_max": 1'
	holds "$ID-1" --pin cores
	local first=$HOLDER
	refuses_claim 'cpu.pin cores: no exclusive core: past cpu.exclusive_max, which is 1 CPU: 1 are given out, 1 more are needed'
	lets_go "$ID-1" "$first"
	succeeds --pin cores -- true
}
# refuses_claim RE ARGS: as refuses, while another sandbox is there
refuses_claim() {
	local re=$1
	shift
	exits 125 "${@:---pin=cores}" -- true
	one_line "$re"
	[ ! -e "$R/$ID" ] || fail "left: $R/$ID"
}

@test "pin: high stays off exclusive cores, and cores off those of high" {
	holds "$ID-1" --pin cores
	local first=$HOLDER i
	for ((i = 0; i < 3; i++)); do
		succeeds -- grep Cpus_allowed_list: /proc/self/status
		[ "$out" != "Cpus_allowed_list:	$LAST" ] || fail "$out"
	done
	lets_go "$ID-1" "$first"
	book "\"exclusive_max\": $(nproc)"
	local shared=()
	for ((i = 0; i < $(nproc); i++)); do
		holds "$ID-s$i"
		shared+=("$HOLDER")
	done
	refuses_claim 'no free core: 1 CPU in whole cores is needed, 0 of [0-9]+ are free'
	for i in "${!shared[@]}"; do lets_go "$ID-s$i" "${shared[i]}"; done
	# every core is somebody's: there is none to share
	local all=()
	for ((i = 0; i < $(nproc); i++)); do
		holds "$ID-x$i" --pin cores
		all+=("$HOLDER")
	done
	refuses_claim 'cpu.pin cpus: no free CPU: all of .* are given out exclusively' --pin cpus
	at standard # not pinned
	succeeds -- true
	at high
	for i in "${!all[@]}"; do lets_go "$ID-x$i" "${all[i]}"; done
}

@test "pin: --pin-wait gets the core when its owner ends" {
	book '"exclusive_max": 1'
	holds "$ID-1" --pin cores
	local first=$HOLDER waiting
	"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK --pin cores --pin-wait 30s -- \
		echo here </dev/null >"$T/waiting" 2>&1 3>&- &
	waiting=$!
	PIDS+=($!)
	sleep 0.3
	is "$(<"$T/waiting")" ''
	# the book is not locked meanwhile
	succeeds_as "$ID-2" --pin cpus
	lets_go "$ID-1" "$first"
	wait "$waiting"
	is "$(<"$T/waiting")" here
}
succeeds_as() { # NAME ARGS
	local name=$1
	shift
	b run --rootfs "$B/rootfs" --id "$name" --env BRIG_TEST_MARK "$@" -- true
	is "$status $err" '0 '
}

@test "pin: --pin-wait is bounded, can be interrupted, and is no help where it cannot be" {
	book '"exclusive_max": 1'
	holds "$ID-1" --pin cores
	local first=$HOLDER waiting got sig start
	refuses_claim 'waited for it' --pin cores --pin-wait 200ms
	start=$SECONDS
	refuses_claim 'past cpu.exclusive_max' --pin cores --cpus 2 --pin-wait 1m
	for sig in INT TERM; do
		"${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK --pin cores --pin-wait 1m -- \
			true </dev/null >"$T/waiting" 2>&1 3>&- &
		waiting=$!
		PIDS+=($!)
		wait_for 5 test -e "$R/$ID"
		sleep 0.1
		kill -"$sig" "$waiting"
		got=0
		wait "$waiting" || got=$?
		# a program in the background of a shell ignores SIGINT, otherwise: then it is told
		if [ $sig = TERM ]; then
			is "$got" 143
		else
			is "$got" 125
			[[ $(<"$T/waiting") =~ 'interrupted while waiting for CPUs' ]] || fail "$(<"$T/waiting")"
		fi
		[ ! -e "$R/$ID" ] || fail "left: $R/$ID"
	done
	[ $((SECONDS - start)) -lt 20 ] || fail "it waited"
	lets_go "$ID-1" "$first"
}

@test "pin: what brig leaves that is killed goes with delete, and a dead sandbox holds no core" {
	book '"exclusive_max": 1'
	holds "$ID-1" --pin cores
	local p
	ok state "$ID-1"
	p=$(jq .pid "$T/out")
	kill -9 "$HOLDER"
	gone "$p"
	becomes stopped "$ID-1"
	is "$(entries exclusive)" 1
	# not deleted yet, but dead: taken over
	holds "$ID-2" --pin cores
	is "$(entries exclusive)" 1
	ok delete --force "$ID-1"
	is "$(entries exclusive)" 1
	refuses_claim 'past cpu.exclusive_max'
	lets_go "$ID-2" "$HOLDER"
	is "$(entries)" 0
}

@test "pin: a created one holds its core, a stopped one does not" {
	book '"exclusive_max": 1'
	config '.process.args = ["true"] | .annotations["dev.brig.cpu.pin"] = "cores"'
	ok create -b "$B" "$ID"
	no create -b "$B" "$ID-2"
	err_has 'past cpu.exclusive_max'
	ok start "$ID"
	becomes stopped
	ok create --pin-wait 5s -b "$B" "$ID-2"
	is "$(entries exclusive)" 1
	ok delete "$ID"
	is "$(entries exclusive)" 1
	ok delete --force "$ID-2"
	is "$(entries)" 0
}

@test "pin: create that is killed anywhere leaves no core behind" {
	local i pid
	config '.process.args = ["sleep", "100"] | .annotations["dev.brig.cpu.pin"] = "cores"'
	for ((i = 0; i < 25; i++)); do
		"${BR[@]}" create -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&- &
		pid=$!
		sleep "0.0$((i / 5))$((i % 5 * 2))"
		kill -9 "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
		# whatever it was doing: either it made it, or somebody else gets the core
		b state "$ID"
		if [[ $out != *'"created"'* ]]; then
			wait_for 5 taken_over || fail "$err"
		fi
		ok delete --force "$ID"
		is "$(entries)" 0
	done
}
taken_over() { b run --rootfs "$B/rootfs" --id "$ID-2" --env BRIG_TEST_MARK --pin cores -- true && [ "$status" = 0 ]; }

@test "pin: the cpuset of config.json is what there is to choose from" {
	local pin
	config '.process.args = ["grep", "Cpus_allowed_list:", "/proc/self/status"]'
	for pin in cpus cores; do
		config --arg p $pin '.linux.resources.cpu.cpus = "0" | .annotations["dev.brig.cpu.pin"] = $p'
		runs
		out_is 'Cpus_allowed_list:	0'
		config '.linux.resources.cpu.cpus = "4095"'
		refused 'cpu.pin '$pin': cpuset .*4095.*: CPU 4095 is not there: online are ' run -b "$B" "$ID"
		config '.linux.resources.cpu.cpus = "0,4095"'
		refused 'cpuset .*0,4095.*: CPU 4095 is not there' run -b "$B" "$ID"
		config '.linux.resources.cpu.cpus = "some"'
		refused 'cpu' run -b "$B" "$ID"
	done
	config --arg c "0-$LAST" '.linux.resources.cpu = {"cpus": $c, "quota": 200000, "period": 100000} | del(.annotations)'
	runs
	out_has 'list:	[0-9]+[-,][0-9]+$'
	book "\"exclusive_max\": $(nproc)"
	config '.annotations["dev.brig.cpu.pin"] = "cores" | .linux.resources.cpu.quota = 200001000'
	refused 'no exclusive core: 2001 CPUs in whole cores are needed, only [0-9]+ are allowed' run -b "$B" "$ID"
}

@test "pin: a cgroup above that has fewer CPUs bounds the choice" {
	requires hybrid
	local dir=/sys/fs/cgroup/cpuset/$ID
	mkdir "$dir"
	echo 0 >"$dir/cpuset.cpus"
	echo 0 >"$dir/cpuset.mems"
	config --arg p "/$ID/in" '.linux.cgroupsPath = $p | .process.args = ["grep", "Cpus_allowed_list:", "/proc/self/status"]
		| .annotations["dev.brig.cpu.pin"] = "cores"'
	b run -b "$B" "$ID"
	is "$status $out" '0 Cpus_allowed_list:	0'
	config '.linux.resources.cpu.cpus = "1"'
	b run -b "$B" "$ID"
	rmdir /sys/fs/cgroup/{*/,}"$ID" 2>/dev/null || :
	is "$status" 1
	one_line 'cpuset .*1.*: the cgroup above it only has CPUs 0'
}

@test "pin: the administrator's maximum, also none at all" {
	book '"exclusive_max": 0'
	refuses 'past cpu.exclusive_max, which is 0 CPUs: 0 are given out, 1 more are needed' --pin cores -- true
	book '"exclusive_max": -1'
	refuses 'exclusive_max' --pin cores -- true
	book ''
	refuses 'all of the host but one core' --pin cores --cpus "$(nproc)" -- true
}

@test "pin: explain tells which CPUs and why, and whether others may run there" {
	holds "$ID" --pin cores
	ok policy explain "$ID" --format json
	jq -e --arg l "$LAST" '.fields[] | select(.field == "linux.resources.cpu.cpus")
		| .value == $l and .by == "host" and (.reason | test("^no quota: exclusive, 1 whole core of [0-9] thread"))' "$T/out" ||
		fail "$out"
	if [ "$(cgroup_layout)" != v2 ]; then
		jq -e '.fields[] | select(.field == "cpu.partition") | .value == "not in force" and .outcome == "recorded"' "$T/out"
	fi
	lets_go "$ID" "$HOLDER"
	holds "$ID-2" --cpus 1
	ok policy explain "$ID-2"
	out_has 'linux.resources.cpu.cpus +host +set +- +quota of 1 CPU: shared, the least used of 0'
	lets_go "$ID-2" "$HOLDER"
}

@test "pin: doctor counts what is taken" {
	holds "$ID" --pin cores
	b doctor --format json
	jq -e '.checks[] | select(.mechanism == "cpu-topology") | .detail | test("exclusive: 1 of at most [0-9]+; shared by 0 sandboxes")' \
		"$T/out" || fail "$out"
	b doctor
	out_has 'cpu-topology.* socket.* core.* CPUs, [0-9]+ NUMA node.*, SMT (on|off)'
	lets_go "$ID" "$HOLDER"
}

# --- machines that are not here --------------------------------------------------------------------

# tree LIST0 LIST1 [CORE1]: what the two CPUs say of their siblings; "" has no such file
tree() {
	local i=0 list
	rm -rf "$T/cpu"
	mkdir -p "$T/cpu/smt"
	echo 0-1 >"$T/cpu/online"
	[ "$1" = 0 ] && echo 0 >"$T/cpu/smt/active" || echo 1 >"$T/cpu/smt/active"
	for list in "$1" "$2"; do
		mkdir -p "$T/cpu/cpu$i/topology"
		[ -z "$list" ] || echo "$list" >"$T/cpu/cpu$i/topology/thread_siblings_list"
		echo 0 >"$T/cpu/cpu$i/topology/physical_package_id"
		echo $((i * ${3:-1})) >"$T/cpu/cpu$i/topology/core_id"
		i=$((i + 1))
	done
}
# there ARGS: direct mode on the machine of that tree
there() {
	[ "$(nproc --all)" = 2 ] || skip "needs a machine of two CPUs"
	status=0
	# shellcheck disable=SC2016 # for the inner shell
	"${FG[@]}" 10 unshare -m sh -c 'mount --make-rprivate / && mount --bind "$0" /sys/devices/system/cpu || exit 99
		exec "$@"' "$T/cpu" "${BR[@]}" run --rootfs "$B/rootfs" --id "$ID" --env BRIG_TEST_MARK "$@" \
		</dev/null >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	slurp err "$T/err"
}

@test "pin: threads of one core go together" {
	tree 0-1 0-1 0
	there --pin cores -- true
	is "$status" 125
	one_line 'past cpu.exclusive_max, which is 0 CPUs \(all of the host but one core\)'
	book '"exclusive_max": 2'
	there --pin cores -- grep Cpus_allowed_list: /proc/self/status
	is "$status $out" '0 Cpus_allowed_list:	0-1'
	config '.linux.resources.cpu.cpus = "1" | .annotations["dev.brig.cpu.pin"] = "cores"'
	there --pin cpus -- true
	is "$status" 0
}

@test "pin: a topology that contradicts itself or is not there gives no core, but shared CPUs" {
	local said
	while IFS=: read -r zero one factor said; do
		tree "$zero" "$one" "$factor"
		there --pin cores -- true
		is "$zero:$one $status" "$zero:$one 125"
		one_line "no exclusive core: CPU 0 may be half of one: $said"
		there --pin cpus -- true
		is "$status" 0
		nothing_left
	done <<-'END'
		0-1:1:1:it and CPU 1 disagree who their siblings are
		0:1:0:it has the core number 0 of CPU 1, no sibling of it
		:::this host does not tell its siblings
		rubbish:rubbish:1:this host does not tell its siblings
	END
	rm -r "$T/cpu/cpu0" "$T/cpu/cpu1" "$T/cpu/smt"
	there --pin cores -- true
	is "$status" 125
	one_line 'this host does not tell its siblings'
	there -- true # high
	is "$status" 0
}
