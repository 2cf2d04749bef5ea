#!/usr/bin/env bats
load helpers
load ../lib/rootless
# grants of a plain user, and of root in a user namespace that somebody else made

@test "rootless grants: at a start he shows what he can read himself" {
	mkdir "$T/docs" && echo hello >"$T/docs/a" && chmod 755 "$T/docs"
	echo secret >"$T/secret" && chmod 600 "$T/secret"
	u_ok run --level standard --rootfs "$B/rootfs" --grant "filesystem:read:$T/docs" \
		--grant filesystem:write:/data:1M --grant memory:limit:64M -- \
		sh -c "cat $T/docs/a; echo x >/data/x && echo wrote; echo x >$T/docs/b || echo no"
	out_is $'hello\nwrote\nno'
	u run --level standard --rootfs "$B/rootfs" --grant "filesystem:read:$T/secret" -- true
	is "$status" 125
	err_has 'ermission denied'
	u run --level standard --rootfs "$B/rootfs" --grant "filesystem:read:$T/docs ttl=3s" -- true
	is "$status" 125
	err_has "plain user's sandbox"
}

@test "rootless grants: what is executed is limited without rights" {
	[ "$("$BRIG" doctor --format json | jq -r '.checks[] | select(.mechanism == "landlock") | .found')" = yes ] ||
		skip "no Landlock"
	u_ok run --level standard --rootfs / --grant exec:deny -- /bin/sh -c '/bin/true || echo denied'
	out_is denied
}

@test "rootless grants: on a running one limits change, places do not" {
	mkdir "$T/docs" && chmod 755 "$T/docs"
	u_ok run -d --level standard --memory 128M --id "$ID" --rootfs "$B/rootfs" --grant "filesystem:read:$T/docs" -- sleep 100
	u grant "$ID" "filesystem:read:$T/docs"
	is "$status" 76
	err_has "plain user's"
	u_ok grant "$ID" memory:limit:64M
	u_ok grant "$ID" 'cpu:limit:50% ttl=500ms'
	wait_for 5 eval '! grep -q cpu:limit "$R/$ID/grants"'
	u_ok revoke "$ID" memory:limit:64M
	u revoke "$ID" "filesystem:read:$T/docs"
	is "$status" 76
	u_ok delete --force "$ID"
}

@test "rootless grants: root in a user namespace of an engine's has all of them" {
	requires userns
	mkdir "$T/docs" && echo hello >"$T/docs/a" && chmod 755 "$T/docs"
	as unshare -Ur --mount --fork sh -c "'$T/brig' --root '$R' run -d --level standard --timeout 20s --id $ID \
		--rootfs '$B/rootfs' -- sleep 20 || exit 9
		'$T/brig' --root '$R' grant $ID 'filesystem:read:$T/docs ttl=1s' &&
		'$T/brig' --root '$R' exec $ID cat /run/grants/docs/a
		sleep 1.5; '$T/brig' --root '$R' exec $ID cat /run/grants/docs/a 2>/dev/null || echo over
		'$T/brig' --root '$R' delete --force $ID"
	[ "$status" != 9 ] || skip "no sandbox here: $err"
	out_is $'/run/grants/docs\nhello\nover'
}
