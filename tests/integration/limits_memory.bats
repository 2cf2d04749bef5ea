#!/usr/bin/env bats
load helpers
load ../lib/levels
load ../lib/bombs
# The memory limit, and who tries to pass it: each place where memory can be held

MIB=$((1 << 20))

more_setup() {
	requires root controller:memory
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	admin ''
	bombs_setup
}

# memory KIND ARG...: 64 MiB are the limit, and four times as much is asked for
memory() {
	bomb --memory 64m --nofile 4000 --timeout 60s -- "$1" $((256 * MIB)) "${@:2}"
	ended_by 137
	stopped_at $((64 * MIB))
}

@test "memory: heap" {
	each memory heap
}

@test "memory: files of a tmpfs, one and several" {
	each memory file /tmp/bomb
	each memory files /tmp/1 /var/tmp/2 /run/3 /workspace/4
}

@test "memory: a memfd" {
	each memory memfd
}

@test "memory: shared memory of POSIX, and of SysV where it is not refused" {
	each memory posix-shm
	at standard
	memory sysv-shm
	at high
	bomb --memory 64m -- sysv-shm $((256 * MIB))
	refused_by ENOSYS
}

@test "memory: pipe buffers" {
	each memory pipes
}

@test "memory: buffers of UNIX sockets" {
	each memory sockets stream
}

# Of these v1 keeps a count of its own (docs/limits.md); either way they are no more than the limit.
# What ends it, memory or descriptors, depends on how much the kernel takes for a socket.
@test "memory: buffers of connections to itself" {
	connections() {
		bomb --memory 64m --nofile 4000 --timeout 60s -- "$1" $((256 * MIB))
		[ "$LAST" != bound ] && [ "$HELD" -le $((64 * MIB / 100 * 105)) ] ||
			fail "$LEVEL: $1: held $HELD, status $status, last $LAST"
	}
	each connections tcp
	each connections udp
}

@test "memory: page tables" {
	each memory tables
}

@test "memory: a process that is killed takes the sandbox with it" {
	memory_ends_all() {
		script --memory 64m --timeout 60s -- \
			"trap '' TERM; probe bomb heap $((256 * MIB)); echo survived; probe bomb sleeper 20000"
		out_lacks survived
		ended_by 137
	}
	each memory_ends_all
}

@test "memory: it is shared by all processes" {
	memory_held() {
		script --memory 64m --timeout 60s -- \
			"for i in 1 2 3 4 5 6 7 8; do probe alloc 12 20 & done; wait; echo survived"
		out_lacks survived
		ended_by 137
	}
	each memory_held
}

@test "memory: the level's own limit holds where none is asked for" {
	at high
	bomb --timeout 60s -- heap $((700 * MIB))
	ended_by 137
	stopped_at $((512 * MIB))
	at standard
	bomb --timeout 60s -- heap $((1400 * MIB))
	ended_by 137
	stopped_at $((1024 * MIB))
}

@test "memory: with a bundle and detached, by exec" {
	local level
	for level in standard high; do
		at $level
		config '.process.args = ["sleep", "100"] | .linux.resources.memory = {"limit": 67108864, "swap": 67108864}'
		ok run -d -b "$B" "$ID"
		b exec "$ID" probe bomb heap $((256 * MIB))
		[[ $out =~ .*held\ ([0-9]+) ]] && HELD=${BASH_REMATCH[1]}
		stopped_at $((64 * MIB))
		becomes stopped
		ok delete "$ID"
		nothing_left
	done
}
