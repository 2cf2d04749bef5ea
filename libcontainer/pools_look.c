/*
 * In which condition a member is: from its state, its lease and the kernel, each time anew.
 *
 *	its files say                              condition
 *	no state yet, or "creating"                making, half-made when its maker is gone
 *	a lease that holds                         leased, running
 *	its last lease is spent                    retired
 *	a journal                                  resetting
 *	taint; too old, too many uses              tainted; retired
 *	not parked, or its last lease was for      used
 *	this generation, or a verb touched it
 *	else                                       ready
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "pools_internal.h"
#include "reset.h"
#include "reuse.h"
#include "reuse_policy.h"
#include "status.h"
#include "store.h"
#include "touched.h"

enum { NS_PER_MS = 1000000 };

const char *const pool_conditions[] = {
	[POOL_READY] = "ready",     [POOL_LEASED] = "leased",       [POOL_RUNNING] = "running",
	[POOL_USED] = "used",       [POOL_RESETTING] = "resetting", [POOL_TAINTED] = "tainted",
	[POOL_RETIRED] = "retired", [POOL_HALF_MADE] = "half-made", [POOL_DAMAGED] = "damaged",
	[POOL_BUSY] = "making",     [POOL_GONE] = "gone",
};

/* Everything that is known of one. */
struct look {
	struct brig_state state;
	struct brig_lease lease;
	enum status status;
	bool locked; /* by the caller */
};

static enum pool_condition of_made(struct arena *a, int dir, const struct look *l,
				   struct pool_member *m)
{
	const struct state_reuse *u = l->state.reuse;
	struct brig_report report = {0};

	reset_taint(a, dir, NULL, &report);
	if (report.n_taint) {
		m->why = report.taint[0];
		return POOL_TAINTED;
	}
	m->why = reuse_retired(a, u, true);
	if (!m->why && l->status == STATUS_CREATED)
		m->why = reuse_idle(a, u);
	if (m->why)
		return POOL_RETIRED;
	if (l->status != STATUS_CREATED || faccessat(dir, STORE_GO, F_OK, 0) == 0 ||
	    (l->lease.v && l->lease.generation >= u->generation) || touched_by(a, dir, &l->state))
		return POOL_USED;
	uint64_t now = reuse_now_ns();
	m->parked_ms = now > u->generation_ns ? (now - u->generation_ns) / NS_PER_MS : 0;
	return POOL_READY;
}

static enum pool_condition of_state(struct arena *a, int dir, const struct look *l,
				    struct pool_member *m)
{
	const struct state_reuse *u = l->state.reuse;

	if (m->lease_ms)
		return l->status == STATUS_CREATED ? POOL_LEASED : POOL_RUNNING;
	if (l->lease.spent) {
		m->why = "it is spent";
		return POOL_RETIRED;
	}
	if (u->journal)
		return POOL_RESETTING;
	if (str_eq(l->state.status, "creating"))
		return l->locked || l->status != STATUS_CREATING ? POOL_HALF_MADE : POOL_BUSY;
	return of_made(a, dir, l, m);
}

static enum pool_condition damaged(struct arena *a, struct pool_member *m, const struct err *e)
{
	m->why = arena_strdup(a, e->msg);
	return POOL_DAMAGED;
}

void pools_look(const struct pools *p, int dir, bool locked, struct pool_member *m)
{
	struct arena *a = p->arena;
	struct look l = {.locked = locked};
	struct stat st;
	struct err e;

	*m = (struct pool_member){.id = m->id, .serial = m->serial};
	int r = store_load(dir, a, &l.state, &e);
	if (fstat(dir, &st) < 0 || st.st_nlink == 0) {
		m->condition = POOL_GONE;
		return;
	}
	if (r < 0) {
		bool made = pools_reserved(p, m->serial) || (!locked && store_is_locked(dir));

		m->condition = r != -ENOENT ? damaged(a, m, &e) : made ? POOL_BUSY : POOL_HALF_MADE;
		/* Of a container that is being made by its own name, which looks like ours. */
		if (r == -ENOENT && m->serial > p->pool.serial)
			m->condition = POOL_GONE;
		return;
	}
	const struct state_reuse *u = l.state.reuse;
	if (!u || !str_eq(u->pool, p->name)) {
		m->condition = POOL_GONE;
		return;
	}
	m->generation = u->generation;
	m->uses = u->uses;
	if (lease_read(a, dir, &l.lease, &e) < 0) {
		m->condition = damaged(a, m, &e);
		return;
	}
	if (l.state.audit) {
		struct brig_state *s = arena_new(a, sizeof(*s));

		*s = l.state;
		m->audited = s;
	}
	m->key = l.lease.key;
	m->holder = l.lease.holder;
	/* A part of one is one: it holds. */
	m->lease_ms = (lease_valid_ns(&l.lease) + NS_PER_MS - 1) / NS_PER_MS;
	m->has_lease = l.lease.token;
	m->lease_ns = l.lease.acquired_ns;
	m->had_lease = l.lease.v;
	l.status = status_of(dir, &l.state, NULL);
	m->condition = of_state(a, dir, &l, m);
}

static int by_serial(const void *x, const void *y)
{
	const struct pool_member *a = x, *b = y;

	return a->serial < b->serial ? -1 : a->serial > b->serial;
}

static void add(struct arena *a, struct pool_member **list, size_t *n, const struct pool_member *m)
{
	/* Room is always a power of two: full is seen by the count alone. */
	if ((*n & (*n - 1)) == 0) {
		struct pool_member *more = arena_array(a, *n ? *n * 2 : 1, sizeof(*more));

		if (*n)
			memcpy(more, *list, *n * sizeof(*more));
		*list = more;
	}
	(*list)[(*n)++] = *m;
}

int pools_members(const struct pools *p, struct pool_member **out, size_t *n, struct err *e)
{
	struct dirent *de;

	*out = NULL;
	*n = 0;
	own_dir DIR *d = opendir(p->host->root);
	if (!d)
		return err_set(e, errno, "state root %s", p->host->root);
	while ((de = readdir(d))) {
		struct pool_member m = {0};

		if (!pool_member_id(p->name, de->d_name, &m.serial))
			continue;
		own_fd int dir = openat(dirfd(d), de->d_name,
					O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir < 0)
			continue;
		m.id = arena_strdup(p->arena, de->d_name);
		pools_look(p, dir, false, &m);
		if (m.condition != POOL_GONE)
			add(p->arena, out, n, &m);
	}
	if (*n)
		qsort(*out, *n, sizeof(**out), by_serial);
	return 0;
}

int pools_take(const struct pools *p, struct pool_member *m, struct err *e)
{
	own_fd int dir = store_open(p->host, m->id, STORE_UNLOCKED, e);

	if (dir < 0)
		return dir;
	if (flock(dir, LOCK_EX | LOCK_NB) < 0)
		return err_msg(e, EBUSY, "container %s: another command works on it", m->id);
	pools_look(p, dir, true, m);
	if (m->condition == POOL_GONE)
		return err_msg(e, ENOENT, "container does not exist: %s", m->id);
	return take_fd(&dir);
}

bool pools_fits(const struct pool_member *m, const char *key, bool cross_tenant)
{
	if (cross_tenant || !m->had_lease)
		return true;
	return key ? str_eq(key, m->key) : !m->key;
}
