/* Probes of processes: identity, capabilities, filters, memory that is code, scheduling. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define P(x) ((uintptr_t)(x))

/* --- filters -------------------------------------------------------------------------------- */

static struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
static struct sock_fprog allow_all = {1, &allow};

static long filter_prctl(const struct attack *self)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* refused: then so is the next */
	return sys(self->nr, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, P(&allow_all), 0L, 0L, 0L);
}

static long filter_seccomp(const struct attack *self)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return sys(self->nr, SECCOMP_SET_MODE_FILTER, 0L, P(&allow_all), 0L, 0L, 0L);
}

/* --- identity ------------------------------------------------------------------------------- */

static long raise_capabilities(const struct attack *self)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		d[i].permitted = d[i].effective = d[i].inheritable = i ? 0x1ff : 0xffffffff;
	return sys(self->nr, P(&h), P(d), 0L, 0L, 0L, 0L);
}

/* CAP_SYS_ADMIN, with the inheritable bit that it needs set if that can be had. */
static long raise_ambient(const struct attack *self)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	if (!syscall(SYS_capget, &h, d)) {
		d[0].inheritable |= 1u << CAP_SYS_ADMIN;
		(void)syscall(SYS_capset, &h, d);
	}
	return sys(self->nr, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0L, 0L, 0L);
}

static long set_groups(const struct attack *self)
{
	gid_t g = 0;

	return sys(self->nr, 1L, P(&g), 0L, 0L, 0L, 0L);
}

/* --- device nodes --------------------------------------------------------------------------- */

static long make_device(const struct attack *self)
{
	const char *path = "/tmp/attack-node";
	long r;

	unlink(path);
	r = sys(self->nr, AT_FDCWD, P(path), self->a[0], self->a[1], 0L, 0L);
	if (r < 0)
		return r;
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) < 0 ? -errno : 0;
}

/* --- memory --------------------------------------------------------------------------------- */

static long memfd_exec(const struct attack *self)
{
	static char buf[1 << 16];
	long fd = sys(self->nr, P("attack"), self->a[0], 0L, 0L, 0L, 0L);
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), status;
	ssize_t n;
	pid_t pid;

	if (fd < 0)
		return fd;
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write((int)fd, buf, (size_t)n) != n)
			return -errno;
	pid = fork();
	if (pid == 0) {
		char name[] = "attack", verb[] = "list";
		char *argv[] = {name, verb, NULL}, *envp[] = {NULL};
		int null = open("/dev/null", O_WRONLY);

		/* A file open for writing cannot be executed. */
		char path[64];
		snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
		int ro = open(path, O_RDONLY);
		close((int)fd);
		dup2(null, 1);
		syscall(SYS_execveat, ro, "", argv, envp, AT_EMPTY_PATH);
		_exit(errno);
	}
	close((int)fd);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static long write_and_run(const struct attack *self)
{
	(void)self;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static long make_executable(const struct attack *self)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return sys(self->nr, P(p), 4096L, PROT_READ | PROT_EXEC, 0L, 0L, 0L);
}

static long sibling_memory(const struct attack *self)
{
	pid_t pid = fork();
	char path[64];
	int fd;

	(void)self;
	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	int error = errno;
	kill(pid, SIGKILL);
	return fd < 0 ? -error : 0;
}

/* --- crashes -------------------------------------------------------------------------------- */

static long crash(const struct attack *self)
{
	struct rlimit r;
	pid_t pid = fork();
	int status;

	(void)self;
	if (pid == 0) {
		if (!getrlimit(RLIMIT_CORE, &r)) {
			r.rlim_cur = r.rlim_max;
			(void)setrlimit(RLIMIT_CORE, &r); /* refused: that is one answer */
		}
		if (chdir("/tmp"))
			_exit(1);
		signal(SIGSEGV, SIG_DFL);
		kill(getpid(), SIGSEGV);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status))
		attack_says("alive");
	attack_says(WCOREDUMP(status) ? "dumped" : "no-dump");
}

static long core_limit(const struct attack *self)
{
	struct rlimit r;

	(void)self;
	if (getrlimit(RLIMIT_CORE, &r))
		return -errno;
	attack_says("%lld-%lld", (long long)r.rlim_cur, (long long)r.rlim_max);
}

/* --- signals -------------------------------------------------------------------------------- */

/* Everyone but the caller and the first process: the caller waits for nobody, so it says ok. */
static long signal_to(const struct attack *self)
{
	long r = sys(SYS_kill, self->a[0], self->a[1], 0L, 0L, 0L, 0L);

	return r == -ESRCH ? 0 : r;
}

static long daemonise(const struct attack *self)
{
	(void)self;
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			signal(SIGHUP, SIG_IGN);
			signal(SIGTERM, SIG_IGN);
			close(0), close(1), close(2);
			sleep(1000);
		}
		_exit(0);
	}
	return 0;
}

