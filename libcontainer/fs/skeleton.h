#ifndef BRIG_FS_SKELETON_H
#define BRIG_FS_SKELETON_H

#include "fs/plan.h"

/*
 * Mount points and a working directory that the image lacks, on a tmpfs of their own that lies
 * over the image as the upper layer of a read-only overlay: the image is never written.
 */

struct skeleton_entry {
	const char *path; /* as it is found in the image: no symlinks, no ".." */
	bool dir;
};

struct skeleton {
	struct skeleton_entry *entries;
	size_t n;
};

/* What is missing below fs->root. */
int skeleton_plan(struct arena *a, const struct fs_plan *p, const struct fs *fs,
		  struct skeleton *out, struct err *e) MUST_CHECK;
/* The layer, detached; directories that the image has look like the image's.  umask must be 0. */
int skeleton_make(const struct fs *fs, const struct skeleton *s, struct err *e) MUST_CHECK;

#endif
