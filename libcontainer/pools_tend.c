/*
 * What is made of a member that is not as it should be.  Whoever comes does it; each of these may
 * be killed at any step:
 *
 *	step            what is left                    what the next caller does
 *	take back       a lease that ran out, or none   the same again
 *	spend           one that nobody gets            deletes it
 *	reset           the reset's journal             the reset rolls forward
 *	delete          half of it                      deletes it
 *	count           the counter is one behind       nothing
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "cgroup/cgroup.h"
#include "delete.h"
#include "evidence.h"
#include "lease_audit.h"
#include "pools_internal.h"
#include "specs/report.h"
#include "status.h"
#include "store.h"
#include "warden/warden.h"

struct tend {
	struct pools *p;
	struct pool_member *m;
	struct pool_counters count;
	bool spend, delete;
	bool patient; /* who works on it is waited for */
	bool moved;   /* somebody else was first */
};

static bool is_to_delete(enum pool_condition c)
{
	return c == POOL_TAINTED || c == POOL_RETIRED || c == POOL_HALF_MADE || c == POOL_DAMAGED;
}

/* That it ran out: its warden has told, where something ran then. */
static void tell_expired(const struct tend *t, int dir)
{
	struct arena *a = t->p->arena;
	struct warden_end end;
	struct brig_lease l;
	struct err ignored;

	if (!t->m->audited || !t->m->has_lease || lease_read(a, dir, &l, &ignored) < 0)
		return;
	if (warden_end_read(a, dir, &end, &ignored) < 0 || !str_eq(end.reason, "lease"))
		lease_told(t->m->audited, LEASE_EXPIRED, &l);
}

static bool is_held(enum pool_condition c)
{
	return c == POOL_LEASED || c == POOL_RUNNING || c == POOL_BUSY || c == POOL_GONE;
}

static int take_it(const struct tend *t, struct err *e)
{
	enum { WAIT_MS = 10000, STEP_MS = 2 };
	const struct timespec pause = {.tv_nsec = STEP_MS * 1000000};
	int dir = pools_take(t->p, t->m, e);

	for (int ms = 0; t->patient && dir == -EBUSY && ms < WAIT_MS; ms += STEP_MS) {
		(void)nanosleep(&pause, NULL);
		dir = pools_take(t->p, t->m, e);
	}
	return dir;
}

/* Behind its lock: whether it still is what it was, and nobody's from here on. */
static int take_back(void *ctx, struct err *e)
{
	struct tend *t = ctx;
	enum pool_condition seen = t->m->condition;
	own_fd int dir = take_it(t, e);

	/* Whatever has become of it, but for somebody's. */
	if (t->patient && dir >= 0 && !is_held(t->m->condition))
		seen = t->m->condition;
	t->moved = dir == -EBUSY || dir == -ENOENT || (dir >= 0 && t->m->condition != seen);
	if (dir < 0)
		return t->moved ? 0 : dir;
	if (t->moved)
		return 0;
	t->delete = t->spend || is_to_delete(seen);
	t->count.expired = t->m->has_lease;
	t->count.tainted = seen == POOL_TAINTED;
	t->count.retired = seen == POOL_RETIRED;
	/* One that has no state yet has nothing that could be given to anybody. */
	if (seen == POOL_HALF_MADE || (!t->delete &&!t->m->has_lease))
		return 0;
	tell_expired(t, dir);
	return lease_drop(t->p->arena, dir, t->m->generation ? t->m->generation : 1, t->delete, e);
}

static int remove_it(struct tend *t, struct err *e)
{
	const struct container_delete_opts o = {
		.id = t->m->id,
		.force = true,
		.keep_evidence = t->p->pool.evidence,
	};

	if (container_delete_with(&t->p->own, &o, e) < 0)
		return err_wrap(e, "delete %s", t->m->id);
	/* What was never whole was not counted either. */
	t->count.deleted = t->m->condition != POOL_HALF_MADE;
	return 0;
}

