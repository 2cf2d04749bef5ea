/* request.json and the report of reset and verify: strict readers, and texts that read back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "reuse_policy.h"
#include "specs/report.h"
#include "specs/request.h"
#include "specs/work.h"

/* --- request ------------------------------------------------------------------------------ */

static int parse_request(struct arena *a, const char *json, struct brig_request *r, struct err *e)
{
	*e = (struct err){0};
	return request_parse(a, json, strlen(json), r, e);
}

static void test_request(void)
{
	static const char *const egress[] = {"api.example.org", "CIDR:192.0.2.0/24"};
	static const char *const ingress[] = {"8080"};
	static const char *const resolvers[] = {"192.0.2.53"};
	const struct brig_request whole = {
		.v = 1,
		.bundle = "/b",
		.level = "high",
		.system_config = "/etc/brig/other.json",
		.manager = "cgroupfs",
		.pid_file = "/run/pid",
		.audit = "syscalls",
		.keep_keyring = true,
		.pin_wait_ms = UINT64_MAX,
		.net = "veth",
		.egress = egress,
		.n_egress = LEN(egress),
		.ingress = ingress,
		.n_ingress = LEN(ingress),
		.resolvers = resolvers,
		.n_resolvers = LEN(resolvers),
	};
	own_arena struct arena a = {0};
	struct brig_request r;
	struct err e;
	size_t len;
	const char *json = request_print(&a, &whole, &len);

	CHECK(len == strlen(json) && !strchr(json, '\n'));
	CHECK(parse_request(&a, json, &r, &e) == 0);
	CHECK_STR(r.bundle, "/b");
	CHECK_STR(r.level, "high");
	CHECK_STR(r.system_config, "/etc/brig/other.json");
	CHECK_STR(r.manager, "cgroupfs");
	CHECK_STR(r.pid_file, "/run/pid");
	CHECK_STR(r.audit, "syscalls");
	CHECK(r.keep_keyring && r.pin_wait_ms == UINT64_MAX);
	CHECK_STR(r.net, "veth");
	CHECK(r.n_egress == 2 && r.n_ingress == 1 && r.n_resolvers == 1);
	CHECK_STR(r.egress[1], "CIDR:192.0.2.0/24");
	CHECK_STR(r.ingress[0], "8080");
	CHECK_STR(r.resolvers[0], "192.0.2.53");
	for (size_t n = 0; n < len; n++) /* a file cut short anywhere */
		CHECK(request_parse(&a, json, n, &r, &e) < 0);
}

static void test_bad_requests(void)
{
	static const char *const bad[] = {
		"{}",
		"[]",
		"{\"v\":1,\"bundle\":\"/b\"}",
		"{\"v\":2,\"bundle\":\"/b\",\"manager\":\"cgroupfs\"}",
		"{\"v\":1,\"bundle\":\"b\",\"manager\":\"cgroupfs\"}",
		"{\"v\":1,\"bundle\":\"/b\",\"manager\":\"\"}",
		"{\"v\":1,\"bundle\":\"/b\",\"manager\":\"none\"}",
		"{\"v\":1,\"bundle\":\"/b\",\"manager\":\"cgroupfs\",\"pidFile\":\"p\"}",
		"{\"v\":1,\"bundle\":\"/b\",\"manager\":\"cgroupfs\",\"systemConfig\":\"p\"}",
		"{\"v\":1,\"bundle\":\"/b\",\"manager\":\"cgroupfs\",\"preserveFds\":1}",
	};
	own_arena struct arena a = {0};
	struct brig_request r;
	struct err e;

	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(parse_request(&a, bad[i], &r, &e) < 0 && e.code && e.msg[0]);
}

/* --- report ------------------------------------------------------------------------------- */

static const int64_t none = 0, some = 3;
static const bool yes = true;
static const uint64_t nine = 9;
static const struct report_check rows[] = {
	{"pids",   &none, &some, true, NULL    },
	{"mounts", NULL,  NULL,  true, "as was"},
};
static const struct report_peak peak = {"0.250", "1.000", NULL, "0"};
static const struct report_changes changes = {.outside_writable = &nine, .bytes = &nine};
static const struct report_packages packages = {.listed = 9};
static const struct report_audit audited = {
	118,
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
};
static const struct report_valid valid = {2}, stale = {1};
static const char *const gaps[] = {"page cache timing"};

