#include "names/learned.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "names/message.h"

enum { ENTRIES = 2 * LEARNED_MAP, BUCKETS = 4096, NONE = 0xffff };
#define NEVER (INT64_MAX >> 1)

struct entry {
	struct egress_address address;
	uint32_t grant; /* 0: free */
	uint16_t next;  /* of its bucket */
	uint16_t name;
	uint16_t elements;
	uint32_t round;  /* the answer that it was last part of */
	uint64_t order;  /* the first one holds the element */
	uint64_t handed; /* out, the last time */
	int64_t until;
};
struct name {
	uint16_t entries;
	char text[DNS_NAME];
};
struct learned {
	struct match *match;
	struct names_host host;
	struct entry *entries;
	struct name *names;
	uint32_t elements[2]; /* of IPv4, IPv6 */
	uint32_t round;
	uint64_t order, closed;
	size_t top, top_name; /* none behind them was ever used: pages that need not be there */
	uint16_t buckets[BUCKETS];
};

struct learned *learned_new(struct arena *a, struct match *m, const struct names_host *h)
{
	struct learned *l = arena_new(a, sizeof(*l));

	l->match = m;
	l->host = *h;
	l->entries = arena_array(a, ENTRIES, sizeof(*l->entries));
	l->names = arena_array(a, LEARNED_NAMES, sizeof(*l->names));
	memset(l->buckets, 0xff, sizeof(l->buckets));
	return l;
}

static bool same_address(const struct egress_address *a, const struct egress_address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

static size_t bucket_of(const struct egress_address *a)
{
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < (a->family == 4 ? 4 : 16); i++)
		h = (h ^ a->bytes[i]) * 16777619U;
	return (h ^ h >> 16) % BUCKETS;
}

static struct entry *first_of(const struct learned *l, const struct egress_address *a)
{
	uint16_t i = l->buckets[bucket_of(a)];

	while (i != NONE && !same_address(&l->entries[i].address, a))
		i = l->entries[i].next;
	return i == NONE ? NULL : &l->entries[i];
}

/* The next entry of the same address. */
static struct entry *next_of(const struct learned *l, const struct entry *x)
{
	uint16_t i = x->next;

	while (i != NONE && !same_address(&l->entries[i].address, &x->address))
		i = l->entries[i].next;
	return i == NONE ? NULL : &l->entries[i];
}

static struct entry *find(const struct learned *l, const struct egress_address *a, uint32_t grant)
{
	struct entry *x = first_of(l, a);

	while (x && x->grant != grant)
		x = next_of(l, x);
	return x;
}

const char *learned_name(const struct learned *l, const struct egress_address *a)
{
	const struct entry *best = NULL;

	for (const struct entry *x = first_of(l, a); x; x = next_of(l, x))
		if (!best || x->handed > best->handed)
			best = x;
	return best ? l->names[best->name].text : NULL;
}

/* A grant that is gone has no count any more. */
static void count(struct learned *l, const struct entry *x, bool comes)
{
	struct known_grant *k = match_id(l->match, x->grant);
	bool six = x->address.family == 6;

	l->elements[six] = comes ? l->elements[six] + x->elements : l->elements[six] - x->elements;
	if (k)
		k->elements[six] = (uint16_t)(comes ? k->elements[six] + x->elements
						    : k->elements[six] - x->elements);
}

static void remove_entry(struct learned *l, struct entry *x)
{
	uint16_t i = (uint16_t)(x - l->entries), *p = &l->buckets[bucket_of(&x->address)];

	while (*p != i)
		p = &l->entries[*p].next;
	*p = x->next;
	count(l, x, false);
	l->names[x->name].entries--;
	x->grant = 0;
	l->closed++;
}

uint64_t learned_closed(const struct learned *l)
{
	return l->closed;
}

/* --- who holds an element ----------------------------------------------------------------- */

