#ifndef BRIG_BASE_TRIAL_H
#define BRIG_BASE_TRIAL_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Runs what would change its caller (namespaces) in a child, whose error becomes ours.  what begins
 * the message about a child that ended early.  Whatever the caller does about SIGCHLD.
 */
bool trial(int (*run)(const void *ctx, struct err *e), const void *ctx, const char *what,
	   struct err *e);

#endif
