/*
 * One timer for several deadlines.  Wall time has one.  CPU time has none that the kernel keeps
 * for many processes together: it is looked at when it could be used up at the earliest.
 */
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "warden/internal.h"

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

/*
 * Near the limit there are this many nanoseconds between two looks.  The kernel accounts what runs
 * at each tick (1 to 10 ms) and at switches: shorter tells nothing.  A sandbox that does next to
 * nothing there may sleep for days, so it is looked at less often: all its CPUs together cannot
 * use more than SLACK then.
 */
enum { LOOK_MIN = 2 * NS_PER_MS, LOOK_MAX = 8 * NS_PER_MS, SLACK = 16 * NS_PER_MS };

int clocks_open(struct clocks *c, const struct warden_plan *p, struct err *e)
{
	/* Now: a confined process may not ask. */
	long n = p->cpu_ms ? sysconf(_SC_NPROCESSORS_ONLN) : 1;
	uint64_t online = n > 0 ? (uint64_t)n : 1;

	*c = (struct clocks){
		.floor = LOOK_MIN,
		.online = online,
		.cpus = p->cpus && p->cpus < online ? p->cpus : online,
	};
	c->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return c->fd < 0 ? err_set(e, errno, "warden: timer") : 0;
}

void clocks_close(struct clocks *c)
{
	own_close(&c->fd);
}

void clocks_set(struct clocks *c, enum due which, uint64_t ns)
{
	/* Centuries: the sum is to fit, and the kernel's time_t too. */
	if (ns > INT64_MAX / 2)
		ns = INT64_MAX / 2;
	c->due[which] = ns ? clock_monotonic_ns() + ns : 0;
}

void clocks_stop(struct clocks *c)
{
	for (int i = 0; i <= DUE_STILL; i++)
		c->due[i] = 0;
}

int clocks_wind(struct clocks *c, struct err *e)
{
	uint64_t at = 0;

	for (int i = 0; i < DUES; i++)
		if (c->due[i] && (!at || c->due[i] < at))
			at = c->due[i];
	if (at == c->armed)
		return 0;
	const struct itimerspec t = {
		.it_value = {.tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S)},
	};
	if (timerfd_settime(c->fd, TFD_TIMER_ABSTIME, &t, NULL) < 0)
		return err_set(e, errno, "warden: set the timer");
	c->armed = at;
	return 0;
}

uint64_t clocks_ms(uint64_t n)
{
	return n > UINT64_MAX / NS_PER_MS ? UINT64_MAX : n * NS_PER_MS;
}

/* --- CPU time ----------------------------------------------------------------------------- */

static int64_t cpu_used(const struct warden *w)
{
	const struct warden_gauges *g = &w->host.gauges;

	return g->cpu_ns ? g->cpu_ns(g->ctx) : -1;
}

/*
 * How long left lasts at least: on all CPUs, for it may get others meanwhile (update).  took and
 * used: of the time since the last look.
 */
static uint64_t lasts(struct warden *w, uint64_t left, uint64_t took, uint64_t used)
{
	struct clocks *c = &w->clocks;
	uint64_t most = SLACK / c->cpus;

	most = most > LOOK_MAX ? LOOK_MAX : most < LOOK_MIN ? LOOK_MIN : most;
	c->floor = used > took / 8 ? LOOK_MIN : c->floor * 2;
	if (c->floor > most)
		c->floor = most;
	return left / c->online > c->floor ? left / c->online : c->floor;
}

static int look_at_cpu(struct warden *w, struct err *e)
{
	struct clocks *c = &w->clocks;
	int64_t used = cpu_used(w);
	uint64_t limit = clocks_ms(w->plan.cpu_ms), now = clock_monotonic_ns();

	c->due[DUE_CPU] = 0;
	if (used < 0) /* its cgroup may go as soon as it has ended */
		return warden_init_ended(w)
			       ? 0
			       : err_msg(e, EIO, "warden: its CPU time cannot be read");
	used -= c->base;
	if (used > 0 && (uint64_t)used >= limit) {
		w->end.cpu_ms = w->plan.cpu_ms;
		warden_limit(w, "cpu-time", true);
		return 0;
	}
	uint64_t more = used > c->used ? (uint64_t)(used - c->used) : 0;
	clocks_set(c, DUE_CPU,
		   lasts(w, limit - (used > 0 ? (uint64_t)used : 0), now - c->looked, more));
	c->used = used;
	c->looked = now;
	return 0;
}

