/* create and run: who watches the sandbox.  docs/warden.md */
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "create.h"
#include "guard/level_filter.h"
#include "status.h"

/* Whatever the sandbox has: its first process, then all of its cgroup. */
static void end_sandbox(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	if (c->pidfd >= 0)
		(void)sys_pidfd_send_signal(c->pidfd, SIGKILL);
	if (c->cgroup && cgroup_signal(c->cgroup, SIGKILL, &e) < 0)
		log_warn("%s", e.msg);
}

static int detach_warden(struct create *c, struct err *e)
{
	const struct warden_detach d = {
		.plan = c->plan.level->warden,
		.dir = c->dir,
		.syscall_name = level_filter_syscall_name,
		.enclose = c->plan.level->encloses,
	};
	int r = warden_detach(&d, &c->detached, e);

	if (r < 0)
		return r;
	c->state.warden_pid = c->detached.pid;
	c->state.warden_start_time = process_start_time(c->detached.pid);
	return 0;
}

static int open_warden(struct create *c, struct err *e)
{
	struct warden_host h = {
		.dir = c->dir,
		.pidfd = -1,
		.control = warden_control_make(c->dir, e),
		.kill = end_sandbox,
		.ctx = c,
		.syscall_name = level_filter_syscall_name,
	};

	if (h.control < 0)
		return h.control;
	int r = warden_open(c->arena, &c->plan.level->warden, &h, &c->warden, e);
	if (r < 0)
		(void)close(h.control);
	return r;
}

void create_warden_end(void *ctx)
{
	struct create *c = ctx;

	warden_close(c->warden);
	c->warden = NULL;
	warden_detached_end(&c->detached);
}

int create_warden(void *ctx, struct err *e)
{
	struct create *c = ctx;
	int r = c->plan.level->detached ? detach_warden(c, e) : open_warden(c, e);

	if (r < 0)
		return r;
	c->warden_end = warden_connect(c->dir, e);
	if (c->warden_end < 0)
		create_warden_end(c);
	return c->warden_end < 0 ? c->warden_end : 0;
}

/* From here on it ends with the sandbox, and not with us. */
static int adopt_by_detached(struct create *c, struct err *e)
{
	struct cgroup_ending ways[CGROUP_ENDINGS];
	size_t n = cgroup_endings(c->cgroup, ways);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = warden_detached_poke(&c->detached, ways[i].fd, ways[i].text, e);
		(void)close(ways[i].fd);
	}
	return r < 0 ? r : warden_detached_adopt(&c->detached, c->pidfd, e);
}

int create_adopt(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return c->warden ? warden_adopt(c->warden, c->pidfd, e) : adopt_by_detached(c, e);
}
