#ifndef BRIG_POOL_SCRUB_H
#define BRIG_POOL_SCRUB_H

#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * A network namespace that others have made, and that stays when a generation ends (a pod's): what
 * is left in it is removed.  docs/reuse.md
 *
 * That needs somebody to answer for all of it: where a process that is not the sandbox's has
 * sockets there, what is left cannot be told apart.
 */

/*
 * A process of that network namespace that has a socket, and is neither in the cgroups with these
 * processes (sorted) nor one of these others.  0: there is none; -errno.  What only sleeps there
 * (the pause container of a pod) does not count.
 */
struct scrub_own {
	const pid_t *pids;
	size_t n;
};
int64_t scrub_sharer(uint64_t netns, const struct scrub_own *own, struct err *e) MUST_CHECK;
/* For people: process 17 (nginx). */
const char *scrub_name(struct arena *a, int64_t pid);

/* In netns, for a moment.  Where brig cannot come back it exits. */
enum scrub {
	SCRUB_SOCKETS,     /* EBUSY: some are left, which may go by themselves; EPERM: another's */
	SCRUB_CONNECTIONS, /* connection tracking */
	SCRUB_NEIGHBOURS,  /* that were learned */
	SCRUB_ROUTES,      /* that were learned */
	SCRUB_METRICS      /* of TCP */
};
int scrub(enum scrub what, int netns, struct err *e) MUST_CHECK;

#endif
