#include "run/foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/nowait.h"
#include "base/own.h"
#include "base/sigmask.h"
#include "base/sys.h"
#include "run/notify.h"

_Static_assert(sizeof(sigset_t) <= sizeof(((struct foreground *)0)->mask), "mask holds a set");

/* Not forwarded: what the kernel sends about brig itself, and what a fault of brig would raise. */
static const int kept[] = {SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGABRT, SIGTRAP,
			   SIGSYS,  SIGKILL, SIGSTOP, SIGTTIN, SIGTTOU};

int foreground_begin(struct foreground *f, struct err *e)
{
	sigset_t set;

	*f = (struct foreground){.signals = -1, .tty = -1};
	sigfillset(&set);
	for (size_t i = 0; i < LEN(kept); i++)
		sigdelset(&set, kept[i]);
	if (sigprocmask(SIG_BLOCK, &set, (sigset_t *)(void *)f->mask) < 0)
		return err_set(e, errno, "sigprocmask");
	f->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->signals < 0) {
		int code = errno;

		foreground_child(f);
		return err_set(e, code, "signalfd");
	}
	return 0;
}

void foreground_child(const struct foreground *f)
{
	(void)sigprocmask(SIG_SETMASK, (const sigset_t *)(const void *)f->mask, NULL);
}

void foreground_end(struct foreground *f)
{
	if (f->saved) {
		(void)tcsetattr(f->tty, TCSADRAIN, f->saved);
		free(f->saved);
		f->saved = NULL;
	}
	if (f->tty_owned)
		(void)close(f->tty);
	f->tty = -1;
	f->tty_owned = false;
	if (f->signals < 0)
		return;
	(void)close(f->signals);
	f->signals = -1;
	foreground_child(f);
}

static int host_tty(bool *owned)
{
	*owned = false;
	for (int fd = 0; fd <= 2; fd++)
		if (isatty(fd))
			return fd;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	*owned = fd >= 0;
	return fd;
}

static void copy_size(int from, int to)
{
	struct winsize ws;

	if (ioctl(from, TIOCGWINSZ, &ws) == 0)
		(void)ioctl(to, TIOCSWINSZ, &ws); /* the size is a convenience */
}

bool foreground_size(uint64_t *height, uint64_t *width)
{
	bool owned;
	int tty = host_tty(&owned);
	struct winsize ws = {0};
	bool known = tty >= 0 && ioctl(tty, TIOCGWINSZ, &ws) == 0;

	if (owned)
		(void)close(tty);
	*height = ws.ws_row;
	*width = ws.ws_col;
	return known;
}

int foreground_console(struct foreground *f, int master, bool has_size, struct err *e)
{
	f->tty = host_tty(&f->tty_owned);
	if (f->tty < 0)
		return 0;
	struct termios *t = malloc(sizeof(*t));
	if (!t || tcgetattr(f->tty, t) < 0) {
		free(t);
		return err_set(e, errno, "terminal mode");
	}
	f->saved = t;
	struct termios raw = *t;
	cfmakeraw(&raw);
	if (tcsetattr(f->tty, TCSANOW, &raw) < 0)
		return err_set(e, errno, "terminal raw mode");
	if (!has_size)
		copy_size(f->tty, master);
	return 0;
}

/* 1: pid itself has ended. */
static int reap(struct foreground *f, pid_t pid, int *status)
{
	struct rusage usage;
	int one;
	pid_t r;

	while ((r = wait4(-1, &one, WNOHANG, &usage)) > 0)
		if (r == pid)
			break;
	/* It alone: there may be other children that live on. */
	if (r == 0)
		r = wait4(pid, &one, WNOHANG, &usage);
	if (r == 0 || (r < 0 && errno != ECHILD))
		return 0;
	/* Not a child of ours any more, whoever has reaped it: there is nothing to wait for. */
	f->lost = r < 0;
	*status = f->lost ? 255 << 8 : one;
	if (!f->lost)
		f->usage = usage;
	return 1;
}

/* The signals that end a program which says nothing about them. */
static bool ends(int sig)
{
	static const int ending[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM};

	for (size_t i = 0; i < LEN(ending); i++)
		if (ending[i] == sig)
			return true;
	return false;
}

bool foreground_minds(pid_t pid, int sig)
{
	char path[64], text[8192];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	/* Else it has gone. */
	return file_peek(AT_FDCWD, path, text, sizeof(text)) < 0 || sigmask_minds(text, sig) ||
	       sigmask_awaits(pid, sig);
}

