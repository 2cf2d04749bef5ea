/* Grants that are asked for at a start: heard, and turned into what carries them out. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/apply.h"
#include "policy/wishes.h"
#include "specs/policy_doc.h"
#include "specs/table.h"

enum { MAX_BYTES = 1 << 20 };
#define NS_PER_S UINT64_C(1000000000)

struct merge {
	struct arena *a;
	struct policy *p;
	enum policy_source by;
	const char *who;
};

/* What the grants of one source are as other wishes, and as a limit of what is executed. */
struct derived {
	struct policy_wishes wishes;
	struct policy_write *write;
	const char **egress, **allow;
	size_t n_allow;
	bool limits_exec;
};

static int refuse(const struct merge *m, const char *what, struct err *e)
{
	return err_msg(e, EPERM, "level \"%s\": %s: %s", m->p->level.name, m->who, what);
}

static void note(const struct merge *m, const char *value, enum policy_outcome outcome,
		 const char *asked, const char *reason)
{
	policy_note(m->a, m->p,
		    &(struct policy_decision){"grants", value, m->by, asked, outcome, reason});
}

/* --- translation -------------------------------------------------------------------------- */

static const uint64_t *keep(struct arena *a, uint64_t n)
{
	uint64_t *p = arena_new(a, sizeof(*p));

	*p = n;
	return p;
}

static void take_memory(struct arena *a, const struct brig_grant *g, struct policy_wishes *w)
{
	int64_t *n = arena_new(a, sizeof(*n));

	*n = (int64_t)g->size; /* grant_parse gives no more than INT64_MAX */
	if (!w->memory || *w->memory > *n)
		w->memory = n;
}

static void take_cpu(struct arena *a, const struct brig_grant *g, struct policy_wishes *w)
{
	double *n = arena_new(a, sizeof(*n));

	*n = (double)g->millis / 1000;
	if (!w->cpus || *w->cpus > *n)
		w->cpus = n;
}

static void take(const struct merge *m, const struct brig_grant *g, struct derived *d)
{
	struct policy_wishes *w = &d->wishes;

	switch (g->kind) {
	case GRANT_WRITE:
		d->write[w->n_write++] = (struct policy_write){
			.path = g->path,
			.size = g->size ? keep(m->a, g->size) : NULL,
		};
		break;
	case GRANT_NETWORK:
		d->egress[w->n_egress++] = g->network;
		break;
	case GRANT_MEMORY:
		if (!g->ttl_ms)
			take_memory(m->a, g, w);
		break;
	case GRANT_CPU:
		if (!g->ttl_ms)
			take_cpu(m->a, g, w);
		break;
	case GRANT_EXEC_ALLOW:
		d->allow[d->n_allow++] = g->path;
		d->limits_exec = true;
		break;
	case GRANT_EXEC_DENY:
		d->limits_exec = true;
		break;
	case GRANT_READ: /* a mount: apply_grants() */
	case GRANT_KINDS:
		break;
	}
}

/* --- what may be asked for ---------------------------------------------------------------- */

static const char *impossible(const struct merge *m, const struct brig_grant *g)
{
	bool limit = g->kind == GRANT_MEMORY || g->kind == GRANT_CPU;
	bool exec = g->kind == GRANT_EXEC_ALLOW || g->kind == GRANT_EXEC_DENY;

	if (m->p->custom && g->kind != GRANT_NETWORK && !(limit && m->p->direct))
		return "only a level does that: --level standard or high";
	if (exec && g->ttl_ms)
		return "what may be executed is for good: Landlock rules are not changed while it "
		       "runs";
	/* It is set when the sandbox is there, by who takes it back. */
	if (m->p->custom && limit && g->ttl_ms)
		return "only a level does that for a time: --level standard or high";
	return NULL;
}

static uint64_t realtime_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return 0;
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Room for all that can be heard, once. */
static struct policy_granted *next(const struct merge *m)
{
	struct policy *p = m->p;

	if (!p->grants)
		p->grants = arena_array(m->a, GRANTS_MAX, sizeof(*p->grants));
	return p->n_grants < GRANTS_MAX ? &p->grants[p->n_grants] : NULL;
}

static int hear(const struct merge *m, const char *text, struct derived *d, struct err *e)
{
	struct policy_granted *g = next(m);

	if (!g)
		return refuse(m, arena_printf(m->a, "more than %d grants", GRANTS_MAX), e);
	*g = (struct policy_granted){.by = m->by};
	if (grant_parse(m->a, text, &g->grant, e) < 0 ||
	    grant_settle(m->a, &g->grant, realtime_ns(), e) < 0)
		return refuse(m, arena_strdup(m->a, e->msg), e);
	const char *why = impossible(m, &g->grant);
	if (why)
		return refuse(m, arena_printf(m->a, "%.200s: %s", g->grant.text, why), e);
	m->p->n_grants++;
	note(m, g->grant.text, OUTCOME_SET, NULL, m->who);
	take(m, &g->grant, d);
	return 0;
}

