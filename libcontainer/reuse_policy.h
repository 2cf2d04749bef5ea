#ifndef BRIG_REUSE_POLICY_H
#define BRIG_REUSE_POLICY_H

#include "base/arena.h"
#include "base/err.h"
#include "plan.h"
#include "specs/report.h"
#include "specs/result.h"
#include "specs/runtime.h"
#include "specs/state.h"

/*
 * When a shell is not used any more, but for taint: docs/reuse.md.  Uses and age: reuse_retired.
 */

/* memory=0.9,cpu=0.9,pids=0.5,disk=1: each once, above 0, 1 at most, three digits.  -EINVAL. */
int reuse_read_retire_on(const char *text, struct state_retire_on *out);
/* What would never be known of this one, so that it could not be asked for; NULL: nothing. */
const char *reuse_unknown_use(const struct plan *p, const struct state_retire_on *t);
/* Of one that is parked: it is so for too long; NULL: it is not. */
const char *reuse_idle(struct arena *a, const struct state_reuse *u);
/* How near a generation that has ended came to its limits, in thousandths; -1: not known. */
struct reuse_use {
	int64_t memory, cpu, pids, disk;
};
void reuse_use_of(const struct brig_result *r, const struct oci_resources *limits,
		  struct reuse_use *out);
/* It has used more than it may; NULL: it has not. */
const char *reuse_overused(struct arena *a, const struct state_reuse *u,
			   const struct reuse_use *use);
/* Policy, level and root, as one word: what two shells that may stand for each other share. */
const char *reuse_default_key(struct arena *a, const struct plan *p);

#endif
