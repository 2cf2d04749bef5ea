/* What other commands, and the maker of a detached warden, tell it. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fdpass.h"
#include "base/own.h"
#include "warden/internal.h"

/* A warden answers at once, or is stopped by a debugger. */
enum { BACKLOG = 16, ANSWER_SECONDS = 10, FDS_ROOM = 8 };

static int put(int sock, const struct warden_msg *m, int fd, int flags, struct err *e)
{
	int r = fd_put(sock, m, sizeof(*m), &fd, fd >= 0, flags);

	return r < 0 ? err_set(e, -r, "warden: send") : 0;
}

/* The first descriptor of a message; whatever else was put into it is closed. */
static int take_first(struct msghdr *h)
{
	int first = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (first < 0)
				first = fd;
			else
				(void)close(fd);
		}
	}
	return first;
}

/* 1: a message, 0: end of file or nothing that could be one, -EAGAIN: nothing yet. */
static int get(int sock, struct warden_msg *m, int *fd, int flags)
{
	char control[CMSG_SPACE(sizeof(int) * FDS_ROOM)];
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr h = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;
	int resets = 0;

	memset(m, 0, sizeof(*m));
	/* ECONNRESET, once: the peer has gone without reading our answer; what it said before it
	 * went is still to be read (unix_release_sock, net/unix/af_unix.c). */
	do
		n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : 0;
	*fd = take_first(&h);
	if (n != (ssize_t)sizeof(*m) || h.msg_flags & MSG_TRUNC) {
		own_close(fd);
		return 0;
	}
	m->text[sizeof(m->text) - 1] = '\0';
	return 1;
}

int control_reply(int sock, const struct err *why, int fd)
{
	struct warden_msg m = {.type = ASK_REPLY, .code = why ? why->code : 0};
	struct err ignored;

	if (why)
		snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1, why->msg);
	/* Who does not read its answers does not get any. */
	return put(sock, &m, fd, MSG_DONTWAIT, &ignored);
}

/* --- the warden's side -------------------------------------------------------------------- */

static void cut_off(struct warden *w, unsigned int slot)
{
	/* The maker has died before there was a sandbox: there will be none. */
	if ((int)slot == w->link) {
		w->link = -1;
		w->over = w->over || w->pidfd < 0;
	}
	if ((int)slot == w->own)
		w->own = -1;
	warden_unwatch(w, &w->conns[slot]);
}

static unsigned int find_slot(struct warden *w)
{
	unsigned int slot = w->next_conn;

	for (unsigned int i = 0; i < CONNS_MAX; i++)
		if (w->conns[i] < 0)
			return i;
	while ((int)slot == w->link || (int)slot == w->own)
		slot = (slot + 1) % CONNS_MAX;
	w->next_conn = (slot + 1) % CONNS_MAX;
	cut_off(w, slot);
	return slot;
}

int control_add(struct warden *w, int fd, struct err *e)
{
	unsigned int slot = find_slot(w);
	int r = warden_watch(w, fd, SOURCE_CONN, slot, e);

	if (r < 0)
		return r;
	w->conns[slot] = fd;
	return (int)slot;
}

void control_accept(struct warden *w)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);
	struct err ignored;
	int slot;
	own_fd int fd = accept4(w->control, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	/* Nobody else gets at it: its directory and its mode say so.  This does again. */
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    (peer.uid != 0 && peer.uid != geteuid()) || notify_places(w) <= CONNS_MAX)
		return;
	slot = control_add(w, fd, &ignored);
	if (slot < 0)
		return;
	(void)take_fd(&fd);
	/* It may wait for its start for days. */
	if (!w->had_own)
		w->own = slot;
	w->had_own = true;
}

static int take_listener(struct warden *w, int *fd, struct err *e)
{
	int r = warden_listener(w, *fd, e);

	if (r == 0)
		(void)take_fd(fd);
	return r;
}

static int take_poke(struct warden *w, int *fd, const char *text, struct err *e)
{
	if (w->n_pokes == POKES_MAX)
		return err_msg(e, E2BIG, "warden: more than %d ways to end the sandbox", POKES_MAX);
	struct poke *p = &w->pokes[w->n_pokes++];
	p->fd = take_fd(fd);
	snprintf(p->text, sizeof(p->text), "%.*s", (int)sizeof(p->text) - 1, text);
	return 0;
}

