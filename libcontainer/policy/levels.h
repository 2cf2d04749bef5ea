#ifndef BRIG_POLICY_LEVELS_H
#define BRIG_POLICY_LEVELS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/admin.h"
#include "specs/level.h"

/* profiles/levels, put into the binary by the Makefile; ended by a NULL name. */
struct level_embedded {
	const char *name, *json;
};
extern const struct level_embedded level_embedded[];

enum { LEVEL_MAX_CHAIN = 16 };

/* Levels as their files say, the one asked for first, each followed by what it extends. */
struct level_chain {
	struct level levels[LEVEL_MAX_CHAIN];
	size_t n;
};

/* Reads the files up to the one that extends nothing: cycles and unknown names are errors. */
int level_chain_read(struct arena *a, const struct admin *admin, const char *name,
		     struct level_chain *out, struct err *e) MUST_CHECK;
/* Puts them together; a level that loosens what it extends is an error. */
int level_chain_merge(struct arena *a, const struct level_chain *c, struct level *out,
		      struct err *e) MUST_CHECK;
bool level_is_embedded(const char *name);
/* Lower case letters, digits and - _ . inside: a file name and never a path. */
int level_name_check(const char *name, struct err *e) MUST_CHECK;

#endif
