/* What other commands, and the maker of a detached warden, tell it. */
#include <errno.h>
#include <fcntl.h>
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
#include "base/unixat.h"
#include "warden/detached.h"
#include "warden/internal.h"

/* A warden answers at once, or is stopped by a debugger. */
enum { BACKLOG = 16, ANSWER_SECONDS = 10 };

/* What came with a message; what is not taken out is closed. */
struct fds {
	int fds[WARDEN_METERS];
	size_t n;
};

static void close_fds(struct fds *f)
{
	for (size_t i = 0; i < f->n; i++)
		own_close(&f->fds[i]);
	f->n = 0;
}

static int put(int sock, const struct warden_msg *m, const int *fds, size_t n, int flags,
	       struct err *e)
{
	int r = fd_put(sock, m, sizeof(*m), fds, n, flags);

	return r < 0 ? err_set(e, -r, "warden: send") : 0;
}

/* 1: a message, 0: end of file or nothing that could be one, -EAGAIN: nothing yet. */
static int get(int sock, struct warden_msg *m, struct fds *fds, int flags)
{
	char control[CMSG_SPACE(sizeof(int) * WARDEN_METERS)];
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr h = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	memset(m, 0, sizeof(*m));
	fds->n = 0;
	ssize_t n = fd_get(sock, &h, flags);
	if (n < 0)
		return n == -EAGAIN ? -EAGAIN : 0;
	fds->n = fd_take(&h, fds->fds, LEN(fds->fds));
	if (n != (ssize_t)sizeof(*m) || h.msg_flags & MSG_TRUNC) {
		close_fds(fds);
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
	return put(sock, &m, &fd, fd >= 0, MSG_DONTWAIT, &ignored);
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
	    (peer.uid != 0 && peer.uid != geteuid()) || calls_places(w) <= CONNS_MAX)
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

static int take_flows(struct warden *w, int *fd, struct err *e)
{
	int r = warden_flows(w, *fd, e);

	if (r == 0)
		(void)take_fd(fd);
	return r;
}

static int take_poke(struct warden *w, int *fd, const struct warden_msg *m, struct err *e)
{
	if (w->n_pokes == POKES_MAX)
		return err_msg(e, E2BIG, "warden: more than %d ways to end the sandbox", POKES_MAX);
	struct poke *p = &w->pokes[w->n_pokes++];
	p->fd = take_fd(fd);
	p->thaws = m->flags;
	snprintf(p->text, sizeof(p->text), "%.*s", (int)sizeof(p->text) - 1, m->text);
	return 0;
}

static void take_meters(struct warden *w, struct fds *f, const struct warden_msg *m)
{
	const struct warden_gauges *g = &w->host.gauges;
	uint8_t kinds[WARDEN_METERS];

	if (!g->take)
		return;
	memcpy(kinds, m->text, sizeof(kinds));
	g->take(g->ctx, kinds, f->fds, f->n);
	f->n = 0;
}

/* Once: whoever says so again is not the sandbox before its first program. */
static void take_disks(struct warden *w, struct fds *f)
{
	const struct warden_gauges *g = &w->host.gauges;

	if (!g->disks || w->started || !f->n)
		return;
	g->disks(g->ctx, f->fds, f->n);
	f->n = 0;
}

static int take_times(struct warden *w, const struct warden_msg *m, struct err *e)
{
	struct warden_times t;

	memcpy(&t, m->text, sizeof(t));
	return clocks_tighten(w, &t, e);
}

static int take_status(struct warden *w, int *fd)
{
	own_close(&w->status);
	w->status = take_fd(fd);
	return 0;
}

/* Not of a program that runs: what it has written may be on its way to the others. */
static int take_output(struct warden *w, struct fds *f, struct err *e)
{
	if (w->started || f->n != WARDEN_STREAMS)
		return err_msg(e, EPERM, "warden: the program has begun");
	int r = output_redirect(w, f->fds, e);
	if (r == 0)
		f->n = 0;
	return r;
}

/* From the maker alone. */
static int obey_maker(struct warden *w, const struct warden_msg *m, struct fds *f, struct err *e)
{
	switch (m->type) {
	case ASK_ADOPT:
		return warden_adopt(w, f->fds[0], e);
	case ASK_POKE:
		return take_poke(w, &f->fds[0], m, e);
	case ASK_METERS:
		take_meters(w, f, m);
		return 0;
	case ASK_STATUS:
		return take_status(w, &f->fds[0]);
	case ASK_FREEZER:
		return warden_freezer(w, f->fds[0], m->flags, e);
	case ASK_FLOWS:
		return take_flows(w, &f->fds[0], e);
	case ASK_LAYERS:
		return warden_layers_take(w, f->fds, f->n, e);
	default:
		return err_msg(e, EPROTO, "warden: message %u is not understood", m->type);
	}
}

static int obey(struct warden *w, bool from_maker, const struct warden_msg *m, struct fds *f,
		struct err *e)
{
	if (m->type == ASK_STARTED) {
		take_disks(w, f);
		return warden_started(w, -1, e);
	}
	if (m->type == ASK_TIMES)
		return take_times(w, m, e);
	if (m->type == ASK_OUTPUT)
		return take_output(w, f, e);
	if (m->type == ASK_LISTENER && f->n)
		return take_listener(w, &f->fds[0], e);
	/* The one that ends grants may be made while it runs. */
	if (m->type == ASK_HELPER && f->n)
		return warden_helper(w, f->fds[0], e);
	if (from_maker && f->n)
		return obey_maker(w, m, f, e);
	return err_msg(e, EPROTO, "warden: message %u is not understood", m->type);
}

void control_work(struct warden *w, unsigned int slot)
{
	struct fds fds;
	struct warden_msg m;
	struct err why;

	if (w->conns[slot] < 0)
		return; /* cut off by what came earlier in the same round */
	int r = get(w->conns[slot], &m, &fds, MSG_DONTWAIT);
	if (r == -EAGAIN)
		return;
	if (r == 1) {
		r = obey(w, (int)slot == w->link, &m, &fds, &why);
		close_fds(&fds);
		/* Nobody would be told, and it would run without a limit. */
		if (r < 0 && m.code == NO_ANSWER && m.type == ASK_STARTED)
			warden_give_up(w);
		/* Who has gone may have said more: it is cut off at the end of file. */
		if (m.code != NO_ANSWER)
			(void)!control_reply(w->conns[slot], r < 0 ? &why : NULL, -1);
		return;
	}
	if (r == 0)
		cut_off(w, slot);
}

void control_hear(struct warden *w)
{
	struct pollfd p = {.fd = w->control, .events = POLLIN};

	for (int i = 0; i < BACKLOG && poll(&p, 1, 0) > 0; i++)
		control_accept(w);
	for (unsigned int slot = 0; slot < CONNS_MAX; slot++)
		control_work(w, slot);
}

/* --- the others' side --------------------------------------------------------------------- */

static int socket_at(int dir, struct sockaddr_un *sa, struct err *e)
{
	int fd = unixat_socket(dir, WARDEN_SOCKET, sa, e);

	return fd < 0 ? err_wrap(e, "warden") : fd;
}

int warden_control_make(int dir, struct err *e)
{
	int fd = unixat_listen(dir, WARDEN_SOCKET, BACKLOG, e);

	return fd < 0 ? err_wrap(e, "warden") : fd;
}

int control_await(int sock, int *got, struct err *e)
{
	struct fds fds;
	struct warden_msg m;
	int r = get(sock, &m, &fds, 0);

	if (r == -EAGAIN)
		return err_msg(e, ETIMEDOUT, "warden: no answer");
	if (r == 0)
		return err_msg(e, ECONNRESET, "warden lost: it died before it answered");
	if (got && fds.n && m.type == ASK_REPLY && !m.code)
		*got = take_fd(&fds.fds[0]);
	close_fds(&fds);
	if (m.type != ASK_REPLY)
		return err_msg(e, EPROTO, "warden: message %u is no answer", m.type);
	if (m.code)
		return err_msg(e, m.code > 0 ? m.code : EPROTO, "%s", m.text);
	return 0;
}

int control_tell(int sock, const struct warden_msg *m, const int *fds, size_t n, struct err *e)
{
	int r = put(sock, m, fds, n, 0, e);

	if (r == -EPIPE || r == -ECONNRESET)
		return err_msg(e, ECONNRESET, "warden lost: nobody reads any more");
	return r;
}

int control_ask(int sock, const struct warden_msg *m, const int *fds, size_t n, struct err *e)
{
	int r = control_tell(sock, m, fds, n, e);

	return r < 0 ? r : control_await(sock, NULL, e);
}

/* The queue of one that is stopped fills up: then connecting waits as well. */
int warden_connect(int dir, struct err *e)
{
	const struct timeval soon = {.tv_sec = ANSWER_SECONDS};
	struct sockaddr_un sa;
	own_fd int fd = socket_at(dir, &sa, e);

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)) < 0)
		return err_set(e, errno, "warden: socket");
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_set(e, errno, "warden lost: connect");
	return take_fd(&fd);
}

