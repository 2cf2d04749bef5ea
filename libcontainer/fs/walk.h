#ifndef BRIG_FS_WALK_H
#define BRIG_FS_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

/*
 * A directory tree that somebody hostile wrote, and may be writing still: entry by entry, by
 * descriptor.  Nothing is followed, no other mount is entered, nothing is opened but directories.
 * However deep it is one descriptor is held (paths are longer than PATH_MAX, then); on the way back
 * ".." must be the directory that was left: one that was moved meanwhile ends the walk (ESTALE).
 */
struct walk_entry {
	int dir;          /* the directory that holds it; its root: -1 */
	const char *name; /* in there */
	const char *path; /* below the root, any bytes; "" is the root itself */
	size_t len;
	size_t depth; /* of the root's entries: 1 */
	const struct statx *st;
	bool is_mount; /* something is mounted there: st is of that */
};

struct walk {
	void *ctx;
	/* 0: go on; WALK_SKIP: not into this directory; else the walk ends with that. */
	int (*entry)(void *ctx, const struct walk_entry *w, struct err *e);
	/* An entry that is a directory, after all in it; not called for what was skipped.  NULL. */
	int (*leave)(void *ctx, const struct walk_entry *w, struct err *e);
	/* So many entries at most are looked at, counted down; then -EOVERFLOW. */
	uint64_t most;
};
enum { WALK_SKIP = 1 };

/* root: a directory, O_PATH is enough; it is an entry, too.  Names of a directory in order. */
int fs_walk(int root, struct walk *w, struct err *e) MUST_CHECK;

/* The regular file that w is (of one with the name "": its dir), for reading; anything else by now
 * is -ESTALE. */
int fs_walk_open(const struct walk_entry *w, struct err *e) MUST_CHECK;
/* As openat(dir, name), of a directory in the same mount; *st is of what was opened. */
int fs_walk_down(int dir, const char *name, struct statx *st);
/* Its parent, if that is st; else -ESTALE. */
int fs_walk_up(int dir, const struct statx *st);
bool fs_walk_same(const struct statx *a, const struct statx *b);

#endif
