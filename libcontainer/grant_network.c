/* grant and revoke of the network: the resolver does it, and the record of it. */
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "container.h"
#include "grant_internal.h"
#include "policy/policy.h"
#include "resolver.h"
#include "specs/admin.h"
#include "specs/egress_ceiling.h"
#include "store.h"

/* --- what is asked for ---------------------------------------------------------------------- */

/* Of who administers the host: it holds whatever the sandbox was started with. */
static int check_ceiling(const struct change *c, const struct egress_grant *g, struct err *e)
{
	struct admin admin = {0};
	int r = policy_admin_load(c->arena, c->host->system_config, &admin, e);

	if (r < 0 || !admin.egress.ceiling)
		return r;
	struct egress_ceiling *all =
		arena_array(c->arena, admin.egress.n_ceiling + 1, sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < admin.egress.n_ceiling && r == 0; i++)
		if (!str_eq(admin.egress.ceiling[i], "none"))
			r = egress_ceiling_parse(c->arena, admin.egress.ceiling[i], &all[n++], e);
	if (r < 0)
		return err_wrap(e, "egress: ceiling");
	const char *why = egress_ceiling_refuses(c->arena, all, n, g);
	return why ? err_msg(e, ERANGE, "%s: beyond the administrator's ceiling: %s", g->text, why)
		   : 0;
}

/* --- the record ----------------------------------------------------------------------------- */

static int read_record(const struct change *c, struct egress_policy *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(c->arena, c->dir, STORE_EGRESS, STORE_EGRESS_MAX, &text, &len, e);

	if (r == -ENOENT)
		return err_msg(e, EOPNOTSUPP,
			       "container %s was started without grants: nothing can be granted "
			       "to it",
			       c->id);
	if (r < 0)
		return r;
	r = egress_parse(c->arena, text, len, out, e);
	return r < 0 ? err_wrap(e, STORE_EGRESS) : 0;
}

/* What holds is what the resolver has said; that it is not written down is told, too. */
static int write_record(const struct change *c, const struct egress_policy *p, struct err *e)
{
	size_t len;
	const char *text = egress_print(c->arena, p, &len);
	int r = file_replace(c->dir, STORE_EGRESS, text, len, 0600, e);

	return r < 0 ? err_wrap(e, "it holds, but is not recorded") : 0;
}

static int record_grant(const struct change *c, const struct egress_grant *new, struct err *e)
{
	struct egress_policy p;
	struct egress_grant *grants;
	int r = read_record(c, &p, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p.n_grants; i++)
		if (p.grants[i].id == new->id)
			return 0;
	grants = arena_array(c->arena, p.n_grants + 1, sizeof(*grants));
	memcpy(grants, p.grants, p.n_grants * sizeof(*grants));
	grants[p.n_grants++] = *new;
	p.grants = grants;
	return write_record(c, &p, e);
}

static int record_revoke(const struct change *c, struct err *e)
{
	struct egress_policy p;
	struct egress_grant *grants;
	size_t n = 0;
	int r = read_record(c, &p, e);

	if (r < 0)
		return r;
	grants = arena_array(c->arena, p.n_grants + 1, sizeof(*grants));
	for (size_t i = 0; i < p.n_grants; i++)
		if (!egress_is_meant(&p.grants[i], c->text))
			grants[n++] = p.grants[i];
	p.grants = grants;
	p.n_grants = n;
	return write_record(c, &p, e);
}

/* --- the verbs ------------------------------------------------------------------------------ */

int grant_network_give(struct change *c, const char *text, struct err *e)
{
	struct egress_grant g = {0};
	struct egress_policy had;
	int r = egress_grant_parse(c->arena, text, &g, e);

	c->text = text;
	if (r < 0)
		return r;
	if (read_record(c, &had, e) < 0 || check_ceiling(c, &g, e) < 0)
		return -e->code;
	g.backing = egress_backing_by_caller(&g);
	r = resolver_grant(c->dir, c->text, &g.id, e);
	return r < 0 ? r : record_grant(c, &g, e);
}

int grant_network_take(struct change *c, const char *text, struct err *e)
{
	struct egress_policy had;
	uint32_t n;

	c->text = text;
	if (read_record(c, &had, e) < 0)
		return -e->code;
	int r = resolver_revoke(c->dir, c->text, &n, e);
	/* One that had run out is in the record still. */
	if (r < 0 && r != -ENOENT)
		return r;
	struct err why;
	int w = record_revoke(c, r < 0 ? &why : e);
	return r < 0 ? r : w;
}
