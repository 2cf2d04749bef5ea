/*
 * `lease acquire`: one member, to one caller.
 *
 * What decides is the lock of the sandbox: whoever has it looks again, and writes the lease behind
 * it.  A caller that is killed between that and its answer leaves a lease that runs out.
 *
 * Each round does one thing: it takes one that fits; else it makes one fit (resets, deletes,
 * creates, replaces another tenant's); else it waits until somebody has changed the pool, who tells
 * by pool.json, until a lease runs out, or a second, for what nobody tells.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "lease_verbs.h"
#include "policy/policy.h"
#include "pools_internal.h"
#include "specs/admin.h"

enum { NS_PER_MS = 1000000, LOOK_MS = 1000, ROUNDS_MAX = 200 };

struct acquire {
	struct pools pools;  /* its arena is of one round */
	struct arena *arena; /* the caller's */
	const struct container_acquire *wish;
	struct container_lease *out;
	struct lease_token token;
	bool cross_tenant, waited;
	int inotify;    /* -1 */
	uint64_t until; /* CLOCK_MONOTONIC */
	struct pool_member *members;
	size_t n;
	int dir; /* locked, of the one that is given; -1 */
	const struct pool_member *given;
};

/* --- giving one ----------------------------------------------------------------------------- */

static int give(void *ctx, struct err *e)
{
	struct acquire *q = ctx;
	struct brig_lease l;

	if (lease_give(q->dir, &q->wish->lease, q->token.text, q->given->generation,
		       q->given->audited, e) < 0 ||
	    lease_read(q->pools.arena, q->dir, &l, e) < 0)
		return -e->code;
	own_close(&q->dir);
	lease_tell(q->arena, arena_strdup(q->arena, q->given->id), &l,
		   arena_strdup(q->arena, q->token.text), q->out);
	return 0;
}

static int count(void *ctx, struct err *e)
{
	struct acquire *q = ctx;
	const struct pool_counters one = {.acquired = 1, .waited = q->waited};

	(void)e;
	pools_count(&q->pools, &one);
	return 0;
}

static const struct step steps[] = {
	{"give",  NULL, give,  NULL, STEP_PLAIN},
	{"count", NULL, count, NULL, STEP_PLAIN},
};

static int check_draining(const struct acquire *q, struct err *e)
{
	return q->pools.pool.draining ? err_msg(e, ECANCELED, "pool %s is draining", q->pools.name)
				      : 0;
}

/* 1: it is ours; 0: it is not ready any more. */
static int take(struct acquire *q, struct pool_member *m, struct err *e)
{
	q->dir = pools_take(&q->pools, m, e);
	if (q->dir < 0)
		return 0;
	if (m->condition != POOL_READY || !pools_fits(m, q->wish->lease.key, q->cross_tenant)) {
		own_close(&q->dir);
		return 0;
	}
	/* Asked behind the lock, for which a drain waits: what it has answered holds. */
	if (pools_load(&q->pools, e) < 0 || check_draining(q, e) < 0) {
		own_close(&q->dir);
		return -e->code;
	}
	q->given = m;
	int r = steps_run("lease acquire", steps, LEN(steps), q, e);
	own_close(&q->dir);
	return r < 0 ? r : 1;
}

/* --- the ways to one, the cheapest first ---------------------------------------------------- */

static bool fits(const struct acquire *q, const struct pool_member *m)
{
	return pools_fits(m, q->wish->lease.key, q->cross_tenant);
}

/* Callers begin at different ones, so that they do not all want the same. */
static struct pool_member *nth(const struct acquire *q, size_t i)
{
	return &q->members[(i + (size_t)getpid()) % q->n];
}

/* Those that only we get leave the others for whoever else comes. */
static int take_ready(struct acquire *q, struct err *e)
{
	int r = 0;

	for (int fresh = 0; fresh < 2 && r == 0; fresh++)
		for (size_t i = 0; i < q->n && r == 0; i++) {
			struct pool_member *m = nth(q, i);

			if (m->condition == POOL_READY && fits(q, m) && !m->had_lease == fresh)
				r = take(q, m, e);
		}
	return r;
}

static int tend(struct acquire *q, bool used, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < q->n && r == 0; i++) {
		struct pool_member *m = nth(q, i);
		bool is_used = m->condition == POOL_USED || m->condition == POOL_RESETTING;

		if (is_used == used && (!used || fits(q, m)))
			r = pools_tend(&q->pools, m, e);
	}
	return r;
}

static int reset_one(struct acquire *q, struct err *e)
{
	return tend(q, true, e);
}

static int delete_one(struct acquire *q, struct err *e)
{
	return tend(q, false, e);
}

static int make_one(struct acquire *q, struct err *e)
{
	return pools_make(&q->pools, e);
}

