#ifndef BRIG_FS_EMPTY_H
#define BRIG_FS_EMPTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Removes everything below the directory dir, however deep, in its own mount only; what cannot be
 * removed is an error, and the rest may be gone then.
 */
int fs_empty(int dir, struct err *e) MUST_CHECK;
/* Whether there is nothing in it: 1, 0; -errno. */
int fs_is_empty(int dir);

#endif
