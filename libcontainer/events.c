#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "cgroup/stats.h"
#include "container.h"
#include "status.h"
#include "store.h"

static int open_cgroup(const struct container_host *h, const char *id, struct arena *a,
		       struct brig_state *s, struct cgroup **cg, struct err *e)
{
	own_fd int dir = store_open(h, id, STORE_UNLOCKED, e);

	if (dir < 0)
		return dir;
	if (store_load(dir, a, s, e) < 0 || cgroup_open(a, &s->cgroup, cg, e) < 0)
		return -e->code;
	enum status st = status_of(dir, s, *cg);
	if (st == STATUS_STOPPED || st == STATUS_CREATING) {
		cgroup_close(*cg);
		return err_msg(e, ESRCH, "container with id %s is not running", id);
	}
	return 0;
}

int container_stats(const struct container_host *h, const char *id, struct arena *a, char **json,
		    struct err *e)
{
	struct brig_state s;
	struct cgroup *cg;
	int r = open_cgroup(h, id, a, &s, &cg, e);

	if (r < 0)
		return r;
	r = cgroup_stats_json(a, cg, json, e);
	cgroup_close(cg);
	return r;
}

struct watch {
	const struct cgroup *cg;
	struct cgroup_oom_watch oom;
	int pidfd;
	uint64_t interval_ms;
	int (*emit)(void *ctx, const char *type, const char *json);
	void *ctx;
};

static int emit_stats(const struct watch *w)
{
	own_arena struct arena a = {0};
	struct err gone;
	char *json;

	if (cgroup_stats_json(&a, w->cg, &json, &gone) < 0)
		return 1;
	return w->emit(w->ctx, "stats", json);
}

static int emit_oom(struct watch *w)
{
	int kills = w->oom.fd < 0 ? 0 : cgroup_oom_read(&w->oom), r = 0;

	for (; kills > 0 && r == 0; kills--)
		r = w->emit(w->ctx, "oom", NULL);
	return r;
}

static void watch_until_end(struct watch *w)
{
	int64_t next = clock_monotonic_ms() + (int64_t)w->interval_ms;

	for (;;) {
		struct pollfd p[] = {
			{.fd = w->pidfd,  .events = POLLIN},
			{.fd = w->oom.fd, .events = POLLIN},
		};
		int64_t left = next - clock_monotonic_ms();
		int n = poll(p, LEN(p), left > 0 ? (int)left : 0);

		/*
		 * The kernel counts before it kills, but notifies later: the end of the first
		 * process can be seen before the event that tells why.
		 */
		if ((p[0].revents || p[1].revents) && emit_oom(w) != 0)
			return;
		if (p[0].revents || (n < 0 && errno != EINTR))
			return;
		if (clock_monotonic_ms() < next)
			continue;
		if (emit_stats(w) != 0)
			return;
		next += (int64_t)w->interval_ms;
	}
}

int container_events(const struct container_host *h, const char *id, uint64_t interval_ms,
		     int (*emit)(void *ctx, const char *type, const char *json), void *ctx,
		     struct err *e)
{
	own_arena struct arena a = {0};
	struct brig_state s;
	struct cgroup *cg;
	struct watch w = {.interval_ms = interval_ms, .emit = emit, .ctx = ctx};
	struct err no_oom;
	int r = open_cgroup(h, id, &a, &s, &cg, e);

	if (r < 0)
		return r;
	w.cg = cg;
	w.pidfd = sys_pidfd_open((pid_t)s.pid, 0);
	if (w.pidfd < 0) {
		cgroup_close(cg);
		return err_msg(e, ESRCH, "container with id %s is not running", id);
	}
	if (cgroup_oom_open(cg, &w.oom, &no_oom) < 0)
		w.oom.fd = -1; /* no memory controller: there is nothing to tell */
	watch_until_end(&w);
	if (w.oom.fd >= 0)
		cgroup_oom_close(&w.oom);
	own_close(&w.pidfd);
	cgroup_close(cg);
	return 0;
}
