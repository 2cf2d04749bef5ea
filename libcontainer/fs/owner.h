#ifndef BRIG_FS_OWNER_H
#define BRIG_FS_OWNER_H

#include <linux/capability.h>
#include <stdbool.h>

#include "fs/plan.h"

/*
 * Whose files they are, when the host's root builds for a user namespace that is entered last
 * (struct fs_owner): ids inside become ids of the host.
 */

/* The plan's mounts with uid= and gid= of the host; the plan's own without an owner. */
int fs_owner_mounts(struct arena *a, const struct fs_plan *p, const struct fs_owner *owner,
		    const struct fs_mount **out, struct err *e) MUST_CHECK;
/* Whether mounts are to be id-mapped. */
static inline bool fs_owner_maps(const struct fs_owner *o)
{
	return o && o->userns >= 0;
}

/*
 * Makes files and file systems belong to 0 inside: file system ids of the thread, with all its
 * capabilities kept.  Nothing is changed without an owner or when 0 is not mapped.  fs_act_end
 * gives back what was, also the parent-death signal and dumpability, which the kernel resets.
 */
struct fs_act {
	bool active;
	int death_signal, dumpable;
	unsigned int uid, gid;
	struct __user_cap_data_struct caps[2];
};
int fs_act_begin(struct fs_act *act, const struct fs_owner *o, struct err *e) MUST_CHECK;
int fs_act_end(struct fs_act *act, struct err *e) MUST_CHECK;

#endif
