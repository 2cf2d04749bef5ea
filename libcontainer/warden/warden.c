#include "warden/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "warden/internal.h"

/* After a kill the end is soon; v1 may thaw slowly.  Then it is tried again. */
enum { EVENTS = 16, KILLS_MAX = 5, KILL_AGAIN_MS = 1000 };

int warden_watch(struct warden *w, int fd, enum source kind, unsigned int slot, struct err *e)
{
	struct epoll_event ev = {
		.events = EPOLLIN,
		.data.u64 = (uint64_t)kind << 32 | slot,
	};

	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_set(e, errno, "warden: watch a descriptor");
	return 0;
}

void warden_unwatch(struct warden *w, int *fd)
{
	/* By hand: others may have the same open file, which closing would keep in the epoll. */
	if (*fd >= 0)
		(void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, *fd, NULL);
	own_close(fd);
}

static int set_timer(struct warden *w, uint64_t ms, struct err *e)
{
	struct itimerspec t = {
		.it_value = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000},
	};

	if (timerfd_settime(w->timer, 0, &t, NULL) < 0)
		return err_set(e, errno, "warden: timer of %llu ms", (unsigned long long)ms);
	return 0;
}

static int open_parts(struct warden *w, struct err *e)
{
	const struct warden_host *h = &w->host;

	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	/* A duplicate would share the lock that its opener holds on it (flock(2)). */
	w->dir = openat(h->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->epoll < 0 || w->timer < 0 || w->dir < 0)
		return err_set(e, errno, "warden");
	int r = warden_watch(w, w->timer, SOURCE_TIMER, 0, e);
	if (r == 0 && w->plan.notify)
		r = notify_probe(e);
	if (r == 0 && h->pidfd >= 0)
		r = warden_adopt(w, h->pidfd, e);
	if (r == 0 && h->control >= 0)
		r = warden_watch(w, h->control, SOURCE_CONTROL, 0, e);
	return r;
}

int warden_open(struct arena *a, const struct warden_plan *p, const struct warden_host *h,
		struct warden **out, struct err *e)
{
	struct warden *w = arena_new(a, sizeof(*w));

	w->plan = *p;
	w->host = *h;
	w->epoll = w->timer = w->dir = w->pidfd = w->control = w->link = w->own = -1;
	for (size_t i = 0; i < CONNS_MAX; i++)
		w->conns[i] = -1;
	for (size_t i = 0; i < LISTENERS_MAX; i++)
		w->listeners[i] = -1;
	int r = open_parts(w, e);
	if (r < 0) {
		warden_close(w);
		return r;
	}
	w->control = h->control;
	*out = w;
	return 0;
}

void warden_close(struct warden *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < LISTENERS_MAX; i++)
		own_close(&w->listeners[i]);
	for (size_t i = 0; i < CONNS_MAX; i++)
		own_close(&w->conns[i]);
	own_close(&w->control);
	own_close(&w->pidfd);
	own_close(&w->timer);
	own_close(&w->dir);
	own_close(&w->epoll);
}

int warden_fd(const struct warden *w)
{
	return w->epoll;
}

bool warden_over(const struct warden *w)
{
	return w->over;
}

const struct warden_end *warden_ended(const struct warden *w)
{
	return &w->end;
}

int warden_adopt(struct warden *w, int pidfd, struct err *e)
{
	if (w->pidfd >= 0)
		return err_msg(e, EALREADY, "warden: it watches a sandbox already");
	own_fd int fd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_set(e, errno, "warden: pidfd");
	int r = warden_watch(w, fd, SOURCE_PIDFD, 0, e);
	if (r == 0)
		w->pidfd = take_fd(&fd);
	return r;
}

int warden_listener(struct warden *w, int fd, struct err *e)
{
	return notify_add(w, fd, e);
}

int warden_started(struct warden *w, int pidfd, struct err *e)
{
	int r = pidfd >= 0 && w->pidfd < 0 ? warden_adopt(w, pidfd, e) : 0;

	if (r == 0 && !w->started && w->plan.wall_ms && !w->kills)
		r = set_timer(w, w->plan.wall_ms, e);
	w->started = w->started || r == 0;
	return r;
}

static void write_end(struct warden *w)
{
	struct err ignored;

	/* The directory may be gone, or full: the sandbox ends all the same. */
	if (warden_end_write(w->dir, &w->end, &ignored) == 0)
		w->written = w->end.count;
}

static void kill_sandbox(struct warden *w)
{
	struct err ignored;

	if (w->over || w->kills == KILLS_MAX)
		return;
	w->kills++;
	w->host.kill(w->host.ctx);
	(void)!set_timer(w, KILL_AGAIN_MS, &ignored); /* only to try again */
}

void warden_finish(struct warden *w, const char *reason)
{
	if (w->end.reason)
		return;
	w->end.reason = reason;
	write_end(w);
	kill_sandbox(w);
}

void warden_give_up(struct warden *w)
{
	warden_finish(w, "warden-lost");
}

static void on_timer(struct warden *w)
{
	uint64_t times;

	if (read(w->timer, &times, sizeof(times)) != (ssize_t)sizeof(times))
		return;
	if (w->kills) {
		kill_sandbox(w);
		return;
	}
	w->end.wall_ms = w->plan.wall_ms;
	warden_finish(w, "timeout");
}

/* The last words of its processes have been read by then: see warden_work. */
static void on_exit_of_init(struct warden *w)
{
	warden_unwatch(w, &w->pidfd);
	w->over = true;
	if (!w->end.reason && w->end.tainted)
		w->end.reason = "syscall";
	else if (!w->end.reason && w->host.record_exit)
		w->end.reason = "exited";
	else if (w->end.count == w->written)
		return;
	write_end(w);
}

static int dispatch(struct warden *w, const struct epoll_event *ev, bool *gone, struct err *e)
{
	unsigned int slot = (unsigned int)(ev->data.u64 & UINT32_MAX);

	switch ((enum source)(ev->data.u64 >> 32)) {
	case SOURCE_TIMER:
		on_timer(w);
		return 0;
	case SOURCE_PIDFD:
		*gone = true;
		return 0;
	case SOURCE_CONTROL:
		control_accept(w);
		return 0;
	case SOURCE_CONN:
		control_work(w, slot);
		return 0;
	case SOURCE_LISTENER:
		return notify_work(w, slot, ev->events, e);
	}
	return 0;
}

int warden_work(struct warden *w, struct err *e)
{
	struct epoll_event ev[EVENTS];
	bool gone = false;
	int n = epoll_wait(w->epoll, ev, EVENTS, 0), r = 0;

	if (n < 0 && errno != EINTR)
		return err_set(e, errno, "warden: epoll");
	for (int i = 0; i < n && r == 0; i++)
		r = dispatch(w, &ev[i], &gone, e);
	/* Before it is killed all that is pending has been counted, up to a bound. */
	if (w->end.tainted)
		warden_finish(w, "syscall");
	if (gone)
		on_exit_of_init(w);
	return r;
}
