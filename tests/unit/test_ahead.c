/* A network namespace that is made beside its maker's other work. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "ns/ahead.h"

static int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		(void)closedir(d);
	return n;
}

static void is_another(void)
{
	struct ns_ahead n = NS_AHEAD_NONE;
	struct stat ours, its;
	struct err e = {0};
	int before = open_files();

	CHECK(ns_ahead_begin(&n, &e) == 0);
	CHECK(ns_ahead_await(&n, &e) == 0);
	CHECK(stat("/proc/self/ns/net", &ours) == 0);
	CHECK(fstat(n.fd, &its) == 0);
	CHECK(ours.st_dev == its.st_dev && ours.st_ino != its.st_ino);
	CHECK(fcntl(n.fd, F_GETFD) == FD_CLOEXEC);
	ns_ahead_drop(&n);
	CHECK(open_files() == before);
	CHECK(waitpid(-1, NULL, __WALL) < 0 && errno == ECHILD);
}

static void dropped_before_it_is_there(void)
{
	struct ns_ahead n = NS_AHEAD_NONE;
	struct err e = {0};
	int before = open_files();

	ns_ahead_drop(&n);
	CHECK(ns_ahead_begin(&n, &e) == 0);
	ns_ahead_drop(&n);
	ns_ahead_drop(&n);
	CHECK(open_files() == before);
	CHECK(waitpid(-1, NULL, __WALL) < 0 && errno == ECHILD);
}

/* Where no more may be made: in a user namespace with a limit of its own. */
static int none_is_left(void)
{
	struct ns_ahead n = NS_AHEAD_NONE;
	struct err e = {0};
	int before, fd;

	if (unshare(CLONE_NEWUSER) < 0)
		return 77;
	fd = open("/proc/sys/user/max_net_namespaces", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		return 77;
	before = open_files();
	if (ns_ahead_begin(&n, &e) < 0 || ns_ahead_await(&n, &e) != -ENOSPC ||
	    !strstr(e.msg, "user.max_net_namespaces"))
		return 1;
	ns_ahead_drop(&n);
	return open_files() == before ? 0 : 1;
}

int main(void)
{
	int status = 0;

	if (geteuid() == 0) {
		is_another();
		dropped_before_it_is_there();
	}
	pid_t pid = fork();
	if (pid == 0)
		_exit(none_is_left());
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		printf("no user namespace here: its limit was not tried\n");
	else
		CHECK(WEXITSTATUS(status) == 0);
	return check_done();
}
