/* What may leave and what may come in: wishes within the ceilings, and what brig.json adds. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/policy.h"
#include "policy/wishes.h"
#include "specs/egress_ceiling.h"

enum { MAX_INGRESS = 64, MAX_ROWS = 64, SHOWN_TEXTS = 16 };

struct merge {
	struct arena *a;
	struct policy *p;
	enum policy_source by;
	const char *who;
	size_t cut; /* rows so far */
};

struct ceiling {
	struct egress_ceiling *list;
	size_t n;
	bool bounded;     /* false: nobody set one */
	const char *name; /* where it is from, for reasons */
};

static void note(const struct merge *m, const char *field, enum policy_outcome outcome,
		 const char *value, const char *asked, const char *reason)
{
	policy_note(m->a, m->p,
		    &(struct policy_decision){field, value, m->by, asked, outcome,
					      arena_printf(m->a, "%s: %s", m->who, reason)});
}

static int refuse(const struct merge *m, const char *what, struct err *e)
{
	return err_msg(e, EPERM, "level \"%s\": %s: %s", m->p->level.name, m->who, what);
}

/* A sandbox with tens of thousands of wrong wishes has one row for the most of them. */
static void cut(struct merge *m, const char *field, const char *asked, const char *reason)
{
	if (m->cut < MAX_ROWS)
		note(m, field, OUTCOME_CUT, "closed", asked, reason);
	else if (m->cut == MAX_ROWS)
		note(m, field, OUTCOME_CUT, "closed", "more of them", reason);
	m->cut++;
}

/* --- outward ------------------------------------------------------------------------------ */

static int read_ceiling(const struct merge *m, struct ceiling *out, struct err *e)
{
	const struct admin_egress *g = &m->p->admin.egress;
	int high;

	out->list = arena_array(m->a, g->n_ceiling + 1, sizeof(*out->list));
	out->bounded = true;
	if (g->ceiling) {
		out->name = "beyond the ceiling of brig.json";
		for (size_t i = 0; i < g->n_ceiling; i++)
			if (!str_eq(g->ceiling[i], "none") &&
			    egress_ceiling_parse(m->a, g->ceiling[i], &out->list[out->n++], e) < 0)
				return err_wrap(e, "brig.json: egress: ceiling[%zu]", i);
		return 0;
	}
	out->bounded = m->by != BY_FLAG && !m->p->custom;
	if (!out->bounded)
		return 0;
	high = policy_at_least(m->a, &m->p->admin, m->p->level.name, "high", e);
	if (high < 0)
		return high;
	out->name = arena_printf(m->a, "beyond the ceiling of level \"%s\"", m->p->level.name);
	if (high)
		out->name =
			arena_printf(m->a, "%s (egress.ceiling of brig.json opens it)", out->name);
	else
		out->list[out->n++] = (struct egress_ceiling){.kind = EGRESS_CEILING_PUBLIC};
	return 0;
}

/* "private" is the last word of a grant's text. */
static void make_public(const struct merge *m, struct egress_grant *g)
{
	g->private_ = false;
	g->text = arena_strndup(m->a, g->text, strlen(g->text) - strlen(" private"));
}

/* What the administrator closes within an entry of his ceiling stays closed: said, if all of g is
 * that. */
static void note_never(const struct merge *m, const struct egress_grant *g)
{
	const struct admin_egress *admin = &m->p->admin.egress;
	struct egress_address never;
	struct err not_one;

	for (size_t i = 0; i < admin->n_never; i++)
		if (egress_address_parse(admin->never[i], &never, &not_one) == 0 &&
		    never.prefix > g->named.prefix && egress_address_within(&g->named, &never) &&
		    egress_address_within(&never, &g->address))
			note(m, "network.grants", OUTCOME_CUT, "closed", g->text,
			     arena_printf(m->a,
					  "egress.never of brig.json has %s, which the entry %s of "
					  "the ceiling does not name",
					  admin->never[i], egress_address_text(m->a, &g->named)));
}

/*
 * Who stands behind a grant.  A range that only takes in one that is never reached does not open
 * it: 0.0.0.0/0 is what is public, whoever says it.
 */
static void back(const struct merge *m, const struct ceiling *c, struct egress_grant *g)
{
	const struct egress_never_row *row = g->name ? NULL : egress_never_row_in(&g->address);
	bool trusted = m->by == BY_FLAG || m->by == BY_ADMIN || m->p->custom;

	if (row && trusted)
		note(m, "network.grants", OUTCOME_RECORDED, g->text, NULL,
		     arena_printf(m->a,
				  "%s (%s) lies in it, which is never opened with a wider range: "
				  "whatever is never reached stays closed",
				  row->range, row->what));
	const struct egress_ceiling *by = trusted ? NULL : egress_ceiling_backer(c->list, c->n, g);
	g->backing = !row && (trusted || by) ? EGRESS_BACKED : EGRESS_ASKED;
	if (by && !g->name && g->backing == EGRESS_BACKED) {
		g->named = by->grant.address;
		note_never(m, g);
	}
	if (!g->private_ || g->backing == EGRESS_BACKED)
		return;
	const char *asked = g->text;
	make_public(m, g);
	note(m, "network.grants", OUTCOME_CUT, g->text, asked,
	     "private addresses are for an entry with \"private\" in the ceiling of brig.json");
}

