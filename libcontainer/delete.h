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

/*
 * The same of one generation (docs/reuse.md): what the shell holds and the state directory stay.
 */
int container_destroy_generation(const struct container_host *h, int dir,
				 const struct brig_state *s, struct err *e) MUST_CHECK;

/* What the host's connection tracking has of the addresses of its slot. */
int delete_forget_connections(const struct brig_state *s, struct err *e) MUST_CHECK;

/* State as hooks get it; pid 0 when there is none. */
char *container_hook_state(struct arena *a, const struct brig_state *s, const char *status);

/*
 * The state of the container that directory is named for, from the copy where state.json is damaged
 * or gone (tells: says so); with cgroup.unclaimed.  An error is that of state.json.
 */
int delete_load(int dir, const char *id, bool tells, struct arena *a, struct brig_state *s,
		struct err *e) MUST_CHECK;
/* When that failed, with its error: removes what was only half made, and says what to do else. */
int delete_unknown(const struct container_host *h, int dir, const char *id, bool force,
		   struct err *e) MUST_CHECK;

/* Stops it; what is tainted is kept in to, a directory of quarantine_open (its path: where). */
int delete_keep_evidence(struct arena *a, int to, const char *where, int dir,
			 const struct brig_state *s, struct err *e) MUST_CHECK;

#endif
