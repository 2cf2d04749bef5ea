#include "net/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clone_vm.h"
#include "base/fdpass.h"
#include "base/own.h"
#include "base/sys.h"

enum { BACKLOG = 128 };

static int open_one(const struct inside_socket *s, struct err *e)
{
	own_fd int fd = socket(s->family, s->type | SOCK_CLOEXEC, s->protocol);
	struct sockaddr_storage to;

	if (fd < 0)
		return err_set(e, errno, "socket");
	if (s->bind_len) {
		const int on = 1;

		memcpy(&to, s->bind_to, sizeof(s->bind_to));
		if (s->free_bind && setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on)) < 0)
			return err_set(e, errno, "IP_FREEBIND");
		if (bind(fd, (struct sockaddr *)&to, s->bind_len) < 0)
			return err_set(e, errno, "bind");
		if ((s->type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM &&
		    listen(fd, BACKLOG) < 0)
			return err_set(e, errno, "listen");
	}
	return take_fd(&fd);
}

static int enter(const struct inside *in, struct err *e)
{
	/* First: in it are the rights over the other. */
	if (in->userns >= 0 && setns(in->userns, CLONE_NEWUSER) < 0)
		return err_set(e, errno, "enter the user namespace that owns it");
	if (setns(in->netns, CLONE_NEWNET) < 0)
		return err_set(e, errno, "enter it");
	return 0;
}

struct task {
	const struct inside *in;
	const struct inside_socket *sockets;
	size_t n;
	int to;
};

/* The child: what it opens is its own until the message is sent, and ends with it. */
static int open_all(void *arg)
{
	const struct task *t = arg;
	int fds[INSIDE_MAX_SOCKETS];
	struct err e = {0};
	int r = enter(t->in, &e);

	for (size_t i = 0; r >= 0 && i < t->n; i++) {
		r = fds[i] = open_one(&t->sockets[i], &e);
		if (r < 0)
			err_wrap(&e, "socket %zu of %zu", i + 1, t->n);
	}
	return fd_put(t->to, &e, sizeof(e), fds, r < 0 ? 0 : t->n, 0) < 0;
}

/*
 * In the caller's memory where that goes: no page is copied for it.  Who enters a user namespace
 * may take the memory's dumpable flag with him (commit_creds, kernel/cred.c).
 */
static pid_t clone_child(struct clone_args *args, struct task *t)
{
	if (t->in->userns < 0 && clone_vm_possible())
		return clone_vm(args, open_all, t);
	pid_t pid = sys_clone3(args);
	if (pid == 0)
		_exit(open_all(t));
	return pid;
}

/* The child's report and, where it is good, its descriptors. */
static int receive(int from, struct inside_socket *s, size_t n, struct err *e)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * INSIDE_MAX_SOCKETS)];
	} control = {0};
	struct err told = {0};
	struct iovec iov = {.iov_base = &told, .iov_len = sizeof(told)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	size_t got = 0;
	ssize_t len;

	do
		len = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return err_set(e, errno, "hear from the child");
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len && got < n;
		     at += sizeof(int))
			memcpy(&s[got++].fd, (char *)c + at, sizeof(int));
	}
	if (len != sizeof(told))
		return err_msg(e, EPROTO, "the child that enters it ended early");
	if (told.code)
		return err_msg(e, told.code, "%s", told.msg);
	/* Fewer: our limit of open files (unix(7), MSG_CTRUNC). */
	return got == n ? 0 : err_set(e, EMFILE, "receive %zu sockets", n);
}

static int ask_child(const struct inside *in, struct inside_socket *s, size_t n, struct err *e)
{
	int pair[2], pidfd = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, errno, "socketpair");
	own_fd int from = pair[0];
	own_fd int to = pair[1];
	/* Without a signal at its end it is no matter whether SIGCHLD is ignored. */
	struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd};
	struct task t = {.in = in, .sockets = s, .n = n, .to = to};

	if (clone_child(&args, &t) < 0)
		return err_set(e, errno, "clone");
	own_fd int child = pidfd;
	siginfo_t end;
	own_close(&to);
	int r = receive(from, s, n, e);

	while (waitid((idtype_t)P_PIDFD, (id_t)child, &end, WEXITED | __WALL) < 0 && errno == EINTR)
		;
	return r;
}

int inside_sockets(const struct inside *in, struct inside_socket *s, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		s[i].fd = -1;
	if (n > INSIDE_MAX_SOCKETS)
		return err_msg(e, E2BIG, "more than %d sockets at once", INSIDE_MAX_SOCKETS);
	int r = ask_child(in, s, n, e);

	for (size_t i = 0; r < 0 && i < n; i++)
		own_close(&s[i].fd);
	return r < 0 ? err_wrap(e, "network namespace") : 0;
}

int inside_sockets_here(struct inside_socket *s, size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < n; i++)
		s[i].fd = -1;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = s[i].fd = open_one(&s[i], e);
		if (r < 0)
			err_wrap(e, "network namespace: socket %zu of %zu", i + 1, n);
	}
	for (size_t i = 0; r < 0 && i < n; i++)
		own_close(&s[i].fd);
	return r < 0 ? r : 0;
}

int inside_owner(int netns, enum inside_owner *out, struct err *e)
{
	own_fd int owner = ioctl(netns, NS_GET_USERNS);
	struct stat theirs, ours;

	/* Only of our own user namespace and those below it the kernel shows the owner. */
	if (owner < 0 && errno == EPERM) {
		*out = INSIDE_OURS;
		return 0;
	}
	if (owner < 0)
		return err_set(e, errno, "owner of the network namespace");
	if (fstat(owner, &theirs) < 0 || stat("/proc/self/ns/user", &ours) < 0)
		return err_set(e, errno, "compare user namespaces");
	*out = theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev ? INSIDE_OURS
									    : INSIDE_BELOW;
	return 0;
}
