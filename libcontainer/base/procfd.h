#ifndef BRIG_BASE_PROCFD_H
#define BRIG_BASE_PROCFD_H

#include "base/err.h"

/*
 * A procfs that nobody else can have tampered with: /proc of the container is hostile
 * (CVE-2019-16884, CVE-2025-52881), so labels, sysctls and the like are written only through
 * this handle, opened before the root is entered.
 */

/*
 * A detached fsopen("proc") mount of the caller's pid namespace, or, where the kernel refuses
 * one (EPERM: in a user namespace below masked /proc), /proc of the runtime after a check that
 * it is the root of a procfs.
 */
int procfd_open(struct err *e) MUST_CHECK;

/*
 * Opens path below the handle: openat2 with NO_XDEV, NO_MAGICLINKS and, but for a leading
 * "self/" or "thread-self/", NO_SYMLINKS; checks by fstatfs that the file is on procfs.
 */
int procfd_file(int proc, const char *path, int flags, struct err *e) MUST_CHECK;
int procfd_write(int proc, const char *path, const char *text, struct err *e) MUST_CHECK;

#endif
