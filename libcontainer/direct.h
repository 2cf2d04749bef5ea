#ifndef BRIG_DIRECT_H
#define BRIG_DIRECT_H

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "policy/policy.h"
#include "specs/runtime.h"

/* Direct mode: a config.json made from options, for `run` without a bundle. */

enum { DIRECT_UID = 1000, DIRECT_GID = 1000 };
#define DIRECT_HOME "/workspace"

/*
 * *out: what a level then works on.  Errors name the option.  --rootfs / binds the host's
 * programs read-only into an empty root; what only root may read stays unreadable, because
 * these binds are not id-mapped.
 */
int direct_config(struct arena *a, const struct container_direct *d, struct oci_config *out,
		  struct err *e) MUST_CHECK;
/* The options that a level bounds. */
int direct_wishes(struct arena *a, const struct container_direct *d, struct policy_wishes *out,
		  struct err *e) MUST_CHECK;
/* "brig-" and 80 random bits. */
int direct_id(struct arena *a, const char **out, struct err *e) MUST_CHECK;

#endif
