#include "run/sync.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fdpass.h"
#include "base/own.h"

static const char *const names[SYNC_TYPES] = {
	[SYNC_FAILED] = "failed",
	[SYNC_EXEC_FAILED] = "exec failed",
	[SYNC_PID] = "pid",
	[SYNC_USERNS] = "user namespace",
	[SYNC_MAPPED] = "mapped",
	[SYNC_PLACED] = "placed",
	[SYNC_NETWORK] = "network",
	[SYNC_CONSOLE] = "console",
	[SYNC_MOUNTED] = "mounted",
	[SYNC_HOOKS_DONE] = "hooks done",
	[SYNC_LISTENER] = "seccomp listener",
	[SYNC_LISTENER_DONE] = "seccomp listener done",
	[SYNC_READY] = "ready",
	[SYNC_GRANTED] = "granted",
	[SYNC_CREATED] = "created",
	[SYNC_GO] = "go",
	[SYNC_EXECUTING] = "exec",
};

static const char *name_of(uint32_t type)
{
	return type < SYNC_TYPES ? names[type] : "unknown message";
}

int sync_pair(int fds[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, errno, "socketpair");
	return 0;
}

/* len: how much of *m matters; most messages are the first eight bytes. */
static int put(int fd, const struct sync_msg *m, size_t len, int passed, struct err *e)
{
	int r = fd_put(fd, m, len, &passed, passed >= 0, 0);

	return r < 0 ? err_set(e, -r, "send %s", name_of(m->type)) : 0;
}

enum { SHORT = offsetof(struct sync_msg, text) };

void sync_fail(int fd, const struct err *why)
{
	struct sync_msg m = {.type = SYNC_FAILED, .code = why->code};
	struct err ignored;

	snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1, why->msg);
	(void)put(fd, &m, sizeof(m), -1, &ignored); /* nobody is left to tell */
}

/* 1: a message, 0: end of file. */
static int receive(int fd, int flags, struct sync_msg *m, int *passed, size_t room,
		   const char *what, struct err *e)
{
	char control[CMSG_SPACE(sizeof(int) * 4)];
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};

	memset(m, 0, sizeof(*m));
	ssize_t n = fd_get(fd, &h, flags);
	if (n < 0)
		return err_set(e, (int)-n, "wait for %s", what);
	(void)fd_take(&h, passed, room);
	if (n == 0)
		return 0;
	if (n < SHORT)
		return err_set(e, EPROTO, "wait for %s", what);
	m->text[sizeof(m->text) - 1] = '\0';
	return 1;
}

static int get(int fd, struct sync_msg *m, int *passed, const char *what, struct err *e)
{
	return receive(fd, 0, m, passed, passed ? 1 : 0, what, e);
}

static int failed(const struct sync_msg *m, struct err *e)
{
	return err_msg(e, m->code > 0 ? m->code : EIO, "%s", m->text);
}

bool sync_reason(int fd, struct err *e)
{
	struct sync_msg m;
	struct err ignored;

	while (receive(fd, MSG_DONTWAIT, &m, NULL, 0, "reason", &ignored) == 1)
		if (m.type == SYNC_FAILED) {
			(void)failed(&m, e);
			return true;
		}
	return false;
}

/* As put; when nobody reads any more, why not: the reason may have been sent before. */
static int send_msg(int fd, const struct sync_msg *m, int passed, struct err *e)
{
	int r = put(fd, m, SHORT, passed, e);

	return (r == -EPIPE || r == -ECONNRESET) && sync_reason(fd, e) ? -e->code : r;
}

int sync_send(int fd, enum sync_type type, struct err *e)
{
	return send_msg(fd, &(struct sync_msg){.type = type}, -1, e);
}

int sync_send_pid(int fd, pid_t pid, struct err *e)
{
	return send_msg(fd, &(struct sync_msg){.type = SYNC_PID, .code = pid}, -1, e);
}

