#ifndef BRIG_CPU_PIN_H
#define BRIG_CPU_PIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

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
/* *cpus: a list such as 2,5-6 in the arena, for cpuset.cpus. */
int pin_claim(struct arena *a, const struct pin_request *req, const char **cpus,
	      struct err *e) MUST_CHECK;
int pin_release(const char *directory, const char *user, struct err *e) MUST_CHECK;

#endif
