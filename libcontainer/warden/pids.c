/* Forks that the limit of processes refuses. */
#include <sys/epoll.h>

#include "warden/internal.h"

#define SOON_NS  UINT64_C(200000000)
#define LATER_NS UINT64_C(5000000000)

static int64_t refused(const struct warden *w)
{
	const struct warden_gauges *g = &w->host.gauges;

	return g->pids_refused ? g->pids_refused(g->ctx) : -1;
}

/* Often where something is to be done about it. */
static void look_later(struct warden *w)
{
	bool answers = w->plan.responses[VIOLATION_PIDS].response > RESPONSE_WARN;

	if (!w->gone && refused(w) >= 0)
		clocks_set(&w->clocks, DUE_PIDS, answers ? SOON_NS : LATER_NS);
}

int pids_watch(struct warden *w, struct err *e)
{
	const struct warden_gauges *g = &w->host.gauges;
	int fd = g->pids_fd ? g->pids_fd(g->ctx) : -1;

	if (fd < 0) {
		look_later(w);
		return 0;
	}
	/* The kernel wakes who waits for more than was read last (kernfs_generic_poll), at most a
	 * hundred times a second. */
	(void)refused(w);
	return warden_watch_for(w->epoll, fd, EPOLLPRI, SOURCE_PIDS, 0, e);
}

void pids_work(struct warden *w)
{
	struct attempt x = {.class_ = VIOLATION_PIDS, .name = "pids"};
	int64_t now = refused(w);

	if (w->host.gauges.pids_fd && w->host.gauges.pids_fd(w->host.gauges.ctx) < 0)
		look_later(w);
	if (now <= w->pids)
		return;
	x.n = (uint64_t)(now - w->pids);
	w->pids = now;
	respond(w, &x, tally_add(w, &x, NULL));
}
