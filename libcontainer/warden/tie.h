#ifndef BRIG_WARDEN_TIE_H
#define BRIG_WARDEN_TIE_H

#include <sys/types.h>

#include "base/err.h"

/*
 * A foreground run is its sandbox's warden itself, and the sandbox's first process has brig's death
 * as a signal.  Where that process may change its user the kernel takes the signal back: then it is
 * born in a pid namespace of which a tie is pid 1, a process that does nothing but die with brig,
 * and the kernel ends what is in that namespace.
 */
struct warden_tie {
	pid_t pid; /* 0: none */
	int pidfd; /* for run/spawn.h, enclose; -1 */
	int told;
};
#define WARDEN_TIE_NONE ((struct warden_tie){.pidfd = -1, .told = -1})

int warden_tie_make(struct warden_tie *t, struct err *e) MUST_CHECK;
/* Until it is tied: before anything is born in its namespace. */
int warden_tie_await(struct warden_tie *t, struct err *e) MUST_CHECK;
/* Kills and reaps it; none is fine. */
void warden_tie_end(struct warden_tie *t);

#endif
