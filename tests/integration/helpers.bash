# shellcheck shell=bash disable=SC2034  # variables are read by the tests
# What every integration test uses.  bats forks a lot by itself, so helpers use builtins where
# they can; a test should need few programs beside the runtime.
#
#	ID T B R   this test's container id, scratch directory, bundle and state root
#	b ARGS     runs the runtime: sets status, out, err (see run_in for another directory)
#	ok ARGS    the same, status must be 0;  no ARGS: it must fail, with one line on stderr
#	config JQ  edits $B/config.json;  prog SCRIPT: the container runs sh -c SCRIPT
#
# BRIG=PROGRAM tests another runtime: PEER is its basename, and known_peer_failure NAME... skips
# what that peer is known to do differently.  There is no such thing as a skip for brig.

bats_require_minimum_version 1.5.0

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
BRIG=${BRIG:-$TOP/build/bin/brig}
PEER=${PEER:-${BRIG##*/}}
TOOLS=${BRIG_TEST_TOOLS:-$TOP/build/tools}
BASE_ROOTFS=${BRIG_TEST_ROOTFS:-$TOP/build/rootfs}
read -ra RUNTIME_FLAGS <<<"${BRIG_FLAGS:-}"
FG=(timeout --foreground -k 2)

load ../lib/brig
load ../lib/jq

# --- set-up and check after each test ----------------------------------------------------

setup() {
	untraced
	ID=t$BATS_SUITE_TEST_NUMBER-${BASHPID}b
	T=$BATS_TEST_TMPDIR B=$T/bundle R=$T/state
	PIDS=() MOUNTED=()
	BR=("$BRIG" "${RUNTIME_FLAGS[@]}" --root "$R")
	# Everything this test starts carries the mark, so that what is left over is found.
	export BRIG_TEST_MARK=$ID
	mkdir "$B" "$R"
	cp -al "$BASE_ROOTFS" "$B/rootfs"
	printf '%s\n' "${BASE_CONFIG//@ID@/$ID}" >"$B/config.json"
	# A container's root user of another id must be able to reach its root.
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$T" "$B"
	if declare -F more_setup >/dev/null; then more_setup; fi
}

teardown() {
	local p d bad=0
	for p in "${PIDS[@]}"; do kill -9 "$p" 2>/dev/null || :; done
	for p in "${PIDS[@]}"; do wait "$p" 2>/dev/null || :; done
	for d in "$R"/*/; do
		[ -d "$d" ] || continue
		d=${d%/}
		"${FG[@]}" 15 "${BR[@]}" delete --force "${d##*/}" >/dev/null 2>&1 3>&- || :
	done
	if declare -F more_teardown >/dev/null; then more_teardown; fi
	for d in "${MOUNTED[@]}"; do umount -l "$d" 2>/dev/null || :; done
	nothing_left || bad=1
	[ $bad = 0 ] || sweep
	unmount_all
	return $bad
}

# What a runtime left behind goes by hand, so that a failure does not spoil the machine.
sweep() {
	local m f n
	marked_processes
	for m in "${MARKED[@]}"; do
		m=${m#process }
		kill -9 "${m%% *}" 2>/dev/null || :
	done
	for n in 1 2 3 4 5; do
		cgroups_of_test
		[ "${#CGROUPS[@]}" -gt 0 ] || return 0
		for f in "${CGROUPS[@]}"; do
			f=${f#cgroup }
			[ ! -e "$f/freezer.state" ] || echo THAWED >"$f/freezer.state"
			[ ! -e "$f/cgroup.freeze" ] || echo 0 >"$f/cgroup.freeze"
			find "$f" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || :
			rmdir "$f" 2>/dev/null || :
		done
		sleep 0.05
	done
}

# bats removes the directory of the test afterwards, never through a mount that was left.
unmount_all() {
	local line f points=()
	while IFS= read -r line; do
		read -r _ _ _ _ f _ <<<"$line"
		[[ $f != "$T"* ]] || points=("$f" "${points[@]}")
	done </proc/self/mountinfo
	for f in "${points[@]}"; do umount -l "$f"; done
}

# No process, cgroup, mount or state of this test.
nothing_left() {
	local f left=() n
	for f in "$R"/* "$R"/.[!.]*; do
		[ ! -e "$f" ] || left+=("state $f")
	done
	# The kernel takes a moment to end processes of a killed namespace.
	for ((n = 0; n < 50; n++)); do
		marked_processes
		[ "${#MARKED[@]}" = 0 ] && break
		sleep 0.02
	done
	left+=("${MARKED[@]}")
	cgroups_of_test
	left+=("${CGROUPS[@]}")
	mapfile -t -O ${#left[@]} left < <(grep -F -e "$T" -e "$ID" /proc/self/mountinfo)
	[ "${#left[@]}" = 0 ] && return 0
	printf 'left over: %s\n' "${left[@]}"
	return 1
}

marked_processes() {
	local f out
	MARKED=()
	out=$(BRIG_TEST_MARK='' grep -lsz "^BRIG_TEST_MARK=$ID\$" /proc/[0-9]*/environ) || return 0
	for f in $out; do
		f=${f#/proc/} f=${f%/environ}
		# bats itself and this shell's helpers do not count, nor does what is gone by now.
		[ -r "/proc/$f/cmdline" ] || continue
		IFS= read -rd '' out <"/proc/$f/cmdline" || continue
		MARKED+=("process $f $out")
	done
}

cgroups_of_test() {
	mapfile -t CGROUPS < <(find /sys/fs/cgroup -mindepth 1 -maxdepth 4 -type d -name "$ID*" \
		-printf 'cgroup %p\n' 2>/dev/null)
}

# chown_root OWNER: of a copy, as the bundle's root has hard links of what all tests share
chown_root() {
	rm -rf "$B/rootfs"
	cp -a "$BASE_ROOTFS" "$B/rootfs"
	chown -R "$1" "$B/rootfs"
}

fail() {
	printf '%.500s\n' "$@" >&2
	return 1
}

known_peer_failure() {
	local p
	for p in "$@"; do [ "$p" != "$PEER" ] || skip "known to differ: $PEER"; done
}

# --- the runtime ---------------------------------------------------------------------------

slurp() {
	local -n into=$1
	IFS= read -rd '' into <"$2" || :
	# To take off a pattern from a long text takes seconds where characters may be many bytes long.
	[ "${into: -1}" != $'\n' ] || into=${into::-1}
}

# stdin is STDIN or /dev/null; a hang ends after LIMIT seconds with status 124.
b() {
	status=0
	"${FG[@]}" "${LIMIT:-10}" "${BR[@]}" "$@" \
		<"${STDIN:-/dev/null}" >"$T/out" 2>"$T/err" 3>&- || status=$?
	slurp out "$T/out"
	slurp err "$T/err"
}

ok() {
	b "$@"
	[ "$status" = 0 ] || fail "$BRIG $*: status $status" "out: $out" "err: $err"
}

# A failure says one thing, once, on stderr.
no() {
	b "$@"
	if [ "$status" = 0 ] || [ "$status" -ge 124 ] && [ "$status" != 255 ]; then
		fail "$BRIG $*: should fail, status $status" "out: $out" "err: $err"
	fi
	[ -n "$err" ] || fail "$BRIG $*: failed without a word, status $status"
	[ "$PEER" != brig ] || [[ $err != *$'\n'* ]] || fail "more than one line: $err"
}

# refused WORD ARGS...: fails, names the thing, leaves nothing.
refused() {
	local word=$1
	shift
	no "$@"
	[ "$PEER" != brig ] || [[ ${err,,} =~ ${word,,} ]] || fail "error does not name /$word/: $err"
	[ -n "${CHECKED_LATER:-}" ] || nothing_left
}

runs() { ok run -b "$B" "$ID"; }
creates() { ok create -b "$B" "$ID"; }
# A container that runs until it is killed.
sleeps() {
	if [ "${1:-}" ] || ! args_in_place sleep 100; then
		config '.process.args = ["sleep","100"]'" ${1:+| $1}"
	fi
	ok run -d -b "$B" "$ID"
	PID=
}

out_is() { [ "$out" = "$1" ] || fail "want: $1" "got:  $out" "err:  $err"; }
out_has() { [[ $out =~ $1 ]] || fail "want: $1" "got:  $out" "err:  $err"; }
out_lacks() { [[ ! $out =~ $1 ]] || fail "unwanted: $1" "got: $out"; }
err_has() { [[ $err =~ $1 ]] || fail "want: $1" "got:  $err"; }
is() { [ "$1" = "$2" ] || fail "want: $2" "got:  $1"; }

# field JQ: of the state
field() {
	ok state "$ID"
	jq -r "$1" "$T/out"
}
status_is() {
	ok state "${2:-$ID}"
	[[ $out =~ \"status\":\ *\"$1\" ]] || fail "want status $1" "got: $out"
}
becomes() {
	local n
	for ((n = 0; n < 200; n++)); do
		b state "${2:-$ID}"
		[[ ! $out =~ \"status\":\ *\"$1\" ]] || return 0
		sleep 0.02
	done
	fail "never became $1: $out $err"
}
init_pid() {
	ok state "$ID"
	[[ $out =~ \"pid\":\ *([0-9]+) ]] || fail "no pid in $out"
	PID=${BASH_REMATCH[1]}
}
# cg CONTROLLER FILE [FILE_V2]: value is what the file of the container's cgroup says
cg() {
	local ctrl path own='' file=$2 base=''
	[ -n "${PID:-}" ] || init_pid
	while IFS=: read -r _ ctrl path; do
		[ -n "$ctrl" ] || own=$path
		[[ ,$ctrl, == *,$1,* ]] && base=/sys/fs/cgroup/$1$path && break
	done <"/proc/$PID/cgroup"
	if [ -z "$base" ]; then
		[ -n "${3:-}" ] || skip "no $1 hierarchy of cgroup v1"
		base=/sys/fs/cgroup$own file=$3
	fi
	slurp value "$base/$file"
}
# cg_is CONTROLLER FILE VALUE [FILE_V2 VALUE_V2]
cg_is() {
	cg "$1" "$2" "${4:-}"
	[ "$value" = "$3" ] || [ "$value" = "${5:-$3}" ] || fail "$1 $2: want $3 got $value"
}
# appears FILE: waits until it exists and is not empty (sockets: exist)
appears() {
	local n
	for ((n = 0; n < 250; n++)); do
		[ -s "$1" ] || [ -S "$1" ] && return 0
		sleep 0.02
	done
	fail "$1 does not appear"
}
gone() {
	local n
	for ((n = 0; n < 250; n++)); do
		[ ! -d "/proc/$1" ] && return 0
		local line
		# $(<FILE) ends the test where the file has gone meanwhile, whatever stands behind it.
		{ read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
		[[ $line != *') Z '* ]] || return 0
		sleep 0.02
	done
	fail "process $1 lives on"
}

# --- config.json ------------------------------------------------------------------------------

config() {
	jq "$@" <"$B/config.json" >"$T/config.new" || fail "jq $*"
	cat "$T/config.new" >"$B/config.json"
}
# args_in_place ARG...: where nobody has edited more than these.  Starting jq takes as long as a test.
args_in_place() {
	local text list='' a before=$'\n  "args": [' after=$'],\n'
	slurp text "$B/config.json"
	[[ $text == *"$before"*"$after"* ]] || return 1
	for a; do
		a=${a//'\'/'\\'} a=${a//'"'/'\"'} a=${a//$'\n'/'\n'} a=${a//$'\t'/'\t'}
		[[ $a != *[[:cntrl:]]* ]] || return 1
		list+=", \"$a\""
	done
	printf '%s\n' "${text%%"$before"*}$before${list#, }$after${text#*"$before"*"$after"}" >"$B/config.json"
}
# prog SCRIPT [JQ]: the shell script is the container's program
prog() {
	if [ "${2:-}" ] || ! args_in_place sh -c "$1"; then
		config --arg s "$1" '.process.args = ["sh", "-c", $s]'" ${2:+| $2}"
	fi
}
# says SCRIPT [JQ]: runs it in a container, the output is in out
says() {
	prog "$@"
	runs
}

# caps NAME...: the program has these too
caps() {
	config '.process.capabilities |= with_entries(.value += $ARGS.positional)' --args "$@"
}

# userns [FIRST]: ids 0..65535 of the container are FIRST.. of the host; the root belongs to them
userns() {
	local first=${1:-100000}
	config '.linux.namespaces += [{"type":"user"}]
		| .linux.uidMappings = [{"containerID":0,"hostID":'"$first"',"size":65536}]
		| .linux.gidMappings = [{"containerID":0,"hostID":'"$first"',"size":65536}]'
}

start_tool() {
	"$TOOLS/$1" "${@:2}" 3>&- 2>>"$T/tool.err" &
	PIDS+=($!)
}
# receiver KIND: listens at $T/KIND.sock, writes to $T/KIND.out
receiver() {
	"$TOOLS/receiver" "$1" "$T/$1.sock" "$T/$1.out" <"${2:-/dev/null}" 3>&- 2>>"$T/tool.err" &
	RECEIVER=$!
	PIDS+=($!)
	appears "$T/$1.sock"
}

BASE_CONFIG='{
 "ociVersion": "1.0.2",
 "process": {
  "user": {"uid": 0, "gid": 0},
  "args": ["true"],
  "env": ["PATH=/bin:/sbin:/usr/bin", "BRIG_TEST_MARK=@ID@"],
  "cwd": "/",
  "capabilities": {
   "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
   "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
   "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
  },
  "noNewPrivileges": true
 },
 "root": {"path": "rootfs"},
 "hostname": "brigtest",
 "mounts": [
  {"destination": "/proc", "type": "proc", "source": "proc"},
  {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
   "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
  {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
   "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]}
 ],
 "linux": {
  "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
   {"type": "network"}],
  "resources": {"devices": [{"allow": false, "access": "rwm"}]}
 }
}'
