#ifndef BRIG_TESTS_LEVEL_POLICY_H
#define BRIG_TESTS_LEVEL_POLICY_H

/*
 * What a policy's text means, said a second time and as plainly as possible: for one call look at
 * every line.  Tests run in the root of the source tree.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "guard/levelc/set.h"

static inline int policy_open(void *ctx, struct arena *a, const char *name, char **text,
			      size_t *len, struct err *e)
{
	(void)ctx; /* the tree is the current directory */
	return file_read(a, AT_FDCWD, arena_printf(a, "profiles/seccomp/%s", name), 1 << 20, text,
			 len, e);
}

static inline int policy_read(struct arena *a, const char *name, struct pol *out, struct err *e)
{
	char *text = NULL;
	size_t len = 0;

	if (policy_open(NULL, a, name, &text, &len, e) < 0)
		return -e->code;
	return levelc_parse(a, name, text, len, policy_open, NULL, out, e);
}

static inline bool model_test(const struct pol_test *t, const uint64_t *args)
{
	uint64_t v = t->wide ? args[t->arg] : args[t->arg] & 0xffffffff;

	for (size_t i = 0; i < t->n_values; i++)
		if ((v & t->mask) == t->values[i])
			return true;
	return false;
}

static inline bool model_when(enum pol_when when, bool network)
{
	return when == POL_ALWAYS || (network ? when == POL_NETWORK : when == POL_NO_NETWORK);
}

static inline struct pol_action model_call(const struct pol *p, const char *name,
					   const uint64_t *args, bool network)
{
	for (size_t i = 0; name && i < p->n_calls; i++) {
		const struct pol_call *c = &p->calls[i];

		if (strcmp(c->name, name) != 0 || !model_when(c->when, network))
			continue;
		for (size_t k = 0; k < c->n_rules; k++) {
			bool all = model_when(c->rules[k].when, network);

			for (size_t n = 0; n < c->rules[k].n_tests; n++)
				all = all && model_test(&c->rules[k].tests[n], args);
			if (all)
				return c->rules[k].action;
		}
	}
	return p->fallback;
}

struct model {
	const struct pol *level, *language; /* language NULL: none */
	const struct levelc_table *table;
	uint32_t audit;
	bool x32, network, notify;
};

static inline uint32_t model_of(const struct model *m, const struct seccomp_data *d)
{
	const uint64_t *args = (const uint64_t *)d->args;
	const char *name =
		d->nr >= 0 && (uint32_t)d->nr < m->table->end ? m->table->names[d->nr] : NULL;
	struct pol_action action;

	if (d->arch != m->audit || (m->x32 && d->nr >= 0x40000000))
		return m->notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_KILL_PROCESS;
	action = model_call(m->level, name, args, m->network);
	if (name && m->language && action.verb == POL_ALLOW)
		action = model_call(m->language, name, args, m->network);
	switch (action.verb) {
	case POL_ALLOW:
		return SECCOMP_RET_ALLOW;
	case POL_ERRNO:
		return SECCOMP_RET_ERRNO | action.error;
	case POL_TELL:
		return m->notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | action.error;
	case POL_NEVER:
		return m->notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_KILL_PROCESS;
	case POL_KILL:
	default:
		return SECCOMP_RET_KILL_PROCESS;
	}
}

/* Every value that a call's tests name, its neighbours, and the same with other high bits. */
enum { SAMPLES_MAX = 1024 };
struct samples {
	uint64_t v[SAMPLES_MAX];
	size_t n;
};

static inline void sample_add(struct samples *s, uint64_t v)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i] == v)
			return;
	if (s->n < SAMPLES_MAX)
		s->v[s->n++] = v;
}

static inline void sample_edges(struct samples *s, uint64_t v)
{
	sample_add(s, v);
	sample_add(s, v + 1);
	sample_add(s, v - 1);
	sample_add(s, v | UINT64_C(1) << 32);
	sample_add(s, v | 0xffffffff00000000);
}

/* bits: each bit of the value turned, too. */
static inline void sample_call(struct samples *s, const struct pol_call *c, unsigned int arg,
			       bool bits)
{
	s->n = 0;
	for (size_t i = 0; i < c->n_rules; i++)
		for (size_t k = 0; k < c->rules[i].n_tests; k++) {
			const struct pol_test *t = &c->rules[i].tests[k];

			if (t->arg != arg)
				continue;
			for (size_t n = 0; n < t->n_values; n++) {
				sample_edges(s, t->values[n]);
				for (int b = 0; bits && t->n_values < 8 && b < 64; b++)
					sample_add(s, t->values[n] ^ UINT64_C(1) << b);
			}
		}
	sample_add(s, 0);
	sample_add(s, UINT64_MAX);
	if (s->n == 2 && !bits) /* no test looks at it */
		s->n = 1;
}

/* Calls body for each combination of the samples of the first three arguments. */
static inline void sample_each(const struct pol_call *c, struct seccomp_data *d,
			       void (*body)(void *ctx, const struct seccomp_data *d), void *ctx)
{
	static struct samples s[3];
	uint64_t *args = (uint64_t *)d->args;
	unsigned int used = 0;

	for (unsigned int i = 0; i < 3; i++) {
		sample_call(&s[i], c, i, false);
		used += s[i].n > 1;
	}
	for (unsigned int i = 0; used == 1 && i < 3; i++)
		if (s[i].n > 1)
			sample_call(&s[i], c, i, true);
	for (size_t i = 0; i < s[0].n; i++)
		for (size_t k = 0; k < s[1].n; k++)
			for (size_t n = 0; n < s[2].n; n++) {
				args[0] = s[0].v[i];
				args[1] = s[1].v[k];
				args[2] = s[2].v[n];
				body(ctx, d);
			}
}

#endif
