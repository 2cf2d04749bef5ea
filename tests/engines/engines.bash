# shellcheck shell=bash
# How each engine is started in the private machine, with the runtime under test as "brig".
# ENGINE names the engine's client; everything it has to know is in exported variables, so that
# "engine ARGS" and "inside sh -c '$ENGINE ARGS'" mean the same.

engine()
{
	inside "$ENGINE" "$@"
}

# file_up NAME UP PROGRAM...: for setup_file. Sets SKIP_FILE to a reason instead of starting NAME
# when the machine cannot run it. UP starts the engine and loads the image.
file_up()
{
	local name=$1 up=$2 archive

	shift 2
	export SKIP_FILE ENGINE
	SKIP_FILE=$(missing "$@")
	[ -z "$SKIP_FILE" ] || return 0
	archive=$(image_archive) || return 1
	machine_up "$name" || return 1
	"$up" "$archive" || { tail -n 20 "$MACHINE_DIR"/*.log; return 1; }
}

# For setup and teardown of each test. A test that starts a container names it $C and sets LEFT.
test_up()
{
	[ -z "$SKIP_FILE" ] || skip "$SKIP_FILE"
	C=c$BATS_TEST_NUMBER
	LEFT=
}

test_down()
{
	[ -n "$SKIP_FILE" ] && return 0
	# The time limit goes on: bats would end here without a word of what failed.
	trap : ABRT
	if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -z "${BATS_TEST_SKIPPED:-}" ]; then
		# bats kills the children of a test whose time is over, also one that is born just now.
		[ -z "${BATS_TIMED_OUT-}" ] || sleep 1 || true
		machine_state
		tail -n 8 "$MACHINE_DIR"/*.log
		# Of files with grants (egress.bash).
		! declare -F names_state >/dev/null || names_state
	fi
	[ -z "$LEFT" ] || engine rm -f "$C" >/dev/null 2>&1 || true
}

# --- Podman ---------------------------------------------------------------------------------------

podman_config()
{
	local dir=$1 run=$2 hard

	hard=$(ulimit -Hn)
	mkdir -p "$dir"
	cat >"$dir/containers.conf" <<-EOF
		[containers]
		# Podman asks for more than the hard limit, which needs CAP_SYS_RESOURCE.
		default_ulimits = ["nofile=$hard:$hard", "nproc=$(ulimit -Hu):$(ulimit -Hu)"]
		log_driver = "k8s-file"
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "brig"
		runtime_supports_json = ["brig", "crun", "runc"]
		stop_timeout = 1
		tmp_dir = "$run/libpod"
		[engine.runtimes]
		brig = ["$RUNTIME"]
		[network]
		network_backend = "netavark"
		network_config_dir = "$dir/networks"
	EOF
	cat >"$dir/storage.conf" <<-EOF
		[storage]
		driver = "overlay"
		graphroot = "$dir/root"
		runroot = "$run/containers/storage"
	EOF
}

podman_up()
{
	export CONTAINERS_CONF CONTAINERS_STORAGE_CONF

	ENGINE=podman
	CONTAINERS_CONF=$MACHINE_DIR/podman/containers.conf
	CONTAINERS_STORAGE_CONF=$MACHINE_DIR/podman/storage.conf
	podman_config "$MACHINE_DIR/podman" /run
	engine load -q -i "$1"
}

# --- Docker ---------------------------------------------------------------------------------------

# dockerd starts its own containerd, which has to share its mount namespace. The private machine
# has its own network, so that bridges and firewall rules are dockerd's to make there.
dockerd_up()
{
	local dir=$MACHINE_DIR/docker

	export DOCKER_HOST=unix://$dir/docker.sock DOCKER_CONFIG=$dir/client
	ENGINE=docker
	mkdir -p "$dir/client"
	printf '{ "v": 1, "hooks_allowed": ["%s"], "levels": "%s" }\n' "$(command -v dockerd)" \
		"$MACHINE_DIR/levels" >"$MACHINE_DIR/brig.json"
	mkdir -p "$MACHINE_DIR/levels"
	# Docker 20.10 has no annotations: limits of brig's own are those of a level.
	docker_level burst '"engine": {"cpu_time": 1000}'
	docker_level terse '"engine": {"output": 1000}'
	docker_level cores '"cpu": {"pin": "cores"}'
	cat >"$dir/daemon.json" <<-EOF
		{
			"default-runtime": "brig",
			"runtimes": {
				"brig": { "path": "$RUNTIME" },
				"brig-debug": { "path": "$RUNTIME", "runtimeArgs": ["--debug"] },
				"brig-wrong": { "path": "$RUNTIME", "runtimeArgs": ["--wrong"] },
				"brig-high": {
					"path": "$RUNTIME",
					"runtimeArgs": ["--level", "high", "--system-config", "$MACHINE_DIR/brig.json"]
				},
				$(docker_runtime burst)
				$(docker_runtime terse)
				$(docker_runtime cores)
				$(more_runtimes)
				"brig-custom": { "path": "$RUNTIME", "runtimeArgs": ["--level", "custom"] },
				"brig-high-alone": { "path": "$RUNTIME", "runtimeArgs": ["--level", "high"] }
			}
		}
	EOF
	spawn "$MACHINE_DIR/dockerd.log" dockerd --config-file "$dir/daemon.json" \
		--data-root "$dir/data" --exec-root /run/docker --pidfile /run/docker.pid \
		--host "$DOCKER_HOST" --exec-opt native.cgroupdriver=cgroupfs
	eventually 30 docker_answers || return 1
	engine load -q -i "$1"
}

# A file of tests may have runtimes of its own, each with a comma behind it.
more_runtimes()
{
	:
}

# docker_level NAME JSON: standard with more;  docker_runtime NAME: Docker's name for it is brig-NAME
docker_level()
{
	printf '{ "v": 1, "name": "%s", "extends": "standard", %s }\n' "$1" "$2" \
		>"$MACHINE_DIR/levels/$1.json"
}

docker_runtime()
{
	printf '"brig-%s": { "path": "%s", "runtimeArgs": ["--level", "%s", "--system-config", "%s"] },' \
		"$1" "$RUNTIME" "$1" "$MACHINE_DIR/brig.json"
}

docker_answers()
{
	engine version >/dev/null 2>&1
}

# --- containerd -----------------------------------------------------------------------------------

containerd_up()
{
	local dir=$MACHINE_DIR/containerd

	export CONTAINERD_ADDRESS=$dir/containerd.sock
	ENGINE=ctr
	mkdir -p "$dir"
	cat >"$dir/config.toml" <<-EOF
		version = 2
		root = "$dir/root"
		state = "/run/containerd"
		disabled_plugins = ["io.containerd.grpc.v1.cri",
			"io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
			"io.containerd.snapshotter.v1.devmapper",
			"io.containerd.snapshotter.v1.zfs"]
		[grpc]
		  address = "$CONTAINERD_ADDRESS"
		[ttrpc]
		  address = "$CONTAINERD_ADDRESS.ttrpc"
	EOF
	spawn "$MACHINE_DIR/containerd.log" containerd --config "$dir/config.toml"
	eventually 30 containerd_answers || return 1
	engine image import "$1"
}

containerd_answers()
{
	engine version >/dev/null 2>&1
}