/*
 * To pid 1 of a pid namespace the kernel does not deliver what it has no handler for: who runs one
 * program and nothing else expects it to end all the same.
 */
static void deliver(struct foreground *f, pid_t pid, int pidfd, int sig)
{
	/* Asked before: who waits for signals does something else when it has got one. */
	bool over = f->plain && ends(sig) && !foreground_minds(pid, sig);

	(void)sys_pidfd_send_signal(pidfd, sig);
	if (!over)
		return;
	f->ended_by = sig;
	(void)sys_pidfd_send_signal(pidfd, SIGKILL);
}

static void on_signal(struct foreground *f, pid_t pid, int pidfd, int master, int sig)
{
	if (sig == SIGWINCH && master >= 0 && f->tty >= 0)
		copy_size(f->tty, master);
	/* A write to a closed pipe of ours, urgent data of ours: not the container's. */
	else if (sig != SIGCHLD && sig != SIGPIPE && sig != SIGURG)
		deliver(f, pid, pidfd, sig);
}

static void on_signals(struct foreground *f, pid_t pid, int pidfd, int master)
{
	struct signalfd_siginfo si;

	while (read(f->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		on_signal(f, pid, pidfd, master, (int)si.ssi_signo);
}

/* What came while nothing ran that it could be sent to. */
static void on_later(struct foreground *f, pid_t pid, int pidfd, int master)
{
	for (int sig = 1; f->later && sig < NSIG; sig++)
		if (f->later & UINT64_C(1) << (sig - 1))
			on_signal(f, pid, pidfd, master, sig);
	f->later = 0;
}

static int keep_signals(struct foreground *f, struct err *e)
{
	struct signalfd_siginfo si;

	while (f->signals >= 0 && read(f->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int sig = (int)si.ssi_signo;

		if (ends(sig)) {
			f->ended_by = sig;
			return err_msg(e, EINTR, "ended by signal %d before the program ran", sig);
		}
		f->later |= UINT64_C(1) << (sig - 1);
	}
	return 0;
}

int foreground_await(struct foreground *f, int fd, int pidfd, struct err *e)
{
	struct pollfd p[] = {
		{.fd = f->signals, .events = POLLIN},
		{.fd = fd,         .events = POLLIN},
		{.fd = pidfd,      .events = POLLIN},
	};

	for (;;) {
		if (poll(p, LEN(p), -1) < 0) {
			if (errno != EINTR)
				return err_set(e, errno, "poll");
			continue;
		}
		if (keep_signals(f, e) < 0)
			return -e->code;
		if (p[1].revents)
			return 0;
		/* What it said came before its end, but maybe behind our look at fd. */
		if (p[2].revents)
			return poll(&p[1], 1, 0) > 0 ? 0 : 1;
	}
}

/* Whoever reads it may be slow, or stop: that must not keep a limit of time from being kept. */
struct output {
	struct nowait to;
	char buf[4096];
	size_t at, len;
};

/* False: nobody reads any more. */
static bool flush(struct output *o)
{
	while (o->at < o->len) {
		ssize_t n = nowait_write(&o->to, o->buf + o->at, o->len - o->at);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0 && errno != EINTR)
			break;
		o->at += n > 0 ? (size_t)n : 0;
	}
	bool done = o->at == o->len;
	o->at = o->len = 0;
	return done;
}

/* Bytes of the container to the host; false when there is nothing more to come. */
static bool to_host(struct output *o, int master)
{
	ssize_t n = read(master, o->buf, sizeof(o->buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) /* EIO: no process has the slave open */
		return false;
	o->len = (size_t)n;
	return flush(o);
}

struct input {
	char buf[4096];
	size_t at, len;
	bool ended;
};

static void from_host(struct input *in)
{
	ssize_t n = read(STDIN_FILENO, in->buf, sizeof(in->buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	in->at = 0;
	in->len = n > 0 ? (size_t)n : 0;
	if (n <= 0) {
		/* A terminal has no end of file: its line discipline makes one of ^D. */
		in->ended = true;
		in->buf[0] = 4;
		in->len = 1;
	}
}

static void to_container(struct input *in, int master)
{
	ssize_t n = write(master, in->buf + in->at, in->len - in->at);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		n = (ssize_t)(in->len - in->at); /* nobody will read it any more */
	if (n > 0)
		in->at += (size_t)n;
	if (in->at == in->len)
		in->at = in->len = 0;
}

/*
 * What was written before the end.  Others in the container may go on writing for ever, and the
 * reader may never read again.
 */
static void drain(struct output *o, int master)
{
	enum { READS = 512, PATIENCE_MS = 5000 }; /* more than a pseudoterminal keeps */
	struct pollfd in = {.fd = master, .events = POLLIN};
	struct pollfd out = {.fd = o->to.fd, .events = POLLOUT};

	for (int i = 0; o->len || (master >= 0 && i < READS); i++) {
		bool more = o->len ? poll(&out, 1, PATIENCE_MS) > 0 && flush(o)
				   : poll(&in, 1, 0) > 0 && to_host(o, master);

		if (!more)
			return;
	}
}

/* Whether one of them is of those that end things. */
static bool read_signals(struct foreground *f)
{
	struct signalfd_siginfo si;
	bool end = false;

	while (read(f->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		end = end || ends((int)si.ssi_signo);
	return end;
}

static int finish_watch(struct foreground *f, struct err *e)
{
	const struct foreground_watch *w = f->watch;
	struct pollfd p[] = {
		{.fd = w ? w->fd : -1, .events = POLLIN},
		{.fd = f->signals,     .events = POLLIN},
	};

	while (w && w->busy && w->busy(w->ctx)) {
		if (poll(p, LEN(p), -1) < 0 && errno != EINTR)
			return err_set(e, errno, "poll");
		if (p[1].revents && read_signals(f))
			break;
		if (p[0].revents && w->ready(w->ctx, e) < 0)
			return -e->code;
	}
	/* SIGPIPE of what was passed on would else hit us when it is let through. */
	(void)read_signals(f);
	return 0;
}

int foreground_wait(struct foreground *f, pid_t pid, int pidfd, int master, int *status,
		    struct err *e)
{
	enum { SIGNALS, EXIT, MASTER, STDIN, STDOUT, NOTIFY, WATCH, N };
	struct input in = {.ended = master < 0};
	struct output out = {.len = 0};
	bool open = master >= 0;

	if (open && fcntl(master, F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, errno, "console");
	if (open && nowait_init(&out.to, STDOUT_FILENO, e) < 0)
		return err_wrap(e, "console");
	on_later(f, pid, pidfd, master);
	for (;;) {
		struct pollfd p[N] = {
			[SIGNALS] = {.fd = f->signals,                                 .events = POLLIN },
			[EXIT] = {.fd = pidfd,                                      .events = POLLIN },
			[MASTER] = {.fd = open && (in.len || !out.len) ? master : -1,
				     .events = (short)((out.len ? 0 : POLLIN) |
						      (in.len ? POLLOUT : 0))                           },
			[STDIN] = {.fd = !in.ended && !in.len ? STDIN_FILENO : -1,
				     .events = POLLIN						   },
			[STDOUT] = {.fd = out.len ? STDOUT_FILENO : -1,               .events = POLLOUT},
			[NOTIFY] = {.fd = f->notify ? f->notify->sock : -1,           .events = POLLIN },
			[WATCH] = {.fd = f->watch ? f->watch->fd : -1,               .events = POLLIN },
		};

		if (poll(p, N, -1) < 0 && errno != EINTR)
			return err_set(e, errno, "poll");
		if (p[SIGNALS].revents)
			on_signals(f, pid, pidfd, master);
		if (p[STDOUT].revents)
			open = flush(&out) && open;
		else if (!out.len && p[MASTER].revents & (POLLIN | POLLHUP | POLLERR))
			open = to_host(&out, master);
		if (open && p[MASTER].revents & (POLLOUT | POLLHUP | POLLERR) && in.len)
			to_container(&in, master);
		if (p[STDIN].revents)
			from_host(&in);
		/* brig stays the main process of its unit: no pid. */
		if (p[NOTIFY].revents)
			(void)notify_relay(f->notify, 0);
		/* Before reaping, which frees what its handler may look at. */
		if (p[WATCH].revents && f->watch->ready(f->watch->ctx, e) < 0)
			return -e->code;
		if (reap(f, pid, status))
			break;
	}
	drain(&out, open ? master : -1);
	if (f->notify)
		(void)notify_relay(f->notify, 0);
	return finish_watch(f, e);
}

int foreground_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
