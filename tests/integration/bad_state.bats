#!/usr/bin/env bats
load helpers
# ids, state directories and races

@test "ids that are no names are refused by every verb" {
	for id in '' . .. ../x a/b /x 'a b' $'a\nb' $'a\tb' $'a\x01b' $'a\x7fb' 'ä' "$(printf 'x%.0s' {1..300})" \
		'a;b' 'a*b' '%s' $'\xff' -- ; do
		for v in create start state kill delete pause resume ps exec events update run; do
			case $v in
			create | run) set -- -b "$B" ;;
			*) set -- ;;
			esac
			case $v in exec) tail=true ;; *) tail= ;; esac
			b "$v" "$@" "$id" $tail
			[ "$status" != 0 ] || fail "$v took [$id]"
		done
	done
	[ ! -e "$T/x" ]
	nothing_left
}

@test "delete --force with a path as the id removes nothing" {
	mkdir "$T/victim"
	: >"$T/victim/file"
	for id in ../victim "../../test/victim" "$T/victim" .. .; do
		b delete --force "$id"
		[ -e "$T/victim/file" ] || fail "$id was deleted"
		[ -d "$R" ] || fail "the root was deleted"
	done
}

@test "ids with each allowed character work" {
	ok create -b "$B" "$ID-aZ09_+.x"
	ok delete "$ID-aZ09_+.x"
}

@test "an id of 255 characters works or is refused, longer is refused" {
	long=$ID-$(printf 'x%.0s' {1..230})
	b run -b "$B" "${long:0:200}"
	[ "$status" = 0 ] || [ -n "$err" ]
	nothing_left
}

@test "each verb in each wrong state fails, changes nothing and says so in one line" {
	# unknown
	for v in start state 'kill' delete pause resume ps; do no "$v" "$ID"; done
	no exec "$ID" true
	no update --pids-limit 5 "$ID"
	# created
	creates
	no resume "$ID"
	no create -b "$B" "$ID"
	no run -b "$B" "$ID"
	status_is created
	# stopped
	ok start "$ID"
	becomes stopped
	for v in start pause resume 'kill'; do no "$v" "$ID"; done
	no exec "$ID" true
	no create -b "$B" "$ID"
	status_is stopped
	ok delete "$ID"
	# running
	sleeps
	for v in start delete resume; do no "$v" "$ID"; done
	no create -b "$B" "$ID"
	status_is running
}

@test "a state directory that is read-only: refused, nothing left" {
	mkdir "$T/ro"
	cat >"$T/script" <<-END
		mount -t tmpfs -o ro none "$T/ro" || exit 99
		"$BRIG" ${RUNTIME_FLAGS[*]} --root "$T/ro" create -b "$B" "$ID"
	END
	status=0
	unshare -m --propagation private "${FG[@]}" 10 sh "$T/script" </dev/null >"$T/out" 2>"$T/err" 3>&- ||
		status=$?
	is "$status" 1
	grep -qi 'read-only' "$T/err"
	nothing_left
}

@test "a full disk in the state directory: refused, nothing left" {
	mkdir "$T/full"
	cat >"$T/script" <<-END
		mount -t tmpfs -o size=4k,nr_inodes=3 none "$T/full" || exit 99
		head -c 4096 /dev/zero >"$T/full/fill"
		"$BRIG" ${RUNTIME_FLAGS[*]} --root "$T/full" create -b "$B" "$ID"
		rc=\$?
		ls "$T/full" >"$T/ls"
		exit \$rc
	END
	status=0
	unshare -m --propagation private "${FG[@]}" 10 sh "$T/script" </dev/null >"$T/out" 2>"$T/err" 3>&- ||
		status=$?
	is "$status" 1
	grep -qi 'no space' "$T/err"
	nothing_left
	is "$(<"$T/ls")" fill || [ "$PEER" = runc ]
}

@test "a full disk while the state is written: refused, nothing left" {
	mkdir "$T/full"
	known_peer_failure runc crun
	# each number of free inodes and pages once: wherever it ends, nothing is left
	for n in 2 3 4 5 6; do
		cat >"$T/script" <<-END
			mount -t tmpfs -o size=8k,nr_inodes=$n none "$T/full" || exit 99
			"$BRIG" ${RUNTIME_FLAGS[*]} --root "$T/full" create -b "$B" "$ID" && {
				"$BRIG" ${RUNTIME_FLAGS[*]} --root "$T/full" delete --force "$ID" || exit 98
			}
			test -z "\$(ls -A "$T/full")" || { ls -lR "$T/full"; exit 97; }
		END
		status=0
		unshare -m --propagation private "${FG[@]}" 10 sh "$T/script" </dev/null >"$T/out" 2>&1 3>&- ||
			status=$?
		[ "$status" -le 1 ] || fail "$n inodes: $status $(<"$T/out")"
		nothing_left
	done
}