static const struct brig_report clean = {
	.v = 1,
	.op = "reset",
	.id = "c1",
	.status = "created",
	.from_gen = 1,
	.gen = 2,
	.clean = true,
	.valid_for = &valid,
	.ms = "0.610",
	.fingerprint = "sha256:00",
	.fingerprint_match = &yes,
	.checks = rows,
	.n_checks = LEN(rows),
	.uses = 1,
	.max_uses = &nine,
	.max_age_s = &nine,
	.age_s = 300,
	.gen_age_s = 1,
	.peak = &peak,
	.idle_s = &nine,
	.max_idle_s = &nine,
	.ran_ms = &nine,
	.changes = &changes,
	.packages = &packages,
	.audit = &audited,
	.not_covered = gaps,
	.n_not_covered = 1,
};

static int parse_report(struct arena *a, const char *json, struct brig_report *r, struct err *e)
{
	*e = (struct err){0};
	return report_parse(a, json, strlen(json), r, e);
}

static void test_report(void)
{
	own_arena struct arena a = {0};
	struct brig_report r;
	struct err e;
	size_t len;
	const char *json = report_print(&a, &clean, &len);

	CHECK(len == strlen(json) && !strchr(json, '\n'));
	CHECK(strstr(json, "\"ms\":0.610,"));
	CHECK(strstr(json, "\"memory_ratio\":0.250"));
	CHECK(parse_report(&a, json, &r, &e) == 0);
	CHECK(r.clean && r.gen == 2 && r.from_gen == 1 && r.uses == 1 && r.n_checks == 2);
	CHECK(r.checks[0].ok && *r.checks[0].value == 0 && *r.checks[0].limit == 3);
	CHECK(!r.checks[1].value && !r.peak->pids_ratio && !r.changes->added);
	CHECK(*r.changes->bytes == 9 && !r.changes->untrusted);
	CHECK(*r.idle_s == 9 && *r.max_idle_s == 9 && *r.ran_ms == 9);
	CHECK(r.packages->listed == 9 && !r.packages->n_differ);
	CHECK(r.audit->seq == 118 && r.valid_for->generation == 2);
	CHECK_STR(r.audit->hash, audited.hash);
	CHECK_STR(r.checks[1].detail, "as was");
	CHECK_STR(r.ms, "0.610");
	CHECK_STR(report_print(&a, &r, NULL), json);
	for (size_t n = 0; n < len; n++)
		CHECK(report_parse(&a, json, n, &r, &e) < 0);
}

/* Thresholds: a part of the limit in three digits, each once. */
static void test_retire_on(void)
{
	static const char *const bad[] = {
		"",           "memory",     "memory=",     "=1",    "memory=0", "memory=0.000",
		"memory=1.1", "memory=1,",  ",memory=1",   "x=1",   "cpu=.",    "cpu=1.",
		"pids=0.5 ",  "cpu=0.0001", "cpu=1,cpu=1", "cpu=2", "cpu=-1",   "cpu=0..5",
		"memory=01",  "cpu=0,5",    "disk=1e0",
	};
	struct state_retire_on t;

	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(reuse_read_retire_on(bad[i], &t) == -EINVAL);
	CHECK(reuse_read_retire_on("disk=1", &t) == 0 && t.disk == 1000 && !t.memory);
	CHECK(reuse_read_retire_on("memory=.9,cpu=0.95,pids=1.0,disk=0.001", &t) == 0);
	CHECK(t.memory == 900 && t.cpu == 950 && t.pids == 1000 && t.disk == 1);
}

static void test_overused(void)
{
	const struct state_reuse u = {
		.generation = 4, .retire_on = {.memory = 900, .disk = 1}
        };
	const struct reuse_use just = {900, 1000, 1000, 1}, unknown = {-1, -1, -1, -1};
	const struct reuse_use memory = {901, 0, 0, 0}, disk = {0, 0, 0, 1001};
	own_arena struct arena a = {0};

	CHECK(!reuse_overused(&a, &u, &just) && !reuse_overused(&a, &u, &unknown));
	CHECK_STR(reuse_overused(&a, &u, &memory),
		  "generation 4 used 0.901 of its memory, more than 0.900");
	CHECK_STR(reuse_overused(&a, &u, &disk),
		  "generation 4 used 1.001 of its disk, more than 0.001");
}

