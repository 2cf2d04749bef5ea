/* /proc and /sys of level high: seen from inside with real mounts, and the texts they are of. */
#include <ctype.h>
#include <dirent.h>

#include "fs/machine.h"
#include "fs_fixture.h"

static const struct oci_mount mounts[] = {
	MOUNT("/proc", "proc", "proc", "subset=pid"),
	MOUNT("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
	MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", "rw"),
};
static const struct oci_mount sys_first[] = {
	MOUNT("/sys", "sysfs", "sysfs"),
	MOUNT("/proc", "proc", "proc"),
};
static const char *const masked[] = {"/proc/kcore", "/proc/sys/kernel", "/proc/1/environ",
				     "/sys/firmware"};
static const char *const readonly_paths[] = {"/proc/sys", "/proc/bus", "/proc/irq"};

static const struct cgroup_view views[] = {
	{"memory",  "/sys/fs/cgroup/memory",  "memory" },
	{"devices", "/sys/fs/cgroup/devices", "devices"},
	{"cpu",     "/sys/fs/cgroup/cpu",     "cpu"    },
	{"cpuset",  "/sys/fs/cgroup/cpuset",  "cpuset" },
	{"cpuacct", "/sys/fs/cgroup/cpuacct", "cpuacct"},
};

enum { MEMORY = 256 << 20 };
static const struct fs_machine one_cpu = {.cpus = "0-1", .n_cpus = 1, .memory = MEMORY};

static struct scenario minimal(const struct fs_machine *m)
{
	struct scenario s = {.layout = CGROUP_V1, .machine = m};

	s.config.mounts = mounts;
	s.config.n_mounts = LEN(mounts);
	s.root.readonly = true;
	s.linux_.masked_paths = masked;
	s.linux_.n_masked_paths = LEN(masked);
	s.linux_.readonly_paths = readonly_paths;
	s.linux_.n_readonly_paths = LEN(readonly_paths);
	return s;
}

/* --- inside -------------------------------------------------------------------------------- */

static const char *const made[] = {"cpuinfo", "stat", "meminfo", "loadavg", "uptime", "cgroups"};

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

static size_t entries_of(const char *path)
{
	own_dir DIR *d = opendir(path);
	size_t n = 0;

	for (struct dirent *de; d && (de = readdir(d));)
		n += de->d_name[0] != '.';
	return d ? n : 99;
}

/* Whatever this kernel has: only processes and the four links are the kernel's. */
static void check_covered(void)
{
	own_dir DIR *d = opendir("/proc");
	char path[300], byte;
	struct stat st;
	size_t n = 0;

	for (struct dirent *de; d && (de = readdir(d));) {
		static const char *const links[] = {"self", "thread-self", "mounts", "net"};
		snprintf(path, sizeof(path), "/proc/%s", de->d_name);

		if (de->d_name[0] == '.' || isdigit((unsigned char)de->d_name[0]) ||
		    is_one_of(de->d_name, links, LEN(links)))
			continue;
		n++;
		CHECK(fs_type(path) == TMPFS_MAGIC && is_readonly(path));
		CHECK((mount_flags(path) & (ST_NOSUID | ST_NODEV | ST_NOEXEC)) ==
		      (ST_NOSUID | ST_NODEV | ST_NOEXEC));
		CHECK(stat(path, &st) == 0);
		if (is_one_of(de->d_name, made, LEN(made)) || strcmp(de->d_name, "sys") == 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			CHECK(entries_of(path) == 0);
			CHECK(open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) < 0);
		} else {
			own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

			CHECK(S_ISREG(st.st_mode) && fd >= 0 && read(fd, &byte, 1) == 0);
			CHECK(open(path, O_WRONLY | O_CLOEXEC) < 0);
		}
	}
	CHECK(n > 20); /* the kernel has that many: the loop saw something */
}

static bool mounted_with(const char *point, const char *word)
{
	char line[1024], want[64];
	own_file FILE *f = fopen("/proc/self/mountinfo", "re");
	bool found = false;

	snprintf(want, sizeof(want), " %s ", point);
	while (f && fgets(line, sizeof(line), f))
		found = strstr(line, want) && strstr(line, word) ? true : found;
	return found;
}

