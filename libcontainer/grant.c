/* grant and revoke: what a running sandbox may do changes. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/str.h"
#include "grant_held.h"
#include "grant_internal.h"
#include "lease.h"
#include "status.h"
#include "store.h"
#include "touched.h"

static const char network[] = "network:";
#define NS_PER_S UINT64_C(1000000000)

/* Locked: changes take turns, and so do their records. */
static int open_running(struct change *c, const char *verb, struct err *e)
{
	c->dir = store_open(c->host, c->id, STORE_LOCKED, e);
	if (c->dir < 0)
		return c->dir;
	int r = store_load(c->dir, c->arena, &c->state, e);
	if (r < 0)
		return r;
	/* Paused ones count: their resolver runs. */
	r = lease_check(c->host, c->dir, &c->state, LEASE_TO_USE, NULL, e);
	if (r < 0)
		return r;
	enum status s = status_of(c->dir, &c->state, NULL);
	return s == STATUS_STOPPED || s == STATUS_CREATING
		       ? err_msg(e, ESRCH, "container not running")
		       : touched_note(c->dir, &c->state, verb, e);
}

int grant_read(struct arena *a, const char *what, struct brig_grant *out, struct err *e)
{
	struct timespec now;
	int r = grant_parse(a, what, out, e);

	if (r == 0 && clock_gettime(CLOCK_REALTIME, &now) < 0)
		r = err_set(e, errno, "clock");
	if (r == 0)
		r = grant_settle(a, out, (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec,
				 e);
	/* Whatever is wrong with the text is no refusal. */
	if (r < 0)
		e->code = EINVAL;
	return r < 0 ? -e->code : 0;
}

/* Refused, in whatever way: what else failed is no answer to the request. */
static bool is_denied(int code)
{
	return code == ERANGE || code == EOPNOTSUPP || code == EPERM || code == EACCES;
}

/* Where it must be written down and cannot be it is taken back. */
static int give_network(struct change *c, const struct brig_grant *g, struct err *e)
{
	int r = grant_network_give(c, g->network, e);

	if (r < 0)
		return r;
	r = grant_note(&c->state, "CapabilityGranted", "cli", g->text, NULL, e);
	struct err why;
	if (r < 0 && grant_network_take(c, g->network, &why) < 0)
		return err_wrap(e, "it holds, and is not taken back: %s", why.msg);
	return r;
}

int grant_give(struct change *c, const struct brig_grant *g, const char **place, struct err *e)
{
	int r = grant_note(&c->state, "CapabilityRequested", "cli", g->text, NULL, e);

	if (r < 0)
		return r;
	if (g->kind != GRANT_NETWORK) {
		r = grant_running_give(c, g, place, e);
	} else {
		r = give_network(c, g, e);
	}
	struct err ignored;
	if (r < 0 && is_denied(e->code))
		(void)!grant_note(&c->state, "CapabilityDenied", "cli", g->text, e->msg, &ignored);
	return r;
}

int container_grant(const struct container_host *h, const char *id, const char *what,
		    struct arena *a, const char **place, struct err *e)
{
	struct change c = {.arena = a, .host = h, .id = id, .dir = -1};
	struct brig_grant g;
	int r = grant_read(a, what, &g, e);

	*place = NULL;
	if (r == 0)
		r = open_running(&c, "grant", e);
	if (r == 0)
		r = grant_give(&c, &g, place, e);
	own_close(&c.dir);
	return r;
}

int container_revoke(const struct container_host *h, const char *id, const char *what, bool strict,
		     struct container_revoked *out, struct err *e)
{
	own_arena struct arena a = {0};
	struct change c = {.arena = &a, .host = h, .id = id, .dir = -1};
	int r = open_running(&c, "revoke", e);

	*out = (struct container_revoked){0};
	if (r == 0 && str_starts(what, network)) {
		r = grant_network_take(&c, what + strlen(network), e);
		if (r == 0)
			r = grant_note(&c.state, "CapabilityRevoked", "cli", what, NULL, e);
	} else if (r == 0) {
		r = grant_running_take(&c, what, strict, out, e);
	}
	own_close(&c.dir);
	return r;
}
