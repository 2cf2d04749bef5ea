#ifndef BRIG_GUARD_CAPS_H
#define BRIG_GUARD_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

/* Capability sets as bit masks (bit n: capability number n). */
struct caps_plan {
	uint64_t bounding, effective, permitted, inheritable, ambient;
};

/*
 * Words to masks.  Unknown names and names that this kernel lacks are warned about and left
 * out (config.md: SHOULD NOT fail).  c NULL: everything empty.  inheritable is taken only as far
 * as ambient needs it (CVE-2022-24769): otherwise the set is empty.
 */
int caps_plan_make(const struct oci_capabilities *c, struct caps_plan *out,
		   struct err *e) MUST_CHECK;
/* Adds one capability word to bounding, permitted and effective (exec --cap). */
int caps_plan_add(struct caps_plan *p, const char *name, struct err *e) MUST_CHECK;

/* While still privileged: the bounding set, and PR_SET_KEEPCAPS for the change of user. */
int caps_drop_bounding(const struct caps_plan *p, struct err *e) MUST_CHECK;
/* After the change of user: permitted, effective, inheritable, then ambient (warned if refused:
 * "can't raise ambient capability CAP_X: ..."). */
int caps_apply(const struct caps_plan *p, struct err *e) MUST_CHECK;
/* The kernel's last capability, read once. */
unsigned int caps_last(void);
/* All capability words this build knows, NULL-terminated, sorted, for `features`. */
const char *const *caps_names(struct arena *a);

#endif
