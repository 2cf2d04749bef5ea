#ifndef BRIG_TESTS_NAMES_FIXTURE_H
#define BRIG_TESTS_NAMES_FIXTURE_H

/*
 * A network namespace with a loopback, a name service in it, a client, and upstream servers in a
 * thread that answer each name as its script says.
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/own.h"
#include "check.h"
#include "names/names.h"
#include "names_packet.h"

/* --- the upstream servers ------------------------------------------------------------------ */

/* What a script is told of a query, and what it does. */
struct upstream_query {
	char name[300];
	unsigned int type;
	uint16_t id;
	bool tcp;
	int server; /* 0, 1: which of the two */
	struct sockaddr_in from;
	unsigned int count;  /* of this name and type, 1 is the first */
	struct packet *send; /* as many as it likes, send_n is counted up */
	int send_n;
};
typedef void (*script)(struct upstream_query *q);
struct scripted {
	const char *name; /* or, with a leading dot, what it ends in */
	script run;
};
extern const struct scripted scripts[];

/* An answer is begun with the query's own question. */
static inline struct packet *answer(struct upstream_query *q, int rcode)
{
	struct packet *p = &q->send[q->send_n++];

	begin(p, q->id, 0x8180U | (unsigned int)rcode, 1);
	add_question(p, q->name, q->type, ns_c_in);
	return p;
}

enum { MAX_SEEN = 8192 };
static struct {
	pthread_mutex_t lock;
	int fds[4]; /* udp 0, udp 1, tcp 0, tcp 1 */
	struct seen {
		char name[300];
		unsigned int type;
		uint16_t id, port;
		bool tcp, exact; /* exact: bytes were those a query of ours has to have */
		int server;
	} seen[MAX_SEEN];
	size_t n_seen;
	struct packet out[32];
} upstream = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline unsigned int times_asked(const char *name)
{
	unsigned int n = 0;

	pthread_mutex_lock(&upstream.lock);
	for (size_t i = 0; i < upstream.n_seen; i++)
		n += strcmp(upstream.seen[i].name, name) == 0;
	pthread_mutex_unlock(&upstream.lock);
	return n;
}
static inline size_t all_asked(void)
{
	pthread_mutex_lock(&upstream.lock);
	size_t n = upstream.n_seen;
	pthread_mutex_unlock(&upstream.lock);
	return n;
}

/* What a query upstream has to be, byte for byte but its id. */
static inline bool is_ours(const uint8_t *msg, size_t len, const char *name, unsigned int type)
{
	struct packet want;

	begin(&want, (uint16_t)at16(msg), 0x0100, 1);
	add_question(&want, name, type, ns_c_in);
	count_up(&want, 10);
	add(&want, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
	return want.len == len && memcmp(want.bytes, msg, len) == 0;
}

static inline void run_script(const uint8_t *msg, size_t len, bool tcp, int server,
			      const struct sockaddr_in *from, struct upstream_query *q)
{
	size_t out = 0, at = 12;

	*q = (struct upstream_query){
		.tcp = tcp, .server = server, .from = *from, .send = upstream.out};
	while (at < len && msg[at] && out + msg[at] + 2 < sizeof(q->name)) {
		if (out)
			q->name[out++] = '.';
		memcpy(q->name + out, msg + at + 1, msg[at]);
		out += msg[at];
		at += msg[at] + 1U;
	}
	q->id = (uint16_t)at16(msg);
	q->type = at16(msg + at + 1);
	pthread_mutex_lock(&upstream.lock);
	for (size_t i = 0; i < upstream.n_seen; i++)
		q->count += upstream.seen[i].type == q->type &&
			    strcmp(upstream.seen[i].name, q->name) == 0;
	q->count++;
	struct seen *s = &upstream.seen[upstream.n_seen % MAX_SEEN];
	upstream.n_seen += upstream.n_seen < MAX_SEEN - 1;
	*s = (struct seen){.type = q->type,
			   .id = q->id,
			   .port = from->sin_port,
			   .tcp = tcp,
			   .exact = is_ours(msg, len, q->name, q->type),
			   .server = server};
	memcpy(s->name, q->name, sizeof(s->name));
	pthread_mutex_unlock(&upstream.lock);
	for (const struct scripted *row = scripts; row->name; row++) {
		size_t n = strlen(row->name), m = strlen(q->name);

		if (row->name[0] == '.' ? m > n && strcmp(q->name + m - n, row->name) == 0
					: strcmp(q->name, row->name) == 0) {
			row->run(q);
			return;
		}
	}
	answer(q, ns_r_nxdomain);
}

static inline void serve_udp(int fd, int server)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	uint8_t msg[1024];
	struct upstream_query q;
	ssize_t n = recvfrom(fd, msg, sizeof(msg), 0, (struct sockaddr *)&from, &size);

	if (n < 17)
		return;
	run_script(msg, (size_t)n, false, server, &from, &q);
	for (int i = 0; i < q.send_n; i++)
		(void)!sendto(fd, q.send[i].bytes, q.send[i].len, 0, (struct sockaddr *)&from,
			      size);
}

