/* grant and revoke: the socket "egress" of the state directory, both ends of it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/sys.h"
#include "base/unixat.h"
#include "resolver_internal.h"

/* A resolver answers at once, or is stopped by a debugger. */
enum { BACKLOG = 16, ANSWER_SECONDS = 10 };

int resolver_msg_read(const void *data, size_t len, struct resolver_msg *out, struct err *e)
{
	if (len != sizeof(*out))
		return err_msg(e, EPROTO, "resolver: a message of %zu bytes", len);
	memcpy(out, data, sizeof(*out));
	if (out->type < RESOLVER_GRANT || out->type > RESOLVER_REPLY)
		return err_msg(e, EPROTO, "resolver: message %u is not understood", out->type);
	size_t n = strnlen(out->text, sizeof(out->text));
	if (n == sizeof(out->text))
		return err_msg(e, EPROTO, "resolver: a text without end");
	for (size_t i = 0; i < n; i++)
		if (out->text[i] < ' ' || out->text[i] > '~')
			return err_msg(e, EPROTO, "resolver: not of printable letters");
	if (out->type == RESOLVER_REPLY ? out->code < 0 : n == 0)
		return err_msg(e, EPROTO, "resolver: message %u makes no sense", out->type);
	return 0;
}

static int socket_at(int dir, struct sockaddr_un *sa, struct err *e)
{
	int fd = unixat_socket(dir, RESOLVER_SOCKET, sa, e);

	return fd < 0 ? err_wrap(e, "resolver") : fd;
}

int resolver_control_make(int dir, struct err *e)
{
	int fd = unixat_listen(dir, RESOLVER_SOCKET, BACKLOG, e);

	return fd < 0 ? err_wrap(e, "resolver") : fd;
}

static int connect_to(int dir, struct err *e)
{
	const struct timeval soon = {.tv_sec = ANSWER_SECONDS};
	struct sockaddr_un sa;
	own_fd int fd = socket_at(dir, &sa, e);

	if (fd < 0)
		return fd;
	/* The queue of one that is stopped fills up: then connecting waits as well. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) < 0)
		return err_set(e, errno, "resolver: socket");
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return take_fd(&fd);
	if (errno == ENOENT)
		return err_msg(e, EOPNOTSUPP,
			       "this sandbox was started without grants: nothing can be granted "
			       "to it");
	return errno == ECONNREFUSED ? err_msg(e, ESRCH, "its resolver has ended")
				     : err_set(e, errno, "resolver: connect");
}

/* Who listens is told by the kernel (unix(7), SO_PEERCRED: of whoever called listen). */
void resolver_end_unknown(int dir)
{
	enum { GONE_MS = 4000 };
	struct err ignored;
	struct ucred who;
	socklen_t len = sizeof(who);
	own_fd int fd = connect_to(dir, &ignored);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.pid <= 0)
		return;
	own_fd int pidfd = sys_pidfd_open(who.pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	/* Still the same process: it listens yet. */
	own_fd int again = connect_to(dir, &ignored);
	if (pidfd < 0 || again < 0)
		return;
	(void)sys_pidfd_send_signal(pidfd, SIGKILL);
	(void)poll(&p, 1, GONE_MS);
}

static int answer_of(int fd, struct resolver_msg *m, struct err *e)
{
	char data[sizeof(*m) + 1];
	ssize_t n;

	do
		n = recv(fd, data, sizeof(data), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return err_msg(e, ETIMEDOUT, "resolver: no answer: it is stopped");
	if (n <= 0)
		return err_msg(e, ESRCH, "resolver: it has ended");
	int r = resolver_msg_read(data, (size_t)n, m, e);
	if (r < 0)
		return r;
	if (m->type != RESOLVER_REPLY)
		return err_msg(e, EPROTO, "resolver: message %u is no answer", m->type);
	return m->code ? err_msg(e, m->code, "%s", m->text) : 0;
}

static int ask(int dir, enum resolver_ask type, const char *text, uint32_t *number, struct err *e)
{
	struct resolver_msg m = {.type = type}, checked;
	own_fd int fd = -1;

	if (strlen(text) >= sizeof(m.text))
		return err_msg(e, E2BIG, "more than %zu letters", sizeof(m.text) - 1);
	memcpy(m.text, text, strlen(text));
	if (resolver_msg_read(&m, sizeof(m), &checked, e) < 0)
		return err_msg(e, EINVAL, "not of printable letters");
	fd = connect_to(dir, e);
	if (fd < 0)
		return fd;
	if (send(fd, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		return err_set(e, errno, "resolver: send");
	int r = answer_of(fd, &m, e);
	*number = m.number;
	return r;
}

int resolver_grant(int dir, const char *text, uint32_t *id, struct err *e)
{
	return ask(dir, RESOLVER_GRANT, text, id, e);
}

int resolver_revoke(int dir, const char *text, uint32_t *n, struct err *e)
{
	return ask(dir, RESOLVER_REVOKE, text, n, e);
}

int resolver_network_read(struct arena *a, int dir, struct brig_network *out, struct err *e)
{
	char *text = arena_new(a, NETWORK_MAX_BYTES + 2);
	ssize_t n = file_peek(dir, NETWORK_FILE, text, NETWORK_MAX_BYTES + 2);

	if (n < 0)
		return err_set(e, (int)-n, "open %s", NETWORK_FILE);
	/* Empty, or without its first letter: not written, or not all of it. */
	if (!*text)
		return err_set(e, ENOENT, NETWORK_FILE);
	return network_parse(a, text, (size_t)n, out, e);
}
