#ifndef BRIG_OUTCOME_H
#define BRIG_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cgroup/cgroup.h"
#include "result.h"
#include "specs/state.h"
#include "watch.h"

/*
 * How a container ended, asked by another command than the one that runs it.  Whoever ran it may
 * have written result.json; else it is composed of what was written before a kill ("ended"), of
 * the cgroup, and of what the kernel still tells of the first process.
 */
struct outcome {
	const struct brig_state *state;
	int dir;
	int pidfd;  /* of the first process; -1: it has been reaped */
	int runner; /* pidfd of the brig in whose foreground it runs, -1 */
	struct watch watch;
	uint64_t ended_ns; /* when its end was seen; 0: not */
};

/* Early: what is open then tells its end whoever deletes it meanwhile.  cg may be NULL. */
void outcome_open(struct outcome *o, int dir, const struct brig_state *s, const struct cgroup *cg);
void outcome_close(struct outcome *o);
/* Until the first process has ended; ms -1: for ever.  -ETIMEDOUT. */
int outcome_await(struct outcome *o, int ms, struct err *e) MUST_CHECK;
/*
 * When it has ended.  patient: its warden or its brig gets the time to write the result first,
 * and its parent that to reap it (some seconds at most); else at once.
 */
void outcome_tell(struct arena *a, const struct outcome *o, bool patient, struct brig_result *out);
/* Nobody who knows more is about to write it. */
bool outcome_is_settled(const struct outcome *o);

/*
 * Who waits holds a lock that is shared by all who do, on a file of the state directory; who
 * deletes it finds that file, writes the result before the cgroup goes, and gives the waiting
 * the time to read it.
 */
int outcome_join(int dir, struct err *e) MUST_CHECK; /* closing it ends the wait */
bool outcome_awaited(int dir);
void outcome_let_go(int dir);

#endif
