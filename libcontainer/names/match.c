#include "names/match.h"

#include <string.h>

#include "base/own.h"

/* Places are counted from 1 on: 0 is none, so that what was never used need not be written. */
enum { BUCKETS = 8192, NONE = 0 };
_Static_assert((int)EGRESS_MAX_GRANTS <= UINT16_MAX, "places are 16 bits");

struct side {
	struct known_grant *grants;
	size_t n;
	uint16_t by_name[BUCKETS], by_id[BUCKETS];
};
/* Two sides: the new grants are put together beside the old ones, which are still looked up. */
struct match {
	struct side sides[2], *now;
};

static size_t bucket_of_name(const char *name)
{
	uint32_t h = 2166136261U; /* FNV-1a: the names in the table are not the sandbox's */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619U;
	return (h ^ h >> 16) % BUCKETS;
}

static size_t bucket_of_id(uint32_t id)
{
	return id % BUCKETS;
}

static void clear(struct side *s)
{
	if (!s->n)
		return;
	s->n = 0;
	memset(s->by_name, NONE, sizeof(s->by_name));
	memset(s->by_id, NONE, sizeof(s->by_id));
}

struct match *match_new(struct arena *a)
{
	struct match *m = arena_new(a, sizeof(*m));

	for (size_t i = 0; i < LEN(m->sides); i++)
		m->sides[i].grants = arena_array(a, EGRESS_MAX_GRANTS, sizeof(*m->sides[i].grants));
	m->now = m->sides;
	return m;
}

static struct known_grant *at(struct side *s, uint16_t place)
{
	return place == NONE ? NULL : &s->grants[place - 1];
}

static struct known_grant *find_id(struct side *s, uint32_t id)
{
	struct known_grant *k = at(s, s->by_id[bucket_of_id(id)]);

	while (k && k->grant.id != id)
		k = at(s, k->next_of_id);
	return k;
}

struct known_grant *match_id(struct match *m, uint32_t id)
{
	struct known_grant *k = find_id(m->now, id);

	return k && !k->ended ? k : NULL;
}

static int64_t deadline_of(const struct egress_grant *g, int64_t now)
{
	return g->ttl_ms ? now + (int64_t)g->ttl_ms : 0;
}

void match_renew(struct match *m, uint32_t id, int64_t now)
{
	struct known_grant *k = find_id(m->now, id);

	if (!k)
		return;
	k->deadline = deadline_of(&k->grant, now);
	k->ended = false;
}

static void add(struct side *to, struct side *from, const struct egress_grant *g, int64_t now)
{
	struct known_grant *k = &to->grants[to->n], *old = find_id(from, g->id);

	if (old)
		*k = *old;
	else
		*k = (struct known_grant){.deadline = deadline_of(g, now)};
	k->grant = *g;
	if (g->n_ports > EGRESS_MAX_PORTS)
		k->grant.n_ports = EGRESS_MAX_PORTS;
	for (size_t i = 0; i < k->grant.n_ports; i++)
		k->ports[i] = g->ports[i];
	k->grant.ports = k->ports;
	to->n++;
}

/* From the last one on, so that of two grants for a name the first one comes first. */
static void chain(struct side *s)
{
	for (size_t i = s->n; i-- > 0;) {
		struct known_grant *k = &s->grants[i];
		uint16_t *name = &s->by_name[bucket_of_name(k->grant.name)];
		uint16_t *id = &s->by_id[bucket_of_id(k->grant.id)];

		k->next_of_name = *name;
		k->next_of_id = *id;
		*name = *id = (uint16_t)(i + 1);
	}
}

void match_set(struct match *m, const struct egress_policy *p, int64_t now,
	       void (*gone)(void *ctx, const struct egress_grant *g), void *ctx)
{
	struct side *from = m->now, *to = from == m->sides ? &m->sides[1] : m->sides;

	clear(to);
	for (size_t i = 0; i < p->n_grants && to->n < EGRESS_MAX_GRANTS; i++)
		if (p->grants[i].name)
			add(to, from, &p->grants[i], now);
	chain(to);
	m->now = to;
	for (size_t i = 0; i < from->n; i++)
		if (!from->grants[i].ended && !find_id(to, from->grants[i].grant.id))
			gone(ctx, &from->grants[i].grant);
}

int64_t match_expire(struct match *m, int64_t now,
		     void (*gone)(void *ctx, const struct egress_grant *g), void *ctx)
{
	int64_t next = 0;

	for (size_t i = 0; i < m->now->n; i++) {
		struct known_grant *k = &m->now->grants[i];

		if (!k->deadline || k->ended)
			continue;
		if (k->deadline <= now) {
			k->ended = true;
			gone(ctx, &k->grant);
		} else if (!next || k->deadline < next) {
			next = k->deadline;
		}
	}
	return next;
}

static struct known_grant *chain_of(struct match *m, const char *name)
{
	return at(m->now, m->now->by_name[bucket_of_name(name)]);
}

struct match_walk match_begin(struct match *m, const char *name)
{
	return (struct match_walk){name, name, chain_of(m, name)};
}

/* A grant's name is a suffix of the name at a dot: looked up once for each. */
struct known_grant *match_next(struct match *m, struct match_walk *w)
{
	while (w->suffix) {
		while (w->next) {
			struct known_grant *k = w->next;

			w->next = at(m->now, k->next_of_name);
			if (!k->ended && strcmp(k->grant.name, w->suffix) == 0 &&
			    egress_name_matches(&k->grant, w->name))
				return k;
		}
		w->suffix = strchr(w->suffix, '.');
		if (w->suffix)
			w->next = chain_of(m, ++w->suffix);
	}
	return NULL;
}

struct known_grant *match_first(struct match *m, const char *name)
{
	struct match_walk w = match_begin(m, name);

	return match_next(m, &w);
}
