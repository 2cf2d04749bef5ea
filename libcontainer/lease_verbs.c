/*
 * `lease renew` and `lease release`.
 *
 *	step of release   what is left when it is killed then
 *	give back         one that nobody has, used: the next ensure or acquire resets it
 *	end, reset        the same, or the reset's journal
 *	count             the counter is one behind
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "delete.h"
#include "lease_audit.h"
#include "lease_verbs.h"
#include "outcome.h"
#include "pools_internal.h"
#include "reuse.h"
#include "specs/report.h"
#include "store.h"

enum { NS_PER_MS = 1000000, KILL_WAIT_MS = 10000 };

void lease_tell(struct arena *a, const char *id, const struct brig_lease *l, const char *token,
		struct container_lease *out)
{
	enum { RFC3339 = 40, MILLI = 3 };
	char *text = arena_new(a, RFC3339);
	uint64_t left = lease_valid_ns(l);
	int64_t now = (int64_t)clock_monotonic_ns() + clock_offset_ns();

	clock_rfc3339_of(now + (int64_t)left, text, RFC3339, MILLI);
	*out = (struct container_lease){
		.id = id,
		.generation = l->generation,
		.token = token,
		.expires = text,
		.expires_ms = left / NS_PER_MS,
	};
}

/* A directory that is locked, of whom the caller's token is; *l is its lease. */
static int open_leased(const struct container_host *h, const char *id, struct arena *a,
		       struct brig_state *s, struct brig_lease *l, enum container_answer *answer,
		       struct err *e)
{
	*answer = ANSWER_NOT_ALLOWED;
	if (!h->lease)
		return err_msg(e, ENOKEY, "container %s: a token is needed (--lease)", id);
	*answer = ANSWER_FAILED;
	own_fd int dir = store_open(h, id, STORE_LOCKED, e);
	if (dir == -EBUSY)
		*answer = ANSWER_BUSY;
	struct container_host strict = *h;
	strict.lease_given = true;
	if (dir < 0 || store_load(dir, a, s, e) < 0 ||
	    lease_check(&strict, dir, s, LEASE_TO_USE, answer, e) < 0 ||
	    lease_read(a, dir, l, e) < 0)
		return -e->code;
	return take_fd(&dir);
}

/* --- renew ---------------------------------------------------------------------------------- */

int container_lease_renew(const struct container_host *h, const char *id, uint64_t ttl_ms,
			  struct arena *a, struct container_lease *out,
			  enum container_answer *answer, struct err *e)
{
	const struct lease_wish w = {.ttl_ms = ttl_ms};
	struct brig_state s;
	struct brig_lease l;

	*answer = ANSWER_FAILED;
	if (lease_check_wish(&w, e) < 0)
		return -e->code;
	own_fd int dir = open_leased(h, id, a, &s, &l, answer, e);
	if (dir < 0)
		return dir;
	uint64_t until = reuse_now_ns() + ttl_ms * NS_PER_MS;
	/* The warden looks again when the old time has come: an earlier one it would not see. */
	if (until > l.expires_ns) {
		l.expires_ns = until;
		l.ttl_ms = ttl_ms;
		if (lease_note(&s, LEASE_RENEWED, &l, e) < 0 || lease_write(dir, &l, e) < 0)
			return -e->code;
	}
	lease_tell(a, id, &l, NULL, out);
	return 0;
}

/* --- release -------------------------------------------------------------------------------- */

struct release {
	const struct container_host *host;
	const char *id;
	bool defer;
	bool drains;          /* its pool: deleted instead of reset */
	const char *evidence; /* as its pool has it; NULL */
	struct arena *arena;
	struct brig_state state;
	struct brig_report *report;
	enum container_answer answer;
	struct err why; /* of a reset that was refused: the lease is given back all the same */
	int reset;
	bool moved; /* somebody else was first */
};

static void ask_pool(struct release *x)
{
	struct pools p;
	struct err ignored;
	const char *name = x->state.reuse->pool;

	if (!name || pools_open(&p, x->host, name, x->arena, false, &ignored) < 0)
		return;
	if (pools_load(&p, &ignored) == 0) {
		x->drains = p.pool.draining;
		x->evidence = p.pool.evidence;
	}
	pools_close(&p);
}

