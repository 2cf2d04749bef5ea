#include "run/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fdpass.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"

enum { MESSAGE_MAX = 4096, BARRIER_MS = 5000 };

static const char socket_name[] = NOTIFY_STATE "/notify.sock";

const char *notify_host(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path || !*path)
		return NULL;
	if ((path[0] == '/' || path[0] == '@') && path[1] &&
	    strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path))
		return path;
	log_warn("NOTIFY_SOCKET=%s: no path and no abstract name: ignored", path);
	return NULL;
}

int notify_make_dir(int dir, struct err *e)
{
	/* Not by the umask: the program inside may be any user. */
	if (mkdirat(dir, NOTIFY_STATE, 0755) < 0 || fchmodat(dir, NOTIFY_STATE, 0755, 0) < 0)
		return err_set(e, errno, "notify directory");
	return 0;
}

int notify_listen(struct notify *n, int dir, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	own_fd int fd = -1;

	n->sock = -1;
	if (faccessat(dir, NOTIFY_STATE, F_OK, 0) < 0)
		return 0;
	/* By descriptor: the state root may have a longer name than sun_path takes. */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/%s", dir, socket_name);
	(void)unlinkat(dir, socket_name, 0); /* of a start that failed */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    fchmodat(dir, socket_name, 0777, 0) < 0)
		return err_set(e, errno, "notify socket");
	n->sock = take_fd(&fd);
	return 0;
}

void notify_close(struct notify *n)
{
	own_close(&n->sock);
}

static int connect_host(const char *host)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t len = strlen(host);
	own_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, host, len);
	/* unix(7): an abstract name begins with a zero byte and has no end but the length's. */
	if (host[0] == '@')
		sa.sun_path[0] = '\0';
	else
		len++;
	if (fd < 0 || connect(fd, (const struct sockaddr *)&sa,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
		log_warn("NOTIFY_SOCKET=%s: %s", host, err_text(errno));
		return -1;
	}
	return take_fd(&fd);
}

static void tell_host(const char *host, const char *text)
{
	own_fd int fd = connect_host(host);

	if (fd >= 0 && send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_warn("NOTIFY_SOCKET=%s: %s", host, err_text(errno));
}

int notify_relay(const struct notify *n, pid_t pid)
{
	char text[MESSAGE_MAX + 1], out[MESSAGE_MAX + 64], *rest = text, *line;
	size_t used = 0;
	bool ready = false;
	ssize_t len = recv(n->sock, text, MESSAGE_MAX, MSG_DONTWAIT | MSG_TRUNC);

	/* A message that was cut may end in the middle of a line. */
	if (len <= 0 || len > MESSAGE_MAX)
		return 0;
	text[len] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		if (!str_starts(line, "READY=") && !str_starts(line, "STATUS="))
			continue;
		ready |= str_eq(line, "READY=1");
		used += (size_t)snprintf(out + used, sizeof(out) - used, "%s\n", line);
	}
	if (!used)
		return 0;
	if (ready && pid > 0)
		snprintf(out + used, sizeof(out) - used, "MAINPID=%d\n", (int)pid);
	tell_host(n->host, out);
	return ready;
}

/*
 * systemd finds the unit by the sender's cgroup, so the sender should live until the message was
 * read: the descriptor is closed by the receiver then.
 */
static void barrier(const char *host)
{
	int ends[2];
	own_fd int fd = connect_host(host);

	if (fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return;
	own_fd int wait = ends[0];
	struct pollfd p = {.fd = wait};
	struct err e;
	int r = fd_send(fd, "BARRIER=1", strlen("BARRIER=1"), &ends[1], 1, host, &e);

	(void)close(ends[1]);
	if (r < 0 || poll(&p, 1, BARRIER_MS) == 0)
		log_debug("NOTIFY_SOCKET=%s: not known to be read", host);
}

void notify_wait(const struct notify *n, pid_t pid, int pidfd)
{
	bool ready = false, ended = false;

	while (!ready && !ended) {
		struct pollfd p[] = {
			{.fd = n->sock, .events = POLLIN},
			{.fd = pidfd,   .events = POLLIN},
		};

		if (poll(p, LEN(p), -1) < 0 && errno != EINTR)
			return;
		/* Its last words first. */
		if (p[0].revents)
			ready = notify_relay(n, pid);
		else
			ended = p[1].revents;
	}
	if (ready)
		barrier(n->host);
}
