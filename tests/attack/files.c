/* Probes of files: what of the machine can be read, written or made from inside. */
#include "attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define P(x) ((uintptr_t)(x))
#ifndef SYS_chmod /* arm64 has only the calls with a directory */
#define SYS_chmod SYS_fchmodat
#endif
enum { NR_fchmodat2 = 452 };

/* Opens only: writing even one byte to these would change the machine. */
static long open_to_write(const struct attack *self)
{
	int fd = open(self->path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

static long open_to_read(const struct attack *self)
{
	const char *files = getenv("ATTACK_FILES"), *path = self->path;
	char other[512];

	/* Without a sandbox the test's root is elsewhere. */
	if (files && !strncmp(path, ATTACK_DIR, strlen(ATTACK_DIR))) {
		snprintf(other, sizeof(other), "%s%s", files, path + strlen(ATTACK_DIR));
		path = other;
	}
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

/* "data", "empty" (masked), or the errno. */
static long read_some(const struct attack *self)
{
	char some[64];
	int fd = open(self->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, some, sizeof(some));
	if (n < 0)
		return -errno;
	attack_says(n ? "data" : "empty");
}

/* "entries", "empty" (masked), or the errno. */
static long list_some(const struct attack *self)
{
	DIR *d = opendir(self->path);
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			attack_says("entries");
	attack_says("empty");
}

/* Writes a setting of its own process: harmless for others, so the kernel is asked for real. */
static long write_own(const struct attack *self)
{
	const char *text = (const char *)self->a[0];
	int fd = open(self->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* --- where paths lead ----------------------------------------------------------------------- */

/* Is what the path leads to the test's root file system? */
static long leads_where(const struct attack *self)
{
	char mark[256];
	struct stat here, there;

	if (stat(self->path, &there))
		return -errno;
	snprintf(mark, sizeof(mark), "%s%s", self->path, ATTACK_MARK);
	if (stat(ATTACK_MARK, &here) || stat(mark, &there))
		attack_says("outside");
	attack_says(here.st_ino == there.st_ino && here.st_dev == there.st_dev ? "inside"
									       : "outside");
}

static long up_and_up(const struct attack *self)
{
	char cwd[4096];

	(void)self;
	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0 || cwd[0] != '/')
		attack_says("unreachable");
	for (int i = 0; i < 64; i++)
		if (chdir(".."))
			return -errno;
	attack_says(access("." ATTACK_MARK, F_OK) ? "outside" : "inside");
}

/* The classic: a descriptor of a directory above the new root. */
static long chroot_walk(const struct attack *self)
{
	struct stat before, after;
	int top = open("/", O_DIRECTORY | O_CLOEXEC);
	long r = sys(self->nr, P("/proc"), 0L, 0L, 0L, 0L, 0L);

	if (r < 0)
		return r;
	if (fstat(top, &before) || fchdir(top) || chroot(".") || stat("/", &after))
		return -errno;
	attack_says(before.st_ino == after.st_ino ? "escaped" : "inside");
}

static long own_program(const struct attack *self)
{
	char path[64];
	int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);

	(void)self;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_CLOEXEC) < 0 ? -errno : 0;
}

static long inherited(const struct attack *self)
{
	(void)self;
	attack_says("%s", inherited_fds);
}

/* Is the word in a file that the kernel makes? */
static int says(const char *path, const char *word)
{
	static char text[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t r = 0;

	while (fd >= 0 && n < sizeof(text) && (r = read(fd, text + n, sizeof(text) - n)) > 0)
		n += (size_t)r;
	if (fd >= 0)
		close(fd);
	return memmem(text, n, word, strlen(word)) != NULL;
}

/* Words of brig's environment and of its state directory. */
static long shows_secret(const struct attack *self)
{
	static const char *const in[] = {"/proc/self/mountinfo", "/proc/1/mountinfo",
					 "/proc/self/environ",   "/proc/1/environ",
					 "/proc/1/cmdline",      "/proc/self/cgroup"};

	(void)self;
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		if (says(in[i], ATTACK_SECRET))
			attack_says("shown");
	attack_says("hidden");
}

/* Only what came from this sandbox may be in its /proc. */
static long foreign_processes(const struct attack *self)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	(void)self;
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		char path[300], name[32] = "";
		int fd;

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, name, sizeof(name) - 1) <= 0)
			continue;
		close(fd);
		name[strcspn(name, "\n")] = 0;
		if (strcmp(name, "attack"))
			attack_says("foreign");
	}
	attack_says("own");
}

