/* start --egress: of what its plan lets a sandbox reach, less. */
#include <errno.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "grant_internal.h"
#include "late.h"
#include "specs/egress.h"
#include "store.h"

static const char *const nothing = "none";

static int read_plan(struct arena *a, int dir, struct egress_policy *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, dir, STORE_EGRESS, STORE_EGRESS_MAX, &text, &len, e);

	return r < 0 ? r : egress_parse(a, text, len, out, e);
}

static bool has(const struct egress_policy *p, const char *text)
{
	for (size_t i = 0; i < p->n_grants; i++)
		if (str_eq(p->grants[i].text, text))
			return true;
	return false;
}

/*
 * One of the plan's by its text, words and all: part of one would have to be given anew, and who
 * gives it now is not who stands behind the plan's.
 */
static int keep(struct arena *a, struct late *l, const struct egress_policy *p, const char *text,
		enum container_answer *answer, struct err *e)
{
	struct egress_grant g = {0};

	if (egress_grant_parse(a, text, &g, e) < 0)
		return err_wrap(e, "--egress");
	if (!has(p, g.text)) {
		*answer = ANSWER_REFUSED;
		return err_msg(e, EPERM, "--egress %s: none of the grants of its plan", g.text);
	}
	l->kept[l->n_kept++] = g.text;
	return 0;
}

static bool is_kept(const struct late *l, const char *text)
{
	for (size_t i = 0; i < l->n_kept; i++)
		if (str_eq(l->kept[i], text))
			return true;
	return false;
}

int late_egress_plan(struct arena *a, struct late *l, const struct container_start_opts *o,
		     const struct brig_state *s, int dir, enum container_answer *answer,
		     struct err *e)
{
	struct egress_policy p;
	bool none = o->n_egress == 1 && str_eq(o->egress[0], nothing);

	if (!o->n_egress)
		return 0;
	if (!s->egress || !s->resolver_pid) {
		*answer = ANSWER_REFUSED;
		return err_msg(e, EOPNOTSUPP,
			       "--egress: it has no grants of its own that could be less");
	}
	if (read_plan(a, dir, &p, e) < 0)
		return err_wrap(e, STORE_EGRESS);
	l->kept = arena_array(a, o->n_egress, sizeof(*l->kept));
	for (size_t i = 0; i < o->n_egress && !none; i++)
		if (keep(a, l, &p, o->egress[i], answer, e) < 0)
			return -e->code;
	l->taken = arena_array(a, p.n_grants + 1, sizeof(*l->taken));
	for (size_t i = 0; i < p.n_grants; i++)
		if (!is_kept(l, p.grants[i].text))
			l->taken[l->n_taken++] = p.grants[i].text;
	return 0;
}

int late_egress(const struct container_host *h, struct arena *a, const struct late *l,
		const struct brig_state *s, int dir, struct err *e)
{
	struct change c = {.arena = a, .host = h, .id = s->id, .dir = dir, .state = *s};

	for (size_t i = 0; i < l->n_taken; i++) {
		int r = grant_network_take(&c, l->taken[i], e);

		/* While it was parked the time of one may have run out. */
		if (r < 0 && r != -ENOENT)
			return err_wrap(e, "--egress");
	}
	return 0;
}
