#include "net/pasta.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"

enum { READY_MS = 5000, SAID_MAX = 4096 };

int pasta_find(const char *given, char path[4096], struct err *e)
{
	const char *list = getenv("PATH");
	char copy[PATH_MAX];

	if (given) {
		if (snprintf(path, PATH_MAX, "%s", given) < PATH_MAX && access(path, X_OK) == 0)
			return 0;
		return err_set(e, errno ? errno : ENOENT, "pasta: %.256s", given);
	}
	snprintf(copy, sizeof(copy), "%s", list ? list : "/usr/bin:/bin");
	char *rest = copy, *dir;

	while ((dir = strsep(&rest, ":")))
		if (dir[0] == '/' && snprintf(path, PATH_MAX, "%s/pasta", dir) < PATH_MAX &&
		    access(path, X_OK) == 0)
			return 0;
	return err_msg(e, ENOENT, "pasta: not found (package passt)");
}

/* What it is started with. */
struct starting {
	const char *program;
	const struct inside *target;
	bool ipv6;
	int said; /* write end: its standard error, and its pid when it is ready */
};

/*
 * Descriptors that it opens by path are its standard ones.  Newer versions close all others, and
 * ours cannot be reached at that time: it is in the sandbox's user namespace then, from where
 * nobody looks into a process of the one above (ptrace(2), access checks), nor into one at a level,
 * which is not dumpable.
 */
enum { IN_NETNS, IN_USERNS, IN_SAID };
#define NETNS  "/proc/self/fd/0"
#define USERNS "/proc/self/fd/1"
#define PID    "/proc/self/fd/2"

/* All that is known to lead to the host is closed: the gateway's address, ports of its loopback. */
static void run_pasta(const struct starting *s)
{
	static const char *const fixed[] = {"pasta",       "--foreground",
					    "--quiet",     "--config-net",
					    "--no-map-gw", "-t",
					    "none",        "-u",
					    "none",        "-T",
					    "none",        "-U",
					    "none",        "--no-dhcp",
					    "--no-dhcpv6", "--no-ra",
					    "--dns",       "none",
					    "-I",          "eth0",
					    "--pid",       PID,
					    "--netns",     NETNS};
	const char *argv[LEN(fixed) + 12] = {0};
	size_t n = LEN(fixed);

	memcpy(argv, fixed, sizeof(fixed));
	if (s->target->userns >= 0) {
		argv[n++] = "--userns";
		argv[n++] = USERNS;
	} else {
		argv[n++] = "--netns-only";
	}
	/* It would become nobody, who may not enter the namespace. */
	if (geteuid() == 0) {
		argv[n++] = "--runas";
		argv[n++] = "0";
	}
	if (!s->ipv6)
		argv[n++] = "--ipv4-only";
	(void)execv(s->program, (char *const *)(const void *)argv);
}

static void child(const struct starting *s)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int userns = s->target->userns >= 0 ? s->target->userns : null;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* It ignores the signal itself, and versions of 2023 take it for an error if it is already.
	 */
	(void)signal(SIGPIPE, SIG_DFL);
	/* As long as it is in our user namespace: until it is ready. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && null >= 0 &&
	    dup2(s->target->netns, IN_NETNS) == IN_NETNS && dup2(userns, IN_USERNS) == IN_USERNS &&
	    dup2(s->said, IN_SAID) == IN_SAID)
		run_pasta(s);
	dprintf(s->said, "%s: %s\n", s->program, strerror(errno));
	_exit(127);
}

/*
 * The minder: pasta's parent for as long as somebody holds the other end of alive.  What it
 * inherited is closed: others wait for the end of some of it.
 */
