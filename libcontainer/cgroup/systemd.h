#ifndef BRIG_CGROUP_SYSTEMD_H
#define BRIG_CGROUP_SYSTEMD_H

#include <stddef.h>

#include "cgroup/internal.h"

/*
 * The systemd manager: a scope per container.  D-Bus is spoken by a program of its own,
 * brig-systemd (cmd/brig-systemd), so that no other start pays for the library.
 */

/* cgroupsPath "slice:prefix:name" as unit and slice; "" parts have defaults. */
struct cg_scope {
	const char *unit, *slice;
};
int cg_systemd_names(struct arena *a, const char *path, const char *id, bool user,
		     struct cg_scope *out, struct err *e) MUST_CHECK;

/*
 * Limits as unit properties "Name=value", in the units of systemd.resource-control(5); what
 * systemd does not know is only written to the files.  NULL-terminated, in the arena.
 */
const char **cg_systemd_properties(struct arena *a, const struct oci_resources *r, bool v2,
				   size_t *n);

#endif
