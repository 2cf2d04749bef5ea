#ifndef BRIG_RUN_SPAWN_H
#define BRIG_RUN_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "ns/namespace.h"
#include "specs/runtime.h"

/* What keeps a stage. */
struct spawn_hold {
	int link; /* -1: there is none */
	pid_t stage;
};
#define SPAWN_HOLD_NONE ((struct spawn_hold){.link = -1})

/*
 * Birth of a process in namespaces, without re-executing anything.
 *
 * Direct (the usual way): the runtime enters the namespaces given by path for a moment, because a
 * child in a new user namespace would not be allowed to join what the host owns; clone3 makes the
 * child with all new ones at once; then the runtime goes back.
 *
 * Staged: a stage process enters what the runtime cannot leave again (a user or mount namespace)
 * or makes what an unprivileged runtime may make only inside a user namespace (a time namespace,
 * a child of a joined pid namespace), and clones the child with CLONE_PARENT, so that it is the
 * runtime's own child all the same.
 */
struct spawn {
	uint64_t make;        /* CLONE_NEW... of new namespaces; NEWCGROUP is the child's work:
				 on birth it would be rooted at the runtime's own cgroup */
	struct ns_plan *join; /* opened; NULL: none */
	int target;           /* exec: pidfd of the container's init, -1: none */
	uint64_t target_ns;   /* exec: CLONE_NEW... to enter by setns(target) */
	bool staged;
	bool share; /* direct only: base/clone_vm.h, the runtime sleeps until the child executes */
	/* staged only, NEWPID in make: a pid namespace (warden/detached.h) around the child's,
	 * whose pid 1 takes it along when it dies; the zero value is none, as 0 is standard input
	 */
	int enclose;
	/* with enclose: the child becomes that pid 1's, which can wait for it, when spawn_let_go is
	 * called.  Until then it dies with its maker, the stage, and that with the runtime. */
	struct spawn_hold *hold;
	int cgroup;                             /* CLONE_INTO_CGROUP descriptor, -1: none */
	const struct oci_time_offsets *offsets; /* for NEWTIME in make; may be NULL */
	int sync;                               /* child's end of the sync pair */
	int sync_peer;                          /* the runtime's end: closed in the child */
	/* staged with NEWUSER in make: called in the runtime to map the stage */
	int (*map)(void *ctx, pid_t stage, struct err *e);
	int (*child)(void *ctx); /* runs in the child; its value is the exit code */
	void *ctx;
};

/* What of s's namespaces only a stage can do.  returns: the runtime may enter its own ones again,
 * which takes rights over the host's. */
bool spawn_needs_stage(uint64_t make, const struct ns_plan *join, bool returns);

/*
 * *pid is the child's pid as the runtime sees it; *pidfd its descriptor.  On failure nothing of
 * it is left.
 */
int spawn(const struct spawn *s, pid_t *pid, int *pidfd, struct err *e) MUST_CHECK;
/* Ends the stage and waits for it; none is fine. */
void spawn_let_go(struct spawn_hold *h);

#endif
