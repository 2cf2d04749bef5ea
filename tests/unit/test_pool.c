/* lease.json and pool.json: strict readers, texts that read back, and how long a lease holds. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "lease.h"
#include "pools.h"
#include "specs/lease.h"
#include "specs/pool.h"

#define HEX  "0123456789abcdef"
#define SUM  HEX HEX HEX HEX
#define BOOT "01234567-89ab-cdef-0123-456789abcdef"

static const struct brig_lease whole_lease = {
	.v = 1,
	.token = SUM,
	.holder = "controller-1",
	.key = "tenant:a",
	.generation = 7,
	.acquired_ns = 1000,
	.expires_ns = 5000,
	.boot_id = BOOT,
	.ttl_ms = 60000,
};

/* --- the lease ------------------------------------------------------------------------------ */

static int parse_lease(struct arena *a, const char *json, struct brig_lease *l, struct err *e)
{
	*e = (struct err){0};
	return lease_parse(a, json, strlen(json), l, e);
}

static void test_lease(void)
{
	own_arena struct arena a = {0};
	struct brig_lease l;
	struct err e;
	size_t len;
	const char *json = lease_print(&a, &whole_lease, &len);

	CHECK(len == strlen(json) && !strchr(json, '\n'));
	CHECK(parse_lease(&a, json, &l, &e) == 0);
	CHECK_STR(l.token, SUM);
	CHECK_STR(l.holder, "controller-1");
	CHECK_STR(l.key, "tenant:a");
	CHECK_STR(l.boot_id, BOOT);
	CHECK(l.generation == 7 && l.acquired_ns == 1000 && l.expires_ns == 5000);
	CHECK(l.ttl_ms == 60000 && !l.spent);
	for (size_t n = 0; n < len; n++) /* a file cut short anywhere */
		CHECK(lease_parse(&a, json, n, &l, &e) < 0);
}

static void bad_lease(const struct brig_lease *l, const char *word)
{
	own_arena struct arena a = {0};
	struct brig_lease ignored;
	struct err e;

	CHECK(parse_lease(&a, lease_print(&a, l, NULL), &ignored, &e) < 0);
	CHECK(str_starts(e.msg, word));
}

/* Each is the whole one with one thing changed. */
#define BAD(word, member, value)                                                                   \
	do {                                                                                       \
		struct brig_lease bad_ = whole_lease;                                              \
		bad_.member = (value);                                                             \
		bad_lease(&bad_, word);                                                            \
	} while (0)

static void test_bad_leases(void)
{
	own_arena struct arena a = {0};
	struct brig_lease l;
	struct err e;

	BAD("v", v, 2);
	BAD("token", token, HEX);
	BAD("token", token, SUM "0");
	BAD("token", token, "G" SUM);
	BAD("holder", holder, "a b");
	BAD("key", key, "a\tb");
	BAD("generation", generation, 0);
	BAD("expiresNs", expires_ns, 999);
	BAD("bootId", boot_id, "0");
	BAD("ttlMs", ttl_ms, 0);
	BAD("ttlMs", ttl_ms, LEASE_TTL_MAX_MS + 1);
	BAD("spent", spent, true);
	CHECK(parse_lease(&a, "{}", &l, &e) < 0);
	CHECK(parse_lease(&a, "[]", &l, &e) < 0);
}

static void test_left(void)
{
	struct brig_lease l = whole_lease;

	CHECK(lease_left_ns(&l, 1000, BOOT) == 4000);
	CHECK(lease_left_ns(&l, 4999, BOOT) == 1);
	CHECK(lease_left_ns(&l, 5000, BOOT) == 0);
	CHECK(lease_left_ns(&l, UINT64_MAX, BOOT) == 0);
	CHECK(lease_left_ns(&l, 1000, NULL) == 4000);
	CHECK(lease_left_ns(&l, 1000, "another") == 0);
	l.token = NULL;
	CHECK(lease_left_ns(&l, 1000, BOOT) == 0);
}

/* --- the file and its token ------------------------------------------------------------------ */

