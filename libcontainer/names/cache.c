#include "names/cache.h"

#include <string.h>

#include "base/own.h"
#include "names/hash.h"

enum { BUCKETS = 2 * CACHE_ENTRIES, NONE = 0xffff };
_Static_assert((int)CACHE_ENTRIES < (int)NONE, "indices are 16 bits");

struct kept {
	uint64_t hash;
	uint16_t type; /* 0: free */
	uint16_t next; /* of its bucket */
	uint8_t n;
	bool negative;
	int rcode;
	uint32_t ttl;
	int64_t since, until;
	char name[DNS_NAME];
	struct egress_address addresses[DNS_ADDRESSES];
};
struct cache {
	uint64_t key;
	size_t top; /* none behind it was used since it was cleared */
	struct kept *kept;
	uint16_t buckets[BUCKETS];
};

struct cache *cache_new(struct arena *a, uint64_t key)
{
	struct cache *c = arena_new(a, sizeof(*c));

	c->key = key;
	c->kept = arena_array(a, CACHE_ENTRIES, sizeof(*c->kept));
	memset(c->buckets, 0xff, sizeof(c->buckets));
	return c;
}

static uint64_t hash_of(const struct cache *c, const char *name, uint16_t type)
{
	return names_hash(c->key, name) + type; /* the two of a name are neighbours */
}

static struct kept *find(struct cache *c, const char *name, uint16_t type)
{
	uint64_t h = hash_of(c, name, type);

	for (uint16_t i = c->buckets[h % BUCKETS]; i != NONE; i = c->kept[i].next) {
		struct kept *k = &c->kept[i];

		if (k->hash == h && k->type == type && strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

static void drop(struct cache *c, struct kept *k)
{
	uint16_t i = (uint16_t)(k - c->kept), *p = &c->buckets[k->hash % BUCKETS];

	while (*p != i)
		p = &c->kept[*p].next;
	*p = k->next;
	k->type = 0;
}

/* The times of one that is there are never far from now: both are of one clock. */
static uint32_t left_of(const struct kept *k, int64_t now)
{
	uint32_t gone = now > k->since ? (uint32_t)((now - k->since) / 1000) : 0;

	return k->ttl > gone ? k->ttl - gone : 0;
}

bool cache_get(struct cache *c, const char *name, uint16_t type, int64_t now, struct dns_reply *out)
{
	struct kept *k = find(c, name, type);

	if (!k)
		return false;
	if (k->until <= now) {
		drop(c, k);
		return false;
	}
	*out = (struct dns_reply){.rcode = k->rcode,
				  .negative = k->negative,
				  .ttl = left_of(k, now),
				  .addresses = k->addresses,
				  .n = k->n};
	return true;
}

/* A free entry, or that which is nearest to its end: a look at each, once for a query upstream. */
static struct kept *place(struct cache *c)
{
	struct kept *first = c->kept;

	for (struct kept *k = c->kept; k < c->kept + c->top; k++) {
		if (!k->type)
			return k;
		if (k->until < first->until)
			first = k;
	}
	if (c->top < CACHE_ENTRIES)
		return &c->kept[c->top++];
	drop(c, first);
	return first;
}

static int64_t ms_to_keep(const struct dns_reply *r)
{
	uint32_t seconds = r->negative                    ? DNS_NEGATIVE_SECONDS
			   : r->ttl > CACHE_SECONDS       ? CACHE_SECONDS
			   : r->ttl < CACHE_SECONDS_LEAST ? CACHE_SECONDS_LEAST
							  : r->ttl;

	return seconds * INT64_C(1000);
}

void cache_put(struct cache *c, const char *name, uint16_t type, const struct dns_reply *r,
	       int64_t now)
{
	struct kept *k = find(c, name, type);

	if (!type || r->n > DNS_ADDRESSES)
		return;
	if (k)
		drop(c, k);
	k = place(c);
	k->hash = hash_of(c, name, type);
	k->type = type;
	k->rcode = r->rcode;
	k->negative = r->negative;
	k->ttl = r->negative ? DNS_NEGATIVE_SECONDS : r->ttl;
	k->since = now;
	k->until = now + ms_to_keep(r);
	k->n = (uint8_t)r->n;
	memcpy(k->name, name, strlen(name) + 1);
	for (size_t i = 0; i < r->n; i++)
		k->addresses[i] = r->addresses[i];
	uint16_t *head = &c->buckets[k->hash % BUCKETS];
	k->next = *head;
	*head = (uint16_t)(k - c->kept);
}

void cache_clear(struct cache *c)
{
	if (!c->top)
		return;
	memset(c->buckets, 0xff, sizeof(c->buckets));
	for (struct kept *k = c->kept; k < c->kept + c->top; k++)
		k->type = 0;
	c->top = 0;
}
