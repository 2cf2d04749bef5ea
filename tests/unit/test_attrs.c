/* Words to plans, refusals with their texts, and what the kernel says after applying. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/procfd.h"
#include "check.h"
#include "run/attrs.h"

static struct arena arena;
static struct err err;

static int plan_of(const struct oci_process *p, const struct oci_linux *l,
		   const struct attrs_plan **out)
{
	struct attrs_request r = {.process = p,
				  .linux_ = l,
				  .own_ipc_ns = true,
				  .own_net_ns = true,
				  .own_uts_ns = true};

	err = (struct err){0};
	return attrs_plan_make(&arena, &r, out, &err);
}

static int child_of(void (*body)(void))
{
	int st = 1;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		checks_failed = 0;
		body();
		_exit(checks_failed != 0);
	}
	waitpid(pid, &st, 0);
	return st;
}

static void rlimit_words(void)
{
	const struct attrs_plan *p;
	struct oci_rlimit r[2] = {
		{"RLIMIT_NOFILE", 5, 6},
                {"RLIMIT_CORE",   0, 0}
        };
	struct oci_process pr = {.rlimits = r, .n_rlimits = 2};

	CHECK(plan_of(&pr, NULL, &p) == 0 && !attrs_need_procfs(p));
	r[1].type = "RLIMIT_NOFILE";
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL);
	CHECK_STR(err.msg, "rlimits: RLIMIT_NOFILE: given twice");
	r[1].type = "NOFILE";
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL);
	CHECK_STR(err.msg, "rlimits: unknown limit \"NOFILE\"");
	r[1] = (struct oci_rlimit){"RLIMIT_CORE", 2, 1};
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL && strstr(err.msg, "soft limit 2 is above"));
}

static void rlimits_apply(void)
{
	const struct attrs_plan *p;
	struct rlimit now;
	struct oci_rlimit r = {"RLIMIT_NOFILE", 50, 60};
	struct oci_process pr = {.rlimits = &r, .n_rlimits = 1};

	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_apply_privileged(p, &err) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 50 && now.rlim_max == 60);
	/* As any other user than the first root, nobody raises it again. */
	CHECK(setresuid(1000, 1000, 1000) == 0);
	r.hard = 65536;
	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_apply_privileged(p, &err) == -EPERM);
	CHECK_STR(err.msg, "rlimits: RLIMIT_NOFILE: raise hard limit from 60 to 65536: "
			   "operation not permitted");
}

static void scheduler_words(void)
{
	const char *const flags[] = {"SCHED_FLAG_RESET_ON_FORK", NULL};
	const char *const odd[] = {"SCHED_FLAG_NOPE", NULL};
	const struct attrs_plan *p;
	struct oci_scheduler s = {
		.policy = "SCHED_BATCH", .nice = 19, .flags = flags, .n_flags = 1};
	struct oci_process pr = {.scheduler = &s};

	CHECK(plan_of(&pr, NULL, &p) == 0);
	s.nice = 20;
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL);
	CHECK_STR(err.msg, "invalid scheduler.nice: 20");
	s.nice = 0;
	s.priority = 1;
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL && strstr(err.msg, "scheduler.priority"));
	s.priority = 0;
	s.runtime = 1;
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL && strstr(err.msg, "SchedDeadline"));
	s.runtime = 0;
	s.flags = odd;
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL && strstr(err.msg, "SCHED_FLAG_NOPE"));
	s.n_flags = 0;
	s.policy = "SCHED_FAIR";
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL && strstr(err.msg, "invalid scheduler policy"));
	s.policy = NULL;
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL);
}

