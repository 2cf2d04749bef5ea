#include "cpu/choose.h"

#include <limits.h>
#include <string.h>

/* Shared CPUs: the least used ones.  cores.c has the exclusive ones. */

/* Of a large host not every core is asked for its siblings: each is a file to read. */
enum { MAX_LOOKED_AT = 16 };

struct choice {
	const struct choose_shared *c;
	struct cpu_set taken;
};

/* How busy the other threads of the core are; one that this sandbox has got counts too. */
static unsigned int busy_siblings(const struct choice *s, unsigned int cpu)
{
	struct cpu_set core;
	unsigned int busy = 0;

	if (!s->c->siblings)
		return 0;
	s->c->siblings(s->c->root, cpu, &core);
	for (unsigned int i = cpu_next(&core, 0); i < CPU_BITS; i = cpu_next(&core, i + 1))
		if (i != cpu)
			busy += s->c->uses[i] + cpu_has(&s->taken, i);
	return busy;
}

static bool is_free(const struct choice *s, unsigned int cpu)
{
	return cpu_has(s->c->allowed, cpu) && !cpu_has(&s->taken, cpu);
}

static unsigned int next_cpu(const struct choice *s)
{
	unsigned int least = UINT_MAX, best = CPU_BITS, best_busy = UINT_MAX, looked_at = 0;

	for (unsigned int cpu = 0; cpu < CPU_BITS; cpu++)
		if (is_free(s, cpu) && s->c->uses[cpu] < least)
			least = s->c->uses[cpu];
	for (unsigned int cpu = 0; cpu < CPU_BITS && looked_at < MAX_LOOKED_AT; cpu++) {
		if (!is_free(s, cpu) || s->c->uses[cpu] != least)
			continue;
		unsigned int busy = busy_siblings(s, cpu);
		if (busy < best_busy) {
			best = cpu;
			best_busy = busy;
		}
		if (!busy)
			break;
		looked_at++;
	}
	return best;
}

void choose_shared(const struct choose_shared *c, struct cpu_set *out)
{
	struct choice s = {.c = c};

	for (unsigned int i = 0; i < (c->count ? c->count : 1); i++) {
		unsigned int cpu = next_cpu(&s);

		if (cpu == CPU_BITS)
			break;
		cpu_add(&s.taken, cpu);
	}
	*out = s.taken;
}
