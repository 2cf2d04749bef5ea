/* Answers of a moment ago: the table by a clock of the test's own, then the service that has it. */
#include "names_fixture.h"

#include "names/cache.h"

#include <malloc.h>

/* --- the table ----------------------------------------------------------------------------- */

static struct cache *table;
static int64_t now;

static void put_at(const char *name, uint16_t type, uint32_t ttl, const char *text)
{
	struct egress_address a = address(text);
	const struct dns_reply r = {.ttl = ttl, .addresses = &a, .n = 1};

	cache_put(table, name, type, &r, now);
}

static struct dns_reply got;
static bool has(const char *name, uint16_t type)
{
	return cache_get(table, name, type, now, &got);
}

/* Until the time to live is over, 30 seconds at most, 1 at least; told is what is left. */
static void lifetimes(void)
{
	static const struct {
		uint32_t ttl;
		int64_t kept;
	} rows[] = {
		{0,         1000 },
                {1,         1000 },
                {2,         2000 },
                {29,        29000},
		{30,        30000},
                {31,        30000},
                {86400,     30000},
                {INT32_MAX, 30000},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		int64_t began = now;

		put_at("a.example.org", ns_t_a, rows[i].ttl, "192.0.2.1");
		CHECK(has("a.example.org", ns_t_a) && got.ttl == rows[i].ttl && got.n == 1);
		CHECK(got.rcode == 0 && !got.negative && got.addresses[0].bytes[3] == 1);
		now = began + rows[i].kept - 1;
		CHECK(has("a.example.org", ns_t_a));
		CHECK(got.ttl == rows[i].ttl - (rows[i].kept - 1) / 1000);
		CHECK(!rows[i].ttl == !got.ttl);
		now = began + rows[i].kept;
		CHECK(!has("a.example.org", ns_t_a) && !has("a.example.org", ns_t_a));
	}
}

static void negatives(void)
{
	const struct dns_reply r = {.rcode = ns_r_nxdomain, .negative = true, .ttl = 3600};

	cache_put(table, "no.example.org", ns_t_a, &r, now);
	CHECK(has("no.example.org", ns_t_a) && got.negative && got.rcode == ns_r_nxdomain);
	CHECK(got.ttl == DNS_NEGATIVE_SECONDS && !got.n);
	now += 4999;
	CHECK(has("no.example.org", ns_t_a) && got.ttl == 1);
	now++;
	CHECK(!has("no.example.org", ns_t_a));
}

/* Name and type, both; another answer takes the place of the one before. */
static void keys(void)
{
	put_at("a.example.org", ns_t_a, 30, "192.0.2.1");
	CHECK(!has("a.example.org", ns_t_aaaa) && !has("b.example.org", ns_t_a));
	CHECK(!has("a.example.or", ns_t_a) && !has("", ns_t_a));
	put_at("a.example.org", ns_t_aaaa, 30, "2001:db8::1");
	put_at("a.example.org", ns_t_a, 20, "192.0.2.2");
	CHECK(has("a.example.org", ns_t_a) && got.addresses[0].bytes[3] == 2 && got.ttl == 20);
	CHECK(has("a.example.org", ns_t_aaaa) && got.addresses[0].family == 6);
	cache_clear(table);
	CHECK(!has("a.example.org", ns_t_a) && !has("a.example.org", ns_t_aaaa));
}

static unsigned int count_of(const char *prefix, int n)
{
	unsigned int there = 0;
	char name[64];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s%d.example.org", prefix, i);
		there += has(name, ns_t_a);
	}
	return there;
}

/* Full, the one that is nearest to its end goes: many of a short life push nobody else out. */
static void room(void)
{
	char name[64];

	for (int i = 0; i < CACHE_ENTRIES - 1; i++) {
		snprintf(name, sizeof(name), "long%d.example.org", i);
		put_at(name, ns_t_a, 30, "192.0.2.1");
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "short%d.example.org", i);
		put_at(name, ns_t_a, 1, "192.0.2.2");
		CHECK(has(name, ns_t_a));
	}
	CHECK(count_of("long", 1000) == CACHE_ENTRIES - 1);
	CHECK(count_of("short", 10000) == 1);
	now += 1000;
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "flood%d.example.org", i);
		put_at(name, ns_t_a, 30, "192.0.2.3");
	}
	CHECK(count_of("flood", 10000) == CACHE_ENTRIES);
	CHECK(count_of("long", 1000) == 0);
	now += 30000;
	CHECK(count_of("flood", 10000) == 0);
	/* Dropped ones leave no gap in the chains. */
	put_at("a.example.org", ns_t_a, 30, "192.0.2.1");
	CHECK(has("a.example.org", ns_t_a));
}

