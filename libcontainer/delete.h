#ifndef BRIG_DELETE_H
#define BRIG_DELETE_H

#include "base/err.h"
#include "cgroup/cgroup.h"
#include "container.h"
#include "specs/state.h"

/* Kills all processes and leaves the rest to be looked at. */
int container_stop(const struct brig_state *s, struct cgroup *cg, struct err *e) MUST_CHECK;

/*
 * Removes everything a container has on the host, whatever state its making or unmaking was
 * left in: processes, cgroup directories, resctrl groups, the state directory; then poststop
 * hooks.  Goes on after a failure and reports the first one; the state directory goes last and
 * only if all else went, so that another delete can try again.  dir: locked state directory.
 */
int container_destroy(const struct container_host *h, int dir, const struct brig_state *s,
		      struct err *e) MUST_CHECK;

/* State as hooks get it; pid 0 when there is none. */
char *container_hook_state(struct arena *a, const struct brig_state *s, const char *status);

#endif
