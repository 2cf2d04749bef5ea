/*
 * Who reads the counters of a cgroup that may be gone before anybody else comes to it.  A process
 * leaves its cgroup before it is seen to end (do_exit), systemd removes a scope as soon as it is
 * empty, and whoever watches the sandbox gets a processor later than systemd on a loaded machine.
 * A real-time process gets one at once, and is woken first: the kernel wakes who polls
 * cgroup.events from within the change (kernfs_notify), and inotify, by which systemd hears of it,
 * from a work queue.  It does nothing else, so that no sandbox makes it use time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/fds.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/meters.h"
#include "cgroup/text.h"

/* Whoever asks waits for the last look, which is at hand when the cgroup is empty. */
enum { KEPT_MS = 2000 };

static bool is_empty(const struct cgroup_meters *m)
{
	char text[256];
	uint64_t populated;
	ssize_t n = pread(m->fds[METER_LIFE], text, sizeof(text) - 1, 0);

	if (n < 0)
		return true;
	text[n] = '\0';
	return cg_flat_get(text, "populated", &populated) && !populated;
}

/* --- the process -------------------------------------------------------------------------- */

/* Engines wait for the end of what they gave to create. */
static void close_all_but(const struct cgroup_meters *m, int pipe)
{
	int keep[CGROUP_METERS + 1];

	keep[CGROUP_METERS] = pipe;
	for (int i = 0; i < CGROUP_METERS; i++)
		keep[i] = m->fds[i];
	fds_close_all_but(0, keep, LEN(keep));
}

/* Best effort: without it the machine must have time. */
static void hurry(void)
{
	const struct sched_param lowest = {.sched_priority = 1};

	(void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest);
}

static void leave_caller(const struct cgroup_meters *m, int pipe)
{
	struct err ignored;
	sigset_t all;

	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setsid();
	(void)!chdir("/");
	(void)prctl(PR_SET_NAME, "brig-keeper");
	close_all_but(m, pipe);
	/* It does nothing with what it cannot give up. */
	(void)!confine_process(&ignored);
	(void)!confine_caps(0, &ignored);
}

/* What tells of a change, and that nobody will ask any more. */
static int open_epoll(const struct cgroup_meters *m, int pipe)
{
	const int telling[] = {m->fds[METER_LIFE], m->fds[METER_OOM], m->fds[METER_PIDS_REFUSED]};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (size_t i = 0; i < LEN(telling); i++) {
		/* Edges: of a file that is gone poll(2) says for ever that it has changed. */
		struct epoll_event ev = {.events = EPOLLPRI | EPOLLET, .data.fd = telling[i]};

		if (telling[i] >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, telling[i], &ev) < 0)
			_exit(1);
	}
	struct epoll_event ev = {.data.fd = pipe};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, pipe, &ev) < 0)
		_exit(1);
	return epoll;
}

static void look(const struct cgroup_meters *m, struct cgroup_usage *last)
{
	struct cgroup_usage now;

	cgroup_meters_read(m, &now);
	cgroup_usage_fill(&now, last);
	*last = now;
	(void)!pwrite(m->fds[METER_KEPT], last, sizeof(*last), 0);
}

static _Noreturn void live(const struct cgroup_meters *m, int pipe)
{
	struct cgroup_usage last;
	struct epoll_event ev[4];
	bool asked_for = true;

	hurry();
	leave_caller(m, pipe);
	int epoll = open_epoll(m, pipe);
	cgroup_usage_unknown(&last);
	look(m, &last);
	if (write(pipe, "", 1) != 1)
		_exit(1);
	while (asked_for && !is_empty(m)) {
		int n = epoll_wait(epoll, ev, LEN(ev), -1);

		if (n < 0 && errno != EINTR)
			_exit(1);
		look(m, &last);
		for (int i = 0; i < n; i++)
			asked_for = asked_for && ev[i].data.fd != pipe;
	}
	_exit(0);
}

/* --- who has it --------------------------------------------------------------------------- */

/*
 * A description of its own: who reads one takes the change from whoever else polls it
 * (kernfs_seq_show, kernfs_generic_poll), and the keeper reads first.
 */
static int open_again(int fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
}

bool cgroup_meters_keep(struct cgroup_meters *m)
{
	int fds[2];
	char ready;

	if (m->fds[METER_LIFE] < 0 || m->fds[METER_KEPT] >= 0)
		return false;
	own_fd int kept = memfd_create("brig-kept", MFD_CLOEXEC);
	if (kept < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return false;
	own_fd int in = fds[0], out = fds[1];
	own_fd int refused = open_again(m->fds[METER_PIDS_REFUSED]);
	struct cgroup_meters its = *m;
	/* Without one it does not hear of them, and the warden does. */
	its.fds[METER_PIDS_REFUSED] = refused;
	its.fds[METER_KEPT] = kept;
	pid_t pid = fork();
	if (pid == 0)
		live(&its, out);
	own_close(&out);
	/* Before anything is counted. */
	if (pid < 0 || read(in, &ready, 1) != 1)
		return false;
	m->fds[METER_KEPT] = take_fd(&kept);
	m->fds[METER_KEEPER] = take_fd(&in);
	return true;
}

bool cgroup_meters_kept(const struct cgroup_meters *m, struct cgroup_usage *out)
{
	struct pollfd p = {.fd = m->fds[METER_KEEPER], .events = POLLIN};

	/* It is populated: all that can be told has just been read. */
	if (p.fd < 0 || m->fds[METER_KEPT] < 0 || !is_empty(m))
		return false;
	(void)poll(&p, 1, KEPT_MS);
	return pread(m->fds[METER_KEPT], out, sizeof(*out), 0) == (ssize_t)sizeof(*out);
}
