#!/usr/bin/env bats
load helpers
load ../lib/levels
# taint and untaint, who tells of them, and --ctx: docs/results.md, Taint.

more_setup() {
	requires root
	known_peer_failure runc crun
	mkdir -p "$T/levels"
	LOG=$T/log/audit.jsonl
	admin '"audit": {"path": "'"$LOG"'"}'
	at custom
}

# refuses_taint CODE WORD ARGS...
refuses_taint() {
	local code=$1 word=$2
	shift 2
	b "$@"
	is "$status" "$code"
	one_line "$word"
}
taints() { jq -r '.brig.taint[]? | [.class, .name // .reason] | join(" ")' "$T/out"; }
tainted() {
	ok state "$ID"
	jq -r '.brig.tainted // false' "$T/out"
}
events() { jq -r "$1" "$LOG"; }

@test "taint: state, list and the result tell of it, at custom, too" {
	sleeps
	ok list
	out_lacks TAINT
	ok taint "$ID" --reason 'its output looked odd: "ä"'
	ok state "$ID"
	is "$(command jq -c '.brig | del(.taint[].first, .taint[].last)' "$T/out")" \
		'{"tainted":true,"taint":[{"class":"manual","reason":"its output looked odd: \"ä\"","count":1,"by":"uid=0"}]}'
	[[ $(jq -r '.brig.taint[0].last' "$T/out") =~ ^20..-..-..T..:..:..\....Z$ ]]
	ok list
	out_has $'OWNER +TAINT\n.*root +manual$'
	ok list -f json
	is "$(jq -r '.[0].tainted' "$T/out")" true
	ok kill "$ID" KILL
	becomes stopped
	b wait "$ID"
	is "$(jq -c .taint "$T/out")" '["manual"]'
	is "$(tainted)" true
	ok taint "$ID" --reason 'and again' --class own-word
	b wait "$ID"
	is "$(jq -c .taint "$T/out")" '["manual","own-word"]'
	ok delete "$ID"
}

@test "taint: it can be looked at, worked in and deleted all the same" {
	creates
	ok taint "$ID" --reason early
	ok start "$ID"
	becomes stopped
	is "$(tainted)" true
	ok delete "$ID"
	sleeps
	ok taint "$ID" --reason x
	ok exec "$ID" true
	ok pause "$ID"
	is "$(tainted)" true
	ok delete --force "$ID"
}

@test "taint: a result that is written afterwards has it" {
	prog 'sleep 1'
	b run --keep --result "$T/result" -b "$B" "$ID" 3>&- &
	PIDS+=($!)
	becomes running
	ok taint "$ID" --reason 'while it ran'
	wait "${PIDS[0]}"
	is "$(jq -c .taint "$T/result")" '["manual"]'
	is "$(jq -c .taint "$R/$ID/result.json")" '["manual"]'
	ok delete "$ID"
	at standard
	ok run -d -b "$B" "$ID"
	ok taint "$ID" --reason 'while it ran'
	becomes stopped
	b wait "$ID"
	is "$(jq -c .taint "$T/out")" '["manual"]'
	ok untaint "$ID" --reason 'it was nothing'
	b wait "$ID"
	is "$(jq -c .taint "$T/out")" null
	ok delete "$ID"
}

@test "taint: what a level saw taints, and untaint takes it back, on the record" {
	at high
	sleeps
	b exec "$ID" swapoff /x
	becomes stopped
	is "$(tainted)" true
	is "$(taints)" 'syscall swapoff'
	ok list
	out_has syscall
	ok untaint "$ID" --reason 'a test did that'
	is "$(tainted)" false
	b wait "$ID"
	is "$(jq -c .taint "$T/out")" null
	is "$(events 'select(.ev == "SandboxUntainted") | [.id, .action, .outcome, .level, .data.reason, .data.uid] | @csv')" \
		"\"$ID\",\"untaint\",\"ok\",\"high\",\"a test did that\",0"
	ok taint "$ID" --reason 'it did it again'
	is "$(tainted)" true
	is "$(taints)" 'manual it did it again'
	ok delete "$ID"
}

@test "taint: at high it is on the record, and holds where that cannot be written" {
	at high
	sleeps
	ok taint "$ID" --reason 'said so' --class egress
	is "$(events 'select(.ev == "SandboxTainted" and .action == "taint") | [.data.class, .data.reason] | @csv')" '"egress","said so"'
	chmod 777 "$T/log"
	b taint "$ID" --reason 'said so twice'
	is "$status" 1
	one_line 'is tainted, but that is not in the audit log'
	ok state "$ID"
	is "$(jq '.brig.taint | length' "$T/out")" 2
	refuses_taint 76 'stays tainted, as that cannot be audited' untaint "$ID" --reason 'never'
	is "$(tainted)" true
	chmod 700 "$T/log"
	ok untaint "$ID" --reason 'now'
	is "$(tainted)" false
	ok delete --force "$ID"
}