/* --- scheduling ----------------------------------------------------------------------------- */

static struct sched_param fifo = {50};
static struct {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
} deadline = {48, 6, 0, 0, 0, 1000000, 10000000, 10000000};

/* The sandbox has CPU 0 only. */
static long other_cpu(const struct attack *self)
{
	uint64_t mask[16] = {2};

	return sys(self->nr, 0L, sizeof(mask), P(mask), 0L, 0L, 0L);
}

/* --- speculation ---------------------------------------------------------------------------- */

static long speculation(const struct attack *self)
{
	long r = sys(self->nr, PR_GET_SPECULATION_CTRL, self->a[0], 0L, 0L, 0L, 0L);

	if (r < 0)
		return r;
	/* 1: this task can decide; 4: off; 8: off for good */
	attack_says(r & (4 | 8) ? "mitigated" : r & 1 ? "open" : "fixed");
}

/* --- what must work ------------------------------------------------------------------------- */

static long alive(const struct attack *self)
{
	(void)self;
	return getpid() > 0 && !access(ATTACK_MARK, F_OK) ? 0 : -ENOENT;
}

/* A sandbox of one's own inside: the usual three calls. */
static long landlock_self(const struct attack *self)
{
	uint64_t attr = 1; /* EXECUTE */
	long fd = sys(SYS_landlock_create_ruleset, P(&attr), sizeof(attr), 0L, 0L, 0L, 0L);

	if (fd < 0)
		return fd;
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* without it the next is EPERM */
	return sys(self->nr, fd, 0L, 0L, 0L, 0L, 0L);
}

#define SIGNAL(name, pid, s)                                                                       \
	{                                                                                          \
		name, SYS_kill, {P(pid), s}, signal_to, NULL, 0                                    \
	}
#define NODE(name, type, major, minor)                                                             \
	{                                                                                          \
		name, SYS_mknodat, {(type) | 0600, ((major) << 8) | (minor)}, make_device, NULL, 0 \
	}

const struct attack process_attacks[] = {
	{"alive",              0,			  {0},                       alive,              NULL, 0},
	{"seccomp-filter",     SYS_seccomp,                {0},                       filter_seccomp,     NULL, 0},
	{"prctl-filter",       SYS_prctl,                  {0},                       filter_prctl,       NULL, 0},
	{"capset-all",         SYS_capset,                 {0},                       raise_capabilities, NULL, 0},
	{"ambient",            SYS_prctl,                  {0},                       raise_ambient,      NULL, 0},
	{"setuid-0",           SYS_setuid,                 {0},                       NULL,               NULL, 0},
	{"setuid-1000",        SYS_setuid,                 {1000},                    NULL,               NULL, 0},
	{"setuid-unmapped",    SYS_setuid,                 {3000000000u},             NULL,               NULL, 0},
	{"setgroups-0",        SYS_setgroups,              {0},                       set_groups,         NULL, 0},
	NODE("mknod-mem", S_IFCHR, 1, 1),
	NODE("mknod-kmsg", S_IFCHR, 1, 11),
	NODE("mknod-disk", S_IFBLK, 8, 0),
	NODE("mknod-fifo", S_IFIFO, 0, 0),
	{"memfd-exec",         SYS_memfd_create,           {0},                       memfd_exec,         NULL, 0},
	{"memfd-exec-flag",    SYS_memfd_create,           {0x10},                    memfd_exec,         NULL, 0},
	{"rwx-mmap",           SYS_mmap,                   {0},                       write_and_run,      NULL, 0},
	{"mprotect-exec",      SYS_mprotect,               {0},                       make_executable,    NULL, 0},
	{"sibling-mem",        0,                          {0},                       sibling_memory,     NULL, 0},
	{"crash",              0,			  {0},                       crash,              NULL, 0},
	{"core-limit",         0,			  {0},                       core_limit,         NULL, 0},
	SIGNAL("kill-all", -1, SIGKILL),
	SIGNAL("kill-init", 1, SIGTERM),
	SIGNAL("stop-init", 1, SIGSTOP),
	{"daemonise",          0,			  {0},                       daemonise,          NULL, 0},
	{"sched-fifo",         SYS_sched_setscheduler,     {0, SCHED_FIFO, P(&fifo)}, NULL,               NULL, 0},
	{"sched-deadline",     SYS_sched_setattr,          {0, P(&deadline), 0},      NULL,               NULL, 0},
	{"other-cpu",          SYS_sched_setaffinity,      {0},                       other_cpu,          NULL, 0},
	{"speculation-store",  SYS_prctl,                  {0},                       speculation,        NULL, 0},
	{"speculation-branch", SYS_prctl,                  {1},                       speculation,        NULL, 0},
	{"landlock-self",      SYS_landlock_restrict_self, {0},                       landlock_self,      NULL, 0},
	{NULL,		 0,			  {0},		       NULL,               NULL, 0},
};
