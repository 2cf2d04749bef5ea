#ifndef BRIG_FS_VOLUME_H
#define BRIG_FS_VOLUME_H

#include "fs/plan.h"

/*
 * A volume that is not written: an overlay over its directory, whose upper is on a tmpfs of the
 * generation's own, with the bounds of the level's writable places.
 */

/* With the runtime's rights, before the clone: that tmpfs, with "upper" like the directory, and
 * "work".  lower: the bind mount's tree, as the sandbox is to see it. */
int fs_open_upper(const struct fs_plan *p, int lower, struct err *e) MUST_CHECK;
/* In the child: the overlay, attached at `at`.  Both trees are closed with the rest. */
int fs_build_volume(const struct fs_mount *m, int lower, int upper, int at,
		    struct err *e) MUST_CHECK;

#endif
