/* Many at once: shared queries, floods, clients over TCP, grants that come and go meanwhile. */
#include "names_fixture.h"

#include <malloc.h>

static void one(struct upstream_query *q)
{
	add_address(answer(q, ns_r_noerror), q->name, 30, "203.0.113.9");
}
static void slow(struct upstream_query *q)
{
	usleep(200000);
	add_address(answer(q, ns_r_noerror), q->name, 0, "203.0.113.9");
}
static void failing(struct upstream_query *q)
{
	answer(q, ns_r_servfail);
}
static void silent(struct upstream_query *q)
{
	(void)q;
}

/* An answer of which some bytes are others, and the right one for who does not take that. */
static void mutant(struct upstream_query *q)
{
	static unsigned int seed = 20261122;
	struct packet *p = answer(q, ns_r_noerror);

	add_cname(p, q->name, 100, "x.mutant.example");
	add_address(p, "x.mutant.example", 100, "203.0.113.200");
	for (int i = 0; i < 1 + (int)q->count % 3; i++)
		p->bytes[2 + (unsigned int)rand_r(&seed) % (p->len - 2)] = (uint8_t)rand_r(&seed);
	one(q);
}

static const char *const texts[] = {
	"api.example.org",     "slow.example.org",
	"**.many.example.org", "**.more.example.org",
	"**.most.example.org", "**.even.example.org",
	"fail.example.org",    "short.example.org ttl=400ms",
	"mutant.example.org",  "later.example.org",
};

/* --- sharing ------------------------------------------------------------------------------- */

static void shared(void)
{
	struct packet q[10];
	int fds[10];

	for (int i = 0; i < 10; i++) {
		fds[i] = client(SOCK_DGRAM);
		query_of(&q[i], i % 2 ? "slow.example.org" : "SLOW.example.ORG", ns_t_a);
		(void)!send(fds[i], q[i].bytes, q[i].len, 0);
	}
	/* A client that repeats itself gets one answer. */
	(void)!send(fds[0], q[0].bytes, q[0].len, 0);
	for (int i = 0; i < 10; i++) {
		struct reply r = {.n = 0};

		CHECK(work_until(fds[i], 2000));
		ssize_t n = recv(fds[i], r.bytes, sizeof(r.bytes), 0);
		r.len = n < 0 ? 0 : (size_t)n;
		read_reply(&q[i], &r);
		CHECK(r.rcode == 0 && r.n == 1);
		CHECK(r.len > 17 && memcmp(r.bytes + 12, q[i].bytes + 12, 18) == 0);
	}
	CHECK(!work_until(fds[0], 50));
	CHECK(times_asked("slow.example.org") == 1 && told.verdicts[NAMES_ANSWERED] == 10);
	for (int i = 0; i < 10; i++)
		close(fds[i]);
}

static size_t framed(uint8_t *out, const struct packet *q)
{
	out[0] = (uint8_t)(q->len >> 8);
	out[1] = (uint8_t)q->len;
	memcpy(out + 2, q->bytes, q->len);
	return q->len + 2;
}

/* One framed answer; rcode -2: the service has closed, or said nothing. */
static struct reply receive(int fd, const struct packet *q, int ms)
{
	struct reply r = {.rcode = -2};
	uint8_t head[2];
	size_t have = 0;

	while (have < 2 || r.len < at16(head)) {
		if (!work_until(fd, ms))
			return r;
		ssize_t n = have < 2 ? recv(fd, head + have, 2 - have, 0)
				     : recv(fd, r.bytes + r.len, at16(head) - r.len, 0);
		if (n <= 0)
			return r;
		r.len += have < 2 ? 0 : (size_t)n;
		have += have < 2 ? (size_t)n : 0;
	}
	read_reply(q, &r);
	return r;
}

/* --- floods -------------------------------------------------------------------------------- */

static unsigned int all_verdicts(void)
{
	unsigned int n = 0;

	for (int i = 0; i < NAMES_VERDICTS; i++)
		n += told.verdicts[i];
	return n;
}

/*
 * 32 names of four wildcards, two types of each, take all 256 places: 64 are under way, the rest is
 * in the queue.  What needs no place goes on, what does is left unanswered, or told by TCP.
 */
static void fill_places(int fd)
{
	static const char *const below[] = {"many", "more", "most", "even"};
	unsigned int before = all_verdicts();
	char name[64];
	struct packet q;

	for (int i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "silent%d.%s.example.org", i / 8, below[i % 4]);
		query_of(&q, name, i / 4 % 2 ? ns_t_aaaa : ns_t_a);
		(void)!send(fd, q.bytes, q.len, 0);
		(void)work_until(-1, 1);
	}
	CHECK(all_verdicts() == before); /* all wait */
}