static void test_file(void)
{
	char path[] = "/tmp/brig-lease-XXXXXX";
	own_arena struct arena a = {0};
	const struct lease_wish w = {.key = "k", .holder = "h", .ttl_ms = 60000};
	struct lease_token token, other;
	struct brig_lease l;
	struct err e;

	CHECK(mkdtemp(path));
	own_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(lease_read(&a, dir, &l, &e) == 0 && !l.v && !lease_valid_ns(&l));
	/* Nobody ever had it: nothing is written. */
	CHECK(lease_drop(&a, dir, 1, false, &e) == 0);
	CHECK(faccessat(dir, LEASE_FILE, F_OK, 0) < 0);
	CHECK(lease_token(&token, &e) == 0 && lease_token(&other, &e) == 0);
	CHECK(strlen(token.text) == LEASE_TOKEN_DIGITS && !str_eq(token.text, other.text));
	CHECK(lease_give(dir, &w, token.text, 3, NULL, &e) == 0 &&
	      lease_read(&a, dir, &l, &e) == 0);
	CHECK(l.generation == 3 && lease_valid_ns(&l) > 0 && !str_eq(l.token, token.text));
	CHECK(lease_is_of(&l, token.text) && !lease_is_of(&l, other.text));
	CHECK(!lease_is_of(&l, NULL) && !lease_is_of(&l, "") && !lease_is_of(&l, l.token));
	CHECK(lease_carry(&a, dir, 4, &e) == 0 && lease_read(&a, dir, &l, &e) == 0);
	CHECK(l.generation == 4 && lease_is_of(&l, token.text));
	CHECK(lease_drop(&a, dir, 4, false, &e) == 0 && lease_read(&a, dir, &l, &e) == 0);
	CHECK(!lease_valid_ns(&l) && !lease_is_of(&l, token.text) && !l.spent);
	CHECK_STR(l.key, "k"); /* whom it was used for stays */
	/* One that ran out is not carried on. */
	CHECK(lease_carry(&a, dir, 5, &e) == 0 && lease_read(&a, dir, &l, &e) == 0);
	CHECK(l.generation == 4);
	CHECK(lease_drop(&a, dir, 4, true, &e) == 0 && lease_read(&a, dir, &l, &e) == 0);
	CHECK(l.spent);
	CHECK(unlinkat(dir, LEASE_FILE, 0) == 0);
	CHECK(lease_drop(&a, dir, 9, true, &e) == 0 && lease_read(&a, dir, &l, &e) == 0);
	CHECK(l.spent && l.generation == 9);
	CHECK(unlinkat(dir, LEASE_FILE, 0) == 0 && rmdir(path) == 0);
}

/* --- the pool -------------------------------------------------------------------------------- */

static int parse_pool(struct arena *a, const char *json, struct brig_pool *p, struct err *e)
{
	*e = (struct err){0};
	return pool_parse(a, json, strlen(json), p, e);
}

static void test_pool(void)
{
	static const char *const two[] = {"api.example.org:443", "CIDR:203.0.113.0/24"};
	static const char *const one[] = {"/etc/brig/filter.json"};
	static const char *const volumes[] = {"/data=overlay"};
	const struct brig_pool whole = {
		.v = 1,
		.name = "py-3.12",
		.bundle = "/b",
		.level = "high",
		.system_config = "/etc/brig/brig.json",
		.min = 2,
		.max = 4,
		.max_uses = 32,
		.max_age_ms = 3600000,
		.max_idle_ms = 60000,
		.retire_on = "memory=0.9",
		.evidence = "/var/evidence",
		.shrink_ms = 5,
		.keep_layers = true,
		.net = "veth",
		.egress = two,
		.n_egress = 2,
		.ingress = two,
		.n_ingress = 1,
		.resolvers = two,
		.n_resolvers = 2,
		.volumes = volumes,
		.n_volumes = 1,
		.digests = true,
		.packages = "/srv/py.sums",
		.seccomp = one,
		.n_seccomp = 1,
		.serial = UINT64_MAX,
		.draining = true,
		.counters = {1, 2, 3, 4, 5, 6, 7, 8, 9},
	};
	own_arena struct arena a = {0};
	struct brig_pool p;
	struct err e;
	size_t len;
	const char *json = pool_print(&a, &whole, &len);

	CHECK(parse_pool(&a, json, &p, &e) == 0);
	CHECK_STR(p.name, "py-3.12");
	CHECK_STR(p.bundle, "/b");
	CHECK_STR(p.retire_on, "memory=0.9");
	CHECK_STR(p.evidence, "/var/evidence");
	CHECK_STR(p.level, "high");
	CHECK_STR(p.system_config, "/etc/brig/brig.json");
	CHECK(p.min == 2 && p.max == 4 && p.max_uses == 32 && p.max_age_ms == 3600000);
	CHECK(p.max_idle_ms == 60000 && p.shrink_ms == 5 && p.keep_layers &&
	      p.serial == UINT64_MAX && p.draining);
	CHECK_STR(p.net, "veth");
	CHECK(p.n_egress == 2 && p.n_ingress == 1 && p.n_resolvers == 2 && p.digests);
	CHECK_STR(p.egress[1], two[1]);
	CHECK_STR(p.ingress[0], two[0]);
	CHECK_STR(p.resolvers[1], two[1]);
	CHECK(p.n_volumes == 1 && p.n_seccomp == 1);
	CHECK_STR(p.volumes[0], volumes[0]);
	CHECK_STR(p.seccomp[0], one[0]);
	CHECK_STR(p.packages, "/srv/py.sums");
	CHECK(memcmp(&p.counters, &whole.counters, sizeof(p.counters)) == 0);
	for (size_t n = 0; n < len; n++)
		CHECK(pool_parse(&a, json, n, &p, &e) < 0);
}

