#include "cpu/topology.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

enum { LINE = 32 << 10, PATH = 512 };

/* --- one file ------------------------------------------------------------------------------ */

static bool read_set(const char *path, struct cpu_set *out)
{
	char text[LINE];

	memset(out, 0, sizeof(*out));
	return file_peek(AT_FDCWD, path, text, sizeof(text)) > 0 &&
	       str_cpulist(text, out->bits, CPU_BITS) && cpu_count(out) > 0;
}

static const char *root_of(const char *root)
{
	return root ? root : CPU_SYSFS;
}

bool cpu_smt_active(const char *root)
{
	char path[PATH], text[8];

	snprintf(path, sizeof(path), "%s/cpu/smt/active", root_of(root));
	return file_peek(AT_FDCWD, path, text, sizeof(text)) > 0 && text[0] == '1';
}

/* The name before 5.3, which is still there, and the one since. */
static bool read_siblings(const char *root, unsigned int cpu, struct cpu_set *out)
{
	static const char *const files[] = {"thread_siblings_list", "core_cpus_list"};
	char path[PATH];

	for (size_t i = 0; i < LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/cpu/cpu%u/topology/%s", root_of(root), cpu,
			 files[i]);
		if (read_set(path, out))
			return true;
	}
	return false;
}

void cpu_siblings(const char *root, unsigned int cpu, struct cpu_set *out)
{
	if (read_siblings(root, cpu, out) && cpu_has(out, cpu))
		return;
	memset(out, 0, sizeof(*out));
	cpu_add(out, cpu);
}

int cpu_online(const char *root, struct cpu_set *out, struct err *e)
{
	char path[PATH];

	snprintf(path, sizeof(path), "%s/cpu/online", root_of(root));
	if (read_set(path, out) || cpu_own(out))
		return 0;
	return err_set(e, errno, "sched_getaffinity");
}

static int32_t read_id(const char *root, unsigned int cpu, const char *file)
{
	char path[PATH], text[32];
	int64_t n;

	snprintf(path, sizeof(path), "%s/cpu/cpu%u/%s", root, cpu, file);
	if (file_peek(AT_FDCWD, path, text, sizeof(text)) <= 0 || !str_i64(text, &n) || n < 0 ||
	    n > INT32_MAX)
		return -1;
	return (int32_t)n;
}

/* --- what each CPU says of itself ---------------------------------------------------------- */

struct cpu {
	uint32_t number;
	struct cpu_set siblings; /* those that are online; empty: not told */
	int32_t package, die, cluster, core, capacity;
	const char *doubt;
};

struct look {
	struct arena *a;
	const char *root;
	const struct cpu_set *online;
	struct cpu *cpus;
	size_t n;
};

