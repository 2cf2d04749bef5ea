/* Exclusive cores: the choice, on what topology.c has found out. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/choose.h"

/* Where a core is: memory and caches are shared with those of the same place. */
struct place {
	int node; /* index, -1: not told */
	int32_t package;
	size_t free; /* threads of free cores of the speed looked for */
};

struct search {
	const struct cpu_topology *t;
	const struct cpu_core **cores; /* free ones: fastest first, then highest number first */
	size_t n_cores;
	struct place *places;
	size_t n_places;
	size_t need;
	uint32_t speed; /* only cores of this one, unless mixed */
	bool mixed;
	/* the best so far */
	bool found;
	uint64_t cost;
	size_t spare;
	struct cpu_set chosen;
};

/* --- what there is --------------------------------------------------------------------------- */

static bool all_in(const struct cpu_core *core, const struct cpu_set *s)
{
	for (size_t i = 0; i < core->n; i++)
		if (!cpu_has(s, core->cpus[i]))
			return false;
	return true;
}

static bool any_in(const struct cpu_core *core, const struct cpu_set *s)
{
	for (size_t i = 0; i < core->n; i++)
		if (cpu_has(s, core->cpus[i]))
			return true;
	return false;
}

static int compare(const void *x, const void *y)
{
	const struct cpu_core *a = *(const struct cpu_core *const *)x;
	const struct cpu_core *b = *(const struct cpu_core *const *)y;

	if (a->speed != b->speed)
		return a->speed < b->speed ? 1 : -1;
	return a->cpus[0] < b->cpus[0] ? 1 : -1;
}

static size_t collect_free(struct arena *a, const struct choose_cores *c, struct search *s)
{
	size_t free = 0;

	s->cores = arena_array(a, c->topology->n_cores, sizeof(struct cpu_core *));
	for (size_t i = 0; i < c->topology->n_cores; i++) {
		const struct cpu_core *core = &c->topology->cores[i];

		if (!all_in(core, c->allowed) || any_in(core, c->busy))
			continue;
		s->cores[s->n_cores++] = core;
		free += core->n;
	}
	qsort(s->cores, s->n_cores, sizeof(struct cpu_core *), compare);
	return free;
}

static int node_index(const struct cpu_topology *t, const struct cpu_core *core)
{
	for (size_t i = 0; i < t->nodes.n; i++)
		if (core->node >= 0 && t->nodes.v[i].id == (uint32_t)core->node)
			return (int)i;
	return -1;
}

static struct place *place_of(struct search *s, const struct cpu_core *core)
{
	int node = node_index(s->t, core);
	struct place *p = s->places;

	for (size_t i = 0; i < s->n_places; i++, p++)
		if (p->node == node && p->package == core->package)
			return p;
	*p = (struct place){.node = node, .package = core->package};
	s->n_places++;
	return p;
}

static void collect_places(struct arena *a, struct search *s)
{
	s->places = arena_array(a, s->n_cores + 1, sizeof(*s->places));
	/* Lowest number first, so that equals are taken in that order. */
	for (size_t i = s->n_cores; i-- > 0;)
		(void)place_of(s, s->cores[i]);
}

/* --- the search ------------------------------------------------------------------------------ */

static bool fits(const struct search *s, const struct cpu_core *core)
{
	return s->mixed || core->speed == s->speed;
}

static void count_places(struct search *s)
{
	for (size_t i = 0; i < s->n_places; i++)
		s->places[i].free = 0;
	for (size_t i = 0; i < s->n_cores; i++)
		if (fits(s, s->cores[i]))
			place_of(s, s->cores[i])->free += s->cores[i]->n;
}

/* Another socket of the same node is farther than none, and nearer than any other node. */
static uint64_t distance(const struct search *s, const struct place *from, const struct place *to)
{
	uint64_t far = 10;

	if (from->node >= 0 && to->node >= 0)
		far = cpu_node_distance(&s->t->nodes, (size_t)from->node, (size_t)to->node);
	return far * 2 + (from->package != to->package);
}

/* The nearest place that was not visited yet. */
static struct place *nearest(const struct search *s, const struct place *start, const bool *visited)
{
	struct place *best = NULL;

	for (size_t i = 0; i < s->n_places; i++) {
		struct place *p = &s->places[i];

		if (!visited[i] && (!best || distance(s, start, p) < distance(s, start, best)))
			best = p;
	}
	return best;
}