/* It could not be reset: nobody else may have done so meanwhile, and given it to somebody. */
static int replace(struct tend *t, struct err *e)
{
	own_fd int dir = pools_take(t->p, t->m, e);
	enum pool_condition now = t->m->condition;

	t->moved = dir < 0 || now == POOL_READY || now == POOL_LEASED || now == POOL_RUNNING;
	if (t->moved)
		return 0;
	int r = lease_drop(t->p->arena, dir, t->m->generation ? t->m->generation : 1, true, e);
	own_close(&dir);
	return r < 0 ? r : remove_it(t, e);
}

/* Whatever it cannot be made anew for, another can be made in its place. */
static int reset_it(struct tend *t, struct err *e)
{
	struct brig_report report;
	enum container_answer answer;
	struct err why;
	/* One whose reset was cut short is between two generations. */
	const struct pools_turn turn = {
		.id = t->m->id,
		.expect_gen = t->m->condition == POOL_USED ? &t->m->generation : NULL,
		.evidence = t->p->pool.evidence,
	};
	int r = pools_reset(&t->p->own, &turn, t->p->arena, &report, &answer, &why);

	t->moved = r < 0 && (answer == ANSWER_BUSY || answer == ANSWER_NOT_ALLOWED);
	t->count.reset = r == 0;
	if (r == 0 || t->moved)
		return 0;
	log_warn("pool %s: %s is replaced: %s", t->p->name, t->m->id, why.msg);
	t->count.tainted = report.v && report.n_taint;
	t->count.retired = !t->count.tainted;
	return replace(t, e);
}

static int renew(void *ctx, struct err *e)
{
	struct tend *t = ctx;

	if (t->moved)
		return 0;
	return t->delete ? remove_it(t, e) : reset_it(t, e);
}

static int count(void *ctx, struct err *e)
{
	struct tend *t = ctx;

	(void)e;
	if (!t->moved)
		pools_count(t->p, &t->count);
	return 0;
}

static const struct step steps[] = {
	{"take back", NULL, take_back, NULL, STEP_PLAIN},
	{"renew",     NULL, renew,     NULL, STEP_PLAIN},
	{"count",     NULL, count,     NULL, STEP_PLAIN},
};

static int retire(struct pools *p, struct pool_member *m, bool patient, struct err *e)
{
	struct tend t = {.p = p, .m = m, .spend = true, .patient = patient};

	if (is_held(m->condition))
		return 0;
	int r = steps_run("pool tend", steps, LEN(steps), &t, e);
	return r < 0 ? r : !t.moved;
}

int pools_retire(struct pools *p, struct pool_member *m, struct err *e)
{
	return retire(p, m, false, e);
}

int pools_drain(struct pools *p, struct pool_member *m, struct err *e)
{
	return retire(p, m, true, e);
}

/*
 * Asked behind the reset: a drain that came before has written its word, one that comes after finds
 * it ready.
 */
int pools_leave(struct pools *p, struct pool_member *m, struct err *e)
{
	own_fd int dir = -1;

	if (pools_load(p, e) < 0)
		return -e->code;
	if (!p->pool.draining)
		return 0;
	dir = pools_take(p, m, e);
	if (dir < 0 || m->condition != POOL_READY)
		return 0;
	own_close(&dir);
	return pools_retire(p, m, e);
}

int pools_tend(struct pools *p, struct pool_member *m, struct err *e)
{
	struct tend t = {.p = p, .m = m};
	struct err ignored;

	if (!is_to_delete(m->condition) && m->condition != POOL_USED &&
	    m->condition != POOL_RESETTING)
		return 0;
	if (m->condition == POOL_DAMAGED)
		log_warn("pool %s: %s is replaced: %s", p->name, m->id, m->why);
	int r = steps_run("pool tend", steps, LEN(steps), &t, e);
	if (r == 0 && t.count.reset && pools_leave(p, m, &ignored) < 0)
		log_debug("%s", ignored.msg);
	return r < 0 ? r : !t.moved;
}

