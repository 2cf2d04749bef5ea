/* The table of learned addresses: who holds an element of the kernel's maps, and what gives way. */
#include "names_fixture.h"

#include "names/learned.h"
#include "names/match.h"
#include "names/message.h"
#include "names/quota.h"

static struct match *match;
static struct learned *learned;
static int64_t now = 1000000;

const struct scripted scripts[] = {
	{NULL, NULL}
};

static void gone(void *ctx, const struct egress_grant *g)
{
	(void)ctx;
	learned_drop(learned, g, now);
}

static void begin_with(const char *const *texts, size_t n)
{
	memset(&told, 0, sizeof(told));
	set_grants(texts, n);
	match = match_new(&arena);
	learned = learned_new(&arena, match, &test_host);
	match_set(match, &policy, now, gone, NULL);
}

static struct known_grant *nth(uint32_t i)
{
	return match_id(match, EGRESS_ID_FIRST + i);
}

static int take_n(uint32_t grant, const char *name, const struct egress_address *a, size_t n,
		  uint64_t ms)
{
	const struct handed h = {name, a, n, ms, now};

	learned_begin(learned);
	return learned_take(learned, nth(grant), &h, &err);
}
static int take(uint32_t grant, const char *name, const char *text, uint64_t ms)
{
	struct egress_address a = address(text);

	return take_n(grant, name, &a, 1, ms);
}

static uint64_t time_of(const char *text, uint16_t port)
{
	struct egress_address a = address(text);
	const struct element *x = element_of(&a, IPPROTO_TCP, port);

	return x ? x->timeout_ms : UINT64_MAX;
}

/* The element stays that of who came first, is kept for who came later, and passes to him. */
static void holders(void)
{
	static const char *const texts[] = {
		"a.example.org:80,443/tcp",
		"b.example.org:443,8443/tcp",
		"c.example.org:443/udp",
	};
	const uint32_t a = EGRESS_ID_FIRST, b = a + 1, c = a + 2;

	begin_with(texts, LEN(texts));
	CHECK(take(0, "a.example.org", "192.0.2.1", 660000) == 0);
	now += 100000;
	CHECK(take(1, "b.example.org", "192.0.2.1", 700000) == 0);
	CHECK(take(2, "c.example.org", "192.0.2.1", 700000) == 0);
	CHECK(opened("192.0.2.1", IPPROTO_TCP, 80) == a &&
	      opened("192.0.2.1", IPPROTO_TCP, 443) == a);
	CHECK(opened("192.0.2.1", IPPROTO_TCP, 8443) == b);
	CHECK(opened("192.0.2.1", IPPROTO_UDP, 443) == c);
	CHECK(time_of("192.0.2.1", 443) == 700000 && time_of("192.0.2.1", 80) == 660000);
	struct egress_address x = address("192.0.2.1");
	CHECK_STR(learned_name(learned, &x), "c.example.org");
	/* Handed out once more: nothing is opened, the name is told anew. */
	unsigned int learns = told.learns;
	learned_again(learned, nth(0), "a.example.org", &x, 1);
	CHECK_STR(learned_name(learned, &x), "a.example.org");
	learned_again(learned, nth(2), "C2.example.org", &x, 1);
	CHECK_STR(learned_name(learned, &x), "C2.example.org");
	struct egress_address unknown = address("192.0.2.2");
	learned_again(learned, nth(0), "a.example.org", &unknown, 1);
	CHECK(told.learns == learns && !learned_name(learned, &unknown));
	/* a runs out where nobody refreshes it; then b's refresh must not meet a's element */
	now += 640000;
	CHECK(take(1, "b.example.org", "192.0.2.1", 660000) == 0);
	CHECK(opened("192.0.2.1", IPPROTO_TCP, 443) == a);
	/* a is revoked */
	uint64_t closed = learned_closed(learned);
	policy.grants = grants + 1;
	policy.n_grants--;
	match_set(match, &policy, now, gone, NULL);
	CHECK(!nth(0) && opened("192.0.2.1", IPPROTO_TCP, 443) == b);
	CHECK(learned_closed(learned) == closed + 1);
	CHECK(!opened("192.0.2.1", IPPROTO_TCP, 80) && opened("192.0.2.1", IPPROTO_TCP, 8443) == b);
	CHECK(time_of("192.0.2.1", 443) == 660000);
	policy.n_grants = 0;
	match_set(match, &policy, now, gone, NULL);
	CHECK(told.n == 0 && !learned_name(learned, &x));
	CHECK(told.collisions == 0);
}

static void many(struct egress_address *a, size_t n, uint32_t first)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t v = htonl(0xc6120000 + first + (uint32_t)i);

		a[i] = (struct egress_address){4, 32, {0}};
		memcpy(a[i].bytes, &v, 4);
	}
}

