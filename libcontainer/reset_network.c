/* What a reset does to the network between two generations.  docs/reuse.md */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/own.h"
#include "cgroup/cgroup.h"
#include "net/conntrack.h"
#include "net/veth.h"
#include "plan_egress.h"
#include "pool/scrub.h"
#include "reset.h"

bool reset_has_veth(const void *ctx)
{
	return create_has_veth(&((const struct reset *)ctx)->create);
}

/* Of the shell: it was planned from the same pool, or the reset was refused. */
static int slot_of(struct reset *r, struct veth_slot *out, struct err *e)
{
	return veth_slot_of(&r->create.plan.egress->veth, r->state.net_slot, out, e);
}

/*
 * It would go with its network namespace, some time after its last process, or not at all where
 * somebody holds that.  When this returns no packet of it is under way any more
 * (unregister_netdevice waits for that).
 */
int reset_remove_link(void *ctx, struct err *e)
{
	struct reset *r = ctx;
	struct veth_slot slot;

	if (create_load_mnl(&r->create, e) < 0 || slot_of(r, &slot, e) < 0)
		return -e->code;
	return veth_remove(&r->create.mnl, &slot, e);
}

/* Behind the device's end: nothing adds to them any more. */
int reset_forget_connections(void *ctx, struct err *e)
{
	struct reset *r = ctx;
	struct veth_slot slot;

	if (slot_of(r, &slot, e) < 0)
		return -e->code;
	const struct egress_address own[] = {slot.inside, slot.inside6};
	return conntrack_forget(own, slot.inside6.family ? 2 : 1, e);
}

/* --- a namespace that stays --------------------------------------------------------------------
 */

bool reset_joins(const void *ctx)
{
	return ((const struct reset *)ctx)->state.reuse->netns;
}

static int refuse(struct reset *r, const char *why, struct err *e)
{
	r->answer = ANSWER_REFUSED;
	r->report->refused = why;
	return err_msg(e, EKEYREJECTED, "container %s: %s", r->state.id, why);
}

/* By its path: the file may be another namespace's by now. */
static int open_joined(struct reset *r, struct err *e)
{
	const struct ns_plan *ns = &r->create.plan.ns;
	const char *path = NULL;
	struct stat st;

	for (size_t i = 0; i < ns->n_joins; i++)
		if (ns->joins[i].flag == CLONE_NEWNET)
			path = ns->joins[i].path;
	r->netns = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	if (r->netns < 0)
		return err_set(e, path ? errno : ENOENT, "network namespace %s", path ? path : "");
	if (fstat(r->netns, &st) < 0)
		return err_set(e, errno, "network namespace %s", path);
	return (uint64_t)st.st_ino == r->state.reuse->netns
		       ? 0
		       : refuse(r, "the network namespace that it joins is another one now", e);
}

/* 0 where the number has gone to another process. */
static pid_t helper(int64_t pid, uint64_t started)
{
	return pid > 0 && process_start_time((pid_t)pid) == started ? (pid_t)pid : 0;
}

/* Its processes, and what brig has beside them. */
static int own_processes(struct reset *r, struct scrub_own *out, struct err *e)
{
	pid_t *pids;
	size_t n;

	if (cgroup_pids(r->arena, r->cgroup, &pids, &n, e) < 0)
		return -e->code;
	pid_t *list = arena_array(r->arena, n + 3, sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = pids[i];
	list[n++] = (pid_t)r->state.pid;
	list[n++] = helper(r->state.resolver_pid, r->state.resolver_start_time);
	list[n++] = helper(r->state.warden_pid, r->state.warden_start_time);
	*out = (struct scrub_own){list, n};
	return 0;
}

int reset_check_joined(struct reset *r, struct err *e)
{
	struct scrub_own own;

	if (!reset_joins(r))
		return 0;
	if (open_joined(r, e) < 0)
		return -e->code;
	/* What a reset that was cut short has left ends by itself, and does not share it. */
	if (r->state.reuse->journal)
		return 0;
	if (own_processes(r, &own, e) < 0)
		return -e->code;
	int64_t pid = scrub_sharer(r->state.reuse->netns, &own, e);
	if (pid <= 0)
		return (int)pid;
	return refuse(r,
		      arena_printf(r->arena,
				   "%s has sockets in its network namespace, too: what is left "
				   "there could not be told apart",
				   scrub_name(r->arena, pid)),
		      e);
}

int reset_scrub_sockets(void *ctx, struct err *e)
{
	struct reset *r = ctx;
	int s = scrub(SCRUB_SOCKETS, r->netns, e);

	/* Nothing is lost: a next reset goes on from here. */
	if (s == -EBUSY)
		r->answer = ANSWER_BUSY;
	return s;
}

int reset_scrub_connections(void *ctx, struct err *e)
{
	return scrub(SCRUB_CONNECTIONS, ((struct reset *)ctx)->netns, e);
}

int reset_scrub_neighbours(void *ctx, struct err *e)
{
	return scrub(SCRUB_NEIGHBOURS, ((struct reset *)ctx)->netns, e);
}

int reset_scrub_routes(void *ctx, struct err *e)
{
	return scrub(SCRUB_ROUTES, ((struct reset *)ctx)->netns, e);
}

int reset_scrub_metrics(void *ctx, struct err *e)
{
	return scrub(SCRUB_METRICS, ((struct reset *)ctx)->netns, e);
}
