/*
 * `pool ensure`, status, drain, killall, remove.  docs/pools.md
 *
 *	ensure, killed after   what is left
 *	write                  a pool with fewer members than it is to have
 *	tend, shrink, fill     the same, or what pools_tend.c and pools_make.c leave
 * The next ensure does the rest: it never looks at what an earlier one has come to.
 */
#include "pools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "pools_internal.h"
#include "reuse.h"
#include "store.h"

struct ensure {
	struct pools p;
	const struct container_pool_wish *wish;
	struct err first; /* of what could not be done; code 0: all was */
};

/* All else is done first. */
static void note(struct ensure *x, const struct err *e)
{
	if (x->first.code)
		log_warn("pool %s: %s", x->p.name, e->msg);
	else
		x->first = *e;
}

/* --- what it is to be ----------------------------------------------------------------------- */

static void take_number(uint64_t *to, const uint64_t *from)
{
	if (from)
		*to = *from;
}

static int take_bounds(struct brig_pool *p, const struct container_pool_wish *w, struct err *e)
{
	if ((w->min && *w->min > POOL_MEMBERS_MAX) || (w->max && *w->max > POOL_MEMBERS_MAX))
		return err_msg(e, ERANGE, "min, max: above %d", POOL_MEMBERS_MAX);
	if (w->min) {
		p->min = (uint32_t)*w->min;
		p->draining = false;
	}
	if (w->max)
		p->max = (uint32_t)*w->max;
	else if (w->min && (!p->max || p->max < p->min))
		p->max = p->min ? p->min : 1;
	return 0;
}

static int apply(struct ensure *x, struct err *e)
{
	const struct container_pool_wish *w = x->wish;
	struct brig_pool *p = &x->p.pool;

	pools_kind_take(&w->member, p);
	/* What this very call is told counts for the pool's members from now on. */
	if (x->p.host->system_config)
		p->system_config = x->p.host->system_config;
	if (take_bounds(p, w, e) < 0)
		return -e->code;
	take_number(&p->max_uses, w->member.max_uses);
	take_number(&p->max_age_ms, w->member.max_age_ms);
	take_number(&p->max_idle_ms, w->member.max_idle_ms);
	take_number(&p->shrink_ms, w->shrink_ms);
	if (w->member.retire_on)
		p->retire_on = w->member.retire_on;
	if (w->evidence)
		p->evidence = w->evidence;
	p->keep_layers = p->keep_layers || w->member.keep_layers;
	return pool_check(p, e);
}

/* Of a pool that is to be: whatever is not said. */
static int load_or_begin(struct ensure *x, struct err *e)
{
	int r = pools_load(&x->p, e);

	if (r != -ENOENT || !x->wish->member.bundle)
		return r;
	x->p.pool = (struct brig_pool){.v = 1, .name = x->p.name, .max = 1};
	return 0;
}

/* What none could be made of is not written down.  Not locked: it may take its time. */
static int try_wish(struct ensure *x, struct err *e)
{
	const struct container_pool_wish *w = x->wish;
	int r = load_or_begin(x, e);
	bool said = !pools_kind_same(&x->p.pool, &w->member) || w->member.retire_on ||
		    w->member.keep_layers;

	if (r < 0 || !said)
		return r;
	if (pools_kind_check(&x->p, &w->member, e) < 0)
		return -e->code;
	if (apply(x, e) < 0 || pools_kind_try(&x->p, e) < 0)
		return err_wrap(e, "pool %s", x->p.name);
	return 0;
}

static int write_locked(struct ensure *x, struct err *e)
{
	if (load_or_begin(x, e) < 0 || pools_kind_check(&x->p, &x->wish->member, e) < 0)
		return -e->code;
	if (apply(x, e) < 0)
		return err_wrap(e, "pool %s", x->p.name);
	if (pools_save(&x->p, e) < 0)
		return -e->code;
	return pools_load(&x->p, e);
}

static int write_wish(void *ctx, struct err *e)
{
	struct ensure *x = ctx;
	struct err ignored;
	int r = try_wish(x, e);

	if (pools_lock(&x->p, r < 0 ? &ignored : e) < 0)
		return r < 0 ? r : -e->code;
	if (r == 0)
		r = write_locked(x, e);
	/* Nothing is left of one that could not be. */
	if (r < 0 && x->wish->member.bundle && pools_load(&x->p, &ignored) == -ENOENT)
		(void)!pools_remove(&x->p, &ignored);
	pools_unlock(&x->p);
	return r;
}

/* --- what it is made of --------------------------------------------------------------------- */

