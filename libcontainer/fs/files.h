#ifndef BRIG_FS_FILES_H
#define BRIG_FS_FILES_H

#include "fs/plan.h"

/* A tmpfs of somebody's own with small files that nobody else is to see (struct fs_files). */

/* Detached; kept out of swap where the kernel can (Linux 6.4, not in a user namespace). */
int fs_files_tree(const struct fs_mount *m, uint64_t attrs, struct err *e) MUST_CHECK;
int fs_files_write(const struct fs *fs, const struct fs_files *files, int tree,
		   struct err *e) MUST_CHECK;

#endif
