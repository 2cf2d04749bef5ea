#ifndef BRIG_POOL_PART_H
#define BRIG_POOL_PART_H

#include "base/text.h"
#include "pool/pool.h"

/*
 * Parts of a fingerprint, a line for each fact.  What this kernel does not have makes no line; what
 * is there and cannot be read makes one that is never taken for clean: of two that could not be
 * read nobody knows whether they are the same.
 */
void pool_unreadable(struct text *t, const char *what, const char *why);
/* Each line of a value with what it is of: they are sorted later. */
void pool_add_value(struct text *t, const char *what, const char *value);

/* fingerprint_cgroup.c: its directories, what is set in them */
void pool_add_cgroups(struct text *t, const struct pool_subject *s);
/* programs.c: what is attached to a directory of cgroup2, in its order */
void pool_add_programs(struct text *t, int dir);
/* fingerprint_files.c: everything that is in its writable places, each on its own */
void pool_add_writable(struct text *t, const struct pool_subject *s);

#endif