static void while_full(void)
{
	own_fd int stream = client(SOCK_STREAM);
	uint8_t out[600];
	struct packet q;

	query_of(&q, "api.example.org", ns_t_aaaa);
	CHECK(exchange(&q, 200).rcode == -2 && told.last == NAMES_LIMITED);
	size_t len = framed(out, &q);
	CHECK(send(stream, out, len, MSG_NOSIGNAL) == (ssize_t)len);
	CHECK(receive(stream, &q, 1000).rcode == ns_r_servfail && told.last == NAMES_LIMITED);
	CHECK(lookup("api.example.org", ns_t_a).n == 1);             /* known */
	CHECK(lookup("evil.example", ns_t_a).rcode == ns_r_refused); /* needs nobody */
}

static void in_flight(void)
{
	own_fd int fd = client(SOCK_DGRAM);
	unsigned int failed = told.verdicts[NAMES_FAILED], limited = told.verdicts[NAMES_LIMITED];
	int64_t began = clock_monotonic_ms();

	CHECK(lookup("api.example.org", ns_t_a).n == 1);
	fill_places(fd);
	while_full();
	while (told.verdicts[NAMES_LIMITED] < limited + 2 + 192 &&
	       clock_monotonic_ms() - began < 12000)
		(void)work_until(-1, 50);
	int64_t took = clock_monotonic_ms() - began;
	CHECK(took > 3900 && took < 6000 && told.verdicts[NAMES_FAILED] == failed);
	/* There are places again; its turn is when one is over. */
	CHECK(lookup("api.example.org", ns_t_aaaa).rcode == 0);
	took = clock_monotonic_ms() - began;
	CHECK(told.verdicts[NAMES_FAILED] > failed && took > 7000 && took < 10000);
	while (told.verdicts[NAMES_FAILED] < failed + 64 && clock_monotonic_ms() - began < 12000)
		(void)work_until(-1, 100);
	CHECK(told.verdicts[NAMES_FAILED] == failed + 64);
}

/* More than 200 a second wait for their turn: none is turned away. */
static void queue(void)
{
	unsigned int failed = told.verdicts[NAMES_FAILED], limited = told.verdicts[NAMES_LIMITED];
	size_t asked = all_asked();
	int64_t began = clock_monotonic_ms();

	for (int i = 0; i < 350; i++)
		CHECK(lookup("fail.example.org", ns_t_a).rcode == ns_r_servfail);
	int64_t took = clock_monotonic_ms() - began;
	CHECK(told.verdicts[NAMES_FAILED] == failed + 350 &&
	      told.verdicts[NAMES_LIMITED] == limited);
	CHECK(all_asked() == asked + 350 * 4 && took > 700);
}

/* What costs nothing but a read is bounded, too; who is honest gets through afterwards. */
static void flood(void)
{
	own_fd int fd = client(SOCK_DGRAM);
	unsigned int before = all_verdicts();
	int64_t began = clock_monotonic_ms();
	struct packet q;
	unsigned int works = 0;

	query_of(&q, "evil.example", ns_t_a);
	while (clock_monotonic_ms() - began < 2000) {
		for (int i = 0; i < 100; i++)
			(void)!send(fd, q.bytes, q.len, 0);
		/* as its process does it: only when there is something */
		struct pollfd p = {names_fd(service), POLLIN, 0};
		if (poll(&p, 1, 1) > 0) {
			works++;
			CHECK(names_work(service, &err) == 0);
		}
	}
	unsigned int handled = all_verdicts() - before;
	CHECK(handled >= 2000 && handled <= 3500);
	CHECK(works < 4500); /* no busy loop while nothing is read */
	char buf[512];
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
	(void)work_until(-1, 1500);
	CHECK(lookup("api.example.org", ns_t_a).n == 1);
}

/* --- TCP ----------------------------------------------------------------------------------- */

