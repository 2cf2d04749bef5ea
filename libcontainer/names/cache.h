#ifndef BRIG_NAMES_CACHE_H
#define BRIG_NAMES_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "names/message.h"

/*
 * Answers of a moment ago, for programs that look the same few names up again and again.  A table
 * of fixed size; nothing is kept for longer than the rules of its addresses stay open, and who has
 * closed any, or has changed a grant, clears it.
 */
enum {
	CACHE_ENTRIES = 256,
	CACHE_SECONDS = 30,      /* at most; the time to live where that is less */
	CACHE_SECONDS_LEAST = 1, /* also of a time to live of 0 */
};

struct cache;
/* key: random, so that nobody can choose names that meet. */
struct cache *cache_new(struct arena *a, uint64_t key);
/*
 * The answer for a lower-case name and type, with the time that is left of it.  Its addresses are
 * valid until the next cache_put or cache_clear.
 */
bool cache_get(struct cache *c, const char *name, uint16_t type, int64_t now,
	       struct dns_reply *out) MUST_CHECK;
/*
 * In the place of the one that is nearest to its end when there is no other.  r->ttl is that of
 * the answer, uncut; a negative one is kept for DNS_NEGATIVE_SECONDS.
 */
void cache_put(struct cache *c, const char *name, uint16_t type, const struct dns_reply *r,
	       int64_t now);
void cache_clear(struct cache *c);

#endif