/* --- cgroups -------------------------------------------------------------------------------- */

/* "absent" without any cgroup mount, "writable" if one file of one may be written. */
static long cgroup_files(const struct attack *self)
{
	static const char *const files[] = {"release_agent", "notify_on_release",
					    "cgroup.procs",  "cgroup.subtree_control",
					    "memory.max",    "memory.limit_in_bytes"};
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], where[2048], path[2200];
	int seen = 0, error = ENOENT;

	(void)self;
	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, " - cgroup"))
			continue;
		seen = 1;
		if (sscanf(line, "%*s %*s %*s %*s %2047s", where) != 1)
			continue;
		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
			snprintf(path, sizeof(path), "%s/%s", where, files[i]);
			if (open(path, O_WRONLY | O_CLOEXEC) >= 0)
				attack_says("writable");
			error = errno != ENOENT ? errno : error;
		}
	}
	if (!f || !seen)
		attack_says("absent");
	return -error;
}

/* --- files that give rights ----------------------------------------------------------------- */

static const char *scratch(void)
{
	static char path[] = "/tmp/attack-file";
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	if (fd < 0)
		attack_says("no-scratch-%s", strerrorname_np(errno));
	close(fd);
	return path;
}

static long change_mode(const struct attack *self)
{
	const char *path = scratch();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned int mode = (unsigned int)self->a[0];

	if (self->nr == SYS_fchmod)
		return sys(self->nr, fd, mode, 0L, 0L, 0L, 0L);
	if (self->nr == SYS_fchmodat || self->nr == NR_fchmodat2)
		return sys(self->nr, AT_FDCWD, P(path), mode, 0L, 0L, 0L);
	return sys(self->nr, P(path), mode, 0L, 0L, 0L, 0L);
}

static long file_capability(const struct attack *self)
{
	/* Version 2, cap_sys_admin permitted and effective. */
	static const uint32_t data[5] = {0x02000001, 1u << 21, 0, 0, 0};
	const char *path = scratch();

	return sys(self->nr, P(path), P("security.capability"), P(data), sizeof(data), 0L, 0L);
}

/* Runs a file of the test's root: who is that process? */
static long gain(const struct attack *self)
{
	char before[128] = "", after[128] = "";
	const char *const files[2] = {ATTACK_DIR "/plain", self->path};

	for (int i = 0; i < 2; i++) {
		int fds[2], status;
		pid_t pid;

		if (pipe(fds))
			return -errno;
		pid = fork();
		if (pid == 0) {
			dup2(fds[1], 1);
			execl(files[i], files[i], "ids", NULL);
			_exit(126);
		}
		close(fds[1]);
		if (read(fds[0], i ? after : before, 127) < 0 || waitpid(pid, &status, 0) != pid)
			return -errno;
		close(fds[0]);
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			attack_says(i ? "refused" : "no-program");
	}
	attack_says(strcmp(before, after) ? "gained" : "unchanged");
}