@test "state.json of another program, truncated, empty, a directory: no crash, delete --force clears" {
	for content in '' '{' 'null' '[]' '{"id": 3}' '{"v": 99}' $'\x00\x01'; do
		mkdir "$R/$ID"
		printf '%s' "$content" >"$R/$ID/state.json"
		b state "$ID"
		[ "$status" != 0 ] && [ "$status" -lt 126 ] || fail "[$content]: $status $out"
		b list
		[ "$status" -lt 126 ]
		b kill "$ID" KILL
		[ "$status" -lt 126 ]
		b delete --force "$ID"
		[ "$status" -lt 126 ]
		[ "$PEER" = brig ] || rm -rf "${R:?}/$ID"
		[ ! -e "$R/$ID" ] || fail "[$content] stays"
	done
}

@test "a state directory that is a symlink to elsewhere is not followed by delete" {
	mkdir "$T/victim"
	: >"$T/victim/file"
	ln -s "$T/victim" "$R/$ID"
	b delete --force "$ID"
	rm -f "$R/$ID"
	known_peer_failure runc crun
	[ -e "$T/victim/file" ]
}

@test "a pid in the state that belongs to somebody else now is not killed" {
	sleeps
	init_pid
	kill -9 "$PID"
	gone "$PID"
	sleep 100 3>&- &
	other=$!
	PIDS+=("$other")
	state=$(find "$R/$ID" -name state.json)
	sed "s/\"pid\": *$PID/\"pid\":$other/; s/\"init_process_pid\": *$PID/\"init_process_pid\":$other/" \
		"$state" >"$T/s"
	cat "$T/s" >"$state"
	b kill "$ID" KILL
	b delete --force "$ID"
	kill -0 "$other"
}

@test "root directory is made when it does not exist" {
	ok --root "$T/new/root" run -b "$B" "$ID"
	rm -rf "$T/new"
}

@test "root that is a file is refused" {
	: >"$T/plain"
	no --root "$T/plain" create -b "$B" "$ID"
	err_has plain
}

@test "eight racing runs of one id: at least one wins, each other fails, nothing left" {
	known_peer_failure runc crun
	prog 'sleep 0.2'
	for i in 1 2 3 4 5 6 7 8; do
		(
			rc=0
			"${FG[@]}" 10 "${BR[@]}" run -b "$B" "$ID" </dev/null >/dev/null 2>&1 3>&- || rc=$?
			echo $rc >"$T/rc$i"
		) 3>&- &
		PIDS+=($!)
	done
	wait "${PIDS[@]}"
	cat "$T"/rc? | sort | uniq -c >"$T/sum"
	grep -q ' 0$' "$T/sum"
	grep -vE ' (0|1)$' "$T/sum" && fail "$(<"$T/sum")"
	nothing_left
}

@test "create, start, kill and delete race on one id without a crash or a leak" {
	known_peer_failure runc crun
	config '.process.args = ["sleep", "100"]'
	for i in 1 2 3; do
		for v in "create -b $B" start "kill" "delete --force" state; do
			case $v in kill) tail=KILL ;; *) tail= ;; esac
			# shellcheck disable=SC2086
			"${FG[@]}" 10 "${BR[@]}" $v "$ID" $tail </dev/null >>"$T/race" 2>&1 3>&- &
			PIDS+=($!)
		done
	done
	for p in "${PIDS[@]}"; do
		rc=0
		wait "$p" || rc=$?
		[ "$rc" -lt 124 ] || fail "ended with $rc: $(<"$T/race")"
	done
	PIDS=()
	ok delete --force "$ID"
	nothing_left
}