static void scheduler_applies(void)
{
	const char *const flags[] = {"SCHED_FLAG_RESET_ON_FORK", NULL};
	const struct attrs_plan *p;
	struct oci_scheduler s = {.policy = "SCHED_BATCH", .nice = 7, .flags = flags, .n_flags = 1};
	struct oci_process pr = {.scheduler = &s};

	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_apply_privileged(p, &err) == 0);
	CHECK(sched_getscheduler(0) == (SCHED_BATCH | SCHED_RESET_ON_FORK));
	CHECK(getpriority(PRIO_PROCESS, 0) == 7);
	s = (struct oci_scheduler){.policy = "SCHED_ISO"};
	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_apply_privileged(p, &err) == -EINVAL);
	CHECK_STR(err.msg, "set scheduler SCHED_ISO: invalid argument");
	s = (struct oci_scheduler){.policy = "SCHED_FIFO", .priority = 3};
	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_apply_privileged(p, &err) == 0);
	struct sched_param got;
	CHECK(sched_getparam(0, &got) == 0 && got.sched_priority == 3);
	s = (struct oci_scheduler){.policy = "SCHED_DEADLINE",
				   .runtime = 1000000,
				   .deadline = 100000000,
				   .period = 100000000};
	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_apply_privileged(p, &err) == 0);
	CHECK(sched_getscheduler(0) == 6);
}

/* A deadline task may not be confined to some CPUs: the kernel's EPERM has runc's words. */
static void scheduler_with_cpuset(void)
{
	const struct attrs_plan *p;
	struct oci_scheduler s = {.policy = "SCHED_DEADLINE",
				  .runtime = 1000000,
				  .deadline = 100000000,
				  .period = 100000000};
	struct oci_process pr = {.scheduler = &s};
	struct oci_cpu cpu = {.cpus = "0"};
	struct oci_resources res = {.cpu = &cpu};
	struct oci_linux l = {.resources = &res};
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	CHECK(plan_of(&pr, &l, &p) == 0 && attrs_apply_privileged(p, &err) == -EPERM);
	CHECK_STR(err.msg, "process scheduler can't be used together with AllowedCPUs");
	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_apply_privileged(p, &err) == -EPERM);
	CHECK_STR(err.msg, "set scheduler SCHED_DEADLINE: operation not permitted");
}

static void ioprio(void)
{
	const struct attrs_plan *p;
	struct oci_io_priority io = {"IOPRIO_CLASS_IDLE", 7};
	struct oci_process pr = {.io_priority = &io};

	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_apply_privileged(p, &err) == 0);
	CHECK(syscall(SYS_ioprio_get, 1, 0) == (3 << 13 | 7));
	io = (struct oci_io_priority){"IOPRIO_CLASS_BE", 4};
	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_apply_privileged(p, &err) == 0);
	CHECK(syscall(SYS_ioprio_get, 1, 0) == (2 << 13 | 4));
	io.priority = 8;
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL && strstr(err.msg, "ioPriority.priority"));
	io.priority = -1;
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL);
	io = (struct oci_io_priority){"IOPRIO_CLASS_NONE", 0};
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL && strstr(err.msg, "ioPriority.class"));
}

static int mempolicy(const char *mode, const char *nodes, const char *const *flags, size_t n)
{
	const struct attrs_plan *p;
	struct oci_memory_policy m = {mode, nodes, flags, n};
	struct oci_linux l = {.memory_policy = &m};
	int r = plan_of(NULL, &l, &p);

	return r ? r : attrs_apply_privileged(p, &err);
}

