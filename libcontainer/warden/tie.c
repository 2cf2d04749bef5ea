#include "warden/tie.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"

enum { END_WAIT_MS = 2000 };

/*
 * As pid 1 it drops all signals but SIGKILL and SIGSTOP from outside.
 *
 * A brig that has died before the signal was asked for sends none, and getppid tells nothing of a
 * parent outside of the namespace.  So brig has to answer.  That it can be told is not enough:
 * its end of the pair may be open in another process of its making, which dies a moment later.
 */
static _Noreturn void live(int told)
{
	char c;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(1);
	(void)setsid();
	(void)prctl(PR_SET_NAME, "brig-tie");
	/* All but told; what is open would be waited for by others. */
	if (chdir("/") < 0 || dup2(told, 0) < 0 || close_range(1, ~0U, 0) < 0 ||
	    write(0, "t", 1) != 1 || read(0, &c, 1) != 1)
		_exit(1);
	(void)close(0);
	for (;;)
		(void)pause();
}

int warden_tie_make(struct warden_tie *t, struct err *e)
{
	int ends[2];

	*t = WARDEN_TIE_NONE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(e, errno, "tie: socketpair");
	own_fd int told = ends[0], its = ends[1];
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_NEWPID,
		.pidfd = (uint64_t)(uintptr_t)&t->pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = sys_clone3(&args);
	if (pid < 0)
		return err_set(e, errno, "tie: clone");
	if (pid == 0)
		live(its);
	t->pid = pid;
	t->told = take_fd(&told);
	return 0;
}

int warden_tie_await(struct warden_tie *t, struct err *e)
{
	char c;
	ssize_t n;

	do
		n = read(t->told, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		n = send(t->told, "t", 1, MSG_NOSIGNAL);
	own_close(&t->told);
	return n == 1 ? 0 : err_msg(e, ESRCH, "tie: it has died");
}

void warden_tie_end(struct warden_tie *t)
{
	struct pollfd p = {.fd = t->pidfd, .events = POLLIN};

	own_close(&t->told);
	if (t->pid > 0) {
		(void)sys_pidfd_send_signal(t->pidfd, SIGKILL);
		/* Not before all that was in its namespace has been reaped (pid_namespaces(7)), by
		 * others too. */
		(void)poll(&p, 1, END_WAIT_MS);
		(void)waitpid(t->pid, NULL, WNOHANG);
	}
	own_close(&t->pidfd);
	t->pid = 0;
}
