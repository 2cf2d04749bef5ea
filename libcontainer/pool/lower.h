#ifndef BRIG_POOL_LOWER_H
#define BRIG_POOL_LOWER_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * What is in a root file system that no generation writes to: a line for each name, so that it can
 * be looked at again (verify --full).  docs/reuse.md
 *
 * TYPE MODE UID:GID SIZE DIGEST PATH; TYPE is f d l c b p s or m (a mount, which is not looked
 * into), DIGEST the sha256 of a file's bytes, or of a link's target, else "-".  Names are anything:
 * control characters, blanks and backslashes are \xNN.  In the order of the walk.
 */
enum { LOWER_ENTRIES = 1 << 20, LOWER_DEPTH = 256, LOWER_TEXT = 128 << 20 };
#define LOWER_BYTES (UINT64_C(64) << 30)

/* -E2BIG: there is more in it than the bounds above.  Links are not followed. */
int lower_list(struct arena *a, const char *root, const char **out, size_t *len,
	       struct err *e) MUST_CHECK;
/* How many names are new, gone or not what they were; *first: one of them, for people; NULL. */
uint64_t lower_compare(struct arena *a, const char *before, const char *now, const char **first);

/*
 * Files that are known by their digests, as sha256sum prints them: "HEX  PATH", PATH below root
 * with or without its first slash.
 */
struct lower_packages {
	struct lower_package {
		const char *digest, *path;
	} * list;
	size_t n;
};
enum { LOWER_PACKAGES = 65536, LOWER_PACKAGES_BYTES = 16 << 20 };
int lower_packages_parse(struct arena *a, char *text, struct lower_packages *out,
			 struct err *e) MUST_CHECK;
/* Paths of those that are not what they should be, or are not there. */
int lower_packages_check(struct arena *a, const char *root, const struct lower_packages *p,
			 const char *const **differ, size_t *n, struct err *e) MUST_CHECK;

#endif
