#ifndef BRIG_FS_DISK_H
#define BRIG_FS_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct fs_plan;

/*
 * Destinations of the writable tmpfs of a plan, each of which has bounds of its own; NULL-
 * terminated.
 */
const char *const *fs_plan_disks(struct arena *a, const struct fs_plan *p, size_t *n);

struct fs_disk {
	uint64_t bytes, size;        /* size 0: no bound of its own */
	uint64_t inodes, inodes_max; /* the same */
};
/*
 * What is used of the tmpfs at path below root, the root directory of a live sandbox.  False:
 * there is none any more, for what is at path is the sandbox's own doing.
 */
bool fs_disk_usage(int root, const char *path, struct fs_disk *out);
/* Of a tmpfs by any descriptor on it, also when the sandbox has ended; false: it is none. */
bool fs_disk_of(int fd, struct fs_disk *out);

#endif
