#ifndef BRIG_FS_TREE_H
#define BRIG_FS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "fs/option.h"

/* Detached mounts ("trees") and what the kernel does with them, by descriptor only. */

/*
 * A detached copy of the mount at path (relative to dirfd; "": dirfd itself), with what is
 * mounted below it if recursive.
 */
int tree_clone(int dirfd, const char *path, bool recursive, struct err *e) MUST_CHECK;
/* One mount_setattr; userns: -1 or a user namespace to id-map with; propagation: MS_* or 0. */
int tree_set(int tree, const struct fs_attrs *attrs, uint64_t propagation, int userns,
	     bool recursive, struct err *e) MUST_CHECK;
/* Applies the propagation words in their order. */
int tree_propagate(int tree, const struct fs_options *o, struct err *e) MUST_CHECK;
/*
 * A new file system as a detached mount: one fsconfig for each data option.  attrs: MOUNT_ATTR_*
 * of the mount.  The kernel's own words about a failure are in the error.
 */
int tree_new(const char *type, const char *source, const struct fs_data *data, size_t n_data,
	     uint64_t attrs, struct err *e) MUST_CHECK;
/* Mounts the tree on what the descriptor at refers to. */
int tree_attach(int tree, int at, struct err *e) MUST_CHECK;
/* Changes the superblock options of the mounted file system at refers to. */
int tree_reconfigure(int at, const struct fs_data *data, size_t n_data, struct err *e) MUST_CHECK;

/* fsconfig takes values of at most 255 bytes: true when an option needs tree_mount_long. */
bool tree_has_long_data(const char *source, const struct fs_data *data, size_t n_data);
/*
 * For such options: mount(2) on the descriptor (by way of the working directory, never by a
 * path).  text: all data as fs_data_join gives it.  The mount is attached then, and has to be
 * looked up again.
 */
char *fs_data_join(struct arena *a, const struct fs_data *data, size_t n);
int tree_mount_long(const char *type, const char *source, const char *text, uint64_t attrs, int at,
		    struct err *e) MUST_CHECK;

#endif