/* --- what is executed --------------------------------------------------------------------- */

static bool is_within(const char *path, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (apply_is_below(path, list[i]))
			return true;
	return false;
}

/* Each source that limits it may take from what the others allow, and add nothing. */
static void merge_exec(const struct merge *m, const struct derived *d)
{
	struct policy_exec *x = &m->p->exec;
	const char **both = arena_array(m->a, x->n_allow + d->n_allow + 1, sizeof(*both));
	size_t n = 0;

	if (!d->limits_exec)
		return;
	for (size_t i = 0; x->limited && i < x->n_allow; i++)
		if (is_within(x->allow[i], d->allow, d->n_allow))
			both[n++] = x->allow[i];
	for (size_t i = 0; i < d->n_allow; i++) {
		if (!x->limited || is_within(d->allow[i], x->allow, x->n_allow))
			both[n++] = d->allow[i];
		else
			note(m, "(none)", OUTCOME_CUT, d->allow[i],
			     "somebody else limits what is executed more");
	}
	*x = (struct policy_exec){true, both, n};
}

int grants_merge(struct arena *a, struct policy *p, const struct policy_wishes *w,
		 enum policy_source by, const struct level *bound, struct err *e)
{
	const struct merge m = {a, p, by, wishes_who(a, by, "grants")};
	struct derived d = {
		.write = arena_array(a, w->n_grants, sizeof(*d.write)),
		.egress = arena_array(a, w->n_grants + 1, sizeof(*d.egress)),
		.allow = arena_array(a, w->n_grants + 1, sizeof(*d.allow)),
	};

	for (size_t i = 0; i < w->n_grants; i++)
		if (hear(&m, w->grants[i], &d, e) < 0)
			return -e->code;
	merge_exec(&m, &d);
	d.wishes.write = d.write;
	d.wishes.egress = d.wishes.n_egress ? d.egress : NULL;
	return wishes_merge(a, p, &d.wishes, by, bound, e);
}

/* --- where they are asked for ------------------------------------------------------------- */

struct list {
	const char *const *grants;
	size_t n_grants;
};
static const struct json_field list_fields[] = {
	ROW_STRS(list, "grants", grants, n_grants, 0),
};
TYPE_CLOSED(list, NULL);

int wish_grants(struct arena *a, const char *text, void *to, struct err *e)
{
	const char *json = arena_printf(a, "{\"grants\":%s}", text);
	struct policy_wishes *w = to;
	struct list l = {0};

	if (json_read(a, &list_type_, json, strlen(json), MAX_BYTES, &l, e) < 0)
		return -e->code;
	w->grants = l.grants;
	w->n_grants = l.n_grants;
	return 0;
}

/* PREFIX WORD for each; false alone is nothing, for that is what there is without. */
static int add_words(struct arena *a, const char *name, const char *prefix,
		     const struct policy_doc_word *words, size_t n, const char **list, size_t *used,
		     struct err *e)
{
	if (n == 1 && str_eq(words[0].word, "false"))
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (!words[i].word || str_eq(words[i].word, "true") ||
		    str_eq(words[i].word, "false"))
			return err_msg(e, EINVAL, "%s: what is allowed is listed", name);
		list[(*used)++] = arena_printf(a, "%s%s", prefix, words[i].word);
	}
	return 0;
}

int wish_doc_grants(struct arena *a, const struct policy_doc *d, struct policy_wishes *out,
		    struct err *e)
{
	const struct policy_doc_capabilities *c = &d->capabilities;
	size_t n = 0;
	const char **list = arena_array(
		a, c->n_read + c->n_write + c->n_network + c->n_execute + c->n_grants + 2,
		sizeof(*list));

	if (add_words(a, "fileSystemRead", "filesystem:read:", c->read, c->n_read, list, &n, e) <
		    0 ||
	    add_words(a, "fileSystemWrite", "filesystem:write:", c->write, c->n_write, list, &n,
		      e) < 0 ||
	    add_words(a, "network", "network:", c->network, c->n_network, list, &n, e) < 0)
		return err_wrap(e, "capabilities");
	if (c->n_execute && (!c->shell || *c->shell))
		return err_msg(e, EINVAL, "capabilities: execute: only beside \"shell\": false");
	if (c->shell && !*c->shell)
		list[n++] = "exec:deny";
	for (size_t i = 0; i < c->n_execute; i++)
		list[n++] = arena_printf(a, "exec:allow:%s", c->execute[i]);
	for (size_t i = 0; i < c->n_grants; i++)
		list[n++] = c->grants[i];
	out->grants = list;
	out->n_grants = n;
	return 0;
}