/* Whether a grant opens that port; icmp has none and opens 0. */
static bool covers(const struct egress_grant *g, uint8_t proto, uint16_t port)
{
	if (g->proto != proto)
		return false;
	if (!g->n_ports)
		return port == 0;
	for (size_t i = 0; i < g->n_ports; i++)
		if (g->ports[i].first <= port && port <= g->ports[i].last)
			return true;
	return false;
}

/* The entry that holds the element, but for skip; NULL: none does. */
static struct entry *holder(struct learned *l, const struct egress_address *a, uint8_t proto,
			    uint16_t port, const struct entry *skip)
{
	struct entry *best = NULL;

	for (struct entry *x = first_of(l, a); x; x = next_of(l, x)) {
		const struct known_grant *k = x == skip || (best && best->order < x->order)
						      ? NULL
						      : match_id(l->match, x->grant);

		if (k && covers(&k->grant, proto, port))
			best = x;
	}
	return best;
}

static size_t n_elements(const struct egress_grant *g)
{
	return g->n_ports ? g->n_ports : 1;
}

static uint16_t port_at(const struct egress_grant *g, size_t i)
{
	return g->n_ports ? g->ports[i].first : 0;
}

/* A grant with one of another's ports. */
struct narrow {
	struct egress_grant grant;
	struct egress_ports port;
};
static const struct egress_grant *narrow(struct narrow *n, const struct egress_grant *g,
					 uint16_t port)
{
	n->grant = *g;
	n->port = (struct egress_ports){port, port};
	n->grant.ports = g->n_ports ? &n->port : NULL;
	n->grant.n_ports = g->n_ports ? 1 : 0;
	return &n->grant;
}

static int learn_one(struct learned *l, const struct egress_grant *g, uint16_t port,
		     const struct egress_address *a, uint64_t timeout_ms, struct err *e)
{
	struct narrow n;

	return l->host.learn(l->host.ctx, narrow(&n, g, port), a, 1, timeout_ms, e);
}

void learned_begin(struct learned *l)
{
	l->round++;
}

/* Milliseconds for the kernel; 0: as long as the grant. */
static uint64_t left_of(const struct entry *x, int64_t now)
{
	if (x->until == NEVER)
		return 0;
	return x->until - LEARNED_LATE_MS > now ? (uint64_t)(x->until - LEARNED_LATE_MS - now) : 1;
}

static int64_t end_of(int64_t until, uint64_t timeout_ms, int64_t now)
{
	int64_t end = timeout_ms ? now + (int64_t)timeout_ms + LEARNED_LATE_MS : NEVER;

	return until > end ? until : end;
}

static uint64_t longer(uint64_t a, uint64_t b)
{
	return !a || !b ? 0 : a > b ? a : b;
}

/*
 * The element of one port of an entry that goes: to the next grant that learned the address, or
 * away.
 */
static int pass_on(struct learned *l, const struct entry *x, const struct egress_grant *g,
		   uint16_t port, int64_t now, struct err *e)
{
	struct entry *heir = holder(l, &x->address, g->proto, port, x);
	const struct known_grant *k = heir ? match_id(l->match, heir->grant) : NULL;
	struct narrow n;

	if (heir && heir->order < x->order)
		return 0; /* was never x's */
	int ret = l->host.forget(l->host.ctx, narrow(&n, g, port), &x->address, 1, e);
	if (!ret && k)
		ret = learn_one(l, &k->grant, port, &x->address, left_of(heir, now), e);
	return ret;
}

/*
 * Failing is not told: what stays open is of a grant that does not let through any more, or runs
 * out.  What has run out in the kernel is not deleted there: missing, it would fail slowly.
 */
static void drop_entry(struct learned *l, struct entry *x, const struct egress_grant *g,
		       int64_t now)
{
	const struct entry *first = first_of(l, &x->address);
	bool alone = first == x && !next_of(l, x);
	struct err e;
	int ret = 0;

	if (l->host.forget && x->until - LEARNED_LATE_MS > now) {
		if (alone)
			ret = l->host.forget(l->host.ctx, g, &x->address, 1, &e);
		for (size_t i = 0; !alone && !ret && i < n_elements(g); i++)
			ret = pass_on(l, x, g, port_at(g, i), now, &e);
	}
	if (ret)
		log_debug("names: grant %u: %s", (unsigned int)g->id, e.msg);
	remove_entry(l, x);
}

