#!/usr/bin/env bats
load helpers

@test "state has the properties of the runtime-spec" {
	config '.annotations = {"org.example.key": "value"}'
	sleeps
	ok state "$ID"
	jq -e --arg id "$ID" --arg b "$B" '.ociVersion != null and .id == $id and .status == "running"
		and .pid > 0 and .bundle == $b and .annotations["org.example.key"] == "value"' "$T/out"
}

@test "state has runc's properties rootfs, created and owner too" {
	sleeps
	ok state "$ID"
	jq -e --arg r "$B/rootfs" '.rootfs == $r and has("owner")
		and (.created | test("^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]+Z$"))' "$T/out"
}

@test "state of a stopped container has pid 0" {
	creates
	ok start "$ID"
	becomes stopped
	is "$(field .pid)" 0
}

@test "state of an unknown id fails" {
	no state "$ID"
	err_has 'does not exist'
	out_is ""
}

@test "state without an id fails" {
	no state
}

@test "state tells stopped within a second after the program's end" {
	config '.process.args = ["sleep","0.2"]'
	ok run -d -b "$B" "$ID"
	sleep 1
	status_is stopped
}

@test "state notices that the pid belongs to another process now" {
	# A recorded pid alone proves nothing: the start time does.
	creates
	init_pid
	kill -9 "$PID"
	gone "$PID"
	status_is stopped
}

@test "list of an empty root prints only the head" {
	ok list
	out_has '^ID +PID +STATUS +BUNDLE +CREATED +OWNER *$'
}

@test "list names each container, sorted by id" {
	config '.process.args = ["sleep","100"]'
	for i in b a c; do ok create -b "$B" "$ID-$i"; done
	ok list
	is "$(awk 'NR > 1 {print $1}' "$T/out" | tr '\n' ' ')" "$ID-a $ID-b $ID-c "
	out_has "$ID-a +[0-9]+ +created +$B +20[0-9-]+T[0-9:.]+Z +root"
}

@test "list -q prints ids only" {
	creates
	ok list -q
	out_is "$ID"
}

@test "list --quiet of an empty root prints nothing" {
	ok list --quiet
	out_is ""
}

@test "list --format json is one line with runc's keys in runc's order" {
	sleeps
	ok list --format json
	[[ $out != *$'\n'* ]]
	is "$(jq -r '.[0] | keys_unsorted | join(",")' "$T/out")" \
		'ociVersion,id,pid,status,bundle,rootfs,created,owner'
}

@test "list -f json of an empty root is null or an empty list" {
	ok list -f json
	out_has '^(null|\[\])$'
}

@test "list --format with an unknown format fails" {
	creates
	no list --format xml
	err_has 'xml|format'
}

@test "list of a root that does not exist fails" {
	known_peer_failure runc # 1.1.5; later ones fail
	no --root "$T/none" list
}

@test "list takes stopped containers too" {
	creates
	ok start "$ID"
	becomes stopped
	ok list
	out_has "$ID +0 +stopped"
}

@test "list passes over directories that are no container" {
	creates
	mkdir "$R/stray"
	b list -q
	rmdir "$R/stray"
	[[ $out == "$ID" ]] || fail "$out"
}

@test "ps prints the processes as ps -ef does" {
	sleeps
	ok ps "$ID"
	out_has '^UID +PID +PPID +C +STIME +TTY +TIME +CMD'
	out_has 'root +[0-9]+ +.*sleep 100'
}

@test "ps -f json prints the pids" {
	sleeps
	init_pid
	ok ps -f json "$ID"
	out_is "[$PID]"
}

@test "ps passes its arguments on to ps" {
	sleeps
	ok ps "$ID" -e -x
	out_has 'PID +TTY +STAT +TIME +COMMAND'
	out_has 'sleep 100'
}

@test "ps tells processes that exec added" {
	sleeps
	ok exec -d "$ID" sleep 101
	ok ps "$ID"
	out_has 'sleep 101'
}

@test "ps works after the container has stopped" {
	creates
	ok start "$ID"
	becomes stopped
	ok ps "$ID"
	out_lacks 'sleep'
}

@test "ps of an unknown id fails" {
	no ps "$ID"
	err_has 'does not exist'
}
