#ifndef BRIG_WATCH_H
#define BRIG_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cgroup/cgroup.h"
#include "cgroup/meters.h"
#include "cgroup/stats.h"
#include "result.h"
#include "specs/state.h"
#include "warden/detached.h"
#include "warden/warden.h"

struct evidence; /* evidence.h */

/*
 * What one container uses, from descriptors opened early and read late, counted from its start: the
 * gauges of its warden and the usage part of its result.
 */
struct watch {
	const struct brig_state *state; /* id, level and what was counted at the start */
	struct cgroup_meters meters;
	int disks[WARDEN_DISKS]; /* on its writable layers */
	size_t n_disks;
	struct cgroup_usage last; /* what watch_look has read, if it has */
	bool looked;
	struct evidence *evidence; /* whoever writes the result tells the audit log; NULL */
	int oom; /* readable when a process may have been killed for memory; -1: not watched */
};
#define WATCH_NONE(s) ((struct watch){.state = (s), .meters = CGROUP_METERS_NONE, .oom = -1})

/* What a result tells: nothing of the moment. */
#define WATCH_RESULT                                                                               \
	((METERS_RESULT & ~(METER_BIT(METER_MEMORY_HITS) | METER_BIT(METER_SWAP_HITS) |            \
			    METER_BIT(METER_SWAP_PEAK))) |                                         \
	 METER_BIT(METER_MEMORY_LIMIT) | METER_BIT(METER_PIDS_LIMIT))

/*
 * Before anything runs in it: what was counted in a cgroup that others have made, for state.json.
 * NULL: it is new.
 */
const struct state_baseline *watch_baseline(struct arena *a, const struct cgroup *cg,
					    const struct cgroup_record *r);

/* The meters of a set, and where asked the notification of kills for memory; what is missing is
 * unknown later. */
void watch_open(struct watch *w, const struct cgroup *cg, uint32_t set, bool oom);
void watch_close(struct watch *w);
/* As watch_open, with a keeper for a cgroup that may be gone when its sandbox is seen to end. */
void watch_keep(struct watch *w, const struct cgroup *cg, uint32_t set, bool oom);
/* What a cgroup tells becomes what was counted since the start; b NULL: it is that. */
void watch_since(const struct state_baseline *b, struct cgroup_usage *io);
/* Reads everything, for when it cannot be read any more. */
void watch_look(struct watch *w);
/* Since the start, into the facts' part about what it has used. */
void watch_usage(const struct watch *w, struct result_facts *out);

/* What a resolver has left in the state directory, once it has ended; else nothing is known. */
void watch_network(struct arena *a, int dir, struct result_facts *out);

/* What its warden has counted there; a file that cannot be is as none. */
void watch_violations(struct arena *a, int dir, struct result_facts *out);

/* ctx is w; writes: the warden, a detached one, has to write the result when it is over. */
struct warden_gauges watch_gauges(struct watch *w, bool writes);
/* Hands all of it to a detached warden; ours is closed. */
int watch_send(struct watch *w, struct warden_detached *to, struct err *e) MUST_CHECK;

/* What state.json tells for a result. */
void watch_facts(const struct brig_state *s, struct result_facts *out);

#endif
