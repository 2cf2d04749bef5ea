#ifndef BRIG_PLAN_VIOLATIONS_H
#define BRIG_PLAN_VIOLATIONS_H

#include <stdbool.h>

#include "specs/level.h"
#include "warden/warden.h"

/*
 * What is done about each class, and which calls are notified for it: io->notify and io->denied are
 * as asked for otherwise (--audit syscalls), and stay set.  docs/violations.md
 */
void plan_violations(const struct level *l, struct warden_plan *io);
/* Whether a warden is needed for them that nothing else needs. */
bool plan_violations_watched(const struct warden_plan *p);
/* Whether some response freezes the sandbox. */
bool plan_violations_freeze(const struct warden_plan *p);

#endif