static void mempolicies(void)
{
	const char *const fixed[] = {"MPOL_F_STATIC_NODES", NULL};
	const char *const all[] = {"MPOL_F_NUMA_BALANCING", "MPOL_F_STATIC_NODES",
				   "MPOL_F_RELATIVE_NODES", NULL};
	const char *const odd[] = {"MPOL_F_RELATIVE_NODES", "badflag", NULL};
	int mode = 0;

	CHECK(mempolicy("MPOL_BIND", "0", fixed, 1) == 0);
	CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0 && mode == (2 | 1 << 15));
	CHECK(mempolicy("MPOL_INTERLEAVE", "0", NULL, 0) == 0);
	CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0 && mode == 3);
	CHECK(mempolicy(NULL, NULL, NULL, 0) == 0); /* an empty object changes nothing */
	CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0 && mode == 3);
	CHECK(mempolicy("MPOL_DEFAULT", NULL, NULL, 0) == 0);
	CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0 && mode == 0);
	CHECK(mempolicy("MPOL_DEFAULT", "0-7", all, 3) == -EINVAL);
	CHECK_STR(err.msg, "set_mempolicy: MPOL_DEFAULT: mode requires 0 nodes but got 8: "
			   "invalid argument");
	CHECK(mempolicy("MPOL_BIND", "", NULL, 0) == -EINVAL);
	CHECK_STR(err.msg, "set_mempolicy: MPOL_BIND: invalid argument");
	CHECK(mempolicy("INTERLEAVE", "0", NULL, 0) == -EINVAL);
	CHECK_STR(err.msg, "invalid memory policy mode: \"INTERLEAVE\"");
	CHECK(mempolicy(NULL, "0-7", NULL, 0) == -EINVAL);
	CHECK_STR(err.msg, "invalid memory policy mode: \"\"");
	CHECK(mempolicy("MPOL_PREFERRED", "0", odd, 2) == -EINVAL);
	CHECK_STR(err.msg, "invalid memory policy flag: \"badflag\"");
	CHECK(mempolicy("MPOL_BIND", "0-9876543210", NULL, 0) == -EINVAL);
	CHECK_STR(err.msg, "invalid memory policy nodes: \"0-9876543210\"");
	for (const char *const *m = attrs_mempolicy_modes(); *m; m++) {
		(void)mempolicy(*m, "", NULL, 0); /* known words, whatever this kernel says */
		CHECK(strstr(err.msg, "invalid memory policy") == NULL);
	}
	for (const char *const *f = attrs_mempolicy_flags(); *f; f++) {
		(void)mempolicy("MPOL_BIND", "0", f, 1);
		CHECK(strstr(err.msg, "invalid memory policy") == NULL);
	}
}

static void personalities(void)
{
	const char *const flags[] = {"ADDR_NO_RANDOMIZE", NULL};
	const struct attrs_plan *p;
	struct oci_personality pe = {.domain = "LINUX32"};
	struct oci_linux l = {.personality = &pe};
	struct utsname u;

	CHECK(plan_of(NULL, &l, &p) == 0 && attrs_apply_privileged(p, &err) == 0);
	CHECK(personality(0xffffffff) == PER_LINUX32);
	CHECK(uname(&u) == 0 && strcmp(u.machine, "x86_64") != 0);
	pe.domain = "LINUX";
	CHECK(plan_of(NULL, &l, &p) == 0 && attrs_apply_privileged(p, &err) == 0);
	CHECK(personality(0xffffffff) == PER_LINUX);
	pe.flags = flags;
	pe.n_flags = 1;
	CHECK(plan_of(NULL, &l, &p) == -EINVAL && strstr(err.msg, "personality flags"));
	pe = (struct oci_personality){.domain = "BSD"};
	CHECK(plan_of(NULL, &l, &p) == -EINVAL && strstr(err.msg, "personality domain"));
}

static void affinity(void)
{
	const struct attrs_plan *p;
	struct oci_cpu_affinity c = {.initial = "0", .final = ""};
	struct oci_process pr = {.exec_cpu_affinity = &c};
	cpu_set_t set;

	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_affinity_initial(p, &err) == 0);
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	CHECK(CPU_COUNT(&set) == 1 && CPU_ISSET(0, &set));
	CHECK(attrs_affinity_final(p, &err) == 0);
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1);
	c = (struct oci_cpu_affinity){.final = "0-1"};
	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_affinity_initial(p, &err) == 0);
	CHECK(attrs_affinity_final(p, &err) == 0);
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_ISSET(0, &set));
	c.final = "8000";
	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_affinity_final(p, &err) == -EINVAL);
	CHECK(strstr(err.msg, "execCPUAffinity: final") != NULL);
	for (const char *const *bad = (const char *const[]){"x", "1-0", ",", "99999", "0-", NULL};
	     *bad; bad++) {
		c.final = *bad;
		CHECK(plan_of(&pr, NULL, &p) == -EINVAL);
	}
}