static void mind(const struct starting *s, int alive)
{
	struct pollfd fds[2] = {
		{.fd = alive, .events = POLLIN},
                {.fd = -1,    .events = POLLIN}
        };
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&fds[1].fd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = sys_clone3(&args);

	if (pid == 0)
		child(s);
	int keep[] = {alive, fds[1].fd};
	(void)prctl(PR_SET_NAME, "brig-pasta");
	(void)setsid();
	fds_close_all_but(0, keep, LEN(keep));
	while (pid > 0 && poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (pid > 0)
		(void)sys_pidfd_send_signal(fds[1].fd, SIGKILL);
	_exit(0);
}

/* What it has said so far. */
struct words {
	char text[SAID_MAX];
	size_t len;
};

/* True at its end. */
static bool hear(struct words *w, int from)
{
	ssize_t n;

	/* The last line is the one that counts. */
	if (w->len == sizeof(w->text) - 1)
		w->len = 0;
	do
		n = read(from, w->text + w->len, sizeof(w->text) - 1 - w->len);
	while (n < 0 && errno == EINTR);
	w->len += n > 0 ? (size_t)n : 0;
	w->text[w->len] = '\0';
	return n <= 0;
}

/* Its pid, alone on a line. */
static bool is_ready(const struct words *w)
{
	const char *end;

	for (const char *line = w->text; (end = strchr(line, '\n')); line = end + 1)
		if (end > line && strspn(line, "0123456789") == (size_t)(end - line))
			return true;
	return false;
}

/* Its last line that is not about a missing log daemon. */
static int told(struct words *w, int code, struct err *e)
{
	char *rest = w->text, *line, *last = NULL;

	while ((line = strsep(&rest, "\n")))
		if (line[0] && !str_starts(line, "Failed to send "))
			last = line;
	return err_msg(e, code, "pasta: %.300s", last ? last : err_text(code));
}

static int await_ready(int said, struct err *e)
{
	int64_t end = clock_monotonic_ms() + READY_MS;
	struct pollfd fd = {.fd = said, .events = POLLIN};
	struct words w = {.len = 0};

	for (;;) {
		int64_t left = end - clock_monotonic_ms();
		int r = left > 0 ? poll(&fd, 1, (int)left) : 0;

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_set(e, errno, "pasta: poll");
		if (r == 0)
			return told(&w, ETIMEDOUT, e);
		if (hear(&w, said))
			return told(&w, ECHILD, e);
		if (is_ready(&w))
			return 0;
	}
}

static int start(struct starting *s, int said, struct pasta *out, struct err *e)
{
	struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&out->pidfd};
	int alive[2];

	if (pipe2(alive, O_CLOEXEC) < 0)
		return err_set(e, errno, "pipe");
	/* No signal at its end: nobody else's wait finds it. */
	out->pid = sys_clone3(&args);
	if (out->pid == 0) {
		(void)close(alive[1]);
		mind(s, alive[0]);
	}
	(void)close(alive[0]);
	own_close(&s->said);
	out->alive = alive[1];
	if (out->pid < 0) {
		int code = errno;

		own_close(&out->alive);
		*out = PASTA_NONE;
		return err_set(e, code, "pasta: clone");
	}
	int r = await_ready(said, e);

	if (r < 0)
		pasta_end(out);
	return r;
}

int pasta_start(const char *program, const struct inside *target, bool ipv6, struct pasta *out,
		struct err *e)
{
	int pair[2];

	*out = PASTA_NONE;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(e, errno, "pipe");
	own_fd int said = pair[0];
	struct starting s = {program, target, ipv6, pair[1]};

	/* Who says more than is read goes on. */
	if (fcntl(s.said, F_SETFL, O_NONBLOCK) < 0) {
		own_close(&s.said);
		return err_set(e, errno, "pasta: pipe");
	}
	int r = start(&s, said, out, e);

	own_close(&s.said);
	return r;
}

void pasta_end(struct pasta *p)
{
	siginfo_t end;

	own_close(&p->alive);
	if (p->pidfd >= 0) {
		while (waitid((idtype_t)P_PIDFD, (id_t)p->pidfd, &end, WEXITED | __WALL) < 0 &&
		       errno == EINTR)
			;
		own_close(&p->pidfd);
	}
	*p = PASTA_NONE;
}
