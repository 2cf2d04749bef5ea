#!/usr/bin/env bats
load helpers
load ../lib/levels
load ../lib/bombs
# Limits of numbers: processes and threads, files and bytes of a tmpfs, descriptors

MIB=$((1 << 20))

more_setup() {
	requires root controller:pids
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	admin ''
	bombs_setup
}

# --- processes and threads ----------------------------------------------------------------------

# The bomb itself is one of the forty.
tasks() {
	bomb --pids 40 --timeout 60s -- "$1" 500 "${@:2}"
	refused_by EAGAIN
	exactly 39
}

@test "pids: processes" {
	each tasks forks
}

@test "pids: threads" {
	each tasks threads
}

@test "pids: processes and their threads are one number" {
	tasks_of_both() {
		bomb --pids 40 --timeout 60s -- tasks 500 10
		[ "$status" = 1 ] && out_has 'refused EAGAIN'
		exactly 39
	}
	each tasks_of_both
}

@test "pids: every process forks, and goes on trying until its time is up" {
	local time=2s
	[ "${LIMIT:-10}" -lt 60 ] || time=8s # in tests/vm
	fork_bomb() {
		bomb --pids 40 --timeout $time -- fork-bomb 500
		ended_by 124
		exactly 39
		bomb --pids 40 --timeout $time -- forks 500 insist
		[ "$status" = 124 ] && out_has 'refused EAGAIN'
		exactly 39
	}
	each fork_bomb
}

@test "pids: the level's own limit holds where none is asked for" {
	at high
	bomb --timeout 60s -- forks 1000
	refused_by EAGAIN
	exactly 255
	at standard
	bomb --timeout 60s -- threads 1000
	refused_by EAGAIN
	exactly 511
}

@test "pids: what exec adds counts, too" {
	local level
	for level in standard high; do
		at $level
		config '.process.args = ["sleep", "100"] | .linux.resources.pids.limit = 40'
		ok run -d -b "$B" "$ID"
		b exec "$ID" probe bomb forks 500
		out_has 'held 38'$'\n''refused EAGAIN$'
		ok delete --force "$ID"
		nothing_left
	done
}

# --- a tmpfs ------------------------------------------------------------------------------------

@test "disk: bytes of a writable place" {
	disk() {
		bomb --write /data:4m -- "$1" $((64 * MIB)) /data/file
		refused_by ENOSPC
		exactly $((4 * MIB))
	}
	each disk file
	each disk large-file
	each disk allocate
	each disk sparse
}

@test "disk: the level's own size, in every writable place" {
	at high
	local d
	for d in /tmp /var/tmp /workspace; do
		bomb -- allocate $((300 * MIB)) "$d/file"
		refused_by ENOSPC
		exactly $((128 * MIB))
	done
	at standard
	bomb -- allocate $((300 * MIB)) /tmp/file
	refused_by ENOSPC
	exactly $((256 * MIB))
}

# /dev, /dev/shm and whatever else takes a file: each is bounded, and all count as memory.
@test "disk: nothing that can be written is without a bound" {
	unbounded() {
		script --timeout 60s -- 'for d in / /dev /dev/shm /dev/pts /dev/mqueue /proc /sys /tmp /run; do
			probe bomb -r /tmp/how allocate '$((2048 * MIB))' $d/bomb >/tmp/said 2>&1
			grep -q refused /tmp/how || { echo "$d: $(cat /tmp/said /tmp/how)"; exit 1; }
			rm -f $d/bomb /tmp/how
		done; echo all bounded'
		is "$status $out" "0 all bounded"
	}
	each unbounded
}

@test "inodes: as many files, directories, links and fifos as the level has" {
	inodes() { # NUMBER KIND
		bomb --timeout 60s -- inodes 200000 /tmp "$2"
		refused_by ENOSPC
		# the directory itself is the first
		exactly $(($1 - 1))
	}
	at high
	inodes 32768 files
	inodes 32768 directories
	inodes 32768 symlinks
	inodes 32768 fifos
	at standard
	inodes 65536 files
}

# --- descriptors --------------------------------------------------------------------------------

@test "nofile: standard streams and as many more as make the limit" {
	nofile() {
		bomb --nofile 77 -- descriptors 2000
		refused_by EMFILE
		exactly 74
	}
	each nofile
	at high
	bomb -- descriptors 5000
	refused_by EMFILE
	exactly 1021
}

@test "nofile: processes of exec have the same" {
	local level
	for level in standard high; do
		at $level
		config '.process.args = ["sleep", "100"] | .annotations = {"dev.brig.nofile.limit": "77"}'
		ok run -d -b "$B" "$ID"
		b exec "$ID" probe bomb descriptors 2000
		out_has $'held 74\nrefused EMFILE$'
		ok delete --force "$ID"
	done
}
