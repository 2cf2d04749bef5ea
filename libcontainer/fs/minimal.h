#ifndef BRIG_FS_MINIMAL_H
#define BRIG_FS_MINIMAL_H

#include "fs/plan.h"

/*
 * /proc and /sys of level high.
 *
 * /proc is a procfs of the container's pid namespace with hidepid=invisible.  Of its top
 * directory only processes, self, thread-self and the links mounts and net (to self) stay; every
 * other entry, known to this build or not, is covered: by a file that brig made (fs/machine.h),
 * else by an empty file or an empty directory.  subset=pid would hide them too, but then nothing
 * can be put on their names.  An entry that a kernel module adds later is not covered.
 *
 * /sys is a directory that brig made.  Everything made is on one tmpfs, read-only, nosuid, nodev
 * and noexec; covers are clones of its mount.
 */

/*
 * Rewrites the plan of a request with machine != NULL: mounts of proc and sysfs elsewhere, binds
 * and remounts of /proc and /sys are refused, cgroup mounts become read-only with only the
 * controllers runtimes size themselves by, masks of covered files are dropped.  /sys and, with a
 * cgroup namespace, the cgroup mount are added where the config has none: glibc since 2.36 and musl
 * ask sysinfo(2) for the memory, so that a JVM knows its limit only from there.
 */
int fs_minimal_plan(struct arena *a, const struct fs_request *req, struct fs_plan *p,
		    struct err *e) MUST_CHECK;
/* Whether mount m is one that fs_minimal_build makes. */
bool fs_minimal_wants(const struct fs_plan *p, const struct fs_mount *m);
/* Attaches it on at; returns its descriptor.  umask must be 0; files are the caller's (fs_act). */
int fs_minimal_build(const struct fs_plan *p, struct fs *fs, const struct fs_mount *m, int at,
		     struct err *e) MUST_CHECK;

#endif
