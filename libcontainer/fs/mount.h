#ifndef BRIG_FS_MOUNT_H
#define BRIG_FS_MOUNT_H

#include "fs/plan.h"

/* The user namespace made last for an id-mapped mount: most mounts use the container's map. */
struct fs_userns {
	int fd;
	const struct idmap *of;
};

/* The source of a bind mount as a detached tree with its attributes (bind.c). */
int fs_open_bind(struct arena *a, const struct fs_plan *p, struct fs *fs, const struct fs_mount *m,
		 struct fs_userns *ns, struct err *e) MUST_CHECK;
/* Attaches mount i of the plan on its destination. */
int fs_build_mount(const struct fs_plan *p, struct fs *fs, size_t i, struct err *e) MUST_CHECK;
/*
 * The cgroup mount on the directory at: its tree, attached.  dest as fs_find_dest finds it.
 */
int fs_build_cgroup(const struct fs_plan *p, const struct fs_mount *m, int at,
		    struct err *e) MUST_CHECK;
/* Attributes of a new file system's mount. */
uint64_t fs_new_attrs(const struct fs_mount *m);
/* Whether a mount may be put on a file of /proc. */
bool fs_proc_dest_allowed(const char *dest);

#endif
