/*
 * What the members of a pool are made from.  Two kinds in one pool are refused: nobody could tell
 * what he gets.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "plan.h"
#include "pools_internal.h"
#include "reuse.h"
#include "reuse_lower.h"

/* --- the same, or another ------------------------------------------------------------------- */

struct list {
	const char *const *items;
	size_t n;
};

/* One option of both; given false: as it is written. */
struct trait {
	const char *option;
	bool given;
	const char *have, *want; /* texts, or: */
	struct list has, wants;
};
enum { TRAITS = 10 };

/* In their order, which may matter. */
static bool same_list(const struct list *x, const struct list *y)
{
	bool same = x->n == y->n;

	for (size_t i = 0; same && i < x->n; i++)
		same = str_eq(x->items[i], y->items[i]);
	return same;
}

static bool same_text(const char *x, const char *y)
{
	return (!x && !y) || str_eq(x, y);
}

static const char *yes(bool b)
{
	return b ? "yes" : NULL;
}

static void compare(const struct brig_pool *p, const struct container_create_opts *w,
		    struct trait out[TRAITS])
{
	static const struct container_network nothing;
	const struct container_network *n = w->network ? w->network : &nothing;
	const bool net = w->network;
	const struct trait rows[TRAITS] = {
		{"bundle",   w->bundle,   p->bundle,       w->bundle,       {0},                            {0}                     },
		{"level",    w->level,    p->level,        w->level,        {0},                            {0}                     },
		{"net",      net,         p->net,          n->net,          {0},                            {0}                     },
		{"egress",   net,         NULL,            NULL,            {p->egress, p->n_egress},       {n->egress, n->n_egress}},
		{"ingress",
		 net,		     NULL,
		 NULL,						      {p->ingress, p->n_ingress},
		 {n->ingress, n->n_ingress}											 },
		{"resolver",
		 net,		     NULL,
		 NULL,						      {p->resolvers, p->n_resolvers},
		 {n->resolvers, n->n_resolvers}										     },
		{"volume",
		 w->n_volumes,
		 NULL,				     NULL,
		 {p->volumes, p->n_volumes},
		 {w->volumes, w->n_volumes}											 },
		{"digests",  w->digests,  yes(p->digests), yes(w->digests), {0},                            {0}                     },
		{"packages", w->packages, p->packages,     w->packages,     {0},                            {0}                     },
		{"seccomp",
		 w->n_seccomp,
		 NULL,				     NULL,
		 {p->seccomp, p->n_seccomp},
		 {w->seccomp, w->n_seccomp}											 },
	};

	memcpy(out, rows, sizeof(rows));
}

static const char *first_other(const struct brig_pool *p, const struct container_create_opts *w)
{
	struct trait t[TRAITS];

	compare(p, w, t);
	for (size_t i = 0; i < TRAITS; i++)
		if (t[i].given &&
		    (!same_text(t[i].have, t[i].want) || !same_list(&t[i].has, &t[i].wants)))
			return t[i].option;
	return NULL;
}

bool pools_kind_same(const struct brig_pool *p, const struct container_create_opts *w)
{
	return !first_other(p, w);
}

int pools_kind_check(const struct pools *p, const struct container_create_opts *w, struct err *e)
{
	const char *other = first_other(&p->pool, w);
	struct pool_member *m;
	size_t n;

	if (!other)
		return 0;
	if (pools_members(p, &m, &n, e) < 0)
		return -e->code;
	if (n + pools_unborn(p) == 0)
		return 0;
	return err_msg(e, EKEYREJECTED,
		       "pool %s: its members are made from bundle %s at level %s, with another "
		       "--%s: drain it first",
		       p->name, p->pool.bundle, p->pool.level ? p->pool.level : "(default)", other);
}

