#ifndef BRIG_BASE_STEP_H
#define BRIG_BASE_STEP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Set-up as an ordered list.  One named step; wanted and undo may be NULL.
 * - wanted depends only on the plan, which never changes, so that two processes with the same
 *   predicate on both sides of a meeting cannot disagree about whether it takes place;
 * - a run that fails has cleaned up its own part: undo serves completed steps only;
 * - names are unique in a table: the fault tests loop over them.
 */
enum step_error {
	STEP_NAMED, /* the step's name is put before its error */
	STEP_PLAIN, /* its errors speak for themselves */
};
struct step {
	const char *name;
	bool (*wanted)(const void *ctx);
	int (*run)(void *ctx, struct err *e);
	void (*undo)(void *ctx);
	enum step_error error;
};

/*
 * Runs the n steps in order.  On failure undoes what ran, newest first, puts the step's name
 * before the message and returns -errno.  With debug logging each step is logged with the
 * time it took.  table names the list for the fault build, in which the variables
 * BRIG_FAULT_STEP=TABLE/STEP and BRIG_FAULT_KIND=fail|kill-before|kill-after|skip make a step fail
 * or its process die, or leave it out as if it were done, and each table appends its names to the
 * file BRIG_FAULT_LIST, those that are not wanted with a '-' before them.
 */
int steps_run(const char *table, const struct step *steps, size_t n, void *ctx,
	      struct err *e) MUST_CHECK;
/* Undoes all wanted steps of a list that had completed, newest first. */
void steps_undo(const struct step *steps, size_t n, void *ctx);

#endif
