#ifndef BRIG_LEARN_H
#define BRIG_LEARN_H

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "learn_observe.h"
#include "specs/learned.h"

/* The parts of `policy learn` and of its replay, beside the observer (learn_observe.h). */

#define LEARN_FILE    "learned.json"
#define LEARN_SECCOMP "seccomp.json"

/*
 * Runs it as container_run does, watched; quiet: what the program writes to standard output goes
 * where errors go.  An error of the run is this one's.
 */
int learn_run(const struct container_host *h, const struct container_create_opts *o,
	      struct learn_seen *seen, bool quiet, int *code, struct err *e) MUST_CHECK;

/* Of what was seen; strings are shared.  time, command, exit and flags are the caller's. */
void learn_sum_up(struct arena *a, const struct learn_seen *s, struct brig_learned *out);
/* Of the resolver's record of connections, the text of its file; of --egress only what was used
 * stays. */
void learn_take_flows(struct arena *a, const char *text, struct brig_learned *io);
/* Without options that named a place of which nothing was used: --ro, --bind, --write. */
void learn_used_flags(struct arena *a, const struct learn_seen *s, struct brig_learned *io);

/*
 * seccomp.json: what was seen and the closure (out->closure gets what of it was not seen), nothing
 * else.  It is compiled and asked for each call: those that it denies are out->missing.
 */
int learn_profile(struct arena *a, const struct learn_seen *s, struct brig_learned *out,
		  char **text, struct err *e) MUST_CHECK;
/* The level file; *text NULL at custom, which no level extends. */
int learn_level(struct arena *a, const struct container_host *h, const struct learn_seen *s,
		const struct brig_learned *l, const char *name, char **text,
		struct err *e) MUST_CHECK;

/* What was written, each with its last newline; NULL: not. */
struct learn_files {
	const char *seccomp, *level, *learned;
};
/* PolicyRecorded, where runs of that level are written to the audit log. */
int learn_audit(struct arena *a, const struct container_host *h, const char *dir,
		const struct brig_learned *l, const struct learn_files *files,
		struct err *e) MUST_CHECK;

#endif
