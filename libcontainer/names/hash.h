#ifndef BRIG_NAMES_HASH_H
#define BRIG_NAMES_HASH_H

#include <stdint.h>

/*
 * Mixing as in xxh64's tail, with a random key: who chooses the names cannot tell which of them
 * meet.  What depends on it has a bound all the same: two names of one quota that meet count as
 * one, and a table of answers is never longer than itself.
 */
static inline uint64_t names_hash(uint64_t key, const char *name)
{
	uint64_t h = key;

	for (; *name; name++) {
		h = (h ^ (uint8_t)*name) * 0x9e3779b185ebca87ULL;
		h ^= h >> 29;
	}
	h *= 0xc2b2ae3d27d4eb4fULL;
	return h ^ h >> 32;
}

#endif
