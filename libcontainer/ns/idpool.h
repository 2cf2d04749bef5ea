#ifndef BRIG_NS_IDPOOL_H
#define BRIG_NS_IDPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Ranges of host ids for the user namespaces of sandboxes, node-wide: every brig of the host,
 * whatever its state root, takes from the same pool.
 *
 * On disk: DIRECTORY (0700) with
 *   lock      flock of every call; the first id of the pool and where to look next
 *   NUMBER    one for each slot that was ever given out: a line with the key (empty: none), then a
 *             line for each user, the absolute state directory that it belongs to; or instead of
 *             users "free" and since when (CLOCK_BOOTTIME, seconds)
 *   key.KEY   a symlink to the number, so that a pod's slot is found at once; only a hint
 * '%' and control characters (in keys '/', too) are %XX.
 *
 * Files are replaced by rename, the slot's last: a brig that was killed between any two
 * instructions leaves a slot that is free or has a user.  A user whose state directory does not
 * exist any more does not count, so nothing is lost to a crash; found is that by whoever looks
 * at the slot next, and then its quarantine begins.  State directories must hence be seen at
 * their path by every brig that uses the pool: a private /run makes a pool of its own.
 */
enum { IDPOOL_RANGE = 65536, IDPOOL_EXTRA = 256, IDPOOL_STRIDE = IDPOOL_RANGE + IDPOOL_EXTRA };

struct idpool_config {
	const char *directory;
	uint32_t first, count;
	uint32_t quarantine; /* seconds; a pod that comes back in that time gets its slot again */
	const char *etc;     /* where passwd, group, subuid and subgid are; NULL: /etc */
};

struct idpool_slot {
	uint32_t slot;
	uint32_t base; /* first host id: IDPOOL_RANGE ids for 0..65535 inside, then IDPOOL_EXTRA for
			  single ids above */
};

/*
 * key: the pod's, shared by all who name it; NULL or "": a slot of its own.  user: absolute state
 * directory, which exists.  Ranges that /etc/passwd, /etc/group, /etc/subuid or /etc/subgid
 * name are passed over; none left: "id pool: ... exhausted" with counts and the remedy.
 */
int idpool_claim(const struct idpool_config *c, const char *key, const char *user,
		 struct idpool_slot *out, struct err *e) MUST_CHECK;
/* Gone already is success. */
int idpool_release(const struct idpool_config *c, uint32_t slot, const char *user,
		   struct err *e) MUST_CHECK;
/* For doctor: slots in all (without those passed over), in use, in quarantine.  Changes nothing. */
int idpool_count(const struct idpool_config *c, uint32_t *total, uint32_t *used,
		 uint32_t *quarantined, struct err *e) MUST_CHECK;

#endif
