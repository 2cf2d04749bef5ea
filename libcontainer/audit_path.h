#ifndef BRIG_AUDIT_PATH_H
#define BRIG_AUDIT_PATH_H

#include "base/arena.h"
#include "base/err.h"
#include "container.h"

/* *path NULL becomes that of the log of the administrator, or of the plain user who asks. */
int audit_path(struct arena *a, const struct container_host *h, const char **path,
	       struct err *e) MUST_CHECK;

#endif
