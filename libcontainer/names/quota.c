#include "names/quota.h"

#include <string.h>

#include "names/hash.h"

/* Names seen, of all wildcards: open addressing, never removed from. */
struct seen {
	uint64_t hash;
	uint32_t grant; /* 0: free */
};
struct quota {
	uint64_t key;
	uint32_t n;
	struct seen *seen;
};

struct quota *quota_new(struct arena *a, uint64_t key)
{
	struct quota *q = arena_new(a, sizeof(*q));

	q->key = key;
	q->seen = arena_array(a, QUOTA_SEEN, sizeof(*q->seen));
	return q;
}

/* The entry, or the free one where it would be; NULL: the table is full. */
static struct seen *look(struct quota *q, uint32_t grant, uint64_t h)
{
	for (uint32_t i = 0; i < QUOTA_SEEN; i++) {
		struct seen *s = &q->seen[(h + i) % QUOTA_SEEN];

		if (!s->grant || (s->grant == grant && s->hash == h))
			return s;
	}
	return NULL;
}

static bool labels_short(const char *name, size_t below)
{
	for (const char *p = name; p < name + below;) {
		size_t len = strcspn(p, ".");

		if (len > QUOTA_LABEL)
			return false;
		p += len + 1;
	}
	return true;
}

bool quota_take(struct quota *q, struct known_grant *k, const char *name, int64_t now)
{
	if (k->grant.wild == EGRESS_EXACT)
		return true;
	if (!labels_short(name, strlen(name) - strlen(k->grant.name)))
		return false;
	uint64_t h = names_hash(q->key ^ k->grant.id, name);
	struct seen *s = look(q, k->grant.id, h);
	if (s && s->grant)
		return true;
	if (now - k->minute >= 60000) {
		k->minute = now;
		k->in_minute = 0;
	}
	/* A quarter stays free, so that looking is short. */
	if (!s || k->unique >= QUOTA_TOTAL || k->in_minute >= QUOTA_MINUTE ||
	    q->n >= QUOTA_SEEN / 4 * 3)
		return false;
	*s = (struct seen){h, k->grant.id};
	q->n++;
	k->unique++;
	k->in_minute++;
	return true;
}

struct bucket bucket_new(uint32_t rate, int64_t now)
{
	return (struct bucket){rate, (int64_t)rate * 1000, now};
}

bool bucket_take(struct bucket *b, int64_t now)
{
	int64_t most = (int64_t)b->rate * 1000;
	/* One second fills it; a longer time must not overflow. */
	int64_t passed = now - b->at > 1000 ? 1000 : now - b->at;

	b->filled += passed * b->rate;
	b->filled = b->filled > most ? most : b->filled;
	b->at = now;
	if (b->filled < 1000)
		return false;
	b->filled -= 1000;
	return true;
}

int64_t bucket_wait(const struct bucket *b)
{
	int64_t ms = (1000 - b->filled) / b->rate;

	return ms > 0 ? ms + 1 : 1;
}
