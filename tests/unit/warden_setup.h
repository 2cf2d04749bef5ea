#ifndef BRIG_TESTS_WARDEN_SETUP_H
#define BRIG_TESTS_WARDEN_SETUP_H

#include <sys/eventfd.h>

#include "warden_fixture.h"

/* A warden in the test's own loop, and its sandbox. */

static inline void sleeper(int sync)
{
	(void)sync;
	(void)close_range(3, ~0U, 0); /* nothing of the test's is kept open by it */
	pause();
}

static inline void quick(int sync)
{
	(void)sync;
}

/* --- what a sandbox uses: here of one process, by its own clock ------------------------------ */

struct usage {
	struct box *box;
	int64_t looks, kills; /* as a cgroup's counter would say */
	int oom;              /* eventfd */
	bool lost;
};

static inline int64_t cpu_of_box(void *ctx)
{
	struct usage *u = ctx;
	clockid_t clock;
	struct timespec t;

	u->looks++;
	if (u->lost || clock_getcpuclockid(u->box->pid, &clock) != 0 ||
	    clock_gettime(clock, &t) < 0)
		return -1;
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t kills_of_box(void *ctx)
{
	return ((struct usage *)ctx)->kills;
}

static inline int oom_of_box(void *ctx)
{
	return ((struct usage *)ctx)->oom;
}

static inline void drain_oom(void *ctx)
{
	uint64_t n;

	CHECK(read(((struct usage *)ctx)->oom, &n, sizeof(n)) == (ssize_t)sizeof(n));
}

struct setup {
	struct arena a;
	struct state_dir dir;
	struct box box;
	struct warden *w;
	struct usage usage;
	bool (*term)(void *ctx);
};

static inline void begin(struct setup *s, const struct warden_plan *p, void (*fn)(int), bool record)
{
	struct err e = {0};
	bool (*term)(void *ctx) = s->term;

	*s = (struct setup){
		.usage = {.box = &s->box, .oom = -1}
        };
	s->usage.oom = p->oom ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	state_make(&s->dir);
	box_make(&s->box, fn);
	struct warden_host h = {
		.term = term,
		.gauges = {.ctx = &s->usage,
			   .cpu_ns = cpu_of_box,
			   .oom_kills = kills_of_box,
			   .oom_fd = oom_of_box,
			   .oom_drained = drain_oom},
		.dir = s->dir.fd,
		.pidfd = s->box.pidfd,
		.control = -1,
		.kill = box_kill,
		.ctx = &s->box,
		.syscall_name = swap_name,
		.record_exit = record,
	};
	CHECK(warden_open(&s->a, p, &h, &s->w, &e) == 0);
}

static inline struct warden_end finish(struct setup *s)
{
	struct warden_end end = {0};
	struct err e = {0};

	CHECK(warden_end_read(&s->a, s->dir.fd, &end, &e) == 0);
	warden_close(s->w);
	own_close(&s->usage.oom);
	state_drop(&s->dir);
	return end;
}

#endif
