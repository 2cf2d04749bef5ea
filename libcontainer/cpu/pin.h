#ifndef BRIG_CPU_PIN_H
#define BRIG_CPU_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpu/topology.h"

/*
 * --pin cpus: a sandbox runs on the least used CPUs that its quota needs, shared with other
 * sandboxes.  Node-wide bookkeeping as ns/idpool.h does it: DIRECTORY with "lock" and one file
 * for each sandbox, named by a hash of its state directory: first line that directory, second
 * the CPU list.  Files whose state directory is gone do not count.
 */
struct pin_request {
	const char *directory; /* /run/brig-cpus */
	const char *user;      /* absolute state directory */
	const char *allowed;   /* CPU list to choose from: config.json's cpuset, or the caller's own
				  (sched_getaffinity and the parent cpuset) when NULL */
	unsigned int count;    /* CPUs needed: quota / period rounded up; 0: one */
};
/*
 * *cpus: a list such as 2,5-6 in the arena, for cpuset.cpus.  A second claim of the same user
 * replaces its first.  Fewer CPUs allowed than needed: all that are allowed.
 */
int pin_claim(struct arena *a, const struct pin_request *req, const char **cpus,
	      struct err *e) MUST_CHECK;
/* Gone already is success. */
int pin_release(const char *directory, const char *user, struct err *e) MUST_CHECK;

/* What one file of the bookkeeping says; strings point into the text, which is changed. */
struct pin_entry {
	const char *user;
	struct cpu_set cpus;
};
/* False: not such a file (a relative path, no list, no CPU, more lines, a NUL). */
bool pin_entry_parse(char *text, size_t len, struct pin_entry *out);
/*
 * The least used count of the allowed CPUs (fewer if there are not as many); uses: how many
 * sandboxes run on each.  Of equals those with the least used siblings, so that a sandbox is
 * spread over cores, then the lowest number.  siblings: cpu_siblings, NULL without SMT.
 */
void pin_choose(const struct cpu_set *allowed, const uint16_t uses[CPU_BITS], unsigned int count,
		void (*siblings)(unsigned int cpu, struct cpu_set *out), struct cpu_set *out);

#endif