static struct cpu *find(const struct look *l, unsigned int number)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (l->cpus[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return &l->cpus[low];
}

/* The first reason stays. */
static void doubt(struct cpu *c, const char *reason)
{
	if (!c->doubt)
		c->doubt = reason;
}

static void look_at(const struct look *l, struct cpu *c)
{
	if (!read_siblings(l->root, c->number, &c->siblings)) {
		memset(&c->siblings, 0, sizeof(c->siblings));
		doubt(c, "this host does not tell its siblings");
	} else if (!cpu_has(&c->siblings, c->number)) {
		doubt(c, "its list of siblings lacks itself");
	}
	cpu_keep(&c->siblings, l->online);
	c->package = read_id(l->root, c->number, "topology/physical_package_id");
	c->die = read_id(l->root, c->number, "topology/die_id");
	c->cluster = read_id(l->root, c->number, "topology/cluster_id");
	c->core = read_id(l->root, c->number, "topology/core_id");
	c->capacity = read_id(l->root, c->number, "cpu_capacity");
}

/* --- whether they agree -------------------------------------------------------------------- */

static bool same_place(const struct cpu *x, const struct cpu *y)
{
	return x->package == y->package && x->die == y->die && x->cluster == y->cluster;
}

/* Each of a core names the same siblings, and is in the same place. */
static void check_siblings(const struct look *l, struct cpu *c)
{
	for (unsigned int i = cpu_next(&c->siblings, 0); i < CPU_BITS;
	     i = cpu_next(&c->siblings, i + 1)) {
		struct cpu *other = find(l, i);

		if (other == c)
			continue;
		if (!cpu_same(&other->siblings, &c->siblings)) {
			doubt(c, arena_printf(l->a, "it and CPU %u disagree who their siblings are",
					      i));
			doubt(other,
			      arena_printf(l->a, "it and CPU %u disagree who their siblings are",
					   c->number));
		} else if (!same_place(c, other) || c->core != other->core) {
			doubt(c, arena_printf(l->a, "its sibling CPU %u says to be of another core",
					      i));
		}
	}
}

/*
 * Numbers of cores are unique in their die and cluster.  Two CPUs with the same that do not
 * call each other siblings are what a hypervisor shows that passes only half of it on.
 */
static void check_numbers(const struct look *l, struct cpu *c)
{
	for (struct cpu *o = l->cpus; o < c && c->core >= 0; o++) {
		if (o->core != c->core || !same_place(o, c) || cpu_has(&c->siblings, o->number))
			continue;
		doubt(c, arena_printf(l->a, "it has the core number %d of CPU %u, no sibling of it",
				      c->core, o->number));
		doubt(o, arena_printf(l->a, "it has the core number %d of CPU %u, no sibling of it",
				      c->core, c->number));
	}
}

/*
 * A doubt of one thread is one of the whole core.  Once is enough: who has none so far has the
 * same list of siblings as each of them.
 */
static void spread_doubt(const struct look *l, struct cpu *c)
{
	for (unsigned int i = cpu_next(&c->siblings, 0); i < CPU_BITS && !c->doubt;
	     i = cpu_next(&c->siblings, i + 1)) {
		const struct cpu *other = find(l, i);

		if (other->doubt)
			doubt(c, arena_printf(l->a, "of its sibling CPU %u: %s", i, other->doubt));
	}
}

/* --- the result ---------------------------------------------------------------------------- */

/* Intel's hybrid processors have no cpu_capacity before 6.13, but a PMU for each kind. */
static uint32_t speed_of(const struct cpu *c, const struct cpu_set *slow)
{
	enum { SLOW = 512, FAST = 1024 };

	if (c->capacity > 0)
		return (uint32_t)c->capacity;
	return !cpu_count(slow) ? 0 : cpu_has(slow, c->number) ? SLOW : FAST;
}

static void add_core(const struct look *l, const struct cpu *c, const struct cpu_set *slow,
		     struct cpu_topology *t)
{
	uint32_t *threads = arena_array(l->a, cpu_count(&c->siblings), sizeof(*threads));
	struct cpu_core *core = &t->cores[t->n_cores++];
	int node = cpu_node_of(&t->nodes, c->number);

	*core = (struct cpu_core){
		.cpus = threads,
		.package = c->package,
		.node = node < 0 ? -1 : (int32_t)t->nodes.v[node].id,
		.speed = speed_of(c, slow),
	};
	for (unsigned int i = cpu_next(&c->siblings, 0); i < CPU_BITS;
	     i = cpu_next(&c->siblings, i + 1))
		threads[core->n++] = i;
	t->threads = core->n > t->threads ? core->n : t->threads;
}

static size_t count_packages(const struct look *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		bool is_new = l->cpus[i].package >= 0;

		for (size_t k = 0; k < i && is_new; k++)
			is_new = l->cpus[k].package != l->cpus[i].package;
		n += is_new;
	}
	return n;
}

static void collect(const struct look *l, struct cpu_topology *t)
{
	struct cpu_set slow;
	char path[PATH];

	snprintf(path, sizeof(path), "%s/../cpu_atom/cpus", l->root);
	(void)read_set(path, &slow); /* empty where there is no such thing */
	t->cores = arena_array(l->a, l->n, sizeof(*t->cores));
	t->doubts = arena_array(l->a, l->n, sizeof(*t->doubts));
	for (size_t i = 0; i < l->n; i++) {
		const struct cpu *c = &l->cpus[i];

		if (c->doubt)
			t->doubts[t->n_doubts++] = (struct cpu_doubt){c->number, c->doubt};
		else if (cpu_next(&c->siblings, 0) == c->number)
			add_core(l, c, &slow, t);
	}
	t->n_packages = count_packages(l);
}

int cpu_topology_read(struct arena *a, const char *root, struct cpu_topology *out, struct err *e)
{
	own_arena struct arena scratch = {0};
	struct look l = {.a = a, .root = root_of(root)};

	*out = (struct cpu_topology){.threads = 1};
	if (cpu_online(root, &out->online, e) < 0)
		return -e->code;
	l.online = &out->online;
	l.cpus = arena_array(&scratch, cpu_count(&out->online), sizeof(*l.cpus));
	for (unsigned int i = cpu_next(&out->online, 0); i < CPU_BITS;
	     i = cpu_next(&out->online, i + 1)) {
		l.cpus[l.n].number = i;
		look_at(&l, &l.cpus[l.n++]);
	}
	for (size_t i = 0; i < l.n; i++)
		check_siblings(&l, &l.cpus[i]);
	for (size_t i = 0; i < l.n; i++)
		check_numbers(&l, &l.cpus[i]);
	for (size_t i = 0; i < l.n; i++)
		spread_doubt(&l, &l.cpus[i]);
	cpu_nodes_read(a, root, &out->nodes);
	collect(&l, out);
	return 0;
}