static int obey(struct warden *w, bool from_maker, const struct warden_msg *m, int *fd,
		struct err *e)
{
	switch (m->type) {
	case ASK_ADOPT:
		if (!from_maker || *fd < 0)
			break;
		return warden_adopt(w, *fd, e);
	case ASK_POKE:
		if (!from_maker || *fd < 0)
			break;
		return take_poke(w, fd, m->text, e);
	case ASK_STARTED:
		return warden_started(w, -1, e);
	case ASK_LISTENER:
		if (*fd < 0)
			break;
		return take_listener(w, fd, e);
	default:
		break;
	}
	return err_msg(e, EPROTO, "warden: message %u is not understood", m->type);
}

void control_work(struct warden *w, unsigned int slot)
{
	own_fd int fd = -1;
	struct warden_msg m;
	struct err why;

	if (w->conns[slot] < 0)
		return; /* cut off by what came earlier in the same round */
	int r = get(w->conns[slot], &m, &fd, MSG_DONTWAIT);
	if (r == -EAGAIN)
		return;
	if (r == 1) {
		r = obey(w, (int)slot == w->link, &m, &fd, &why);
		/* Who has gone may have said more: it is cut off at the end of file. */
		if (m.code != NO_ANSWER)
			(void)!control_reply(w->conns[slot], r < 0 ? &why : NULL, -1);
		return;
	}
	if (r == 0)
		cut_off(w, slot);
}

/* --- the others' side --------------------------------------------------------------------- */

static int socket_at(int dir, struct sockaddr_un *sa, struct err *e)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_set(e, errno, "warden: socket");
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* By descriptor: the state root may have a longer name than sun_path takes. */
	snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/" WARDEN_SOCKET, dir);
	return fd;
}

int warden_control_make(int dir, struct err *e)
{
	struct sockaddr_un sa;
	own_fd int fd = socket_at(dir, &sa, e);

	if (fd < 0)
		return fd;
	/* Before the bind: the file gets this mode (unix_bind_bsd, net/unix/af_unix.c). */
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return err_set(e, errno, "warden: control socket");
	return take_fd(&fd);
}

int control_await(int sock, int *got, struct err *e)
{
	own_fd int fd = -1;
	struct warden_msg m;
	int r = get(sock, &m, &fd, 0);

	if (r == -EAGAIN)
		return err_msg(e, ETIMEDOUT, "warden: no answer");
	if (r == 0)
		return err_msg(e, ECONNRESET, "warden lost: it died before it answered");
	if (m.type != ASK_REPLY)
		return err_msg(e, EPROTO, "warden: message %u is no answer", m.type);
	if (m.code)
		return err_msg(e, m.code > 0 ? m.code : EPROTO, "%s", m.text);
	if (got)
		*got = take_fd(&fd);
	return 0;
}

int control_ask(int sock, enum warden_ask type, int fd, const char *text, struct err *e)
{
	struct warden_msg m = {.type = type};

	if (text)
		snprintf(m.text, sizeof(m.text), "%s", text);
	int r = put(sock, &m, fd, 0, e);

	if (r == -EPIPE || r == -ECONNRESET)
		return err_msg(e, ECONNRESET, "warden lost: nobody reads any more");
	return r < 0 ? r : control_await(sock, NULL, e);
}

static int tell(int dir, enum warden_ask type, int passed, struct err *e)
{
	const struct timeval soon = {.tv_sec = ANSWER_SECONDS};
	struct sockaddr_un sa;
	own_fd int fd = socket_at(dir, &sa, e);

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)) < 0)
		return err_set(e, errno, "warden: socket");
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_set(e, errno, "warden lost: connect");
	return control_ask(fd, type, passed, NULL, e);
}

int warden_connect(int dir, struct err *e)
{
	struct sockaddr_un sa;
	own_fd int fd = socket_at(dir, &sa, e);

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_set(e, errno, "warden lost: connect");
	return take_fd(&fd);
}

int warden_send_started(int fd, struct err *e)
{
	const struct warden_msg m = {.type = ASK_STARTED, .code = NO_ANSWER};

	return put(fd, &m, -1, 0, e);
}

int warden_send_listener(int fd, int listener, struct err *e)
{
	const struct warden_msg m = {.type = ASK_LISTENER, .code = NO_ANSWER};

	return put(fd, &m, listener, 0, e);
}

int warden_tell_started(int dir, struct err *e)
{
	return tell(dir, ASK_STARTED, -1, e);
}

int warden_tell_listener(int dir, int listener, struct err *e)
{
	return tell(dir, ASK_LISTENER, listener, e);
}

void warden_await_end(int dir, int ms)
{
	struct err ignored;
	own_fd int fd = warden_connect(dir, &ignored);
	struct pollfd p = {.fd = fd};

	/* Refused, or cut off: it has closed what it had. */
	if (fd >= 0)
		(void)poll(&p, 1, ms);
}