/* --- killall -------------------------------------------------------------------------------- */

struct revoke {
	struct pools *p;
	struct pool_member *m;
	int dir; /* locked, -1 */
	struct brig_state state;
};

/* Its holder may have it from after killall began: that one is not meant. */
static bool is_later(const struct revoke *v)
{
	return v->m->lease_ms && v->m->lease_ns > v->p->began_ns;
}

static int take_lease(void *ctx, struct err *e)
{
	struct revoke *v = ctx;
	struct arena *a = v->p->arena;
	/* Whose it was nobody can tell: nobody gets it. */
	bool spent = v->m->condition == POOL_DAMAGED;
	struct brig_lease l = {0};
	struct err ignored;

	if (lease_read(a, v->dir, &l, &ignored) < 0)
		log_warn("%s: %s", v->m->id, ignored.msg);
	if (lease_drop(a, v->dir, v->m->generation ? v->m->generation : 1, spent, e) < 0)
		return -e->code;
	if (v->m->lease_ms)
		lease_told(&v->state, LEASE_REVOKED, &l);
	return 0;
}

/* Behind the lock still: nobody has made another of it, or has it. */
static int end_it(void *ctx, struct err *e)
{
	struct revoke *v = ctx;
	struct cgroup *cg = NULL;
	struct err why;

	(void)e;
	/* One that does not run any more is no error; it is looked at again by who resets it. */
	if (cgroup_open(v->p->arena, &v->state.cgroup, &cg, &why) < 0 ||
	    container_stop(&v->state, cg, &why) < 0)
		log_debug("%s: %s", v->m->id, why.msg);
	else if (v->state.audit)
		evidence_tell(&v->state, "SandboxSignalled", "kill",
			      arena_printf(v->p->arena, "{\"signal\":%d,\"all\":true}", SIGKILL));
	cgroup_close(cg);
	return 0;
}

static const struct step revoke_steps[] = {
	{"take lease", NULL, take_lease, NULL, STEP_PLAIN},
	{"end",        NULL, end_it,     NULL, STEP_PLAIN},
};

/* Its program, whatever else is to be said of it. */
static bool runs(const struct revoke *v)
{
	enum status st = status_of(v->dir, &v->state, NULL);

	return st == STATUS_RUNNING || st == STATUS_PAUSED ||
	       (st == STATUS_CREATED && faccessat(v->dir, STORE_GO, F_OK, 0) == 0);
}

/* What nobody has and what does not run stays as it is. */
static bool is_to_end(const struct revoke *v)
{
	switch (v->m->condition) {
	case POOL_LEASED:
	case POOL_RUNNING:
		return !is_later(v);
	case POOL_USED:
		return true;
	case POOL_TAINTED:
	case POOL_RETIRED:
	case POOL_DAMAGED:
		return runs(v);
	case POOL_READY:
	case POOL_RESETTING:
	case POOL_HALF_MADE:
	case POOL_BUSY:
	case POOL_GONE:
	case POOL_CONDITIONS:
		break;
	}
	return false;
}

int pools_revoke(struct pools *p, struct pool_member *m, struct err *e)
{
	struct revoke v = {.p = p, .m = m, .dir = store_open(p->host, m->id, STORE_LOCKED, e)};
	int r = 0;

	if (v.dir < 0)
		return v.dir == -ENOENT ? 0 : v.dir;
	pools_look(p, v.dir, true, m);
	bool is_one = m->condition != POOL_GONE && m->condition != POOL_HALF_MADE &&
		      m->condition != POOL_BUSY;
	/* Where its state is damaged a copy says what to end. */
	if (is_one)
		r = delete_load(v.dir, m->id, false, p->arena, &v.state, e);
	if (r < 0)
		r = err_wrap(e, "%s: what runs in it is not known", m->id);
	else if (is_one && is_to_end(&v))
		r = steps_run("pool revoke", revoke_steps, LEN(revoke_steps), &v, e);
	own_close(&v.dir);
	return r;
}
