#!/usr/bin/env bats
load helpers
load ../lib/levels
# Limits that are none: one line that names the option, annotation or property and its value, and
# nothing left.  What is asked for in good words is listed by explain and in force.

# field=value of a container that runs
rule() { cat "/sys/fs/cgroup/$1/$CG/$2"; }

@test "bad limit: an option with a value that is none" {
	local o v want
	while IFS='|' read -r o v want; do
		refuses "$o" "--$o=$v" -- true
		[[ $err == *"$want"* ]] || fail "want: $want" "got:  $err"
	done <<-'END'
		memory|0|0 is too little: 1048576 is the least
		memory|1023k|1047552 is too little
		memory|10 m|10 m
		memory|1.5g|1.5g
		memory|0x10|0x10
		memory|1e30|1e30
		memory|9223372036854775808|9223372036854775808
		memory|-2|-2
		memory|1KK|1KK
		pids|0|0 is too little
		pids|-2|-2 is below 0
		pids|1k|1k
		pids|4194305|4194305 does not fit: 4194304 is the most
		pids|99999999999999999999|99999999999999999999
		nofile|0|0 is too little: 64 is the least
		nofile|63|63 is too little
		nofile|-1|-1
		fsize|0|0 is too little
		fsize|-1|-1
		fsize|4095|4095 is too little: 4096 is the least
		fsize|1e30|1e30
		cpus|0|CPUs do not fit
		cpus|-1|-1
		cpus|1e3|1e3
		cpus|0x2|0x2
		cpus|1000001|1000001
		cpus|1,5|1,5
		swap|-2|-2
		swap|1.5g|1.5g
		timeout|0|0 is too little
		timeout|10|10
		timeout|-1s|-1s
		timeout|1e3s|1e3s
		timeout|9999999999h|9999999999h
		cpu-time|0s|0 is too little
		cpu-time|ten|ten
		cpu-time|1 s|1 s
		grace|-1s|-1s
		grace|soon|soon
		max-output|0|0 is too little
		max-output|-1|-1
		max-output|1TT|1TT
		disk|0|0 is too little
		disk|-5|-5
		inodes|0|0 is too little
		inodes|many|many
		inodes|1.5|1.5
		io|/|is not DEVICE
		io|/:rbps|none of rbps
		io|/:speed=1|none of rbps
		io|/:rbps=0|rbps: 0 is too little
		io|/:rbps=-1|-1
		io|/:rbps=1.5M|1.5M
		io|/:riops=10k|10k
		io|/:wiops=4294967296|4294967296 does not fit
		io|/:rbps=1,rbps=2|given twice
		io|/nowhere:rbps=1M|/nowhere
		io|/proc:rbps=1M|no block device
		io|/dev/shm:rbps=1M|no block device
		io|4095:1:rbps=1M|no block device
		io|4096:1:rbps=1M|is no device
		io|sda:rbps=1M|is no device
	END
}

@test "bad limit: more places than bytes or inodes" {
	refuses 'disk: 24575 bytes over 5 writable paths and /dev/shm are too few: 4096 each' \
		--disk 24575 --write /a -- true
	refuses 'inodes: 9 inodes over 4 writable paths and /dev/shm are too few: 2 each' --inodes 9 -- true
	succeeds --disk 24576 --inodes 12 --write /a -- sh -c 'df -k /a | grep -o " 4 " | sort -u'
	is "$out" ' 4 '
}

@test "bad limit: more time than 31 years" {
	at standard
	local o
	for o in timeout cpu-time grace; do
		refuses "$o.*1000800000000 does not fit: 1000000000000 is the most" "--$o=278000h" -- true
	done
}

@test "bad limit: custom is config.json alone: what only a level does is refused there and says so" {
	at custom
	local o
	for o in timeout=1s cpu-time=1s grace=1s max-output=1m disk=1m inodes=100 write=/x pin=cpus lang=shell; do
		refuses "\"custom\\\\\": --${o%%=*}: only a level does that: --level standard or high" "--$o" -- true
	done
	succeeds --pin none -- true
}

