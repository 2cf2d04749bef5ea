#ifndef BRIG_FS_DIFF_H
#define BRIG_FS_DIFF_H

#include <stdint.h>

#include "base/err.h"
#include "fs/walk.h"

/* What was in a tmpfs before anything ran. */
struct fs_base {
	const char *path; /* below the root, any bytes but NUL */
	uint64_t ino;     /* 0: something is mounted on it */
	int64_t ctime_ns; /* nobody can set it */
	uint32_t mode, uid, gid;
};

/* A writable place: a tmpfs and what was in it, or the upper of an overlay and what is below. */
struct fs_layer {
	int root;
	int lower;                  /* O_PATH; -1: a tmpfs */
	const struct fs_base *base; /* sorted by path */
	size_t n_base;
};

enum fs_op { FS_ADDED, FS_CHANGED, FS_DELETED };
struct fs_change {
	enum fs_op op;
	const struct walk_entry *entry; /* FS_DELETED of a tmpfs: path alone, st NULL */
	const struct statx *below; /* of an overlay: what is there in the lower; NULL: nothing */
	uint32_t type;             /* st_mode of what it is, or was when deleted; 0: not known */
};

struct fs_diff {
	void *ctx;
	/* Not 0: ends with that. */
	int (*change)(void *ctx, const struct fs_change *c, struct err *e);
	/* overlay: before and after what is in a directory that is in both, or was added; NULL */
	int (*enter)(void *ctx, const struct walk_entry *w, struct err *e);
	int (*leave)(void *ctx, const struct walk_entry *w, struct err *e);
	uint64_t most; /* counted down */
};

/*
 * In the order of the walk; what is deleted from a tmpfs at the end.  A directory that was removed
 * and made anew is told by what is in it.  A directory is changed when its mode is; one that is
 * deleted is one entry.  A file of an overlay is changed when it was copied up, whatever is in it
 * now.
 */
int fs_diff(const struct fs_layer *l, struct fs_diff *d, struct err *e) MUST_CHECK;

/* For a base: what is in a tmpfs now. */
int fs_diff_base(int root, uint64_t most, int (*each)(void *ctx, const struct fs_base *b),
		 void *ctx, struct err *e) MUST_CHECK;

#endif
