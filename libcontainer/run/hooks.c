#include "run/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"

static const char *const default_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	NULL,
};

static int state_file(const char *state, struct err *e)
{
	own_fd int fd = memfd_create("brig-hook-state", MFD_CLOEXEC);

	if (fd < 0 || file_write_all(fd, state, strlen(state)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_set(e, errno, "state for the hook");
	return take_fd(&fd);
}

static __attribute__((noreturn)) void exec_hook(const struct oci_hook *h,
						const struct hooks_guard *g, int in, int out,
						int err)
{
	const char *self[] = {h->path, NULL};
	const char *const *argv = h->n_args ? h->args : self;
	const char *const *env = h->n_env ? h->env : default_env;
	sigset_t none;

	/* brig blocks what it forwards; the hook starts with nothing blocked. */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	if (close_range(3, ~0U, 0) < 0 || (g && g->confine(g->ctx) < 0))
		_exit(126);
	execve(h->path, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
	dprintf(2, "%s: %s", h->path, err_text(errno));
	_exit(127);
}

/* 1: it has ended, 0: the time is over. */
static int wait_until(int pidfd, const int64_t *timeout)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	if (timeout)
		end.tv_sec += (time_t)*timeout;
	for (;;) {
		struct timespec left = {0};

		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = end.tv_sec - now.tv_sec;
		left.tv_nsec = end.tv_nsec - now.tv_nsec;
		if (left.tv_nsec < 0) {
			left.tv_sec--;
			left.tv_nsec += 1000000000L;
		}
		if (timeout && left.tv_sec < 0)
			return 0;
		int r = ppoll(&p, 1, timeout ? &left : NULL, NULL);
		if (r > 0)
			return 1;
		if (r < 0 && errno != EINTR)
			return 0;
	}
}

static void first_output(int out, char *buf, size_t size)
{
	ssize_t n = pread(out, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	for (n--; n >= 0 && (buf[n] == '\n' || buf[n] == ' '); n--)
		buf[n] = '\0';
}

static int verdict(int status, int out, struct err *e)
{
	char text[256];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	first_output(out, text, sizeof(text));
	const char *sep = *text ? ": " : "";
	if (WIFSIGNALED(status))
		return err_msg(e, ECHILD, "signal: %s%s%s", strsignal(WTERMSIG(status)), sep, text);
	return err_msg(e, ECHILD, "exit status %d%s%s", WEXITSTATUS(status), sep, text);
}

void hook_output_close(struct hook_output *o)
{
	own_close(&o->out);
	own_close(&o->err);
}

static int run_hook(const struct oci_hook *h, const char *state, const struct hook_output *output,
		    struct err *e)
{
	own_fd int in = state_file(state, e);
	own_fd int out = memfd_create("brig-hook-output", MFD_CLOEXEC);
	own_fd int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd, .exit_signal = SIGCHLD};
	int status = 0;

	if (in < 0)
		return in;
	if (out < 0)
		return err_set(e, errno, "memfd_create");
	pid_t pid = sys_clone3(&args);
	if (pid < 0)
		return err_set(e, errno, "clone");
	if (pid == 0)
		exec_hook(h, output->guard, in, output->out < 0 ? out : output->out,
			  output->err < 0 ? out : output->err);
	bool ended = wait_until(pidfd, h->timeout);
	if (!ended) {
		(void)kill(-pid, SIGKILL); /* ESRCH: it had no time to make its group */
		(void)kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!ended)
		return err_msg(e, ETIMEDOUT, "not finished after %lld s",
			       h->timeout ? (long long)*h->timeout : 0LL);
	return verdict(status, out, e);
}

int hooks_run(const char *kind, const struct oci_hook *hooks, size_t n, const char *state,
	      const struct hook_output *output, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		log_debug("%s hook #%zu: %s", kind, i, hooks[i].path);
		if (run_hook(&hooks[i], state, output, e) < 0)
			return err_wrap(e, "error running %s hook #%zu", kind, i);
	}
	return 0;
}

void hooks_run_all(const char *kind, const struct oci_hook *hooks, size_t n, const char *state,
		   const struct hook_output *output)
{
	for (size_t i = 0; i < n; i++) {
		struct err e;

		if (run_hook(&hooks[i], state, output, &e) < 0)
			log_warn("error running %s hook #%zu: %s", kind, i, e.msg);
	}
}
