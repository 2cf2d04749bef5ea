#!/usr/bin/env bats
load helpers
load ../lib/reuse

# docs/examples/pool: what an example promises is tested as the program is.

EXAMPLES=$TOP/docs/examples/pool

more_setup() {
	requires tool:python3
	reuse_setup
	Q=$T/queue
	mkdir -p "$Q/new"
}

# job NAME JSON
job() {
	printf '%s\n' "$2" >"$Q/new/.$1"
	mv "$Q/new/.$1" "$Q/new/$1.json"
}
sh_job() { # NAME TENANT SCRIPT
	job "$1" "$(jq -n --arg s "$3" --arg t "$2" '{args: ["/bin/sh", "-c", $s], tenant: $t}')"
}
controller() {
	run --separate-stderr timeout 60 "$EXAMPLES/controller.py" --queue "$Q" --bundle "$B" \
		--prefix "$ID" --brig "${BR[*]}" "$@" 3>&- 4>&-
	[ "$status" = 0 ] || fail "status $status" "$output" "$stderr"
}
counts() { jq -r '"\(.recycled) \(.replaced)"' <<<"$output"; }
of_job() { jq -r "$2" "$Q/done/$1/${3:-result.json}"; }

@test "example: a controller's jobs get a clean sandbox each, and their output and result are kept" {
	for n in 1 2 3 4 5 6; do
		sh_job "j$n" one "ls /tmp | wc -l; echo secret >/tmp/left; echo to-err >&2; exit $n"
	done
	controller --warm 2 --once
	is "$(counts)" "6 0"
	for n in 1 2 3 4 5 6; do
		is "$(cat "$Q/done/j$n/stdout")" 0
		is "$(cat "$Q/done/j$n/stderr")" to-err
		is "$(of_job "j$n" .exitCode)" "$n"
		is "$(of_job "j$n" .clean report.json)" true
	done
	[ -z "$(find "$Q/run" "$Q/new" -type f)" ]
}

@test "example: a controller replaces a sandbox that is tainted, and the next job has a new one" {
	job a-bad '{"args": ["/bin/sh", "-c", "swapoff /x; echo survived"]}'
	sh_job b-good '' 'echo fine'
	controller --warm 1 --once
	is "$(counts)" "1 1"
	is "$(of_job a-bad .status)" syscall
	run ! of_job a-bad -e .clean report.json
	is "$(cat "$Q/done/b-good/stdout")" fine
}

@test "example: a controller gives a used sandbox to nobody else" {
	sh_job a one 'echo 1'
	sh_job b one 'echo 2'
	sh_job c two 'echo 3'
	controller --warm 1 --once
	is "$(counts)" "3 1"
	is "$(of_job b .gen report.json)" 3
	is "$(of_job c .gen report.json)" 2
}

@test "example: a controller says what a job lacks, and what brig refuses, and goes on" {
	job a 'no json'
	job b '{"args": ["/bin/true"], "cwd": 7}'
	job c '{"args": ["/bin/true"]}'
	controller --warm 1 --once
	[ -s "$Q/done/a/error" ]
	[[ $(cat "$Q/done/b/error") == *cwd* ]]
	is "$(of_job c .exitCode)" 0
}

@test "example: jobs of a controller that was killed are done by the next one" {
	sh_job a '' 'sleep 1000'
	"$EXAMPLES/controller.py" --queue "$Q" --bundle "$B" --prefix "$ID" --brig "${BR[*]}" \
		--warm 2 >/dev/null 2>&1 3>&- 4>&- &
	local pid=$!
	PIDS+=("$pid")
	works() { ok list && [[ $out == *running* ]]; }
	wait_for 20 works
	run --separate-stderr timeout 20 "$EXAMPLES/controller.py" --queue "$Q" --bundle "$B" --once
	[ "$status" = 1 ]
	[[ $stderr == *"another controller"* ]]
	kill -9 $pid
	wait $pid || :
	rm -f "$Q/run/a.json"
	sh_job b '' 'echo again'
	mv "$Q/new/b.json" "$Q/run/"
	controller --warm 1 --once
	is "$(cat "$Q/done/b/stdout")" again
	ok list -q
	is "$out" ""
}

@test "example: the reset hook primes, recycles and tells what was not clean" {
	ok create --reuse -b "$B" "$ID" </dev/null
	run timeout 60 python3 - "$EXAMPLES" "$ID" "${BR[@]}" <<-'END'
		import subprocess, sys
		sys.path.insert(0, sys.argv[1])
		sys.dont_write_bytecode = True
		from brig_reset import BrigReset, Baseline

		class Handle:
		    sandbox_id = sys.argv[2]

		brig = sys.argv[3:]
		hook = BrigReset(brig)
		assert not hook.recyclable(Baseline())
		assert not hook.reset(Handle, Baseline()).clean
		base = hook.prime(Handle)
		assert hook.recyclable(base), base
		subprocess.run([*brig, "start", Handle.sandbox_id], check=True)
		out = hook.reset(Handle, base)
		assert out.clean and not out.reason and out.detail["gen"] == base.generation + 1, out
		subprocess.run([*brig, "taint", "--reason", "test", Handle.sandbox_id], check=True)
		out = hook.reset(Handle, base)
		assert not out.clean and "taint" in out.reason, out
		assert not hook.recyclable(hook.prime(Handle))
		Handle.sandbox_id = "nobody"
		out = hook.reset(Handle, base)
		assert not out.clean and "does not exist" in out.reason, out
		print("all")
	END
	is "$output" all
}