static int tell_with(int dir, const struct warden_msg *m, const int *fds, size_t n, struct err *e)
{
	const struct timeval soon = {.tv_sec = ANSWER_SECONDS};
	own_fd int fd = warden_connect(dir, e);

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) < 0)
		return err_set(e, errno, "warden: socket");
	return control_ask(fd, m, fds, n, e);
}

static int tell_of(int dir, const struct warden_msg *m, int passed, struct err *e)
{
	return tell_with(dir, m, &passed, passed >= 0, e);
}

int warden_tell_output(int dir, const int fds[WARDEN_STREAMS], struct err *e)
{
	const struct warden_msg m = {.type = ASK_OUTPUT};

	return tell_with(dir, &m, fds, WARDEN_STREAMS, e);
}

static int tell(int dir, enum warden_ask type, int passed, struct err *e)
{
	const struct warden_msg m = {.type = type};

	return tell_of(dir, &m, passed, e);
}

int warden_tell_times(int dir, uint64_t wall_ms, uint64_t cpu_ms, struct err *e)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	const struct warden_times t = {wall_ms, cpu_ms, online > 0 ? (uint64_t)online : 1};
	struct warden_msg m = {.type = ASK_TIMES};

	memcpy(m.text, &t, sizeof(t));
	return tell_of(dir, &m, -1, e);
}