void learned_drop(struct learned *l, const struct egress_grant *g, int64_t now)
{
	struct egress_grant bare = *g;

	bare.text = bare.name = NULL;
	for (struct entry *x = l->entries; x < l->entries + l->top; x++)
		if (x->grant == g->id)
			drop_entry(l, x, &bare, now);
}

void learned_sweep(struct learned *l, int64_t now)
{
	for (struct entry *x = l->entries; x < l->entries + l->top; x++)
		if (x->grant && x->until <= now)
			remove_entry(l, x);
}

/* --- room --------------------------------------------------------------------------------- */

static int name_index(struct learned *l, const char *name)
{
	int unused = -1;

	for (int i = 0; i < (int)l->top_name; i++) {
		if (l->names[i].entries && strcmp(l->names[i].text, name) == 0)
			return i;
		if (!l->names[i].entries && unused < 0)
			unused = i;
	}
	if (unused < 0 && l->top_name < LEARNED_NAMES)
		unused = (int)l->top_name++;
	if (unused >= 0)
		memcpy(l->names[unused].text, name, strlen(name) + 1);
	return unused;
}

/* The address of a name that runs out first, of those that this answer does not have; family 0:
 * of either. */
static struct entry *oldest_of(struct learned *l, int name, uint8_t family)
{
	struct entry *best = NULL;

	for (struct entry *x = l->entries; x < l->entries + l->top; x++)
		if (x->grant && x->name == name && (!family || x->address.family == family) &&
		    x->round != l->round && (!best || x->until < best->until))
			best = x;
	return best;
}

/*
 * The address that runs out first of the grant that has the most of the map: it would be more than
 * this one with what it asks for.  So many names below one wildcard take nothing from others.
 */
static struct entry *oldest_of_most(struct learned *l, const struct known_grant *asks, size_t more,
				    uint8_t family)
{
	bool six = family == 6;
	const struct known_grant *most = NULL;
	struct entry *best = NULL;

	for (struct entry *x = l->entries; x < l->entries + l->top; x++) {
		const struct known_grant *k = x->grant ? match_id(l->match, x->grant) : NULL;

		if (k && x->address.family == family && x->round != l->round &&
		    (!most || k->elements[six] > most->elements[six]))
			most = k;
	}
	if (!most || most->elements[six] <= asks->elements[six] + more)
		return NULL;
	for (struct entry *x = l->entries; x < l->entries + l->top; x++)
		if (x->grant == most->grant.id && x->address.family == family &&
		    x->round != l->round && (!best || x->until < best->until))
			best = x;
	return best;
}

static int make_room(struct learned *l, const struct known_grant *asks, int name, size_t n,
		     const struct handed *h, struct err *e)
{
	size_t each = n_elements(&asks->grant);
	uint8_t family = h->addresses[0].family;

	for (bool swept = false;; swept = true) {
		bool many = l->names[name].entries + n > LEARNED_NAME;

		if (!many && l->elements[family == 6] + n * each <= LEARNED_MAP)
			return 0;
		if (!swept) {
			learned_sweep(l, h->now);
			continue;
		}
		struct entry *x = oldest_of(l, name, many ? 0 : family);
		if (!x && !many)
			x = oldest_of_most(l, asks, n * each, family);
		const struct known_grant *k = x ? match_id(l->match, x->grant) : NULL;

		if (!x)
			return err_msg(e, ENOSPC, "no room for its addresses");
		if (k)
			drop_entry(l, x, &k->grant, h->now);
		else
			remove_entry(l, x);
	}
}

