/* linux.seccomp: words to numbers, and everything that is refused about them. */
#include "guard/seccomp_rules.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h> /* names only: guard/seccomp.h has other functions of these names */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"

enum { MAX_RULES = 16384, MAX_ARGS = 64, MAX_SYSCALL_ARGS = 6, MAX_ERRNO_DATA = 4095 };

static const struct word action_words[] = {
	{"SCMP_ACT_ALLOW",        SECCOMP_RET_ALLOW       },
	{"SCMP_ACT_ERRNO",        SECCOMP_RET_ERRNO       },
	{"SCMP_ACT_KILL",         SECCOMP_RET_KILL_THREAD },
	{"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
	{"SCMP_ACT_KILL_THREAD",  SECCOMP_RET_KILL_THREAD },
	{"SCMP_ACT_LOG",          SECCOMP_RET_LOG         },
	{"SCMP_ACT_NOTIFY",       SECCOMP_RET_USER_NOTIF  },
	{"SCMP_ACT_TRACE",        SECCOMP_RET_TRACE       },
	{"SCMP_ACT_TRAP",         SECCOMP_RET_TRAP        },
	{NULL,		    0		       },
};

static const struct word operator_words[] = {
	{"SCMP_CMP_EQ",        OP_EQ       },
        {"SCMP_CMP_GE",        OP_GE       },
	{"SCMP_CMP_GT",        OP_GT       },
        {"SCMP_CMP_LE",        OP_LE       },
	{"SCMP_CMP_LT",        OP_LT       },
        {"SCMP_CMP_MASKED_EQ", OP_MASKED_EQ},
	{"SCMP_CMP_NE",        OP_NE       },
        {NULL,                 0           },
};

/* TSYNC is taken and has no effect: the process that loads a filter has one thread. */
static const struct word flag_words[] = {
	{"SECCOMP_FILTER_FLAG_LOG",                SECCOMP_FILTER_FLAG_LOG               },
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW",         SECCOMP_FILTER_FLAG_SPEC_ALLOW        },
	{"SECCOMP_FILTER_FLAG_TSYNC",              0                                     },
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
	{NULL,				     0				     },
};

/*
 * What can occur on this machine.  Programs of any other architecture cannot run here, so that
 * rules for them would be dead code: such words are known and taken, and nothing is made of them.
 */
static const struct {
	const char *word;
	uint32_t library, audit;
} machine_arches[] = {
#if defined(__x86_64__) && !defined(__ILP32__)
	{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64},
	{"SCMP_ARCH_X86",    SCMP_ARCH_X86,    AUDIT_ARCH_I386  },
	{"SCMP_ARCH_X32",    SCMP_ARCH_X32,    AUDIT_ARCH_X86_64},
#elif defined(__aarch64__)
	{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64},
	{"SCMP_ARCH_ARM", SCMP_ARCH_ARM, AUDIT_ARCH_ARM},
#elif defined(__riscv) && __riscv_xlen == 64
	{"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64, AUDIT_ARCH_RISCV64},
#else
#error "seccomp: add this architecture, and how it multiplexes calls, to the tables"
#endif
};

static const struct word arch_words[] = {
	{"SCMP_ARCH_AARCH64",     0},
        {"SCMP_ARCH_ARM",         0},
        {"SCMP_ARCH_LOONGARCH64", 0},
	{"SCMP_ARCH_M68K",        0},
        {"SCMP_ARCH_MIPS",        0},
        {"SCMP_ARCH_MIPS64",      0},
	{"SCMP_ARCH_MIPS64N32",   0},
        {"SCMP_ARCH_MIPSEL",      0},
        {"SCMP_ARCH_MIPSEL64",    0},
	{"SCMP_ARCH_MIPSEL64N32", 0},
        {"SCMP_ARCH_PARISC",      0},
        {"SCMP_ARCH_PARISC64",    0},
	{"SCMP_ARCH_PPC",         0},
        {"SCMP_ARCH_PPC64",       0},
        {"SCMP_ARCH_PPC64LE",     0},
	{"SCMP_ARCH_RISCV64",     0},
        {"SCMP_ARCH_S390",        0},
        {"SCMP_ARCH_S390X",       0},
	{"SCMP_ARCH_SH",          0},
        {"SCMP_ARCH_SHEB",        0},
        {"SCMP_ARCH_X32",         0},
	{"SCMP_ARCH_X86",         0},
        {"SCMP_ARCH_X86_64",      0},
        {NULL,                    0},
};

const struct word *seccomp_words(enum seccomp_vocabulary which)
{
	static const struct word *const tables[] = {action_words, operator_words, arch_words,
						    flag_words};

	return tables[which];
}

uint32_t seccomp_native_arch(void)
{
	return machine_arches[0].audit;
}

/*
 * i386 has socket and System V calls behind socketcall(2) and ipc(2), which libseccomp names by
 * numbers below -100; since 4.3 and 5.1 most have a number of their own too.
 */
static const struct {
	int16_t pseudo;
	uint16_t direct;
} i386_multiplexed[] = {
	{-101, 359}, /* socket */
	{-102, 361}, /* bind */
	{-103, 362}, /* connect */
	{-104, 363}, /* listen */
	{-106, 367}, /* getsockname */
	{-107, 368}, /* getpeername */
	{-108, 360}, /* socketpair */
	{-111, 369}, /* sendto */
	{-112, 371}, /* recvfrom */
	{-113, 373}, /* shutdown */
	{-114, 366}, /* setsockopt */
	{-115, 365}, /* getsockopt */
	{-116, 370}, /* sendmsg */
	{-117, 372}, /* recvmsg */
	{-118, 364}, /* accept4 */
	{-119, 337}, /* recvmmsg */
	{-120, 345}, /* sendmmsg */
	{-202, 393}, /* semget */
	{-203, 394}, /* semctl */
	{-211, 400}, /* msgsnd */
	{-212, 401}, /* msgrcv */
	{-213, 399}, /* msgget */
	{-214, 402}, /* msgctl */
	{-221, 397}, /* shmat */
	{-222, 398}, /* shmdt */
	{-223, 395}, /* shmget */
	{-224, 396}, /* shmctl */
};
enum { I386_SOCKETCALL = 102, I386_IPC = 117 };

static int find_action(const char *name, const uint32_t *errno_ret, uint32_t *ret, struct err *e)
{
	const struct word *w = word_find(action_words, name ? name : "");

	if (!w)
		return err_msg(e, EINVAL, "unknown action \"%.64s\"", name ? name : "");
	*ret = (uint32_t)w->value;
	if (*ret != SECCOMP_RET_ERRNO && *ret != SECCOMP_RET_TRACE) {
		if (errno_ret)
			return err_msg(e, EINVAL, "action %s does not support an errno", w->name);
		return 0;
	}
	uint32_t data = errno_ret ? *errno_ret : EPERM;
	/* The kernel cuts larger ones to this (MAX_ERRNO). */
	if (data > (*ret == SECCOMP_RET_ERRNO ? MAX_ERRNO_DATA : SECCOMP_RET_DATA))
		return err_msg(e, EINVAL, "errno %u does not fit", data);
	*ret |= data;
	return 0;
}

static int find_flags(const struct oci_seccomp *s, uint32_t *flags, struct err *e)
{
	for (size_t i = 0; i < s->n_flags; i++) {
		const struct word *w = word_find(flag_words, s->flags[i]);

		if (!w)
			return err_msg(e, EINVAL, "seccomp: unknown flag \"%.64s\"", s->flags[i]);
		*flags |= (uint32_t)w->value;
	}
	return 0;
}

static int find_arches(const struct oci_seccomp *s, struct seccomp_policy *p, struct err *e)
{
	p->n_arches = LEN(machine_arches);
	for (size_t i = 0; i < p->n_arches; i++) {
		struct seccomp_arch *arch = &p->arches[i];
		int rseq = seccomp_syscall_resolve_name_arch(machine_arches[i].library, "rseq");

		arch->library = machine_arches[i].library;
		arch->audit = machine_arches[i].audit;
		arch->wanted = i == 0;
		arch->newest = rseq > 0 ? (uint32_t)rseq : 0;
	}
	for (size_t i = 0; i < s->n_architectures; i++) {
		const char *name = s->architectures[i];

		if (!word_find(arch_words, name))
			return err_msg(e, EINVAL, "seccomp: unknown architecture \"%.64s\"", name);
		for (size_t k = 0; k < p->n_arches; k++)
			if (str_eq(machine_arches[k].word, name))
				p->arches[k].wanted = true;
	}
	return 0;
}

/* Numbers above are calls that only one architecture has (ARM's set_tls): no sign of age. */
enum { ARCH_PRIVATE = 0x0f0000 };

static int add_rule(struct arena *a, struct seccomp_arch *arch, struct seccomp_rule rule,
		    struct err *e)
{
	if (arch->n_rules == MAX_RULES)
		return err_msg(e, E2BIG, "more than %d rules", MAX_RULES);
	if (arch->n_rules == arch->max_rules) {
		size_t max = arch->max_rules ? arch->max_rules * 2 : 512;
		struct seccomp_rule *more = arena_array(a, max, sizeof(*more));

		if (arch->n_rules)
			memcpy(more, arch->rules, arch->n_rules * sizeof(*more));
		arch->rules = more;
		arch->max_rules = max;
	}
	rule.order = (uint32_t)arch->n_rules;
	arch->rules[arch->n_rules++] = rule;
	return 0;
}

static void note_newest(struct seccomp_arch *arch, uint32_t nr)
{
	if (nr > arch->newest && (nr & ~X32_BIT) < ARCH_PRIVATE)
		arch->newest = nr;
}

/*
 * One i386 call behind a multiplexer.  The arguments are in memory there, out of a filter's
 * sight: a rule that looks at them goes only to the direct call.
 */
static int add_multiplexed(struct arena *a, struct seccomp_arch *arch, int pseudo,
			   struct seccomp_rule rule, struct err *e)
{
	bool sockets = pseudo > -200;

	for (size_t i = 0; i < LEN(i386_multiplexed); i++) {
		if (i386_multiplexed[i].pseudo != pseudo)
			continue;
		rule.nr = i386_multiplexed[i].direct;
		note_newest(arch, rule.nr);
		if (add_rule(a, arch, rule, e) < 0)
			return -e->code;
	}
	if (rule.n_tests)
		return 0;
	struct seccomp_test *test = arena_new(a, sizeof(*test));
	*test = (struct seccomp_test){
		.op = OP_MASKED_EQ,
		/* The upper half of ipc's first argument is a version. */
		.value = sockets ? UINT32_MAX : UINT16_MAX,
		.value_two = (uint64_t)(sockets ? -pseudo - 100 : -pseudo - 200),
	};
	rule.nr = sockets ? I386_SOCKETCALL : I386_IPC;
	rule.n_tests = 1;
	rule.tests = test;
	return add_rule(a, arch, rule, e);
}

static int add_name(struct arena *a, struct seccomp_policy *p, const char *name,
		    struct seccomp_rule rule, struct err *e)
{
	for (size_t i = 0; i < p->n_arches; i++) {
		struct seccomp_arch *arch = &p->arches[i];
		int r = 0;

		if (!arch->wanted)
			continue;
		int nr = seccomp_syscall_resolve_name_arch(arch->library, name);
		if (nr >= 0) {
			rule.nr = (uint32_t)nr;
			note_newest(arch, rule.nr);
		}
		/* As runc: a rule that says what the default says is no rule. */
		if (rule.ret == p->default_ret)
			continue;
		if (nr >= 0)
			r = add_rule(a, arch, rule, e);
		else if (arch->library == SCMP_ARCH_X86 && nr <= -101 && nr >= -299)
			r = add_multiplexed(a, arch, nr, rule, e);
		else
			continue; /* not on this architecture, or newer than the library */
		if (r < 0)
			return r;
	}
	return 0;
}

static int find_tests(struct arena *a, const struct oci_seccomp_rule *r,
		      const struct seccomp_test **out, bool *repeated, struct err *e)
{
	struct seccomp_test *tests = arena_array(a, r->n_args, sizeof(*tests));
	unsigned int seen = 0;

	if (r->n_args > MAX_ARGS)
		return err_msg(e, E2BIG, "more than %d args", MAX_ARGS);
	for (size_t i = 0; i < r->n_args; i++) {
		const struct oci_seccomp_arg *arg = &r->args[i];
		const struct word *op = word_find(operator_words, arg->op ? arg->op : "");

		if (!op)
			return err_msg(e, EINVAL, "args[%zu]: unknown operator \"%.64s\"", i,
				       arg->op ? arg->op : "");
		if (arg->index >= MAX_SYSCALL_ARGS)
			return err_msg(e, EINVAL, "args[%zu]: index %u is above %d", i, arg->index,
				       MAX_SYSCALL_ARGS - 1);
		*repeated |= seen & 1U << arg->index;
		seen |= 1U << arg->index;
		tests[i].index = arg->index;
		tests[i].op = (enum seccomp_op)op->value;
		tests[i].value = arg->value;
		tests[i].value_two = arg->value_two;
	}
	*out = tests;
	return 0;
}

static int add_entry(struct arena *a, struct seccomp_policy *p, const struct oci_seccomp_rule *r,
		     struct err *e)
{
	struct seccomp_rule rule = {.n_tests = (uint32_t)r->n_args};
	bool repeated = false;
	int err = find_action(r->action, r->errno_ret, &rule.ret, e);

	if (!err)
		err = find_tests(a, r, &rule.tests, &repeated, e);
	if (!err && !r->n_names)
		err = err_msg(e, EINVAL, "names: at least one is needed");
	p->notify |= rule.ret == SECCOMP_RET_USER_NOTIF;
	for (size_t i = 0; !err && i < r->n_names; i++) {
		const char *name = r->names[i];

		if (!*name)
			return err_msg(e, EINVAL, "names[%zu]: empty", i);
		/* The set-up itself must write once the filter is on. */
		if (rule.ret == SECCOMP_RET_USER_NOTIF && str_eq(name, "write"))
			return err_msg(e, EINVAL,
				       "SCMP_ACT_NOTIFY cannot be used for the write syscall");
		if (!repeated) {
			err = add_name(a, p, name, rule, e);
			continue;
		}
		/* One argument twice cannot be meant as "and": runc makes it "or". */
		for (size_t k = 0; !err && k < r->n_args; k++) {
			struct seccomp_rule one = {
				.ret = rule.ret, .n_tests = 1, .tests = &rule.tests[k]};

			err = add_name(a, p, name, one, e);
		}
	}
	return err;
}

/* The kernel's precedence: a smaller signed action is the more restrictive one. */
static int by_number(const void *x, const void *y)
{
	const struct seccomp_rule *a = x, *b = y;
	int32_t ra = (int32_t)(a->ret & SECCOMP_RET_ACTION_FULL);
	int32_t rb = (int32_t)(b->ret & SECCOMP_RET_ACTION_FULL);

	if (a->nr != b->nr)
		return a->nr < b->nr ? -1 : 1;
	if (ra != rb)
		return ra < rb ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static int check_listener(const struct oci_seccomp *s, bool notify, struct err *e)
{
	bool has_path = s->listener_path && *s->listener_path;

	if (s->listener_metadata && *s->listener_metadata && !has_path)
		return err_msg(e, EINVAL, "seccomp: listenerMetadata without listenerPath");
	if (notify && !has_path)
		return err_msg(e, EINVAL, "seccomp: SCMP_ACT_NOTIFY without listenerPath");
	return 0;
}

int seccomp_policy_make(struct arena *a, const struct oci_seccomp *s, struct seccomp_policy *out,
			struct err *e)
{
	*out = (struct seccomp_policy){0};
	if (find_action(s->default_action, s->default_errno_ret, &out->default_ret, e) < 0)
		return err_wrap(e, "seccomp: defaultAction");
	if (out->default_ret == SECCOMP_RET_USER_NOTIF)
		return err_msg(e, EINVAL,
			       "seccomp: SCMP_ACT_NOTIFY cannot be used as default action");
	out->unknown_is_enosys = (out->default_ret & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
	if (find_flags(s, &out->flags, e) < 0 || find_arches(s, out, e) < 0)
		return -e->code;
	for (size_t i = 0; i < s->n_syscalls; i++)
		if (add_entry(a, out, &s->syscalls[i], e) < 0)
			return err_wrap(e, "seccomp: syscalls[%zu]", i);
	for (size_t i = 0; i < out->n_arches; i++)
		if (out->arches[i].n_rules)
			qsort(out->arches[i].rules, out->arches[i].n_rules,
			      sizeof(struct seccomp_rule), by_number);
	return check_listener(s, out->notify, e);
}
