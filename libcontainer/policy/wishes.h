#ifndef BRIG_POLICY_WISHES_H
#define BRIG_POLICY_WISHES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "policy/policy.h"

/* The annotations dev.brig.* of config.json; an unknown one is an error. */
int wishes_annotations(struct arena *a, const struct oci_config *c, struct policy_wishes *out,
		       struct err *e) MUST_CHECK;
/* At level custom: one that asks for what only a level does is an error, others are not ours. */
int wishes_none(const struct oci_config *c, struct err *e) MUST_CHECK;
/* NULL: there is no such annotation. */
const char *wishes_annotation(const struct oci_config *c, const char *name);

/*
 * Changes p->level to what is asked for, each change a decision.  bound: what a wish may not be
 * weaker than; NULL: the level as it stands.
 */
int wishes_merge(struct arena *a, struct policy *p, const struct policy_wishes *w,
		 enum policy_source by, const struct level *bound, struct err *e) MUST_CHECK;

/* Milliseconds: a Go duration (1m30s) or a plain number of them. */
int wish_duration(const char *text, uint64_t *ms, struct err *e) MUST_CHECK;
/* 64Mi, 512M, a plain number; not negative. */
int wish_size(const char *text, uint64_t *bytes, struct err *e) MUST_CHECK;
/* CPUs: 2, 0.5 or 500m. */
int wish_cpus(const char *text, double *cpus, struct err *e) MUST_CHECK;
/* path[:size[:noexec]] */
int wish_write(struct arena *a, const char *text, struct policy_write *out,
	       struct err *e) MUST_CHECK;

#endif