/* 1024 of a name, then its oldest ones go; others keep theirs. */
static void of_one_name(void)
{
	static const char *const texts[] = {"s3.example.org:443", "other.example.org:443"};
	struct egress_address a[DNS_ADDRESSES];

	begin_with(texts, LEN(texts));
	CHECK(take(1, "other.example.org", "192.0.2.9", 660000) == 0);
	for (uint32_t i = 0; i < 40; i++) {
		many(a, 64, i * 64);
		now++;
		CHECK(learned_closed(learned) == (i > 16 ? (i - 16) * 64 : 0));
		CHECK(take_n(0, "s3.example.org", a, 64, 660000) == 0);
		CHECK(told.n <= LEARNED_NAME + 1);
	}
	CHECK(told.n == LEARNED_NAME + 1);
	for (size_t i = 0; i < 64; i++)
		CHECK(element_of(&a[i], IPPROTO_TCP, 443));
	many(a, 64, 23 * 64);
	CHECK(!element_of(&a[63], IPPROTO_TCP, 443));
	CHECK(opened("192.0.2.9", IPPROTO_TCP, 443));
	/* When they ran out, nothing is to be forgotten. */
	unsigned int before = told.forgets;
	now += 664000;
	CHECK(take(1, "other.example.org", "192.0.2.9", 660000) == 0);
	learned_sweep(learned, now);
	many(a, 64, 0);
	CHECK(take_n(0, "s3.example.org", a, 64, 660000) == 0 && told.forgets == before);
	CHECK(told.collisions == 0);
}

/* What one grant has of an answer does not give way to what another one has of the same. */
static void of_one_answer(void)
{
	static const char *const texts[] = {"s3.example.org:443", "s3.example.org:80"};
	struct egress_address a[DNS_ADDRESSES];

	begin_with(texts, LEN(texts));
	for (uint32_t i = 0; i < 9; i++) {
		many(a, 64, i * 64);
		learned_begin(learned);
		const struct handed h = {"s3.example.org", a, 64, i < 8 ? 4200000 : 660000, now};
		for (uint32_t g = 0; g < 2; g++) /* the last ones run out first */
			CHECK(learned_take(learned, nth(g), &h, &err) == 0);
	}
	for (size_t i = 0; i < 64; i++)
		CHECK(element_of(&a[i], IPPROTO_TCP, 443) && element_of(&a[i], IPPROTO_TCP, 80));
	CHECK(told.n == LEARNED_NAME && told.collisions == 0);
}

/* 4096 elements of a family, whoever's; who has the most gives way to others, not to itself. */
static void of_the_map(void)
{
	static const char *const texts[] = {"**.a.example.org:1,2,3,4,5,6,7,8/tcp",
					    "x.example.org:443"};
	struct egress_address a[DNS_ADDRESSES];
	char name[64];

	begin_with(texts, LEN(texts));
	for (uint32_t i = 0; i < 8; i++) { /* 8 * 64 * 8 */
		many(a, 64, i * 64);
		snprintf(name, sizeof(name), "n%u.a.example.org", i);
		CHECK(take_n(0, name, a, 64, 660000 + i) == 0);
	}
	CHECK(told.n == LEARNED_MAP);
	CHECK(take(0, "n9.a.example.org", "192.0.2.8", 660000) == -ENOSPC);
	CHECK(strstr(err.msg, "no room") && told.n == LEARNED_MAP);
	CHECK(take(1, "x.example.org", "192.0.2.9", 660000) == 0);
	CHECK(opened("192.0.2.9", IPPROTO_TCP, 443) && told.n == LEARNED_MAP - 8 + 1);
	CHECK(take(1, "x.example.org", "2001:db8::1", 660000) == 0); /* the other map */
	many(a, 64, 9 * 64);
	now += 10;
	CHECK(take_n(0, "n7.a.example.org", a, 64, 660000) == 0); /* its own went */
	CHECK(told.n == LEARNED_MAP - 8 + 1 + 1);
	CHECK(opened("192.0.2.9", IPPROTO_TCP, 443));
	now += 663000; /* all but those ran out: the kernel's copy here does not by itself */
	CHECK(take(1, "x.example.org", "192.0.2.9", 660000) == 0);
	CHECK(told.collisions == 0);
}

/* 10000 names, each with its address: full is an error, then there is room again. */
static void of_names(void)
{
	static const char *const texts[] = {"**.a.example.org:443"};
	unsigned int full = 0;
	char name[64];

	begin_with(texts, LEN(texts));
	for (uint32_t i = 0; i < 10000; i++) {
		struct egress_address a;

		many(&a, 1, i);
		snprintf(name, sizeof(name), "n%u.a.example.org", i);
		int ret = take_n(0, name, &a, 1, 660000);
		CHECK(ret == (i < LEARNED_MAP ? 0 : -ENOSPC));
		full += ret == -ENOSPC;
	}
	CHECK(full == 10000 - LEARNED_MAP);
	now += 700000;
	learned_sweep(learned, now);
	CHECK(take(0, "new.a.example.org", "192.0.2.1", 660000) == 0);
}

