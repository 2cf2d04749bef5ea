#include "warden/detached.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "warden/internal.h"

/* --- the process -------------------------------------------------------------------------- */

struct detached {
	const struct warden_detach *how;
	struct warden *w;
	int link, control;
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

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Engines wait for the end of what they gave to create; 0, 1 and 2 have been replaced. */
static void close_all_but(int *keep, size_t n)
{
	unsigned int from = 3;

	qsort(keep, n, sizeof(*keep), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			(void)close_range(from, (unsigned int)keep[i] - 1, 0);
		from = (unsigned int)keep[i] + 1;
	}
	(void)close_range(from, ~0U, 0);
}

static int leave_caller(const struct detached *d, struct err *e)
{
	int keep[] = {d->link, d->control, d->how->dir};
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* What the log was opened on is closed below. */
	log_setup(-1, LOG_TEXT, LOG_LEVEL_ERROR);
	if (null < 0 || chdir("/") < 0)
		return err_set(e, errno, "warden: leave the caller");
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(null, fd) < 0)
			return err_set(e, errno, "warden: standard streams");
	close_all_but(keep, LEN(keep));
	/* Fails for who leads a group already, which a child just born does not. */
	(void)setsid();
	(void)umask(077);
	(void)prctl(PR_SET_NAME, "brig-warden");
	/* As pid 1 it drops all that has no handler, but SIGKILL and SIGSTOP from outside. */
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
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
		.ctx = d,
		.syscall_name = d->how->syscall_name,
		.record_exit = true,
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
			return; /* and what is in its namespace dies with it */
		}
	}
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
		r = warden_confine(d->w->dir, &why);
	if (control_reply(d->link, r < 0 ? &why : NULL, ns) < 0 || r < 0)
		_exit(1);
	own_close(&ns);
	watch(d->w);
	_exit(0);
}

enum { END_WAIT_MS = 2000 };

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
	r = control_await(out->link, &out->pidns, e);
	if (r == 0 && how->enclose && out->pidns < 0)
		r = err_msg(e, EPROTO, "warden: no pid namespace came");
	if (r < 0)
		warden_detached_end(out);
	return r;
}

int warden_detached_poke(const struct warden_detached *w, int fd, const char *text, struct err *e)
{
	return control_ask(w->link, ASK_POKE, fd, text, e);
}

int warden_detached_adopt(const struct warden_detached *w, int pidfd, struct err *e)
{
	return control_ask(w->link, ASK_ADOPT, pidfd, NULL, e);
}

int warden_detached_started(const struct warden_detached *w, struct err *e)
{
	return control_ask(w->link, ASK_STARTED, -1, NULL, e);
}

int warden_detached_listener(const struct warden_detached *w, int fd, struct err *e)
{
	return control_ask(w->link, ASK_LISTENER, fd, NULL, e);
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
