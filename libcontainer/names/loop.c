/* Opening, closing, and what is pending: the only file that waits for nothing but a glance. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "names/internal.h"

enum { EVENTS = 32, DATAGRAMS = 32, INDEX_BITS = 24 };

static uint64_t tag(enum watched what, size_t index, uint32_t generation)
{
	return (uint64_t)what << 56 | (uint64_t)index << 32 | generation;
}

static int watch(struct names *n, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = {.events = events, .data.u64 = data};

	return epoll_ctl(n->epoll, op, fd, &ev) < 0 ? -errno : 0;
}

int watch_add(struct names *n, int fd, uint32_t events, enum watched what, size_t index,
	      uint32_t generation)
{
	return watch(n, EPOLL_CTL_ADD, fd, events, tag(what, index, generation));
}

int watch_change(struct names *n, int fd, uint32_t events, enum watched what, size_t index,
		 uint32_t generation)
{
	return watch(n, EPOLL_CTL_MOD, fd, events, tag(what, index, generation));
}

/* --- opening ------------------------------------------------------------------------------ */

static struct names *allocate(struct arena *a, const struct names_config *c,
			      const struct names_host *h, uint64_t key)
{
	struct names *n = arena_new(a, sizeof(*n));

	n->policy = c->policy;
	n->host = *h;
	n->packet_mark = c->packet_mark;
	n->pin = c->pin;
	n->udp = n->tcp = n->epoll = n->timer = -1;
	n->now = clock_monotonic_ms();
	n->next_sweep = n->now + SWEEP_MS;
	n->match = match_new(a);
	n->learned = learned_new(a, n->match, h);
	n->quota = quota_new(a, key);
	n->cache = cache_new(a, ~key);
	n->queries = bucket_new(QUERIES_PER_SECOND, n->now);
	n->asking = bucket_new(ASKS_PER_SECOND, n->now);
	while (n->n_resolvers < MAX_RESOLVERS && n->n_resolvers < c->policy->n_resolvers) {
		n->resolvers[n->n_resolvers] = c->policy->resolvers[n->n_resolvers];
		n->n_resolvers++;
	}
	uint8_t *streams = arena_array(a, MAX_UNDER_WAY, 2 + DNS_STREAM);
	while (n->n_spare < MAX_UNDER_WAY) {
		n->spare[n->n_spare] = streams + n->n_spare * (2 + DNS_STREAM);
		n->n_spare++;
	}
	return n;
}

static void drop_grant(void *ctx, const struct egress_grant *g)
{
	struct names *n = ctx;

	learned_drop(n->learned, g, n->now);
	cache_clear(n->cache); /* also of a grant that has no addresses, but answers */
}

int names_open(struct arena *a, const struct names_config *c, const struct names_host *h,
	       struct names **out, struct err *e)
{
	own_fd int epoll = epoll_create1(EPOLL_CLOEXEC);
	own_fd int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct sockaddr_in at = {.sin_port = 0};
	socklen_t len = sizeof(at);
	uint64_t key;

	if (epoll < 0 || timer < 0)
		return err_set(e, errno, "name service");
	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return err_set(e, errno, "name service: random number");
	if (getsockname(c->udp, (struct sockaddr *)&at, &len) < 0)
		return err_set(e, errno, "name service: its address");
	struct names *n = allocate(a, c, h, key);
	n->address = at.sin_addr;
	n->epoll = epoll;
	if (watch_add(n, timer, EPOLLIN, WATCH_TIMER, 0, 0) < 0 ||
	    watch_add(n, c->udp, EPOLLIN, WATCH_UDP, 0, 0) < 0 ||
	    watch_add(n, c->tcp, EPOLLIN, WATCH_TCP, 0, 0) < 0)
		return err_set(e, errno, "name service: watch sockets");
	n->epoll = take_fd(&epoll);
	n->timer = take_fd(&timer);
	n->udp = c->udp;
	n->tcp = c->tcp;
	match_set(n->match, c->policy, n->now, drop_grant, n);
	n->next_grant_end = match_expire(n->match, n->now, drop_grant, n);
	*out = n;
	return 0;
}

void names_close(struct names *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->top_ask; i++)
		own_close(&n->asks[i].fd);
	for (size_t i = 0; i < n->top_stream; i++)
		own_close(&n->streams[i].fd);
	own_close(&n->udp);
	own_close(&n->tcp);
	own_close(&n->timer);
	own_close(&n->epoll);
}

int names_fd(const struct names *n)
{
	return n->epoll;
}

void names_policy(struct names *n, const struct egress_policy *p)
{
	n->now = clock_monotonic_ms();
	n->policy = p;
	match_set(n->match, p, n->now, drop_grant, n);
	n->next_grant_end = match_expire(n->match, n->now, drop_grant, n);
	/* Others may have come for a name that is kept, and what is never reached may have changed.
	 */
	cache_clear(n->cache);
}

