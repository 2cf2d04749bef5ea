#!/usr/bin/env bats
load helpers
# The verb policy: what levels say, what would hold for a bundle, whether files are in order.
# Every test names its level and its administrator's file itself.

more_setup() {
	mkdir "$T/levels"
	system_config ''
	BR=("$BRIG" --root "$R" --system-config "$T/brig.json")
}

# system_config JSON: further members of brig.json
system_config() {
	printf '{"v": 1, "levels": "%s"%s}\n' "$T/levels" "$1" >"$T/brig.json"
}

# level NAME JSON: a level's file with these further members
level() {
	printf '{"v": 1, "name": "%s"%s}\n' "$1" "$2" >"$T/levels/$1.json"
}

# field NAME: a row of the last JSON answer
field() {
	jq -er --arg f "$1" '[.fields[] | select(.field == $f)] | last | .value' <<<"$out"
}

@test "show without a name lists the levels, the administrator's too" {
	level team ', "extends": "high"'
	echo '{}' >"$T/levels/notes.txt"
	ok policy show
	out_is $'custom\nhigh\nstandard\nteam'
	ok policy show --format json
	is "$(jq -c '[.v, .levels]' <<<"$out")" '[1,["custom","high","standard","team"]]'
}

@test "show prints every field with the level it comes from" {
	level team ', "extends": "high", "summary": "ours", "direct": {"wall": 5000}'
	ok policy show team --format json
	is "$(jq -r '[.v, .level, .extends, .summary] | @csv' <<<"$out")" '1,"team","high","ours"'
	is "$(field direct.wall)" 5000
	is "$(jq -r '.fields[] | select(.field == "direct.wall") | .from' <<<"$out")" team
	is "$(jq -r '.fields[] | select(.field == "proc") | .from' <<<"$out")" high
	is "$(jq -r '.fields[] | select(.field == "root.readonly") | .from' <<<"$out")" standard
	is "$(jq -r .document.direct.wall <<<"$out")" 5000
	[[ $(jq -r .digest <<<"$out") =~ ^sha256:[0-9a-f]{64}$ ]]
	ok policy show team
	out_has 'direct\.wall +team +.* 5000'
}

@test "docs/levels.md has a row for each field" {
	ok policy show standard --format json
	while read -r f; do
		case $f in
		direct.* | engine.* | violations.[!s]*) f=".${f#*.}" ;;
		esac
		grep -qF -- "\`$f\`" "$TOP/docs/levels.md" ||
			grep -qF -- "\`direct$f\`" "$TOP/docs/levels.md" || fail "docs/levels.md lacks $f"
	done < <(jq -r '.fields[].field' <<<"$out")
}

@test "the digest is that of the level as one line of JSON without its summary" {
	ok policy explain --level high --format json
	local digest
	digest=$(jq -r .digest <<<"$out")
	ok policy show high --format json
	is "$(jq -r .digest <<<"$out")" "$digest"
	is "sha256:$(command jq -jc '.document | del(.summary)' <<<"$out" | sha256sum | cut -d' ' -f1)" "$digest"
}

@test "a level that loosens what it extends is refused by name" {
	level x ', "extends": "standard", "network": {"egress": "any"}'
	no policy show x
	err_has 'level \\"x\\": network.egress: \\"any\\" is weaker than \\"deny\\" of level \\"standard\\"'
	no policy explain --level x
	err_has 'network.egress'
}

@test "levels that extend each other in a circle are refused" {
	level a ', "extends": "b"'
	level b ', "extends": "a"'
	no policy show a
	err_has 'extends: a -> b -> a goes in a circle'
}

@test "an unknown level is refused with the names there are" {
	no policy show nope
	err_has 'unknown level \\"nope\\" \(custom, high, standard\)'
	no policy explain --level ../brig
	err_has 'unknown level'
}

@test "a level file that everybody may write to is refused" {
	level x ', "extends": "high"'
	chmod 666 "$T/levels/x.json"
	no policy show x
	err_has 'everybody may write'
}

