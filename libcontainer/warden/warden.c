#include "warden/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "warden/internal.h"

/* After a kill the end is soon; v1 may thaw slowly.  Then it is tried again. */
enum { EVENTS = 16, KILLS_MAX = 5 };
#define KILL_AGAIN_NS UINT64_C(1000000000)

int warden_watch_for(int epoll, int fd, uint32_t events, enum source kind, unsigned int slot,
		     struct err *e)
{
	struct epoll_event ev = {
		.events = events,
		.data.u64 = (uint64_t)kind << 32 | slot,
	};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_set(e, errno, "warden: watch a descriptor");
	return 0;
}

int warden_watch(struct warden *w, int fd, enum source kind, unsigned int slot, struct err *e)
{
	return warden_watch_for(w->epoll, fd, EPOLLIN, kind, slot, e);
}

void warden_unwatch(struct warden *w, int *fd)
{
	/* By hand: others may have the same open file, which closing would keep in the epoll. */
	if (*fd >= 0)
		(void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, *fd, NULL);
	own_close(fd);
}

static int open_parts(struct arena *a, struct warden *w, struct err *e)
{
	const struct warden_host *h = &w->host;

	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	/* A duplicate would share the lock that its opener holds on it (flock(2)). */
	w->dir = openat(h->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->epoll < 0 || w->dir < 0)
		return err_set(e, errno, "warden");
	w->room = warden_end_reserve(w->dir);
	int r = clocks_open(&w->clocks, &w->plan, e);
	if (r == 0)
		r = warden_watch(w, w->clocks.fd, SOURCE_TIMER, 0, e);
	if (r == 0)
		r = calls_open(w, e);
	if (r == 0 && h->pidfd >= 0)
		r = warden_adopt(w, h->pidfd, e);
	if (r == 0 && h->control >= 0)
		r = warden_watch(w, h->control, SOURCE_CONTROL, 0, e);
	return r < 0 ? r : output_open(a, w, e);
}

int warden_open(struct arena *a, const struct warden_plan *p, const struct warden_host *h,
		struct warden **out, struct err *e)
{
	struct warden *w = arena_new(a, sizeof(*w));

