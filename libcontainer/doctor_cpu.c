/* Probe of `doctor`: which CPUs this host has, and how many can be a sandbox's own. */
#include <stdio.h>

#include "base/own.h"
#include "cpu/pin.h"
#include "cpu/topology.h"
#include "doctor.h"
#include "plan_level.h"

static const char *count(struct arena *a, size_t n, const char *what)
{
	return arena_printf(a, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

static const char *smt_word(const struct doctor *d, const struct cpu_topology *t)
{
	if (!cpu_smt_active(NULL))
		return "SMT off";
	return arena_printf(d->a, "SMT on, %zu threads a core", t->threads);
}

/* What the book says now; a book that cannot be read is the first to be told. */
static struct finding with_book(struct doctor *d, const struct cpu_topology *t, const char *machine)
{
	const char *directory =
		plan_pin_directory(d->a, &d->admin, !d->privileged || d->nested, d->host->root);
	size_t max = pin_exclusive_max(t, d->admin.cpu_exclusive_max);
	size_t cpus = cpu_count(&t->online);
	struct pin_counts now;
	struct err e;

	if (pin_count(directory, &now, &e) < 0)
		return found(false, arena_strdup(d->a, e.msg));
	size_t shared = now.sandboxes - now.exclusive_sandboxes;
	return found(!t->n_doubts,
		     arena_printf(d->a,
				  "%s; exclusive: %zu of at most %zu; shared by %zu sandbox%s",
				  machine, now.exclusive_cpus, max < cpus ? max : cpus, shared,
				  shared == 1 ? "" : "es"));
}

struct finding doctor_cpu_topology(struct doctor *d)
{
	struct cpu_topology t;
	struct err e;

	if (cpu_topology_read(d->a, NULL, &t, &e) < 0)
		return (struct finding){FOUND_UNKNOWN, arena_strdup(d->a, e.msg)};
	size_t cpus = cpu_count(&t.online);
	const char *machine =
		arena_printf(d->a, "%s, %s, %s, %s, %s", count(d->a, t.n_packages, "socket"),
			     count(d->a, t.n_cores, "core"), count(d->a, cpus, "CPU"),
			     count(d->a, t.nodes.n, "NUMA node"), smt_word(d, &t));
	if (t.n_doubts)
		machine = arena_printf(d->a, "%s; %zu in doubt: CPU %u: %s", machine, t.n_doubts,
				       t.doubts[0].cpu, t.doubts[0].reason);
	return with_book(d, &t, machine);
}
