#ifndef BRIG_TESTS_WARDEN_BOXED_H
#define BRIG_TESTS_WARDEN_BOXED_H

#include <sched.h>

#include "run/spawn.h"
#include "warden/detached.h"
#include "warden_fixture.h"

/* A warden as a process of its own with a sandbox inside. */
struct boxed {
	struct state_dir dir;
	struct warden_detached warden;
	struct box box;
	void (*fn)(int sync);
	int peer;
	struct warden_gauges gauges;
	struct spawn_hold hold;
};

static inline int run_fn(void *ctx)
{
	struct boxed *b = ctx;

	b->fn(b->peer);
	return 0;
}

static inline void sleeper(int sync)
{
	(void)sync;
	(void)close_range(3, ~0U, 0);
	pause();
}

static inline int detach(struct boxed *b, const struct warden_plan *p, struct err *e)
{
	const struct warden_detach d = {
		.plan = *p,
		.dir = b->dir.fd,
		.syscall_name = swap_name,
		.enclose = true,
		.gauges = b->gauges,
	};

	int r = warden_detach(&d, &b->warden, e);
	return r < 0 ? r : warden_detached_await(&b->warden, d.enclose, e);
}

/* What create does: warden, sandbox inside, adopt. */
static inline void make(struct boxed *b, const struct warden_plan *p, void (*fn)(int sync))
{
	struct err e = {0};
	int fds[2];

	*b = (struct boxed){.fn = fn, .gauges = b->gauges, .hold = SPAWN_HOLD_NONE};
	state_make(&b->dir);
	CHECK(detach(b, p, &e) == 0);
	if (e.code)
		fprintf(stderr, "%s\n", e.msg);
	CHECK(sync_pair(fds, &e) == 0);
	b->box.sync = fds[0];
	b->peer = fds[1];
	const struct spawn s = {
		.make = CLONE_NEWPID,
		.join = &(struct ns_plan){0},
		.target = -1,
		.staged = true,
		.enclose = b->warden.pidns,
		.hold = p->reaps ? &b->hold : NULL,
		.cgroup = -1,
		.sync = fds[1],
		.sync_peer = fds[0],
		.child = run_fn,
		.ctx = b,
	};
	CHECK(spawn(&s, &b->box.pid, &b->box.pidfd, &e) == 0);
	if (e.code)
		fprintf(stderr, "%s\n", e.msg);
	(void)close(fds[1]);
	CHECK(warden_detached_adopt(&b->warden, b->box.pidfd, &e) == 0);
}

/* The warden ends by itself once its sandbox has been reaped, and leaves no zombie behind. */
static inline struct warden_end drop(struct boxed *b, struct arena *a, int want)
{
	struct warden_end end = {0};
	struct err e = {0};
	int status = -1;

	CHECK(readable(b->warden.pidfd, 2000));
	CHECK(waitpid(b->warden.pid, &status, 0) == b->warden.pid);
	CHECK(status == want);
	CHECK(warden_end_read(a, b->dir.fd, &end, &e) == 0);
	warden_detached_leave(&b->warden);
	state_drop(&b->dir);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	return end;
}

#endif