/* Fills up from one place outwards. */
static void try_from(struct arena *a, struct search *s, const struct place *start)
{
	bool *visited = arena_array(a, s->n_places, sizeof(*visited));
	struct cpu_set chosen = {0};
	struct place *p;
	uint64_t cost = 0;
	size_t got = 0;

	while (got < s->need && (p = nearest(s, start, visited))) {
		visited[p - s->places] = true;
		for (size_t i = 0; i < s->n_cores && got < s->need; i++) {
			const struct cpu_core *core = s->cores[i];

			if (!fits(s, core) || place_of(s, core) != p)
				continue;
			for (size_t k = 0; k < core->n; k++)
				cpu_add(&chosen, core->cpus[k]);
			got += core->n;
			cost += core->n * distance(s, start, p);
		}
	}
	if (got < s->need ||
	    (s->found && (cost > s->cost || (cost == s->cost && start->free >= s->spare))))
		return;
	s->found = true;
	s->cost = cost;
	s->spare = start->free;
	s->chosen = chosen;
}

static void try_all(struct arena *a, struct search *s)
{
	count_places(s);
	for (size_t i = 0; i < s->n_places; i++)
		if (s->places[i].free)
			try_from(a, s, &s->places[i]);
}

static void search(struct arena *a, struct search *s)
{
	/* The cores are in order of their speed: each new one is the next slower class. */
	for (size_t i = 0; i < s->n_cores && !s->found; i++) {
		if (i && s->cores[i]->speed == s->cores[i - 1]->speed)
			continue;
		s->speed = s->cores[i]->speed;
		try_all(a, s);
	}
	s->mixed = true;
	if (!s->found)
		try_all(a, s);
}

/* --- why not --------------------------------------------------------------------------------- */

/* The first allowed CPU whose core must be left out; 0: there is none such. */
static int name_culprit(const struct choose_cores *c, struct err *e)
{
	const struct cpu_topology *t = c->topology;

	for (size_t i = 0; i < t->n_doubts; i++)
		if (cpu_has(c->allowed, t->doubts[i].cpu))
			return err_msg(e, EINVAL,
				       "no exclusive core: CPU %u may be half of one: %s",
				       t->doubts[i].cpu, t->doubts[i].reason);
	for (size_t i = 0; i < t->n_cores; i++) {
		const struct cpu_core *core = &t->cores[i];
		uint32_t in = core->cpus[0], out = in;

		if (!any_in(core, c->allowed) || all_in(core, c->allowed))
			continue;
		for (size_t k = 0; k < core->n; k++)
			*(cpu_has(c->allowed, core->cpus[k]) ? &in : &out) = core->cpus[k];
		return err_msg(e, EINVAL,
			       "no exclusive core: CPU %u is half of one, its sibling %u is not "
			       "among the CPUs allowed",
			       in, out);
	}
	return 0;
}

static int refuse(const struct choose_cores *c, size_t need, size_t free, struct err *e)
{
	size_t whole = 0;

	for (size_t i = 0; i < c->topology->n_cores; i++)
		if (all_in(&c->topology->cores[i], c->allowed))
			whole += c->topology->cores[i].n;
	if (whole >= need)
		return err_msg(e, EBUSY,
			       "no free core: %zu CPU%s in whole cores %s needed, %zu of %zu are "
			       "free",
			       need, need == 1 ? "" : "s", need == 1 ? "is" : "are", free, whole);
	int r = name_culprit(c, e);
	return r < 0 ? r
		     : err_msg(e, EINVAL,
			       "no exclusive core: %zu CPUs in whole cores are needed, only %zu "
			       "are allowed",
			       need, whole);
}

int choose_cores(const struct choose_cores *c, struct cpu_set *out, struct err *e)
{
	own_arena struct arena scratch = {0};
	struct search s = {.t = c->topology, .need = c->count ? c->count : 1};
	size_t free = collect_free(&scratch, c, &s);

	if (free < s.need)
		return refuse(c, s.need, free, e);
	collect_places(&scratch, &s);
	search(&scratch, &s);
	*out = s.chosen;
	return 0;
}

/* --- for people ------------------------------------------------------------------------------ */

const char *choose_describe(struct arena *a, const struct cpu_topology *t,
			    const struct cpu_set *chosen)
{
	struct cpu_set sockets = {0}, nodes = {0};
	size_t n = 0, threads = 0;

	for (size_t i = 0; i < t->n_cores; i++) {
		const struct cpu_core *core = &t->cores[i];

		if (!any_in(core, chosen))
			continue;
		n++;
		threads = core->n > threads ? core->n : threads;
		if (core->package >= 0 && core->package < CPU_BITS)
			cpu_add(&sockets, (unsigned int)core->package);
		if (core->node >= 0 && core->node < CPU_BITS)
			cpu_add(&nodes, (unsigned int)core->node);
	}
	const char *text = arena_printf(a, "%zu whole core%s of %zu thread%s", n, n == 1 ? "" : "s",
					threads, threads == 1 ? "" : "s");
	if (cpu_count(&sockets))
		text = arena_printf(a, "%s, socket %s", text, cpu_list(a, &sockets));
	if (cpu_count(&nodes))
		text = arena_printf(a, "%s, node %s", text, cpu_list(a, &nodes));
	return text;
}
