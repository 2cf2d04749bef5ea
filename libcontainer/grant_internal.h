#ifndef BRIG_GRANT_INTERNAL_H
#define BRIG_GRANT_INTERNAL_H

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "specs/grant.h"
#include "specs/state.h"

/* What the files grant*.c share: a running sandbox whose lock is held. */
struct change {
	struct arena *arena;
	const struct container_host *host;
	const char *id;
	const char *text; /* of the network: behind "network:" */
	int dir;
	struct brig_state state;
};

/* grant.c: what the text says, its time counted from now; and giving it, with what is told of that.
 */
int grant_read(struct arena *a, const char *what, struct brig_grant *out, struct err *e) MUST_CHECK;
int grant_give(struct change *c, const struct brig_grant *g, const char **place,
	       struct err *e) MUST_CHECK;

/* grant_network.c */
int grant_network_give(struct change *c, const char *text, struct err *e) MUST_CHECK;
int grant_network_take(struct change *c, const char *text, struct err *e) MUST_CHECK;

/* grant_running.c: everything else.  *place: where it is inside, NULL. */
int grant_running_give(struct change *c, const struct brig_grant *g, const char **place,
		       struct err *e) MUST_CHECK;
int grant_running_take(struct change *c, const char *what, bool strict,
		       struct container_revoked *out, struct err *e) MUST_CHECK;

/* grant_users.c: who of the sandbox has something of that mount; kills them if it is to. */
struct cgroup;
int grant_users(struct arena *a, const struct cgroup *cg, uint64_t mount, bool kill, size_t *n,
		struct err *e) MUST_CHECK;

#endif
