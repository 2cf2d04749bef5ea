#ifndef BRIG_WORK_H
#define BRIG_WORK_H

#include <stdbool.h>

#include "container.h"
#include "process.h"
#include "run/sync.h"
#include "secret.h"
#include "specs/runtime.h"
#include "specs/state.h"
#include "specs/work.h"

/*
 * Work that a parked sandbox is given by start: read, judged by the level and put together in
 * start; the parked process copies strings.
 */
struct work {
	bool given;
	struct brig_work what; /* all of it, with what config.json says */
	uint32_t uid, gid;     /* inside, that it runs as */
	bool passed_on;        /* its output, by its warden, up to a limit */
	struct secrets secrets;
};

/* Early: what is passed by descriptor.  Nothing asked for is fine. */
int work_open(struct work *w, const struct container_start_opts *o, struct err *e) MUST_CHECK;
void work_end(struct work *w);
/* config: of the state directory dir, as it was planned.  ANSWER_REFUSED: a limit is none of those
 * that it may have. */
int work_make(struct arena *a, struct work *w, const struct container_host *h,
	      const struct container_start_opts *o, int dir, const struct brig_state *s,
	      const struct oci_config *config, enum container_answer *answer,
	      struct err *e) MUST_CHECK;
/* GO, with the work and our standard streams where there is any. */
int work_send(struct arena *a, const struct work *w, const struct brig_state *s, int conn,
	      struct err *e) MUST_CHECK;

/* The parked process: fds of sync_expect_go, which it takes over; plan is copied and changed. */
int work_take(struct process *p, struct plan_process *plan, int fds[SYNC_GO_FDS],
	      struct err *e) MUST_CHECK;

#endif
