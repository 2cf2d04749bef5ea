#!/usr/bin/env bats
load helpers
load ../lib/reuse

# Ways in which a sandbox could be called clean that is not: docs/reuse.md
more_setup() {
	reuse_setup
	mkdir "$T/vol"
}

more_teardown() {
	[ -z "${NETNS:-}" ] || ip netns del "$NETNS"
}
# py SCRIPT ARGS: a process that lives until the end of the test, when it has said that it is ready
py() {
	local script=$1
	shift
	rm -f "$T/py"
	"$@" python3 -c "$script" >"$T/py" 2>&1 3>&- 4>&- &
	PIDS+=("$!")
	wait_for 10 grep -q ready "$T/py"
}
gone_process() { [ ! -e "/proc/$1" ]; }

@test "strangers: a process whose first thread has ended is none that is dead" {
	local id
	makes
	ok verify "$ID"
	id=$(jq -r .reuse.idsBase "$R/$ID/state.json")
	py "
import ctypes, os, threading, time
os.setgid($id); os.setuid($id)
def other():
    time.sleep(0.2)
    print('ready', flush=True)
    time.sleep(1000)
threading.Thread(target=other).start()
ctypes.CDLL(None).pthread_exit(None)"
	dirty strangers
}

@test "sockets: more of them than their list may be long are not none" {
	NETNS=brigbrk$$
	ip netns add "$NETNS"
	config --arg net "/run/netns/$NETNS" \
		'.linux.namespaces |= map(if .type == "network" then .path = $net else . end)'
	at standard
	makes
	ok verify "$ID"
	ulimit -n 20000
	py "
import socket, time
all = []
for n in range(9000):
    s = socket.socket(socket.AF_UNIX)
    s.bind('\\0' + str(n) + 'x' * 95)
    all.append(s)
print('ready', flush=True)
time.sleep(1000)" nsenter --net="/run/netns/$NETNS"
	dirty sockets
}

@test "ids: those of config.json are looked for as those of the pool are" {
	local id=3000000
	userns $id
	chown_root $id
	for LEVEL in standard high; do
		at "$LEVEL"
		makes
		ok reset --kill "$ID"
		py "
import os, time
os.setgid($id); os.setuid($id)
print('ready', flush=True)
time.sleep(1000)"
		dirty strangers
		kill "${PIDS[-1]}"
		wait_for 10 gone_process "${PIDS[-1]}"
		ok verify "$ID"
		ok delete --force "$ID"
	done
}

@test "volumes: wipe: neither times nor flags of the directory itself stay" {
	config --arg s "$T/vol" \
		'.mounts += [{"destination": "/data", "type": "bind", "source": $s, "options": ["bind", "rw"]}]'
	chattr +A "$T/vol" || skip "a file system without flags"
	at standard
	makes --volume /data=wipe
	runs_and_ends
	# As its owner in the sandbox can set them.
	touch -d 2011-02-03T04:05:06 "$T/vol"
	chattr +d -A "$T/vol"
	ok reset "$ID"
	[ "$(stat -c %Y "$T/vol")" -gt 1700000000 ]
	[ "$(stat -c %X "$T/vol")" -gt 1700000000 ]
	[[ "$(lsattr -d "$T/vol")" == *A*\ * && "$(lsattr -d "$T/vol")" != *d*\ * ]]
	chattr +d "$T/vol"
	dirty volumes
}