static inline void serve_tcp(int listener, int server)
{
	own_fd int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct timeval tv = {.tv_sec = 1};
	struct sockaddr_in from = {.sin_port = 0};
	uint8_t msg[1024];
	struct upstream_query q;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (recv(fd, msg, 2, MSG_WAITALL) != 2 || at16(msg) > sizeof(msg))
		return;
	size_t n = at16(msg);
	if (recv(fd, msg, n, MSG_WAITALL) != (ssize_t)n || n < 17)
		return;
	run_script(msg, n, true, server, &from, &q);
	for (int i = 0; i < q.send_n; i++) {
		uint8_t head[2] = {(uint8_t)(q.send[i].len >> 8), (uint8_t)q.send[i].len};

		(void)!send(fd, head, 2, MSG_NOSIGNAL);
		/* in two parts, so that reading has to put them together */
		(void)!send(fd, q.send[i].bytes, 5, MSG_NOSIGNAL);
		usleep(2000);
		(void)!send(fd, q.send[i].bytes + 5, q.send[i].len - 5, MSG_NOSIGNAL);
	}
	if (!q.send_n)
		usleep(100000);
}

static inline void *serve(void *unused)
{
	(void)unused;
	for (;;) {
		struct pollfd p[4];

		for (int i = 0; i < 4; i++)
			p[i] = (struct pollfd){upstream.fds[i], POLLIN, 0};
		if (poll(p, 4, -1) < 0)
			continue;
		for (int i = 0; i < 4; i++)
			if (p[i].revents & POLLIN && i < 2)
				serve_udp(upstream.fds[i], i);
			else if (p[i].revents & POLLIN)
				serve_tcp(upstream.fds[i], i - 2);
	}
	return NULL;
}

/* --- the name service ---------------------------------------------------------------------- */

static inline int bound(int type, const char *address, int port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	inet_pton(AF_INET, address, &sa.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_IP, IP_FREEBIND, &one, sizeof(one)); /* as its sockets are made */
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    (!(type & SOCK_DGRAM) && (type & 0xf) == SOCK_STREAM && listen(fd, 64) < 0)) {
		perror(address);
		exit(1);
	}
	return fd;
}

/* Without a single address, and so without a table of local ones. */
static inline void enter_empty_netns(void)
{
	if (unshare(CLONE_NEWNET) < 0) {
		perror("unshare");
		exit(1);
	}
}

static inline void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	own_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0) {
		perror("lo");
		exit(1);
	}
}

static inline void enter_netns(void)
{
	enter_empty_netns();
	loopback_up();
}

