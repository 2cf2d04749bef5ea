#ifndef BRIG_FS_MOUNTINFO_H
#define BRIG_FS_MOUNTINFO_H

#include <stdbool.h>

#include "base/err.h"

/* /proc/self/mountinfo, a line at a time: long on a busy host, so read only where it must be. */

struct mountinfo_row {
	unsigned int id, parent;
	char *root, *point, *type; /* unescaped */
	char *super;               /* options of the superblock, escaped as the kernel wrote them */
};

/* Returns 0 to go on, 1 to end with success, or -errno with *e filled. */
typedef int mountinfo_row_fn(const struct mountinfo_row *r, void *ctx, struct err *e);
int mountinfo_each(mountinfo_row_fn *row, void *ctx, struct err *e) MUST_CHECK;
/*
 * The row of the mount that fd is on, if it is in sight: asked for alone since Linux 6.11, the ids
 * are not told then.
 */
int mountinfo_of(int fd, mountinfo_row_fn *row, void *ctx, struct err *e) MUST_CHECK;
/* The id by which mountinfo knows the mount that fd is on (Linux 5.8). */
int mountinfo_id(int fd, unsigned int *id, struct err *e) MUST_CHECK;

#endif
