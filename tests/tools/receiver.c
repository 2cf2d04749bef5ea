// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The other end of the sockets that a runtime sends descriptors or messages to.
 *
 *	receiver tty SOCKET OUT      console socket: one pty master by SCM_RIGHTS.  What the
 *	                             terminal prints goes to OUT, our stdin goes to the terminal.
 *	receiver pidfd SOCKET OUT    pidfd socket: writes "NAME PID" of the descriptor to OUT
 *	receiver seccomp SOCKET OUT  seccomp agent: the state goes to OUT, each notification is
 *	                             answered with the value 0 (the call is not made)
 *	receiver notify SOCKET OUT   sd_notify: writes the datagrams, one line each, to OUT
 *
 * The socket exists when it may be connected to, so a caller waits for the path.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_MAX = 65536 };

static void die(const char *what)
{
	fprintf(stderr, "receiver: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int listen_at(const char *path, int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char tmp[sizeof(addr.sun_path)];
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	/* Bound under another name first: the path must not appear before listen. */
	if (snprintf(tmp, sizeof(tmp), "%s~", path) >= (int)sizeof(tmp)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	memcpy(addr.sun_path, tmp, sizeof(tmp));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 4))
		die("listen");
	if (rename(tmp, path))
		die("rename");
	return fd;
}

/* One message with at most one descriptor; returns its length. */
static size_t receive(int conn, char *buf, size_t size, int *fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = buf, .iov_len = size - 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(conn, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	if (n < 0)
		die("recvmsg");
	buf[n] = 0;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return (size_t)n;
}

static int accept_fd(int sock, char *buf, size_t size, size_t *len, int *conn)
{
	int fd = -1;

	*conn = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
	if (*conn < 0)
		die("accept");
	*len = receive(*conn, buf, size, &fd);
	if (fd < 0) {
		fprintf(stderr, "receiver: no descriptor came\n");
		exit(1);
	}
	return fd;
}

static void put(int out, const char *buf, size_t len)
{
	if (write(out, buf, len) != (ssize_t)len)
		die("write");
}

/* Copies both ways until the terminal hangs up. */
static void terminal(int master, int out)
{
	struct pollfd p[2] = {
		{.fd = master, .events = POLLIN},
                {.fd = 0,      .events = POLLIN}
        };
	char buf[4096];

	for (;;) {
		ssize_t n;

		if (poll(p, 2, -1) < 0)
			die("poll");
		if (p[1].revents) {
			n = read(0, buf, sizeof(buf));
			if (n <= 0)
				p[1].fd = -1;
			else
				put(master, buf, (size_t)n);
		}
		if (p[0].revents) {
			n = read(master, buf, sizeof(buf));
			if (n <= 0)
				return;
			put(out, buf, (size_t)n);
		}
	}
}

static void pidfd_report(int fd, int out, const char *name)
{
	char path[64], line[256];
	long pid = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "Pid: %ld", &pid);
	(void)fclose(f);
	if (!pid) {
		fprintf(stderr, "receiver: the descriptor is no pidfd\n");
		exit(1);
	}
	dprintf(out, "%s %ld\n", name, pid);
}

static void agent(int listener)
{
	struct seccomp_notif req;
	struct pollfd p = {.fd = listener, .events = POLLIN};

	for (;;) {
		struct seccomp_notif_resp resp = {0};

		if (poll(&p, 1, -1) < 0)
			die("poll");
		if (!(p.revents & POLLIN))
			return; /* the last task with this filter is gone */
		memset(&req, 0, sizeof(req));
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &req)) {
			if (errno == ENOENT || errno == EINTR)
				continue;
			die("SECCOMP_IOCTL_NOTIF_RECV");
		}
		resp.id = req.id;
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) && errno != ENOENT)
			die("SECCOMP_IOCTL_NOTIF_SEND");
	}
}

static void notify(int sock, int out)
{
	char buf[MESSAGE_MAX];

	for (;;) {
		int fd = -1;
		size_t n = receive(sock, buf, sizeof(buf), &fd);

		dprintf(out, "%.*s\n", (int)n, buf);
		if (fd >= 0) /* BARRIER=1: its end says that we have read so far */
			(void)close(fd);
	}
}

int main(int argc, char **argv)
{
	static char buf[MESSAGE_MAX];
	int out, sock, fd, conn;
	size_t len;

	if (argc != 4) {
		fprintf(stderr, "usage: receiver tty|pidfd|seccomp|notify SOCKET OUT\n");
		return 2;
	}
	out = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out < 0)
		die(argv[3]);
	if (!strcmp(argv[1], "notify")) {
		notify(listen_at(argv[2], SOCK_DGRAM), out);
		return 0;
	}
	sock = listen_at(argv[2], SOCK_STREAM);
	fd = accept_fd(sock, buf, sizeof(buf), &len, &conn);
	if (!strcmp(argv[1], "tty")) {
		terminal(fd, out);
	} else if (!strcmp(argv[1], "pidfd")) {
		pidfd_report(fd, out, buf);
	} else if (!strcmp(argv[1], "seccomp")) {
		struct pollfd p = {.fd = conn, .events = POLLIN};

		do {
			put(out, buf, len);
			/* runc keeps the connection open, against config-linux.md: do not wait. */
			if (poll(&p, 1, 300) != 1) {
				fprintf(stderr, "the connection stays open\n");
				break;
			}
			len = receive(conn, buf, sizeof(buf), &fd);
		} while (len);
		agent(fd);
	}
	return 0;
}