@test "explain says who decided: level, flag, annotation, document" {
	ok policy explain --level high --format json
	is "$(jq -c '.fields[0] | [.field, .value, .by]' <<<"$out")" '["level","high","flag"]'
	is "$(jq -r '.fields[] | select(.field == "proc") | .by' <<<"$out")" level
	echo '{"securityLevel": "high", "timeout": 5000, "resources": {"memory": "64Gi"}}' >"$T/doc.json"
	ok policy explain --level standard --policy "$T/doc.json" --format json
	is "$(field level)" high
	is "$(field direct.wall)" 5000
	is "$(field direct.memory)" 536870912
	is "$(jq -c '.fields[] | select(.field == "direct.memory") | [.by, .outcome, .asked]' <<<"$out")" \
		'["document","cut","68719476736"]'
	ok policy explain --level standard --policy "$T/doc.json"
	out_has 'direct\.memory +document +cut +68719476736 +policy document: resources.memory'
}

@test "annotations of a bundle narrow its policy and are named" {
	config '.annotations = {"dev.brig.level": "high", "dev.brig.pids.limit": "20",
		"dev.brig.fs.write": "/data:1Mi:noexec", "dev.brig.seccomp.language": "python"}'
	ok policy explain --level standard -b "$B" --format json
	is "$(field level)" high
	is "$(field engine.pids)" 20
	is "$(field seccomp.language)" python
	is "$(field writable.paths)" /data:1048576:noexec
	is "$(jq -r '.fields[] | select(.field == "engine.pids") | .reason' <<<"$out")" \
		'annotation dev.brig.pids.limit'
}

