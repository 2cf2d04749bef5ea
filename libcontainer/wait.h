#ifndef BRIG_WAIT_H
#define BRIG_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "outcome.h"
#include "specs/result.h"
#include "specs/state.h"

/*
 * Who waits for a container's end, with what is open early.  Of one that can be used again it is
 * one generation's end, whoever has the next one by the time somebody looks.
 */
struct waiting {
	struct arena *arena;
	struct brig_state state;
	struct outcome outcome;
	uint64_t generation; /* 0: it has but one */
	bool moved;          /* it was over before we came */
	int dir;             /* the caller's, which stays open */
	int joined;
};
#define WAITING_NONE                                                                               \
	((struct waiting){                                                                         \
		.joined = -1,                                                                      \
		.outcome = {.pidfd = -1, .runner = -1, .watch = WATCH_NONE(NULL)},                 \
	})

/*
 * generation: of that one; NULL: of the one that is there.  While it is made, until that time
 * (CLOCK_MONOTONIC; 0: for ever), then -ETIMEDOUT.  The arena lives as long as the result.
 */
int waiting_begin(struct waiting *w, struct arena *a, int dir, const char *id,
		  const uint64_t *generation, uint64_t until, struct err *e) MUST_CHECK;
/*
 * Until that time, then -ETIMEDOUT, and it can be asked again.  -ESTALE: it is another generation,
 * and how the one that was waited for has ended is not on record any more.
 */
int waiting_await(struct waiting *w, uint64_t until, struct brig_result *out,
		  struct err *e) MUST_CHECK;
void waiting_end(struct waiting *w);

#endif
