#ifndef BRIG_INIT_H
#define BRIG_INIT_H

#include "base/arena.h"
#include "fs/fs.h"
#include "plan.h"
#include "run/foreground.h"
#include "run/hooks.h"

/*
 * The container's first process from its birth to the execve of the workload: the child's side
 * of create.c's step table.
 */
struct init {
	const struct plan *plan;
	struct arena *arena;
	struct cgroup *cgroup; /* the child enters it by itself where it can */
	struct fs *fs;         /* opened by the runtime, or NULL: opened here */
	int sync;              /* our end of the pair */
	int listen;            /* start socket; -1: run, which does not wait */
	int stub;
	/* Of a resolver that was given the network already (resolver.h): the child itself waits for
	 * its words; -1: the runtime says NETWORK. */
	int resolver;
	bool resolver_connects;
	const struct fs_owner *owner; /* NULL without a late user namespace */
	int userns;                   /* to enter last; -1 */
	uint32_t host_uid;            /* of the process in it */
	int warden;                   /* connected, -1 */
	const int *output;            /* two: for descriptors 1 and 2; -1: none, as the first */
	const char *const *disks;     /* as in struct process */
	int console_socket;           /* connected; -1: none */
	bool shows_parked;            /* while it waits for start its maker may look into it */
	const struct hook_output *hook_output;
	const struct foreground *foreground; /* whose signal mask to undo; NULL: none */
};

/* Both tables ask these. */
bool init_wants_placed(const struct plan *p);
bool init_wants_runtime_hooks(const struct plan *p);
bool init_wants_console_fd(const struct plan *p); /* sent to the runtime, not to a socket */

/* spawn's child function; ctx is a struct init.  Returns the exit code when it failed. */
int init_main(void *ctx);

#endif
