/*
 * Limits that an annotation, a document or an option names.  With a bundle the level's own are a
 * default and config.json's hold; one that was asked for holds over both where it is smaller.
 */
#include <inttypes.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/apply.h"

/* The kernel takes no quota below (sched_cfs: min_cfs_quota_period). */
enum { LEAST_QUOTA = 1000, PERIOD = 100000, MOST_MILLI = 1000000000 };

static const char reason[] = "a smaller one was asked for";

static const int64_t *keep(struct apply *x, int64_t n)
{
	int64_t *p = arena_new(x->a, sizeof(*p));

	*p = n;
	return p;
}

/* The smaller of what config.json has by now (NULL or below 1: none) and most. */
static const int64_t *lower(struct apply *x, const char *field, const int64_t *now, int64_t most,
			    const char *why)
{
	if (now && *now > 0 && *now <= most)
		return now;
	const char *value = arena_printf(x->a, "%" PRId64, most);
	if (now)
		apply_cut(x, field, arena_printf(x->a, "%" PRId64, *now), value, why);
	else
		apply_set(x, field, value, why);
	return keep(x, most);
}

/* OCI's swap is memory and swap together: with less memory there is not more swap. */
static void keep_swap(struct apply *x, struct oci_memory *m, const int64_t *before)
{
	if (m->swap && *m->swap > 0 && before && *before > *m->limit && *m->swap >= *before)
		m->swap = keep(x, *m->swap - *before + *m->limit);
}

static int lower_memory(struct apply *x, struct oci_resources *r, struct err *e)
{
	const struct level_limits *asked = &x->p->asked;
	struct oci_memory *m = arena_new(x->a, sizeof(*m));
	int64_t both;

	if (!asked->memory && !asked->swap)
		return 0;
	if (r->memory)
		*m = *r->memory;
	const int64_t *before = m->limit;
	if (asked->memory)
		m->limit =
			lower(x, "linux.resources.memory.limit", m->limit, *asked->memory, reason);
	r->memory = m;
	if (!m->limit || *m->limit <= 0)
		return apply_refuse(x, "linux.resources.memory.swap",
				    arena_printf(x->a, "%" PRId64, *asked->swap),
				    "a swap limit needs a memory limit", e);
	keep_swap(x, m, before);
	if (asked->swap && !__builtin_add_overflow(*m->limit, *asked->swap, &both))
		m->swap = lower(x, "linux.resources.memory.swap", m->swap, both, reason);
	return 0;
}

static void lower_pids(struct apply *x, struct oci_resources *r)
{
	struct oci_pids *p;

	if (!x->p->asked.pids)
		return;
	p = arena_new(x->a, sizeof(*p));
	p->limit = *lower(x, "linux.resources.pids.limit", r->pids ? &r->pids->limit : NULL,
			  *x->p->asked.pids, reason);
	r->pids = p;
}

/*
 * Thousandths of a CPU that hold, 0: no bound.  The level's own is a default with a bundle, so
 * that a quota of config.json stays.
 */
static uint64_t most_cpu(const struct apply *x, const struct oci_cpu *c)
{
	const struct level_limits *l = x->p->direct ? &x->l->direct : &x->l->engine;
	const uint64_t *asked = x->p->asked.cpu;
	uint64_t most = asked ? *asked : 0;
	bool quota = c->quota && *c->quota > 0;

	if (l->cpu && (x->p->direct || !quota) && (!most || *l->cpu < most))
		most = *l->cpu;
	return most < MOST_MILLI ? most : 0;
}

static void lower_cpu(struct apply *x, struct oci_resources *r)
{
	struct oci_cpu *c = arena_new(x->a, sizeof(*c));

	if (r->cpu)
		*c = *r->cpu;
	uint64_t milli = most_cpu(x, c), period = c->period && *c->period ? *c->period : PERIOD;
	if (!milli || period > UINT32_MAX)
		return;
	uint64_t quota = milli * period / 1000;
	c->quota = lower(x, "linux.resources.cpu.quota", c->quota,
			 (int64_t)(quota < LEAST_QUOTA ? LEAST_QUOTA : quota),
			 x->p->asked.cpu ? reason : "limit of the level");
	/* The kernel refuses a burst above the quota. */
	if (c->burst && *c->burst > (uint64_t)*c->quota)
		c->burst = (const uint64_t *)keep(x, *c->quota);
	if (!c->period || !*c->period) {
		uint64_t *p = arena_new(x->a, sizeof(*p));

		*p = period;
		c->period = p;
	}
	r->cpu = c;
}

static void lower_rlimit(struct apply *x, struct oci_process *p, const char *type,
			 const uint64_t *most)
{
	struct oci_rlimit *list = arena_array(x->a, p->n_rlimits + 1, sizeof(*list));
	const char *field = arena_printf(x->a, "process.rlimits.%s", type);
	bool given = false;

	if (!most)
		return;
	for (size_t i = 0; i < p->n_rlimits; i++) {
		list[i] = p->rlimits[i];
		if (!str_eq(list[i].type, type))
			continue;
		given = true;
		if (list[i].hard <= *most)
			continue;
		apply_cut(x, field, arena_printf(x->a, "%" PRIu64, list[i].hard),
			  arena_printf(x->a, "%" PRIu64, *most), reason);
		list[i].hard = *most;
		if (list[i].soft > *most)
			list[i].soft = *most;
	}
	if (!given) {
		list[p->n_rlimits++] = (struct oci_rlimit){type, *most, *most};
		apply_set(x, field, arena_printf(x->a, "%" PRIu64, *most), "asked for");
	}
	p->rlimits = list;
}

void apply_asked_process(struct apply *x, struct oci_process *p)
{
	lower_rlimit(x, p, "RLIMIT_NOFILE", x->p->asked.nofile);
	lower_rlimit(x, p, "RLIMIT_FSIZE", x->p->asked.fsize);
}

int apply_asked(struct apply *x, struct err *e)
{
	struct oci_resources *r = arena_new(x->a, sizeof(*r));

	if (x->linux_->resources)
		*r = *x->linux_->resources;
	int ret = lower_memory(x, r, e);
	lower_pids(x, r);
	lower_cpu(x, r);
	if (ret == 0)
		ret = apply_io(x, r, e);
	x->linux_->resources = r;
	if (x->c->process) {
		struct oci_process *p = arena_new(x->a, sizeof(*p));

		*p = *x->c->process;
		apply_asked_process(x, p);
		x->c->process = p;
	}
	return ret;
}
