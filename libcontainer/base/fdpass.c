#include "base/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"

enum { MAX_FDS = 16 };

int unix_connect(const char *path, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	own_fd int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	own_fd int dir = -1;

	if (sock < 0)
		return err_set(e, errno, "socket");
	if (strlen(path) < sizeof(sa.sun_path)) {
		memcpy(sa.sun_path, path, strlen(path) + 1);
	} else {
		dir = open(path, O_PATH | O_CLOEXEC);
		if (dir < 0)
			return err_set(e, errno, "connect to %s", path);
		snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d", dir);
	}
	if (connect(sock, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_set(e, errno, "connect to %s", path);
	return take_fd(&sock);
}

int fd_put(int sock, const void *data, size_t len, const int *fds, size_t n_fds, int flags)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * MAX_FDS)];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(size_t)data, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds > MAX_FDS)
		return -E2BIG;
	if (n_fds) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int fd_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds, const char *what,
	    struct err *e)
{
	int r = fd_put(sock, data, len, fds, n_fds, 0);

	return r < 0 ? err_set(e, -r, "send to %s", what) : 0;
}

ssize_t fd_get(int sock, struct msghdr *m, int flags)
{
	int resets = 0;
	ssize_t n;

	/* The kernel answers ECONNRESET, once, when the peer has gone with data of ours unread;
	 * what it said before it went is still to be read (unix_release_sock, net/unix/af_unix.c).
	 */
	do
		n = recvmsg(sock, m, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	return n;
}

size_t fd_take(struct msghdr *m, int *fds, size_t room)
{
	size_t taken = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (taken < room)
				fds[taken++] = fd;
			else
				(void)close(fd);
		}
	}
	return taken;
}
