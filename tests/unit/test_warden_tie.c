/* A tie: what is in its namespace dies with its maker, whatever it has done to itself. */
#include <sched.h>

#include "run/spawn.h"
#include "warden/tie.h"
#include "warden_fixture.h"

/* Nothing binds it to its parent. */
static int lives_on(void *ctx)
{
	const int *sync = ctx;

	(void)!write(*sync, "r", 1);
	(void)close_range(0, ~0U, 0);
	return pause(); /* nobody sends it a signal that it would outlive */
}

/* The maker: a tie, somebody inside; tells who they are, and waits. */
static _Noreturn void make(int told)
{
	struct warden_tie t;
	struct err e = {0};
	pid_t pids[2];
	int fds[2], pidfd;
	char c;

	if (warden_tie_make(&t, &e) < 0 || warden_tie_await(&t, &e) < 0 || sync_pair(fds, &e) < 0)
		_exit(1);
	const struct spawn s = {
		.make = CLONE_NEWPID,
		.join = &(struct ns_plan){0},
		.target = -1,
		.staged = true,
		.enclose = t.pidfd,
		.cgroup = -1,
		.sync = fds[1],
		.sync_peer = fds[0],
		.child = lives_on,
		.ctx = &fds[1],
	};
	if (spawn(&s, &pids[0], &pidfd, &e) < 0 || read(fds[0], &c, 1) != 1)
		_exit(2);
	pids[1] = t.pid;
	(void)!write(told, pids, sizeof(pids));
	for (;;)
		(void)pause();
}

static void test_dies(bool tie)
{
	int told[2];
	pid_t pids[2], maker;

	CHECK(pipe2(told, O_CLOEXEC) == 0);
	maker = fork();
	if (maker == 0)
		make(told[1]);
	(void)close(told[1]);
	CHECK(read(told[0], pids, sizeof(pids)) == (ssize_t)sizeof(pids));
	own_fd int box = sys_pidfd_open(pids[0], 0), its = sys_pidfd_open(pids[1], 0);
	CHECK(!readable(box, 50));
	CHECK(kill(tie ? pids[1] : maker, SIGKILL) == 0);
	CHECK(readable(box, 5000));
	(void)kill(maker, SIGKILL);
	CHECK(waitpid(maker, NULL, 0) == maker);
	CHECK(readable(its, 5000)); /* when what was inside has been reaped */
	(void)close(told[0]);
}

/*
 * A maker that is killed before its tie has run, while what it had open is open elsewhere a little
 * longer: in a process of its that dies after it.
 */
static _Noreturn void make_and_die(int told)
{
	struct warden_tie t;
	struct err e = {0};

	if (warden_tie_make(&t, &e) < 0 || kill(t.pid, SIGSTOP) < 0)
		_exit(1);
	if (fork() == 0) {
		(void)poll(NULL, 0, 100);
		_exit(0);
	}
	(void)!write(told, &t.pid, sizeof(t.pid));
	(void)raise(SIGKILL);
	_exit(2);
}

static void test_too_late(void)
{
	int told[2];
	pid_t tie, maker;

	CHECK(pipe2(told, O_CLOEXEC) == 0);
	maker = fork();
	if (maker == 0)
		make_and_die(told[1]);
	CHECK(read(told[0], &tie, sizeof(tie)) == (ssize_t)sizeof(tie));
	own_fd int its = sys_pidfd_open(tie, 0);
	CHECK(waitpid(maker, NULL, 0) == maker);
	(void)kill(tie, SIGCONT); /* ESRCH: it had been tied */
	CHECK(readable(its, 5000));
	(void)kill(tie, SIGKILL);
	(void)close(told[0]);
	(void)close(told[1]);
}

static void test_alone(void)
{
	struct warden_tie t;
	struct err e = {0};

	CHECK(warden_tie_make(&t, &e) == 0 && warden_tie_await(&t, &e) == 0);
	CHECK(!readable(t.pidfd, 50));
	/* Signals for brig's process group are not for it. */
	CHECK(getpgid(t.pid) == t.pid);
	CHECK(kill(t.pid, SIGTERM) == 0 && kill(t.pid, SIGINT) == 0);
	CHECK(!readable(t.pidfd, 50));
	warden_tie_end(&t);
	warden_tie_end(&t);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	CHECK(warden_tie_make(&t, &e) == 0);
	CHECK(kill(t.pid, SIGKILL) == 0);
	(void)!warden_tie_await(&t, &e); /* told before it died, or not */
	warden_tie_end(&t);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: not root\n");
		return 0;
	}
	test_dies(false);
	test_dies(true);
	for (int i = 0; i < 3; i++)
		test_too_late();
	test_alone();
	return check_done();
}
