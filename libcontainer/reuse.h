#ifndef BRIG_REUSE_H
#define BRIG_REUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "plan.h"
#include "specs/state.h"

/*
 * A sandbox that can be used again: a shell and its generations (docs/reuse.md).  What create does
 * for it, and what start, reset and verify ask about it.
 *
 * Of the state directory the shell's files are named by a table; every other one is the
 * generation's and goes with it.
 */
#define REUSE_REQUEST "request.json"        /* struct brig_request */
#define REUSE_CONFIG  "request.config.json" /* the config.json that was read, as it was */
#define REUSE_PROFILE "request.seccomp."    /* and a number: the text of a --seccomp file */
#define REUSE_TAKEN   "fingerprint"         /* the text that state.json has the sha256 of */
#define REUSE_FOUND   "fingerprint.found"   /* of a generation that was not clean */

/*
 * Whether it is asked for, by options or annotations, and what was planned can be used again.
 * *out NULL: it is not asked for; else generation 1 of it.
 */
int reuse_plan(struct arena *a, const struct container_create_opts *o, const struct plan *p,
	       struct state_reuse **out, struct err *e) MUST_CHECK;
/* Whether it is asked for, before anything is planned. */
bool reuse_wanted(const struct container_create_opts *o, const struct oci_config *c);
/* sha256: of what is carried out: each generation's must be the same. */
const char *reuse_plan_digest(struct arena *a, const struct plan *p);

/* The request, for the generations to come. */
int reuse_save_request(struct arena *a, const struct container_host *h,
		       const struct container_create_opts *o, const struct plan *p, int dir,
		       struct err *e) MUST_CHECK;
/* What our processes have from us by birth, and taking it on: reset, for the next generation. */
struct brig_request;
void reuse_inherited(struct arena *a, struct brig_request *out);
int reuse_inherit(const struct brig_request *r, struct err *e) MUST_CHECK;
/* As create got it: *host has the root of h.  What was inherited is taken on. */
int reuse_load_request(struct arena *a, const struct container_host *h, const char *id, int dir,
		       struct container_host *host, struct container_create_opts *out,
		       struct err *e) MUST_CHECK;

/* Before the first state is saved: writes the request, and what the state tells of the shell. */
struct create;
int reuse_begin(struct create *c, struct err *e) MUST_CHECK;

/* Step of create, ctx is a struct create: what generation 1 is, for the others to be like it. */
int reuse_take(void *ctx, struct err *e) MUST_CHECK;

/*
 * The next generation is nobody's yet: it gets no streams of who resets, whose reader would else
 * wait for its end.
 */
struct reuse_streams {
	bool away[3];
	int saved[3];
};
int reuse_streams_away(struct reuse_streams *s, struct err *e) MUST_CHECK;
void reuse_streams_back(struct reuse_streams *s);

/*
 * Removes what a generation has left in its state directory but its result, which is kept by its
 * number.  half_made: there is a generation behind it whose making was cut short, result.json is
 * that one's.
 */
int reuse_forget(int dir, uint64_t generation, bool half_made, struct err *e) MUST_CHECK;

/* Made without the rights of the host's root: its namespaces are owned by its user namespace. */
bool reuse_is_plain_users(const struct brig_state *s);
/* No process joins one of his before its program runs: what waits there could be traced by it. */
int reuse_check_join(const struct brig_state *s, bool parked, struct err *e) MUST_CHECK;
/* That the next generation would be in the cgroups that this one is in. */
int reuse_check_cgroup(const struct brig_state *s, const struct plan *p, struct err *e) MUST_CHECK;
/* Whether the caller is who made it; else *answer says so. */
int reuse_check_owner(const struct brig_state *s, enum container_answer *answer,
		      struct err *e) MUST_CHECK;

/* CLOCK_BOOTTIME: no clock that somebody sets, and sleep counts. */
uint64_t reuse_now_ns(void);
/* Which boot this is: its times are of no other. */
struct reuse_boot {
	char id[40];
};
int reuse_boot_id(struct reuse_boot *out, struct err *e) MUST_CHECK;
/* Why it may not be used again: its boot, its age, its uses; NULL: it may.  uses: count them, too.
 */
const char *reuse_retired(struct arena *a, const struct state_reuse *u, bool uses);

#endif
