/*
 * Every program of profiles/seccomp, for both architectures, against the meaning of its text: each
 * number, foreign architectures, x32, and the edges of every argument that a rule looks at.
 */
#include <linux/audit.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"
#include "check.h"
#include "guard/bpfcheck.h"
#include "guard/level_filter.h"
#include "level_policy.h"

static struct arena arena;
static struct err err;
static unsigned long compared;

struct subject {
	const struct levelc_program *p;
	struct model m;
};

static void compare(void *ctx, const struct seccomp_data *d)
{
	const struct subject *s = ctx;
	uint32_t got = bpf_run(s->p->insns, s->p->n, d), want = model_of(&s->m, d);

	compared++;
	if (got == want)
		return;
	CHECK(got == want);
	fprintf(stderr, "  %s %s network %d notify %d: nr %d (%llx, %llx, %llx): %x, want %x\n",
		s->p->policy, s->p->language ? s->p->language : "-", s->p->network, s->p->notify,
		d->nr, d->args[0], d->args[1], d->args[2], got, want);
}

static const struct pol_call *call_of(const struct subject *s, const char *name)
{
	const struct pol *p = s->m.level;

	for (size_t i = 0; i < p->n_calls; i++)
		if (str_eq(p->calls[i].name, name))
			return &p->calls[i];
	return NULL;
}

static void odd_numbers(struct subject *s)
{
	static const uint32_t numbers[] = {
		600,        1023,       1024,       0x3fffffff, 0x40000000, 0x40000001,
		0x40000203, 0x7fffffff, 0x80000000, 0xc0000000, 0xfffffffe, 0xffffffff,
	};
	static const uint32_t arches[] = {
		AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, AUDIT_ARCH_ARM, AUDIT_ARCH_AARCH64, 0,
		UINT32_MAX};
	struct seccomp_data d = {.arch = s->m.audit};

	for (size_t i = 0; i < LEN(numbers); i++) {
		d.nr = (int)numbers[i];
		compare(s, &d);
	}
	for (size_t i = 0; i < LEN(arches); i++)
		for (d.arch = arches[i], d.nr = 0; d.nr < 600; d.nr++)
			compare(s, &d);
}

static void every_number(struct subject *s)
{
	struct seccomp_data d = {.arch = s->m.audit};

	for (d.nr = 0; d.nr < 1024; d.nr++) {
		const char *name =
			(uint32_t)d.nr < s->m.table->end ? s->m.table->names[d.nr] : NULL;
		const struct pol_call *c = name ? call_of(s, name) : NULL;

		memset(d.args, 0, sizeof(d.args));
		compare(s, &d);
		memset(d.args, 0xff, sizeof(d.args));
		compare(s, &d);
		if (c && c->n_rules > 1)
			sample_each(c, &d, compare, s);
	}
}

static const struct pol *pol_named(const struct pol *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].name, name))
			return &list[i];
	return NULL;
}

static void all_programs(size_t arch)
{
	struct levelc_set *set = arena_new(&arena, sizeof(*set));
	struct pol levels[2];

	CHECK(levelc_set_make(&arena, arch, policy_open, NULL, set, &err) == 0);
	CHECK(policy_read(&arena, "standard.pol", &levels[0], &err) == 0);
	CHECK(policy_read(&arena, "high.pol", &levels[1], &err) == 0);
	CHECK(set->n_programs == 2 * 6 * 4);
	for (size_t i = 0; i < set->n_programs; i++) {
		const struct levelc_program *p = &set->programs[i];
		struct subject s = {.p = p};

		s.m.level = pol_named(levels, 2, p->policy);
		s.m.language = p->language
				       ? pol_named(set->languages, set->n_languages, p->language)
				       : NULL;
		s.m.table = &set->table;
		s.m.audit = levelc_arches[arch].audit;
		s.m.x32 = levelc_arches[arch].x32;
		s.m.network = p->network;
		s.m.notify = p->notify;
		CHECK(bpf_validate(p->insns, p->n, &err) == 0);
		CHECK(s.m.level && !s.m.language == !p->language);
		every_number(&s);
		odd_numbers(&s);
	}
}

/* What is linked into brig is what the text says now. */
static void embedded(size_t arch)
{
	struct levelc_set *set = arena_new(&arena, sizeof(*set));
	size_t n = 0;

	CHECK(levelc_set_make(&arena, arch, policy_open, NULL, set, &err) == 0);
	for (size_t i = 0; i < set->n_programs; i++) {
		const struct levelc_program *p = &set->programs[i];
		const struct level_filter *f =
			level_filter_find(p->policy, p->language, p->network, p->notify);

		CHECK(f && f->n_insns == p->n &&
		      !memcmp(f->insns, p->insns, p->n * sizeof(*p->insns)));
		CHECK(p->n < 400);
	}
	for (const char *const *l = level_filter_languages(); *l; l++, n++) {
		CHECK_STR(*l, set->languages[n].name);
		CHECK(level_filter_language_bears_mdwe(*l) == set->languages[n].mdwe);
	}
	CHECK(n == set->n_languages);
	for (long nr = -1; nr < 1100; nr++) {
		const char *name = level_filter_syscall_name(nr);
		const char *want = nr >= 0 && nr < set->table.end ? set->table.names[nr] : NULL;

		CHECK(want ? str_eq(name, want) : !name);
	}
}

/* --- The same policy made by libseccomp --- */

struct program {
	struct sock_filter *insns;
	size_t n;
};