void names_renew(struct names *n, uint32_t id)
{
	n->now = clock_monotonic_ms();
	match_renew(n->match, id, n->now);
	n->next_grant_end = match_expire(n->match, n->now, drop_grant, n);
}

const char *names_of_address(const struct names *n, const struct egress_address *a)
{
	return learned_name(n->learned, a);
}

/* --- working ------------------------------------------------------------------------------ */

/* More than anybody needs: nothing is read until there is something in the bucket again. */
static int pause_reading(struct names *n, bool pause)
{
	uint32_t events = pause ? 0 : EPOLLIN;

	if (n->paused == pause)
		return 0;
	n->paused = pause;
	int ret = watch_change(n, n->udp, events, WATCH_UDP, 0, 0);
	return ret ? ret : watch_change(n, n->tcp, events, WATCH_TCP, 0, 0);
}

static void read_clients(struct names *n)
{
	struct client c = {.tcp = false};

	for (int i = 0; i < DATAGRAMS; i++) {
		socklen_t len = sizeof(c.from);

		if (!bucket_take(&n->queries, n->now)) {
			n->spent = true;
			return;
		}
		ssize_t got = recvfrom(n->udp, n->buffer, sizeof(n->buffer),
				       MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&c.from, &len);
		if (got < 0 || len != sizeof(c.from))
			return;
		if ((size_t)got <= sizeof(n->buffer))
			serve_query(n, n->buffer, (size_t)got, &c);
	}
}

static void handle(struct names *n, const struct epoll_event *ev)
{
	size_t index = ev->data.u64 >> 32 & ((1U << INDEX_BITS) - 1);
	uint32_t generation = (uint32_t)ev->data.u64;
	uint64_t expirations;

	switch ((enum watched)(ev->data.u64 >> 56)) {
	case WATCH_UDP:
		read_clients(n);
		break;
	case WATCH_TCP:
		if (bucket_take(&n->queries, n->now))
			stream_accept(n);
		else
			n->spent = true;
		break;
	case WATCH_TIMER: /* its number does not matter: what is due shows below */
		(void)!read(n->timer, &expirations, sizeof(expirations));
		break;
	case WATCH_ASK:
		if (n->asks[index].generation == generation)
			ask_event(n, &n->asks[index], ev->events);
		break;
	case WATCH_STREAM:
		if (n->streams[index].fd >= 0 && n->streams[index].generation == generation)
			stream_event(n, &n->streams[index], ev->events);
		break;
	}
}

static void timers(struct names *n)
{
	ask_timers(n);
	stream_timers(n);
	if (n->next_sweep <= n->now) {
		learned_sweep(n->learned, n->now);
		n->next_sweep = n->now + SWEEP_MS;
	}
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* One timer for all: a sandbox that asks for nothing wakes nobody but once a minute. */
static int set_timer(struct names *n)
{
	int64_t next = n->next_sweep;

	if (n->next_grant_end)
		next = sooner(next, n->next_grant_end);
	if (n->paused)
		next = sooner(next, n->now + bucket_wait(&n->queries));
	if (ask_due(n))
		next = sooner(next, n->now + bucket_wait(&n->asking));
	for (size_t i = 0; ask_any(n) && i < n->top_ask; i++)
		if (n->asks[i].state != ASK_FREE)
			next = sooner(next, n->asks[i].deadline);
	for (size_t i = 0; i < n->top_stream; i++)
		if (n->streams[i].fd >= 0 && (!n->streams[i].pending || n->streams[i].out_len))
			next = sooner(next, n->streams[i].deadline);
	const struct itimerspec at = {
		.it_value = {.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000}
        };
	return timerfd_settime(n->timer, TFD_TIMER_ABSTIME, &at, NULL) < 0 ? -errno : 0;
}

int names_work(struct names *n, struct err *e)
{
	struct epoll_event ev[EVENTS];
	int got = epoll_wait(n->epoll, ev, EVENTS, 0);

	if (got < 0 && errno != EINTR)
		return err_set(e, errno, "name service: wait");
	n->now = clock_monotonic_ms();
	n->spent = false;
	/* Before anything is answered by it. */
	if (n->next_grant_end && n->next_grant_end <= n->now)
		n->next_grant_end = match_expire(n->match, n->now, drop_grant, n);
	for (int i = 0; i < got; i++)
		handle(n, &ev[i]);
	timers(n);
	int ret = pause_reading(n, n->spent);
	if (!ret)
		ret = set_timer(n);
	return ret ? err_set(e, -ret, "name service: timer") : 0;
}