/* --- the service --------------------------------------------------------------------------- */

static const char *const texts[] = {
	"api.example.org",
	"one.example.org",
	"zero.example.org",
	"empty.example.org",
	"fail.example.org",
	"bad.example.org",
	"slow.example.org",
	"none.example.com",
	"*.wild.example",
	"twin.example.org",
	"short.example.org ttl=300ms",
	"api.example.org:80",
};
enum { WILD = 8, ALWAYS = 11 };

static void one(struct upstream_query *q)
{
	uint32_t ttl = q->name[0] == 'o' ? 1 : q->name[0] == 'z' ? 0 : 600;
	struct packet *p = answer(q, ns_r_noerror);

	if (q->type == ns_t_a)
		add_address(p, q->name, ttl, "203.0.113.9");
	else
		add_address(p, q->name, ttl, "2001:db8::9");
}
static void empty(struct upstream_query *q)
{
	answer(q, ns_r_noerror);
}
static void failing(struct upstream_query *q)
{
	answer(q, ns_r_servfail);
}
static void never_reached(struct upstream_query *q)
{
	add_address(answer(q, ns_r_noerror), q->name, 600, "10.0.0.1");
}
static void slow(struct upstream_query *q)
{
	usleep(100000);
	one(q);
}
const struct scripted scripts[] = {
	{"api.example.org",   one          },
	{"one.example.org",   one          },
	{"zero.example.org",  one          },
	{"empty.example.org", empty        },
	{"fail.example.org",  failing      },
	{"bad.example.org",   never_reached},
	{"slow.example.org",  slow         },
	{".wild.example",     one          },
	{"twin.example.org",  one          },
	{"short.example.org", one          },
	{NULL,		NULL         },
};

static void changed(size_t n)
{
	policy.n_grants = n;
	names_policy(service, &policy);
}

/* Each query is decided and told, none of them is asked again, nothing is opened again. */
static void hits(void)
{
	struct reply first = lookup("api.example.org", ns_t_a);
	unsigned int learns = told.learns, before = told.verdicts[NAMES_ANSWERED];

	CHECK(first.ttl == 300 && first.n == 1);
	for (int i = 0; i < 50; i++) {
		struct reply r = lookup(i % 2 ? "API.example.ORG" : "api.example.org", ns_t_a);

		CHECK(r.rcode == 0 && r.n == 1 && r.ttl == 300);
		CHECK_STR(texts_of(&r), "203.0.113.9");
		CHECK(told.last == NAMES_ANSWERED && told.last_addresses == 1 &&
		      told.last_grant == EGRESS_ID_FIRST);
		CHECK_STR(told.last_name, "api.example.org");
	}
	CHECK(told.verdicts[NAMES_ANSWERED] == before + 50 && told.learns == learns);
	CHECK(times_asked("api.example.org") == 1);
	/* The other type is another question. */
	CHECK(lookup("api.example.org", ns_t_aaaa).n == 1);
	CHECK(lookup("api.example.org", ns_t_aaaa).n == 1);
	CHECK(times_asked("api.example.org") == 2);
	/* An address of two names is that of the name that was handed out last. */
	struct egress_address a = address("203.0.113.9");
	CHECK(lookup("twin.example.org", ns_t_a).n == 1);
	CHECK_STR(names_of_address(service, &a), "twin.example.org");
	CHECK(lookup("api.example.org", ns_t_a).n == 1);
	CHECK_STR(names_of_address(service, &a), "api.example.org");
	CHECK(times_asked("api.example.org") == 2);
}

