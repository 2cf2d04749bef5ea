#ifndef BRIG_QUARANTINE_H
#define BRIG_QUARANTINE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/report.h"
#include "specs/state.h"

/*
 * reset and delete --keep-evidence DIR: of a sandbox that is tainted or was not clean, what a
 * person needs who looks into it, as DIR/ID.GENERATION/ (0700).  docs/reuse.md
 */

/*
 * DIR, absolute, by a descriptor: a directory of ours that nobody else can write to, and no link
 * anywhere on the way.
 */
int quarantine_open(const char *where, struct err *e) MUST_CHECK;

struct layers; /* layers_open.h */
struct quarantine {
	struct arena *arena;
	const char *where; /* its path, for people */
	int to;            /* of quarantine_open */
	int dir;           /* state directory */
	const struct brig_state *state;
	uint64_t generation;
	const struct brig_report *report; /* NULL: there is none */
	const struct layers *layers;      /* open; NULL: there are none any more */
};
/*
 * All files of the state directory and the report, and each layer as layer.N.tar, in the order of
 * layers.json; of one that is too much only why, as layer.N.error.  The directory gets its name
 * when it is whole; *path: its name.  Once for each generation: a second time it only tells where.
 */
int quarantine_keep(const struct quarantine *q, const char **path, struct err *e) MUST_CHECK;

#endif