static void oom(void)
{
	const struct attrs_plan *p;
	int64_t score = 500;
	char text[32];
	struct oci_process pr = {.oom_score_adj = &score};
	struct attrs_request rootless = {.process = &pr, .rootless = true};
	int proc = procfd_open(&err);

	CHECK(proc >= 0);
	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_need_procfs(p));
	CHECK(attrs_apply_early(p, proc, &err) == 0);
	CHECK(file_peek(AT_FDCWD, "/proc/self/oom_score_adj", text, sizeof(text)) == 3);
	CHECK_STR(text, "500");
	score = 1001;
	CHECK(plan_of(&pr, NULL, &p) == -EINVAL && strstr(err.msg, "oomScoreAdj: 1001"));
	/* Lower than it was given: refused without CAP_SYS_RESOURCE, ignored rootless. */
	score = -999;
	CHECK(setresuid(1000, 1000, 1000) == 0);
	CHECK(plan_of(&pr, NULL, &p) == 0 && attrs_apply_early(p, proc, &err) == -EACCES);
	CHECK(strstr(err.msg, "oomScoreAdj -999") != NULL);
	CHECK(attrs_plan_make(&arena, &rootless, &p, &err) == 0);
	CHECK(attrs_apply_early(p, proc, &err) == 0);
	close(proc);
}

static void sysctl_names(void)
{
	static const struct {
		const char *key, *refusal; /* NULL: taken */
	} rows[] = {
		{"net.ipv4.ip_forward",              NULL                              },
		{"net/ipv4/ip_forward",              NULL                              },
		{"net/ipv4/conf/eno2.100/rp_filter", NULL                              },
		{"net.ipv4.conf.eno2/100.rp_filter", NULL                              },
		{"kernel.shmmax",                    NULL                              },
		{"kernel/sem",                       NULL                              },
		{"fs.mqueue.msg_max",                NULL                              },
		{"kernel.domainname",                NULL                              },
		{"kernel.hostname",                  "use hostname"                    },
		{"kernel/hostname",                  "use hostname"                    },
		{"kernel.core_pattern",
		 "sysctl \"kernel.core_pattern\" is not in a separate kernel namespace"},
		{"kernel.shmmax.x",                  "separate kernel namespace"       },
		{"kernel.semx",                      "separate kernel namespace"       },
		{"user.max_user_namespaces",         "separate kernel namespace"       },
		{"vm.overcommit_memory",             "separate kernel namespace"       },
		{"net",			      "separate kernel namespace"       },
		{"network.x",                        "separate kernel namespace"       },
		{"fs.mqueue",                        "separate kernel namespace"       },
		{"",				 "not a valid name"                },
		{"net.",			     "not a valid name"                },
		{"net..ipv4",                        "not a valid name"                },
		{".net",			     "not a valid name"                },
		{"net/../kernel/core_pattern",       "not a valid name"                },
		{"net.//.kernel.core_pattern",       "not a valid name"                },
		{"net/./x",                          "not a valid name"                },
		{"/net/ipv4/ip_forward",             "not a valid name"                },
		{"fs.mqueue.//.nr_open",             "not a valid name"                },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct attrs_plan *p;
		struct oci_map m = {rows[i].key, "1"};
		struct oci_linux l = {.sysctl = &m, .n_sysctl = 1};
		int r = plan_of(NULL, &l, &p);

		CHECK(r == (rows[i].refusal ? -EINVAL : 0));
		CHECK(!rows[i].refusal || strstr(err.msg, rows[i].refusal));
		if (r == (rows[i].refusal ? 0 : -EINVAL))
			fprintf(stderr, "  with %s: %s\n", rows[i].key, err.msg);
	}
}