/* What cannot be done to one keeps nobody from the others. */
static int to_each(struct ensure *x,
		   int (*act)(struct pools *p, struct pool_member *m, struct err *e), struct err *e)
{
	struct pool_member *m;
	size_t n;

	if (pools_members(&x->p, &m, &n, e) < 0)
		return -e->code;
	for (size_t i = 0; i < n; i++) {
		struct err why;

		if (act(&x->p, &m[i], &why) < 0)
			note(x, &why);
	}
	return 0;
}

static int tend_all(void *ctx, struct err *e)
{
	return to_each(ctx, pools_tend, e);
}

static size_t count_of(const struct pool_member *m, size_t n, enum pool_condition c)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += m[i].condition == c;
	return count;
}

/* Parked ones that are too many, or not wanted any more; the oldest first. */
static bool is_surplus(const struct brig_pool *p, const struct pool_member *m, size_t ready,
		       size_t all)
{
	if (m->condition != POOL_READY)
		return false;
	if (p->draining || all > p->max)
		return true;
	return p->shrink_ms && ready > p->min && m->parked_ms >= p->shrink_ms;
}

static int shrink(void *ctx, struct err *e)
{
	struct ensure *x = ctx;
	struct pool_member *m;
	size_t n;

	if (pools_members(&x->p, &m, &n, e) < 0)
		return -e->code;
	size_t all = n, ready = count_of(m, n, POOL_READY);
	for (size_t i = 0; i < n; i++) {
		struct err why;

		if (!is_surplus(&x->p.pool, &m[i], ready, all))
			continue;
		int r = pools_retire(&x->p, &m[i], &why);
		if (r < 0)
			note(x, &why);
		all -= r > 0;
		ready -= r > 0;
	}
	return 0;
}

static int fill(void *ctx, struct err *e)
{
	struct ensure *x = ctx;

	for (;;) {
		struct pool_member *m;
		struct err why;
		size_t n;

		if (pools_members(&x->p, &m, &n, e) < 0)
			return -e->code;
		/* Those that others make now are as good. */
		if (x->p.pool.draining ||
		    count_of(m, n, POOL_READY) + count_of(m, n, POOL_BUSY) >= x->p.pool.min)
			return 0;
		int r = pools_make(&x->p, &why);
		if (r < 0)
			note(x, &why);
		if (r <= 0)
			return 0;
	}
}

static const struct step steps[] = {
	{"write",  NULL, write_wish, NULL, STEP_PLAIN},
	{"tend",   NULL, tend_all,   NULL, STEP_PLAIN},
	{"shrink", NULL, shrink,     NULL, STEP_PLAIN},
	{"fill",   NULL, fill,       NULL, STEP_PLAIN},
};

/* --- status --------------------------------------------------------------------------------- */

static int tell(struct pools *p, struct pool_status *out, struct err *e)
{
	struct pool_member *m;

	if (pools_load(p, e) < 0)
		return -e->code;
	*out = (struct pool_status){.pool = p->pool};
	if (pools_members(p, &m, &out->n_members, e) < 0)
		return -e->code;
	out->members = m;
	for (size_t i = 0; i < out->n_members; i++)
		out->count[m[i].condition]++;
	return 0;
}

int container_pool_status(const struct container_host *h, const char *name, struct arena *a,
			  struct pool_status *out, struct err *e)
{
	struct pools p;
	int r = pools_open(&p, h, name, a, false, e);

	*out = (struct pool_status){0};
	if (r == 0)
		r = tell(&p, out, e);
	pools_close(&p);
	return r;
}

static bool is_pool(const struct dirent *de)
{
	struct err ignored;

	return pool_check_name(de->d_name, &ignored) == 0;
}

int container_pool_names(const struct container_host *h, struct arena *a, const char *const **out,
			 size_t *n, struct err *e)
{
	const char *path = arena_printf(a, "%s/" STORE_POOLS, h->root);

	*out = NULL;
	*n = 0;
	own_dir DIR *d = opendir(path);
	if (!d)
		return errno == ENOENT ? 0 : err_set(e, errno, "%s", path);
	*out = file_names(a, d, is_pool, n);
	return 0;
}

/* --- the verbs ------------------------------------------------------------------------------ */

static int open_pool(struct ensure *x, const struct container_host *h, const char *name,
		     struct arena *a, enum container_answer *answer, struct err *e)
{
	*answer = ANSWER_FAILED;
	if (pools_may(answer, e) < 0)
		return -e->code;
	return pools_open(&x->p, h, name, a, x->wish && x->wish->member.bundle, e);
}

/* What could not be done is told last. */
static int finish(struct ensure *x, int r, struct pool_status *out, enum container_answer *answer,
		  struct err *e)
{
	struct err why;

