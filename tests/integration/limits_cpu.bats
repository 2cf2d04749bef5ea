#!/usr/bin/env bats
load helpers
load ../lib/levels
load ../lib/bombs
# CPU time of all processes together, and the quota of a moment

more_setup() {
	requires root
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	admin ''
	bombs_setup
}

@test "CPU time: one process, several, threads" {
	used_up() {
		bomb --cpu-time 300ms --timeout 60s -- burn 30000
		ended_by 124
		bomb --cpu-time 300ms --timeout 60s -- burn 30000 6
		ended_by 124
		bomb --cpu-time 300ms --timeout 60s -- burn-threads 30000 6
		ended_by 124
	}
	each used_up
}

@test "CPU time: children that are gone before anybody looks" {
	short_lived() {
		bomb --cpu-time 300ms --timeout 60s -- relay 30000 5
		ended_by 124
		bomb --cpu-time 300ms --timeout 60s -- chain 30000 5
		ended_by 124
	}
	each short_lived
}

@test "CPU time: who sleeps uses none" {
	asleep() {
		script --cpu-time 300ms --timeout 60s -- 'sleep 1; exit 3'
		is "$status" 3
	}
	each asleep
}

@test "CPU time: who uses less ends by itself" {
	less() {
		bomb --cpu-time 2s --timeout 60s -- burn 100
		is "$status $LAST" "0 bound"
	}
	each less
}

# Within a period the kernel lets them use the quota; this many periods there were.
@test "CPU quota: no more than the quota in every period" {
	local level stat used periods throttled
	for level in standard high; do
		at $level
		direct -d --cpus 0.25 -- /bin/probe bomb burn 100000 4
		is "$status" 0
		sleep 2
		ok pause "$ID"
		init_pid
		cg cpu cpu.stat cpu.stat
		[[ $value =~ nr_periods\ ([0-9]+) ]] && periods=${BASH_REMATCH[1]}
		[[ $value =~ nr_throttled\ ([0-9]+) ]] && throttled=${BASH_REMATCH[1]}
		if [[ $value =~ usage_usec\ ([0-9]+) ]]; then
			used=${BASH_REMATCH[1]}
		else
			cg cpuacct cpuacct.usage
			used=$((value / 1000))
		fi
		# 25 ms of each 100 ms, one period more for the one that was cut short
		[ "$throttled" -gt 0 ] && [ "$used" -le $(((periods + 1) * 25000 / 100 * 105)) ] ||
			fail "$LEVEL: $used us in $periods periods, $throttled throttled"
		ok delete --force "$ID"
	done
}
