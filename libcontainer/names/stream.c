/* Clients over TCP: a length and a query, one at a time. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/own.h"
#include "names/internal.h"

enum { LENGTH = 2 };

static size_t index_of(const struct names *n, const struct stream *s)
{
	return (size_t)(s - n->streams);
}

static void end_stream(struct stream *s)
{
	own_close(&s->fd);
	s->generation++; /* what is asked for it is answered to nobody */
}

static int watch(struct names *n, struct stream *s, uint32_t events)
{
	return watch_change(n, s->fd, events, WATCH_STREAM, index_of(n, s), s->generation);
}

/* A free place, or that of the client that is idle for longest. */
static struct stream *place(struct names *n)
{
	struct stream *idle = NULL, *top = n->streams + n->top_stream;

	for (struct stream *s = n->streams; s < top; s++) {
		if (s->fd < 0)
			return s;
		if (!s->pending && (!idle || s->since < idle->since))
			idle = s;
	}
	if (n->top_stream < MAX_STREAMS) {
		n->top_stream++;
		top->fd = -1;
		return top;
	}
	if (idle)
		end_stream(idle);
	return idle;
}

static void idle_from(struct stream *s, int64_t now)
{
	s->pending = false;
	s->have = s->out_len = s->out_done = 0;
	s->since = now;
	s->deadline = now + STREAM_IDLE_MS;
}

void stream_accept(struct names *n)
{
	own_fd int fd = accept4(n->tcp, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct stream *s = fd < 0 ? NULL : place(n);

	if (!s || watch_add(n, fd, EPOLLIN, WATCH_STREAM, index_of(n, s), s->generation) < 0)
		return;
	s->fd = take_fd(&fd);
	idle_from(s, n->now);
}

static void flush(struct names *n, struct stream *s)
{
	ssize_t put = send(s->fd, s->out + s->out_done, s->out_len - s->out_done, MSG_NOSIGNAL);

	if (put < 0 && errno != EAGAIN && errno != EINTR) {
		end_stream(s);
		return;
	}
	s->out_done += put > 0 ? (size_t)put : 0;
	bool all = s->out_done == s->out_len;
	if (all)
		idle_from(s, n->now);
	if (watch(n, s, all ? EPOLLIN : EPOLLOUT) < 0)
		end_stream(s);
}

static struct stream *of_client(struct names *n, const struct client *c)
{
	struct stream *s = &n->streams[c->stream];

	return s->fd >= 0 && s->generation == c->generation ? s : NULL;
}

void stream_reply(struct names *n, const struct client *c, const uint8_t *msg, size_t len)
{
	struct stream *s = of_client(n, c);

	if (!s)
		return;
	s->out[0] = (uint8_t)(len >> 8);
	s->out[1] = (uint8_t)len;
	memcpy(s->out + LENGTH, msg, len);
	s->out_len = LENGTH + len;
	s->out_done = 0;
	s->deadline = n->now + STREAM_IDLE_MS;
	flush(n, s);
}

void stream_drop(struct names *n, const struct client *c)
{
	struct stream *s = of_client(n, c);

	if (s)
		end_stream(s);
}

static size_t length_of(const uint8_t *p)
{
	return (size_t)(p[0] << 8 | p[1]);
}

static int read_part(struct stream *s)
{
	size_t want = s->have < LENGTH ? LENGTH : LENGTH + length_of(s->in);
	ssize_t got = recv(s->fd, s->in + s->have, want - s->have, 0);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!got)
		return -EPIPE;
	s->have += (size_t)got;
	if (s->have < LENGTH)
		return 0;
	size_t len = length_of(s->in);
	if (!len || len > DNS_MESSAGE)
		return -EPROTO;
	return s->have == LENGTH + len;
}

/* Reads no byte beyond the query: the next one waits in the kernel.  1: it is there. */
static int read_query(struct stream *s)
{
	int ret = read_part(s);

	return ret == 0 && s->have == LENGTH ? read_part(s) : ret;
}

void stream_event(struct names *n, struct stream *s, uint32_t events)
{
	if (s->out_len) {
		flush(n, s);
		return;
	}
	/* Gone while its query is asked for: hang-ups are told whether wanted or not. */
	if (s->pending) {
		if (events & (EPOLLHUP | EPOLLERR))
			end_stream(s);
		return;
	}
	/* Each time, so that a query byte by byte costs what as many queries do. */
	int ret = bucket_take(&n->queries, n->now) ? read_query(s) : -EBUSY;
	if (ret < 0)
		end_stream(s);
	if (ret <= 0)
		return;
	const struct client c = {
		.tcp = true, .stream = (uint16_t)index_of(n, s), .generation = s->generation};
	s->pending = true;
	if (watch(n, s, 0) < 0)
		end_stream(s);
	else
		serve_query(n, s->in + LENGTH, s->have - LENGTH, &c);
}

void stream_timers(struct names *n)
{
	for (struct stream *s = n->streams; s < n->streams + n->top_stream; s++)
		if (s->fd >= 0 && (!s->pending || s->out_len) && s->deadline <= n->now)
			end_stream(s);
}
