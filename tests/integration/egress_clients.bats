#!/usr/bin/env bats
load helpers
load ../lib/net
# Programs that people use, of this machine's own (--rootfs /), against servers that are real.

setup_file() {
	net_up
	[ ! -e "$NET/www" ] || repositories
}
teardown_file() { net_down; }

# A Python package, a git repository and an apt archive, below the web server's root.
repositories() {
	local files=$NET/www/files d=$NET/make
	mkdir -p "$d/demo-1.0.dist-info" "$files/simple/demo" "$files/debian" "$d/deb/DEBIAN" "$d/deb/usr/share/demo"
	echo 'WORD = "from the index"' >"$d/demo.py"
	printf 'Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n' >"$d/demo-1.0.dist-info/METADATA"
	printf 'Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n' >"$d/demo-1.0.dist-info/WHEEL"
	printf 'demo.py,,\ndemo-1.0.dist-info/METADATA,,\ndemo-1.0.dist-info/WHEEL,,\ndemo-1.0.dist-info/RECORD,,\n' \
		>"$d/demo-1.0.dist-info/RECORD"
	(cd "$d" && python3 -m zipfile -c "$files/simple/demo/demo-1.0-py3-none-any.whl" demo.py demo-1.0.dist-info)
	if command -v git >/dev/null; then
		(
			git init -q "$d/git" && cd "$d/git" && echo from-git >file && git add file &&
				git -c user.name=t -c user.email=t@example.org commit -qm one &&
				git clone -q --bare . "$files/repo.git" && git -C "$files/repo.git" update-server-info
		)
	fi
	if command -v dpkg-deb >/dev/null; then
		printf 'Package: demo\nVersion: 1.0\nArchitecture: all\nMaintainer: t <t@example.org>\nDescription: d\n' \
			>"$d/deb/DEBIAN/control"
		echo from-apt >"$d/deb/usr/share/demo/word"
		dpkg-deb --root-owner-group -Znone -b "$d/deb" "$files/debian/demo_1.0_all.deb" >/dev/null
		{
			cat "$d/deb/DEBIAN/control"
			printf 'Filename: ./demo_1.0_all.deb\nSize: %s\nSHA256: %s\n' "$(stat -c %s "$files/debian/demo_1.0_all.deb")" \
				"$(sha256sum <"$files/debian/demo_1.0_all.deb" | cut -d' ' -f1)"
		} >"$files/debian/Packages"
	fi
	chmod -R a+rX "$files"
}

client() { # OPTION... -- PROGRAM: with the host's programs
	LIMIT=60 b run --rootfs / --id "$ID" --env BRIG_TEST_MARK --net veth "$@"
}
at_both() { # PROGRAM FUNCTION: where the program is installed
	command -v "$1" >/dev/null || skip "no program $1"
	[ -x "/usr/bin/$1" ] || skip "no /usr/bin/$1"
	both "$2"
}

@test "clients: curl by name, by IPv6, over TLS; another name fails at once" {
	curls() {
		client --egress 'api.example.org:80,443' --egress 'CIDR:[2001:db8::99]:1' -- sh -c '
			curl -s http://api.example.org/; curl -sk https://api.example.org/; curl -s -6 http://api.example.org/
			curl -s http://files.example.org/; echo $?; curl -s http://203.0.113.20/; echo $?'
		is "$out" $'welcome\nwelcome\nwelcome\n6\n7'
	}
	at_both curl curls
}

@test "clients: a redirect to a name or an address that is not granted leads nowhere" {
	redirects() {
		client --egress api.example.org:80 -- sh -c '
			curl -sL http://api.example.org/leave; echo $?; curl -sL http://api.example.org/metadata; echo $?'
		is "$out" $'6\n7'
		not_arrived '(169|198).*'
	}
	at_both curl redirects
}

@test "clients: curl keeps one connection for many requests when its address has expired" {
	pooled() {
		client --egress api.example.org:80 --net-conns 1 -- curl -s http://api.example.org/ http://api.example.org/ http://api.example.org/
		is "$out" $'welcome\nwelcome\nwelcome'
	}
	at_both curl pooled
}

@test "clients: wget takes a file whole" {
	wgets() {
		client --egress api.example.org:80 -- sh -c 'wget -q -O- http://api.example.org/big | md5sum'
		is "$out" "$(md5sum <"$NET/www/files/big")"
	}
	at_both wget wgets
}

@test "clients: pip installs from a local index" {
	pips() {
		client --egress pypi.example.org:80 -- sh -c '
			/usr/bin/python3 -m pip install -q --disable-pip-version-check --target /tmp/p \
			--index-url http://pypi.example.org/simple --trusted-host pypi.example.org demo 2>&1 &&
			PYTHONPATH=/tmp/p /usr/bin/python3 -c "import demo; print(demo.WORD)"'
		is "${out##*$'\n'}" 'from the index'
	}
	/usr/bin/python3 -m pip --version >/dev/null 2>&1 || skip "no pip"
	at_both python3 pips
}

@test "clients: pip fails at once where its index is not granted" {
	/usr/bin/python3 -m pip --version >/dev/null 2>&1 || skip "no pip"
	client --egress api.example.org:80 -- /usr/bin/python3 -m pip install -q --retries 0 --disable-pip-version-check \
		--target /tmp/p --index-url http://pypi.example.org/simple demo
	[ "$status" != 0 ] && [ "$status" != 124 ]
}

