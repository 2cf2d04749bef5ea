#ifndef BRIG_BASE_INROOT_H
#define BRIG_BASE_INROOT_H

#include <sys/types.h>

#include "base/err.h"

/*
 * The only way brig touches a path inside a rootfs.  Everything there is hostile: symlinks
 * point anywhere and may be swapped meanwhile (CVE-2021-30465, CVE-2024-45310), so the kernel
 * resolves: openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), Linux 5.6; EAGAIN (a rename
 * raced with "..") is retried a bounded number of times.  Paths may be absolute or relative;
 * both start at root.
 */

/*
 * Opens path below root with flags (O_CLOEXEC added); INROOT_NO_SYMLINKS refuses any symlink.
 * e may be NULL for callers to whom absence is no error.
 */
enum { INROOT_NO_SYMLINKS = 1 };
int inroot_open(int root, const char *path, int flags, int how, struct err *e) MUST_CHECK;

/*
 * An O_PATH descriptor of the directory path, whose missing parts are made with mode 0755.
 * Symlinks on the way are followed inside root only.  The missing target of a symlink is made,
 * inside root (images have /etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf), unless
 * INROOT_NO_SYMLINKS is given.  Modes are cut by the umask.
 */
int inroot_mkdirs(int root, const char *path, int how, struct err *e) MUST_CHECK;

/* As inroot_mkdirs, for an empty regular file (mode 0644) to mount a file or device on. */
int inroot_mkfile(int root, const char *path, struct err *e) MUST_CHECK;

/*
 * The parent directory of path as an O_PATH descriptor, made if missing, and the last
 * component in *name (points into path).  "/" and paths that end in ".." are EINVAL.
 */
int inroot_parent(int root, const char *path, const char **name, struct err *e) MUST_CHECK;

/* Whether the kernel can resolve paths within a root at all; without it nothing here works. */
int inroot_possible(struct err *e) MUST_CHECK;

#endif