@test "limits of direct mode at custom are those of its config.json" {
	at custom
	ok run -d --id "$ID" --rootfs "$B/rootfs" --memory 64m --swap 1m --pids 40 --nofile 77 --fsize 8k --cpus 0.5 -- \
		sh -c 'ulimit -n; ulimit -f; sleep 100'
	jq -e '.linux.resources | .memory == {"limit": 67108864, "swap": 68157440} and .pids.limit == 40
		and .cpu.quota == 50000 and .cpu.period == 100000' "$R/$ID/config.json"
	jq -ce '.process.rlimits | map([.type, .hard]) | sort == [["RLIMIT_FSIZE", 8192], ["RLIMIT_NOFILE", 77]]' \
		"$R/$ID/config.json"
	ok delete --force "$ID"
	exits 153 --fsize 8k --user 0 --writable-root -- sh -c 'head -c 12288 /dev/zero >/f; exit $?'
	is "$(stat -c %s "$B/rootfs/f")" 8192
}

@test "bad limit: an annotation with a value that is none" {
	local name value want
	cp "$B/config.json" "$T/good.json"
	while IFS='|' read -r name value want; do
		config --arg k "dev.brig.$name" --arg v "$value" '.annotations = {($k): $v}'
		refused "annotation dev.brig.$name: .*$want" run -b "$B" "$ID"
		one_line "dev.brig.$name"
		cp "$T/good.json" "$B/config.json"
	done <<-'END'
		time.cpu||no duration
		time.cpu|0|0 is too little
		time.cpu|-1|no duration
		time.cpu|1e30|no duration
		time.cpu|1000000000001|does not fit
		time.cpu|99999999999999999999|no duration
		time.grace|soon|no duration
		time.wall|0|0 is too little
		output.limit|0|0 is too little
		output.limit|-1|no size
		output.limit|1.5M|no size
		fsize.limit|1|1 is too little
		fsize.limit|10 m|no size
		inodes.limit|0|0 is too little
		inodes.limit|9|9 inodes over 4 writable paths
		inodes.limit|1k|no number
		disk.limit|1|too few
		memory.limit|1|1 is too little
		pids.limit|0|0 is too little
		pids.limit|5000000|does not fit
		nofile.limit|0x40|no number
		nofile.limit|1|1 is too little
		swap.limit|-1|no size
		io||not device
		io|/:rbps=1M|is a path of the host
		io|/dev/vda:rbps=1M|is a path of the host
		io|../x:rbps=1M|is a path of the host
		io|root:rbps=1M;|not device
		io|root:rbps=0|too little
		io|4095:1:rbps=1M|no block device
		io.limit|root:rbps=1M|not known
	END
}

@test "bad limit: a document with a value that is none, a wrong type or two words for one" {
	local text want
	while IFS='|' read -r text want; do
		echo "$text" >"$T/doc.json"
		refuses "$want" --policy "$T/doc.json" --rootfs "$B/rootfs" -- true
	done <<-'END'
		{"maxCPUTime": 0}|maxCPUTime: 0 is too little
		{"maxCPUTime": -1}|maxCPUTime
		{"maxCPUTime": 1.5}|maxCPUTime
		{"maxCPUTime": true}|maxCPUTime
		{"maxCPUTime": [1]}|maxCPUTime
		{"maxExecutionTime": "soon"}|timeout|maxExecutionTime
		{"maxExecutionTime": 1000, "timeout": 1000}|timeout, maxExecutionTime: given twice
		{"maxCPUTime": 1, "maxCPUTime": 2}|maxCPUTime: given twice
		{"gracePeriod": "x"}|gracePeriod
		{"maxFileSystemOps": 5}|maxFileSystemOps: unknown
		{"maxNetworkRequests": -1}|maxNetworkRequests
		{"resources": {"fileSize": 1}}|resources.fileSize: 1 is too little
		{"resources": {"output": 0}}|resources.output: 0 is too little
		{"resources": {"inodes": "1k"}}|resources: inodes
		{"resources": {"openFiles": 1}}|resources.openFiles: 1 is too little
		{"resources": {"swap": -1}}|resources: swap
		{"resources": {"memory": {}}}|memory
		{"resources": {"pids": 1e30}}|pids
		{"resources": {"io": "root:rbps=1M"}}|io
		{"resources": {"io": ["/:rbps=1M"]}}|resources.io: .*is a path of the host
	END
}

@test "bad limit: a level with a value that is none" {
	local text want
	at x
	while IFS='|' read -r text want; do
		level_file x "\"extends\": \"standard\", \"direct\": {$text}, \"engine\": {$text}"
		refused "level.*$want" run -b "$B" "$ID"
		refuses "$want" -- true
	done <<-'END'
		"cpu_time": -1|cpu_time
		"cpu_time": "1s"|cpu_time
		"cpu_time": 1.5|cpu_time
		"cpu_time": 1000000000001|cpu_time: 1000000000001 does not fit
		"cpu_time": 1, "cpu_time": 2|given twice
		"cputime": 5|cputime: unknown
		"wall": 18446744073709551615|wall: 18446744073709551615 does not fit
		"wall": 18446744073709551616|wall
		"fsize": 9223372036854775808|fsize: 9223372036854775808 does not fit
		"output": [5]|output
		"grace": true|grace
		"pids": -7|pids
	END
}