static struct program exported(scmp_filter_ctx ctx)
{
	struct program p = {0};
	own_fd int fd = memfd_create("filter", MFD_CLOEXEC);
	char *text = NULL;
	size_t len = 0;

	CHECK(seccomp_export_bpf(ctx, fd) == 0);
	seccomp_release(ctx);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	CHECK(file_read_fd(&arena, fd, "filter", 1 << 20, &text, &len, &err) == 0);
	p.insns = (struct sock_filter *)(void *)text;
	p.n = len / sizeof(*p.insns);
	return p;
}

static uint32_t scmp_action(struct pol_action a)
{
	return a.verb == POL_ALLOW   ? SCMP_ACT_ALLOW
	       : a.verb == POL_ERRNO ? SCMP_ACT_ERRNO(a.error)
	       : a.verb == POL_TELL  ? SCMP_ACT_ERRNO(a.error)
				     : SCMP_ACT_KILL_PROCESS;
}

/* Adds the n-th and later tests of a rule, with each of their values. */
static void add_tests(scmp_filter_ctx ctx, int nr, const struct pol_rule *r, size_t n,
		      struct scmp_arg_cmp *cmp)
{
	if (n == r->n_tests) {
		CHECK(seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, (unsigned int)n, cmp) == 0);
		return;
	}
	const struct pol_test *t = &r->tests[n];

	for (size_t i = 0; i < t->n_values; i++) {
		cmp[n] = SCMP_CMP64(t->arg, SCMP_CMP_MASKED_EQ, t->mask, t->values[i]);
		add_tests(ctx, nr, r, n + 1, cmp);
	}
}

/* "This rule holds" as a filter that allows. */
static struct program rule_filter(int nr, const struct pol_rule *r)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(1));
	struct scmp_arg_cmp cmp[6];

	add_tests(ctx, nr, r, 0, cmp);
	return exported(ctx);
}

struct peer {
	const struct levelc_program *p;
	const struct answer *answer;
	struct program rules[64];
};

static void compare_rules(void *ctx, const struct seccomp_data *d)
{
	const struct peer *peer = ctx;
	uint32_t got = bpf_run(peer->p->insns, peer->p->n, d);

	for (size_t i = 0; i < peer->answer->n; i++) {
		const struct pol_rule *r = &peer->answer->rules[i];

		if (r->n_tests &&
		    bpf_run(peer->rules[i].insns, peer->rules[i].n, d) != SECCOMP_RET_ALLOW)
			continue;
		compared++;
		CHECK(got == scmp_action(r->action));
		return;
	}
}

static void against_libseccomp(const struct levelc_program *p, const struct pol *level,
			       const struct levelc_table *t, uint32_t audit)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	struct seccomp_data d = {.arch = audit};
	unsigned int with_rules = 0;

	CHECK(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0);
	for (uint32_t i = 0; i < p->answers->end; i++) {
		const struct answer *a = &p->answers->at[i];

		if (a->n == 1 && scmp_action(a->rules[0].action) != SCMP_ACT_ERRNO(ENOSYS))
			CHECK(seccomp_rule_add(ctx, scmp_action(a->rules[0].action), (int)i, 0) ==
			      0);
	}
	struct program all = exported(ctx);

	for (d.nr = 0; d.nr < 1024; d.nr++) {
		const struct answer *a = &p->answers->at[d.nr];
		struct subject s = {.m.level = level};
		struct peer peer = {.p = p, .answer = a};
		bool rules = (uint32_t)d.nr < p->answers->end && a->n > 1;

		if (!rules) {
			compared++;
			CHECK(bpf_run(all.insns, all.n, &d) == bpf_run(p->insns, p->n, &d));
			continue;
		}
		with_rules++;
		for (size_t i = 0; i < a->n; i++)
			if (a->rules[i].n_tests)
				peer.rules[i] = rule_filter(d.nr, &a->rules[i]);
		sample_each(call_of(&s, t->names[d.nr]), &d, compare_rules, &peer);
	}
	CHECK(with_rules >= 9);
	d.arch = AUDIT_ARCH_I386;
	d.nr = 20;
	CHECK(bpf_run(all.insns, all.n, &d) == bpf_run(p->insns, p->n, &d));
	d.arch = audit;
	d.nr = 0x40000000 + 39;
	if (audit == AUDIT_ARCH_X86_64)
		CHECK(bpf_run(all.insns, all.n, &d) == bpf_run(p->insns, p->n, &d));
}

static void differential(size_t arch)
{
	struct levelc_set *set = arena_new(&arena, sizeof(*set));
	struct pol levels[2];

	CHECK(levelc_set_make(&arena, arch, policy_open, NULL, set, &err) == 0);
	CHECK(policy_read(&arena, "standard.pol", &levels[0], &err) == 0);
	CHECK(policy_read(&arena, "high.pol", &levels[1], &err) == 0);
	for (size_t i = 0; i < set->n_programs; i++) {
		const struct levelc_program *p = &set->programs[i];

		if (!p->language && !p->notify)
			against_libseccomp(p, pol_named(levels, 2, p->policy), &set->table,
					   levelc_arches[arch].audit);
	}
}

int main(void)
{
#if defined(__x86_64__)
	size_t native = 0;
#else
	size_t native = 1;
#endif
	for (size_t arch = 0; arch < LEVELC_ARCHES; arch++)
		all_programs(arch);
	embedded(native);
	differential(native);
	CHECK(compared > 500000);
	printf("%lu calls compared\n", compared);
	arena_free(&arena);
	return check_done();
}
