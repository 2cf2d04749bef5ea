#ifndef BRIG_RESET_H
#define BRIG_RESET_H

#include <stdbool.h>
#include <stdint.h>

#include "container.h"
#include "create.h"
#include "specs/change.h"
#include "specs/report.h"
#include "specs/result.h"
#include "status.h"
#include "verify.h"

/* What the steps of a reset share. */
struct reset {
	const struct container_host *host;
	const struct container_reset_opts *opts;
	struct arena *arena;
	struct brig_report *report;
	enum container_answer answer;
	int dir;                 /* state directory; create has it, too, and closes it */
	struct brig_state state; /* as it was found */
	struct cgroup *cgroup;   /* of the generation that ends */
	enum status status;
	bool half_made; /* an earlier reset was killed: what is there is the next generation */
	bool started;   /* its program */
	uint64_t from;  /* the generation that ends */
	uint64_t uses;
	struct brig_result result;
	bool has_result;
	struct container_host planned_host;
	struct container_create_opts planned;
	struct state_reuse next;
	struct create create;
	struct verify verify;
	int netns;             /* that it joins; -1: it has one of its own */
	struct layers *layers; /* of the generation that has ended, NULL: not known */
	int evidence;          /* directory of opts->keep_evidence, -1 */
};

/*
 * Steps of reset_network.c, between two generations: the pair of devices goes at once, with all
 * that is under way on it, and the host forgets the connections of its addresses.  A reply to one
 * that was is nobody's then.
 */
bool reset_has_veth(const void *ctx);
int reset_remove_link(void *ctx, struct err *e) MUST_CHECK;
int reset_forget_connections(void *ctx, struct err *e) MUST_CHECK;
/*
 * Of a joined network namespace, which stays.  Before anything is destroyed: that it is the same
 * one, and that what will be left in it is nobody else's; then steps that remove it.
 */
int reset_check_joined(struct reset *r, struct err *e) MUST_CHECK;
bool reset_joins(const void *ctx);
int reset_scrub_sockets(void *ctx, struct err *e) MUST_CHECK;
int reset_scrub_connections(void *ctx, struct err *e) MUST_CHECK;
int reset_scrub_neighbours(void *ctx, struct err *e) MUST_CHECK;
int reset_scrub_routes(void *ctx, struct err *e) MUST_CHECK;
int reset_scrub_metrics(void *ctx, struct err *e) MUST_CHECK;

/* What the state tells of it; r has state, dir, cgroup, arena, report. */
void reset_report(struct reset *r, const char *op);
/* How near the generation that has ended came to its limits, and what it had written. */
void reset_tell_use(struct arena *a, const struct brig_result *result,
		    const struct oci_resources *limits, struct brig_report *out);
/* How long it has been parked, where it is. */
void reset_tell_idle(struct reset *r);
/* Step: the record of the audit log that says what the next generation is, before anybody can start
 * it; the report gets where it stands. */
bool reset_is_audited(const void *ctx);
int reset_tell_audit(void *ctx, struct err *e) MUST_CHECK;
/* The same of one that is not clean, where nothing depends on it any more. */
void reset_tell_dirty(struct reset *r);
/* While its warden still has them; open until they are closed. */
struct layers;
void reset_open_layers(struct reset *r);
void reset_close_layers(struct reset *r);
/* What is in them, into the report. */
void reset_tell_layers(struct reset *r);
/* What it had written beside what the next one has, now that that is there. */
void reset_tell_changes(struct reset *r);
/* After its end: the report gets that; an error: it used so much that it is retired now. */
int reset_check_use(struct reset *r, struct err *e) MUST_CHECK;
/* --keep-evidence: of a generation that is not clean; what fails is added to the error e. */
void reset_keep_evidence(struct reset *r, const struct brig_state *s, uint64_t generation,
			 struct err *e);
/* What taints it now, as words; result: how it ended, NULL: not known. */
void reset_taint(struct arena *a, int dir, struct brig_result *result, struct brig_report *out);

#endif