@test "limits that were asked for are listed by explain, and in force" {
	local f
	at standard
	ok run -d --id "$ID" --rootfs "$B/rootfs" --timeout 50s --cpu-time 40s --grace 2s --fsize 1m --disk 60m \
		--inodes 600 --swap 0 --pids 40 --nofile 88 -- sh -c 'sleep 100'
	ok policy explain "$ID" --format json
	for f in direct.wall=50000 direct.cpu_time=40000 direct.grace=2000 direct.fsize=1048576 \
		writable.size=12582912 writable.inodes=120 direct.pids=40 direct.nofile=88; do
		is "$(jq -r --arg f "${f%%=*}" '.fields[] | select(.field == $f) | .value' <<<"$out")" "${f#*=}"
	done
	ok exec "$ID" sh -c 'ulimit -f; df -i /tmp | tail -1'
	[[ $out == $'2048\n'*' 120 '* ]] || fail "$out"
	ok delete --force "$ID"
}

@test "annotations and a level tighten each other: the smallest holds" {
	local f
	level_file x '"extends": "standard", "engine": {"cpu_time": 5000, "grace": 100, "fsize": 100000}'
	at x
	config '.annotations = {"dev.brig.time.cpu": "9s", "dev.brig.time.grace": "1s", "dev.brig.fsize.limit": "64k",
		"dev.brig.output.limit": "2M"}'
	ok policy explain -b "$B" --format json
	for f in engine.cpu_time=5000 engine.grace=100 engine.fsize=65536 engine.output=2097152; do
		is "$(jq -r --arg f "${f%%=*}" '.fields[] | select(.field == $f) | .value' <<<"$out")" "${f#*=}"
	done
	# a grace of a tenant adds to the limits of the level: 10 s at most
	at standard
	config '.annotations = {"dev.brig.time.grace": "1h"}'
	ok policy explain -b "$B" --format json
	is "$(jq -r '.fields[] | select(.field == "engine.grace") | .value' <<<"$out")" 10000
}

@test "--io and dev.brig.io: the device of a path, its whole disk, the smaller rate" {
	local dev
	dev=$(stat -c %d "$B/rootfs")
	dev=$((dev >> 8)):$((dev & 255))
	[ -e "/sys/dev/block/$dev" ] || skip "the test directory is on no block device"
	[ ! -e "/sys/dev/block/$dev/partition" ] || dev=$(<"/sys/dev/block/$dev/../dev")
	at standard
	config --argjson major "${dev%:*}" --argjson minor "${dev#*:}" '.linux.resources.blockIO.throttleReadBpsDevice =
		[{"major": $major, "minor": $minor, "rate": 9000000}]
		| .annotations = {"dev.brig.io": "root:rbps=4M,wiops=70;'"$dev"':riops=50"}'
	creates
	jq -e --argjson d "[${dev/:/,}]" '.linux.resources.blockIO | map_values(map([.major, .minor] == $d, .rate)) ==
		{"throttleReadBpsDevice": [true, 4194304], "throttleReadIOPSDevice": [true, 50],
		 "throttleWriteIOPSDevice": [true, 70]}' "$R/$ID/config.json"
	ok policy explain "$ID"
	out_has "throttleReadBpsDevice +level +cut +$dev 9000000 .*$dev 4194304"
	ok delete --force "$ID"
	ok run -d --id "$ID" --rootfs "$B/rootfs" --io "$B:rbps=3M" --io "$B/config.json:rbps=2M" -- sleep 100
	jq -e '.linux.resources.blockIO.throttleReadBpsDevice | length == 1 and .[0].rate == 2097152' "$R/$ID/config.json"
	ok delete --force "$ID"
}

@test "--io: without the controller nothing starts, and it is named" {
	[ -d /sys/fs/cgroup/blkio ] || skip "no cgroup v1"
	at standard
	BR=(unshare -m --propagation private sh -c 'umount -l /sys/fs/cgroup/blkio && exec "$@"' sh "${BR[@]}")
	exits 125 --io "$B:rbps=3M" -- true
	err_has '(blkio|io): controller is not mounted'
	succeeds -- true
}
