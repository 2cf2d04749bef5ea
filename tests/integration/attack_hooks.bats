#!/usr/bin/env bats
load helpers
# A startContainer hook is found in the container: its file and its output are the image's

@test "a startContainer hook of #!/proc/self/exe does not get the runtime's binary" {
	requires tool:cc
	local lib
	# The libraries that this copy of the runtime finds in the container are the image's too.
	ldd "$(command -v "$BRIG")" >"$T/ldd" || skip "the runtime is static"
	for lib in $(grep -o '/[^ ]*' "$T/ldd"); do
		mkdir -p "$B/rootfs${lib%/*}"
		cp -L "$lib" "$B/rootfs$lib"
	done
	cat >"$T/evil.c" <<-'EOC'
		#include <fcntl.h>
		#include <unistd.h>
		__attribute__((constructor)) static void evil(void)
		{
			char exe[512];
			int fd = open("/tmp/exe", O_WRONLY | O_CREAT | O_TRUNC, 0666);
			ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe));
			_exit(write(fd, exe, n) != n);
		}
	EOC
	cc -shared -fPIC -o "$B/rootfs/evil.so" "$T/evil.c"
	printf '#!/proc/self/exe\n' >"$B/rootfs/bin/entry"
	chmod 755 "$B/rootfs/bin/entry"
	config '.hooks.startContainer = [{"path": "/bin/entry", "env": ["LD_PRELOAD=/evil.so"]}]'
	b run -b "$B" "$ID"
	[ ! -e "$B/rootfs/tmp/exe" ] || grep '^/memfd:' "$B/rootfs/tmp/exe" || fail "$(<"$B/rootfs/tmp/exe")"
}

@test "a startContainer hook cannot write to the caller's terminal by the error message" {
	config '.hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c",
		"printf \"\\\\033]0;evil\\\\007\\\\nlevel=info msg=forged\"; exit 3"]}]'
	no run -b "$B" "$ID"
	[[ $err != *$'\033'* ]] && [[ $err != *$'\007'* ]] || fail "control characters: $(od -c "$T/err")"
	is "$(wc -l <"$T/err")" 1
	b --log "$T/log" run -b "$B" "$ID"
	[[ $err != *$'\033'* ]] || fail "control characters: $(od -c "$T/err")"
	is "$(wc -l <"$T/err")" 1
}
