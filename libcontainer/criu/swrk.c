#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "criu/criu.h"

enum { MESSAGE_MAX = 64 * 1024, LOG_MAX = 64 << 20 };
enum { SOCK_FD = 3 /* "criu swrk 3" */, HIGH_FD = 128, MAX_INHERIT = 16 };
enum { EXIT_NO_PROGRAM = 127 };

/* Fields of criu_req and criu_resp. */
enum { REQ_TYPE = 1, REQ_OPTS = 2, REQ_NOTIFY_SUCCESS = 3 };
enum {
	RESP_TYPE = 1,
	RESP_SUCCESS = 2,
	RESP_RESTORE = 4,
	RESP_NOTIFY = 5,
	RESP_FEATURES = 8,
	RESP_MESSAGE = 9,
	RESP_VERSION = 10,
};

/* --- the process -------------------------------------------------------------------------- */

/* All are copied out of the way first: a given one may have any number, 0 too. */
static int place_fds(int sock, int output, const struct criu_start *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int from[CRIU_FIRST_FD + MAX_INHERIT] = {null, output, output, sock};
	size_t n = CRIU_FIRST_FD + s->n_inherit;

	if (s->n_inherit)
		memcpy(&from[CRIU_FIRST_FD], s->inherit, s->n_inherit * sizeof(int));
	for (size_t i = 0; i < n; i++) {
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, HIGH_FD);
		if (from[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(from[i], (int)i) < 0)
			return -errno;
	return close_range((unsigned int)n, ~0U, 0) < 0 ? -errno : 0;
}

static __attribute__((noreturn)) void child(int sock, int output, const struct criu_start *s)
{
	sigset_t none;
	struct err e;
	char c;

	int r = s->prepare ? s->prepare(s->ctx, &e) : 0;
	if (r < 0)
		dprintf(output, "Error (brig): %s\n", e.msg);
	else if (s->prepare)
		r = send(sock, "", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
	/* brig blocks what it forwards; criu starts with nothing blocked. */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (r < 0 || place_fds(sock, output, s) < 0)
		_exit(1);
	if (s->check)
		execlp("criu", "criu", "check", (char *)NULL);
	else if (recv(SOCK_FD, &c, 1, MSG_PEEK) <= 0)
		_exit(1);
	else
		execlp("criu", "criu", "swrk", "3", (char *)NULL);
	_exit(EXIT_NO_PROGRAM);
}

static int ended(struct criu *c, struct err *e);

static int await_prepared(struct criu *c, struct err *e)
{
	char byte;
	ssize_t n;

	do
		n = recv(c->sock, &byte, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	(void)ended(c, e);
	criu_end(c);
	return -e->code;
}

int criu_start(struct criu *c, struct arena *a, const struct criu_start *s, struct err *e)
{
	int pair[2];

	*c = (struct criu){.arena = a, .sock = -1, .output = -1};
	if (s->n_inherit > MAX_INHERIT)
		return err_msg(e, EINVAL, "too many descriptors for criu");
	c->output = memfd_create("brig-criu-output", MFD_CLOEXEC);
	if (c->output < 0)
		return err_set(e, errno, "memfd_create");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		int code = errno;

		criu_end(c);
		return err_set(e, code, "socketpair");
	}
	c->sock = pair[0];
	c->pid = fork();
	if (c->pid == 0)
		child(pair[1], c->output, s);
	int code = errno;
	(void)close(pair[1]);
	if (c->pid < 0) {
		c->pid = 0;
		criu_end(c);
		return err_set(e, code, "fork");
	}
	return s->prepare ? await_prepared(c, e) : 0;
}

static int wait_for(struct criu *c)
{
	int status = 0;

	while (c->pid > 0 && waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	return status;
}

void criu_end(struct criu *c)
{
	own_close(&c->sock);
	(void)wait_for(c);
	own_close(&c->output);
}

/* --- what it says ------------------------------------------------------------------------- */

const char *criu_first_error(struct arena *a, const char *text)
{
	/* "(00.012345) 1: Error (criu/mount.c:760): mnt: ..." */
	const char *at = text ? strstr(text, "Error (") : NULL;
	const char *end = at ? strstr(at, "): ") : NULL;

	if (!end || end > at + strcspn(at, "\n"))
		return NULL;
	end += strlen("): ");
	return arena_strndup(a, end, strcspn(end, "\n"));
}

const char *criu_spoken(const struct criu *c)
{
	char text[4096];
	/* pread: criu goes on writing at the offset of the shared description. */
	ssize_t n = pread(c->output, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return criu_first_error(c->arena, text);
}

/* It closed the socket: why, as far as it said so. */
static int ended(struct criu *c, struct err *e)
{
	own_close(&c->sock);
	int status = wait_for(c);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_PROGRAM)
		return err_msg(e, ENOENT, "there is no program criu (CRIU is not installed)");
	const char *why = criu_spoken(c);
	if (why)
		return err_msg(e, EPIPE, "%s", why);
	if (WIFSIGNALED(status))
		return err_msg(e, EPIPE, "criu was ended by signal %d", WTERMSIG(status));
	return err_msg(e, EPIPE, "criu has ended without a word");
}

int criu_send(struct criu *c, enum criu_type type, const struct wire_out *opts,
	      const struct wire_out *more, struct err *e)
{
	struct wire_out o = {.arena = c->arena};

	wire_uint(&o, REQ_TYPE, type);
	if (opts)
		wire_message(&o, REQ_OPTS, opts);
	if (more)
		wire_append(&o, more);
	if (send(c->sock, o.data, o.len, MSG_NOSIGNAL) == (ssize_t)o.len)
		return 0;
	return errno == EPIPE ? ended(c, e) : err_set(e, errno, "request to criu");
}

static const char *text_of(struct arena *a, const struct wire_field *f)
{
	return f->data ? arena_strndup(a, (const char *)f->data, f->len) : NULL;
}

/* The messages within a response; their fields have other numbers than its own. */
static int read_inner(struct arena *a, const struct wire_field *outer, struct criu_reply *r)
{
	enum { RESTORE_PID = 1, NOTIFY_SCRIPT = 1, NOTIFY_PID = 2 };
	struct wire_in in = wire_enter(outer);
	struct wire_field f;
	int more;

	while ((more = wire_next(&in, &f)) > 0) {
		if (outer->number == RESP_RESTORE && f.number == RESTORE_PID)
			r->pid = (pid_t)f.n;
		else if (outer->number == RESP_NOTIFY && f.number == NOTIFY_SCRIPT)
			r->script = text_of(a, &f);
		else if (outer->number == RESP_NOTIFY && f.number == NOTIFY_PID)
			r->pid = (pid_t)f.n;
		else if (outer->number == RESP_FEATURES && f.number == 1)
			r->mem_track = f.n;
		else if (outer->number == RESP_FEATURES && f.number == 2)
			r->lazy_pages = f.n;
		else if (outer->number == RESP_VERSION && f.number == 1)
			r->version_major = (int64_t)f.n;
		else if (outer->number == RESP_VERSION && f.number == 2)
			r->version_minor = (int64_t)f.n;
	}
	return more;
}

static int read_reply(struct arena *a, const void *data, size_t len, struct criu_reply *r)
{
	struct wire_in in = {.at = data, .end = (const unsigned char *)data + len};
	struct wire_field f;
	int more;

	*r = (struct criu_reply){0};
	while ((more = wire_next(&in, &f)) > 0) {
		if (f.number == RESP_TYPE)
			r->type = (enum criu_type)f.n;
		else if (f.number == RESP_SUCCESS)
			r->success = f.n;
		else if (f.number == RESP_MESSAGE)
			r->message = text_of(a, &f);
		else if (f.data && read_inner(a, &f, r) < 0)
			return -EBADMSG;
	}
	return more;
}

static int passed_fd(struct msghdr *m)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && fd < 0 &&
		    c->cmsg_len >= CMSG_LEN(sizeof(fd)))
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int criu_receive(struct criu *c, struct criu_reply *r, int *fd, struct err *e)
{
	void *data = arena_new(c->arena, MESSAGE_MAX);
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(size_t))));
	struct iovec iov = {.iov_base = data, .iov_len = MESSAGE_MAX};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(c->sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return ended(c, e);
	if (n < 0)
		return err_set(e, errno, "answer of criu");
	*fd = passed_fd(&m);
	if (m.msg_flags & MSG_TRUNC || read_reply(c->arena, data, (size_t)n, r) < 0) {
		own_close(fd);
		return err_msg(e, EBADMSG, "criu's answer cannot be read");
	}
	return 0;
}

