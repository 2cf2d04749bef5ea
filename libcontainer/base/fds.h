#ifndef BRIG_BASE_FDS_H
#define BRIG_BASE_FDS_H

#include <stddef.h>

#include "base/err.h"

/*
 * Closes every descriptor from first on but those n of keep, which may hold any number, -1 and the
 * same one twice; it is sorted.  Allocates nothing and makes no other call than close_range(2):
 * also for who is confined or shares memory.
 */
void fds_close_all_but(unsigned int first, int *keep, size_t n);

/* The standard streams lead to /dev/null, but spared, which may be none of them.  0 or -errno. */
int fds_null_streams(int spared) MUST_CHECK;

#endif