static int give_back(void *ctx, struct err *e)
{
	struct release *x = ctx;
	struct brig_lease l;
	own_fd int dir = open_leased(x->host, x->id, x->arena, &x->state, &l, &x->answer, e);

	if (dir < 0)
		return dir;
	ask_pool(x);
	int r = lease_drop(x->arena, dir, x->state.reuse->generation, x->drains, e);
	if (r == 0)
		lease_told(&x->state, LEASE_RELEASED, &l);
	return r;
}

static bool is_deferred(const void *ctx)
{
	return ((const struct release *)ctx)->defer;
}

static bool is_at_once(const void *ctx)
{
	return !is_deferred(ctx);
}

/* Behind its lock: whoever has it by now, or has made another of it, is not ended. */
static void end_locked(struct release *x, int dir, struct err *e)
{
	struct brig_state s;
	struct brig_lease l;
	struct cgroup *cg = NULL;

	if (store_load(dir, x->arena, &s, e) < 0 || lease_read(x->arena, dir, &l, e) < 0 ||
	    !s.reuse || s.reuse->generation != x->state.reuse->generation || lease_valid_ns(&l))
		return;
	if (cgroup_open(x->arena, &s.cgroup, &cg, e) == 0 && container_stop(&s, cg, e) < 0)
		log_debug("%s: %s", x->id, e->msg);
	cgroup_close(cg);
}

static int end(void *ctx, struct err *e)
{
	struct release *x = ctx;
	struct err ignored;
	own_fd int dir = store_open(x->host, x->id, STORE_LOCKED, &ignored);

	(void)e;
	/* It may be gone, or in the hands of who makes it anew by now. */
	if (dir >= 0)
		end_locked(x, dir, &ignored);
	return 0;
}

/* Its pool may have begun to drain while it was reset. */
static void leave(struct release *x)
{
	struct pool_member m = {.id = x->id};
	struct pools p;
	struct err ignored;
	const char *name = x->state.reuse->pool;

	if (!name || pools_open(&p, x->host, name, x->arena, false, &ignored) < 0)
		return;
	if (pool_member_id(name, x->id, &m.serial) && pools_leave(&p, &m, &ignored) < 0)
		log_debug("%s", ignored.msg);
	pools_close(&p);
}

static int reset(void *ctx, struct err *e)
{
	struct release *x = ctx;
	struct container_host h = *x->host;

	h.lease = NULL;
	h.lease_given = false;
	if (x->drains)
		return container_delete(&h, x->id, true, e);
	const struct pools_turn turn = {
		.id = x->id,
		.expect_gen = &x->state.reuse->generation,
		.evidence = x->evidence,
	};
	x->reset = pools_reset(&h, &turn, x->arena, x->report, &x->answer, &x->why);
	/* Whoever was first with it has reset it, or made room for another. */
	x->moved = x->reset < 0 && (x->answer == ANSWER_BUSY || x->answer == ANSWER_NOT_ALLOWED ||
				    x->why.code == ENOENT);
	if (x->moved)
		x->reset = 0;
	else if (x->reset == 0)
		leave(x);
	/* What is not used again is not left running. */
	return x->reset < 0 ? end(x, e) : 0;
}

static int count(void *ctx, struct err *e)
{
	struct release *x = ctx;
	const struct pool_counters one = {.released = 1,
					  .reset = !x->defer && !x->drains && !x->moved &&
						   x->reset == 0,
					  .deleted = !x->defer && x->drains};
	struct pools p;
	struct err ignored;

	(void)e;
	if (x->state.reuse->pool &&
	    pools_open(&p, x->host, x->state.reuse->pool, x->arena, false, &ignored) == 0) {
		pools_count(&p, &one);
		pools_close(&p);
	}
	return 0;
}

static const struct step steps[] = {
	{"give back", NULL,        give_back, NULL, STEP_PLAIN},
	{"end",       is_deferred, end,       NULL, STEP_PLAIN},
	{"reset",     is_at_once,  reset,     NULL, STEP_PLAIN},
	{"count",     NULL,        count,     NULL, STEP_PLAIN},
};

int container_lease_release(const struct container_host *h, const char *id, bool defer,
			    struct arena *a, struct brig_report *report,
			    enum container_answer *answer, struct err *e)
{
	struct release x = {.host = h, .id = id, .defer = defer, .arena = a, .report = report};

	*report = (struct brig_report){0};
	int r = steps_run("lease release", steps, LEN(steps), &x, e);
	*answer = x.answer;
	if (r == 0 && x.reset < 0) {
		*e = x.why;
		r = x.reset;
	}
	return r;
}
