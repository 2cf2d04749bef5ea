/* state.json is read with suspicion; the OCI state is printed as runc prints it. */
#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/own.h"
#include "check.h"
#include "specs/state.h"

static const struct cgroup_dir dirs[] = {
	{"cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/brig/c1", true,  UINT64_MAX},
	{"",            "/sys/fs/cgroup/unified/brig/c1",     false, 0         },
};
static const struct oci_map notes[] = {
	{"org.example", "a \"quoted\"\nvalue"},
	{"z",           ""		   },
};

static const struct brig_state whole = {
	.v = 1,
	.oci_version = "1.3.0",
	.id = "c1",
	.status = "running",
	.pid = 4422,
	.start_time = UINT64_MAX,
	.bundle = "/b",
	.rootfs = "/b/rootfs",
	.created = "2025-01-01T00:00:00.123456789Z",
	.owner = 1000,
	.level = "custom",
	.private_pid_ns = true,
	.cgroup = {.layout = "hybrid",
		   .manager = "systemd",
		   .unit = "brig-c1.scope",
		   .owned = true,
		   .dirs = dirs,
		   .n_dirs = 2},
	.resctrl_group = "/sys/fs/resctrl/c1",
	.annotations = notes,
	.n_annotations = 2,
};

static int parse(struct arena *a, const char *json, size_t len, struct brig_state *s, struct err *e)
{
	own_free char *copy = malloc(len ? len : 1);

	memcpy(copy, json, len);
	*e = (struct err){0};
	return state_parse(a, copy, len, s, e);
}

static void test_round_trip(void)
{
	own_arena struct arena a = {0};
	struct brig_state s;
	struct err e;
	size_t len;
	const char *json = state_print(&a, &whole, &len);

	CHECK(!strchr(json, '\n') && len == strlen(json));
	CHECK(parse(&a, json, len, &s, &e) == 0);
	CHECK(s.v == 1 && s.pid == 4422 && s.start_time == UINT64_MAX && s.owner == 1000);
	CHECK_STR(s.id, "c1");
	CHECK_STR(s.status, "running");
	CHECK_STR(s.oci_version, "1.3.0");
	CHECK_STR(s.bundle, "/b");
	CHECK_STR(s.rootfs, "/b/rootfs");
	CHECK_STR(s.created, whole.created);
	CHECK_STR(s.level, "custom");
	CHECK(s.private_pid_ns && s.cgroup.owned);
	CHECK_STR(s.cgroup.layout, "hybrid");
	CHECK_STR(s.cgroup.manager, "systemd");
	CHECK_STR(s.cgroup.unit, "brig-c1.scope");
	CHECK(s.cgroup.n_dirs == 2);
	CHECK_STR(s.cgroup.dirs[0].hierarchy, "cpu,cpuacct");
	CHECK(s.cgroup.dirs[0].inode == UINT64_MAX);
	CHECK_STR(s.cgroup.dirs[1].hierarchy, "");
	CHECK_STR(s.cgroup.dirs[1].path, dirs[1].path);
	CHECK_STR(s.resctrl_group, "/sys/fs/resctrl/c1");
	CHECK(!s.resctrl_monitor && s.n_annotations == 2);
	CHECK_STR(s.annotations[0].value, notes[0].value);
	CHECK_STR(state_print(&a, &s, NULL), json);

	for (size_t n = 0; n < len; n++) /* a file cut short anywhere */
		CHECK(parse(&a, json, n, &s, &e) < 0);
}

/* A shell and its generations. */
static void test_reuse(void)
{
	const struct state_reuse shell = {
		.generation = 3,
		.uses = 2,
		.resets = 2,
		.max_uses = 9,
		.max_age_ms = 1000,
		.created_ns = 5,
		.generation_ns = UINT64_MAX,
		.key = "tenant",
		.journal = "verify",
		.plan = "sha256:1",
		.fingerprint = "sha256:2",
		.ids_base = 4000000000,
		.cpus = "0-1",
		.boot_id = "98562f43-0000-4000-8000-000000000000",
	};
	own_arena struct arena a = {0};
	struct brig_state one = whole, s;
	struct state_reuse bad = shell;
	struct err e;
	size_t len;

	one.reuse = &shell;
	const char *json = state_print(&a, &one, &len);
	CHECK(parse(&a, json, len, &s, &e) == 0 && s.reuse);
	CHECK(s.reuse->generation == 3 && s.reuse->ids_base == 4000000000);
	CHECK_STR(s.reuse->journal, "verify");
	CHECK_STR(s.reuse->boot_id, shell.boot_id);
	CHECK_STR(state_print(&a, &s, NULL), json);
	one.reuse = &bad;
	bad.journal = "nothing";
	json = state_print(&a, &one, &len);
	CHECK(parse(&a, json, len, &s, &e) < 0);
	bad.journal = NULL;
	bad.generation = 0;
	json = state_print(&a, &one, &len);
	CHECK(parse(&a, json, len, &s, &e) < 0);
}

