/* The filter of the process that ends grants: what it lets through, refuses and ends. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "check.h"
#include "grant_expiry.h"

enum { SETUP = 99 };

/* In a child behind the filter; 0, an errno, or 128 + the signal that ended it. */
static int behind(int (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e;

		if (confine_process(&e) < 0 || expiry_filter(&e) < 0)
			_exit(SETUP);
		_exit(fn() < 0 ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return SETUP;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int its_work(void)
{
	int fds[2], status;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char c;

	if (fd < 0 || read(fd, &c, 1) != 1 || flock(fd, LOCK_EX) < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	free(malloc(4 << 20));
	pid_t pid = fork();
	if (pid == 0)
		_exit(write(fds[1], "x", 1) != 1);
	return pid < 0 || read(fds[0], &c, 1) != 1 || waitpid(pid, &status, 0) < 0 || status ? -1
											     : 0;
}
static int execs(void)
{
	return execl("/bin/true", "true", NULL);
}
static int makes_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}
static int makes_userns(void)
{
	return (int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
}
static int unshares(void)
{
	return unshare(CLONE_NEWNS);
}
static int enters_network(void)
{
	return setns(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), CLONE_NEWNET);
}
static int enters_user(void)
{
	return setns(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC), 0);
}
static int maps_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? -1
		       : 0;
}
static int traces(void)
{
	return (int)syscall(SYS_ptrace, 0, 0, 0, 0);
}

int main(void)
{
	CHECK(behind(its_work) == 0);
	CHECK(behind(execs) == 128 + SIGSYS);
	CHECK(behind(makes_socket) == 128 + SIGSYS);
	CHECK(behind(traces) == 128 + SIGSYS);
	CHECK(behind(makes_userns) == EPERM);
	CHECK(behind(unshares) == EPERM);
	CHECK(behind(enters_network) == EPERM);
	CHECK(behind(enters_user) == EPERM);
	CHECK(behind(maps_code) == EPERM);
	return check_done();
}