int sync_send_fd(int fd, enum sync_type type, int passed, struct err *e)
{
	return send_msg(fd, &(struct sync_msg){.type = type}, passed, e);
}

static int died(enum sync_type want, struct err *e)
{
	return err_msg(e, ECONNRESET, "container process died while we waited for %s", names[want]);
}

static int expect(int fd, enum sync_type want, struct sync_msg *m, int *passed, struct err *e)
{
	int r = get(fd, m, passed, names[want], e);

	if (r < 0)
		return r;
	if (r == 0)
		return died(want, e);
	if (m->type == SYNC_FAILED)
		return failed(m, e);
	if (m->type != want)
		return err_msg(e, EPROTO, "wanted %s, got %s", names[want], name_of(m->type));
	return 0;
}

int sync_expect(int fd, enum sync_type want, struct err *e)
{
	struct sync_msg m;

	return expect(fd, want, &m, NULL, e);
}

int sync_expect_pid(int fd, pid_t *pid, struct err *e)
{
	struct sync_msg m;
	int r = expect(fd, SYNC_PID, &m, NULL, e);

	if (r < 0)
		return r;
	if (m.code <= 0)
		return err_msg(e, EPROTO, "pid %d of the container process", m.code);
	*pid = m.code;
	return 0;
}

int sync_expect_fd(int fd, enum sync_type want, int *passed, struct err *e)
{
	own_fd int got = -1;
	struct sync_msg m;
	int r = expect(fd, want, &m, &got, e);

	if (r < 0)
		return r;
	if (got < 0)
		return err_msg(e, EPROTO, "%s came without a descriptor", names[want]);
	*passed = take_fd(&got);
	return 0;
}

int sync_send_go(int fd, const int *fds, size_t n, struct err *e)
{
	const struct sync_msg m = {.type = SYNC_GO};
	int r = fd_put(fd, &m, SHORT, fds, n, 0);

	return r < 0 ? err_set(e, -r, "send %s", names[SYNC_GO]) : 0;
}

int sync_expect_go(int fd, int *fds, struct err *e)
{
	struct sync_msg m;

	for (size_t i = 0; i < SYNC_GO_FDS; i++)
		fds[i] = -1;
	int r = receive(fd, 0, &m, fds, SYNC_GO_FDS, names[SYNC_GO], e);
	if (r == 1 && m.type == SYNC_GO)
		return 0;
	for (size_t i = 0; i < SYNC_GO_FDS; i++)
		own_close(&fds[i]);
	return r < 0 ? r
		     : err_msg(e, EPROTO, "wanted %s, got %s", names[SYNC_GO],
			       r == 0 ? "end of file" : name_of(m.type));
}

static int get_by(int fd, struct sync_msg *m, int (*await)(void *ctx, struct err *e), void *ctx,
		  struct err *e)
{
	int r = await ? await(ctx, e) : 0;

	if (r != 0)
		return r < 0 ? r : 0;
	return get(fd, m, NULL, names[SYNC_EXECUTING], e);
}

int sync_expect_exec_by(int fd, const char *path, bool announced,
			int (*await)(void *ctx, struct err *e), void *ctx, struct err *e)
{
	struct sync_msg m;
	int r = get_by(fd, &m, await, ctx, e);

	if (r == 0 && announced)
		return died(SYNC_EXECUTING, e);
	if (r == 1 && announced && m.type == SYNC_EXECUTING)
		r = get_by(fd, &m, await, ctx, e);
	if (r <= 0)
		return r;
	if (m.type == SYNC_FAILED)
		return failed(&m, e);
	if (m.type == SYNC_EXEC_FAILED)
		return err_set(e, m.code > 0 ? m.code : EIO, "exec %s", path);
	return err_msg(e, EPROTO, "wanted exec, got %s", name_of(m.type));
}

int sync_expect_exec(int fd, const char *path, bool announced, struct err *e)
{
	return sync_expect_exec_by(fd, path, announced, NULL, NULL, e);
}