@test "untaint: audited whatever the sandbox and the administrator say of it" {
	local when
	creates
	for when in never level; do
		admin '"audit": {"path": "'"$LOG"'", "when": "'$when'"}'
		ok taint "$ID" --reason "x $when"
		ok untaint "$ID" --reason "y $when"
	done
	is "$(events 'select(.ev == "SandboxUntainted") | .data.reason')" $'y never\ny level'
	is "$(events 'select(.ev == "SandboxTainted")')" ''
	ok taint "$ID" --reason z
	printf x >"$T/notdir"
	admin '"audit": {"path": "'"$T/notdir/audit.jsonl"'"}'
	refuses_taint 76 'stays tainted' untaint "$ID" --reason never
	is "$(tainted)" true
	ok delete "$ID"
}

@test "taint: absurd reasons, classes and containers" {
	local long
	creates
	printf -v long '%1025s' x
	refuses_taint 1 'reason: empty' taint "$ID" --reason ''
	refuses_taint 1 'reason: longer than 1024' taint "$ID" --reason "$long"
	refuses_taint 1 'reason: control' taint "$ID" --reason $'a\nb'
	refuses_taint 1 'reason: control' taint "$ID" --reason $'\e[2J'
	refuses_taint 1 'reason: control' taint "$ID" --reason $'\xc2\x9b2J'
	refuses_taint 1 'reason: not UTF-8' taint "$ID" --reason $'\xff'
	refuses_taint 1 'class:' taint "$ID" --reason x --class 'A b'
	refuses_taint 1 'class:' taint "$ID" --reason x --class ''
	refuses_taint 1 '--reason' taint "$ID"
	refuses_taint 1 '--reason' untaint "$ID"
	refuses_taint 1 'not tainted' untaint "$ID" --reason x
	refuses_taint 1 'does not exist' taint "$ID-no" --reason x
	refuses_taint 1 'does not exist' untaint "$ID-no" --reason x
	refuses_taint 1 'invalid container' taint '../x' --reason x
	is "$(tainted)" false
	[ ! -e "$R/$ID/taint" ]
	ok taint "$ID" --reason "${long:1}"
	ok delete "$ID"
}

@test "taint: 64 reasons, and not one more" {
	local n
	creates
	for n in {1..64}; do ok taint "$ID" --reason "r$n"; done
	refuses_taint 76 'tainted for 64 reasons' taint "$ID" --reason r65
	ok state "$ID"
	is "$(jq -r '.brig.taint | length, .[63].reason' "$T/out")" $'64\nr64'
	ok list
	out_has ' manual$'
	ok untaint "$ID" --reason x
	ok taint "$ID" --reason r1
	ok delete "$ID"
}

@test "taint: many at once, none is lost" {
	local n p=()
	creates
	for n in {1..16}; do
		"${FG[@]}" 20 "${BR[@]}" taint "$ID" --reason "r$n" 3>&- &
		p+=($!)
	done
	for n in "${p[@]}"; do wait "$n"; done
	ok state "$ID"
	is "$(jq '[.brig.taint[].reason] | unique | length' "$T/out")" 16
	ok delete "$ID"
}

@test "taint: a file that cannot be read is a taint, until it is taken back" {
	local text
	creates
	for text in '{' '{"v":2}' '{"v":1,"taint":[{"reason":"x"}]}' '{"v":1,"more":1}'; do
		printf %s "$text" >"$R/$ID/taint"
		is "$(tainted)" true
		is "$(jq -r '.brig.taint[0] | .class, .name' "$T/out")" $'unreadable\ntaint'
		refuses_taint 1 'taint' taint "$ID" --reason x
	done
	ok untaint "$ID" --reason 'looked at'
	is "$(tainted)" false
	ok delete "$ID"
}

@test "taint: for the host's root only" {
	creates
	chmod 755 "$R" "$R/$ID"
	cp "$BRIG" "$T/brig"
	chmod 755 "$T/brig"
	for what in taint untaint; do
		status=0
		setpriv --reuid 1000 --regid 1000 --clear-groups "$T/brig" --root "$R" $what "$ID" --reason x \
			>"$T/out" 2>"$T/err" || status=$?
		slurp err "$T/err"
		is "$status" 77
		one_line "only the host's root"
		status=0
		unshare -Ur "$T/brig" --root "$R" $what "$ID" --reason x >"$T/out" 2>"$T/err" || status=$?
		is "$status" 77
	done
	is "$(tainted)" false
	ok delete "$ID"
}