/* There is one: entries are at least as many as elements. */
static struct entry *new_entry(struct learned *l, const struct egress_address *a, uint32_t grant,
			       size_t elements)
{
	struct entry *x = l->entries;

	while (x < l->entries + l->top && x->grant)
		x++;
	if (x == l->entries + ENTRIES)
		return NULL;
	if (x == l->entries + l->top)
		l->top++;
	uint16_t *head = &l->buckets[bucket_of(a)];
	*x = (struct entry){.address = *a, .grant = grant, .order = ++l->order};
	x->elements = (uint16_t)elements;
	x->next = *head;
	*head = (uint16_t)(x - l->entries);
	count(l, x, true);
	return x;
}

/* --- learning ----------------------------------------------------------------------------- */

/* Whether another grant holds a port of this one for that address. */
static bool is_shared(struct learned *l, const struct egress_grant *g,
		      const struct egress_address *a)
{
	for (size_t i = 0; i < n_elements(g); i++) {
		const struct entry *x = holder(l, a, g->proto, port_at(g, i), NULL);

		if (x && x->grant != g->id)
			return true;
	}
	return false;
}

static int open_shared(struct learned *l, const struct egress_grant *g,
		       const struct egress_address *a, const struct handed *h, struct err *e)
{
	for (size_t i = 0; i < n_elements(g); i++) {
		uint16_t port = port_at(g, i);
		struct entry *x = holder(l, a, g->proto, port, NULL);
		const struct known_grant *k = x ? match_id(l->match, x->grant) : NULL;
		uint64_t ms = x ? longer(h->timeout_ms, left_of(x, h->now)) : h->timeout_ms;
		int ret = learn_one(l, k ? &k->grant : g, port, a, ms, e);

		if (ret)
			return ret;
		if (x) /* it holds the element at least as long as that is there */
			x->until = end_of(x->until, ms, h->now);
	}
	return 0;
}

static int open_all(struct learned *l, const struct egress_grant *g, const struct handed *h,
		    struct err *e)
{
	struct egress_address alone[DNS_ADDRESSES];
	size_t n_alone = 0;

	for (size_t i = 0; i < h->n; i++) {
		if (!is_shared(l, g, &h->addresses[i])) {
			alone[n_alone++] = h->addresses[i];
			continue;
		}
		int ret = open_shared(l, g, &h->addresses[i], h, e);
		if (ret)
			return ret;
	}
	return n_alone ? l->host.learn(l->host.ctx, g, alone, n_alone, h->timeout_ms, e) : 0;
}

static void record(struct learned *l, const struct egress_grant *g, int name,
		   const struct egress_address *a, const struct handed *h)
{
	struct entry *x = find(l, a, g->id);

	if (x)
		l->names[x->name].entries--;
	else
		x = new_entry(l, a, g->id, n_elements(g));
	if (!x)
		return;
	x->name = (uint16_t)name;
	l->names[name].entries++;
	x->until = end_of(x->until, h->timeout_ms, h->now);
	x->round = l->round;
	x->handed = ++l->order;
}

int learned_take(struct learned *l, struct known_grant *k, const struct handed *h, struct err *e)
{
	size_t missing = 0;
	int at = name_index(l, h->name);

	if (at < 0)
		return err_msg(e, ENOSPC, "no room for its name");
	for (size_t i = 0; i < h->n; i++) {
		struct entry *x = find(l, &h->addresses[i], k->grant.id);

		if (x)
			x->round = l->round;
		missing += !x;
	}
	int ret = make_room(l, k, at, missing, h, e);
	if (!ret)
		ret = open_all(l, &k->grant, h, e);
	for (size_t i = 0; !ret && i < h->n; i++)
		record(l, &k->grant, at, &h->addresses[i], h);
	return ret;
}

void learned_again(struct learned *l, const struct known_grant *k, const char *name,
		   const struct egress_address *addresses, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct entry *x = find(l, &addresses[i], k->grant.id);
		int at = x && strcmp(l->names[x->name].text, name) != 0 ? name_index(l, name) : -1;

		if (!x)
			continue;
		if (at >= 0) {
			l->names[x->name].entries--;
			x->name = (uint16_t)at;
			l->names[at].entries++;
		}
		x->handed = ++l->order;
	}
}
