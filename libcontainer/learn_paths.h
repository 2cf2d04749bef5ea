#ifndef BRIG_LEARN_PATHS_H
#define BRIG_LEARN_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "specs/learned.h"

/* Which paths (or addresses) were used, how, and how often: bounded, whatever the run does. */
enum { LEARN_READ = 1, LEARN_WRITE = 2, LEARN_EXECUTE = 4 };

struct learn_path {
	const char *path; /* as it was asked for, absolute and clean */
	const char *real; /* without symbolic links, where it was there; NULL */
	unsigned int use;
	bool absent; /* was not there, and nobody has made it */
	uint64_t count;
	uint32_t hash;
};
struct learn_paths {
	struct arena *a;
	struct learn_path *rows;
	size_t n, room;
	uint32_t *slots; /* 0: free, else the row's number + 1 */
	size_t n_slots;
	size_t bytes;
	uint64_t more; /* what came when it was full */
};
enum { LEARN_PATHS_MAX = 65536, LEARN_PATHS_BYTES = 16 << 20 };

void learn_paths_init(struct learn_paths *p, struct arena *a);
/* The row, counted and with that use; made if it is new (count 1), NULL when there is no room. */
struct learn_path *learn_paths_add(struct learn_paths *p, const char *path, unsigned int use);

/*
 * Those with that use (0: those that were absent), sorted, in few lines: a directory with more than
 * LEARN_FOLD lines below it, one right in the root with more than LEARN_FOLD_TOP, is one line
 * "DIRECTORY/", the deepest first; the root never is.
 */
enum { LEARN_FOLD = 32, LEARN_FOLD_TOP = 64 };
void learn_paths_fold(struct arena *a, const struct learn_paths *p, unsigned int use,
		      const struct learned_path **out, size_t *n);

#endif
