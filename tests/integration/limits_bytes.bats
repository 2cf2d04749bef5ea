#!/usr/bin/env bats
load helpers
load ../lib/levels
load ../lib/bombs
# Limits of bytes: size of a file, all writable places together, rates of a disk, output

MIB=$((1 << 20))

more_setup() {
	requires root
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	admin ''
	bombs_setup
}

# --- one file -----------------------------------------------------------------------------------

@test "fsize: a file grows to the limit, by whatever call" {
	fsize() {
		bomb --fsize 3m -- large-file $((64 * MIB)) /tmp/large deaf
		refused_by EFBIG
		exactly $((3 * MIB))
		bomb --fsize 3m -- allocate $((64 * MIB))
		refused_by EFBIG
		exactly $((3 * MIB))
		bomb --fsize 3m -- sparse $((64 * MIB))
		refused_by EFBIG
		exactly 0
		bomb --fsize 3m -- memfd $((64 * MIB))
		exactly $((3 * MIB))
	}
	each fsize
}

@test "fsize: who does not look is ended by SIGXFSZ" {
	xfsz() {
		script --fsize 3m -- "probe bomb large-file $((64 * MIB)); exit \$?"
		ended_by 153
		exactly $((3 * MIB))
	}
	each xfsz
}

@test "fsize: processes of exec have the same" {
	local level
	for level in standard high; do
		at $level
		config '.process.args = ["sleep", "100"] | .annotations = {"dev.brig.fsize.limit": "3Mi"}'
		ok run -d -b "$B" "$ID"
		b exec "$ID" probe bomb large-file $((64 * MIB)) /tmp/large deaf
		out_has "held $((3 * MIB))"$'\nrefused EFBIG$'
		ok delete --force "$ID"
	done
}

# --- all writable places ------------------------------------------------------------------------

@test "disk: all writable places together have no more" {
	disk() {
		bomb --user 0 --disk 16m -- files $((64 * MIB)) /tmp/1 /var/tmp/2 /run/3 /workspace/4 /dev/shm/5
		refused_by ENOSPC
		stopped_at $((16 * MIB))
	}
	each disk
}

@test "inodes: all writable places together have no more" {
	inodes() {
		local d sum=0
		for d in /tmp /var/tmp /run /workspace /dev/shm; do
			bomb --user 0 --inodes 400 -- inodes 5000 $d
			refused_by ENOSPC
			sum=$((sum + HELD))
		done
		# each place is a directory, too
		[ "$sum" -le 400 ] && [ "$sum" -ge 380 ] || fail "$LEVEL: $sum inodes in all"
	}
	each inodes
}

# --- rates of a disk ----------------------------------------------------------------------------

# disk_below: $T/disk is a directory on a block device of its own scheduling, or skip
disk_below() {
	local dev
	mkdir -m 777 "$T/disk"
	dev=$(stat -c %Hd:%Ld "$T/disk")
	[ -e "/sys/dev/block/$dev" ] || skip "$T is not on a block device ($dev)"
	[ "$(cgroup_layout)" = v2 ] && requires controller:io || requires controller:blkio
}
# rate_is LIMIT: not above it; a busy machine makes it smaller
rate_is() {
	[[ $out =~ rate\ ([0-9]+) ]] || fail "status $status: $out" "$err"
	[ "${BASH_REMATCH[1]}" -le $(($1 / 100 * 105)) ] || fail "$LEVEL: rate ${BASH_REMATCH[1]}, limit $1"
}

@test "io: bytes written and read in a second" {
	disk_below
	rates() {
		bomb --bind "$T/disk:/mnt" --io "$T/disk:wbps=4M" -- direct $((4 * MIB)) /mnt/direct write
		is "$status" 0
		rate_is $((4 * MIB))
		bomb --bind "$T/disk:/mnt" --io "$T/disk:rbps=4M" -- direct $((4 * MIB)) /mnt/direct read
		is "$status" 0
		rate_is $((4 * MIB))
	}
	each rates
}

@test "io: operations in a second" {
	disk_below
	# the kernel lets a tenth of a second's pass at once
	at high
	bomb --bind "$T/disk:/mnt" --io "$T/disk:wiops=100,riops=1000" -- \
		direct $((300 << 12)) /mnt/direct write 4096
	is "$status" 0
	rate_is $((100 << 12))
}

# --- output -------------------------------------------------------------------------------------

# Exactly that many bytes come through, in whatever blocks they are written.
@test "output: what is passed on is the limit, and then it ends" {
	flood() { # WHERE BLOCK
		bomb --max-output 100000 --timeout 60s -- output $((64 * MIB)) "$@"
		is "$status" 153
		[ "$(stat -c %s "$T/out")" = "$OUT" ] || fail "$LEVEL: $1 $2: $(stat -c %s "$T/out") bytes on stdout"
	}
	floods() {
		OUT=100000 flood out 4096
		OUT=100000 flood out 65536
		OUT=100000 flood out 7
	}
	each floods
}

@test "output: standard error counts, too" {
	both() {
		direct --max-output 100000 --timeout 60s -- /bin/probe bomb output $((64 * MIB)) both 1000
		is "$status" 153
		# what brig itself says comes after it
		err=${err%%time=*}
		is $(($(stat -c %s "$T/out") + ${#err})) 100000
		nothing_left
	}
	each both
}

@test "output: less than the limit is passed on as it is" {
	little() {
		direct --max-output 100000 -- sh -c 'head -c 99999 /dev/zero | tr "\0" x; exit 3'
		is "$status" 3
		is "${#out}" 99999
	}
	each little
}