static size_t lines_with(const char *path, const char *start)
{
	char line[4096];
	own_file FILE *f = fopen(path, "re");
	size_t n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strncmp(line, start, strlen(start)) == 0;
	return n;
}

static void check_files(void)
{
	CHECK(lines_with("/proc/cpuinfo", "processor") == 1);
	CHECK(lines_with("/proc/cpuinfo", "processor\t: 0\n") == 1);
	CHECK(lines_with("/proc/stat", "cpu") == 2);
	CHECK(lines_with("/proc/stat", "btime ") == 1);
	CHECK(lines_with("/proc/meminfo", "MemTotal:         262144 kB") == 1);
	CHECK(lines_with("/proc/meminfo", "SwapTotal:             0 kB") == 1);
	CHECK_STR(text_of("/proc/loadavg"), "0.00 0.00 0.00 1/1 1");
	CHECK_STR(text_of("/sys/devices/system/cpu/online"), "0");
	CHECK_STR(text_of("/sys/devices/system/cpu/possible"), "0-1");
	CHECK(sysconf(_SC_NPROCESSORS_ONLN) == 1);
	CHECK(entries_of("/proc/sys") == 2 && entries_of("/proc/sys/vm") == 2);
	CHECK(access("/proc/sys/kernel", F_OK) < 0);
	CHECK(entries_of("/sys") == 2 && entries_of("/sys/devices") == 1);
	CHECK(entries_of("/sys/devices/system/cpu") == 4);
	CHECK(fs_type("/sys") == TMPFS_MAGIC && is_readonly("/sys"));
	CHECK(open("/proc/meminfo", O_WRONLY | O_CLOEXEC) < 0 && errno == EROFS);
	struct stat st;
	CHECK(stat("/proc/meminfo", &st) == 0 && st.st_uid == 0 && st.st_gid == 0);
	CHECK((st.st_mode & 07777) == 0444);
}

static void check_inside(void)
{
	check_covered();
	check_files();
	CHECK(mounted_with("/proc", "hidepid=invisible"));
	CHECK(!mounted_with("/proc", "subset=pid"));
	CHECK(access("/proc/self/status", F_OK) == 0 && access("/proc/1/stat", F_OK) == 0);
	CHECK(lines_with("/proc/net/dev", "") > 0);
}

static void check_with_cgroup(void)
{
	check_inside();
	CHECK(entries_of("/sys/fs/cgroup") == 4);
	CHECK(fs_type("/sys/fs/cgroup/memory") == CGROUP_SUPER_MAGIC);
	CHECK(is_readonly("/sys/fs/cgroup/memory"));
	CHECK(access("/sys/fs/cgroup/devices", F_OK) < 0);
	/* a mask of the config's that is about a process still holds */
	CHECK(is_char("/proc/1/environ", 1, 3));
	/* those of covered files cost no mount */
	CHECK(!is_char("/proc/kcore", 1, 3));
}

static void test_levels_of_rights(void)
{
	struct scenario s = minimal(&one_cpu);

	s.own_cgroup_ns = true;
	s.views = views;
	s.n_views = LEN(views);
	s.inside = check_with_cgroup;
	CHECK(scenario_passes(&s));
	s.late = true;
	CHECK(scenario_passes(&s));
	s.late = false;
	s.userns = true;
	CHECK(scenario_passes(&s));
	s.views = NULL;
	s.n_views = 0;
	s.inside = check_inside;
	s.rootless = true;
	CHECK(scenario_passes(&s));
}

static void test_order(void)
{
	struct scenario s = minimal(&one_cpu);

	s.config.mounts = sys_first;
	s.config.n_mounts = LEN(sys_first);
	s.inside = check_inside;
	CHECK(scenario_passes(&s));
	s.no_pivot = true;
	CHECK(scenario_passes(&s));
}

/* As within a container whose engine masks its /proc. */
static void mask_proc(const char *bundle)
{
	(void)bundle;
	if (mount("tmpfs", "/proc/sys", "tmpfs", MS_RDONLY, NULL) < 0)
		perror("/proc/sys");
}

