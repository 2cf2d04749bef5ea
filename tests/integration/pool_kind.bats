#!/usr/bin/env bats
load helpers
load ../lib/pool

# What members of a pool are made from, said as create has it: --volume, --digests, --packages,
# --seccomp; of the network pool_net.bats.  docs/pools.md

more_setup() { pool_setup; }
more_teardown() {
	"${BR[@]}" pool remove --force "$POOL" >/dev/null 2>&1 || :
}

denies() { # CALLS ERRNO
	jq -n --arg c "$1" --argjson n "$2" '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ($c | split(" ")), "action": "SCMP_ACT_ERRNO", "errnoRet": $n}]}'
}
lists_root() { (cd "$B/rootfs" && sha256sum bin/busybox) >"$T/list" || skip "no busybox"; }

@test "pool kind: --volume holds for each member, and what is written there goes with its generation" {
	mkdir -m 777 "$T/vol"
	echo old >"$T/vol/a"
	chmod 666 "$T/vol/a"
	volume
	answers 1 '/data: what is written there would stay' pool ensure "$POOL" --min 1 --bundle "$B"
	prog '[ "$(cat /data/a)" = old ] && echo new >/data/a && echo ok >/tmp/ok'
	ensure --min 2 --keep-layers --volume /data=overlay
	is "$(pool '.volumes | join(" ")')" /data=overlay
	for _ in 1 2 3; do
		acquire
		as start "$LEASED"
		wait_for 5 has_ended "$LEASED"
		as diff "$LEASED"
		out_has /tmp/ok
		out_has /data/a
		release
		is "$(cat "$T/vol/a")" old
	done
	# of those that acquire and a later ensure make, too
	ok pool ensure "$POOL" --min 3 --max 3
	is "$(jq -c .volumes "$R/$POOL-3/request.json")" '["/data=overlay"]'
}

@test "pool kind: --digests and --packages: each member can be verified in full" {
	LIMIT=60
	lists_root
	ensure --min 2 --digests --packages "$T/list"
	is "$(pool '[.digests, .packages] | join(" ")')" "true $T/list"
	for n in 1 2; do
		ok verify --full "$POOL-$n"
		is "$(report '[.clean, .packages.listed] | join(" ")')" 'true 1'
	done
	# One that differs is not made, nor does what is parked go for it.
	sed -i 's/^./x/' "$T/list"
	answers 1 "--packages $T/list" pool ensure "$POOL" --min 3 --max 3
	has 2 ready
}

@test "pool kind: what brig would have to execute a sealed copy of itself for is refused" {
	at high
	denies brk 12 >"$T/filter.json"
	answers 1 'sealed copy' pool ensure "$POOL" --min 2 --bundle "$B" --seccomp "$T/filter.json"
	b pool status "$POOL"
	[ "$status" != 0 ]
	nothing_left
}

@test "pool kind: --seccomp files hold in each member and each generation" {
	prog 'mkdir /tmp/d 2>/tmp/said; rmdir /tmp 2>>/tmp/said; grep -q "not implemented" /tmp/said &&
		grep -q "not empty" /tmp/said && echo ok >/tmp/ok'
	denies 'mkdir mkdirat' 38 >"$T/one.json"
	denies 'rmdir unlinkat' 39 >"$T/two.json"
	cd "$T"
	ensure --min 2 --keep-layers --seccomp one.json --seccomp "$T/two.json"
	is "$(pool '.seccomp | join(" ")')" "$T/one.json $T/two.json"
	for n in 1 2; do is "$(find "$R/$POOL-$n" -name 'request.seccomp*' | wc -l)" 2; done
	for _ in 1 2; do
		acquire
		as start "$LEASED"
		wait_for 5 has_ended "$LEASED"
		as diff "$LEASED"
		out_has /tmp/ok
		release
	done
}

@test "pool kind: the same once more changes nothing, what is not given stays as it is" {
	denies mkdir 38 >"$T/one.json"
	mkdir "$T/vol"
	volume
	lists_root
	said=(--digests --packages "$T/list" --seccomp "$T/one.json" --volume /data=keep)
	ensure --min 1 "${said[@]}"
	want=$(pool '[.volumes, .digests, .packages, .seccomp] | tostring')
	ensure --min 1 "${said[@]}"
	ensure --min 1
	ok pool ensure "$POOL"
	is "$(members)" "$POOL-1"
	is "$(pool '[.volumes, .digests, .packages, .seccomp] | tostring')" "$want"
}

