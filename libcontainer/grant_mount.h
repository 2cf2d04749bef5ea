#ifndef BRIG_GRANT_MOUNT_H
#define BRIG_GRANT_MOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "specs/state.h"

/*
 * Mounts that come and go in the mount namespace of a running sandbox.  A child enters it, with
 * nothing open but what it needs, does one thing by descriptor and ends: it is in no other
 * namespace of the sandbox's, is not dumpable and executes nothing.
 *
 * What is attached later lies below /run/grants, a small read-only tmpfs of brig's: the sandbox
 * cannot mount, so that what it has put there before can only be in the way, not lead elsewhere.
 */
#define GRANT_AREA "/run/grants"

struct grant_target {
	int ns;        /* mount namespace of the sandbox's first process */
	int mountinfo; /* its /proc/PID/mountinfo */
};
/* Of a plain user's sandbox there is none, which is no error: then whatever follows is EOPNOTSUPP.
 */
#define GRANT_TARGET_NONE ((struct grant_target){-1, -1})
int grant_target_open(const struct brig_state *s, struct grant_target *out,
		      struct err *e) MUST_CHECK;
void grant_target_close(struct grant_target *t);

struct grant_attach {
	int tree; /* detached, with its attributes */
	bool directory;
	const char *name; /* below the area */
	uint64_t area;    /* mount id of the area, 0: make it */
};
/* *area, *id: mount ids; *area also on failure, if it is there by now.  EEXIST: something of the
 * sandbox's is in the way. */
int grant_attach(const struct grant_target *t, const struct grant_attach *g, uint64_t *area,
		 uint64_t *id, struct err *e) MUST_CHECK;
/* A tree that is a directory, on /run/NAME, before the program of the sandbox runs. */
int grant_attach_run(const struct grant_target *t, const char *name, int tree,
		     struct err *e) MUST_CHECK;
/*
 * The mount of that id goes away from wherever it is now; ENOENT: there is none.  With area its
 * mount point does, too.  EAGAIN: the sandbox renames what is above it all the time; it cannot
 * when it is frozen.
 */
int grant_detach(const struct grant_target *t, uint64_t id, uint64_t area,
		 struct err *e) MUST_CHECK;
/* That opening something on the mount of that id is told to fan (fanotify_init(2)). */
int grant_mark(const struct grant_target *t, uint64_t id, int fan, struct err *e) MUST_CHECK;
/* The mount that is on path, before the program of the sandbox runs.  EBUSY: none is. */
int grant_find(const struct grant_target *t, const char *path, uint64_t *id,
	       struct err *e) MUST_CHECK;
/* The one of that name below the area, at any time.  ENOENT: there is none, or it cannot be. */
int grant_find_added(const struct grant_target *t, const char *name, uint64_t *id,
		     struct err *e) MUST_CHECK;

#endif