static const struct oci_mount bad[] = {
	MOUNT("/proc", "bind", "/proc", "rbind"),
	MOUNT("/sys", "bind", "/sys", "rbind", "ro"),
	MOUNT("/mnt", "proc", "proc"),
	MOUNT("/srv", "sysfs", "sysfs"),
	MOUNT("/proc", "proc", "proc", "remount", "hidepid=0"),
	MOUNT("/sys", "tmpfs", "tmpfs"),
};

static void test_refused(void)
{
	struct scenario s = minimal(&one_cpu);

	s.config.n_mounts = 1;
	for (size_t i = 0; i < LEN(bad); i++) {
		s.config.mounts = &bad[i];
		s.want_error = "mounts[0]: ";
		CHECK(scenario_passes(&s));
		s.want_error = ": minimal: ";
		CHECK(scenario_passes(&s));
	}
	s = minimal(&one_cpu);
	s.userns = s.rootless = true;
	s.prepare = mask_proc;
	s.want_error = "a new procfs is not permitted here";
	CHECK(scenario_passes(&s));
	s = minimal(&(const struct fs_machine){.cpus = "0-x"});
	s.want_error = "no list of CPUs";
	CHECK(scenario_passes(&s));
	s = minimal(&(const struct fs_machine){.cpus = ""});
	s.want_error = "no CPU is given";
	CHECK(scenario_passes(&s));
}

/* --- programs that size themselves --------------------------------------------------------- */

static const struct oci_mount host_programs[] = {
	MOUNT("/proc", "proc", "proc"),
	MOUNT("/sys", "sysfs", "sysfs"),
	MOUNT("/usr", "bind", "/usr", "rbind", "ro"),
	MOUNT("/etc", "bind", "/etc", "rbind", "ro"),
	MOUNT("/dev", "tmpfs", "tmpfs", "mode=755"),
};

static const char limited[] = "/sys/fs/cgroup/memory/brig-test-fs-minimal";

/*
 * A JVM asks sysinfo(2) for the memory, and the cgroup for a limit: this process goes into one,
 * which is the root of the cgroup namespace then.  Only where memory is a v1 hierarchy.
 */
static bool limit_memory(void)
{
	char text[32];

	if (mkdir(limited, 0755) < 0 && errno != EEXIST)
		return false;
	snprintf(text, sizeof(text), "%d", MEMORY);
	make_file(limited, "memory.limit_in_bytes", text, 0644);
	snprintf(text, sizeof(text), "%d", getpid());
	make_file(limited, "cgroup.procs", text, 0644);
	return true;
}

static void free_memory_cgroup(void)
{
	for (int i = 0; i < 100 && rmdir(limited) < 0 && errno == EBUSY; i++)
		(void)usleep(10000);
}

static void prepare_programs(const char *bundle)
{
	static const char *const names[] = {"bin", "lib", "lib64"};
	char path[300], target[64];

	for (size_t i = 0; i < LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/rootfs/%s", bundle, names[i]);
		snprintf(target, sizeof(target), "usr/%s", names[i]);
		(void)rmdir(path);
		if (symlink(target, path) < 0)
			perror(path);
	}
	(void)limit_memory();
}

