#include "run/attrs.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/procfd.h"
#include "base/rlimit.h"
#include "base/str.h"
#include "run/sysctl.h"

/* NR_CPUS and MAX_NUMNODES of the largest kernel configurations. */
enum { CPU_BITS = 8192, NODE_BITS = 1024 };

struct rlimit_plan {
	const char *name;
	enum __rlimit_resource resource;
	struct rlimit limit;
};

/* struct sched_attr of sched_setattr(2) with the members of 5.3; glibc has none. */
struct sched_param_block {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

struct mempolicy_plan {
	bool wanted;
	const char *words; /* for the error text */
	uint64_t mode;     /* flags included */
	uint64_t nodes[NODE_BITS / 64];
	unsigned int n_nodes;
};

struct affinity {
	uint64_t cpus[CPU_BITS / 64];
};

struct attrs_plan {
	bool rootless;
	const struct rlimit_plan *rlimits;
	size_t n_rlimits;
	const struct sched_param_block *scheduler; /* NULL: not asked for */
	bool has_cpuset;
	const int *ioprio;
	struct mempolicy_plan mempolicy;
	const unsigned long *personality;
	const struct affinity *initial, *final;
	const char *oom_score_adj; /* text to write */
	const struct sysctl *sysctls;
	size_t n_sysctls;
};

enum { POLICY_FIFO = 1, POLICY_RR = 2, POLICY_DEADLINE = 6, RESET_ON_FORK = 0x01 };
static const struct word policy_words[] = {
	{"SCHED_OTHER",    0              },
	{"SCHED_FIFO",     POLICY_FIFO    },
	{"SCHED_RR",       POLICY_RR      },
	{"SCHED_BATCH",    3              },
	{"SCHED_ISO",      4              }, /* reserved: every kernel answers EINVAL */
	{"SCHED_IDLE",     5              },
	{"SCHED_DEADLINE", POLICY_DEADLINE},
	{NULL,             0              },
};

static const struct word sched_flag_words[] = {
	{"SCHED_FLAG_RESET_ON_FORK",  RESET_ON_FORK},
	{"SCHED_FLAG_RECLAIM",        0x02         },
	{"SCHED_FLAG_DL_OVERRUN",     0x04         },
	{"SCHED_FLAG_KEEP_POLICY",    0x08         },
	{"SCHED_FLAG_KEEP_PARAMS",    0x10         },
	{"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20         },
	{"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40         },
	{NULL,			0            },
};

static const struct word ioprio_words[] = {
	{"IOPRIO_CLASS_RT",   IOPRIO_CLASS_RT  },
	{"IOPRIO_CLASS_BE",   IOPRIO_CLASS_BE  },
	{"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
	{NULL,		0		},
};

/* linux/mempolicy.h is of the build host; the numbers are the ABI's. */
static const struct word mempolicy_mode_words[] = {
	{"MPOL_DEFAULT",             0},
	{"MPOL_PREFERRED",           1},
	{"MPOL_BIND",                2},
	{"MPOL_INTERLEAVE",          3},
	{"MPOL_LOCAL",               4},
	{"MPOL_PREFERRED_MANY",      5}, /* 5.15 */
	{"MPOL_WEIGHTED_INTERLEAVE", 6}, /* 6.9 */
	{NULL,		       0},
};

static const struct word mempolicy_flag_words[] = {
	{"MPOL_F_NUMA_BALANCING", 1 << 13},
	{"MPOL_F_RELATIVE_NODES", 1 << 14},
	{"MPOL_F_STATIC_NODES",   1 << 15},
	{NULL,		    0      },
};

static const struct word personality_words[] = {
	{"LINUX",   PER_LINUX  },
	{"LINUX32", PER_LINUX32},
	{NULL,      0          },
};

const char *const *attrs_mempolicy_modes(void)
{
	static const char *const names[] = {
		"MPOL_BIND",      "MPOL_DEFAULT",        "MPOL_INTERLEAVE",          "MPOL_LOCAL",
		"MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE", NULL,
	};

	return names;
}

const char *const *attrs_mempolicy_flags(void)
{
	static const char *const names[] = {
		"MPOL_F_NUMA_BALANCING",
		"MPOL_F_RELATIVE_NODES",
		"MPOL_F_STATIC_NODES",
		NULL,
	};

	return names;
}

static int plan_rlimits(struct arena *a, const struct oci_process *p, struct attrs_plan *out,
			struct err *e)
{
	struct rlimit_plan *list = arena_array(a, p->n_rlimits, sizeof(*list));
	uint64_t seen = 0;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct oci_rlimit *r = &p->rlimits[i];
		const struct word *w = word_find(rlimit_words, r->type ? r->type : "");

		if (!w)
			return err_msg(e, EINVAL, "rlimits: unknown limit \"%.64s\"",
				       r->type ? r->type : "");
		if (seen & UINT64_C(1) << w->value)
			return err_msg(e, EINVAL, "rlimits: %s: given twice", w->name);
		if (r->soft > r->hard)
			return err_msg(
				e, EINVAL, "rlimits: %s: soft limit %llu is above hard limit %llu",
				w->name, (unsigned long long)r->soft, (unsigned long long)r->hard);
		seen |= UINT64_C(1) << w->value;
		list[i].name = w->name;
		list[i].resource = (enum __rlimit_resource)w->value;
		list[i].limit = (struct rlimit){.rlim_cur = r->soft, .rlim_max = r->hard};
	}
	out->rlimits = list;
	out->n_rlimits = p->n_rlimits;
	return 0;
}

static int check_scheduler(const struct oci_scheduler *s, uint64_t policy, struct err *e)
{
	if (s->nice < -20 || s->nice > 19)
		return err_msg(e, EINVAL, "invalid scheduler.nice: %d", s->nice);
	if (s->priority != 0 && policy != POLICY_FIFO && policy != POLICY_RR)
		return err_msg(e, EINVAL,
			       "scheduler.priority can only be specified for SchedFIFO or SchedRR "
			       "policy");
	if (s->priority < 0 || s->priority > 99)
		return err_msg(e, EINVAL, "invalid scheduler.priority: %d", s->priority);
	if (policy != POLICY_DEADLINE && (s->runtime || s->deadline || s->period))
		return err_msg(e, EINVAL,
			       "scheduler runtime/deadline/period can only be specified for "
			       "SchedDeadline policy");
	return 0;
}

static int plan_scheduler(struct arena *a, const struct oci_scheduler *s, struct attrs_plan *out,
			  struct err *e)
{
	if (!s->policy || !*s->policy)
		return err_msg(e, EINVAL, "scheduler policy is required");
	const struct word *policy = word_find(policy_words, s->policy);
	if (!policy)
		return err_msg(e, EINVAL, "invalid scheduler policy: \"%.64s\"", s->policy);
	int r = check_scheduler(s, policy->value, e);
	if (r < 0)
		return r;
	struct sched_param_block *b = arena_new(a, sizeof(*b));
	b->size = sizeof(*b);
	b->policy = (uint32_t)policy->value;
	b->nice = s->nice;
	b->priority = (uint32_t)s->priority;
	b->runtime = s->runtime;
	b->deadline = s->deadline;
	b->period = s->period;
	for (size_t i = 0; i < s->n_flags; i++) {
		const struct word *flag = word_find(sched_flag_words, s->flags[i]);

		if (!flag)
			return err_msg(e, EINVAL, "invalid scheduler flag: \"%.64s\"", s->flags[i]);
		b->flags |= flag->value;
	}
	out->scheduler = b;
	return 0;
}

bool attrs_outlast_fork(const struct attrs_plan *p)
{
	return !p->scheduler ||
	       (p->scheduler->policy != POLICY_DEADLINE && !(p->scheduler->flags & RESET_ON_FORK));
}

static int plan_ioprio(struct arena *a, const struct oci_io_priority *p, struct attrs_plan *out,
		       struct err *e)
{
	const struct word *class = word_find(ioprio_words, p->class ? p->class : "");

	if (!class)
		return err_msg(e, EINVAL, "invalid ioPriority.class: \"%.64s\"",
			       p->class ? p->class : "");
	if (p->priority < 0 || p->priority > 7)
		return err_msg(e, EINVAL, "invalid ioPriority.priority: %d is not within 0 to 7",
			       p->priority);
	int *value = arena_new(a, sizeof(*value));
	*value = (int)class->value << IOPRIO_CLASS_SHIFT | p->priority;
	out->ioprio = value;
	return 0;
}

static int plan_mempolicy(const struct oci_memory_policy *p, struct mempolicy_plan *out,
			  struct err *e)
{
	const char *nodes = p->nodes ? p->nodes : "";

	/* An empty object asks for nothing. */
	if ((!p->mode || !*p->mode) && !*nodes && !p->n_flags)
		return 0;
	const struct word *mode = word_find(mempolicy_mode_words, p->mode ? p->mode : "");
	if (!mode)
		return err_msg(e, EINVAL, "invalid memory policy mode: \"%.64s\"",
			       p->mode ? p->mode : "");
	out->mode = mode->value;
	out->words = mode->name;
	for (size_t i = 0; i < p->n_flags; i++) {
		const struct word *flag = word_find(mempolicy_flag_words, p->flags[i]);

		if (!flag)
			return err_msg(e, EINVAL, "invalid memory policy flag: \"%.64s\"",
				       p->flags[i]);
		out->mode |= flag->value;
	}
	if (!str_cpulist(nodes, out->nodes, NODE_BITS))
		return err_msg(e, EINVAL, "invalid memory policy nodes: \"%.64s\"", nodes);
	for (size_t i = 0; i < LEN(out->nodes); i++)
		out->n_nodes += (unsigned int)__builtin_popcountll(out->nodes[i]);
	out->wanted = true;
	return 0;
}

static int plan_personality(struct arena *a, const struct oci_personality *p,
			    struct attrs_plan *out, struct err *e)
{
	const struct word *domain = word_find(personality_words, p->domain ? p->domain : "");

	if (!domain)
		return err_msg(e, EINVAL, "invalid personality domain: \"%.64s\"",
			       p->domain ? p->domain : "");
	if (p->n_flags)
		return err_msg(e, EINVAL, "personality flags are not supported: \"%.64s\"",
			       p->flags[0]);
	unsigned long *value = arena_new(a, sizeof(*value));
	*value = domain->value;
	out->personality = value;
	return 0;
}

static int plan_affinity(struct arena *a, const char *which, const char *list,
			 const struct affinity **out, struct err *e)
{
	static const uint64_t none[CPU_BITS / 64];

	if (!list || !*list)
		return 0;
	struct affinity *set = arena_new(a, sizeof(*set));
	if (!str_cpulist(list, set->cpus, CPU_BITS) || !memcmp(set->cpus, none, sizeof(none)))
		return err_msg(e, EINVAL, "execCPUAffinity: %s: \"%.64s\" is not a list of CPUs",
			       which, list);
	*out = set;
	return 0;
}

static int plan_process(struct arena *a, const struct oci_process *p, struct attrs_plan *out,
			struct err *e)
{
	const struct oci_cpu_affinity *cpus = p->exec_cpu_affinity;
	int r = plan_rlimits(a, p, out, e);

	if (!r && p->scheduler)
		r = plan_scheduler(a, p->scheduler, out, e);
	if (!r && p->io_priority)
		r = plan_ioprio(a, p->io_priority, out, e);
	if (!r && cpus)
		r = plan_affinity(a, "initial", cpus->initial, &out->initial, e);
	if (!r && cpus)
		r = plan_affinity(a, "final", cpus->final, &out->final, e);
	if (r < 0 || !p->oom_score_adj)
		return r;
	if (*p->oom_score_adj < -1000 || *p->oom_score_adj > 1000)
		return err_msg(e, EINVAL, "oomScoreAdj: %lld is not within -1000 to 1000",
			       (long long)*p->oom_score_adj);
	out->oom_score_adj = arena_printf(a, "%lld", (long long)*p->oom_score_adj);
	return 0;
}

static int plan_linux(struct arena *a, const struct attrs_request *req, struct attrs_plan *out,
		      struct err *e)
{
	const struct oci_linux *l = req->linux_;
	const struct sysctl_scope scope = {
		.ipc = req->own_ipc_ns,
		.net = req->own_net_ns || req->joins_net_ns,
		.uts = req->own_uts_ns,
		.user = req->own_user_ns,
		.pid = req->own_pid_ns,
	};
	int r = 0;

	if (l->memory_policy)
		r = plan_mempolicy(l->memory_policy, &out->mempolicy, e);
	if (!r && l->personality)
		r = plan_personality(a, l->personality, out, e);
	if (!r && l->n_sysctl)
		r = sysctl_plan(a, l->sysctl, l->n_sysctl, &scope, &out->sysctls, e);
	out->n_sysctls = l->n_sysctl;
	out->has_cpuset = l->resources && l->resources->cpu && l->resources->cpu->cpus &&
			  *l->resources->cpu->cpus;
	return r;
}

int attrs_plan_make(struct arena *a, const struct attrs_request *req, const struct attrs_plan **out,
		    struct err *e)
{
	struct attrs_plan *p = arena_new(a, sizeof(*p));
	int r = 0;

	p->rootless = req->rootless;
	if (req->process)
		r = plan_process(a, req->process, p, e);
	if (!r && req->linux_)
		r = plan_linux(a, req, p, e);
	if (r < 0)
		return r;
	*out = p;
	return 0;
}

bool attrs_need_procfs(const struct attrs_plan *p)
{
	return p->oom_score_adj || p->n_sysctls;
}

int attrs_apply_early(const struct attrs_plan *p, int proc, struct err *e)
{
	if (p->oom_score_adj && procfd_write(proc, "self/oom_score_adj", p->oom_score_adj, e) < 0) {
		/* Lowering needs CAP_SYS_RESOURCE in the first user namespace: nobody rootless has
		 * it. */
		if (!p->rootless || (e->code != EACCES && e->code != EPERM))
			return err_wrap(e, "oomScoreAdj %s", p->oom_score_adj);
	}
	return sysctl_write(p->sysctls, p->n_sysctls, SYSCTL_EARLY, proc, e);
}

int attrs_apply_sysctls_late(const struct attrs_plan *p, int proc, struct err *e)
{
	return sysctl_write(p->sysctls, p->n_sysctls, SYSCTL_LATE, proc, e);
}

/* 18446744073709551615 reads worse than what it means. */
static const char *limit_text(char *buf, size_t size, rlim_t limit)
{
	if (limit == RLIM_INFINITY)
		return "unlimited";
	snprintf(buf, size, "%llu", (unsigned long long)limit);
	return buf;
}

static int apply_rlimit(const struct rlimit_plan *r, struct err *e)
{
	char from[24], to[24];
	struct rlimit now;

	if (prlimit(0, r->resource, &r->limit, NULL) == 0)
		return 0;
	int code = errno;

	if (code == EPERM && prlimit(0, r->resource, NULL, &now) == 0 &&
	    r->limit.rlim_max > now.rlim_max)
		return err_set(e, code, "rlimits: %s: raise hard limit from %s to %s", r->name,
			       limit_text(from, sizeof(from), now.rlim_max),
			       limit_text(to, sizeof(to), r->limit.rlim_max));
	return err_set(e, code, "rlimits: %s: set to %s, %s", r->name,
		       limit_text(from, sizeof(from), r->limit.rlim_cur),
		       limit_text(to, sizeof(to), r->limit.rlim_max));
}

static int apply_mempolicy(const struct mempolicy_plan *m, struct err *e)
{
	/* The kernel reads one bit less than maxnode says. */
	long r = syscall(SYS_set_mempolicy, m->mode, m->n_nodes ? m->nodes : NULL,
			 m->n_nodes ? NODE_BITS + 1 : 0);

	if (r == 0)
		return 0;
	int code = errno;
	bool takes_none = str_eq(m->words, "MPOL_DEFAULT") || str_eq(m->words, "MPOL_LOCAL");

	if (code == EINVAL && takes_none && m->n_nodes)
		return err_set(e, code, "set_mempolicy: %s: mode requires 0 nodes but got %u",
			       m->words, m->n_nodes);
	return err_set(e, code, "set_mempolicy: %s", m->words);
}

int attrs_apply_privileged(const struct attrs_plan *p, struct err *e)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		int r = apply_rlimit(&p->rlimits[i], e);

		if (r < 0)
			return r;
	}
	if (p->scheduler && syscall(SYS_sched_setattr, 0, p->scheduler, 0) < 0) {
		/* A deadline task must be allowed on every CPU of its root domain. */
		if (errno == EPERM && p->has_cpuset)
			return err_msg(e, EPERM,
				       "process scheduler can't be used together with AllowedCPUs");
		return err_set(e, errno, "set scheduler %s",
			       word_name(policy_words, p->scheduler->policy));
	}
	if (p->ioprio && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, *p->ioprio) < 0)
		return err_set(e, errno, "set io priority");
	if (p->mempolicy.wanted && apply_mempolicy(&p->mempolicy, e) < 0)
		return -e->code;
	if (p->personality && syscall(SYS_personality, *p->personality) < 0)
		return err_set(e, errno, "set personality");
	return 0;
}

static int apply_affinity(const char *which, const struct affinity *set, struct err *e)
{
	if (set && syscall(SYS_sched_setaffinity, 0, sizeof(set->cpus), set->cpus) < 0)
		return err_set(e, errno, "execCPUAffinity: %s", which);
	return 0;
}

/* runc's words: its users read the mask of the first 64 CPUs in --debug output. */
static void log_affinity(void)
{
	uint64_t cpus[CPU_BITS / 64] = {0};

	if (syscall(SYS_sched_getaffinity, 0, sizeof(cpus), cpus) > 0)
		log_debug("nsexec[%d]: affinity: 0x%llx", getpid(), (unsigned long long)cpus[0]);
}

int attrs_affinity_initial(const struct attrs_plan *p, struct err *e)
{
	int r = apply_affinity("initial", p->initial, e);

	if (r == 0 && log_wants(LOG_LEVEL_DEBUG))
		log_affinity();
	return r;
}

int attrs_affinity_final(const struct attrs_plan *p, struct err *e)
{
	return apply_affinity("final", p->final, e);
}
