#ifndef BRIG_LAYERS_H
#define BRIG_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/change.h"
#include "specs/state.h"

/*
 * What a generation wrote: its layers (tmpfs mounts, uppers of overlay volumes).  They die with its
 * mount namespace; with `create --reuse --keep-layers` its warden has a descriptor on each, and
 * stays after the end until reset, discard or delete ends it.  docs/layers.md
 */

struct layers_query {
	bool hash;     /* sha256 of each file added or changed */
	uint64_t most; /* entries looked at; 0: LAYERS_MOST */
	/* For each entry, in the order of their paths within a layer; what c points to lives until
	 * it returns.  Not 0: diff ends with that.  NULL: only counted. */
	int (*each)(void *ctx, const struct brig_change *c, struct err *e);
	void *ctx;
};
enum { LAYERS_MOST = 4 << 20 };
/* What is larger is not hashed: a file of 1 TiB costs who wrote it nothing. */
#define LAYERS_HASH_MOST (UINT64_C(1) << 30)

/*
 * Counts, and on demand tells, what differs from when the generation was made.  dir: state
 * directory, s its state.  Changes nothing; names in there may be anything.  Also of a running one,
 * where it tells what it met.
 * -ENODATA: it keeps no layers.  -ESTALE: they are gone: discarded, or its warden was killed.
 * reset calls it between the end of the program and the end of the warden.
 */
int layers_diff(struct arena *a, int dir, const struct brig_state *s, const struct layers_query *q,
		struct brig_change_sums *out, struct err *e) MUST_CHECK;

/* Step of create, ctx is a struct create: hands its layers to the warden, and writes down what was
 * in them. */
#define LAYERS_FILE "layers.json"
int layers_hold(void *ctx, struct err *e) MUST_CHECK;

/* create: what it has to keep open of volumes that are not written, until layers_hold. */
struct create;
void layers_take_uppers(struct create *c);
void layers_close_uppers(struct create *c);

/* run --dry-run, when it has ended: to c's opts, and the first entries into a result. */
struct result_changes;
int layers_dry(struct create *c, struct result_changes *out, struct err *e) MUST_CHECK;

#endif
