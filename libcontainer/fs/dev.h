#ifndef BRIG_FS_DEV_H
#define BRIG_FS_DEV_H

#include "fs/plan.h"

/* The default devices and linux.devices; exported path cleaning is not needed: see dev.c. */
int fs_plan_devices(struct arena *a, const struct oci_linux *l, struct fs_plan *p,
		    struct err *e) MUST_CHECK;
/* Nodes and symlinks of /dev; nothing is made through a symlink.  umask must be 0. */
int fs_build_devices(const struct fs_plan *p, const struct fs *fs, struct err *e) MUST_CHECK;
/* A detached mount of the host's device at path, checked to be that device. */
int fs_device_tree(const char *path, mode_t type, dev_t rdev, struct err *e) MUST_CHECK;

#endif