@test "clients: git clones" {
	gits() {
		client --egress git.example.org:80 -- sh -c 'git clone -q http://git.example.org/repo.git /tmp/r && cat /tmp/r/file'
		is "$out" from-git
	}
	at_both git gits
}

@test "clients: apt takes a package from a local mirror" {
	apts() {
		client --egress deb.example.org:80 -- sh -c '
			mkdir -p /tmp/a/lists/partial /tmp/a/cache/archives/partial /tmp/a/etc/apt.conf.d /tmp/a/etc/preferences.d
			echo "deb [trusted=yes] http://deb.example.org/debian ./" >/tmp/a/list
			: >/tmp/a/status
			set -- -qq -o Dir::Etc=/tmp/a/etc -o Dir::Etc::SourceList=/tmp/a/list -o Dir::Etc::SourceParts=- \
				-o Dir::State=/tmp/a -o Dir::State::lists=/tmp/a/lists -o Dir::State::status=/tmp/a/status \
				-o Dir::Cache=/tmp/a/cache -o APT::Sandbox::User= -o Acquire::Languages=none
			apt-get "$@" update && cd /tmp && apt-get "$@" download demo && dpkg-deb --fsys-tarfile demo_1.0_all.deb |
				tar -xO ./usr/share/demo/word' 2>&1
		is "${out##*$'\n'}" from-apt
	}
	command -v dpkg-deb >/dev/null || skip "no dpkg-deb"
	at_both apt-get apts
}

@test "clients: Python's urllib, and lookups in threads" {
	pythons() {
		local n=1000
		[ "$LEVEL" != high ] || n=60 # it has 50 connections a second
		client --egress api.example.org:80 -- /usr/bin/python3 -c '
import socket, urllib.request, concurrent.futures as f
print(urllib.request.urlopen("http://api.example.org/").read().decode().strip())
def one(i):
    s = socket.create_connection(("api.example.org", 80)); s.close(); return 1
def found(i): return len(socket.getaddrinfo("api.example.org", 80, type=socket.SOCK_STREAM))
with f.ThreadPoolExecutor(8) as pool: print(sum(pool.map(one, range('"$n"'))), sum(pool.map(found, range(1000))))
try: socket.create_connection(("files.example.org", 80))
except socket.gaierror as e: print("gaierror")
try: socket.create_connection(("203.0.113.20", 80))
except ConnectionRefusedError: print("refused")'
		is "$out" $'welcome\n'"$n"$' 1000\ngaierror\nrefused'
	}
	at_both python3 pythons
}

@test "clients: Node's fetch and dns" {
	nodes() {
		client --lang node --egress api.example.org:80 -- node -e '
			(async () => {
				console.log((await (await fetch("http://api.example.org/")).text()).trim())
				console.log((await require("dns").promises.lookup("api.example.org", {family: 4})).address)
				try { await fetch("http://files.example.org/") } catch (e) { console.log(e.cause.syscall) }
				try { await fetch("http://203.0.113.20/") } catch (e) { console.log(e.cause.code) }
				process.exit(0)
			})()'
		is "$out" $'welcome\n203.0.113.10\ngetaddrinfo\nECONNREFUSED'
	}
	at_both node nodes
}

@test "clients: a download goes on when its address has expired, and ends when its grant does" {
	[ -x /usr/bin/curl ] || skip "no /usr/bin/curl"
	local p
	"${BR[@]}" run --rootfs / --id "$ID" --env BRIG_TEST_MARK --net veth --egress api.example.org:80 -- \
		sh -c 'curl -s --limit-rate 300k http://api.example.org/huge | wc -c' </dev/null >"$T/bytes" 2>&1 3>&- &
	p=$!
	PIDS+=("$p")
	becomes running
	flows() { grep -q '203.0.113.10 6 80' <<<"$(arrived)"; }
	wait_for 10 flows
	init_pid
	in_sandbox nft flush map inet brig name4
	ok revoke "$ID" network:api.example.org
	wait "$p" || :
	[ "$(<"$T/bytes")" -lt 268435456 ]
}

@test "clients: a slow download whose address expires comes whole" {
	[ -x /usr/bin/curl ] || skip "no /usr/bin/curl"
	local p go
	# Nobody reads more than a pipe holds until this test has said so.
	mkfifo "$T/go"
	exec {go}<>"$T/go"
	"${BR[@]}" run --rootfs / --id "$ID" --env BRIG_TEST_MARK --net veth --egress api.example.org:80 -- \
		sh -c 'exec 4<&0; curl -s http://api.example.org/big | { read -r go <&4; wc -c; }' \
		<"$T/go" >"$T/bytes" 2>&1 3>&- &
	p=$!
	PIDS+=("$p")
	becomes running
	flows() { grep -q '203.0.113.10 6 80' <<<"$(arrived)"; }
	wait_for 10 flows
	init_pid
	in_sandbox nft flush map inet brig name4
	echo go >&"$go"
	wait "$p"
	exec {go}>&-
	is "$(<"$T/bytes")" 4194304
}
