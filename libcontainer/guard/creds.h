#ifndef BRIG_GUARD_CREDS_H
#define BRIG_GUARD_CREDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

struct creds_plan {
	uint32_t uid, gid;
	const uint32_t *groups;
	size_t n_groups;
	bool has_umask;
	uint32_t umask;
	bool keep_groups; /* run.oci.keep_original_groups, or setgroups is denied in the namespace
			   */
};

/* (uid_t)-1 is refused; umask above 0777 is refused. */
int creds_plan_make(struct arena *a, const struct oci_user *u, struct creds_plan *out,
		    struct err *e) MUST_CHECK;
/* "1000", "1000:100": digits only (CVE-2016-3697, CVE-2026-30892); a missing part stays. */
int creds_parse_user(const char *text, uint32_t *uid, uint32_t *gid, struct err *e) MUST_CHECK;
/*
 * umask, setgroups, setresgid, setresuid.  setgroups is left out when the user namespace denies
 * it and there are no additional groups; with groups asked for that is an error.
 */
int creds_apply(const struct creds_plan *p, struct err *e) MUST_CHECK;

#endif
