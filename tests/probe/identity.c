/* What the process is: ids, capabilities, limits, namespaces and other attributes. */
#include "probe.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/mempolicy.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static int caps(int argc, char **argv)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uint64_t bounding = 0, ambient = 0;

	(void)argc, (void)argv; /* a verb without arguments */
	if (syscall(SYS_capget, &head, data) < 0)
		return verdict(-1);
	for (int c = 0; c < 64; c++) {
		if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1)
			bounding |= 1ULL << c;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, c, 0, 0) == 1)
			ambient |= 1ULL << c;
	}
	printf("inheritable %08x%08x\n", data[1].inheritable, data[0].inheritable);
	printf("permitted %08x%08x\n", data[1].permitted, data[0].permitted);
	printf("effective %08x%08x\n", data[1].effective, data[0].effective);
	printf("bounding %016llx\n", (unsigned long long)bounding);
	printf("ambient %016llx\n", (unsigned long long)ambient);
	printf("securebits %#x\n", (unsigned)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	return 0;
}

static int ids(int argc, char **argv)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid, groups[1024];
	int n = getgroups(1024, groups);

	(void)argc, (void)argv;
	if (n < 0 || getresuid(&ruid, &euid, &suid) < 0 || getresgid(&rgid, &egid, &sgid) < 0)
		return verdict(-1);
	printf("uid %u %u %u %u\n", ruid, euid, suid, (unsigned)setfsuid((uid_t)-1));
	printf("gid %u %u %u %u\n", rgid, egid, sgid, (unsigned)setfsgid((gid_t)-1));
	printf("groups");
	for (int i = 0; i < n; i++)
		printf(" %u", groups[i]);
	putchar('\n');
	printf("pid %d\nppid %d\npgid %d\nsid %d\n", getpid(), getppid(), getpgid(0), getsid(0));
	return 0;
}