static inline void start_upstream(void)
{
	pthread_t t;

	upstream.fds[0] = bound(SOCK_DGRAM, "127.0.0.10", 53);
	upstream.fds[1] = bound(SOCK_DGRAM, "127.0.0.11", 53);
	upstream.fds[2] = bound(SOCK_STREAM, "127.0.0.10", 53);
	upstream.fds[3] = bound(SOCK_STREAM, "127.0.0.11", 53);
	if (pthread_create(&t, NULL, serve, NULL) != 0)
		exit(1);
}

/* What was asked of the process: the elements that the kernel would have. */
enum { MAX_ELEMENTS = 20000 };
struct element {
	struct egress_address address;
	uint8_t proto;
	uint16_t port;
	uint32_t id;
	uint64_t timeout_ms;
};
static struct {
	struct element elements[MAX_ELEMENTS];
	size_t n;
	unsigned int learns, forgets, collisions;
	int client;         /* who waits for the answer */
	unsigned int early; /* answers that were there before the rules were open */
	int fail;           /* errno that the next ones fail with */
	unsigned int verdicts[NAMES_VERDICTS];
	char last_name[300];
	enum names_verdict last;
	size_t last_addresses;
	uint32_t last_grant;
	bool last_tcp;
} told;

static inline struct element *element_of(const struct egress_address *a, uint8_t proto,
					 uint16_t port)
{
	for (size_t i = 0; i < told.n; i++)
		if (told.elements[i].proto == proto && told.elements[i].port == port &&
		    told.elements[i].address.family == a->family &&
		    memcmp(told.elements[i].address.bytes, a->bytes, 16) == 0)
			return &told.elements[i];
	return NULL;
}
/* The kernel's rule: an element never changes its id. */
static inline void learn_element(const struct egress_grant *g, const struct egress_address *a,
				 uint16_t port, uint64_t timeout_ms)
{
	struct element *x = element_of(a, g->proto, port);

	if (x && x->id != g->id) {
		told.collisions++;
		return;
	}
	if (!x)
		x = &told.elements[told.n++];
	*x = (struct element){*a, g->proto, port, g->id, timeout_ms};
}
static inline int on_learn(void *ctx, const struct egress_grant *g,
			   const struct egress_address *addresses, size_t n, uint64_t timeout_ms,
			   struct err *e)
{
	char c;

	(void)ctx;
	told.learns++;
	told.early += told.client > 0 && recv(told.client, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
	if (told.fail)
		return err_set(e, told.fail, "test");
	for (size_t i = 0; i < n; i++) {
		for (size_t p = 0; p < g->n_ports; p++)
			learn_element(g, &addresses[i], g->ports[p].first, timeout_ms);
		if (!g->n_ports)
			learn_element(g, &addresses[i], 0, timeout_ms);
	}
	return 0;
}
static inline int on_forget(void *ctx, const struct egress_grant *g,
			    const struct egress_address *addresses, size_t n, struct err *e)
{
	(void)ctx;
	(void)e;
	told.forgets++;
	for (size_t i = 0; i < n; i++)
		for (size_t p = 0; p < (g->n_ports ? g->n_ports : 1); p++) {
			struct element *x = element_of(&addresses[i], g->proto,
						       g->n_ports ? g->ports[p].first : 0);

			if (!x || x->id != g->id)
				told.collisions++;
			else
				*x = told.elements[--told.n];
		}
	return 0;
}
static inline void on_decided(void *ctx, const struct names_decision *d)
{
	(void)ctx;
	told.verdicts[d->verdict]++;
	told.last = d->verdict;
	told.last_addresses = d->n_addresses;
	told.last_grant = d->grant ? d->grant->id : 0;
	told.last_tcp = d->tcp;
	snprintf(told.last_name, sizeof(told.last_name), "%s", d->name);
}
static const struct names_host test_host = {
	.learn = on_learn, .forget = on_forget, .decided = on_decided};

static struct arena arena;
static struct err err;
static struct names *service;
static struct egress_policy policy;
static struct egress_grant grants[64];
static const struct egress_address resolvers[] = {
	{4, 32, {127, 0, 0, 10}},
	{4, 32, {127, 0, 0, 11}},
};

/* The grants of texts, with ids from EGRESS_ID_FIRST on. */
static inline void set_grants(const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (egress_grant_parse(&arena, texts[i], &grants[i], &err) < 0) {
			fprintf(stderr, "%s: %s\n", texts[i], err.msg);
			exit(1);
		}
		grants[i].id = EGRESS_ID_FIRST + (uint32_t)i;
		grants[i].backing = EGRESS_BACKED;
	}
	policy.grants = grants;
	policy.n_grants = n;
}

