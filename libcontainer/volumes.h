#ifndef BRIG_VOLUMES_H
#define BRIG_VOLUMES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/report.h"

/* Writable bind mounts of a sandbox that can be used again.  docs/layers.md */
#define VOLUMES_FILE "volumes.json" /* the shell's; struct brig_volumes */

struct create;
/* For generation 1: writes down what they are; one that is to be wiped must be empty. */
int volumes_begin(struct create *c, struct err *e) MUST_CHECK;

/* Of the state directory dir: which there are, into the report. */
int volumes_report(struct arena *a, int dir, struct brig_report *out, struct err *e) MUST_CHECK;
/* What a parked one must not have in them, and what nobody can tell: a row, and not_covered. */
void volumes_check(struct arena *a, int dir, struct brig_report *out);

/* Steps of reset, ctx is a struct reset: before the next generation is made. */
bool volumes_has_wipe(const void *ctx);
int volumes_wipe(void *ctx, struct err *e) MUST_CHECK;

#endif
