#!/usr/bin/env bats
load helpers
load ../lib/pool

# What a verb of pools leaves when it is killed at each of its steps, and that the next one rolls it
# forward: no member is lost, none is had twice, nothing is left over.  With a build that has
# faults (make FAULT=1).

more_setup() {
	BRIG=$TOP/build/fault/bin/brig
	pool_setup
	[ -x "$BRIG" ] || fail "no $BRIG: make FAULT=1"
}
more_teardown() {
	unset BRIG_FAULT_STEP BRIG_FAULT_KIND
	"${BR[@]}" pool remove --force "$POOL" >/dev/null 2>&1 || :
}

# steps_of TABLE... -- ARGS: sets STEPS to the steps of these tables that the verb runs
steps_of() {
	local re='' line
	while [ "$1" != -- ]; do re+="${re:+|}$1" && shift; done
	shift
	: >"$T/list"
	BRIG_FAULT_LIST=$T/list b "$@"
	STEPS=()
	while IFS= read -r line; do
		[[ ! $line =~ ^($re)/ || " ${STEPS[*]/%/$'\n'}" == *" $line"$'\n'* ]] || STEPS+=("$line")
	done <"$T/list"
	[ "${#STEPS[@]}" -gt 0 ] || fail "$*: no steps of $re"
}
# kinds_of STEP STEP-BEFORE: between two steps of a table there is nothing, so before any but the first of
# its table is after the one before it.
kinds_of() {
	KINDS=(kill-after)
	[ "${1%%/*}" = "${2%%/*}" ] || KINDS=(kill-before kill-after)
}
# killed STEP KIND ARGS: the verb dies there.  Resets and creates are processes of their own: of one
# that dies ensure makes another member at once.
killed() {
	BRIG_FAULT_STEP=$1 BRIG_FAULT_KIND=$2 b "${@:3}"
	[ "$status" != 0 ] || [[ $1 == reset* ]] || fail "${*:3} is not killed at $1 ($2)" "$out"
}
# The next ensure mends all of it, at once and for good.
mends() {
	local n=$1
	ok pool ensure "$POOL"
	is "$(pool '[.conditions | to_entries[] | select(.value > 0) | "\(.key) \(.value)"] | join(" ")')" "$n"
	is "$(find "$R/.pools/$POOL" -name 'making.*' | wc -l)" 0
	ok verify "$(pool '[.members[] | select(.condition == "ready")][0].id')"
}

@test "pool crash: ensure killed at each step is done by the next one" {
	local step kind last=''
	steps_of 'pool ensure' 'pool make' create -- pool ensure "$POOL" --bundle "$B" --min 1
	drop_pool
	for step in "${STEPS[@]}"; do
		kinds_of "$step" "$last"
		last=$step
		for kind in "${KINDS[@]}"; do
			killed "$step" "$kind" pool ensure "$POOL" --bundle "$B" --min 2 --max 2
			ensure --min 2
			mends "ready 2"
			drop_pool
			nothing_left || fail "$step $kind"
		done
	done
}

@test "pool crash: what resets or deletes a member, killed at each step, is done by the next ensure" {
	local step kind last=''
	# uses it
	use() {
		acquire
		as start "$LEASED"
		release --defer
	}
	ensure --min 1
	use
	steps_of 'pool tend' reset 'reset destroy' -- pool ensure "$POOL"
	ok taint --reason test "$POOL-1"
	local reset=("${STEPS[@]}")
	steps_of 'pool tend' delete -- pool ensure "$POOL"
	for step in "${reset[@]}"; do
		kinds_of "$step" "$last"
		last=$step
		for kind in "${KINDS[@]}"; do
			use
			killed "$step" "$kind" pool ensure "$POOL"
			mends "ready 1"
		done
	done
	last=''
	for step in "${STEPS[@]}"; do
		kinds_of "$step" "$last"
		last=$step
		for kind in "${KINDS[@]}"; do
			ok taint --reason test "$(members)"
			killed "$step" "$kind" pool ensure "$POOL"
			mends "ready 1"
		done
	done
}

@test "pool crash: acquire killed at each step leaves a free one, or a lease that runs out" {
	local step kind last=''
	ensure --min 1
	steps_of 'lease acquire' -- lease acquire "$POOL" --ttl 200ms
	for step in "${STEPS[@]}"; do
		kinds_of "$step" "$last"
		last=$step
		for kind in "${KINDS[@]}"; do
			sleep 0.25
			ok pool ensure "$POOL"
			killed "$step" "$kind" lease acquire "$POOL" --ttl 200ms
			is "$(pool '.conditions | .ready + .leased + .used')" 1
			sleep 0.25
			mends "ready 1"
		done
	done
}

@test "pool crash: release killed at each step gives it back all the same" {
	local step kind last=''
	prog 'sleep 100'
	ensure --min 1
	acquire
	as start "$LEASED"
	steps_of 'lease release' reset -- lease release "$LEASED" --lease "$TOKEN"
	for step in "${STEPS[@]}"; do
		kinds_of "$step" "$last"
		last=$step
		for kind in "${KINDS[@]}"; do
			acquire
			as start "$LEASED"
			killed "$step" "$kind" lease release "$LEASED" --lease "$TOKEN"
			if [ "$step $kind" = "lease release/give back kill-before" ]; then
				is "$(condition "$LEASED")" running
				release
			fi
			mends "ready 1"
		done
	done
}

@test "pool crash: killall killed at each step leaves a lease that holds, or none" {
	local step kind last=''
	prog 'sleep 100'
	ensure --min 1
	acquire
	as start "$LEASED"
	steps_of 'pool revoke' -- pool killall "$POOL"
	ok pool ensure "$POOL"
	for step in "${STEPS[@]}"; do
		kinds_of "$step" "$last"
		last=$step
		for kind in "${KINDS[@]}"; do
			acquire
			as start "$LEASED"
			killed "$step" "$kind" pool killall "$POOL"
			if [ "$step $kind" = "pool revoke/take lease kill-before" ]; then
				is "$(condition "$LEASED")" running
				as exec "$LEASED" true
			else
				is "$(condition "$LEASED")" used
				answers 77 'no such lease' exec --lease "$TOKEN" "$LEASED" true
			fi
			ok pool killall "$POOL"
			wait_for 5 has_ended "$LEASED"
			mends "ready 1"
		done
	done
}

@test "pool crash: drain and remove killed at each step are done by the next remove" {
	local step kind last=''
	ensure --min 2
	steps_of 'pool drain' 'pool tend' delete -- pool drain "$POOL"
	for step in "${STEPS[@]}"; do
		kinds_of "$step" "$last"
		last=$step
		for kind in "${KINDS[@]}"; do
			ensure --min 2
			killed "$step" "$kind" pool drain "$POOL"
			drop_pool
			nothing_left || fail "$step $kind"
		done
	done
}

@test "pool crash: a killed pool run at each step loses nothing" {
	local step kind last=''
	ensure --min 1
	steps_of 'lease acquire' start 'lease release' -- pool run "$POOL" -- true
	for step in "${STEPS[@]}"; do
		kinds_of "$step" "$last"
		last=$step
		for kind in "${KINDS[@]}"; do
			killed "$step" "$kind" pool run "$POOL" --ttl 300ms -- true
			sleep 0.35
			mends "ready 1"
		done
	done
}