void pools_kind_take(const struct container_create_opts *w, struct brig_pool *out)
{
	const struct container_network *n = w->network;

	if (w->bundle)
		out->bundle = w->bundle;
	if (w->level)
		out->level = w->level;
	if (n) {
		out->net = n->net;
		out->egress = n->egress;
		out->n_egress = n->n_egress;
		out->ingress = n->ingress;
		out->n_ingress = n->n_ingress;
		out->resolvers = n->resolvers;
		out->n_resolvers = n->n_resolvers;
	}
	if (w->n_volumes) {
		out->volumes = w->volumes;
		out->n_volumes = w->n_volumes;
	}
	if (w->n_seccomp) {
		out->seccomp = w->seccomp;
		out->n_seccomp = w->n_seccomp;
	}
	if (w->packages)
		out->packages = w->packages;
	out->digests = out->digests || w->digests;
}

/* --- one of them ---------------------------------------------------------------------------- */

static const struct container_network *network_of(struct arena *a, const struct brig_pool *p)
{
	if (!p->net && !p->n_egress && !p->n_ingress && !p->n_resolvers)
		return NULL;
	struct container_network *n = arena_new(a, sizeof(*n));
	*n = (struct container_network){
		.net = p->net,
		.egress = p->egress,
		.n_egress = p->n_egress,
		.ingress = p->ingress,
		.n_ingress = p->n_ingress,
		.resolvers = p->resolvers,
		.n_resolvers = p->n_resolvers,
	};
	return n;
}

struct container_create_opts pools_member_opts(struct arena *a, const struct brig_pool *p,
					       const char *id)
{
	return (struct container_create_opts){
		.id = id,
		.bundle = p->bundle,
		.level = p->level,
		.reuse = true,
		.max_uses = p->max_uses ? &p->max_uses : NULL,
		.max_age_ms = p->max_age_ms ? &p->max_age_ms : NULL,
		.max_idle_ms = p->max_idle_ms ? &p->max_idle_ms : NULL,
		.retire_on = p->retire_on,
		.keep_layers = p->keep_layers,
		.network = network_of(a, p),
		.volumes = p->volumes,
		.n_volumes = p->n_volumes,
		.digests = p->digests,
		.packages = p->packages,
		.seccomp = p->seccomp,
		.n_seccomp = p->n_seccomp,
		.pool = p->name,
	};
}

int pools_give_nothing(struct err *e)
{
	return unsetenv("LISTEN_FDS") < 0 || unsetenv("NOTIFY_SOCKET") < 0
		       ? err_set(e, errno, "environment")
		       : 0;
}

/* What create would plan; what it points to, and has open, goes with its process. */
static int run_try(void *ctx, struct arena *a, struct brig_report *report,
		   enum container_answer *answer, struct err *e)
{
	const struct pools *p = ctx;
	const char *id = arena_printf(a, "%s-1", p->name);
	const struct container_create_opts o = pools_member_opts(a, &p->pool, id);
	const struct plan_request req = {.host = &p->own, .opts = &o, .id = id};
	struct plan *plan = arena_new(a, sizeof(*plan));
	struct state_reuse *ignored;

	(void)report;
	*answer = ANSWER_FAILED;
	if (pools_give_nothing(e) < 0 || plan_make(a, &req, plan, e) < 0 ||
	    reuse_plan(a, &o, plan, &ignored, e) < 0)
		return -e->code;
	/* That would begin the verb of who makes it anew. */
	if (plan->sealed_self)
		return err_msg(
			e, EOPNOTSUPP,
			"pools have no sandboxes for which brig has to execute a sealed copy "
			"of itself: with startContainer hooks, or a filter that lets brig's "
			"own last calls not pass");
	return o.packages ? reuse_look_packages(a, o.packages, e) : 0;
}

int pools_kind_try(const struct pools *p, struct err *e)
{
	struct pools mine = *p;
	enum container_answer ignored;

	mine.own.system_config = p->pool.system_config;
	mine.own.level = NULL;
	mine.own.lease = NULL;
	mine.own.lease_given = false;
	return pools_apart(&(struct pools_errand){run_try, &mine}, p->arena, NULL, &ignored, e);
}
