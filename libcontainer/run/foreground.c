#include "run/foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
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
static int reap(pid_t pid, int *status)
{
	int one;
	pid_t r;

	while ((r = waitpid(-1, &one, WNOHANG)) > 0) {
		if (r != pid)
			continue;
		*status = one;
		return 1;
	}
	/* Not a child of ours any more, whoever has reaped it: there is nothing to wait for. */
	if (r < 0 && errno == ECHILD) {
		*status = 255 << 8;
		return 1;
	}
	return 0;
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

/* Whether pid has said something: a handler, ignored, or blocked for later. */
static bool minds(pid_t pid, int sig)
{
	static const char *const masks[] = {"\nSigBlk:\t", "\nSigIgn:\t", "\nSigCgt:\t"};
	char path[64], text[8192];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_peek(AT_FDCWD, path, text, sizeof(text)) < 0)
		return true; /* it has gone */
	for (size_t i = 0; i < LEN(masks); i++) {
		const char *at = strstr(text, masks[i]);

		if (at && strtoull(at + strlen(masks[i]), NULL, 16) >> (sig - 1) & 1)
			return true;
	}
	return false;
}

/*
 * To pid 1 of a pid namespace the kernel does not deliver what it has no handler for: who runs one
 * program and nothing else expects it to end all the same.
 */
static void deliver(struct foreground *f, pid_t pid, int pidfd, int sig)
{
	(void)sys_pidfd_send_signal(pidfd, sig);
	if (!f->plain || !ends(sig) || minds(pid, sig))
		return;
	f->ended_by = sig;
	(void)sys_pidfd_send_signal(pidfd, SIGKILL);
}

static int on_signals(struct foreground *f, pid_t pid, int pidfd, int master)
{
	struct signalfd_siginfo si;

	while (read(f->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int sig = (int)si.ssi_signo;

		if (sig == SIGWINCH && master >= 0 && f->tty >= 0)
			copy_size(f->tty, master);
		/* A write to a closed pipe of ours, urgent data of ours: not the container's. */
		else if (sig != SIGCHLD && sig != SIGPIPE && sig != SIGURG)
			deliver(f, pid, pidfd, sig);
	}
	return 0;
}

/* Bytes of the container to the host; false when there is nothing more to come. */
static bool to_host(int master)
{
	char buf[8192];
	ssize_t n = read(master, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) /* EIO: no process has the slave open */
		return false;
	return file_write_all(STDOUT_FILENO, buf, (size_t)n) == 0;
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

/* What was written before the end.  Others in the container may go on writing for ever. */
static void drain(int master)
{
	enum { READS = 256 }; /* each of up to a page: more than a pseudoterminal keeps */
	struct pollfd p = {.fd = master, .events = POLLIN};

	for (int i = 0; i < READS && master >= 0 && poll(&p, 1, 0) > 0 && to_host(master); i++)
		;
}

int foreground_wait(struct foreground *f, pid_t pid, int pidfd, int master, int *status,
		    struct err *e)
{
	enum { SIGNALS, EXIT, MASTER, STDIN, NOTIFY, WATCH, N };
	struct input in = {.ended = master < 0};
	bool open = master >= 0;

	if (open && fcntl(master, F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, errno, "console");
	for (;;) {
		struct pollfd p[N] = {
			[SIGNALS] = {.fd = f->signals,                               .events = POLLIN},
			[EXIT] = {.fd = pidfd,                                    .events = POLLIN},
			[MASTER] = {.fd = open ? master : -1,
				     .events = (short)(POLLIN | (in.len ? POLLOUT : 0))              },
			[STDIN] = {.fd = !in.ended && !in.len ? STDIN_FILENO : -1,
				     .events = POLLIN                                                },
			[NOTIFY] = {.fd = f->notify ? f->notify->sock : -1,         .events = POLLIN},
			[WATCH] = {.fd = f->watch ? f->watch->fd : -1,             .events = POLLIN},
		};

		if (poll(p, N, -1) < 0 && errno != EINTR)
			return err_set(e, errno, "poll");
		if (p[SIGNALS].revents)
			on_signals(f, pid, pidfd, master);
		if (p[MASTER].revents & (POLLIN | POLLHUP | POLLERR))
			open = to_host(master);
		if (open && p[MASTER].revents & POLLOUT && in.len)
			to_container(&in, master);
		if (p[STDIN].revents)
			from_host(&in);
		/* brig stays the main process of its unit: no pid. */
		if (p[NOTIFY].revents)
			(void)notify_relay(f->notify, 0);
		/* Before reaping, which frees what its handler may look at. */
		if (p[WATCH].revents && f->watch->ready(f->watch->ctx, e) < 0)
			return -e->code;
		if (reap(pid, status))
			break;
	}
	drain(master);
	if (f->notify)
		(void)notify_relay(f->notify, 0);
	return 0;
}

int foreground_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