@test "pool kind: while there are members it cannot be another, and the option is named" {
	denies mkdir 38 >"$T/one.json"
	denies rmdir 38 >"$T/two.json"
	mkdir "$T/vol"
	volume
	lists_root
	cp "$T/list" "$T/list2"
	ensure --min 1 --volume /data=keep --seccomp "$T/one.json" --packages "$T/list"
	was=$(cat "$R/.pools/$POOL/pool.json")
	answers 76 'another --volume' pool ensure "$POOL" --volume /data=wipe
	answers 76 'another --volume' pool ensure "$POOL" --volume /data=keep --volume /data=keep
	answers 76 'another --seccomp' pool ensure "$POOL" --seccomp "$T/two.json"
	answers 76 'another --seccomp' pool ensure "$POOL" --seccomp "$T/one.json" --seccomp "$T/two.json"
	answers 76 'another --packages' pool ensure "$POOL" --packages "$T/list2"
	answers 76 'another --digests' pool ensure "$POOL" --digests
	answers 76 'another --net' pool ensure "$POOL" --net none
	is "$(cat "$R/.pools/$POOL/pool.json")" "$was"
	has 1 ready
	# It can be when there are none.
	ok pool drain "$POOL"
	ensure --min 1 --volume /data=wipe --seccomp "$T/two.json" --digests
	is "$(pool '[.volumes[0], .seccomp[0], .packages, .digests] | join(" ")')" \
		"/data=wipe $T/two.json $T/list true"
}

@test "pool kind: bad values are one line that names them, and nothing is left or changed" {
	local how opts
	mkdir "$T/vol"
	volume
	echo '{' >"$T/bad.json"
	denies mkdir 38 >"$T/one.json"
	echo nonsense >"$T/list"
	mkfifo "$T/fifo"
	ensure --min 0 --max 1 --volume /data=keep
	was=$(cat "$R/.pools/$POOL/pool.json")
	while IFS='|' read -r how opts; do
		# shellcheck disable=SC2086
		answers 1 "$how" pool ensure "$POOL" --min 0 $opts
		# shellcheck disable=SC2086
		answers 1 "$how" pool ensure "q$POOL" --min 0 --bundle "$B" --volume /data=keep $opts
		is "$(cat "$R/.pools/$POOL/pool.json")" "$was"
		[ ! -e "$R/.pools/q$POOL" ] || fail "$opts: something is left"
	done <<-END
		none of overlay, wipe, keep|--volume /data=burn
		no writable bind mount is there|--volume /other=keep
		not DEST=POLICY|--volume /data
		bad.json|--seccomp $T/bad.json
		--seccomp .*none.json: no such file|--seccomp $T/none.json
		--packages .*none: no such file|--packages $T/none
		--packages .*list|--packages $T/list
		none of none, veth|--net pasta
		none of none, veth|--net join:/proc/1/ns/net
		add --net veth|--egress api.example.org
		--retire-on|--retire-on lunch=1
	END
	answers 1 'seccomp is empty' pool ensure "$POOL" --seccomp ''
	for opt in "--net none" "--volume /data=keep" --digests "--packages $T/list" "--seccomp $T/one.json" "--egress x"; do
		# shellcheck disable=SC2086
		answers 1 'not for it' pool drain "$POOL" $opt
		# shellcheck disable=SC2086
		answers 1 'not for it' pool status "$POOL" $opt
	done
}

@test "pool kind: what would not fit into pool.json is not written" {
	denies mkdir 38 >"$T/one.json"
	ensure --min 0 --max 1
	name=$(printf 'n%.0s' {1..200})
	long=$T
	for _ in {1..15}; do long+=/$name; done
	mkdir -p "$long"
	cp "$T/one.json" "$long/one.json"
	opts=()
	for _ in {1..30}; do opts+=(--seccomp "$long/one.json"); done
	answers 1 'more than 65536 bytes' pool ensure "$POOL" "${opts[@]}"
	is "$(pool '.seccomp // "none"')" none
}
