/* What `pool status` prints. */
#include <inttypes.h>
#include <stddef.h>

#include "base/own.h"
#include "base/text.h"
#include "pools.h"
#include "specs/json_print.h"

static const struct {
	const char *name, *help;
	size_t at;
} counters[] = {
#define ROW(member, help)                                                                          \
	{                                                                                          \
#member, help, offsetof(struct pool_counters, member)                              \
	}
	ROW(acquired, "Leases that were given."),
	ROW(released, "Leases that were given back by their holders."),
	ROW(waited, "Leases for which somebody had to wait."),
	ROW(expired, "Leases that ran out."),
	ROW(reset, "Members that were made anew, clean."),
	ROW(created, "Members that were created."),
	ROW(deleted, "Members that were deleted."),
	ROW(tainted, "Members that were deleted because they were tainted."),
	ROW(retired, "Members that were deleted because they were used up."),
#undef ROW
};

static uint64_t counter(const struct brig_pool *p, size_t i)
{
	return *(const uint64_t *)(const void *)((const char *)&p->counters + counters[i].at);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void put_member(struct json_out *o, const struct pool_member *m)
{
	json_object(o);
	json_key_str(o, "id", m->id);
	json_key_str(o, "condition", pool_conditions[m->condition]);
	if (m->why)
		json_key_str(o, "why", m->why);
	if (m->generation) {
		json_key_uint(o, "generation", m->generation);
		json_key_uint(o, "uses", m->uses);
	}
	if (m->key)
		json_key_str(o, "key", m->key);
	if (m->lease_ms && m->holder)
		json_key_str(o, "holder", m->holder);
	if (m->lease_ms)
		json_key_uint(o, "leaseMs", m->lease_ms);
	json_end_object(o);
}

static void put_bounds(struct json_out *o, const struct brig_pool *p)
{
	json_key_uint(o, "min", p->min);
	json_key_uint(o, "max", p->max);
	if (p->max_uses)
		json_key_uint(o, "maxUses", p->max_uses);
	if (p->max_age_ms)
		json_key_uint(o, "maxAgeMs", p->max_age_ms);
	if (p->max_idle_ms)
		json_key_uint(o, "maxIdleMs", p->max_idle_ms);
	if (p->retire_on)
		json_key_str(o, "retireOn", p->retire_on);
	if (p->evidence)
		json_key_str(o, "evidence", p->evidence);
	if (p->shrink_ms)
		json_key_uint(o, "shrinkMs", p->shrink_ms);
	json_key_bool(o, "keepLayers", p->keep_layers);
	json_key_bool(o, "draining", p->draining);
}

static void put_list(struct json_out *o, const char *key, const char *const *items, size_t n)
{
	if (!n)
		return;
	json_key(o, key);
	json_strs(o, items, n);
}

/* What its members are made from. */
static void put_kind(struct json_out *o, const struct brig_pool *p)
{
	json_key_str(o, "bundle", p->bundle);
	if (p->level)
		json_key_str(o, "level", p->level);
	if (p->net)
		json_key_str(o, "net", p->net);
	put_list(o, "egress", p->egress, p->n_egress);
	put_list(o, "ingress", p->ingress, p->n_ingress);
	put_list(o, "resolvers", p->resolvers, p->n_resolvers);
	put_list(o, "volumes", p->volumes, p->n_volumes);
	if (p->digests)
		json_key_bool(o, "digests", true);
	if (p->packages)
		json_key_str(o, "packages", p->packages);
	put_list(o, "seccomp", p->seccomp, p->n_seccomp);
}

static void put_pool(struct json_out *o, const struct pool_status *s)
{
	const struct brig_pool *p = &s->pool;

	json_object(o);
	json_key_int(o, "v", 1);
	json_key_str(o, "name", p->name);
	put_kind(o, p);
	put_bounds(o, p);
	json_key(o, "conditions");
	json_object(o);
	for (size_t i = 0; i < POOL_GONE; i++)
		json_key_uint(o, pool_conditions[i], s->count[i]);
	json_end_object(o);
	json_key(o, "counters");
	json_object(o);
	for (size_t i = 0; i < LEN(counters); i++)
		json_key_uint(o, counters[i].name, counter(p, i));
	json_end_object(o);
	json_key(o, "members");
	json_array(o);
	for (size_t i = 0; i < s->n_members; i++)
		put_member(o, &s->members[i]);
	json_end_array(o);
	json_end_object(o);
}

char *pool_status_json(struct arena *a, const struct pool_status *s, size_t n, bool list,
		       size_t *len)
{
	struct json_out o;

	json_begin(&o, a, 0);
	if (list)
		json_array(&o);
	for (size_t i = 0; i < n; i++)
		put_pool(&o, &s[i]);
	if (list)
		json_end_array(&o);
	return json_done(&o, len);
}

/* --- OpenMetrics 1.0 ------------------------------------------------------------------------ */

/* Names of pools and conditions have nothing in them that a label would have to escape. */
static void put_gauge(struct text *t, const struct pool_status *s, size_t n, const char *name,
		      const char *help, size_t at)
{
	text_addf(t, "# TYPE brig_pool_%s gauge\n# HELP brig_pool_%s %s\n", name, name, help);
	for (size_t i = 0; i < n; i++)
		text_addf(t, "brig_pool_%s{pool=\"%s\"} %" PRIu32 "\n", name, s[i].pool.name,
			  *(const uint32_t *)(const void *)((const char *)&s[i].pool + at));
}

char *pool_status_openmetrics(struct arena *a, const struct pool_status *s, size_t n, size_t *len)
{
	struct text t = {.a = a};

	text_addf(&t, "# TYPE brig_pool_members gauge\n"
		      "# HELP brig_pool_members Members, by their condition.\n");
	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < POOL_GONE; c++)
			text_addf(&t, "brig_pool_members{pool=\"%s\",condition=\"%s\"} %zu\n",
				  s[i].pool.name, pool_conditions[c], s[i].count[c]);
	put_gauge(&t, s, n, "min", "Parked members that are kept.",
		  offsetof(struct brig_pool, min));
	put_gauge(&t, s, n, "max", "Members that there may be.", offsetof(struct brig_pool, max));
	text_addf(&t, "# TYPE brig_pool_draining gauge\n"
		      "# HELP brig_pool_draining 1 while no leases are given.\n");
	for (size_t i = 0; i < n; i++)
		text_addf(&t, "brig_pool_draining{pool=\"%s\"} %d\n", s[i].pool.name,
			  s[i].pool.draining);
	for (size_t k = 0; k < LEN(counters); k++) {
		text_addf(&t, "# TYPE brig_pool_%s counter\n# HELP brig_pool_%s %s\n",
			  counters[k].name, counters[k].name, counters[k].help);
		for (size_t i = 0; i < n; i++)
			text_addf(&t, "brig_pool_%s_total{pool=\"%s\"} %" PRIu64 "\n",
				  counters[k].name, s[i].pool.name, counter(&s[i].pool, k));
	}
	text_addf(&t, "# EOF\n");
	if (len)
		*len = t.len;
	return t.s;
}