	if (r == -EBUSY)
		*answer = ANSWER_BUSY;
	if (r == -EKEYREJECTED)
		*answer = ANSWER_REFUSED;
	if (r == 0 && out)
		r = tell(&x->p, out, e);
	else if (out && x->p.dir >= 0 && tell(&x->p, out, &why) < 0)
		*out = (struct pool_status){0};
	pools_close(&x->p);
	if (r == 0 && x->first.code) {
		*e = x->first;
		r = -e->code;
	}
	return r;
}

int container_pool_ensure(const struct container_host *h, const struct container_pool_wish *w,
			  struct arena *a, struct pool_status *out, enum container_answer *answer,
			  struct err *e)
{
	struct ensure x = {.wish = w, .p.dir = -1};
	int r = open_pool(&x, h, w->name, a, answer, e);

	*out = (struct pool_status){0};
	if (r == 0)
		r = steps_run("pool ensure", steps, LEN(steps), &x, e);
	return finish(&x, r, out, answer, e);
}

static int stop_giving(void *ctx, struct err *e)
{
	struct ensure *x = ctx;
	int r = pools_lock(&x->p, e);

	if (r == 0)
		r = pools_load(&x->p, e);
	if (r == 0) {
		x->p.pool.draining = true;
		r = pools_save(&x->p, e);
	}
	pools_unlock(&x->p);
	return r;
}

/* Not by a reset: nobody needs another generation. */
static int delete_free(void *ctx, struct err *e)
{
	return to_each(ctx, pools_drain, e);
}

static const struct step drain_steps[] = {
	{"stop giving", NULL, stop_giving, NULL, STEP_PLAIN},
	{"delete free", NULL, delete_free, NULL, STEP_PLAIN},
};

int container_pool_drain(const struct container_host *h, const char *name, struct arena *a,
			 struct pool_status *out, enum container_answer *answer, struct err *e)
{
	struct ensure x = {.p.dir = -1};
	int r = open_pool(&x, h, name, a, answer, e);

	*out = (struct pool_status){0};
	if (r == 0)
		r = steps_run("pool drain", drain_steps, LEN(drain_steps), &x, e);
	return finish(&x, r, out, answer, e);
}

static int revoke_all(struct ensure *x, struct err *e)
{
	return pools_load(&x->p, e) < 0 ? -e->code : to_each(x, pools_revoke, e);
}

int container_pool_killall(const struct container_host *h, const char *name, struct arena *a,
			   struct pool_status *out, enum container_answer *answer, struct err *e)
{
	struct ensure x = {.p.dir = -1};
	int r = open_pool(&x, h, name, a, answer, e);

	*out = (struct pool_status){0};
	if (r == 0)
		r = revoke_all(&x, e);
	return finish(&x, r, out, answer, e);
}

/* Nobody gets or makes one any more, so there is an end of them. */
static int remove_free(struct ensure *x, bool force, enum container_answer *answer, struct err *e)
{
	enum { ROUNDS = 5 };
	struct pool_member *m = NULL;
	size_t n = 0;

	/* What was just killed may change once more while it is looked at, and whoever looked at
	 * the pool before it was draining may have got one since. */
	for (int rounds = 0; rounds < ROUNDS; rounds++) {
		x->p.began_ns = reuse_now_ns();
		if (force && revoke_all(x, e) < 0)
			return -e->code;
		if (delete_free(x, e) < 0 || pools_members(&x->p, &m, &n, e) < 0)
			return -e->code;
		if (x->first.code)
			return 0;
		if (!n)
			break;
	}
	if (n + pools_unborn(&x->p)) {
		*answer = ANSWER_BUSY;
		return err_msg(e, EBUSY, "pool %s: %s is %s", x->p.name, n ? m[0].id : "one more",
			       n ? pool_conditions[m[0].condition] : "being made");
	}
	int r = pools_lock(&x->p, e);
	if (r == 0)
		r = pools_remove(&x->p, e);
	pools_unlock(&x->p);
	return r;
}

int container_pool_remove(const struct container_host *h, const char *name, bool force,
			  enum container_answer *answer, struct err *e)
{
	own_arena struct arena a = {0};
	struct ensure x = {.p.dir = -1};
	int r = open_pool(&x, h, name, &a, answer, e);

	if (r == 0)
		r = stop_giving(&x, e);
	/* One whose making or removing was cut short has nothing but its directory. */
	bool empty = r == -ENOENT && x.p.dir >= 0;
	if (empty)
		r = pools_remove(&x.p, e);
	else if (r == 0)
		r = remove_free(&x, force, answer, e);
	return finish(&x, r, NULL, answer, e);
}
