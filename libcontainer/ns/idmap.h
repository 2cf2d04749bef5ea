#ifndef BRIG_NS_IDMAP_H
#define BRIG_NS_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

/* uid and gid lines of a user namespace (user_namespaces(7)); at most 340 each since 4.15. */
struct idmap {
	const struct oci_id_mapping *uids, *gids;
	size_t n_uids, n_gids;
};
enum { IDMAP_MAX_LINES = 340 };

/* Refuses size 0, overflow, overlaps on either side and more than 340 lines, naming the entry. */
int idmap_check(const struct idmap *m, struct err *e) MUST_CHECK;
/* Host id of an id inside; false: not mapped. */
bool idmap_uid_to_host(const struct idmap *m, uint32_t inside, uint32_t *host);
bool idmap_gid_to_host(const struct idmap *m, uint32_t inside, uint32_t *host);

/*
 * Writes the maps of pid (a child that waits).  Privileged: directly, in one write(2) each.
 * Unprivileged: directly when the map is the caller's own single id (setgroups denied first,
 * user_namespaces(7)), else by newuidmap and newgidmap.
 */
int idmap_write(const struct idmap *m, pid_t pid, bool privileged, struct err *e) MUST_CHECK;

/* The maps of a process's user namespace, as the caller's namespace sees them. */
int idmap_read(struct arena *a, pid_t pid, struct idmap *out, struct err *e) MUST_CHECK;

/*
 * A descriptor of a user namespace that has these maps, for mount_setattr(MOUNT_ATTR_IDMAP).
 * Made by a short-lived child; nothing is left behind.
 */
int idmap_userns(const struct idmap *m, struct err *e) MUST_CHECK;

#endif
