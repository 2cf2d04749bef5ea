/*
 * exec: the process inside, once the joiner has made it (join.h, born_last).  Whoever traces it has
 * its end of the sync pair, too, and may say what it likes: what comes from there is checked.
 */
#include "exec.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"
#include "run/sync.h"

static int same_pid_namespace(pid_t a, pid_t b)
{
	char path[64];
	struct stat mine, its;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)a);
	if (stat(path, &mine) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)b);
	if (stat(path, &its) < 0)
		return -errno;
	return mine.st_ino == its.st_ino && mine.st_dev == its.st_dev;
}

/* Only a child is one: the number cannot go to another before it is waited for. */
static int check_born(const struct exec *x, pid_t pid, struct err *e)
{
	siginfo_t si = {0};

	if (pid == x->pid || waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0)
		return err_msg(e, EPROTO, "process %d is not the joiner's", (int)pid);
	if (si.si_pid == pid || same_pid_namespace(pid, (pid_t)x->state.pid) != 1)
		return err_msg(e, ECONNRESET,
			       "container process died while we waited for it to execute");
	return 0;
}

int exec_await_born(struct exec *x, struct err *e)
{
	pid_t pid;
	int r = sync_expect_pid(x->sync, &pid, e);

	if (r == 0)
		r = check_born(x, pid, e);
	if (r < 0)
		return r;
	own_fd int pidfd = sys_pidfd_open(pid, 0);
	if (pidfd < 0)
		return err_set(e, errno, "pidfd_open");
	/* It has nothing left to do. */
	while (waitpid(x->pid, NULL, 0) < 0 && errno == EINTR)
		;
	own_close(&x->pidfd);
	x->pidfd = take_fd(&pidfd);
	x->pid = pid;
	return 0;
}
