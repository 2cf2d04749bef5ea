# shellcheck shell=bash
# Podman started by a user who is not root. The user, and the range of ids subordinate to it, exist in
# the private machine only.

# Files of /etc as the machine's processes are to see them.
with_line()
{
	cp "$1" "$MACHINE_DIR/${1##*/}"
	echo "$2" >>"$MACHINE_DIR/${1##*/}"
	chmod 644 "$MACHINE_DIR/${1##*/}"
	inside mount --bind "$MACHINE_DIR/${1##*/}" "$1"
}

rootless_up()
{
	local dir=$MACHINE_DIR/rootless

	export ENGINE=podman HOME=$dir XDG_RUNTIME_DIR=/run/rootless
	export CONTAINERS_CONF=$dir/conf/containers.conf CONTAINERS_STORAGE_CONF=$dir/conf/storage.conf
	with_line /etc/passwd "rootless:x:4242:4242::$dir:/bin/sh"
	with_line /etc/group rootless:x:4242:
	with_line /etc/subuid rootless:200000:65536
	with_line /etc/subgid rootless:200000:65536
	inside install -d -o 4242 -g 4242 -m 700 "$XDG_RUNTIME_DIR"
	mkdir "$dir"
	podman_config "$dir/conf" "$XDG_RUNTIME_DIR"
	# The user's cgroup is not his own: no limits, no cgroup for conmon.
	sed -i '/^default_ulimits/d' "$dir/conf/containers.conf"
	chown -R 4242:4242 "$dir"
	cp "$1" "$dir/image.tar"
	chmod 644 "$dir/image.tar"
	engine load -q -i "$dir/image.tar"
}

engine()
{
	inside setpriv --reuid 4242 --regid 4242 --clear-groups --inh-caps=-all "$ENGINE" "$@"
}
