#ifndef BRIG_FS_COLLECT_H
#define BRIG_FS_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Regular files and directories of a tree that somebody hostile wrote, copied out.  Modes lose
 * setuid, setgid, the sticky bit and what the umask says; the owner is the caller; hard links
 * become files of their own.  Anything else is counted, not copied.
 */
struct fs_collect {
	uint64_t max_bytes, max_files; /* sizes, holes too; files and directories */
	/* Of an archive: what it is made of beside contents counts for max_bytes, too.  Each entry
	 * has its whole path in it, and a path is as long as a tree is deep. */
	bool archive;
	/* what there was */
	uint64_t bytes, files, directories;
	uint64_t headers; /* archive: bytes beside contents */
	uint64_t symlinks, special, mounts;
};

/* The source: name below dir ("" is dir itself), as openat2 finds it without leaving its mount and
 * without a symlink.  O_PATH. */
int fs_collect_open(int dir, const char *name, struct err *e) MUST_CHECK;
/* Counts only: -EFBIG: more than the bounds. */
int fs_collect_measure(int source, struct fs_collect *c, struct err *e) MUST_CHECK;
/*
 * Makes path, which must not be there; no symlink leads to it.  On failure it is removed again.
 * -ESTALE: something changed while it was copied.
 */
int fs_collect_copy(int source, const char *path, struct fs_collect *c, struct err *e) MUST_CHECK;
/* A tar archive (GNU format) to out; name: what the source is called in it. */
int fs_collect_tar(int source, const char *name, int out, struct fs_collect *c,
		   struct err *e) MUST_CHECK;

/* For the files of this room. */
/* Adds an entry to the counts; -EFBIG beyond the bounds. */
struct walk_entry;
int fs_collect_count(struct fs_collect *c, const struct walk_entry *w, struct err *e) MUST_CHECK;

#endif
