/*
 * What the sandbox writes to its standard output and error is passed on, up to a limit in sum.
 *
 * Whoever reads it may be slow, or never read at all, and shares the open file with others, so
 * that O_NONBLOCK would be theirs too: nothing is written that the other side has no room for.
 * While it has none the sandbox's pipe fills up, and its writer waits, as it would without a limit.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/nowait.h"
#include "base/own.h"
#include "warden/internal.h"

/* A round's share, so that a flood does not keep the clocks waiting. */
enum { CHUNK = 32 << 10, ROUNDS = 16 };
/* When the sandbox has ended a reader that takes nothing for so long is not waited for. */
#define DRAIN_NS UINT64_C(5000000000)

struct stream {
	int from, to; /* -1: done with */
	struct nowait out;
	bool watched[2]; /* whether from and to are in the epoll */
	size_t at, len;
	char buf[CHUNK];
};

static bool watch_end(struct warden *w, unsigned int i, bool to, bool on)
{
	struct stream *s = w->streams[i];
	int fd = to ? s->to : s->from;
	struct epoll_event ev = {
		.events = to ? EPOLLOUT : EPOLLIN,
		.data.u64 = (uint64_t)SOURCE_OUTPUT << 32 | i,
	};

	if (s->watched[to] == on)
		return true;
	if (epoll_ctl(w->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &ev) < 0)
		return false;
	s->watched[to] = on;
	return true;
}

static void done_with(struct warden *w, unsigned int i)
{
	struct stream *s = w->streams[i];

	(void)watch_end(w, i, false, false);
	(void)watch_end(w, i, true, false);
	own_close(&s->from);
	own_close(&s->to);
	s->at = s->len = 0;
}

int output_open(struct arena *a, struct warden *w, struct err *e)
{
	const struct warden_host *h = &w->host;

	for (unsigned int i = 0; i < h->n_streams; i++) {
		struct stream *s = arena_new(a, sizeof(*s));

		s->from = h->streams[i].from;
		s->to = h->streams[i].to;
		if (nowait_init(&s->out, s->to, e) < 0)
			return err_wrap(e, "warden: standard streams");
		w->streams[i] = s;
		if (!watch_end(w, i, false, true))
			return err_set(e, errno, "warden: watch the sandbox's output");
	}
	return 0;
}

int output_redirect(struct warden *w, const int to[WARDEN_STREAMS], struct err *e)
{
	struct nowait out[WARDEN_STREAMS];

	for (unsigned int i = 0; i < WARDEN_STREAMS; i++) {
		if (!w->streams[i] || w->streams[i]->from < 0)
			return err_msg(e, EINVAL, "warden: it passes no output on");
		if (nowait_init(&out[i], to[i], e) < 0)
			return -e->code;
	}
	for (unsigned int i = 0; i < WARDEN_STREAMS; i++) {
		struct stream *s = w->streams[i];

		(void)watch_end(w, i, true, false);
		own_close(&s->to);
		s->to = to[i];
		s->out = out[i];
	}
	return 0;
}

void output_close(struct warden *w)
{
	for (unsigned int i = 0; i < WARDEN_STREAMS; i++)
		if (w->streams[i])
			done_with(w, i);
}

/* 1: it is all written; 0: not yet, or nobody reads any more. */
static int flush(struct warden *w, unsigned int i)
{
	struct stream *s = w->streams[i];

	while (s->at < s->len) {
		ssize_t n = nowait_write(&s->out, s->buf + s->at, s->len - s->at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && watch_end(w, i, true, true)) {
			(void)watch_end(w, i, false, false);
			return 0;
		}
		if (n < 0) {
			/* The reader has gone: the writer gets SIGPIPE, as without a limit. */
			done_with(w, i);
			return 0;
		}
		s->at += (size_t)n;
		w->end.passed += (uint64_t)n;
		if (w->gone)
			clocks_set(&w->clocks, DUE_DRAIN, DRAIN_NS);
	}
	s->at = s->len = 0;
	(void)watch_end(w, i, true, false);
	return 1;
}

/*
 * Up to what the limit leaves, and one byte that is too much.  With it: the writer may have made
 * the pipe one of packets (O_DIRECT), and what is not read of a packet is lost (pipe(2)).
 */
static ssize_t take(struct warden *w, struct stream *s)
{
	uint64_t left = w->plan.output - w->taken;
	ssize_t n;

	do
		n = read(s->from, s->buf, left < CHUNK ? (size_t)left + 1 : CHUNK);
	while (n < 0 && errno == EINTR);
	w->full = n > 0 && (uint64_t)n > left;
	s->len = w->full ? (size_t)left : n > 0 ? (size_t)n : 0;
	w->taken += s->len;
	return n;
}

/* Nothing more is taken; what has been is still passed on. */
static void over_the_limit(struct warden *w)
{
	w->end.output = w->plan.output;
	/* First, so that it is not the SIGPIPE that ends its processes. */
	warden_limit(w, "output", false);
	for (unsigned int i = 0; i < WARDEN_STREAMS; i++) {
		struct stream *s = w->streams[i];

		if (!s || s->from < 0)
			continue;
		if (s->at < s->len)
			(void)watch_end(w, i, false, false);
		else
			done_with(w, i);
	}
}

static void pump(struct warden *w, unsigned int i)
{
	struct stream *s = w->streams[i];

	for (int n = 0; n < ROUNDS && s->from >= 0; n++) {
		if (!flush(w, i))
			return;
		if (w->full) {
			done_with(w, i);
			return;
		}
		ssize_t got = take(w, s);
		if (w->full) {
			over_the_limit(w);
			if (s->from >= 0 && flush(w, i))
				done_with(w, i);
			return;
		}
		/* Nothing now; and nothing any more when those who could write have ended. */
		if (got < 0 && errno == EAGAIN && !w->gone) {
			(void)watch_end(w, i, false, true);
			return;
		}
		if (got <= 0) {
			done_with(w, i);
			return;
		}
	}
	if (s->from >= 0 && s->at == s->len)
		(void)watch_end(w, i, false, true);
}

void output_work(struct warden *w, unsigned int i)
{
	if (w->streams[i]->from >= 0)
		pump(w, i);
}

bool output_drained(struct warden *w)
{
	bool drained = true;

	for (unsigned int i = 0; i < WARDEN_STREAMS; i++) {
		if (!w->streams[i])
			continue;
		output_work(w, i);
		drained = drained && w->streams[i]->from < 0;
	}
	if (!drained && !w->clocks.due[DUE_DRAIN])
		clocks_set(&w->clocks, DUE_DRAIN, DRAIN_NS);
	return drained;
}
