#!/usr/bin/env bats
load helpers
load ../lib/rootless
# --env-fd and --secret of a plain user: docs/secrets.md

@test "secrets: of a plain user, with a single id and with a range, at every level" {
	local level range
	printf 'A=hush-env\n' >"$T/env"
	printf hush-file >"$T/file"
	chown 1000 "$T/env" "$T/file"
	for range in no yes; do
		[ $range = no ] || with_range
		for level in custom standard high; do
			exec 7<"$T/env" 8<"$T/file"
			u_ok --debug run --level $level --rootfs "$B/rootfs" --env-fd 7 --secret x=8 -- sh -c '
				echo "$A"; cat /run/secrets/x; echo; stat -c "%a %u %g" /run/secrets /run/secrets/x; id -u
				touch /run/secrets/y 2>/dev/null || echo read-only'
			out_is $'hush-env\nhush-file\n500 1000 1000\n400 1000 1000\n1000\nread-only'
			[[ $err != *hush* ]]
		done
	done
}

@test "secrets: of a plain user's bundle, created and started" {
	local level
	printf 'A=hush-env\n' >"$T/env"
	printf hush-file >"$T/file"
	chown 1000 "$T/env" "$T/file"
	config '.process.args = ["sh", "-c", "echo $A; cat /run/secrets/x; stat -c %a:%u:%g /run/secrets/x"]'
	for level in standard high; do
		exec 7<"$T/env" 8<"$T/file"
		u_ok --level $level run --env-fd 7 --secret x=8 -b "$B" "$ID"
		out_is $'hush-env\nhush-file400:0:0'
		exec 7<"$T/env" 8<"$T/file"
		u_ok --level $level create --env-fd 7 --secret x=8 -b "$B" "$ID"
		! grep -r hush "$R" || fail "in the state directory"
		u_ok start "$ID"
		becomes stopped
		u_ok delete "$ID"
	done
}
