/*
 * A run that is watched, of `policy learn` and its replay.
 *
 *   brig (here, the observer)               brig (run)                     the program
 *      | fork ------------------------------> |
 *      | <--- the filter that would be ------ |  plan
 *      |                                      | clone --------------------> |
 *      | <--- SYNC_LISTENER + fd ------------------------------------------ |  filter, execve
 *      | <=== each call, answered ========================================= |
 *      | <--- its exit code, or its error --- |  the end
 *
 * The run is an ordinary one, in a process of its own, so that brig waiting for something of the
 * program's never keeps the program's calls waiting.  When the observer is killed, so are the run
 * and the program; what the run leaves then `delete` removes.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/sys.h"
#include "learn.h"
#include "learn_program.h"
#include "run/launch.h"
#include "run/sync.h"

/* What the run tells at its end, in the same socket. */
struct ending {
	char magic[8];
	int code; /* of container_run */
	bool failed;
	struct err why;
};

static const char ending_magic[8] = "ending";

struct watched {
	struct learn_seen *seen;
	int sock;    /* of what the run says; -1: it will say no more */
	int signals; /* signalfd */
	pid_t pid;
	int pidfd;
	int listener;
	sigset_t mask;     /* the caller's */
	bool quiet;        /* standard output is brig's own: the program's goes where errors go */
	uint64_t asked_ns; /* when it was last asked to end */
	bool has_original, has_ended;
	struct ending end;
};

static void run_child(const struct container_host *h, const struct container_create_opts *o,
		      const struct watched *w, int sock, pid_t parent)
{
	struct container_create_opts mine = *o;
	struct ending end = {0};

	(void)sigprocmask(SIG_SETMASK, &w->mask, NULL);
	if (w->quiet)
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	/* And with us the sandbox, whose calls nobody answers then. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	mine.observer = &sock;
	end.failed = container_run(h, &mine, &end.code, &end.why) < 0;
	memcpy(end.magic, ending_magic, sizeof(end.magic));
	/* Nobody is left to be told when this fails. */
	(void)!send(sock, &end, sizeof(end), MSG_NOSIGNAL);
	_exit(0);
}

/* The terminal sends to all of its group; what only we were sent is passed on. */
static void pass_signal(const struct watched *w)
{
	struct signalfd_siginfo si;

	while (read(w->signals, &si, sizeof(si)) == sizeof(si))
		if (si.ssi_signo != SIGALRM && si.ssi_code <= 0)
			(void)sys_pidfd_send_signal(w->pidfd, (int)si.ssi_signo);
}

static int take_original(struct watched *w, struct err *e)
{
	struct plan_observer by;
	int r = learn_receive_original(w->seen->a, w->sock, &by, e);

	if (r < 0)
		return r;
	w->seen->original = by.original;
	w->seen->level = by.level;
	w->seen->ends = by.ends;
	return 0;
}

/* A message of the run, of its plan or of its end, or of the program's process: which, by its
 * start. 1: one was there, 0: it will say no more. */
static int take_message(struct watched *w, struct err *e)
{
	char first[sizeof(ending_magic)] = {0};
	ssize_t n = recv(w->sock, first, sizeof(first), MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	int r = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n == sizeof(w->end) && memcmp(first, ending_magic, sizeof(first)) == 0)
		w->has_ended = recv(w->sock, &w->end, sizeof(w->end), 0) == sizeof(w->end);
	else if (n > 0 && !w->has_original)
		r = take_original(w, e);
	else if (n > 0 && w->listener < 0)
		r = sync_expect_fd(w->sock, SYNC_LISTENER, &w->listener, e);
	else
		own_close(&w->sock);
	w->has_original = true;
	if (w->listener >= 0 && w->seen->listener < 0)
		learn_listen(w->seen, w->listener);
	return r < 0 ? r : w->sock >= 0;
}

/* A high level's warden would end all of it.  A shell that happens to block signals, as pid 1, does
 * not get the first one. */
static void end_run(struct watched *w)
{
	const uint64_t again_ns = 200000000;
	uint64_t now = clock_monotonic_ns();

	if (w->asked_ns && now - w->asked_ns < again_ns)
		return;
	w->asked_ns = now;
	(void)sys_pidfd_send_signal(w->pidfd, SIGTERM);
}