/* The first line of what a command prints. */
static const char *said(const char *command)
{
	static char line[256];
	FILE *f = popen(command, "re");

	line[0] = '\0';
	if (f && !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f && pclose(f) != 0)
		fprintf(stderr, "%s failed\n", command);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void check_programs(void)
{
	cpu_set_t one;
	long bytes;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	CHECK_STR(said("nproc"), "1");
	CHECK_STR(said("getconf _NPROCESSORS_ONLN"), "1");
	if (access("/usr/bin/node", X_OK) == 0) {
		CHECK_STR(said("node -p 'require(\"os\").cpus().length'"), "1");
		CHECK_STR(said("node -p 'require(\"os\").totalmem()'"), "268435456");
	}
	if (access("/usr/bin/java", X_OK) == 0 && access("/sys/fs/cgroup/memory", F_OK) == 0) {
		CHECK(sscanf(said("java -XX:+PrintFlagsFinal -version 2>/dev/null | "
				  "awk '/ MaxHeapSize /{print $4}'"),
			     "%ld", &bytes) == 1);
		CHECK(bytes >= MEMORY / 8 && bytes < MEMORY);
		CHECK_STR(said("java -Xlog:os+container=trace -version | grep -ao "
			       "'active_processor_count: [0-9]*' | tail -n 1"),
			  "active_processor_count: 1");
	}
	if (access("/usr/bin/ps", X_OK) == 0) {
		CHECK(strstr(said("ps -e -o pid= -o etimes= -o comm= | tail -n 1"), "tail"));
		CHECK(strncmp(said("free -b | awk '/Mem/{print $2}'"), "268435456", 9) == 0);
		CHECK(*said("uptime -s"));
	}
}

static void test_programs(void)
{
	struct scenario s = minimal(&one_cpu);

	s.config.mounts = host_programs;
	s.config.n_mounts = LEN(host_programs);
	s.prepare = prepare_programs;
	s.own_cgroup_ns = true;
	s.views = views;
	s.n_views = LEN(views);
	s.inside = check_programs;
	CHECK(scenario_passes(&s));
}

/* --- texts --------------------------------------------------------------------------------- */

static const char three[] = "processor\t: 0\nmodel name\t: X\nphysical id\t: 3\nsiblings\t: 8\n\n"
			    "processor\t: 2\nmodel name\t: Y\ncore id\t\t: 17\nflags\t\t: a b\n\n"
			    "processor\t: 12\nmodel name\t: Z\ncpu cores\t: 4\n\n";

static void test_cpuinfo(void)
{
	own_arena struct arena a = {0};
	uint32_t cpus[] = {2, 12};
	struct fs_machine_facts f = {.cpus = cpus, .n_cpus = 2};

	CHECK_STR(fs_machine_cpuinfo(&a, three, &f),
		  "processor\t: 0\nmodel name\t: Y\ncore id\t\t: 0\nflags\t\t: a b\n\n"
		  "processor\t: 1\nmodel name\t: Z\ncpu cores\t: 2\n\n");
	cpus[0] = 0;
	cpus[1] = 1; /* the host has none of that number now */
	CHECK_STR(fs_machine_cpuinfo(&a, three, &f),
		  "processor\t: 0\nmodel name\t: X\nphysical id\t: 0\nsiblings\t: 2\n\n"
		  "processor\t: 1\n\n");
	CHECK_STR(fs_machine_cpuinfo(&a, "", &f), "processor\t: 0\n\nprocessor\t: 1\n\n");
	CHECK_STR(fs_machine_cpuinfo(&a, "processor\t: 0", &f),
		  "processor\t: 0\n\nprocessor\t: 1\n\n");
}

static void test_texts(void)
{
	own_arena struct arena a = {0};
	struct fs_machine_facts f;
	struct err e;

	CHECK(fs_machine_facts(&a, &(const struct fs_machine){.cpus = "3,8-9", .n_cpus = 2}, &f,
			       &e) == 0);
	CHECK(f.n_cpus == 2 && f.cpus[0] == 3 && f.cpus[1] == 8 && f.last_cpu == 9);
	CHECK(f.memory > 0);
	f.n_cpus = 2;
	f.memory = 64 << 20;
	f.swap = 1 << 20;
	f.now = (struct timespec){1000, 5};
	f.up = (struct timespec){400, 6};
	CHECK(strstr(fs_machine_stat(&a, &f), "\ncpu1 0 ") != NULL);
	CHECK(strstr(fs_machine_stat(&a, &f), "\nbtime 599\n") != NULL);
	CHECK(strstr(fs_machine_meminfo(&a, &f), "MemAvailable:      65536 kB\n") != NULL);
	CHECK(strstr(fs_machine_meminfo(&a, &f), "SwapTotal:          1024 kB\n") != NULL);
	CHECK_STR(fs_machine_cgroups(&a, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
					 "cpuset\t3\t77\t1\ndevices\t4\t9\t1\nmemory\t0\t5\t0\n"),
		  "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t1\t1\n"
		  "memory\t0\t1\t0\n");
}

int main(void)
{
	test_cpuinfo();
	test_texts();
	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return check_done();
	}
	test_levels_of_rights();
	test_order();
	test_refused();
	test_programs();
	free_memory_cgroup();
	return check_done();
}
