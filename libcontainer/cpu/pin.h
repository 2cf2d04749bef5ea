#ifndef BRIG_CPU_PIN_H
#define BRIG_CPU_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * CPUs for a sandbox, with a book for all of the node (book.h) and a choice (choose.h).
 *
 *   shared      --pin cpus: the least used CPUs that its quota needs, with other sandboxes
 *   exclusive   --pin cores: whole cores, all threads of them, for it alone: no sandbox of the
 *               book is on them, neither now nor later
 *
 * Two claimers take turns; who is killed anywhere leaves nothing that the next one minds.
 * Entries whose state directory is gone do not count.  Those of sandboxes that are dead but not
 * deleted are taken over when a claim would be refused otherwise.
 */
enum pin_kind { PIN_SHARED, PIN_EXCLUSIVE };

/* What only the joiner knows; NULL: does not apply.  Called with the book's lock held. */
struct pin_callbacks {
	/* Nothing of the sandbox with that state directory runs, or will. */
	bool (*is_dead)(void *ctx, const char *user);
	/* CPUs and memory nodes of the cgroup that the sandbox's is made in; NULL: no bound. */
	void (*above)(void *ctx, struct arena *a, const char **cpus, const char **mems);
	/* Somebody wants the wait to end. */
	bool (*interrupted)(void *ctx);
	void *ctx;
};

struct pin_request {
	enum pin_kind kind;
	const char *directory; /* /run/brig-cpus */
	const char *user;      /* absolute state directory */
	const char *allowed;   /* CPU list to choose from: config.json's cpuset, or the caller's own
				  (sched_getaffinity) when NULL */
	const char *sysfs;     /* NULL: CPU_SYSFS */
	unsigned int count;    /* CPUs needed: quota / period rounded up; 0: one */
	/* CPUs given out exclusively over the node at most; NULL: all but one core */
	const uint32_t *exclusive_max;
	uint64_t wait_ms; /* how long to wait where it is refused for now; 0: not */
	struct pin_callbacks host;
};
struct pin_choice {
	const char *cpus; /* a list such as 2,5-6, for cpuset.cpus */
	const char *mems; /* the nodes they are on, for cpuset.mems; NULL: leave it */
	const char *why;  /* one line for people */
};
/*
 * A second claim of the same user replaces its first.  Shared: fewer CPUs allowed than needed are
 * all that are allowed.  -EBUSY: not now (also at the end of the wait); -EINTR: interrupted.
 */
int pin_claim(struct arena *a, const struct pin_request *req, struct pin_choice *out,
	      struct err *e) MUST_CHECK;
/* Gone already is success. */
int pin_release(const char *directory, const char *user, struct err *e) MUST_CHECK;

/* For doctor: what the book says now.  No directory: nothing. */
struct pin_counts {
	size_t sandboxes, exclusive_sandboxes, exclusive_cpus;
};
int pin_count(const char *directory, struct pin_counts *out, struct err *e) MUST_CHECK;
/* CPUs that may be given out exclusively; max as in struct pin_request. */
struct cpu_topology;
size_t pin_exclusive_max(const struct cpu_topology *t, const uint32_t *max);

#endif
