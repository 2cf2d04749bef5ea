#ifndef BRIG_CPU_TOPOLOGY_H
#define BRIG_CPU_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* CPUs as bit sets, and which of them share a core. */

enum { CPU_BITS = 8192, CPU_WORDS = CPU_BITS / 64 }; /* NR_CPUS of the largest configurations */

struct cpu_set {
	uint64_t bits[CPU_WORDS];
};

static inline bool cpu_has(const struct cpu_set *s, unsigned int cpu)
{
	return s->bits[cpu / 64] >> cpu % 64 & 1;
}
static inline void cpu_add(struct cpu_set *s, unsigned int cpu)
{
	s->bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
}
size_t cpu_count(const struct cpu_set *s);
/* As cpuset.cpus takes it: 2,5-6; "" when it is empty. */
char *cpu_list(struct arena *a, const struct cpu_set *s);
/* The CPUs that the calling thread may run on, within its cpuset (sched_getaffinity(2)). */
bool cpu_own(struct cpu_set *out);
/* Whether more than one thread of a core is in use on this host. */
bool cpu_smt_active(void);
/* The threads of the core of cpu, itself among them; alone where the host does not tell. */
void cpu_siblings(unsigned int cpu, struct cpu_set *out);

#endif
