/* pasta(1), where it is installed: connectivity, no way to the host, errors, its end. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "check.h"
#include "net/netdev.h"
#include "net/pasta.h"

static struct err err;
static char program[4096];

static int run(const char *command)
{
	int st = system(command);

	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static int own(const char *kind)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* A host with a default route, as pasta wants one. */
static void make_host(void)
{
	CHECK(unshare(CLONE_NEWNET) == 0 && net_loopback_up(&err) == 0);
	CHECK(run("ip link add up0 type veth peer name up1 && ip addr add 198.51.100.1/24 dev up0 "
		  "&& ip link set up0 up && ip link set up1 up && "
		  "ip route add default via 198.51.100.2") == 0);
}

static void finds(void)
{
	char path[4096];

	CHECK(pasta_find("/nonexistent/pasta", path, &err) == -ENOENT);
	CHECK(setenv("PATH", "/nonexistent:relative", 1) == 0);
	CHECK(pasta_find(NULL, path, &err) == -ENOENT && strstr(err.msg, "passt") != NULL);
}

static void refuses(void)
{
	struct pasta p;
	own_fd int here = own("net");
	struct inside target = {here, -1};

	CHECK(pasta_start("/nonexistent/pasta", &target, false, &p, &err) < 0);
	CHECK(strstr(err.msg, "/nonexistent/pasta") && p.pid == 0 && p.pidfd == -1);
	/* No device, no routes: pasta has nothing to copy. */
	CHECK(unshare(CLONE_NEWNET) == 0);
	own_fd int empty = own("net");
	target.netns = empty;
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(pasta_start(program, &target, false, &p, &err) < 0);
	CHECK(strncmp(err.msg, "pasta: ", 7) == 0 && p.pidfd == -1);
	CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

static void starts_and_ends(void)
{
	struct pasta p;

	CHECK(unshare(CLONE_NEWNET) == 0 && net_loopback_up(&err) == 0);
	own_fd int inside = own("net");
	struct inside target = {inside, -1};

	make_host();
	own_fd int host = own("net");
	/* As some callers leave it to us (Python does). */
	(void)signal(SIGPIPE, SIG_IGN);
	int r = pasta_start(program, &target, false, &p, &err);
	if (r < 0)
		fprintf(stderr, "# %s\n", err.msg);
	CHECK(r == 0 && p.pid > 0 && p.pidfd >= 0);
	CHECK(setns(inside, CLONE_NEWNET) == 0);
	/* All is there when it returns. */
	CHECK(run("ip route show default | grep -q 'dev eth0'") == 0);
	/* A service on all of the host's addresses, its loopback among them, is not reached. */
	CHECK(setns(host, CLONE_NEWNET) == 0);
	own_fd int service = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(8080)};
	CHECK(bind(service, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(service, 8) == 0);
	CHECK(setns(inside, CLONE_NEWNET) == 0);
	(void)run("for a in 127.0.0.1 127.0.0.2 198.51.100.1 198.51.100.2 10.0.2.2; do "
		  "timeout 1 busybox nc -w 1 $a 8080 </dev/null >/dev/null 2>&1; done");
	CHECK(accept4(service, NULL, NULL, SOCK_CLOEXEC) == -1 && errno == EAGAIN);
	/* It is there: from the host it is. */
	CHECK(setns(host, CLONE_NEWNET) == 0);
	(void)run("busybox nc -w 1 127.0.0.1 8080 </dev/null >/dev/null 2>&1 & sleep 0.2");
	own_fd int accepted = accept4(service, NULL, NULL, SOCK_CLOEXEC);
	CHECK(accepted >= 0);
	pid_t pid = p.pid;
	pasta_end(&p);
	CHECK(kill(pid, 0) < 0 && errno == ESRCH && p.pidfd == -1);
}

static int child_of(void (*body)(void))
{
	int st = 1;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		checks_failed = 0;
		body();
		_exit(checks_failed != 0);
	}
	waitpid(pid, &st, 0);
	return st;
}

int main(void)
{
	CHECK(child_of(finds) == 0);
	if (geteuid() != 0 || pasta_find(NULL, program, &err) < 0 ||
	    access("/dev/net/tun", R_OK | W_OK) < 0 || run("ip -V >/dev/null 2>&1") != 0) {
		printf("# not root, or no pasta, iproute2, /dev/net/tun: starting was left out\n");
		return check_done();
	}
	CHECK(child_of(refuses) == 0);
	CHECK(child_of(starts_and_ends) == 0);
	return check_done();
}