# damages of the file "$S"
damage() {
	case $1 in
	empty) : >"$S" ;;
	truncated) truncate -s 100 "$S" ;;
	garbage) head -c 2000 /dev/urandom >"$S" ;;
	zeros) head -c 2000 /dev/zero >"$S" ;;
	'other id') sed "s/\"id\":\"$ID\"/\"id\":\"$ID-other\"/" "$S" >"$T/s" && cat "$T/s" >"$S" ;;
	'no number') sed 's/"pid":[0-9]*/"pid":"x"/' "$S" >"$T/s" && cat "$T/s" >"$S" ;;
	directory) rm "$S" && mkdir "$S" ;;
	missing) rm "$S" ;;
	esac
}

@test "delete --force of a container whose state.json is damaged ends and removes all of it" {
	known_peer_failure runc crun
	local how
	for how in empty truncated garbage zeros 'other id' 'no number' directory missing; do
		sleeps
		init_pid
		S=$R/$ID/state.json
		damage "$how"
		b delete "$ID"
		[ "$how" = missing ] || [ "$status" != 0 ] || fail "$how: a running one was deleted"
		kill -0 "$PID" || fail "$how: delete without --force ended it"
		b delete --force "$ID"
		is "$status" 0
		gone "$PID"
		[ ! -e "$R/$ID" ] || fail "$how: the state directory stays"
		nothing_left
	done
}

@test "delete --force: a state.json of another container does not end that one" {
	known_peer_failure runc crun
	sleeps
	init_pid
	other=$PID
	ok run -d -b "$B" "$ID-2"
	ID=$ID-2 init_pid
	cat "$R/$ID/state.json" >"$R/$ID-2/state.json"
	ok delete --force "$ID-2"
	gone "$PID"
	kill -0 "$other" || fail "the other one was ended"
	status_is running
}

@test "delete --force with state.json and its copy damaged: says what to do, and removes nothing" {
	known_peer_failure runc crun
	sleeps
	cp -a "$R/$ID" "$T/kept"
	echo x >"$R/$ID/state.json"
	echo x >"$R/$ID/state.copy"
	no delete --force "$ID"
	err_has "remove $R/$ID"
	[ -e "$R/$ID/config.json" ]
	cat "$T/kept/state.json" >"$R/$ID/state.json"
	ok delete --force "$ID"
}

@test "delete --force with state.json and its copy gone: the container's processes are not left behind unsaid" {
	known_peer_failure runc crun
	sleeps
	init_pid
	cp -a "$R/$ID" "$T/kept"
	rm "$R/$ID/state.json" "$R/$ID/state.copy"
	no delete "$ID"
	no delete --force "$ID"
	err_has "remove $R/$ID"
	kill -0 "$PID"
	cat "$T/kept/state.json" >"$R/$ID/state.json"
	ok delete --force "$ID"
	gone "$PID"
}

@test "a run with too few descriptors, however few: refused, nothing left" {
	known_peer_failure runc crun
	config '.process.args = ["true"]'
	for n in {7..40}; do
		status=0
		(
			ulimit -n "$n"
			"${FG[@]}" 10 "${BR[@]}" run -b "$B" "$ID" </dev/null >"$T/out" 2>"$T/err" 3>&-
		) || status=$?
		[ "$status" -le 1 ] || fail "$n: $status $(<"$T/err")"
		[ ! -e "$R/$ID" ] || fail "$n descriptors: its state stays: $(<"$T/err")"
		[ "$status" = 1 ] || break
	done
	is "$status" 0
	nothing_left
}

@test "a brig that was killed before its cgroup was made: delete --force ends nobody else's there" {
	known_peer_failure runc crun
	sleeps
	local dir=$R/$ID d
	init_pid
	# its first state, as it is on disk before the cgroup is made
	mkdir "$T/first"
	jq -c '.status = "creating" | .pid = 0 | .startTime = 0' "$dir/state.json" >"$T/first/state.json"
	cp "$dir/config.json" "$T/first/"
	dirs=$(jq -r '.cgroup.dirs[].path' "$dir/state.json")
	ok delete --force "$ID"
	# meanwhile others come
	sleep 100 3>&- &
	other=$!
	PIDS+=("$other")
	for d in $dirs; do
		mkdir -p "$d"
		[[ $d == *cpuset* ]] || echo "$other" >"$d/cgroup.procs"
	done
	cp -a "$T/first" "$dir"
	b delete --force "$ID"
	is "$status" 0
	kill -0 "$other" || fail "delete --force ended a process of others"
	[ ! -e "$dir" ]
	kill "$other"
	wait "$other" || :
	for d in $dirs; do rmdir "$d" 2>/dev/null || :; done
}