/* Written first, before anything is known of the cgroup. */
static void test_early(void)
{
	own_arena struct arena a = {0};
	struct brig_state early = whole, s;
	struct err e;
	size_t len;

	early.status = "creating";
	early.pid = 0;
	early.start_time = 0;
	early.cgroup = (struct cgroup_record){0};
	const char *json = state_print(&a, &early, &len);
	CHECK(parse(&a, json, len, &s, &e) == 0);
	CHECK(s.pid == 0 && !s.cgroup.owned && !s.cgroup.n_dirs && !s.cgroup.unit);
	CHECK_STR(s.cgroup.layout, "none");
	CHECK_STR(s.cgroup.manager, "disabled");
}

/* The state of test_round_trip with one part replaced. */
static void refused(const char *from, const char *to, const char *want)
{
	own_arena struct arena a = {0};
	const char *json = state_print(&a, &whole, NULL), *at = strstr(json, from);
	struct brig_state s;
	struct err e = {0};

	CHECK(at != NULL);
	if (!at)
		return;
	json = arena_printf(&a, "%.*s%s%s", (int)(at - json), json, to, at + strlen(from));
	CHECK(parse(&a, json, strlen(json), &s, &e) < 0);
	CHECK_STR(e.msg, want);
}

static void test_refused(void)
{
	refused("\"pid\":4422", "\"pid\":-1", "pid: -1 does not fit");
	refused("\"pid\":4422", "\"pid\":4194305", "pid: 4194305 does not fit");
	refused("\"pid\":4422", "\"pid\":9223372036854775808",
		"pid: 9223372036854775808 does not fit");
	refused("\"pid\":4422", "\"pid\":\"4422\"", "pid: not an integer");
	refused("\"pid\":4422", "\"pid\":4422.5", "pid: 4422.5 is not an integer");
	refused("\"pid\":4422", "\"pid\":1,\"pid\":2", "pid: given twice");
	refused("\"pid\":4422,", "", "pid: missing");
	refused("\"v\":1", "\"v\":2", "v: format 2 is not known");
	refused("\"id\":\"c1\"", "\"id\":\"\"", "id: \"\" is no container id");
	refused("\"id\":\"c1\"", "\"id\":\"..\"", "id: \"..\" is no container id");
	refused("\"id\":\"c1\"", "\"id\":\"a/b\"", "id: \"a/b\" is no container id");
	refused("\"status\":\"running\"", "\"status\":\"happy\"",
		"status: \"happy\" is no such word");
	refused("\"hybrid\"", "\"v3\"", "cgroup: layout: \"v3\" is no such word");
	refused("\"systemd\"", "\"runit\"", "cgroup: manager: \"runit\" is no such word");
	refused("\"/sys/fs/cgroup/unified/brig/c1\"", "\"brig/c1\"",
		"cgroup: dirs[1]: path: \"brig/c1\" is not absolute");
	refused("\"/sys/fs/cgroup/unified/brig/c1\"", "\"/sys/fs/cgroup/..\"",
		"cgroup: dirs[1]: path: \"/sys/fs/cgroup/..\" has a \"..\"");
	refused("\"/sys/fs/resctrl/c1\"", "\"/sys/../etc\"",
		"resctrlGroup: \"/sys/../etc\" has a \"..\"");
	refused("\"/b\"", "\"b\"", "bundle: \"b\" is not absolute");
	refused("\"owned\":true", "\"owned\":1", "cgroup: owned: not true or false");
	refused("\"owner\":1000", "\"owner\":4294967295", "owner: 4294967295 does not fit");
	refused("\"cgroup\":{", "\"cgroup\":[{", "cgroup: not an object");
	refused("\"c1\"", "\"c\\u0000\"", "id: holds a NUL character");
	/* dots that go nowhere are names */
	own_arena struct arena a = {0};
	struct brig_state odd = whole, s;
	struct err e;
	odd.bundle = "/a..b/..c/d..";
	const char *json = state_print(&a, &odd, NULL);
	CHECK(parse(&a, json, strlen(json), &s, &e) == 0);
}