int warden_send_started(int fd, const int *disks, size_t n, struct err *e)
{
	const struct warden_msg m = {.type = ASK_STARTED, .code = NO_ANSWER};

	return put(fd, &m, disks, n, 0, e);
}

int warden_send_listener(int fd, int listener, struct err *e)
{
	const struct warden_msg m = {.type = ASK_LISTENER, .code = NO_ANSWER};

	return put(fd, &m, &listener, 1, 0, e);
}

int warden_tell_started(int dir, struct err *e)
{
	return tell(dir, ASK_STARTED, -1, e);
}

int warden_tell_helper(int dir, int pidfd, struct err *e)
{
	return tell(dir, ASK_HELPER, pidfd, e);
}

int warden_tell_listener(int dir, int listener, struct err *e)
{
	return tell(dir, ASK_LISTENER, listener, e);
}

/* Without waiting; -EAGAIN: it is there, and too many others wait for it. */
static int knock(int dir)
{
	struct sockaddr_un sa;
	struct err e;
	own_fd int fd = socket_at(dir, &sa, &e);

	if (fd < 0)
		return -e.code;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
	    connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return take_fd(&fd);
}

enum warden_presence warden_presence(int dir)
{
	own_fd int fd = knock(dir);

	if (fd >= 0 || fd == -EAGAIN)
		return WARDEN_LISTENS;
	return fd == -ECONNREFUSED ? WARDEN_GONE : fd == -ENOENT ? WARDEN_NONE : WARDEN_UNKNOWN;
}

void warden_await_end(int dir, int ms)
{
	enum { STEP_MS = 10 };

	for (; ms > 0; ms -= STEP_MS) {
		own_fd int fd = knock(dir);
		struct pollfd p = {.fd = fd};

		/* Refused, or cut off: it has closed what it had. */
		if (fd >= 0)
			(void)poll(&p, 1, ms);
		if (fd != -EAGAIN)
			return;
		(void)poll(NULL, 0, STEP_MS);
	}
}