static void sysctls_need_namespaces(void)
{
	static const char *const keys[] = {"net.ipv4.ip_forward",      "kernel.shmmax",
					   "kernel.domainname",        "kernel.hostname",
					   "user.max_user_namespaces", "vm.memfd_noexec"};
	const struct attrs_plan *p;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct oci_map m = {keys[i], "1"};
		struct oci_linux l = {.sysctl = &m, .n_sysctl = 1};
		struct attrs_request none = {.linux_ = &l};

		CHECK(attrs_plan_make(&arena, &none, &p, &err) == -EINVAL);
	}
	struct oci_map m[] = {
		{"net.core.somaxconn",       "9"},
                {"user.max_user_namespaces", "1"}
        };
	struct oci_linux l = {.sysctl = m, .n_sysctl = 2};
	struct attrs_request joined = {.linux_ = &l, .joins_net_ns = true, .own_user_ns = true};
	CHECK(attrs_plan_make(&arena, &joined, &p, &err) == 0);
}

static void sysctls_are_written(void)
{
	struct oci_map m[] = {
		{"net.ipv4.ip_forward", "1"        },
		{"kernel.shmmni",       "77"       },
		{"kernel/domainname",   "brig.test"},
		{"fs.mqueue.msg_max",   "11"       }
        };
	struct oci_linux l = {.sysctl = m, .n_sysctl = 4};
	const struct attrs_plan *p;
	char text[64];

	CHECK(unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	int proc = procfd_open(&err);
	CHECK(proc >= 0);
	CHECK(plan_of(NULL, &l, &p) == 0 && attrs_need_procfs(p));
	CHECK(attrs_apply_early(p, proc, &err) == 0);
	CHECK(file_peek(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", text, sizeof(text)) == 1);
	CHECK_STR(text, "1");
	CHECK(file_peek(AT_FDCWD, "/proc/sys/kernel/domainname", text, sizeof(text)) > 0);
	CHECK_STR(text, "brig.test");
	CHECK(file_peek(AT_FDCWD, "/proc/sys/kernel/shmmni", text, sizeof(text)) > 0);
	CHECK(strcmp(text, "77") != 0); /* not before its turn */
	CHECK(attrs_apply_sysctls_late(p, proc, &err) == 0);
	CHECK(file_peek(AT_FDCWD, "/proc/sys/kernel/shmmni", text, sizeof(text)) > 0);
	CHECK_STR(text, "77");
	CHECK(file_peek(AT_FDCWD, "/proc/sys/fs/mqueue/msg_max", text, sizeof(text)) > 0);
	CHECK_STR(text, "11");
	m[0] = (struct oci_map){"net.ipv4.no_such_thing", "1"};
	CHECK(plan_of(NULL, &l, &p) == 0 && attrs_apply_early(p, proc, &err) == -ENOENT);
	CHECK(strstr(err.msg, "sysctl \"net.ipv4.no_such_thing\"") == err.msg);
	close(proc);
}

int main(void)
{
	rlimit_words();
	scheduler_words();
	sysctl_names();
	sysctls_need_namespaces();
	CHECK(child_of(ioprio) == 0);
	CHECK(child_of(mempolicies) == 0);
	CHECK(child_of(personalities) == 0);
	CHECK(child_of(affinity) == 0);
	if (geteuid() == 0) {
		CHECK(child_of(rlimits_apply) == 0);
		CHECK(child_of(scheduler_applies) == 0);
		CHECK(child_of(scheduler_with_cpuset) == 0);
		CHECK(child_of(oom) == 0);
		CHECK(child_of(sysctls_are_written) == 0);
	} else {
		printf("# not root: what needs privilege was left out\n");
	}
	arena_free(&arena);
	return check_done();
}