static inline void start_service_at(bool pin, const struct egress_address *at, size_t n)
{
	struct names_config c = {
		.policy = &policy,
		.udp = bound(SOCK_DGRAM | SOCK_NONBLOCK, NAMES_LISTEN, 53),
		.tcp = bound(SOCK_STREAM | SOCK_NONBLOCK, NAMES_LISTEN, 53),
		.packet_mark = EGRESS_PACKET_MARK,
		.upstream_netns = -1,
		.pin = pin,
	};

	policy.resolvers = at;
	policy.n_resolvers = n;
	policy.has_names = true;
	memset(&told, 0, sizeof(told));
	if (names_open(&arena, &c, &test_host, &service, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
}

static inline void start_service(bool pin)
{
	start_service_at(pin, resolvers, LEN(resolvers));
}

/* --- a client ------------------------------------------------------------------------------ */

static inline int client(int type)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(53),
				 .sin_addr.s_addr = htonl(NAMES_LISTEN_ADDRESS)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS)
		perror("connect");
	return fd;
}

/* Lets the service work until fd is readable; false: it is not within ms. */
static inline bool work_until(int fd, int ms)
{
	int64_t end = clock_monotonic_ms() + ms;

	for (;;) {
		struct pollfd p[2] = {
			{fd,                POLLIN, 0},
			{names_fd(service), POLLIN, 0},
		};
		int64_t left = end - clock_monotonic_ms();

		if (left < 0)
			return false;
		(void)!poll(p, 2, (int)left);
		if (p[1].revents && names_work(service, &err) < 0) {
			fprintf(stderr, "%s\n", err.msg);
			exit(1);
		}
		if (fd >= 0 && p[0].revents)
			return true;
	}
}

static inline struct reply exchange(const struct packet *query, int ms)
{
	own_fd int fd = client(SOCK_DGRAM);
	struct reply r = {.rcode = -2};

	(void)!send(fd, query->bytes, query->len, 0);
	told.client = fd;
	bool there = work_until(fd, ms);
	told.client = -1;
	if (!there)
		return r;
	ssize_t n = recv(fd, r.bytes, sizeof(r.bytes), 0);
	if (n < 0)
		return r;
	r.len = (size_t)n;
	read_reply(query, &r);
	return r;
}

static inline struct reply lookup(const char *name, unsigned int type)
{
	struct packet q;

	query_of(&q, name, type);
	return exchange(&q, 15000);
}

/* "203.0.113.9 203.0.113.10", in the order of the answer. */
static inline const char *texts_of(const struct reply *r)
{
	static char out[8192];

	out[0] = '\0';
	for (size_t i = 0; i < r->n; i++) {
		char one[INET6_ADDRSTRLEN];

		inet_ntop(r->addresses[i].family == 4 ? AF_INET : AF_INET6, r->addresses[i].bytes,
			  one, sizeof(one));
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s", i ? " " : "", one);
	}
	return out;
}

static inline struct egress_address address(const char *text)
{
	bool six = strchr(text, ':');
	struct egress_address a = {six ? 6 : 4, six ? 128 : 32, {0}};

	if (inet_pton(six ? AF_INET6 : AF_INET, text, a.bytes) != 1)
		abort();
	return a;
}
static inline uint32_t opened(const char *text, uint8_t proto, uint16_t port)
{
	struct egress_address a = address(text);
	const struct element *x = element_of(&a, proto, port);

	return x ? x->id : 0;
}

#endif
