#include "warden/detached.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sigmask.h"
#include "base/sys.h"
#include "warden/internal.h"

/* END_WAIT: for it to end; REAPED: for an engine to reap its sandbox's init; HELPER: for what its
 * helper has to say of the sandbox. */
enum { END_WAIT_MS = 2000, REAPED_MS = 2000, HELPER_MS = 1000 };

/* --- the process -------------------------------------------------------------------------- */

struct detached {
	const struct warden_detach *how;
	struct warden *w;
	int link, control;
	int audit; /* a directory that evidence goes to, -1 */
};

/* Besides init, whose death is that of its pid namespace. */
static void end_sandbox(void *ctx)
{
	const struct detached *d = ctx;

	if (d->w->pidfd >= 0)
		(void)sys_pidfd_send_signal(d->w->pidfd, SIGKILL);
	for (size_t i = 0; i < d->w->n_pokes; i++) {
		const struct poke *p = &d->w->pokes[i];

		/* The directory may be gone. */
		(void)!write(p->fd, p->text, strlen(p->text));
	}
}

/* /proc/PID/status of its init; false where that is not known. */
static bool read_status(const struct warden *w, char *text, size_t size)
{
	ssize_t n = w->status < 0 ? -1 : pread(w->status, text, size - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

/*
 * A SIGTERM that init says nothing about is dropped without waking it.  One that it waits for in
 * sigtimedwait(2), of which the status says nothing either, wakes it: seen by the times it was
 * scheduled.  What it waits for could be read only with the rights of ptrace(2).
 */
static bool wakes(const struct warden *w)
{
	enum { LOOKS = 20 };
	char text[8192];
	struct pollfd gone = {.fd = w->pidfd, .events = POLLIN};

	/* it has settled down after the thaw */
	(void)poll(&gone, 1, 2);
	if (!read_status(w, text, sizeof(text)))
		return false;
	uint64_t before = sigmask_switches(text);

	if (sys_pidfd_send_signal(w->pidfd, SIGTERM) < 0)
		return false;
	for (int i = 0; i < LOOKS; i++) {
		if (poll(&gone, 1, 1) != 0 || !read_status(w, text, sizeof(text)) ||
		    sigmask_switches(text) != before)
			return true;
	}
	return false;
}

/* Whether its init has heard of a SIGTERM; where that is not known it has. */
static bool ask_to_end(void *ctx)
{
	const struct warden *w = ((const struct detached *)ctx)->w;
	char text[8192];
	bool known = read_status(w, text, sizeof(text));

	for (size_t i = 0; i < w->n_pokes; i++) {
		const struct poke *p = &w->pokes[i];

		if (p->thaws)
			(void)!write(p->fd, p->text, strlen(p->text));
	}
	if (known && !sigmask_minds(text, SIGTERM))
		return wakes(w);
	return sys_pidfd_send_signal(w->pidfd, SIGTERM) == 0;
}

static int leave_caller(const struct detached *d, struct err *e)
{
	const struct warden_detach *how = d->how;
	int keep[3 + 2 * WARDEN_STREAMS] = {d->link, d->control, how->dir};
	size_t n = 3;
	sigset_t none;
	int null = fds_null_streams(-1);

	/* What the log was opened on is closed below. */
	log_setup(-1, LOG_TEXT, LOG_LEVEL_ERROR);
	if (null < 0)
		return err_set(e, -null, "warden: standard streams");
	if (chdir("/") < 0)
		return err_set(e, errno, "warden: leave the caller");
	for (size_t i = 0; i < how->n_streams; i++) {
		keep[n++] = how->streams[i].from;
		keep[n++] = how->streams[i].to;
	}
	/* Engines wait for the end of what they gave to create. */
	fds_close_all_but(3, keep, n);
	/* Fails for who leads a group already, which a child just born does not. */
	(void)setsid();
	(void)umask(077);
	(void)prctl(PR_SET_NAME, "brig-warden");
	/* As pid 1 it drops all that has no handler, but SIGKILL and SIGSTOP from outside. */
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN); /* of its sandbox's output */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	return 0;
}

static int settle(struct detached *d, struct arena *a, struct err *e)
{
	const struct warden_host h = {
		.dir = d->how->dir,
		.pidfd = -1,
		.control = d->control,
		.kill = end_sandbox,
		.term = ask_to_end,
		.ctx = d,
		.syscall_name = d->how->syscall_name,
		.decide = d->how->decide,
		.decide_ctx = d->how->decide_ctx,
		.reports = d->how->reports,
		.own_pidns = d->how->enclose,
		.record_exit = true,
		.gauges = d->how->gauges,
		.streams = d->how->streams,
		.n_streams = d->how->n_streams,
	};
	int r = leave_caller(d, e);

	if (r == 0)
		r = warden_open(a, &d->how->plan, &h, &d->w, e);
	if (r < 0)
		return r;
	/* It holds the lock on the state, which is its maker's. */
	(void)close(d->how->dir);
	r = control_add(d->w, d->link, e);
	d->w->link = r;
	return r < 0 ? r : 0;
}

static void watch(struct warden *w)
{
	struct pollfd p = {.fd = warden_fd(w), .events = POLLIN};
	struct err why;

	while (!warden_over(w)) {
		if ((poll(&p, 1, -1) < 0 && errno != EINTR) || warden_work(w, &why) < 0) {
			warden_give_up(w);
			_exit(0); /* and what is in its namespace dies with it */
		}
	}
}

/* How its init ended is for who has a result to write. */
static void take_leave(const struct detached *d)
{
	const struct warden_gauges *g = &d->how->gauges;

	if (!g->finish || d->w->pidfd < 0)
		return;
	const struct exit_info x = exit_info_of(d->w->pidfd, 0, REAPED_MS);
	warden_await_helper(d->w, HELPER_MS);
	g->finish(g->ctx, d->w->dir, warden_ended(d->w), &x);
}

static int open_evidence(struct detached *d, struct err *e)
{
	const struct warden_reports *p = &d->how->reports;

	d->audit = -1;
	return p->directory ? p->directory(p->ctx, &d->audit, e) : 0;
}

static _Noreturn void live(struct detached *d)
{
	struct arena a = {0};
	struct err why;
	own_fd int ns = -1;
	int r = settle(d, &a, &why);

	if (r == 0 && d->how->enclose) {
		ns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
		if (ns < 0)
			r = err_set(&why, errno, "warden: its pid namespace");
	}
	if (r == 0)
		r = open_evidence(d, &why);
	if (r == 0)
		r = warden_confine(d->w->dir, d->audit, d->w->calls.proc, &why);
	if (control_reply(d->link, r < 0 ? &why : NULL, ns) < 0 || r < 0)
		_exit(1);
	own_close(&ns);
	watch(d->w);
	take_leave(d);
	if (d->w->n_layers)
		warden_layers_hold(d->w);
	_exit(0);
}

/* --- its maker ---------------------------------------------------------------------------- */

static int give_birth(struct detached *d, int peer, struct warden_detached *out, struct err *e)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | (d->how->enclose ? CLONE_NEWPID : 0),
		.pidfd = (uint64_t)(uintptr_t)&out->pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = sys_clone3(&args);

	if (pid < 0)
		return err_set(e, errno, "warden: clone");
	if (pid == 0) {
		(void)close(peer);
		live(d);
	}
	out->pid = pid;
	return 0;
}

