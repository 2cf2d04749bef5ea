/* create and run: what was granted is written down, and what has a time has who ends it. */
#include <errno.h>
#include <poll.h>

#include "base/own.h"
#include "create.h"
#include "grant_expiry.h"
#include "grant_held.h"
#include "run/sync.h"
#include "status.h"

enum { SOON_MS = 500 };
#define NS_PER_MS UINT64_C(1000000)

bool create_has_grants(const void *ctx)
{
	return policy_has_held(((const struct create *)ctx)->plan.policy);
}

static bool is_place(const struct brig_grant *g)
{
	return g->kind == GRANT_READ || g->kind == GRANT_WRITE;
}

/* One for a time is set now, over the limit of the start, and never beyond it. */
static int limit(struct create *c, const struct brig_grant *g, struct grant_held *h, struct err *e)
{
	const struct oci_config *config = &c->plan.config;
	bool memory = g->kind == GRANT_MEMORY;
	int64_t value = memory ? (int64_t)g->size : (int64_t)g->millis;

	if (!g->ttl_ms)
		return 0;
	h->before = memory ? grant_started_memory(config) : grant_started_millis(config);
	if (h->before >= 0 && value > h->before)
		return err_msg(e, EPERM, "it is more than the sandbox is started with");
	return grant_set_limit(c->arena, &c->state, config, g->kind, value, e);
}

/*
 * Which mounts they are: their paths the sandbox may change by renaming what is above, once its
 * program runs.
 */
static int fill(struct create *c, const struct grant_target *t, struct grants *out, struct err *e)
{
	const struct policy *p = c->plan.policy;

	for (size_t i = 0; i < p->n_grants; i++) {
		const struct brig_grant *g = &p->grants[i].grant;
		struct grant_held *h = &out->rows[out->n];

		if (!policy_is_held(&p->grants[i]))
			continue;
		*h = (struct grant_held){.text = g->text};
		if (g->ttl_ms)
			h->ends_ns = grant_now_ns() + g->ttl_ms * NS_PER_MS;
		if (is_place(g)) {
			h->before = -1;
			h->place = g->path;
			if (t->ns >= 0 && grant_find(t, g->path, &h->mount_id, e) < 0)
				return err_wrap(e, "grant %s", g->text);
		}
		if ((g->kind == GRANT_MEMORY || g->kind == GRANT_CPU) && limit(c, g, h, e) < 0)
			return err_wrap(e, "grant %s", g->text);
		out->n++;
	}
	return 0;
}

static int watch(struct create *c, const struct expiry *x, struct err *e)
{
	return c->warden ? warden_helper(c->warden, x->pidfd, e)
			 : warden_detached_helper(&c->detached, x->pidfd, e);
}

static int start_expiry(struct create *c, struct grants *g, struct err *e)
{
	struct expiry x;
	int r = expiry_start(c->dir, &c->state, &x, e);

	if (r < 0)
		return r;
	g->expiry_pid = x.pid;
	g->expiry_start_time = process_start_time(x.pid);
	r = watch(c, &x, e);
	if (r == 0)
		r = grants_save(c->arena, c->dir, g, e);
	/* It reads the file when it begins and when it is told to. */
	if (r == 0)
		r = expiry_tell(g, e);
	if (r < 0)
		expiry_kill(&x);
	own_close(&x.pidfd);
	return r;
}

/*
 * Killed meanwhile: then nothing is in force that could be written down.  Its namespaces go a
 * moment before its end is told (do_exit, kernel/exit.c).
 */
static bool has_ended(const struct create *c)
{
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};

	return poll(&p, 1, SOON_MS) > 0;
}

static int write_down(struct create *c, struct err *e)
{
	const struct policy *p = c->plan.policy;
	struct grants g = {.rows = arena_array(c->arena, p->n_grants + 1, sizeof(*g.rows))};
	struct grant_target t;

	c->state.pid = c->pid;
	c->state.start_time = process_start_time(c->pid);
	if (grant_target_open(&c->state, &t, e) < 0)
		return -e->code;
	int r = fill(c, &t, &g, e);
	grant_target_close(&t);
	if (r == 0)
		r = grants_save(c->arena, c->dir, &g, e);
	return r == 0 && policy_has_timed(p) ? start_expiry(c, &g, e) : r;
}

int create_grants(void *ctx, struct err *e)
{
	struct create *c = ctx;
	int r = write_down(c, e);

	return r < 0 && has_ended(c) ? 0 : r;
}

bool create_awaits_grants(const void *ctx)
{
	return ((const struct create *)ctx)->plan.run && create_has_grants(ctx);
}

int create_tell_granted(void *ctx, struct err *e)
{
	return sync_send(((struct create *)ctx)->sync, SYNC_GRANTED, e);
}