	w->plan = *p;
	w->plan.responses[VIOLATION_MEMORY].response = RESPONSE_TERMINATE;
	w->plan.responses[VIOLATION_MEMORY].after = p->oom || p->oom_group;
	if (!p->responses[VIOLATION_SYSCALL].after) {
		w->plan.responses[VIOLATION_SYSCALL].response = RESPONSE_TERMINATE;
		w->plan.responses[VIOLATION_SYSCALL].after = 1;
	}
	w->host = *h;
	w->room = -1;
	w->epoll = w->clocks.fd = w->dir = w->pidfd = w->control = w->link = w->own = -1;
	w->status = w->helper = w->second_helper = w->flows = w->still.fd = w->calls.epoll =
		w->calls.proc = -1;
	w->doom = -1;
	for (size_t i = 0; i < CONNS_MAX; i++)
		w->conns[i] = -1;
	for (size_t i = 0; i < LISTENERS_MAX; i++)
		w->calls.listeners[i] = -1;
	int r = open_parts(a, w, e);
	if (r < 0) {
		/* What is its host's stays that. */
		memset(w->streams, 0, sizeof(w->streams));
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
	calls_close(w);
	for (size_t i = 0; i < CONNS_MAX; i++)
		own_close(&w->conns[i]);
	output_close(w);
	own_close(&w->control);
	own_close(&w->pidfd);
	own_close(&w->status);
	own_close(&w->helper);
	own_close(&w->flows);
	own_close(&w->still.fd);
	arena_free(&w->tally.arena);
	own_close(&w->second_helper);
	clocks_close(&w->clocks);
	own_close(&w->room);
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
	int r = clocks_check(w, e);
	if (r < 0)
		return r;
	own_fd int fd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_set(e, errno, "warden: pidfd");
	r = warden_watch(w, fd, SOURCE_PIDFD, 0, e);
	if (r < 0)
		return r;
	w->pidfd = take_fd(&fd);
	r = oom_watch(w, e);
	if (r == 0)
		r = pids_watch(w, e);
	return r == 0 && w->started ? clocks_start(w, e) : r;
}

int warden_listener(struct warden *w, int fd, struct err *e)
{
	return calls_add(w, fd, e);
}

int warden_helper(struct warden *w, int pidfd, struct err *e)
{
	own_fd int fd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
	unsigned int slot = w->helper >= 0;

	if (slot && w->second_helper >= 0)
		return err_msg(e, EALREADY, "warden: it has two helpers already");
	if (fd < 0)
		return err_set(e, errno, "warden: pidfd of its helper");
	int r = warden_watch(w, fd, SOURCE_HELPER, slot, e);
	if (r == 0)
		*(slot ? &w->second_helper : &w->helper) = take_fd(&fd);
	return r;
}

void warden_await_helper(const struct warden *w, int ms)
{
	struct pollfd p = {.fd = w->helper, .events = POLLIN};

	if (w->helper >= 0)
		(void)poll(&p, 1, ms);
}

int warden_started(struct warden *w, int pidfd, struct err *e)
{
	int r = pidfd < 0 ? 0 : warden_adopt(w, pidfd, e);

	if (r == 0 && !w->started && !w->kills)
		r = clocks_start(w, e);
	w->started = w->started || r == 0;
	return r;
}

/* Kept open when it has ended: it can still be asked how. */
bool warden_init_ended(const struct warden *w)
{
	struct pollfd p = {.fd = w->pidfd, .events = POLLIN};

	return w->gone || (w->pidfd >= 0 && poll(&p, 1, 0) > 0);
}

/* --- its end ------------------------------------------------------------------------------ */

static void write_end(struct warden *w)
{
	struct err ignored;

	/* The directory may be gone, or full: the sandbox ends all the same. */
	(void)!warden_end_write(w->dir, &w->room, &w->end, &ignored);
}

void warden_look(struct warden *w)
{
	if (w->host.gauges.look)
		w->host.gauges.look(w->host.gauges.ctx);
}

void warden_kill(struct warden *w)
{
	clocks_stop(&w->clocks);
	if (w->gone || w->kills == KILLS_MAX)
		return;
	if (!w->kills)
		warden_look(w);
	w->kills++;
	w->host.kill(w->host.ctx);
	clocks_set(&w->clocks, DUE_KILL, KILL_AGAIN_NS); /* only to try again */
}

static void note_memory(struct warden *w)
{
	const struct attempt x = {.class_ = VIOLATION_MEMORY, .name = "memory", .n = 1};

	(void)tally_add(w, &x, NULL);
}

/* Whoever asks why it ended finds all of it. */
static void write_why(struct warden *w, const char *reason)
{
	w->end.reason = reason;
	w->end.tainted = w->tally.taints;
	tally_write(w, true);
	write_end(w);
}

void warden_finish(struct warden *w, const char *reason)
{
	/* During a grace it has one already. */
	if (!w->end.reason) {
		if (str_eq(reason, "memory"))
			note_memory(w);
		write_why(w, reason);
	}
	if (!w->kills)
		warden_kill(w);
}

void warden_limit(struct warden *w, const char *reason, bool graceful)
{
	/* SIGTERM comes with a thaw: what is in quarantine would go on. */
	uint64_t grace = graceful && !respond_holds(w) ? w->plan.grace_ms : 0;

	if (w->end.reason)
		return;
	if (oom_seen(w)) {
		warden_finish(w, "memory");
		return;
	}
	write_why(w, reason);
	clocks_stop(&w->clocks);
	if (grace && w->host.term && w->host.term(w->host.ctx))
		clocks_set(&w->clocks, DUE_GRACE, clocks_ms(grace));
	else
		warden_kill(w);
}

void warden_give_up(struct warden *w)
{
	warden_finish(w, "warden-lost");
}

/* Again, with when that was, how many attempts there were and how much was passed on. */
void warden_close_end(struct warden *w)
{
	if (w->over)
		return;
	w->over = true;
	clocks_stop(&w->clocks);
	for (int i = 0; i < DUES; i++)
		w->clocks.due[i] = 0;
	output_close(w);
	/* What the resolver said last. */
	if (w->flows >= 0)
		flows_work(w);
	tally_close(w);
	w->end.tainted = w->tally.taints;
	if (w->end.reason)
		write_end(w);
}

static const char *reason_of_doom(struct warden *w)
{
	if (w->doom == VIOLATION_SYSCALL)
		return "syscall";
	if (w->doom == VIOLATION_MEMORY)
		return "memory";
	w->end.class_ = violation_classes[w->doom];
	w->end.name = w->doom_name;
	return "violation";
}

/* What was found in this round that it may not go on after. */
static void end_for_cause(struct warden *w)
{
	if (w->doom >= 0) {
		warden_finish(w, w->end.reason ? w->end.reason : reason_of_doom(w));
	} else if (w->tally.lost) {
		if (!w->end.reason)
			w->end.message = w->tally.why;
		warden_finish(w, "audit");
	}
}

/* The last words of its processes have been read by then: see warden_work. */
static void on_exit_of_init(struct warden *w)
{
	bool memory = !w->end.reason && w->doom < 0 && oom_seen(w);

	w->end.ended_ns = clock_monotonic_ns();
	w->gone = true;
	clocks_stop(&w->clocks);
	(void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->pidfd, NULL);
	bool drained = output_drained(w); /* which may find that it was too much */
	pids_work(w);
	if (memory)
		note_memory(w);
	if (!w->end.reason && w->doom >= 0)
		w->end.reason = reason_of_doom(w);
	else if (!w->end.reason && memory)
		w->end.reason = "memory";
	else if (!w->end.reason && w->host.record_exit)
		w->end.reason = "exited";
	if (drained)
		warden_close_end(w);
}

/* --- the loop ----------------------------------------------------------------------------- */

/* What is left for the end of a round: which of several things came first is not told there. */
struct round {
	bool gone, time, helper[2], output[WARDEN_STREAMS];
};

static int dispatch(struct warden *w, const struct epoll_event *ev, struct round *r, struct err *e)
{
	unsigned int slot = (unsigned int)(ev->data.u64 & UINT32_MAX);

	switch ((enum source)(ev->data.u64 >> 32)) {
	case SOURCE_TIMER:
		r->time = true;
		return 0;
	case SOURCE_PIDFD:
		if (!w->gone)
			warden_look(w);
		r->gone = true;
		return 0;
	case SOURCE_CONTROL:
		control_accept(w);
		return 0;
	case SOURCE_CONN:
		control_work(w, slot);
		return 0;
	case SOURCE_CALLS:
		return calls_work(w, e);
	case SOURCE_PIDS:
		pids_work(w);
		return 0;
	case SOURCE_FLOWS:
		if (w->flows >= 0)
			flows_work(w);
		return 0;
	case SOURCE_OOM:
		oom_work(w, true);
		return 0;
	case SOURCE_OUTPUT:
		r->output[slot] = true;
		return 0;
	case SOURCE_HELPER:
		r->helper[slot] = true;
		return 0;
	}
	return 0;
}

/* It ends after the sandbox, never before. */
static void on_exit_of_helper(struct warden *w, unsigned int slot)
{
	(void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, slot ? w->second_helper : w->helper, NULL);
	if (!warden_init_ended(w))
		warden_give_up(w);
}

int warden_work(struct warden *w, struct err *e)
{
	struct epoll_event ev[EVENTS];
	struct round round = {0};
	int n = epoll_wait(w->epoll, ev, EVENTS, 0), r = 0;

	if (n < 0 && errno != EINTR)
		return err_set(e, errno, "warden: epoll");
	for (int i = 0; i < n && r == 0; i++)
		r = dispatch(w, &ev[i], &round, e);
	/* Of one that lived shorter than a round: that it had started. */
	if (round.gone && !w->started)
		control_hear(w);
	/* Before it is killed all that is pending has been counted, up to a bound. */
	end_for_cause(w);
	for (unsigned int i = 0; i < WARDEN_STREAMS; i++)
		if (round.output[i])
			output_work(w, i);
	for (unsigned int i = 0; i < LEN(round.helper); i++)
		if (round.helper[i])
			on_exit_of_helper(w, i);
	/* What has ended by itself was in time. */
	if (round.gone)
		on_exit_of_init(w);
	else if (round.time && r == 0)
		r = clocks_work(w, e);
	else if (w->gone && output_drained(w))
		warden_close_end(w);
	if (!w->over)
		tally_write(w, false);
	return r < 0 ? r : clocks_wind(&w->clocks, e);
}
