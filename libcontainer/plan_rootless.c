/* Levels without the rights of the host's root: docs/levels.md, Hosts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "ns/subid.h"
#include "plan.h"

/* --- ids ---------------------------------------------------------------------------------- */

static void note(struct arena *a, struct plan_level *l, const char *field, const char *value,
		 const char *asked, enum policy_outcome outcome, const char *reason)
{
	const struct policy_decision d = {field, value, BY_HOST, asked, outcome, reason};

	policy_note(a, &l->policy, &d);
}

/*
 * The process's own id is the caller; nobody else is there.  Without a right to setgroups the
 * caller's own additional groups stay, which are nobody's inside.
 */
static void single_id(struct arena *a, struct plan_level *l, struct plan *p, struct oci_linux *c,
		      const char *why)
{
	struct oci_process *process = arena_new(a, sizeof(*process));
	struct oci_id_mapping *m = arena_array(a, 2, sizeof(*m));
	const struct oci_user *u = &p->config.process->user;

	m[0] = (struct oci_id_mapping){u->uid, geteuid(), 1};
	m[1] = (struct oci_id_mapping){u->gid, getegid(), 1};
	c->uid_mappings = &m[0];
	c->gid_mappings = &m[1];
	c->n_uid_mappings = c->n_gid_mappings = 1;
	note(a, l, "ids", arena_printf(a, "a single id: %u is user %u", u->uid, geteuid()),
	     l->policy.level.ids, OUTCOME_RECORDED, why);
	if (!u->n_additional_gids)
		return;
	*process = *p->config.process;
	process->user.additional_gids = NULL;
	process->user.n_additional_gids = 0;
	p->config.process = process;
	note(a, l, "process.user.additionalGids", "(none)",
	     arena_printf(a, "%zu", u->n_additional_gids), OUTCOME_CUT,
	     "a single id has no further groups");
}

static int range_of_ids(struct arena *a, struct plan_level *l, const struct plan *p,
			const struct subid *s, struct oci_linux *c, struct err *e)
{
	const struct oci_user *u = &p->config.process->user;
	bool all = !str_eq(l->policy.level.ids, "needed");
	uint32_t *gids = arena_array(a, u->n_additional_gids + 1, sizeof(*gids));

	gids[0] = u->gid;
	if (u->n_additional_gids)
		memcpy(gids + 1, u->additional_gids, u->n_additional_gids * sizeof(*gids));
	if (subid_lines(a, geteuid(), &s->uids, all, &u->uid, 1, &c->uid_mappings,
			&c->n_uid_mappings, e) < 0 ||
	    subid_lines(a, getegid(), &s->gids, all, gids, u->n_additional_gids + 1,
			&c->gid_mappings, &c->n_gid_mappings, e) < 0)
		return -e->code;
	note(a, l, "ids",
	     arena_printf(a, "0 is user %u, others are of %u-%u", geteuid(), s->uids.first,
			  s->uids.first + s->uids.count - 1),
	     l->policy.level.ids, OUTCOME_RECORDED, "the subordinate range of a plain user");
	return 0;
}

static bool joins_user_namespace(const struct oci_linux *l)
{
	for (size_t i = 0; l && i < l->n_namespaces; i++)
		if (str_eq(l->namespaces[i].type, "user") && l->namespaces[i].path &&
		    *l->namespaces[i].path)
			return true;
	return false;
}

/* root in a user namespace with nothing but its own id (unshare -Ur) has no range to give. */
static bool has_range(const struct plan *p, const struct policy_facts *f)
{
	return p->privileged && !(p->nested && f->own_ids == 1);
}

int plan_rootless_ids(struct arena *a, struct plan_level *l, const struct policy_facts *f,
		      struct plan *p, struct err *e)
{
	const struct oci_linux *given = p->config.linux_;
	struct oci_linux *c = arena_new(a, sizeof(*c));
	struct subid s;

	if (has_range(p, f) || str_eq(l->policy.level.ids, "config") ||
	    joins_user_namespace(given) ||
	    (given && (given->n_uid_mappings || given->n_gid_mappings)))
		return 0;
	s = (struct subid){.missing = "the user namespace around it has no other id"};
	if (!p->privileged && subid_read(a, "/etc", &s, e) < 0)
		return -e->code;
	if (given)
		*c = *given;
	if (s.missing)
		single_id(a, l, p, c, s.missing);
	else if (range_of_ids(a, l, p, &s, c, e) < 0)
		return -e->code;
	p->config.linux_ = c;
	return 0;
}

/* --- CPUs --------------------------------------------------------------------------------- */

/* Sandboxes of others are not seen in a book of one's own: their CPUs count as free. */
const char *plan_pin_directory(struct arena *a, const struct admin *admin, bool rootless,
			       const char *state_root)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (!rootless)
		return admin->cpu_directory ? admin->cpu_directory : "/run/brig-cpus";
	if (runtime && runtime[0] == '/')
		return arena_printf(a, "%s/brig-cpus", runtime);
	return arena_printf(a, "%s-cpus", state_root);
}

/* --- cgroups ------------------------------------------------------------------------------ */

/* In an engine's user namespace brig is root: what it has to be given is for who that is outside.
 */
static unsigned int outer_uid(const struct plan *p)
{
	own_arena struct arena scratch = {0};
	struct err unreadable;
	uint32_t uid = geteuid(), host;
	struct idmap own;

	if (p->nested && idmap_read(&scratch, getpid(), &own, &unreadable) == 0 &&
	    idmap_uid_to_host(&own, uid, &host))
		uid = host;
	return uid;
}

int plan_level_cgroup_error(const struct plan *p, struct err *e)
{
	static const char
		v2[] = "start it by systemd-run --user --scope -p Delegate=yes, or in a "
		       "cgroup whose parent was handed over to user",
		v1[] = "start it in a directory of each hierarchy that was handed over to "
		       "user";
	const char *level = p->level->policy.level.name;
	const struct err was = *e;

	if (!p->rootless)
		return err_wrap(e, "level %s needs its limits in force", level);
	return err_msg(e, was.code, "level %s needs a cgroup: %.280s; %s %u", level, was.msg,
		       p->cgroup_host.layout == CGROUP_V2 ? v2 : v1, outer_uid(p));
}