static long fill_root(const struct attack *self)
{
	(void)self;
	return open("/attack-new-file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 ? -errno : 0;
}

#define OPEN_W(name, path)                                                                         \
	{                                                                                          \
		name, SYS_openat, {0}, open_to_write, path, ARM_ROOT                               \
	}
#define OPEN_R(name, path)                                                                         \
	{                                                                                          \
		name, SYS_openat, {0}, open_to_read, path, ARM_ROOT                                \
	}
#define READ(name, path)                                                                           \
	{                                                                                          \
		name, SYS_openat, {0}, read_some, path, ARM_ROOT                                   \
	}
#define LIST(name, path)                                                                           \
	{                                                                                          \
		name, SYS_openat, {0}, list_some, path, ARM_ROOT                                   \
	}
#define WRITE(name, path, text)                                                                    \
	{                                                                                          \
		name, 0, {P(text)}, write_own, path, 0                                             \
	}
#define CHMOD(name, nr, mode)                                                                      \
	{                                                                                          \
		name, nr, {mode}, change_mode, NULL, 0                                             \
	}

const struct attack file_attacks[] = {
	{"chroot-walk",         SYS_chroot,   {0}, chroot_walk,       NULL,                     0       },
	{"dot-dot",             0,            {0}, up_and_up,         NULL,                     0       },
	{"proc-1-root",         0,            {0}, leads_where,       "/proc/1/root",           0       },
	{"proc-self-root",      0,            {0}, leads_where,       "/proc/self/root/..",     0       },
	{"proc-1-cwd",          0,            {0}, leads_where,       "/proc/1/cwd/..",         0       },
	OPEN_W("self-exe", "/proc/self/exe"),
	{"self-exe-fd",         0,            {0}, own_program,       NULL,                     0       },
	{"inherited-fds",       0,            {0}, inherited,         NULL,                     0       },
	{"secrets",             0,            {0}, shows_secret,      NULL,                     0       },
	READ("proc-keys", "/proc/keys"),
	READ("proc-key-users", "/proc/key-users"),
	OPEN_R("dev-userfaultfd", "/dev/userfaultfd"),
	OPEN_R("dev-kmsg", "/dev/kmsg"),
	OPEN_W("core-pattern", "/proc/sys/kernel/core_pattern"),
	OPEN_W("modprobe", "/proc/sys/kernel/modprobe"),
	OPEN_W("poweroff-cmd", "/proc/sys/kernel/poweroff_cmd"),
	OPEN_W("usermodehelper", "/proc/sys/kernel/usermodehelper/bset"),
	OPEN_W("hostname-sysctl", "/proc/sys/kernel/hostname"),
	OPEN_W("binfmt-misc", "/proc/sys/fs/binfmt_misc/register"),
	OPEN_W("sysrq", "/proc/sysrq-trigger"),
	LIST("proc-acpi", "/proc/acpi"),
	LIST("proc-scsi", "/proc/scsi"),
	OPEN_R("kcore", "/proc/kcore"),
	READ("timer-list", "/proc/timer_list"),
	LIST("sys-firmware", "/sys/firmware"),
	LIST("powercap", "/sys/devices/virtual/powercap"),
	OPEN_W("sys-write", "/sys/kernel/mm/transparent_hugepage/enabled"),
	{"foreign-processes",   0,            {0}, foreign_processes, NULL,                     ARM_HOST},
	READ("sched-debug", "/proc/sched_debug"),
	WRITE("uid-map", "/proc/self/uid_map", "0 0 1\n"),
	WRITE("setgroups", "/proc/self/setgroups", "allow"),
	WRITE("oom-score-down", "/proc/self/oom_score_adj", "-1000"),
	WRITE("timens", "/proc/self/timens_offsets", "monotonic 1 0\n"),
	WRITE("attr-current", "/proc/self/attr/current", "unconfined"),
	WRITE("loginuid", "/proc/self/loginuid", "0"),
	{"cgroup-write",        0,            {0}, cgroup_files,      NULL,                     ARM_ROOT},
	OPEN_R("image-device-char", ATTACK_DIR "/device-char"),
	OPEN_R("image-device-block", ATTACK_DIR "/device-block"),
	{"setuid-file",         0,            {0}, gain,              ATTACK_DIR "/setuid",     0       },
	{"setgid-file",         0,            {0}, gain,              ATTACK_DIR "/setgid",     0       },
	{"capability-file",     0,            {0}, gain,              ATTACK_DIR "/capability", 0       },
	CHMOD("chmod-setuid", SYS_chmod, 04755),
	CHMOD("fchmod-setgid", SYS_fchmod, 02755),
	CHMOD("fchmodat-setuid", SYS_fchmodat, 04755),
	CHMOD("fchmodat2-setuid", NR_fchmodat2, 04755),
	CHMOD("chmod-plain", SYS_chmod, 0700),
	{"setxattr-capability", SYS_setxattr, {0}, file_capability,   NULL,                     0       },
	READ("interrupts", "/proc/interrupts"),
	READ("proc-version", "/proc/version"),
	READ("proc-cmdline", "/proc/cmdline"),
	READ("proc-cgroups", "/proc/cgroups"),
	READ("proc-uptime", "/proc/uptime"),
	READ("proc-net-tcp", "/proc/net/tcp"),
	READ("proc-meminfo", "/proc/meminfo"),
	READ("proc-cpuinfo", "/proc/cpuinfo"),
	OPEN_W("resolv-conf", "/etc/resolv.conf"),
	{"fill-root",           0,            {0}, fill_root,         NULL,                     0       },
	{NULL,		  0,            {0}, NULL,              NULL,                     0       },
};
