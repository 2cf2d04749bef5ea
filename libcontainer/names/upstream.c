/*
 * Queries of our own to the resolvers: a socket, hence a source port, and a random id for each try,
 * a name that is granted, and nothing of what the client has sent beside it.
 */
#include <arpa/nameser.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "names/internal.h"

enum { PORT = 53, LENGTH = 2, DATAGRAMS = 8 };

static void close_socket(struct ask *a)
{
	own_close(&a->fd); /* leaves the epoll with it */
	a->generation++;   /* events of it that were fetched already are nobody's */
}

static void end_ask(struct names *n, struct ask *a, const struct dns_answer *answer)
{
	close_socket(a);
	serve_asked(n, a, answer);
	if (a->state == ASK_QUEUED)
		n->n_queued--;
	else
		n->spare[n->n_spare++] = a->stream;
	a->stream = NULL;
	a->state = ASK_FREE;
}

bool ask_any(const struct names *n)
{
	return n->n_queued || n->n_spare < MAX_UNDER_WAY;
}

bool ask_due(const struct names *n)
{
	return n->n_queued && n->n_spare;
}

struct ask *ask_same(struct names *n, const char *name, uint16_t type)
{
	if (!ask_any(n))
		return NULL;
	for (struct ask *a = n->asks; a < n->asks + n->top_ask; a++)
		if (a->state != ASK_FREE && a->type == type && strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

struct ask *ask_start(struct names *n, const char *name, uint16_t type)
{
	struct ask *a = n->asks;

	while (a < n->asks + n->top_ask && a->state != ASK_FREE)
		a++;
	if (a == n->asks + MAX_ASKS)
		return NULL;
	if (a == n->asks + n->top_ask) {
		n->top_ask++;
		a->fd = -1;
	}
	a->type = type;
	a->waiters = NO_INDEX;
	a->hops = a->attempt = 0;
	a->ttl = INT32_MAX;
	memcpy(a->name, name, strlen(name) + 1);
	memcpy(a->target, name, strlen(name) + 1);
	return a;
}

/* Of the ask's own counting: another one may have found a better one meanwhile. */
static unsigned int resolver_of(const struct names *n, const struct ask *a)
{
	return (a->first + a->attempt) % n->n_resolvers;
}

/* A socket that is connected to the resolver, or on its way to be. */
static int connected(const struct names *n, const struct egress_address *to, int type)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	own_fd int fd = socket(to->family == 4 ? AF_INET : AF_INET6,
			       type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (n->packet_mark &&
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &n->packet_mark, sizeof(n->packet_mark)) < 0)
		return -errno;
	memcpy(&four.sin_addr, to->bytes, 4);
	memcpy(&six.sin6_addr, to->bytes, 16);
	int ret = to->family == 4 ? connect(fd, (struct sockaddr *)&four, sizeof(four))
				  : connect(fd, (struct sockaddr *)&six, sizeof(six));
	if (ret < 0 && errno != EINPROGRESS)
		return -errno;
	return take_fd(&fd);
}

static size_t index_of(const struct names *n, const struct ask *a)
{
	return (size_t)(a - n->asks);
}

static int open_try(struct names *n, struct ask *a, int type, uint32_t events)
{
	close_socket(a);
	a->forged = 0;
	a->done = 0;
	a->deadline = n->now + TRY_MS < a->until ? n->now + TRY_MS : a->until;
	/* Predictable ids are how answers are forged: without a random one nothing is asked. */
	if (getrandom(&a->id, sizeof(a->id), GRND_NONBLOCK) != sizeof(a->id))
		return -EIO;
	a->fd = connected(n, &n->resolvers[resolver_of(n, a)], type);
	if (a->fd < 0)
		return a->fd;
	return watch_add(n, a->fd, events, WATCH_ASK, index_of(n, a), a->generation);
}

static int try_udp(struct names *n, struct ask *a)
{
	uint8_t msg[DNS_UDP_PLAIN];
	int ret = open_try(n, a, SOCK_DGRAM, EPOLLIN);

	if (ret < 0)
		return ret;
	a->state = ASK_UDP;
	size_t len = dns_ask_build(msg, sizeof(msg), a->id, a->target, a->type);
	return send(a->fd, msg, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EIO;
}

/* The same resolver again, where there is room for all of it. */
static int try_tcp(struct names *n, struct ask *a)
{
	int ret = open_try(n, a, SOCK_STREAM, EPOLLOUT);

	if (ret < 0)
		return ret;
	a->state = ASK_CONNECTING;
	return 0;
}

/* The next resolver that can be sent to, round after round; the end when there is none. */
static void next_try(struct names *n, struct ask *a)
{
	while (++a->attempt < ROUNDS * n->n_resolvers && n->now < a->until)
		if (try_udp(n, a) == 0)
			return;
	end_ask(n, a, NULL);
}

static void send_first(struct names *n, struct ask *a)
{
	a->first = n->preferred;
	if (!n->n_resolvers)
		end_ask(n, a, NULL);
	else if (try_udp(n, a) < 0)
		next_try(n, a);
}

/* --- the queue ---------------------------------------------------------------------------- */

static struct ask *next_of_queue(struct names *n)
{
	struct ask *next = NULL;

	for (struct ask *a = n->asks; a < n->asks + n->top_ask; a++)
		if (a->state == ASK_QUEUED && (!next || a->turn < next->turn))
			next = a;
	return next;
}

static void begin_queued(struct names *n)
{
	while (ask_due(n) && bucket_take(&n->asking, n->now)) {
		struct ask *a = next_of_queue(n);

		n->n_queued--;
		a->stream = n->spare[--n->n_spare];
		a->state = ASK_UDP;
		a->until = n->now + ASK_MS;
		send_first(n, a);
	}
}

void ask_send(struct names *n, struct ask *a)
{
	a->state = ASK_QUEUED;
	a->turn = ++n->turn;
	a->deadline = n->now + QUEUED_MS;
	n->n_queued++;
	begin_queued(n);
}

/* --- what comes back ---------------------------------------------------------------------- */

static void follow(struct names *n, struct ask *a, const struct dns_answer *answer)
{
	memcpy(a->target, answer->last, sizeof(a->target));
	a->attempt = 0;
	if (n->now >= a->until)
		end_ask(n, a, NULL);
	else
		send_first(n, a);
}

static void take_answer(struct names *n, struct ask *a, struct dns_answer *answer)
{
	if (answer->truncated && a->state == ASK_UDP) {
		if (try_tcp(n, a) < 0)
			next_try(n, a);
		return;
	}
	a->hops += answer->hops;
	if (answer->truncated || a->hops > DNS_CHAIN ||
	    (answer->rcode != ns_r_noerror && answer->rcode != ns_r_nxdomain)) {
		a->hops -= answer->hops;
		next_try(n, a);
		return;
	}
	n->preferred = resolver_of(n, a);
	answer->ttl = answer->ttl < a->ttl ? answer->ttl : a->ttl;
	a->ttl = answer->ttl;
	if (answer->open)
		follow(n, a, answer);
	else
		end_ask(n, a, answer);
}

static void read_udp(struct names *n, struct ask *a)
{
	struct dns_answer answer;

	for (int i = 0; i < DATAGRAMS; i++) {
		ssize_t got = recv(a->fd, n->buffer, sizeof(n->buffer), MSG_TRUNC);
		int ret = -EPROTO;

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got >= 0 && (size_t)got <= sizeof(n->buffer))
			ret = dns_answer_parse(n->buffer, (size_t)got, a->id, a->target, a->type,
					       &answer);
		if (ret == -EBADMSG && ++a->forged < MAX_FORGED)
			continue;
		if (ret) /* refused by its host, unreadable, or somebody is guessing */
			next_try(n, a);
		else
			take_answer(n, a, &answer);
		return;
	}
}

static int write_stream(struct names *n, struct ask *a)
{
	uint8_t msg[LENGTH + DNS_UDP_PLAIN];
	size_t len = dns_ask_build(msg + LENGTH, sizeof(msg) - LENGTH, a->id, a->target, a->type);

	msg[0] = (uint8_t)(len >> 8);
	msg[1] = (uint8_t)len;
	len += LENGTH;
	ssize_t put = send(a->fd, msg + a->done, len - a->done, MSG_NOSIGNAL);
	if (put < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	a->done += (size_t)put;
	if (a->done < len)
		return 0;
	a->done = 0;
	a->state = ASK_READING;
	return watch_change(n, a->fd, EPOLLIN, WATCH_ASK, index_of(n, a), a->generation);
}

static size_t length_of(const uint8_t *p)
{
	return (size_t)(p[0] << 8 | p[1]);
}

/* 1: the whole message is there. */
static int read_stream(struct ask *a)
{
	size_t want = a->done < LENGTH ? LENGTH : LENGTH + length_of(a->stream);
	ssize_t got = recv(a->fd, a->stream + a->done, want - a->done, 0);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!got)
		return -EPIPE;
	a->done += (size_t)got;
	if (a->done < LENGTH)
		return 0;
	size_t len = length_of(a->stream);
	if (!len || len > DNS_STREAM)
		return -EPROTO;
	return a->done == LENGTH + len;
}

static void read_tcp(struct names *n, struct ask *a)
{
	struct dns_answer answer;
	int ret = read_stream(a);

	if (!ret)
		return;
	if (ret > 0)
		ret = dns_answer_parse(a->stream + LENGTH, a->done - LENGTH, a->id, a->target,
				       a->type, &answer);
	if (ret)
		next_try(n, a);
	else
		take_answer(n, a, &answer);
}

void ask_event(struct names *n, struct ask *a, uint32_t events)
{
	switch (a->state) {
	case ASK_UDP:
		read_udp(n, a);
		break;
	case ASK_CONNECTING:
		a->state = ASK_WRITING;
		__attribute__((fallthrough)); /* whether it is connected shows when writing */
	case ASK_WRITING:
		if (events & (EPOLLERR | EPOLLHUP) || write_stream(n, a) < 0)
			next_try(n, a);
		break;
	case ASK_READING:
		read_tcp(n, a);
		break;
	case ASK_FREE:
	case ASK_QUEUED:
		break;
	}
}

void ask_timers(struct names *n)
{
	if (!ask_any(n))
		return;
	for (struct ask *a = n->asks; a < n->asks + n->top_ask; a++)
		if (a->state == ASK_QUEUED && a->deadline <= n->now)
			end_ask(n, a, NULL);
		else if (a->state != ASK_FREE && a->deadline <= n->now)
			next_try(n, a);
	begin_queued(n);
}
