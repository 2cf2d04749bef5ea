#ifndef BRIG_LATE_H
#define BRIG_LATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "cgroup/cgroup.h"
#include "container.h"
#include "specs/json_print.h"
#include "specs/runtime.h"
#include "specs/state.h"

/*
 * What start makes of a parked sandbox before its program goes, beside its work (work.h): limits
 * that are tighter than the plan's, and files that are put into it.  Both are the generation's and
 * go with it.  docs/reuse.md
 *
 * From late_begin on the generation is not what was verified: who is killed then leaves the file
 * LATE_BOUND, and nobody starts it any more.
 */
#define LATE_BOUND "bound"

struct late_input {
	const char *src, *dst; /* dst: absolute, inside */
	int fd;
	struct stat st;
};
struct late {
	struct oci_resources limits; /* only what is narrowed */
	bool has_limits;
	uint64_t wall_ms, cpu_ms; /* 0: as planned */
	struct late_input *inputs;
	size_t n_inputs;
	/* grants of its plan, by their texts: that it keeps, and that it loses */
	const char **kept, **taken;
	size_t n_kept, n_taken;
};

/* Early: the files are opened as the caller named them.  late_end also of what failed. */
int late_open(struct arena *a, struct late *l, const struct container_start_opts *o,
	      struct err *e) MUST_CHECK;
void late_end(struct late *l);
/*
 * config: as it was planned, dir: state directory.  Only reads; ANSWER_REFUSED: it would widen
 * something, or nobody is there who could keep it.
 */
int late_plan(struct arena *a, struct late *l, const struct container_start_opts *o,
	      const struct oci_config *config, int dir, enum container_answer *answer,
	      struct err *e) MUST_CHECK;
int late_egress_plan(struct arena *a, struct late *l, const struct container_start_opts *o,
		     const struct brig_state *s, int dir, enum container_answer *answer,
		     struct err *e) MUST_CHECK;
bool late_wanted(const struct late *l);

/* In this order.  late_times: EPERM: its plan has less, and nothing has changed; after any other
 * error the generation is to be ended. */
int late_begin(int dir, struct err *e) MUST_CHECK;
int late_times(const struct late *l, int dir, struct err *e) MUST_CHECK;
int late_narrow(struct arena *a, const struct late *l, struct cgroup *cg, struct err *e) MUST_CHECK;
/* In a process of its own in the sandbox's cgroup: what is copied is charged to it. */
int late_put(struct arena *a, const struct late *l, const struct brig_state *s,
	     const struct oci_config *config, struct cgroup *cg, struct err *e) MUST_CHECK;

/* By its resolver, before anything of it runs. */
int late_egress(const struct container_host *h, struct arena *a, const struct late *l,
		const struct brig_state *s, int dir, struct err *e) MUST_CHECK;

/* Whoever asked for a start may ask again, and be told that it has happened. */
enum late_key { LATE_KEY_NONE, LATE_KEY_SAME, LATE_KEY_OTHER };
int late_key_check(const char *key, struct err *e) MUST_CHECK; /* NULL is fine */
int late_key_write(int dir, const char *key, struct err *e) MUST_CHECK;
/* NONE: nobody has started this generation; OTHER: also by somebody without a key. */
enum late_key late_key_seen(int dir, const char *key);

/* Members of the audit record of the start. */
void late_tell(struct json_out *o, const struct late *l);

#endif