/* Another tenant's that nobody has: only as a new one it is ours. */
static int replace_one(struct acquire *q, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < q->n && r == 0; i++) {
		struct pool_member *m = nth(q, i);

		if (!fits(q, m))
			r = pools_retire(&q->pools, m, e);
	}
	return r;
}

/* 1: the lease is given; 0: look again; -EAGAIN: nothing could be done. */
static int round_once(struct acquire *q, struct err *e)
{
	static int (*const ways[])(struct acquire * q, struct err * e) = {reset_one, delete_one,
									  make_one, replace_one};

	if (pools_load(&q->pools, e) < 0)
		return -e->code;
	if (check_draining(q, e) < 0)
		return -e->code;
	if (pools_members(&q->pools, &q->members, &q->n, e) < 0)
		return -e->code;
	int r = take_ready(q, e);
	if (r)
		return r;
	for (size_t i = 0; i < LEN(ways) && r == 0; i++)
		r = ways[i](q, e);
	if (r)
		return r < 0 ? r : 0;
	return err_msg(e, EAGAIN, "pool %s: none is free", q->pools.name);
}

/* --- waiting -------------------------------------------------------------------------------- */

/* Without it, which a user of many may lack, the look each second is left. */
static void watch(struct acquire *q)
{
	const char *path = arena_printf(q->pools.arena, "/proc/self/fd/%d", q->pools.dir);

	q->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (q->inotify >= 0 &&
	    inotify_add_watch(q->inotify, path, IN_MOVED_TO | IN_DELETE_SELF) < 0)
		own_close(&q->inotify);
}

/* Until a lease runs out, at most. */
static uint64_t soonest_ms(const struct acquire *q)
{
	uint64_t ms = LOOK_MS;

	for (size_t i = 0; i < q->n; i++)
		if (q->members[i].lease_ms && q->members[i].lease_ms < ms)
			ms = q->members[i].lease_ms;
	return ms;
}

/* False: the time is up. */
static bool wait_a_while(struct acquire *q)
{
	struct pollfd p = {.fd = q->inotify, .events = POLLIN};
	uint64_t now = clock_monotonic_ns(), ms = soonest_ms(q);
	char events[4096];

	if (now >= q->until)
		return false;
	uint64_t left = (q->until - now + NS_PER_MS - 1) / NS_PER_MS;
	q->waited = true;
	(void)poll(&p, 1, (int)(left < ms ? left : ms));
	while (q->inotify >= 0 && read(q->inotify, events, sizeof(events)) > 0)
		;
	return true;
}

/* --- the verb ------------------------------------------------------------------------------- */

static int acquire(struct acquire *q, struct err *e)
{
	int r = 0;

	/* Each round without a wait changes something; with many callers that may be in vain. */
	for (unsigned int rounds = 0; r == 0; rounds++) {
		own_arena struct arena scratch = {0};

		q->pools.arena = &scratch;
		r = round_once(q, e);
		if (r == 0 && rounds >= ROUNDS_MAX)
			r = err_msg(e, EAGAIN, "pool %s: none is free", q->pools.name);
		if (r == -EAGAIN && wait_a_while(q)) {
			rounds = 0;
			r = 0;
		}
		q->pools.arena = q->arena;
	}
	return r < 0 ? r : 0;
}

static int is_cross_tenant(struct acquire *q, struct err *e)
{
	struct admin admin;
	int r = policy_admin_load(q->arena, q->pools.pool.system_config, &admin, e);

	q->cross_tenant = r == 0 && admin.cross_tenant;
	return r;
}

int container_lease_acquire(const struct container_host *h, const struct container_acquire *w,
			    struct arena *a, struct container_lease *out,
			    enum container_answer *answer, struct err *e)
{
	struct acquire q = {.arena = a, .wish = w, .out = out, .inotify = -1, .dir = -1};
	uint64_t wait = w->wait_ms < LEASE_TTL_MAX_MS ? w->wait_ms : LEASE_TTL_MAX_MS;

	*answer = ANSWER_FAILED;
	q.until = clock_monotonic_ns() + wait * NS_PER_MS;
	if (pools_may(answer, e) < 0 || lease_check_wish(&w->lease, e) < 0)
		return -e->code;
	int r = pools_open(&q.pools, h, w->pool, a, false, e);
	if (r == 0)
		r = pools_load(&q.pools, e);
	if (r == 0)
		r = is_cross_tenant(&q, e);
	if (r == 0)
		r = lease_token(&q.token, e);
	/* Before the first look: nothing is missed in between. */
	if (r == 0 && wait)
		watch(&q);
	if (r == 0)
		r = acquire(&q, e);
	if (r == -EAGAIN)
		*answer = ANSWER_BUSY;
	if (r == -ECANCELED)
		*answer = ANSWER_REFUSED;
	own_close(&q.inotify);
	pools_close(&q.pools);
	return r;
}