static void test_binary(void)
{
	own_arena struct arena a = {0};
	char junk[4096];
	struct brig_state s;
	struct err e;

	CHECK(parse(&a, "", 0, &s, &e) < 0);
	memset(junk, 0, sizeof(junk));
	CHECK(parse(&a, junk, sizeof(junk), &s, &e) < 0);
	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (char)(i * 7 + 1);
	CHECK(parse(&a, junk, sizeof(junk), &s, &e) < 0);
	memset(junk, '[', sizeof(junk));
	CHECK(parse(&a, junk, sizeof(junk), &s, &e) < 0);
	memset(junk, '{', sizeof(junk));
	CHECK(parse(&a, junk, sizeof(junk), &s, &e) < 0);
}

static void test_oci_state(void)
{
	own_arena struct arena a = {0};
	struct oci_state o = {.oci_version = "1.3.0",
			      .id = "c1",
			      .status = "running",
			      .pid = 7,
			      .bundle = "/b",
			      .rootfs = "/b/r",
			      .created = "2025-01-01T00:00:00Z",
			      .owner = "root"};
	size_t len;

	CHECK_STR(oci_state_print(&a, &o, false, &len),
		  "{\n  \"ociVersion\": \"1.3.0\",\n  \"id\": \"c1\",\n  \"pid\": 7,\n"
		  "  \"status\": \"running\",\n  \"bundle\": \"/b\",\n  \"rootfs\": \"/b/r\",\n"
		  "  \"created\": \"2025-01-01T00:00:00Z\",\n  \"owner\": \"root\"\n}");
	o.annotations = notes;
	o.n_annotations = 1;
	o.owner = NULL;
	CHECK_STR(oci_state_print(&a, &o, false, &len),
		  "{\n  \"ociVersion\": \"1.3.0\",\n  \"id\": \"c1\",\n  \"pid\": 7,\n"
		  "  \"status\": \"running\",\n  \"bundle\": \"/b\",\n  \"rootfs\": \"/b/r\",\n"
		  "  \"created\": \"2025-01-01T00:00:00Z\",\n  \"annotations\": {\n"
		  "    \"org.example\": \"a \\\"quoted\\\"\\nvalue\"\n  },\n  \"owner\": \"\"\n}");
	CHECK_STR(oci_state_print(&a, &o, true, &len),
		  "{\"ociVersion\":\"1.3.0\",\"id\":\"c1\",\"pid\":7,\"status\":\"running\","
		  "\"bundle\":\"/b\",\"annotations\":{\"org.example\":\"a "
		  "\\\"quoted\\\"\\nvalue\"}}");
	CHECK(len == strlen(oci_state_print(&a, &o, true, NULL)));
}

/* What a used cgroup had counted, and what an older brig did not write. */
static void test_baseline(void)
{
	own_arena struct arena a = {0};
	static const struct state_baseline start = {
		.cpu_ns = 7, .memory_peak = -1, .oom_kills = 2, .writes = INT64_MAX};
	struct brig_state s = whole;
	struct err e;
	size_t len;

	s.baseline = &start;
	s.started_ns = 5;
	s.runner_pid = 99;
	s.filter_kills = true;
	const char *json = state_print(&a, &s, &len);
	CHECK(parse(&a, json, len, &s, &e) == 0);
	CHECK(s.baseline && s.baseline->cpu_ns == 7 && s.baseline->memory_peak == -1);
	CHECK(s.baseline && s.baseline->oom_kills == 2 && s.baseline->writes == INT64_MAX);
	CHECK(s.started_ns == 5 && s.runner_pid == 99 && s.filter_kills);
	s.runner_pid = -1;
	json = state_print(&a, &s, &len);
	CHECK(parse(&a, json, len, &s, &e) == -ERANGE && strstr(e.msg, "runnerPid"));
	json = state_print(&a, &whole, &len);
	CHECK(parse(&a, json, len, &s, &e) == 0 && !s.baseline && !s.runner_pid);
}

int main(void)
{
	test_reuse();
	test_round_trip();
	test_baseline();
	test_early();
	test_refused();
	test_binary();
	test_oci_state();
	return check_done();
}