static void failing(void)
{
	static const char *const texts[] = {"a.example.org:443", "b.example.org:443"};
	struct egress_address a = address("192.0.2.1");

	begin_with(texts, LEN(texts));
	told.fail = EIO;
	CHECK(take(0, "a.example.org", "192.0.2.1", 660000) == -EIO);
	CHECK(!learned_name(learned, &a));
	told.fail = 0;
	/* nobody holds it: b does */
	CHECK(take(1, "b.example.org", "192.0.2.1", 0) == 0);
	CHECK(opened("192.0.2.1", IPPROTO_TCP, 443) == EGRESS_ID_FIRST + 1);
	CHECK(time_of("192.0.2.1", 443) == 0);
	/* as long as the grant is as long as it gets */
	CHECK(take(0, "a.example.org", "192.0.2.1", 660000) == 0 && time_of("192.0.2.1", 443) == 0);
	now += 1LL << 40;
	learned_sweep(learned, now);
	CHECK_STR(learned_name(learned, &a), "b.example.org");
}

/* --- grants found by name ------------------------------------------------------------------ */

static size_t ids_of(const char *name, uint32_t *ids)
{
	struct match_walk w = match_begin(match, name);
	size_t n = 0;

	for (const struct known_grant *k; (k = match_next(match, &w));)
		ids[n++] = k->grant.id - EGRESS_ID_FIRST;
	return n;
}

static void matching(void)
{
	static const char *const texts[] = {"**.example.org:443",        "*.example.org:443",
					    "CIDR:192.0.2.0/24",         "api.example.org:443",
					    "api.example.org:53/udp",    "*.b.example.org:443",
					    "api.example.org:80 ttl=10s"};
	uint32_t ids[8];

	begin_with(texts, LEN(texts));
	CHECK(ids_of("api.example.org", ids) == 5);
	CHECK(ids[0] == 3 && ids[1] == 4 && ids[2] == 6 && ids[3] == 0 && ids[4] == 1);
	CHECK(ids_of("x.b.example.org", ids) == 2 && ids[0] == 5 && ids[1] == 0);
	CHECK(ids_of("b.example.org", ids) == 2 && ids_of("x.y.b.example.org", ids) == 1);
	CHECK(!ids_of("example.org", ids) && !ids_of("org", ids) && !ids_of("", ids));
	CHECK(!ids_of("apiexample.org", ids) && !ids_of("192.0.2.0", ids));
	CHECK(match_expire(match, now, gone, NULL) == now + 10000);
	CHECK(match_expire(match, now + 10000, gone, NULL) == 0);
	CHECK(ids_of("api.example.org", ids) == 4 && !nth(6));
	match_set(match, &policy, now + 20000, gone, NULL);
	CHECK(!nth(6) && nth(3));
}

/* --- quotas -------------------------------------------------------------------------------- */

static void quotas(void)
{
	static const char *const texts[] = {"*.example.org:443", "a.example.org:443"};
	struct quota *q = quota_new(&arena, 42);
	char name[64];
	int given = 0;

	begin_with(texts, LEN(texts));
	for (int minute = 0; minute < 20; minute++) {
		int before = given;

		for (int i = 0; i < 100; i++) {
			snprintf(name, sizeof(name), "n%d-%d.example.org", minute, i);
			given += quota_take(q, nth(0), name, now);
		}
		CHECK(given - before == (minute < 8 ? QUOTA_MINUTE : 0));
		now += 60000;
	}
	CHECK(given == QUOTA_TOTAL);
	CHECK(quota_take(q, nth(0), "n0-0.example.org", now)); /* seen */
	for (int i = 0; i < 1000; i++)
		CHECK(quota_take(q, nth(1), "a.example.org", now)); /* no wildcard */
	/* Taken over, not begun anew, when other grants come and go. */
	match_set(match, &policy, now, gone, NULL);
	CHECK(!quota_take(q, nth(0), "fresh.example.org", now));

	struct bucket b = bucket_new(10, now);
	for (int i = 0; i < 10; i++)
		CHECK(bucket_take(&b, now));
	CHECK(!bucket_take(&b, now) && bucket_wait(&b) == 101);
	CHECK(!bucket_take(&b, now + 99) && bucket_take(&b, now + 101));
	given = 0;
	for (int i = 0; i < 20; i++)
		given += bucket_take(&b, now + (1LL << 50));
	CHECK(given == 10);
}

int main(void)
{
	policy = (struct egress_policy){.ipv6 = true};
	holders();
	of_one_name();
	of_one_answer();
	of_the_map();
	of_names();
	failing();
	matching();
	quotas();
	arena_free(&arena);
	return check_done();
}
