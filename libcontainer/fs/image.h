#ifndef BRIG_FS_IMAGE_H
#define BRIG_FS_IMAGE_H

#include "fs/plan.h"

/*
 * The root of a level: an image that is never written (untouched), a copy of it (private_root),
 * or an empty tmpfs (tmpfs_root).
 */

/* fs->root as a detached tree, with all that can be set before it is attached. */
int fs_open_image(const struct fs_plan *p, struct fs *fs, struct err *e) MUST_CHECK;
/*
 * In the child, whose mounts no longer travel: replaces fs->root by an overlay where the image
 * lacks mount points or cannot be id-mapped itself.
 */
int fs_build_image(const struct fs_plan *p, struct fs *fs, struct err *e) MUST_CHECK;
/* Afterwards, when the overlay is attached: what is mounted below the image comes along. */
int fs_carry_mounts(const struct fs_plan *p, struct fs *fs, struct err *e) MUST_CHECK;

#endif
