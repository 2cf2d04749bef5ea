#ifndef BRIG_GRANT_EXPIRY_H
#define BRIG_GRANT_EXPIRY_H

#include <sys/types.h>

#include "base/err.h"
#include "specs/grant.h"
#include "specs/state.h"

/*
 * The process brig-expiry of a sandbox: takes back what was granted for a time (but of the network,
 * where the kernel does).  Forked by create or grant, when there is the first such grant, never
 * executed anew; it ends with the sandbox's first process.  Its warden ends the sandbox when it
 * dies before that, however it was: nothing outlives its time.
 *
 * It sleeps until the first grant of the file "grants" ends; SIGUSR1 makes it read the file again.
 */
struct expiry {
	pid_t pid;
	int pidfd; /* the caller's to close */
};
/* Waits until it is confined.  dir: the state directory. */
int expiry_start(int dir, const struct brig_state *s, struct expiry *out, struct err *e) MUST_CHECK;
void expiry_kill(struct expiry *x);
/* Written down in g, whose process it is; -ESRCH: there is none any more. */
int expiry_tell(const struct grants *g, struct err *e) MUST_CHECK;

/* For the process itself, for good: its calls (grant_expiry_filter.c). */
int expiry_filter(struct err *e) MUST_CHECK;

#endif
