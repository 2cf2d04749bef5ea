#ifndef BRIG_FS_COPY_H
#define BRIG_FS_COPY_H

#include "fs/plan.h"

/* Copies of directory trees into a new tmpfs: both sides by descriptor, nothing is followed. */

/* tmpcopyup: regular files, directories, symlinks; owners and modes; xattrs where they fit. */
int fs_copy_up(int from, int to, struct err *e) MUST_CHECK;
/*
 * A whole root: hard links and times too, owners as the sandbox's (owner, NULL: as they are), no
 * file capabilities, no ACLs when owners change.  A signal that waits to end brig ends it (EINTR).
 */
int fs_copy_root(int from, int to, const struct fs_owner *owner, struct err *e) MUST_CHECK;

#endif