int warden_detach(const struct warden_detach *how, struct warden_detached *out, struct err *e)
{
	int fds[2];

	*out = WARDEN_DETACHED_NONE;
	own_fd int control = warden_control_make(how->dir, e);
	if (control < 0)
		return control;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, errno, "warden: socketpair");
	own_fd int link = fds[0], its = fds[1];
	struct detached d = {.how = how, .link = its, .control = control};
	int r = give_birth(&d, link, out, e);
	if (r < 0)
		return r;
	own_close(&its);
	out->link = take_fd(&link);
	return 0;
}

int warden_detached_await(struct warden_detached *w, bool enclosed, struct err *e)
{
	int r = control_await(w->link, &w->pidns, e);

	return r == 0 && enclosed && w->pidns < 0
		       ? err_msg(e, EPROTO, "warden: no pid namespace came")
		       : r;
}

static int ask(const struct warden_detached *w, enum warden_ask type, int fd, struct err *e)
{
	const struct warden_msg m = {.type = type};

	return control_ask(w->link, &m, &fd, fd >= 0, e);
}

/* With its answer, or that is owed until warden_detached_settle. */
static int say(struct warden_detached *w, const struct warden_msg *m, const int *fds, size_t n,
	       struct err *e)
{
	if (!w->hurried)
		return control_ask(w->link, m, fds, n, e);
	int r = control_tell(w->link, m, fds, n, e);
	w->owed += r == 0;
	return r;
}