static int attributes(int argc, char **argv)
{
	int deathsig = -1;
	mode_t mask = umask(0);

	(void)argc, (void)argv;
	umask(mask);
	(void)prctl(PR_GET_PDEATHSIG, &deathsig); /* cannot fail with a valid pointer */
	printf("no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	printf("seccomp %d\n", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
	printf("dumpable %d\n", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	printf("keepcaps %d\n", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	printf("pdeathsig %d\n", deathsig);
	printf("personality %#lx\n", (unsigned long)personality(0xffffffff));
	printf("umask %04o\n", mask);
	return 0;
}

static void print_mask(const char *name, const sigset_t *set)
{
	printf("%s", name);
	for (int s = 1; s < NSIG; s++)
		if (sigismember(set, s) == 1)
			printf(" %d", s);
	putchar('\n');
}

static int signals(int argc, char **argv)
{
	sigset_t blocked, pending, ignored;

	(void)argc, (void)argv;
	sigemptyset(&ignored);
	for (int s = 1; s < NSIG; s++) {
		struct sigaction sa;
		if (sigaction(s, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			sigaddset(&ignored, s);
	}
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	sigpending(&pending);
	print_mask("blocked", &blocked);
	print_mask("ignored", &ignored);
	print_mask("pending", &pending);
	return 0;
}

static int rlimits(int argc, char **argv)
{
	static const char *const names[] = {
		[RLIMIT_CPU] = "CPU",           [RLIMIT_FSIZE] = "FSIZE",
		[RLIMIT_DATA] = "DATA",         [RLIMIT_STACK] = "STACK",
		[RLIMIT_CORE] = "CORE",         [RLIMIT_RSS] = "RSS",
		[RLIMIT_NPROC] = "NPROC",       [RLIMIT_NOFILE] = "NOFILE",
		[RLIMIT_MEMLOCK] = "MEMLOCK",   [RLIMIT_AS] = "AS",
		[RLIMIT_LOCKS] = "LOCKS",       [RLIMIT_SIGPENDING] = "SIGPENDING",
		[RLIMIT_MSGQUEUE] = "MSGQUEUE", [RLIMIT_NICE] = "NICE",
		[RLIMIT_RTPRIO] = "RTPRIO",     [RLIMIT_RTTIME] = "RTTIME",
	};

	(void)argc, (void)argv;
	for (unsigned r = 0; r < sizeof(names) / sizeof(names[0]); r++) {
		struct rlimit l;
		if (getrlimit((__rlimit_resource_t)r, &l) == 0)
			printf("%s %lld %lld\n", names[r], (long long)l.rlim_cur,
			       (long long)l.rlim_max);
	}
	return 0;
}

struct sched_attr_v1 {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

static int sched(int argc, char **argv)
{
	struct sched_attr_v1 a = {0};
	cpu_set_t cpus;
	unsigned long nodes[16] = {0};
	int mode = 0;

	(void)argc, (void)argv;
	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) == 0)
		printf("policy %u\nnice %d\npriority %u\nflags %llu\nruntime %llu\n"
		       "deadline %llu\nperiod %llu\n",
		       a.policy, a.nice, a.priority, (unsigned long long)a.flags,
		       (unsigned long long)a.runtime, (unsigned long long)a.deadline,
		       (unsigned long long)a.period);
	/* class in the top three bits, then the level */
	long io = syscall(SYS_ioprio_get, 1, 0);
	printf("ioprio %ld %ld\n", io < 0 ? -1 : io >> 13, io < 0 ? -1 : io & 0x1fff);
	if (syscall(SYS_get_mempolicy, &mode, nodes, sizeof(nodes) * 8, NULL, 0) == 0)
		printf("mempolicy %d %#lx\n", mode, nodes[0]);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) {
		printf("cpus");
		for (int c = 0; c < CPU_SETSIZE; c++)
			if (CPU_ISSET(c, &cpus))
				printf(" %d", c);
		putchar('\n');
	}
	return 0;
}

static int namespaces(int argc, char **argv)
{
	static const char *const names[] = {"cgroup", "ipc",  "mnt",  "net",
					    "pid",    "time", "user", "uts"};

	(void)argc, (void)argv;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];
		struct stat st;
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (stat(path, &st) == 0)
			printf("%s %llu\n", names[i], (unsigned long long)st.st_ino);
	}
	return 0;
}

static int clocks(int argc, char **argv)
{
	static const struct {
		clockid_t id;
		const char *name;
	} clock[] = {
		{CLOCK_MONOTONIC, "monotonic"},
		{CLOCK_BOOTTIME,  "boottime" },
		{CLOCK_REALTIME,  "realtime" }
        };

	(void)argc, (void)argv;
	for (size_t i = 0; i < sizeof(clock) / sizeof(clock[0]); i++) {
		struct timespec t;
		clock_gettime(clock[i].id, &t);
		printf("%s %lld.%09ld\n", clock[i].name, (long long)t.tv_sec, t.tv_nsec);
	}
	return 0;
}

static int uts(int argc, char **argv)
{
	struct utsname u;

	(void)argc, (void)argv;
	if (uname(&u) < 0)
		return verdict(-1);
	printf("hostname %s\ndomainname %s\nmachine %s\n", u.nodename, u.domainname, u.machine);
	return 0;
}

static int keyring(int argc, char **argv)
{
	char text[256] = "";
	long id = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);

	(void)argc, (void)argv;
	if (id < 0)
		return verdict(-1);
	/* The description names the keyring's type, owner, rights and name. */
	if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, id, text, sizeof(text) - 1) < 0)
		return verdict(-1);
	printf("session %ld %s\n", id, text);
	return 0;
}

const struct verb identity_verbs[] = {
	{"caps",				  0, caps, "the five capability sets and the securebits"},
	{"ids",				   0, ids, "user, group and process ids"},
	{"attrs",				       0, attributes, "no_new_privs, seccomp, dumpable, personality, umask ..."},
	{"signals",    0, signals, "blocked, ignored and pending signals"},
	{"rlimits",          0, rlimits, "soft and hard limits (-1: unlimited)"},
	{"sched",				 0, sched, "scheduler, I/O priority, memory policy, CPUs"},
	{"ns",			     0, namespaces, "inode numbers of the namespaces (needs /proc)"},
	{"clocks",				       0, clocks, "the clocks that a time namespace shifts"},
	{"uts",				   0, uts, "host and domain name"},
	{"keyring", 0, keyring, "the session keyring"},
	{0			      },
};