@test "an annotation never widens, and none names a host path, a program or a weaker level" {
	local name value want
	while IFS='|' read -r name value want; do
		cp "$B/config.json" "$T/good.json"
		config --arg k "dev.brig.$name" --arg v "$value" '.annotations = {($k): $v}'
		no policy explain --level high -b "$B"
		err_has "annotation dev.brig.$name: .*$want"
		cp "$T/good.json" "$B/config.json"
	done <<-'END'
		level|custom|weaker than the default level
		level|nope|unknown level
		cpu.pin|none|weaker than
		seccomp.violation|kill|weaker than
		seccomp.language|cobol|is none of
		seccomp.profile|/etc/passwd|not known
		hook|/bin/sh|not known
		fs.write|/proc/sys|below it
		fs.write|/a/../../etc|
		fs.write|etc|not an absolute path
		egress|[{"d":"*.com"}]|everybody has names
		egress|[|
		time.wall|soon|no duration
		pids.limit|many|no number
	END
}

@test "--level may go down to the minimum level and no further" {
	system_config ', "minimum_level": "standard"'
	ok policy explain --level standard
	no policy explain --level custom
	err_has '\\"custom\\" is weaker than the minimum level \\"standard\\"'
	system_config ', "minimum_level": "high"'
	no policy explain --level high
	err_has 'default_level: \\"standard\\" is weaker than minimum_level \\"high\\"'
}

@test "a brig.json that is missing, broken or has an unknown word is an error that names it" {
	rm "$T/brig.json"
	no policy show high
	err_has 'brig.json'
	echo '{"v": 1,' >"$T/brig.json"
	no policy show high
	err_has 'brig.json: line'
	echo '{"v": 1, "minimumLevel": "high"}' >"$T/brig.json"
	no policy show high
	err_has 'brig.json: minimumLevel: unknown'
}

@test "explain of a container that does not exist" {
	no policy explain nope
	err_has 'container does not exist'
}

@test "explain of a container prints the policy it was made with" {
	BR+=(--level custom)
	creates
	no policy explain "$ID"
	err_has "container $ID has no policy: its level is .*custom"
	cp "$TOP/tests/fuzz/corpus/policy/high.json" "$R/$ID/policy.json"
	ok policy explain "$ID" --format json
	is "$(field level)" high
	is "$(jq -r .digest <<<"$out")" "$(jq -r .digest "$R/$ID/policy.json")"
	sed -i 's/"minimal"/"masked"/' "$R/$ID/policy.json"
	no policy explain "$ID"
	err_has 'policy.json: digest: not that of the level'
	head -c 300 "$TOP/tests/fuzz/corpus/policy/high.json" >"$R/$ID/policy.json"
	no policy explain "$ID"
	err_has 'policy.json: '
	rm "$R/$ID/policy.json"
	ok delete "$ID"
}

@test "a container at standard keeps its policy, and explain lists what was cut" {
	BR+=(--level standard)
	config '.annotations = {"dev.brig.pids.limit": "20"} | .linux.resources.pids.limit = 2048
		| .process.capabilities.bounding = ["CAP_AUDIT_WRITE", "CAP_KILL"]'
	creates
	ok policy explain "$ID" --format json
	is "$(field engine.pids)" 20
	is "$(field linux.resources.pids.limit)" 20
	is "$(jq '[.fields[] | select(.outcome == "cut" and .field == "process.capabilities")] | length' <<<"$out")" 1
	is "$(jq '.linux.resources.pids.limit' "$R/$ID/config.json")" 20
	ok delete --force "$ID"
}

@test "what a level cuts and refuses of a bundle is listed" {
	config '.process.capabilities.bounding = ["CAP_SYS_ADMIN", "CAP_KILL"]'
	ok policy explain --level standard -b "$B" --format json
	is "$(jq '[.fields[] | select(.outcome == "cut")] | length > 0' <<<"$out")" true
	config '.linux.namespaces |= map(select(.type != "pid"))'
	no policy explain --level standard -b "$B" --format json
	is "$(jq '[.fields[] | select(.outcome == "refused")] | length' <<<"$out")" 1
	err_has 'pid'
}

@test "check tells the kinds of files apart and says what is wrong with each" {
	level good ', "extends": "high"'
	level bad ', "extends": "high", "proc": "masked"'
	echo '{"securityLevel": "high"}' >"$T/doc.json"
	echo '{"writablePaths": ["/proc"]}' >"$T/doc2.json"
	echo 'hello' >"$T/text"
	ok policy check "$T/levels/good.json" "$T/doc.json" "$T/brig.json" "$B/config.json"
	out_is "$T/levels/good.json: level: ok
$T/doc.json: document: ok
$T/brig.json: system: ok
$B/config.json: config: ok"
	b policy check --format json "$T/levels/good.json" "$T/levels/bad.json" "$T/doc2.json" "$T/text" "$T/none"
	is "$status" 1
	is "$err" ''
	is "$(jq -c '[.files[].ok]' <<<"$out")" '[true,false,false,false,false]'
	is "$(jq -r '.files[1].error' <<<"$out")" \
		'level "bad": proc: "masked" is weaker than "minimal" of level "high"'
	is "$(jq -r '.files[2].kind' <<<"$out")" document
	out_has '/proc or below it'
}

@test "check knows brig.json and a document by any of their members" {
	local kind line
	while IFS='|' read -r kind line; do
		echo "$line" >"$T/one.json"
		ok policy check "$T/one.json"
		out_has "one.json: $kind: ok"
	done <<-'END'
		system|{"v": 1, "grants": {"paths": ["/srv/public"]}}
		system|{"v": 1, "reuse": {"cross_tenant": true}}
		system|{"v": 1, "audit": {"when": "always"}}
		system|{"v": 1, "ingress": {"ceiling": ["node"]}}
		document|{"capabilities": {"shell": false}}
		document|{"language": "python"}
		document|{"maxCPUTime": "10s", "runAsUser": 1000}
	END
}

@test "what is no word of the verb, no format or too much is refused" {
	no policy frob
	err_has 'none of show, explain, check'
	no policy show high standard
	err_has 'one level'
	no policy explain --format xml
	err_has 'format'
	no policy check
	err_has 'which files'
	no policy explain --level high someid
	err_has 'no options with an id'
}
