/*
 * Processes killed for memory.  On v1 the kernel kills one and lets the rest run on: here the whole
 * sandbox ends with it.
 */
#include <poll.h>
#include <stddef.h>

#include "warden/internal.h"

/*
 * v1 notifies when it begins to look for a victim and counts when it has chosen one: some instants
 * later, after a report that a slow console may take, or never, when one of them has just ended.
 * So the counter is read again after 1, 2, 4 ... ms.  It also is without a notification, at first:
 * the workload may have begun before anybody was to be notified.
 */
enum { LOOKS = 12, LOOKS_AT_FIRST = 9, LOOK_NS = 1000000, WAITS = 5 };

static void look_later(struct clocks *c)
{
	if (c->oom_looks)
		clocks_set(c, DUE_OOM, (uint64_t)LOOK_NS << (LOOKS - c->oom_looks));
}

static bool killed(const struct warden *w)
{
	const struct warden_gauges *g = &w->host.gauges;

	return (w->plan.oom || w->plan.oom_group) && g->oom_kills && g->oom_kills(g->ctx) > 0;
}

static int notifier(const struct warden *w)
{
	const struct warden_gauges *g = &w->host.gauges;

	return w->plan.oom && g->oom_fd ? g->oom_fd(g->ctx) : -1;
}

int oom_watch(struct warden *w, struct err *e)
{
	int fd = notifier(w);

	if (fd < 0)
		return 0;
	w->clocks.oom_looks = LOOKS_AT_FIRST;
	look_later(&w->clocks);
	return warden_watch(w, fd, SOURCE_OOM, 0, e);
}

void oom_work(struct warden *w, bool notified)
{
	const struct warden_gauges *g = &w->host.gauges;
	struct clocks *c = &w->clocks;

	if (notified) {
		if (g->oom_drained)
			g->oom_drained(g->ctx);
		/* It may be the last thing that is heard of the cgroup. */
		warden_look(w);
		c->oom_looks = LOOKS + 1;
		c->oom_notified = true;
	}
	if (w->gone || w->end.reason)
		return;
	if (killed(w)) {
		warden_finish(w, "memory");
		return;
	}
	if (c->oom_looks && --c->oom_looks == 0)
		c->oom_notified = false;
	look_later(c);
}

bool oom_seen(struct warden *w)
{
	struct pollfd p = {.fd = notifier(w), .events = POLLIN};
	bool seen = killed(w);

	if (!seen && (w->clocks.oom_notified || (p.fd >= 0 && poll(&p, 1, 0) > 0)))
		for (int i = 0; i < WAITS && !seen; i++) {
			(void)poll(NULL, 0, 1);
			seen = killed(w);
		}
	return seen;
}