static bool is_closed(int fd, int ms)
{
	char c;

	if (!work_until(fd, ms))
		return false;
	ssize_t n = recv(fd, &c, 1, 0);
	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void streams(void)
{
	own_fd int fd = client(SOCK_STREAM);
	struct packet q, other;
	uint8_t out[2000];

	query_of(&q, "api.example.org", ns_t_a);
	size_t n = framed(out, &q);
	/* byte after byte */
	for (size_t i = 0; i < n; i++) {
		CHECK(send(fd, out + i, 1, MSG_NOSIGNAL) == 1);
		(void)work_until(-1, 1);
	}
	struct reply r = receive(fd, &q, 1000);
	CHECK(r.rcode == 0 && r.n == 1 && told.last_tcp);
	/* two at once are answered one after the other */
	query_of(&other, "evil.example", ns_t_a);
	n = framed(out, &q);
	n += framed(out + n, &other);
	CHECK(send(fd, out, n, MSG_NOSIGNAL) == (ssize_t)n);
	CHECK(receive(fd, &q, 1000).n == 1);
	CHECK(receive(fd, &other, 1000).rcode == ns_r_refused);
	/* malformed ones are told, responses end it */
	other.bytes[2] |= 0x28;
	n = framed(out, &other);
	CHECK(send(fd, out, n, MSG_NOSIGNAL) == (ssize_t)n);
	CHECK(receive(fd, &other, 1000).rcode == ns_r_notimpl);
	out[4] |= 0x80;
	CHECK(send(fd, out, n, MSG_NOSIGNAL) == (ssize_t)n);
	CHECK(is_closed(fd, 1000));
}

static void bad_lengths(void)
{
	static const struct {
		const char *bytes;
		size_t n;
	} rows[] = {
		{"\0\0",      2},
                {"\20\1",     2},
                {"\377\377x", 3}
        };

	for (size_t i = 0; i < LEN(rows); i++) {
		own_fd int fd = client(SOCK_STREAM);

		(void)work_until(-1, 10);
		CHECK(send(fd, rows[i].bytes, rows[i].n, MSG_NOSIGNAL) == (ssize_t)rows[i].n);
		CHECK(is_closed(fd, 1000));
	}
}

/* A byte at a time as fast as can be is a flood as others are. */
static void bytes_flood(void)
{
	own_fd int fd = client(SOCK_STREAM);
	unsigned int sent = 0;
	char c = 16; /* a length of 4112 is refused, of 4096 not */

	(void)work_until(-1, 10);
	while (sent < 4000 && send(fd, &c, 1, MSG_NOSIGNAL) == 1) {
		c = 0;
		sent++;
		for (int i = 0; i < 2; i++)
			CHECK(names_work(service, &err) == 0);
	}
	CHECK(sent > 100 && sent < 3500);
	(void)work_until(-1, 1100);
}

/* 16, then the one that is idle for longest goes; all go after five seconds. */
static void many_streams(void)
{
	int fds[18];
	int64_t began = clock_monotonic_ms();

	for (int i = 0; i < 18; i++) {
		fds[i] = client(SOCK_STREAM);
		(void)work_until(-1, 5);
	}
	CHECK(is_closed(fds[0], 100) && is_closed(fds[1], 100));
	CHECK(!work_until(fds[2], 10) && !work_until(fds[17], 10));
	/* A byte now and then does not keep it open. */
	for (int i = 0; i < 4; i++) {
		(void)!send(fds[17], "", 1, MSG_NOSIGNAL);
		(void)work_until(-1, 500);
	}
	CHECK(is_closed(fds[2], 6000) && is_closed(fds[17], 1000));
	int64_t took = clock_monotonic_ms() - began;
	CHECK(took > 4800 && took < 7000);
	for (int i = 0; i < 18; i++)
		close(fds[i]);
}

/* A client that leaves while its query is asked for; another one has its place by then. */
static void gone_client(void)
{
	struct packet q;
	uint8_t out[600];
	int fds[16];
	struct linger reset = {.l_onoff = 1};
	unsigned int before = told.verdicts[NAMES_ANSWERED];

	query_of(&q, "slow.example.org", ns_t_a);
	size_t n = framed(out, &q);
	for (int i = 0; i < 16; i++) {
		fds[i] = client(SOCK_STREAM);
		(void)work_until(-1, 2);
		(void)!send(fds[i], out, n, MSG_NOSIGNAL);
		(void)work_until(-1, 2);
		setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fds[i]);
	}
	for (int i = 0; i < 16; i++) {
		(void)work_until(-1, 2);
		fds[i] = client(SOCK_STREAM);
	}
	int64_t began = clock_monotonic_ms();
	while (told.verdicts[NAMES_ANSWERED] < before + 1 && clock_monotonic_ms() - began < 2000)
		(void)work_until(-1, 50);
	for (int i = 0; i < 16; i++) {
		char c;

		CHECK(recv(fds[i], &c, 1, 0) < 0 && errno == EAGAIN);
		close(fds[i]);
	}
}

/* --- grants that change -------------------------------------------------------------------- */