static void short_lives(void)
{
	struct reply r = lookup("one.example.org", ns_t_a);

	CHECK(r.ttl == 1 && lookup("one.example.org", ns_t_a).ttl == 1);
	CHECK(lookup("zero.example.org", ns_t_a).ttl == 0);
	CHECK(lookup("zero.example.org", ns_t_a).ttl == 0);
	CHECK(times_asked("one.example.org") == 1 && times_asked("zero.example.org") == 1);
	(void)work_until(-1, 1050);
	CHECK(lookup("one.example.org", ns_t_a).ttl == 1);
	CHECK(lookup("zero.example.org", ns_t_a).n == 1);
	CHECK(times_asked("one.example.org") == 2 && times_asked("zero.example.org") == 2);
}

static void nothing_there(void)
{
	unsigned int before = times_asked("none.example.com");

	for (int i = 0; i < 3; i++) {
		struct reply r = lookup("none.example.com", ns_t_a);

		CHECK(r.rcode == ns_r_nxdomain && r.soa && told.last == NAMES_ANSWERED);
		r = lookup("empty.example.org", ns_t_a);
		CHECK(r.rcode == 0 && !r.n && r.soa && told.last == NAMES_ANSWERED);
	}
	CHECK(times_asked("none.example.com") == before + 1 &&
	      times_asked("empty.example.org") == 1);
}

/* What has failed is tried anew: upstream, what it says, and opening the rules. */
static void failures(void)
{
	for (unsigned int i = 1; i < 4; i++) {
		CHECK(lookup("fail.example.org", ns_t_a).rcode == ns_r_servfail);
		CHECK(times_asked("fail.example.org") == 4 * i);
		CHECK(lookup("bad.example.org", ns_t_a).rcode == ns_r_refused);
		CHECK(times_asked("bad.example.org") == i && told.last == NAMES_REBOUND);
	}
	unsigned int before = times_asked("slow.example.org");
	told.fail = EIO;
	CHECK(lookup("slow.example.org", ns_t_a).rcode == ns_r_servfail);
	told.fail = 0;
	CHECK(lookup("slow.example.org", ns_t_a).n == 1);
	CHECK(times_asked("slow.example.org") == before + 2);
}

/* A grant that is gone has no answers left, nor has one that came back. */
static void revoked(void)
{
	unsigned int before = times_asked("api.example.org");
	struct egress_grant api = grants[0];

	CHECK(lookup("api.example.org", ns_t_a).n == 1);
	CHECK(times_asked("api.example.org") == before);
	grants[0] = grants[1];
	changed(LEN(texts) - 1);
	CHECK(lookup("api.example.org", ns_t_a).rcode == ns_r_refused);
	CHECK(told.last == NAMES_NOT_LISTED);
	grants[0] = api;
	changed(LEN(texts) - 1);
	CHECK(lookup("api.example.org", ns_t_a).n == 1);
	CHECK(opened("203.0.113.9", IPPROTO_TCP, 443) && !opened("203.0.113.9", IPPROTO_TCP, 80));
	CHECK(times_asked("api.example.org") == before + 1);
	/* Another grant for a name that is kept: its port is open with the next answer. */
	changed(LEN(texts));
	CHECK(lookup("api.example.org", ns_t_a).n == 1);
	CHECK(opened("203.0.113.9", IPPROTO_TCP, 80) == EGRESS_ID_FIRST + ALWAYS);
	changed(LEN(texts) - 1);
	CHECK(!opened("203.0.113.9", IPPROTO_TCP, 80));
	before = times_asked("api.example.org");
	CHECK(lookup("api.example.org", ns_t_a).n == 1);
	CHECK(times_asked("api.example.org") == before + 1);
}

static void timed(void)
{
	CHECK(lookup("short.example.org", ns_t_a).n == 1);
	CHECK(lookup("short.example.org", ns_t_a).n == 1);
	CHECK(times_asked("short.example.org") == 1);
	CHECK(lookup("none.example.com", ns_t_a).rcode == ns_r_nxdomain);
	usleep(320000); /* the service sees the end only with the query itself */
	CHECK(lookup("short.example.org", ns_t_a).rcode == ns_r_refused);
	CHECK(times_asked("short.example.org") == 1);
}