/* "clean" is never said beside something that is not. */
static void test_contradictions(void)
{
	static const struct report_check dirty[] = {
		{"pids", &some, &none, false, NULL}
        };
	static const char *const taint[] = {"manual"};
	static const bool no = false;
	const struct report_packages differ = {.listed = 9, .differ = taint, .n_differ = 1};
	struct brig_report made[] = {clean, clean, clean, clean, clean};
	own_arena struct arena a = {0};
	struct brig_report r;
	struct err e;

	made[0].valid_for = &stale;
	CHECK(parse_report(&a, report_print(&a, &made[0], NULL), &r, &e) < 0);
	CHECK(str_starts(e.msg, "valid_for: "));
	made[0].valid_for = &valid;
	made[0].refused = "too old";
	made[1].taint = taint;
	made[1].n_taint = 1;
	made[2].fingerprint_match = &no;
	made[3].checks = dirty;
	made[3].n_checks = 1;
	made[4].packages = &differ;
	for (size_t i = 0; i < LEN(made); i++) {
		CHECK(parse_report(&a, report_print(&a, &made[i], NULL), &r, &e) < 0);
		CHECK(str_starts(e.msg, "clean: "));
		made[i].clean = false;
		CHECK(parse_report(&a, report_print(&a, &made[i], NULL), &r, &e) < 0);
		CHECK(str_starts(e.msg, "valid_for: "));
		made[i].valid_for = NULL;
		CHECK(parse_report(&a, report_print(&a, &made[i], NULL), &r, &e) == 0);
	}
}

static void test_bad_numbers(void)
{
	static const char *const bad[] = {"", "-1", "01", "1.", ".5", "1e3", "0x1", "1.2.3", "one"};
	own_arena struct arena a = {0};
	struct brig_report one = clean, r;
	struct err e;

	for (size_t i = 0; i < LEN(bad); i++) {
		one.ms = arena_printf(&a, "\"%s\"", bad[i]);
		CHECK(parse_report(&a, report_print(&a, &one, NULL), &r, &e) < 0 || !*bad[i]);
	}
}

/* --- late work ---------------------------------------------------------------------------- */

static void test_work(void)
{
	static const char *const bad[] = {
		"{}",
		"{\"args\":[]}",
		"{\"args\":[\"\"]}",
		"{\"args\":[\"x\"],\"cwd\":\"y\"}",
		"{\"args\":[\"x\"],\"env\":[\"y\"]}",
		"{\"args\":[\"x\"],\"env\":[\"=y\"]}",
		"{\"args\":[\"x\"],\"user\":{}}",
		"{\"args\":[\"x\"],\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1}]}",
		"{\"args\":[\"x\"],\"rlimits\":[{\"type\":\"CPU\",\"soft\":1,\"hard\":1}]}",
		"{\"args\":[\"x\"],\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"x\":1}]}",
	};
	static const char *const limits[] = {"0:1:2", "7:30:40"};
	static const char good[] =
		"{\"args\":[\"x\",\"\",\"z\"],\"env\":[\"A=\",\"B=1\"],\"cwd\":\"/\"}";
	own_arena struct arena a = {0};
	struct brig_work w, v;
	struct err e;
	size_t len;

	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(work_parse(&a, bad[i], strlen(bad[i]), &w, &e) < 0 && e.msg[0]);
	CHECK(work_parse(&a, good, sizeof(good) - 1, &w, &e) == 0);
	CHECK_STR(work_print(&a, &w, NULL), good);
	w.limits = limits;
	w.n_limits = LEN(limits);
	const char *bytes = work_pack(&a, &w, &len);
	CHECK(work_unpack(&a, bytes, len, &v, &e) == 0);
	CHECK_STR(work_print(&a, &v, NULL), good);
	CHECK(!v.args[3] && !v.env[2]);
	CHECK(v.n_limits == 2);
	CHECK_STR(v.limits[0], limits[0]);
	CHECK_STR(v.limits[1], limits[1]);
	/* Cut short or longer anywhere, and nothing is read behind the end. */
	for (size_t n = 0; n < len; n++) {
		own_free char *part = malloc(n ? n : 1);

		memcpy(part, bytes, n);
		CHECK(work_unpack(&a, part, n, &v, &e) < 0);
	}
	own_free char *more = malloc(len + 1);
	memcpy(more, bytes, len);
	more[len] = '\0';
	CHECK(work_unpack(&a, more, len + 1, &v, &e) < 0);
}

int main(void)
{
	test_work();
	test_request();
	test_bad_requests();
	test_report();
	test_retire_on();
	test_overused();
	test_contradictions();
	test_bad_numbers();
	return check_done();
}