/* --- a whole request ---------------------------------------------------------------------- */

static int answer(struct criu *c, const struct criu_call *call, const struct criu_reply *r, int fd,
		  struct err *e)
{
	struct wire_out more = {.arena = c->arena};

	log_debug("criu: %s", r->script ? r->script : "notification");
	if (call->notify && call->notify(call->ctx, r, fd, e) < 0)
		return -e->code;
	if (!call->notify)
		own_close(&fd);
	wire_bool(&more, REQ_NOTIFY_SUCCESS, true);
	return criu_send(c, CRIU_NOTIFY, NULL, &more, e);
}

static int failed(struct criu *c, const struct criu_call *call, const struct criu_reply *r,
		  struct err *e)
{
	struct err ignored;
	char *text;
	const char *why = criu_first_error(c->arena, r->message);

	if (!why && call->log &&
	    file_read(c->arena, AT_FDCWD, call->log, LOG_MAX, &text, NULL, &ignored) == 0)
		why = criu_first_error(c->arena, text);
	if (!why)
		why = r->message && *r->message ? r->message : "no reason given";
	return err_msg(e, EIO, "criu: %s (log: %s)", why, call->log ? call->log : "none");
}

int criu_request(struct criu *c, const struct criu_call *call, struct err *e)
{
	struct criu_reply r;
	int fd, ret = criu_send(c, call->type, call->opts, NULL, e);

	while (ret == 0) {
		ret = criu_receive(c, &r, &fd, e);
		if (ret < 0)
			break;
		if (r.type == CRIU_NOTIFY) {
			ret = answer(c, call, &r, fd, e);
			continue;
		}
		own_close(&fd);
		return r.success ? 0 : failed(c, call, &r, e);
	}
	return ret;
}