/* Asked for under one policy, answered under the next one: kept as that has it. */
static void in_flight(void)
{
	own_fd int fd = client(SOCK_DGRAM);
	struct packet q;
	struct reply r = {.n = 0};
	unsigned int before = times_asked("slow.example.org");

	changed(LEN(texts));
	query_of(&q, "slow.example.org", ns_t_a);
	(void)!send(fd, q.bytes, q.len, 0);
	(void)work_until(-1, 30);
	grants[6].private_ = true; /* any change */
	changed(LEN(texts) - 1);
	CHECK(work_until(fd, 2000));
	r.len = (size_t)recv(fd, r.bytes, sizeof(r.bytes), 0);
	read_reply(&q, &r);
	CHECK(r.rcode == 0 && r.n == 1);
	CHECK(lookup("slow.example.org", ns_t_a).n == 1);
	CHECK(times_asked("slow.example.org") == before + 1);
	/* Revoked while it is asked for: the answer is nobody's, and not kept for who comes back.
	 */
	struct egress_grant mine = grants[6];
	changed(LEN(texts) - 1);
	(void)!send(fd, q.bytes, q.len, 0);
	(void)work_until(-1, 30);
	grants[6] = grants[7];
	changed(LEN(texts) - 1);
	CHECK(work_until(fd, 2000) && recv(fd, r.bytes, sizeof(r.bytes), 0) > 0);
	CHECK((r.bytes[3] & 0xf) == ns_r_refused);
	grants[6] = mine;
	changed(LEN(texts) - 1);
	CHECK(lookup("slow.example.org", ns_t_a).n == 1);
	CHECK(times_asked("slow.example.org") == before + 3);
}

/* A hit is no new name, and a name that was not let through is no hit. */
static void quota(void)
{
	unsigned int answered = 0;
	char name[64];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "n%d.wild.example", i);
		for (int j = 0; j < 3; j++)
			answered += lookup(name, ns_t_a).n == 1;
		CHECK(times_asked(name) == (i < 32));
	}
	CHECK(answered == 3 * 32);
	CHECK(lookup("n39.wild.example", ns_t_a).rcode == ns_r_refused);
	CHECK(told.last == NAMES_LIMITED && lookup("n0.wild.example", ns_t_a).n == 1);
}

/* 3000 lookups of four names by eight clients at once: all of them are answered. */
static void threads(void)
{
	static const char *const names[] = {"api.example.org", "zero.example.org",
					    "twin.example.org", "n0.wild.example"};
	struct packet q[8];
	int fds[8], done = 0, sent = 0;
	unsigned int asked = (unsigned int)all_asked();

	for (int i = 0; i < 8; i++) {
		fds[i] = client(SOCK_DGRAM);
		query_of(&q[i], names[i % 4], ns_t_a);
		(void)!send(fds[i], q[i].bytes, q[i].len, 0);
		sent++;
	}
	for (int64_t began = clock_monotonic_ms(); done < 3000;) {
		uint8_t out[1024];

		if (clock_monotonic_ms() - began > 10000)
			break;
		(void)work_until(fds[done % 8], 1000);
		for (int i = 0; i < 8; i++) {
			ssize_t n = recv(fds[i], out, sizeof(out), 0);

			if (n < 0)
				continue;
			CHECK(n > 12 && (out[3] & 0xf) == 0 && out[7] == 1);
			done++;
			if (sent++ < 3000)
				(void)!send(fds[i], q[i].bytes, q[i].len, 0);
		}
	}
	CHECK(done == 3000 && all_asked() - asked < 30);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
}

int main(void)
{
	table = cache_new(&arena, 42);
	now = 1000000;
	lifetimes();
	negatives();
	keys();
	room();

	enter_netns();
	start_upstream();
	policy = (struct egress_policy){.ipv6 = true};
	set_grants(texts, LEN(texts));
	policy.n_grants--;
	start_service(false);
	size_t used = mallinfo2().uordblks;
	timed();
	hits();
	short_lives();
	nothing_there();
	failures();
	revoked();
	in_flight();
	quota();
	threads();
	CHECK(told.collisions == 0 && told.early == 0);
	CHECK(mallinfo2().uordblks == used);
	names_close(service);
	arena_free(&arena);
	return check_done();
}