static void note_zone(const struct merge *m, const struct egress_grant *g)
{
	const char *zone = egress_shared_zone(g);

	if (zone)
		note(m, "network.grants", OUTCOME_RECORDED, g->text, NULL,
		     arena_printf(m->a,
				  "anybody can have a name below %s, and read what is asked "
				  "for there",
				  zone));
}

/* Grants that hold, a few of them by name. */
static void note_grants(const struct merge *m, const struct egress_grant *g, size_t n)
{
	const char *text = "";

	if (!n)
		return;
	for (size_t i = 0; i < n && i < SHOWN_TEXTS; i++)
		text = arena_printf(m->a, "%s%s%s", text, i ? ", " : "", g[i].text);
	if (n > SHOWN_TEXTS)
		text = arena_printf(m->a, "%s and %zu more", text, n - SHOWN_TEXTS);
	policy_note(m->a, m->p,
		    &(struct policy_decision){"network.grants", text, m->by, NULL, OUTCOME_SET,
					      m->who});
}

static int add_grants(struct merge *m, const struct ceiling *c, const char *const *texts, size_t n,
		      struct err *e)
{
	struct policy_network *w = &m->p->network;
	struct egress_grant *list = arena_array(m->a, w->n_grants + n + 1, sizeof(*list));
	size_t had = w->n_grants;

	if (had + n > EGRESS_MAX_GRANTS)
		return refuse(m, arena_printf(m->a, "more than %d grants", EGRESS_MAX_GRANTS), e);
	if (had)
		memcpy(list, w->grants, had * sizeof(*list));
	w->grants = list;
	for (size_t i = 0; i < n; i++) {
		struct egress_grant *g = &list[w->n_grants];

		if (egress_grant_parse(m->a, texts[i], g, e) < 0)
			return refuse(m, arena_strdup(m->a, e->msg), e);
		const char *why =
			c->bounded ? egress_ceiling_refuses(m->a, c->list, c->n, g) : NULL;
		if (why)
			why = arena_printf(m->a, "%s: %s", c->name, why);
		if (why && m->by == BY_FLAG)
			return refuse(m, arena_printf(m->a, "%s: %s", g->text, why), e);
		if (why) {
			cut(m, "network.grants", g->text, why);
			continue;
		}
		back(m, c, g);
		note_zone(m, g);
		w->n_grants++;
	}
	note_grants(m, list + had, w->n_grants - had);
	return 0;
}

/* --- inward ------------------------------------------------------------------------------- */

static bool from_covers(const struct egress_ingress *may, const struct egress_ingress *asked)
{
	if (may->from == EGRESS_FROM_ANY)
		return true;
	if (may->from != asked->from)
		return false;
	return may->from == EGRESS_FROM_NODE ||
	       egress_address_within(&may->address, &asked->address);
}

/* NULL: nobody set one. */
static struct egress_ingress *ingress_ceiling(const struct merge *m, size_t *n, struct err *e)
{
	const struct admin_ingress *g = &m->p->admin.ingress;
	struct egress_ingress *list = arena_array(m->a, g->n_ceiling + 1, sizeof(*list));

	*n = 0;
	if (!g->ceiling) {
		if (m->by == BY_FLAG || m->p->custom)
			return NULL;
		list[(*n)++].from = EGRESS_FROM_NODE;
		return list;
	}
	for (size_t i = 0; i < g->n_ceiling; i++) {
		struct egress_ingress *in = &list[*n];

		/* The file was checked when it was read. */
		if (!str_eq(g->ceiling[i], "none") &&
		    egress_from_parse(g->ceiling[i], &in->from, &in->address, e) == 0)
			(*n)++;
	}
	return list;
}

static int add_rule(const struct merge *m, const struct egress_ingress *in, struct err *e)
{
	struct policy_network *w = &m->p->network;
	struct egress_ingress *list = arena_array(m->a, w->n_ingress + 1, sizeof(*list));

	if (w->n_ingress == MAX_INGRESS)
		return refuse(m, arena_printf(m->a, "more than %d rules", MAX_INGRESS), e);
	if (w->n_ingress)
		memcpy(list, w->ingress, w->n_ingress * sizeof(*list));
	list[w->n_ingress++] = *in;
	w->ingress = list;
	return 0;
}

