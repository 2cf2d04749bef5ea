#ifndef BRIG_SPECS_WORK_H
#define BRIG_SPECS_WORK_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

/*
 * What `start --process` gives a parked sandbox to do: {"args": [...], "env": [...], "cwd": "/x",
 * "rlimits": [...]}.  Nothing else can be said late: who it runs as, what it may and how much at
 * most were decided at create.
 */
struct brig_work {
	const char *const *args; /* NULL-terminated */
	size_t n_args;
	const char *const *env; /* NAME=VALUE, over those of config.json; may be NULL */
	size_t n_env;
	const char *cwd;                  /* NULL: config.json's */
	const struct oci_rlimit *rlimits; /* none above what it has */
	size_t n_rlimits;
	const char *const *limits; /* packed: the same as RESOURCE:SOFT:HARD in numbers */
	size_t n_limits;
};

enum { WORK_MAX_BYTES = 1 << 20 };

/* Strict: unknown properties, no program, entries without a name are errors with their path. */
int work_parse(struct arena *a, const char *json, size_t len, struct brig_work *out,
	       struct err *e) MUST_CHECK;
char *work_print(struct arena *a, const struct brig_work *w, size_t *len);

/*
 * As bytes for a process that may copy strings and no more: all three are given.  work_unpack: the
 * strings are in bytes.
 */
char *work_pack(struct arena *a, const struct brig_work *w, size_t *len);
int work_unpack(struct arena *a, const char *bytes, size_t len, struct brig_work *out,
		struct err *e) MUST_CHECK;

#endif