@test "taint: at standard, too, where the kernel ended it for a call" {
	at standard
	prog 'exec swapoff /x'
	b run --keep -b "$B" "$ID"
	is "$(tainted)" true
	is "$(taints)" 'syscall '
	ok list
	out_has ' syscall$'
	ok untaint "$ID" --reason 'a test did that'
	is "$(tainted)" false
	ok list
	out_lacks TAINT
	ok delete "$ID"
}

# --- whose request it is -------------------------------------------------------------------------

more_of() { printf 'sha256:%s' "$(printf %s "$1" | sha256sum | cut -d' ' -f1)"; }

@test "ctx: in state.json and the result; of a principal only the hash" {
	local level
	for level in custom standard; do
		at $level
		ok run -b "$B" --keep --ctx request_id=req-17 --ctx principal=alice@example.org --result "$T/result" "$ID"
		is "$(command jq -c .ctx "$T/result")" "{\"requestId\":\"req-17\",\"principal\":\"$(more_of alice@example.org)\"}"
		is "$(jq -r .ctxRequest,.ctxPrincipal "$R/$ID/state.json")" "req-17"$'\n'"$(more_of alice@example.org)"
		! grep -r alice "$R" "$T/result" || fail "a principal is written down"
		ok delete "$ID"
	done
	ok run -b "$B" --ctx request_id=only --result "$T/result" "$ID"
	is "$(jq -c .ctx "$T/result")" '{"requestId":"only"}'
	ok run -b "$B" --result "$T/result" "$ID"
	is "$(jq -c .ctx "$T/result")" null
}

@test "ctx: annotations, which are hidden likewise; the caller's flag holds" {
	local level
	config '.annotations = {"dev.brig.ctx.request_id": "of-bundle", "dev.brig.ctx.principal": "alice@example.org"}'
	for level in custom standard; do
		at $level
		ok --debug create -b "$B" "$ID"
		! grep -r alice "$R" "$T/err" "$T/out" || fail "a principal is written down"
		is "$(jq -r .ctxRequest,.ctxPrincipal "$R/$ID/state.json")" "of-bundle"$'\n'"$(more_of alice@example.org)"
		ok state "$ID"
		is "$(jq -r '.annotations["dev.brig.ctx.principal"]' "$T/out")" "$(more_of alice@example.org)"
		ok start "$ID"
		becomes stopped
		ok delete "$ID"
		ok create -b "$B" --ctx request_id=of-caller "$ID"
		err_has 'annotation dev.brig.ctx.request_id is not what --ctx says'
		is "$(jq -r .ctxRequest "$R/$ID/state.json")" of-caller
		ok delete "$ID"
	done
}

@test "ctx: in the audit log, where exec may say something of its own" {
	admin '"audit": {"path": "'"$LOG"'", "when": "always"}'
	config '.process.args = ["sleep", "100"]'
	ok run -d --ctx request_id=r1 --ctx principal=alice -b "$B" "$ID"
	ok exec --ctx request_id=r2 "$ID" true
	ok exec --ctx principal=bob --ctx request_id=r3 "$ID" true
	ok taint "$ID" --reason x
	ok delete --force "$ID"
	is "$(events 'select(.ev == "SandboxCreated" or .ev == "ProcessStarted" or .ev == "SandboxTainted")
		| [.ev, .req, .principal] | join(" ")')" \
"SandboxCreated r1 $(more_of alice)
ProcessStarted r2 $(more_of alice)
ProcessStarted r3 $(more_of bob)
SandboxTainted r1 $(more_of alice)"
	! grep -E 'alice|bob' "$LOG" || fail "a principal is written down"
}

@test "ctx: what is refused, without a word of the text" {
	local bad long
	printf -v long '%257s' x
	for bad in "$long" $'hush\n' $'hush\e' '' 'hüsh'; do
		refused 'request_id: not 1 to 256' create -b "$B" --ctx "request_id=$bad" "$ID"
		refused 'principal: not 1 to 256' create -b "$B" --ctx "principal=$bad" "$ID"
	done
	for bad in hush tenant=hush principal principal:hush; do
		refused 'ctx' create -b "$B" --ctx "$bad" "$ID"
		[[ $err != *hush* ]]
	done
	refused twice create -b "$B" --ctx principal=hush --ctx principal=other "$ID"
	config '.annotations = {"dev.brig.ctx.principal": "hu\nsh"}'
	refused 'dev.brig.ctx.principal' create -b "$B" "$ID"
	config '.annotations = {"dev.brig.ctx.tenant": "x"}'
	at standard
	refused 'dev.brig.ctx.tenant: not known' create -b "$B" "$ID"
	at custom
	sleeps '.annotations = {}'
	no exec --ctx principal=$'hush\n' "$ID" true
	[[ $err != *hush* ]]
	ok exec --ctx principal=alice --ctx request_id=5 "$ID" true
	ok delete --force "$ID"
}
