# shellcheck shell=bash
# For the tests of pools and leases: a pool of its own, ids that nobody else has, an administrator's
# file, and no member left behind.
#
#	POOL                this test's pool, whose members are POOL-N
#	ensure ARGS         pool ensure of this test's bundle: out is the status
#	acquire ARGS        sets LEASED, TOKEN and GEN
#	as ARGS             a verb with the token: as start ID

load ../lib/reuse

pool_setup() {
	reuse_setup
	at standard
	POOL=p$ID
}

ensure() { ok pool ensure "$POOL" --bundle "$B" "$@"; }
acquire() {
	ok lease acquire "$POOL" --ttl 60s "$@"
	LEASED=$(jq -r .id <<<"$out") TOKEN=$(jq -r .token <<<"$out") GEN=$(jq -r .generation <<<"$out")
}
as() {
	local verb=$1
	shift
	ok "$verb" --lease "$TOKEN" "$@"
}
release() { ok lease release "$LEASED" --lease "$TOKEN" "$@"; }
# pool JQ: of the pool's status
pool() {
	ok pool status "$POOL" --format json
	jq -r "$1" <<<"$out"
}
# so many members are in that condition
has() { is "$(pool ".conditions[\"$2\"]")" "$1"; }
counts() { is "$(pool ".counters.$1")" "$2"; }
members() { pool '[.members[].id] | join(" ")'; }
condition() { pool ".members[] | select(.id == \"$1\") | .condition"; }
lease_of() { jq -r "$2" "$R/$1/lease.json"; }
has_ended() { ok state "$1" && [ "$(jq -r .status <<<"$out")" = stopped ]; }
drop_pool() { ok pool remove --force "$POOL"; }