int clocks_check(const struct warden *w, struct err *e)
{
	if (!w->plan.cpu_ms || cpu_used(w) >= 0)
		return 0;
	return err_msg(e, EOPNOTSUPP,
		       "limit of CPU time: no cgroup tells how much is used (cpuacct on v1)");
}

static int start_cpu(struct warden *w, struct err *e)
{
	/* What brig used to set it up is in the same cgroup. */
	w->clocks.base = cpu_used(w);
	if (w->clocks.base < 0)
		return err_msg(e, EIO, "warden: its CPU time cannot be read");
	w->clocks.looked = clock_monotonic_ns();
	clocks_set(&w->clocks, DUE_CPU, clocks_ms(w->plan.cpu_ms) / w->clocks.online);
	return 0;
}

/* --- tighter ------------------------------------------------------------------------------ */

static bool is_wider(uint64_t ms, uint64_t planned)
{
	return ms && planned && ms > planned;
}

int clocks_tighten(struct warden *w, const struct warden_times *t, struct err *e)
{
	if (w->started || w->end.started_ns)
		return err_msg(e, EBUSY, "warden: its program has begun");
	if (is_wider(t->wall_ms, w->plan.wall_ms) || is_wider(t->cpu_ms, w->plan.cpu_ms))
		return err_msg(e, EPERM, "limit of time: more than its plan has");
	if (t->cpu_ms && cpu_used(w) < 0)
		return err_msg(
			e, EOPNOTSUPP,
			"limit of CPU time: no cgroup tells how much is used (cpuacct on v1)");
	if (t->wall_ms)
		w->plan.wall_ms = t->wall_ms;
	if (t->cpu_ms && t->online) {
		w->plan.cpu_ms = t->cpu_ms;
		w->clocks.online = t->online;
		w->clocks.cpus =
			w->plan.cpus && w->plan.cpus < t->online ? w->plan.cpus : t->online;
	}
	return 0;
}

/* --- all ---------------------------------------------------------------------------------- */

int clocks_start(struct warden *w, struct err *e)
{
	int r = 0;

	if (!w->end.started_ns) {
		w->end.started_ns = clock_monotonic_ns();
		clocks_set(&w->clocks, DUE_WALL, clocks_ms(w->plan.wall_ms));
		if (w->plan.lease)
			lease_work(w);
	}
	if (w->plan.cpu_ms && w->pidfd >= 0)
		r = start_cpu(w, e);
	return r < 0 ? r : clocks_wind(&w->clocks, e);
}

static int handle(struct warden *w, enum due which, struct err *e)
{
	switch (which) {
	case DUE_OOM:
		oom_work(w, false);
		return 0;
	case DUE_CPU:
		return look_at_cpu(w, e);
	case DUE_WALL:
		w->end.wall_ms = w->plan.wall_ms;
		warden_limit(w, "timeout", true);
		return 0;
	case DUE_LEASE:
		lease_work(w);
		return 0;
	case DUE_GRACE:
	case DUE_KILL:
		warden_kill(w);
		return 0;
	case DUE_DRAIN:
		warden_close_end(w);
		return 0;
	case DUE_PIDS:
		pids_work(w);
		return 0;
	case DUE_STILL:
		respond_due(w);
		return 0;
	case DUE_ANSWER:
		calls_due(w);
		return 0;
	case DUE_TALLY: /* at the end of the round */
	case DUES:
		break;
	}
	return 0;
}

int clocks_work(struct warden *w, struct err *e)
{
	struct clocks *c = &w->clocks;
	uint64_t now = clock_monotonic_ns(), times;
	int r = 0;

	if (read(c->fd, &times, sizeof(times)) != (ssize_t)sizeof(times))
		return 0;
	c->armed = 0;
	for (int i = 0; i < DUES && r == 0; i++) {
		if (!c->due[i] || c->due[i] > now)
			continue;
		c->due[i] = 0;
		r = handle(w, (enum due)i, e);
	}
	return r;
}
