#ifndef BRIG_POLICY_RANK_H
#define BRIG_POLICY_RANK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/level.h"

/*
 * The fields of a level as data: one row each with what makes a value stricter.  Inheritance,
 * wishes, `policy show` and `policy explain` all walk this one table.
 */
enum level_kind {
	LEVEL_TRUE,     /* bool: true is stricter */
	LEVEL_FALSE,    /* bool: false is stricter */
	LEVEL_WORD,     /* one of words, loose to strict */
	LEVEL_NARROW,   /* none or one of words: none is loosest, two words do not compare */
	LEVEL_LESS_I64, /* number: smaller is stricter, none is loosest */
	LEVEL_LESS_U64,
	LEVEL_RESPONSE, /* to a class of violations: harder and sooner are stricter, none is loosest
			 */
	LEVEL_SUBSET,   /* list: fewer are stricter */
	LEVEL_PATTERNS, /* list of shell patterns of what is let through: fewer are stricter */
	LEVEL_SUPERSET, /* list: more are stricter */
	LEVEL_PATHS,    /* list of paths that may be written, each bounded: neither way stricter */
};

enum level_wish {
	WISH_REFUSED, /* wider than the level: an error */
	WISH_CUT,     /* a working program is left without it: what the level has holds */
};

struct level_field {
	const char *path;
	enum level_kind kind;
	size_t at, count_at; /* of the member and, for lists, of its count */
	const char *const *words;
	enum level_wish wish;
	const char *about; /* what it is, for `policy show` and docs/levels.md */
};

extern const struct level_field level_fields[];
extern const size_t n_level_fields;

/* NULL: no such field. */
const struct level_field *level_field_find(const char *path);
/* Whether a level need not say anything about it. */
bool level_field_may_lack(const struct level_field *f);
/* Whether the level says anything about it. */
bool level_field_given(const struct level_field *f, const struct level *l);
void level_field_copy(const struct level_field *f, struct level *to, const struct level *from);
/* A number that says "no bound" is put away: absent. */
void level_field_settle(const struct level_field *f, struct level *l);
/* The value as text: a word, a number, true or false, a list joined by commas; "none". */
const char *level_field_text(struct arena *a, const struct level_field *f, const struct level *l);
bool level_field_same(const struct level_field *f, const struct level *x, const struct level *y);
/*
 * Whether the value of l is weaker than that of bound: NULL no, else the sentence's middle:
 * '"any" is weaker than "deny"'.
 */
const char *level_field_weaker(struct arena *a, const struct level_field *f, const struct level *l,
			       const struct level *bound);
/* Words, patterns, names and paths of what l says; sizes of writable.own. */
int level_field_check(const struct level_field *f, const struct level *l, struct err *e) MUST_CHECK;
/* Absolute, without "." and "..", not "/" and not below /proc, /sys or /dev. */
int level_path_check(const char *path, struct err *e) MUST_CHECK;

#endif
