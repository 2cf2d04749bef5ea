#ifndef BRIG_CPU_RESCTRL_H
#define BRIG_CPU_RESCTRL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

/*
 * linux.intelRdt: classes of service and monitoring groups of a mounted resctrl file system
 * (Documentation/filesystems/resctrl.rst).  Rules: config-linux.md, IntelRdt.
 */
struct resctrl_plan {
	const struct oci_intel_rdt *spec;
	const char *group;   /* directory of the class; NULL: intelRdt is not asked for */
	const char *monitor; /* mon_groups directory to make, NULL: none */
	bool may_make;       /* the class is made when it is missing */
	bool own;            /* named after the container: removed with it */
};

/* Refuses when no resctrl is mounted, with that as the reason. */
int resctrl_plan_make(struct arena *a, const char *id, const struct oci_intel_rdt *spec,
		      struct resctrl_plan *out, struct err *e) MUST_CHECK;
/* Makes the groups, writes the schemata, puts pid in.  Cleans up its own part on failure. */
int resctrl_apply(const struct resctrl_plan *p, pid_t pid, struct err *e) MUST_CHECK;
/* What a class had before an update: its directory (-1: nothing was changed) and its lines. */
struct resctrl_before {
	int dir;
	char *schemata;
};

/* update: new schemata for the class the container is in, all of them or none. */
int resctrl_update(struct arena *a, const char *id, const struct oci_intel_rdt *spec,
		   struct resctrl_before *before, struct err *e) MUST_CHECK;
void resctrl_put_back(struct resctrl_before *before);
/* NULL: nothing to remove; gone already is success. */
int resctrl_remove(const char *group, const char *monitor, struct err *e) MUST_CHECK;
bool resctrl_is_mounted(void);

#endif