static int serve(struct watched *w, short events, struct err *e)
{
	enum { BATCH = 64 };
	int r = 1;

	for (int i = 0; i < BATCH && r > 0; i++)
		r = learn_serve(w->seen, e);
	/* Nobody is left under that filter. */
	if (r == 0 && events & (POLLHUP | POLLERR))
		own_close(&w->listener);
	return r;
}

static int watch(struct watched *w, struct err *e)
{
	for (;;) {
		struct pollfd p[] = {
			{.fd = w->pidfd,    .events = POLLIN},
			{.fd = w->listener, .events = POLLIN},
			{.fd = w->sock,     .events = POLLIN},
			{.fd = w->signals,  .events = POLLIN},
		};

		if (poll(p, LEN(p), -1) < 0 && errno != EINTR)
			return err_set(e, errno, "poll");
		if (p[3].revents)
			pass_signal(w);
		if (p[2].revents && take_message(w, e) < 0)
			return -e->code;
		if (w->listener >= 0 && p[1].revents && serve(w, p[1].revents, e) < 0)
			return -e->code;
		if (p[0].revents)
			return 0;
		if (w->seen->over)
			end_run(w);
	}
}

static int end_of(struct watched *w, int *code, struct err *e)
{
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	/* Its last words are there, or will never be. */
	struct pollfd p = {.fd = w->sock, .events = POLLIN};
	while (w->sock >= 0 && !w->has_ended && poll(&p, 1, 0) > 0)
		if (take_message(w, e) < 0)
			return -e->code;
	if (!w->has_ended)
		return err_msg(e, ECHILD, "the run ended without a word");
	*code = w->end.code;
	if (!w->end.failed)
		return 0;
	*e = w->end.why;
	return -e->code;
}

/*
 * Reading a notification that was withdrawn meanwhile (its process was killed) waits for the next
 * one, before Linux 6.10 for ever: a signal now and then ends such a wait.
 */
static void on_alarm(int sig)
{
	(void)sig;
}

static void begin_alarms(struct sigaction *before)
{
	const struct itimerval often = {
		{0, 250000},
                {0, 250000}
        };
	const struct sigaction s = {.sa_handler = on_alarm};

	(void)sigaction(SIGALRM, &s, before);
	(void)setitimer(ITIMER_REAL, &often, NULL);
}

static void end_alarms(const struct sigaction *before)
{
	const struct itimerval never = {0};

	(void)setitimer(ITIMER_REAL, &never, NULL);
	(void)sigaction(SIGALRM, before, NULL);
}

static int start(const struct container_host *h, const struct container_create_opts *o,
		 struct watched *w, struct err *e)
{
	int socks[2];
	pid_t parent = getpid();

	if (sync_pair(socks, e) < 0)
		return -e->code;
	own_fd int theirs = socks[1];
	w->sock = socks[0];
	(void)fflush(stdout);
	w->pid = fork();
	if (w->pid < 0)
		return err_set(e, errno, "fork");
	if (w->pid == 0)
		run_child(h, o, w, theirs, parent);
	w->pidfd = sys_pidfd_open(w->pid, 0);
	return w->pidfd < 0 ? err_set(e, errno, "pidfd_open") : 0;
}

int learn_run(const struct container_host *h, const struct container_create_opts *o,
	      struct learn_seen *seen, bool quiet, int *code, struct err *e)
{
	struct watched w = {
		.seen = seen,
		.quiet = quiet,
		.sock = -1,
		.signals = -1,
		.pidfd = -1,
		.listener = -1,
	};
	struct sigaction before;
	sigset_t set;
	int r = 0;

	if (launch_reexec_sealed(e) < 0)
		return -e->code;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &set, &w.mask);
	w.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r = w.signals < 0 ? err_set(e, errno, "signalfd") : start(h, o, &w, e);
	if (r == 0) {
		begin_alarms(&before);
		r = watch(&w, e);
		end_alarms(&before);
	}
	/* Calls that nobody answers fail from here on. */
	own_close(&w.listener);
	seen->listener = -1;
	if (w.pid > 0 && r < 0 && w.pidfd >= 0)
		(void)sys_pidfd_send_signal(w.pidfd, SIGTERM);
	struct err ended = {0};
	int end = w.pid > 0 ? end_of(&w, code, &ended) : 0;
	if (r == 0 && end < 0) {
		*e = ended;
		r = end;
	}
	own_close(&w.sock);
	own_close(&w.signals);
	own_close(&w.pidfd);
	(void)sigprocmask(SIG_SETMASK, &w.mask, NULL);
	return r;
}