static int say_one(struct warden_detached *w, enum warden_ask type, int fd, struct err *e)
{
	const struct warden_msg m = {.type = type};

	return say(w, &m, &fd, 1, e);
}

void warden_detached_hurry(struct warden_detached *w)
{
	w->hurried = true;
}

int warden_detached_settle(struct warden_detached *w, struct err *e)
{
	int first = 0;

	for (w->hurried = false; w->owed; w->owed--) {
		struct err why;
		int r = control_await(w->link, NULL, &why);

		if (r < 0 && first == 0) {
			first = r;
			*e = why;
		}
		/* It says nothing any more. */
		if (r == -ETIMEDOUT || r == -ECONNRESET)
			w->owed = 1;
	}
	return first;
}

int warden_detached_poke(struct warden_detached *w, int fd, const char *text, bool thaws,
			 struct err *e)
{
	struct warden_msg m = {.type = ASK_POKE, .flags = thaws};

	snprintf(m.text, sizeof(m.text), "%s", text);
	return say(w, &m, &fd, 1, e);
}

int warden_detached_meters(struct warden_detached *w, const uint8_t *kinds, const int *fds,
			   size_t n, struct err *e)
{
	struct warden_msg m = {.type = ASK_METERS};

	if (n > WARDEN_METERS)
		return err_msg(e, E2BIG, "warden: more than %d meters", WARDEN_METERS);
	if (n == 0)
		return 0;
	memcpy(m.text, kinds, n);
	return say(w, &m, fds, n, e);
}

int warden_detached_status(struct warden_detached *w, int fd, struct err *e)
{
	return say_one(w, ASK_STATUS, fd, e);
}

int warden_detached_helper(const struct warden_detached *w, int pidfd, struct err *e)
{
	return ask(w, ASK_HELPER, pidfd, e);
}

int warden_detached_layers(const struct warden_detached *w, const int *fds, size_t n, struct err *e)
{
	const struct warden_msg m = {.type = ASK_LAYERS};

	if (n > WARDEN_LAYERS)
		return err_msg(e, E2BIG, "warden: more than %d layers", WARDEN_LAYERS);
	return n ? control_ask(w->link, &m, fds, n, e) : 0;
}

int warden_detached_freezer(const struct warden_detached *w, int fd, bool v1, struct err *e)
{
	const struct warden_msg m = {.type = ASK_FREEZER, .flags = v1};

	return control_ask(w->link, &m, &fd, 1, e);
}

int warden_detached_flows(const struct warden_detached *w, int fd, struct err *e)
{
	return ask(w, ASK_FLOWS, fd, e);
}

int warden_detached_adopt(struct warden_detached *w, int pidfd, struct err *e)
{
	return say_one(w, ASK_ADOPT, pidfd, e);
}

int warden_detached_started(const struct warden_detached *w, struct err *e)
{
	return ask(w, ASK_STARTED, -1, e);
}

int warden_detached_listener(const struct warden_detached *w, int fd, struct err *e)
{
	return ask(w, ASK_LISTENER, fd, e);
}

void warden_detached_leave(struct warden_detached *w)
{
	own_close(&w->link);
	own_close(&w->pidns);
	own_close(&w->pidfd);
}

void warden_detached_end(struct warden_detached *w)
{
	struct pollfd p = {.fd = w->pidfd, .events = POLLIN};

	if (w->pid > 0) {
		(void)sys_pidfd_send_signal(w->pidfd, SIGKILL);
		(void)poll(&p, 1, END_WAIT_MS);
		(void)waitpid(w->pid, NULL, WNOHANG); /* else whoever reaps our orphans does */
	}
	warden_detached_leave(w);
	w->pid = 0;
}
