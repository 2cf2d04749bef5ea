#include "cpu/set.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

size_t cpu_count(const struct cpu_set *s)
{
	size_t n = 0;

	for (size_t i = 0; i < CPU_WORDS; i++)
		n += (size_t)__builtin_popcountll(s->bits[i]);
	return n;
}

bool cpu_same(const struct cpu_set *x, const struct cpu_set *y)
{
	return memcmp(x->bits, y->bits, sizeof(x->bits)) == 0;
}

bool cpu_overlap(const struct cpu_set *x, const struct cpu_set *y)
{
	for (size_t i = 0; i < CPU_WORDS; i++)
		if (x->bits[i] & y->bits[i])
			return true;
	return false;
}

void cpu_unite(struct cpu_set *io, const struct cpu_set *with)
{
	for (size_t i = 0; i < CPU_WORDS; i++)
		io->bits[i] |= with->bits[i];
}

void cpu_keep(struct cpu_set *io, const struct cpu_set *with)
{
	for (size_t i = 0; i < CPU_WORDS; i++)
		io->bits[i] &= with->bits[i];
}

void cpu_take_out(struct cpu_set *io, const struct cpu_set *these)
{
	for (size_t i = 0; i < CPU_WORDS; i++)
		io->bits[i] &= ~these->bits[i];
}

unsigned int cpu_next(const struct cpu_set *s, unsigned int start)
{
	for (size_t i = start / 64; i < CPU_WORDS; i++) {
		uint64_t word = s->bits[i];

		if (i == start / 64)
			word &= ~UINT64_C(0) << start % 64;
		if (word)
			return (unsigned int)(i * 64) + (unsigned int)__builtin_ctzll(word);
	}
	return CPU_BITS;
}

char *cpu_list(struct arena *a, const struct cpu_set *s)
{
	enum { LONGEST_ITEM = sizeof("8190-8191,") };
	/* Ranges have a gap between them, so there is one for each two CPUs at most. */
	char *text = arena_new(a, (cpu_count(s) + 1) * LONGEST_ITEM), *end = text;

	for (unsigned int cpu = cpu_next(s, 0); cpu < CPU_BITS; cpu = cpu_next(s, cpu + 1)) {
		unsigned int first = cpu;

		while (cpu + 1 < CPU_BITS && cpu_has(s, cpu + 1))
			cpu++;
		end += sprintf(end, cpu > first ? "%s%u-%u" : "%s%u", end > text ? "," : "", first,
			       cpu);
	}
	return text;
}

bool cpu_own(struct cpu_set *out)
{
	memset(out, 0, sizeof(*out));
	/* glibc's sched_getaffinity takes cpu_set_t of a fixed size; the call itself any. */
	return syscall(SYS_sched_getaffinity, 0, sizeof(out->bits), out->bits) > 0;
}