static void test_bad_pools(void)
{
#define TAIL ",\"serial\":0,\"counters\":{}}"
	static const char *const bad[] = {
		"{}",
		"{\"v\":2,\"name\":\"p\",\"bundle\":\"/b\",\"min\":0,\"max\":1" TAIL,
		"{\"v\":1,\"name\":\".p\",\"bundle\":\"/b\",\"min\":0,\"max\":1" TAIL,
		"{\"v\":1,\"name\":\"a/b\",\"bundle\":\"/b\",\"min\":0,\"max\":1" TAIL,
		"{\"v\":1,\"name\":\"p\",\"bundle\":\"b\",\"min\":0,\"max\":1" TAIL,
		"{\"v\":1,\"name\":\"p\",\"bundle\":\"/b\",\"min\":2,\"max\":1" TAIL,
		"{\"v\":1,\"name\":\"p\",\"bundle\":\"/b\",\"min\":0,\"max\":0" TAIL,
		"{\"v\":1,\"name\":\"p\",\"bundle\":\"/b\",\"min\":0,\"max\":4097" TAIL,
		"{\"v\":1,\"name\":\"p\",\"bundle\":\"/b\",\"min\":0,\"max\":1,\"x\":1" TAIL,
		"{\"v\":1,\"name\":\"p\",\"bundle\":\"/"
		"b\",\"min\":0,\"max\":1,\"net\":\"pasta\"" TAIL,
		"{\"v\":1,\"name\":\"p\",\"bundle\":\"/"
		"b\",\"min\":0,\"max\":1,\"egress\":\"x\"" TAIL,
		"{\"v\":1,\"name\":\"p\",\"bundle\":\"/"
		"b\",\"min\":0,\"max\":1,\"volumes\":[1]" TAIL,
		"{\"v\":1,\"name\":\"p\",\"bundle\":\"/"
		"b\",\"min\":0,\"max\":1,\"packages\":\"p\"" TAIL,
		"{\"v\":1,\"name\":\"p\",\"bundle\":\"/"
		"b\",\"min\":0,\"max\":1,\"seccomp\":[\"s\"]" TAIL,
	};
	own_arena struct arena a = {0};
	struct brig_pool p;
	struct err e;

	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(parse_pool(&a, bad[i], &p, &e) < 0 && e.code && e.msg[0]);
	CHECK(parse_pool(&a, "{\"v\":1,\"name\":\"p\",\"bundle\":\"/b\",\"min\":0,\"max\":1" TAIL,
			 &p, &e) == 0);
}

static void test_member_ids(void)
{
	static const struct {
		const char *pool, *id;
		uint64_t serial; /* 0: it is none */
	} rows[] = {
		{"p",   "p-1",                    1 },
		{"p",   "p-10",                   10},
		{"p-1", "p-1-2",                  2 },
		{"p",   "p-1-2",                  0 },
		{"p",   "p-",                     0 },
		{"p",   "p-0",                    0 },
		{"p",   "p-01",                   0 },
		{"p",   "p-1x",                   0 },
		{"p",   "p1",                     0 },
		{"p",   "q-1",                    0 },
		{"p",   "p-99999999999999999999", 0 },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		uint64_t serial = 0;
		bool is = pool_member_id(rows[i].pool, rows[i].id, &serial);

		CHECK(is == !!rows[i].serial);
		CHECK(!is || serial == rows[i].serial);
	}
}

int main(void)
{
	test_lease();
	test_bad_leases();
	test_left();
	test_file();
	test_pool();
	test_bad_pools();
	test_member_ids();
	return check_done();
}
