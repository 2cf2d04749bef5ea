#ifndef BRIG_NAMES_QUOTA_H
#define BRIG_NAMES_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "names/match.h"

/*
 * A name below a wildcard reaches whoever serves that zone, so its labels are a way out for data.
 * Not closed, but narrow: so many different names, with labels so long.
 */
enum { QUOTA_MINUTE = 32, QUOTA_TOTAL = 256, QUOTA_LABEL = 32, QUOTA_SEEN = 16384 };

struct quota;
/* key: random, so that nobody can choose names that look like one. */
struct quota *quota_new(struct arena *a, uint64_t key);
/* Whether that name may be asked for below the wildcard; counts it when it is a new one. */
bool quota_take(struct quota *q, struct known_grant *k, const char *name, int64_t now);

/* So many a second, and as many at once after silence. */
struct bucket {
	uint32_t rate;
	int64_t filled; /* in thousandths */
	int64_t at;
};
struct bucket bucket_new(uint32_t rate, int64_t now);
bool bucket_take(struct bucket *b, int64_t now);
/* Milliseconds until there is one again, at least 1. */
int64_t bucket_wait(const struct bucket *b);

#endif
