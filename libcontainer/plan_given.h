#ifndef BRIG_PLAN_GIVEN_H
#define BRIG_PLAN_GIVEN_H

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "secret.h"

struct plan;

/* What the caller says of itself: p->ctx, and config.json without what must not be written. */
int plan_context(struct arena *a, const struct container_create_opts *o, struct plan *p,
		 struct err *e) MUST_CHECK;
/* The mount of --secret, the last one; what is in the files is read later. */
int plan_secrets(struct arena *a, const struct secrets *s, struct plan *p,
		 struct err *e) MUST_CHECK;

#endif
