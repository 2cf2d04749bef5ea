#ifndef BRIG_CPU_CHOOSE_H
#define BRIG_CPU_CHOOSE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpu/set.h"
#include "cpu/topology.h"

/* Which CPUs a sandbox gets.  Nothing here reads or writes anything but what is given. */

/*
 * The least used count of the allowed CPUs (fewer if there are not as many); uses: how many
 * sandboxes run on each.  Of equals those with the least used siblings, so that a sandbox is
 * spread over cores, then the lowest number.  siblings: cpu_siblings, NULL without SMT.
 */
struct choose_shared {
	const struct cpu_set *allowed;
	const uint16_t *uses; /* CPU_BITS of them */
	unsigned int count;   /* 0: one */
	void (*siblings)(const char *root, unsigned int cpu, struct cpu_set *out);
	const char *root;
};
void choose_shared(const struct choose_shared *c, struct cpu_set *out);

/*
 * Whole cores with count CPUs at least: all threads of each are allowed and none is busy.  Of the
 * ways to do it the one
 *   with cores of one speed, the fastest that can, before one that mixes them;
 *   with the nearest NUMA nodes and sockets;
 *   that fills the place with the fewest free cores, so that large ones stay whole;
 * and there the highest numbers: shared sandboxes and the host's own work begin at 0.
 *
 * -EBUSY: there are cores enough, but not now.  -EINVAL: never, with the reason: a CPU whose
 * core cannot be told, a sibling that is not allowed, too few.
 */
struct choose_cores {
	const struct cpu_topology *topology;
	const struct cpu_set *allowed;
	const struct cpu_set *busy; /* anybody's, shared ones too */
	unsigned int count;         /* 0: one */
};
int choose_cores(const struct choose_cores *c, struct cpu_set *out, struct err *e) MUST_CHECK;
/* "2 whole cores of 2 threads, socket 0, node 1": for people. */
const char *choose_describe(struct arena *a, const struct cpu_topology *t,
			    const struct cpu_set *chosen);

#endif
