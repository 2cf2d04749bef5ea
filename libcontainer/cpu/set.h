#ifndef BRIG_CPU_SET_H
#define BRIG_CPU_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* CPUs as bit sets. */

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
bool cpu_same(const struct cpu_set *x, const struct cpu_set *y);
bool cpu_overlap(const struct cpu_set *x, const struct cpu_set *y);
/* Into the first: what either has, what both have, what the second lacks. */
void cpu_unite(struct cpu_set *io, const struct cpu_set *with);
void cpu_keep(struct cpu_set *io, const struct cpu_set *with);
void cpu_take_out(struct cpu_set *io, const struct cpu_set *these);
/* The lowest from start on; CPU_BITS: there is none. */
unsigned int cpu_next(const struct cpu_set *s, unsigned int start);
/* As cpuset.cpus takes it: 2,5-6; "" when it is empty. */
char *cpu_list(struct arena *a, const struct cpu_set *s);
/* The CPUs that the calling thread may run on, within its cpuset (sched_getaffinity(2)). */
bool cpu_own(struct cpu_set *out);

#endif
