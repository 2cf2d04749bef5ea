#ifndef BRIG_NS_IDPOOL_TAKEN_H
#define BRIG_NS_IDPOOL_TAKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "ns/idpool.h"

/* One bit for each slot of a pool, which has at most 2^32 / IDPOOL_STRIDE of them. */
enum { IDPOOL_MAX_SLOTS = UINT32_MAX / IDPOOL_STRIDE };
struct idpool_taken {
	uint32_t first, slots;
	uint64_t bits[IDPOOL_MAX_SLOTS / 64 + 1];
};

static inline bool idpool_is_taken(const struct idpool_taken *t, uint32_t slot)
{
	return t->bits[slot / 64] >> slot % 64 & 1;
}

/*
 * Marks every slot that has an id of etc/passwd, group, subuid or subgid; first and slots are set
 * by the caller.  A file that does not exist names none; a line that is none is passed over.
 */
int idpool_taken_read(struct idpool_taken *t, const char *etc, struct err *e) MUST_CHECK;

#endif
