/* The container's file system as it is seen from inside, with real mounts. */
#include "fs_fixture.h"

/* The mounts of `brig spec`. */
static const struct oci_mount default_mounts[] = {
	MOUNT("/proc", "proc", "proc"),
	MOUNT("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
	MOUNT("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666",
	      "mode=0620", "gid=5"),
	MOUNT("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
	MOUNT("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
	MOUNT("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
	MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
};

static const char *const default_masked[] = {
	"/proc/acpi",          "/proc/asound",     "/proc/kcore",       "/proc/keys",
	"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
	"/sys/firmware",       "/proc/scsi",
};
static const char *const default_readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static const struct cgroup_view host_views[] = {
	{"memory",  "/sys/fs/cgroup/memory",  "memory"      },
	{"cpuacct", "/sys/fs/cgroup/cpuacct", "cpuacct"     },
	{"systemd", "/sys/fs/cgroup/systemd", "name=systemd"},
	{"unified", "/sys/fs/cgroup/unified", ""            },
};

static struct scenario default_scenario(void)
{
	struct scenario s = {.root.readonly = true, .layout = CGROUP_V1};

	s.config.mounts = default_mounts;
	s.config.n_mounts = LEN(default_mounts);
	s.linux_.masked_paths = default_masked;
	s.linux_.n_masked_paths = LEN(default_masked);
	s.linux_.readonly_paths = default_readonly;
	s.linux_.n_readonly_paths = LEN(default_readonly);
	return s;
}

static void check_default(void)
{
	CHECK_STR(text_of("/etc/marker"), "image");
	CHECK(is_readonly("/etc"));
	CHECK(access("/mnt/bundle", F_OK) < 0);
	CHECK(fs_type("/proc") == PROC_SUPER_MAGIC);
	CHECK(fs_type("/sys") == SYSFS_MAGIC);
	CHECK(fs_type("/dev") == TMPFS_MAGIC);
	CHECK(fs_type("/dev/pts") == DEVPTS_SUPER_MAGIC);
	CHECK(is_readonly("/sys"));
	CHECK((mount_flags("/dev/shm") & (ST_NOSUID | ST_NODEV | ST_NOEXEC)) ==
	      (ST_NOSUID | ST_NODEV | ST_NOEXEC));
	CHECK(is_char("/dev/null", 1, 3) && is_char("/dev/zero", 1, 5) &&
	      is_char("/dev/full", 1, 7));
	CHECK(is_char("/dev/random", 1, 8) && is_char("/dev/urandom", 1, 9));
	CHECK(is_char("/dev/tty", 5, 0));
	CHECK(is_char("/dev/ptmx", 5, 2));
	struct stat st;
	CHECK(stat("/dev/null", &st) == 0 && (st.st_mode & 07777) == 0666);
	CHECK(stat("/dev", &st) == 0 && (st.st_mode & 07777) == 0755);
	CHECK(stat("/dev/shm", &st) == 0 && (st.st_mode & 07777) == 01777);
	char link[64] = "";
	CHECK(readlink("/dev/fd", link, sizeof(link) - 1) > 0 &&
	      strcmp(link, "/proc/self/fd") == 0);
	/* masked: a file reads as empty, a directory is empty and cannot be written */
	CHECK(is_char("/proc/keys", 1, 3));
	CHECK_STR(text_of("/proc/keys"), "");
	CHECK(fs_type("/sys/firmware") == TMPFS_MAGIC && is_readonly("/sys/firmware"));
	CHECK(is_readonly("/proc/sys/kernel"));
	CHECK(getpid() == 1);
	CHECK(access("/proc/1/status", F_OK) == 0);
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	(void)close(fd);
	/* the old root is gone: one root mount, and ".." leads nowhere */
	CHECK(chdir("..") == 0 && access("etc/marker", F_OK) == 0);
}

static void check_cgroup_v1(void)
{
	check_default();
	CHECK(fs_type("/sys/fs/cgroup") == TMPFS_MAGIC);
	CHECK(is_readonly("/sys/fs/cgroup"));
	CHECK(fs_type("/sys/fs/cgroup/memory") == CGROUP_SUPER_MAGIC);
	CHECK(is_readonly("/sys/fs/cgroup/memory"));
	CHECK(access("/sys/fs/cgroup/memory/cgroup.procs", F_OK) == 0);
	CHECK(fs_type("/sys/fs/cgroup/cpuacct") == CGROUP_SUPER_MAGIC);
	CHECK(fs_type("/sys/fs/cgroup/systemd") == CGROUP_SUPER_MAGIC);
	CHECK(fs_type("/sys/fs/cgroup/unified") == CGROUP2_SUPER_MAGIC);
}

static void test_default(void)
{
	struct scenario s = default_scenario();

	s.inside = check_default;
	CHECK(scenario_passes(&s));
	s.no_pivot = true;
	CHECK(scenario_passes(&s));
}

static void test_cgroup(void)
{
	struct scenario s = default_scenario();

	s.views = host_views;
	s.n_views = LEN(host_views);
	s.inside = check_cgroup_v1;
	CHECK(scenario_passes(&s)); /* bound */
	s.own_cgroup_ns = true;
	CHECK(scenario_passes(&s)); /* mounted */
	s.userns = true;
	CHECK(scenario_passes(&s));
}

static void test_user_namespace(void)
{
	struct scenario s = default_scenario();

	s.userns = true;
	s.inside = check_default;
	CHECK(scenario_passes(&s));
	s.host_net = true;
	CHECK(scenario_passes(&s));
}

static void close_bundle(const char *bundle)
{
	/* The container's root user cannot reach the rootfs by its path. */
	if (chmod(bundle, 0700) < 0)
		perror(bundle);
}

static void test_unreachable_bundle(void)
{
	struct scenario s = default_scenario();

	s.userns = true;
	s.prepare = close_bundle;
	s.inside = check_default;
	CHECK(scenario_passes(&s));
	s.no_pivot = true;
	CHECK(scenario_passes(&s));
}

static void check_cgroup_v2(void)
{
	CHECK(fs_type("/sys/fs/cgroup") == CGROUP2_SUPER_MAGIC);
	CHECK(is_readonly("/sys/fs/cgroup"));
	CHECK(access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0);
}

static void test_cgroup_v2(void)
{
	struct scenario s = default_scenario();

	s.layout = CGROUP_V2;
	s.views = &host_views[LEN(host_views) - 1];
	s.n_views = 1;
	s.inside = check_cgroup_v2;
	CHECK(scenario_passes(&s));
	s.own_cgroup_ns = true;
	CHECK(scenario_passes(&s));
	s.userns = true;
	CHECK(scenario_passes(&s));
}

static const struct oci_mount rootless_mounts[] = {
	MOUNT("/proc", "proc", "proc"),
	MOUNT("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
	MOUNT("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620"),
	MOUNT("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777"),
	MOUNT("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
	MOUNT("/vol", "bind", "/mnt/vol", "bind", "rw"),
};

static void make_locked_volume(const char *bundle)
{
	(void)bundle;
	make_dir("/mnt", "vol", 0755);
	make_dir("/mnt/vol", "sub", 0755);
	if (mount("tmpfs", "/mnt/vol/sub", "tmpfs", 0, NULL) < 0)
		perror("/mnt/vol/sub");
}

static void check_rootless(void)
{
	check_default();
	CHECK(fs_type("/vol/sub") == TMPFS_MAGIC);
}

static void test_rootless(void)
{
	struct scenario s = default_scenario();

	s.config.mounts = rootless_mounts;
	s.config.n_mounts = LEN(rootless_mounts);
	s.userns = true;
	s.rootless = true;
	s.prepare = make_locked_volume;
	s.inside = check_rootless;
	CHECK(scenario_passes(&s));
	s.host_net = true;
	CHECK(scenario_passes(&s));
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return 0;
	}
	test_default();
	test_user_namespace();
	test_cgroup();
	test_cgroup_v2();
	test_unreachable_bundle();
	test_rootless();
	return check_done();
}
