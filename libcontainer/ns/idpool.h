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
 * On disk: DIRECTORY (0700) with the file "lock" (flock) and one small file for each slot in use,
 * named by its number, with a line for each user: the absolute state directory that it belongs
 * to; the first line is the key.  A user whose state directory does not exist any more does not
 * count: a brig that was killed between any two instructions leaves nothing that is not found
 * at the next claim.  A slot without users stays, with the time, until its quarantine is over.
 */
enum { IDPOOL_RANGE = 65536, IDPOOL_EXTRA = 256, IDPOOL_STRIDE = IDPOOL_RANGE + IDPOOL_EXTRA };

struct idpool_config {
	const char *directory;
	uint32_t first, count;
	uint32_t quarantine; /* seconds */
};

struct idpool_slot {
	uint32_t slot;
	uint32_t base; /* first host id: IDPOOL_RANGE ids for 0..65535 inside, then IDPOOL_EXTRA for
			  single ids above */
};

/*
 * key: the pod's, shared by all who name it; NULL: a slot of its own.  user: absolute state
 * directory, which exists.  Ranges that /etc/passwd, /etc/group, /etc/subuid or /etc/subgid
 * name are passed over; none left: "id pool: ... exhausted" with counts and the remedy.
 */
int idpool_claim(const struct idpool_config *c, const char *key, const char *user,
		 struct idpool_slot *out, struct err *e) MUST_CHECK;
/* Gone already is success. */
int idpool_release(const struct idpool_config *c, uint32_t slot, const char *user,
		   struct err *e) MUST_CHECK;
/* For doctor: slots in all, in use, in quarantine. */
int idpool_count(const struct idpool_config *c, uint32_t *total, uint32_t *used,
		 uint32_t *quarantined, struct err *e) MUST_CHECK;

#endif