static void revoked_meanwhile(void)
{
	own_fd int fd = client(SOCK_DGRAM);
	struct packet q;
	struct reply r = {.n = 0};

	/* addresses of later: none yet; asked for, revoked, answered */
	query_of(&q, "later.example.org", ns_t_a);
	(void)!send(fd, q.bytes, q.len, 0);
	(void)work_until(-1, 30);
	policy.n_grants--;
	names_policy(service, &policy);
	CHECK(work_until(fd, 2000));
	r.len = (size_t)recv(fd, r.bytes, sizeof(r.bytes), 0);
	read_reply(&q, &r);
	CHECK(r.rcode == ns_r_refused && told.last == NAMES_NOT_LISTED);
	CHECK(!opened("203.0.113.99", IPPROTO_TCP, 443));
	CHECK(lookup("later.example.org", ns_t_a).rcode == ns_r_refused);
	policy.n_grants++;
	names_policy(service, &policy);
	CHECK(lookup("later.example.org", ns_t_a).n == 1);
	CHECK(opened("203.0.113.99", IPPROTO_TCP, 443));
	policy.n_grants--;
	names_policy(service, &policy);
	CHECK(!opened("203.0.113.99", IPPROTO_TCP, 443));
}

static void later(struct upstream_query *q)
{
	usleep(100000);
	add_address(answer(q, ns_r_noerror), q->name, 30, "203.0.113.99");
}

static uint32_t short_grant(void)
{
	for (size_t i = 0; i < policy.n_grants; i++)
		if (strcmp(policy.grants[i].name, "short.example.org") == 0)
			return policy.grants[i].id;
	return 0;
}

static void timed_grant(void)
{
	CHECK(lookup("short.example.org", ns_t_a).n == 1);
	names_policy(service, &policy); /* does not begin anew */
	(void)work_until(-1, 200);
	names_renew(service, short_grant()); /* does */
	(void)work_until(-1, 250);
	CHECK(lookup("short.example.org", ns_t_a).n == 1);
	(void)work_until(-1, 450);
	CHECK(lookup("short.example.org", ns_t_a).rcode == ns_r_refused);
	CHECK(told.last == NAMES_NOT_LISTED);
	names_policy(service, &policy);
	CHECK(lookup("short.example.org", ns_t_a).rcode == ns_r_refused);
}

/* Queries and answers with bytes changed at random: it goes on, and lets nothing out but names of
 * grants. */
static void mutants(void)
{
	own_fd int fd = client(SOCK_DGRAM);
	unsigned int seed = 77;
	char buf[4096];
	struct packet q;
	size_t first = all_asked();

	for (int i = 0; i < 1500; i++) {
		names_policy(service, &policy); /* no answer is kept */
		query_of(&q, "mutant.example.org", ns_t_a);
		if (i % 2)
			with_edns(&q, 1232);
		for (int j = 0; j < i % 4; j++)
			q.bytes[(unsigned int)rand_r(&seed) % q.len] = (uint8_t)rand_r(&seed);
		(void)!send(fd, q.bytes, q.len - (i % 7 == 0 ? (size_t)i % q.len : 0), 0);
		(void)work_until(-1, 1);
		while (recv(fd, buf, sizeof(buf), 0) > 0)
			;
	}
	(void)work_until(-1, 1000);
	size_t asked = all_asked();
	CHECK(asked > first + 300);
	for (size_t i = first; i < asked; i++) {
		const struct seen *x = &upstream.seen[i];

		/* Aliases that a changed answer has made up end in something else. */
		CHECK(x->exact && (!strstr(x->name, ".example.org") ||
				   strcmp(x->name, "mutant.example.org") == 0));
	}
	for (size_t i = 0; i < told.n; i++)
		CHECK(egress_never_of(&policy, &told.elements[i].address) == EGRESS_NEVER_NOT);
	CHECK(lookup("api.example.org", ns_t_a).n == 1);
}

int main(void)
{
	enter_netns();
	start_upstream();
	policy = (struct egress_policy){.ipv6 = true};
	set_grants(texts, LEN(texts));
	start_service(true);
	size_t used = mallinfo2().uordblks;
	timed_grant();
	memset(&told.verdicts, 0, sizeof(told.verdicts));
	shared();
	in_flight();
	queue();
	flood();
	streams();
	bytes_flood();
	bad_lengths();
	many_streams();
	gone_client();
	mutants();
	revoked_meanwhile();
	struct egress_address a = address("203.0.113.9");
	CHECK(element_of(&a, IPPROTO_TCP, 443)->timeout_ms == 0); /* pinned */
	CHECK(mallinfo2().uordblks == used);
	CHECK(told.collisions == 0);
	names_close(service);
	arena_free(&arena);
	return check_done();
}

const struct scripted scripts[] = {
	{"api.example.org",    one    },
	{"short.example.org",  one    },
	{"slow.example.org",   slow   },
	{"later.example.org",  later  },
	{"mutant.example.org", mutant },
	{".many.example.org",  silent },
	{".more.example.org",  silent },
	{".most.example.org",  silent },
	{".even.example.org",  silent },
	{"fail.example.org",   failing},
	{NULL,		 NULL   },
};
