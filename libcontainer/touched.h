#ifndef BRIG_TOUCHED_H
#define BRIG_TOUCHED_H

#include "base/arena.h"
#include "base/err.h"
#include "specs/report.h"
#include "specs/state.h"

/*
 * A parked generation that a verb has changed since it was made is not what was looked at, whatever
 * can be seen of that: exec, update, grant, revoke and kill write it down before they do it.  It
 * goes with the generation.  docs/reuse.md
 */
#define TOUCHED_FILE "touched" /* lines: the number of a generation, and a verb */

/* Nothing of one that is not parked, or used once. */
int touched_note(int dir, const struct brig_state *s, const char *verb, struct err *e) MUST_CHECK;
/* The last verb; NULL: none.  "somebody": it cannot be read. */
const char *touched_by(struct arena *a, int dir, const struct brig_state *s);
/* A row of the report. */
void touched_check(struct arena *a, int dir, const struct brig_state *s, struct brig_report *out);

#endif
