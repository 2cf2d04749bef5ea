#ifndef BRIG_LATE_GIVEN_H
#define BRIG_LATE_GIVEN_H

#include "container.h"
#include "specs/state.h"
#include "work.h"

/*
 * What start gives to one generation from outside, while its first process waits: grants, as by
 * `brig grant`, and files of secrets.  All of it goes with the generation.
 */

/* That the texts are grants, before anything is done. */
int late_given_check(struct arena *a, const struct container_start_opts *o,
		     struct err *e) MUST_CHECK;
int late_grants(const struct container_host *h, struct arena *a, int dir,
		const struct brig_state *s, const struct container_start_opts *o,
		struct err *e) MUST_CHECK;
int late_secrets(struct arena *a, const struct brig_state *s, const struct work *w,
		 struct err *e) MUST_CHECK;

#endif
