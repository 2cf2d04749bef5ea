/* Sockets of another network namespace, for root and for a plain user who owns it. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "check.h"
#include "net/inside.h"
#include "net/netdev.h"

static struct err err;

/* Somebody who has a network namespace, and perhaps a user namespace, until he is killed. */
struct other {
	pid_t pid;
	int netns, userns;
};

static struct other other_start(int flags)
{
	struct other o = {.netns = -1, .userns = -1};
	char path[64], byte = 0;
	int ready[2];

	CHECK(pipe2(ready, O_CLOEXEC) == 0);
	o.pid = fork();
	if (o.pid == 0) {
		bool good = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && unshare(flags) == 0 &&
			    net_loopback_up(&err) == 0;

		good = good && write(ready[1], "y", 1) == 1;
		while (good)
			pause();
		_exit(1);
	}
	close(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", o.pid);
	o.netns = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", o.pid);
	o.userns = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(o.netns >= 0 && o.userns >= 0);
	return o;
}

static void other_end(struct other *o)
{
	kill(o->pid, SIGKILL);
	waitpid(o->pid, NULL, 0);
	close(o->netns);
	close(o->userns);
}

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static ino_t inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static bool same_file(const char *path, int fd)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_ino == inode(fd);
}

/* Three kinds: netlink, a datagram socket that is bound, a stream that listens. */
static void want_three(struct inside_socket s[3], const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(5353)};

	inet_pton(AF_INET, address, &to.sin_addr);
	memset(s, 0, 3 * sizeof(*s));
	s[0] = (struct inside_socket){AF_NETLINK, SOCK_RAW, NETLINK_ROUTE};
	s[1] = (struct inside_socket){AF_INET, SOCK_DGRAM, 0};
	s[2] = (struct inside_socket){AF_INET, SOCK_STREAM, 0};
	for (int i = 1; i < 3; i++) {
		memcpy(s[i].bind_to, &to, sizeof(to));
		s[i].bind_len = sizeof(to);
	}
}

static bool are_inside(const struct inside_socket s[3], int netns)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	for (int i = 0; i < 3; i++) {
		/* SIOCGSKNS asks for CAP_NET_ADMIN over it; a plain user has it not from here. */
		own_fd int ns = ioctl(s[i].fd, SIOCGSKNS);

		if (s[i].fd < 0 || !(fcntl(s[i].fd, F_GETFD) & FD_CLOEXEC) ||
		    (ns >= 0 ? inode(ns) != inode(netns) : errno != EPERM))
			return false;
	}
	return getsockopt(s[2].fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
}

static void close_three(struct inside_socket s[3])
{
	for (int i = 0; i < 3; i++)
		close(s[i].fd);
}

static void all_or_none(const struct inside *in)
{
	own_fd int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct inside_socket s[3];
	int before = open_fds();

	want_three(s, "127.0.77.53");
	CHECK(inside_sockets(in, s, 3, &err) == 0);
	CHECK(are_inside(s, in->netns));
	CHECK(open_fds() == before + 3);
	close_three(s);
	CHECK(same_file("/proc/self/ns/net", here));
	want_three(s, "192.0.2.1");
	CHECK(inside_sockets(in, s, 3, &err) == -EADDRNOTAVAIL);
	CHECK_STR(err.msg,
		  "network namespace: socket 2 of 3: bind: cannot assign requested address");
	CHECK(s[0].fd == -1 && s[1].fd == -1 && s[2].fd == -1 && open_fds() == before);
	struct inside_socket many[INSIDE_MAX_SOCKETS + 1] = {0};
	CHECK(inside_sockets(in, many, LEN(many), &err) == -E2BIG);
}

/* One more each time, until it is enough: by whoever the limit is met, nothing stays open. */
static void too_many_files(const struct inside *in)
{
	struct inside_socket s[3];
	struct rlimit old, few;
	int before = open_fds(), refused = 0, r = -EMFILE;

	want_three(s, "127.0.77.53");
	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	few = old;
	/* Counted are ".", ".." and the descriptor of who counts, too. */
	for (few.rlim_cur = (rlim_t)before - 3; r == -EMFILE; few.rlim_cur++) {
		CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
		r = inside_sockets(in, s, 3, &err);
		CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
		CHECK(r == 0 || (r == -EMFILE && s[0].fd == -1 && s[2].fd == -1));
		CHECK(open_fds() == before + (r == 0 ? 3 : 0));
		refused += r != 0;
	}
	CHECK(r == 0 && refused >= 3);
	close_three(s);
}

static void no_children_left(const struct inside *in)
{
	struct inside_socket s[3];

	/* As a brig started by who ignores it, and as a subreaper. */
	CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	want_three(s, "127.0.77.53");
	CHECK(inside_sockets(in, s, 3, &err) == 0);
	close_three(s);
	CHECK(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
	siginfo_t end = {0};
	int r = waitid(P_ALL, 0, &end, WEXITED | WNOHANG | WNOWAIT | __WALL);
	/* Only the other one, who lives. */
	CHECK(r == 0 && end.si_pid == 0);
}

static void as_root(void)
{
	struct other o = other_start(CLONE_NEWNET);
	struct inside in = {o.netns, -1};
	enum inside_owner owner;

	all_or_none(&in);
	too_many_files(&in);
	no_children_left(&in);
	CHECK(inside_owner(o.netns, &owner, &err) == 0 && owner == INSIDE_OURS);
	struct other below = other_start(CLONE_NEWUSER | CLONE_NEWNET);
	CHECK(inside_owner(below.netns, &owner, &err) == 0 && owner == INSIDE_BELOW);
	/* Root has rights over it either way. */
	in = (struct inside){below.netns, below.userns};
	all_or_none(&in);
	in.userns = -1;
	all_or_none(&in);
	other_end(&below);
	in = (struct inside){o.userns, -1};
	struct inside_socket s[3];
	want_three(s, "127.0.0.1");
	CHECK(inside_sockets(&in, s, 3, &err) == -EINVAL);
	CHECK_STR(err.msg, "network namespace: enter it: invalid argument");
	CHECK(inside_owner(in.netns, &owner, &err) == 0 || err.code);
	other_end(&o);
}

static void as_plain_user(void)
{
	CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	/* Not dumpable after the change of ids: /proc/PID/ns would be root's. */
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
	struct other o = other_start(CLONE_NEWUSER | CLONE_NEWNET);
	struct inside in = {o.netns, o.userns};
	enum inside_owner owner;
	struct inside_socket s[3];

	all_or_none(&in);
	too_many_files(&in);
	CHECK(inside_owner(o.netns, &owner, &err) == 0 && owner == INSIDE_BELOW);
	own_fd int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CHECK(inside_owner(here, &owner, &err) == 0 && owner == INSIDE_OURS);
	in.netns = here;
	want_three(s, "127.0.0.1");
	CHECK(inside_sockets(&in, s, 3, &err) == -EPERM);
	other_end(&o);
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
	if (geteuid() != 0) {
		printf("# not root: what needs privilege was left out\n");
		CHECK(child_of(as_plain_user) == 0);
		return check_done();
	}
	CHECK(child_of(as_root) == 0);
	CHECK(child_of(as_plain_user) == 0);
	return check_done();
}
