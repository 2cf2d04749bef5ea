#ifndef BRIG_CONTROL_H
#define BRIG_CONTROL_H

#include <stdint.h>

#include "base/err.h"

/* Who has a generation of a sandbox by lease. */
struct holder {
	const char *token;
	uint64_t generation;
};
/*
 * Ends everything that runs in that generation, and in no other: -ESTALE when it is not the
 * holder's any more.  A lease that has run out, and that nobody has taken back, is his still.
 * dir: of that sandbox, not locked.
 */
int control_kill_held(int dir, const char *id, const struct holder *who, struct err *e) MUST_CHECK;

#endif
