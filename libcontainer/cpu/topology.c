#include "cpu/topology.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

size_t cpu_count(const struct cpu_set *s)
{
	size_t n = 0;

	for (size_t i = 0; i < CPU_WORDS; i++)
		n += (size_t)__builtin_popcountll(s->bits[i]);
	return n;
}

char *cpu_list(struct arena *a, const struct cpu_set *s)
{
	enum { LONGEST_ITEM = sizeof("8190-8191,") };
	/* Ranges have a gap between them, so there is one for each two CPUs at most. */
	char *text = arena_new(a, (cpu_count(s) + 1) * LONGEST_ITEM), *end = text;

	for (unsigned int cpu = 0; cpu < CPU_BITS; cpu++) {
		unsigned int last = cpu;

		if (!cpu_has(s, cpu))
			continue;
		while (last + 1 < CPU_BITS && cpu_has(s, last + 1))
			last++;
		end += sprintf(end, last > cpu ? "%s%u-%u" : "%s%u", end > text ? "," : "", cpu,
			       last);
		cpu = last;
	}
	return text;
}

bool cpu_own(struct cpu_set *out)
{
	memset(out, 0, sizeof(*out));
	/* glibc's sched_getaffinity takes cpu_set_t of a fixed size; the call itself any. */
	return syscall(SYS_sched_getaffinity, 0, sizeof(out->bits), out->bits) > 0;
}

bool cpu_smt_active(void)
{
	char text[8];

	return file_peek(AT_FDCWD, "/sys/devices/system/cpu/smt/active", text, sizeof(text)) > 0 &&
	       text[0] == '1';
}

void cpu_siblings(unsigned int cpu, struct cpu_set *out)
{
	enum { LINE = 4096 };
	char path[96], text[LINE];

	/* the name before 5.3 and since; both are there */
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list",
		 cpu);
	if (file_peek(AT_FDCWD, path, text, sizeof(text)) > 0 &&
	    str_cpulist(text, out->bits, CPU_BITS) && cpu_has(out, cpu))
		return;
	memset(out, 0, sizeof(*out));
	cpu_add(out, cpu);
}