/* From anybody, where only some may: from those. */
static int narrow(struct merge *m, const struct egress_ingress *in,
		  const struct egress_ingress *may, size_t n, struct err *e)
{
	const char *asked = egress_ingress_text(m->a, in);

	for (size_t i = 0; i < n && in->from == EGRESS_FROM_ANY; i++) {
		struct egress_ingress rule = *in;

		rule.from = may[i].from;
		rule.address = may[i].address;
		if (add_rule(m, &rule, e) < 0)
			return -e->code;
		note(m, "network.ingress", OUTCOME_CUT, egress_ingress_text(m->a, &rule), asked,
		     "ingress.ceiling of brig.json (default: node) lets nobody else in");
	}
	if (!n || in->from != EGRESS_FROM_ANY)
		cut(m, "network.ingress", asked,
		    "ingress.ceiling of brig.json (default: node) does not have it");
	return 0;
}

static int add_ingress(struct merge *m, const char *text, struct err *e)
{
	struct egress_ingress in;
	bool covered = false;
	size_t n;

	if (egress_ingress_parse(m->a, text, &in, e) < 0)
		return refuse(m, arena_strdup(m->a, e->msg), e);
	const struct egress_ingress *may = ingress_ceiling(m, &n, e);
	for (size_t i = 0; may && i < n; i++)
		covered = covered || from_covers(&may[i], &in);
	if (may && !covered && m->by == BY_FLAG)
		return refuse(m,
			      arena_printf(m->a, "%s: beyond ingress.ceiling of brig.json",
					   egress_ingress_text(m->a, &in)),
			      e);
	if (may && !covered)
		return narrow(m, &in, may, n, e);
	if (add_rule(m, &in, e) < 0)
		return -e->code;
	policy_note(m->a, m->p,
		    &(struct policy_decision){"network.ingress", egress_ingress_text(m->a, &in),
					      m->by, NULL, OUTCOME_SET, m->who});
	return 0;
}

/* --- limits ------------------------------------------------------------------------------- */

static void take_limits(const struct merge *m, const struct policy_wishes *w)
{
	struct policy_network *n = &m->p->network;
	const struct {
		const char *field;
		const uint64_t *asked;
		uint64_t *to;
	} rows[] = {
		{"network.total",     w->net_conns,     &n->total    },
		{"network.bytes",     w->net_bytes,     &n->bytes    },
		{"network.bandwidth", w->net_bandwidth, &n->bandwidth},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		if (!rows[i].asked || (*rows[i].to && *rows[i].to <= *rows[i].asked))
			continue;
		*rows[i].to = *rows[i].asked;
		policy_note(m->a, m->p,
			    &(struct policy_decision){
				    rows[i].field,
				    arena_printf(m->a, "%llu", (unsigned long long)*rows[i].asked),
				    m->by, NULL, OUTCOME_SET,
				    wishes_who(m->a, m->by, rows[i].field)});
	}
}

/* --- all ---------------------------------------------------------------------------------- */

int network_merge(struct arena *a, struct policy *p, const struct policy_wishes *w,
		  enum policy_source by, struct err *e)
{
	struct merge m = {a, p, by, wishes_who(a, by, "network.grants"), 0};
	struct ceiling c = {0};
	int r = 0;

	p->network.asked = p->network.asked || w->egress;
	p->network.asked_ingress = p->network.asked_ingress || w->n_ingress || w->no_ingress;
	if (w->n_egress) {
		r = read_ceiling(&m, &c, e);
		if (r == 0)
			r = add_grants(&m, &c, w->egress, w->n_egress, e);
	}
	m.who = wishes_who(a, by, "network.ingress");
	m.cut = 0;
	for (size_t i = 0; r == 0 && i < w->n_ingress; i++)
		r = add_ingress(&m, w->ingress[i], e);
	if (r == 0)
		take_limits(&m, w);
	return r;
}

/* By text; of the same text the one that somebody stands behind first. */
static int by_text(const void *x, const void *y)
{
	const struct egress_grant *a = x, *b = y;
	int r = strcmp(a->text, b->text);

	return r ? r : (a->backing < b->backing) - (a->backing > b->backing);
}

int network_finish(struct arena *a, struct policy *p, struct err *e)
{
	struct merge m = {a, p, BY_ADMIN, "brig.json: egress: allow", 0};
	const struct admin_egress *g = &p->admin.egress;
	const struct ceiling none = {0};
	struct policy_network *w = &p->network;
	struct egress_grant *list;
	size_t n = 0;

	/* Where everything is open one more grant would close the rest. */
	if (g->n_allow && (w->n_grants || str_eq(p->level.network.egress, "deny")) &&
	    add_grants(&m, &none, g->allow, g->n_allow, e) < 0)
		return -e->code;
	if (!w->n_grants)
		return 0;
	list = arena_array(a, w->n_grants, sizeof(*list));
	memcpy(list, w->grants, w->n_grants * sizeof(*list));
	qsort(list, w->n_grants, sizeof(*list), by_text);
	for (size_t i = 0; i < w->n_grants; i++)
		if (!n || !str_eq(list[n - 1].text, list[i].text))
			list[n++] = list[i];
	w->grants = list;
	w->n_grants = n;
	return 0;
}
