# shellcheck shell=bash
# Short words for ctr, which has no drop-in for Podman's and Docker's options. A test that starts a
# container names it $C and sets LEFT.

ctr_test_down()
{
	local left=$LEFT

	LEFT=
	test_down
	if [ -n "$left" ]; then
		engine task kill -s KILL "$C" >/dev/null 2>&1 || true
		eventually 5 gone >/dev/null 2>&1 || true
	fi
}

gone()
{
	engine task delete "$C" || [ -z "$(engine task ls | grep "^$C ")" ] || return 1
	engine container delete "$C"
}

# once OPTION... -- COMMAND...: a container in the foreground that is removed afterwards.
once()
{
	local options=()

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	engine run --rm --runc-binary "$RUNTIME" "${options[@]}" "$IMAGE" "$C" "$@"
}

# keep OPTION... -- COMMAND...: a container in the background, named $C.
keep()
{
	local options=()

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	LEFT=1
	expect 0 engine run -d --runc-binary "$RUNTIME" "${options[@]}" "$IMAGE" "$C" "$@"
}

task_is()
{
	[ "$(engine task ls | awk -v id="$C" '$1 == id { print $3 }')" = "$1" ]
}

task_pid()
{
	engine task ls | awk -v id="$C" '$1 == id { print $2 }'
}
