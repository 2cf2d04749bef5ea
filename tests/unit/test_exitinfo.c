/* How a process ended: our child, a grandchild, one whose parent does not reap it. */
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exitinfo.h"
#include "base/sys.h"
#include "check.h"

static bool ended(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 5000) > 0;
}

static void test_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	int fd = sys_pidfd_open(pid, 0);
	CHECK(ended(fd));
	struct exit_info x = exit_info_of(fd, pid, 0);
	CHECK(x.known && WIFEXITED(x.status) && WEXITSTATUS(x.status) == 7);
	CHECK(waitpid(pid, NULL, WNOHANG) < 0); /* it is reaped */
	(void)close(fd);
}

static void test_killed(void)
{
	pid_t pid = fork();

	if (pid == 0)
		pause();
	int fd = sys_pidfd_open(pid, 0);
	CHECK(!exit_info_of(fd, pid, 0).known);
	CHECK(sys_pidfd_send_signal(fd, SIGKILL) == 0 && ended(fd));
	struct exit_info x = exit_info_of(fd, pid, 0);
	CHECK(x.known && WIFSIGNALED(x.status) && WTERMSIG(x.status) == SIGKILL);
	(void)close(fd);
}

/* A child of a child of ours; the one in between reaps it when told, or never. */
static void test_grandchild(bool reaped, bool by_number)
{
	int told[2], go[2];
	pid_t numbers[1], middle;

	CHECK(pipe(told) == 0 && pipe(go) == 0);
	middle = fork();
	if (middle == 0) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)!read(go[0], numbers, 1);
			_exit(9);
		}
		(void)!write(told[1], &pid, sizeof(pid));
		if (reaped)
			(void)waitpid(pid, NULL, 0);
		pause();
	}
	CHECK(read(told[0], numbers, sizeof(numbers)) == (ssize_t)sizeof(numbers));
	int fd = sys_pidfd_open(numbers[0], 0);
	CHECK(fd >= 0 && write(go[1], "g", 1) == 1 && ended(fd));
	struct exit_info x = exit_info_of(fd, by_number ? numbers[0] : 0, reaped ? 5000 : 50);
	if (reaped || by_number)
		CHECK((x.known && WIFEXITED(x.status) && WEXITSTATUS(x.status) == 9) ||
		      (!x.known && strstr(x.unknown, "6.15")));
	else
		CHECK(!x.known && x.unknown);
	CHECK(kill(middle, SIGKILL) == 0 && waitpid(middle, NULL, 0) == middle);
	for (int i = 0; i < 2; i++) {
		(void)close(told[i]);
		(void)close(go[i]);
	}
	(void)close(fd);
}

int main(void)
{
	test_child();
	test_killed();
	test_grandchild(true, false);
	test_grandchild(true, true);
	test_grandchild(false, false);
	if (geteuid() == 0)
		test_grandchild(false, true);
	return check_done();
}
