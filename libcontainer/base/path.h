#ifndef BRIG_BASE_PATH_H
#define BRIG_BASE_PATH_H

#include "base/arena.h"

/*
 * Absolute, without ".", ".." and empty parts, by the text alone: as runc reads destinations
 * (filepath.Clean).
 */
char *path_clean(struct arena *a, const char *path);

#endif
