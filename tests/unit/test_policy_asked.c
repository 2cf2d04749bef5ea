/* Limits that wishes name hold over config.json's where they are smaller, and nowhere else. */
#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "policy/policy.h"
#include "policy_fixture.h"
#include "specs/json_print.h"

/* What is left of the resources and limits of a container, as JSON. */
static struct arena arena;
static struct policy policy;

static const char *apply(const char *level, const char *annotations, const char *resources,
			 const char *rlimits)
{
	const char *json = arena_printf(
		&arena,
		"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"annotations\":{%s},"
		"\"process\":{\"cwd\":\"/"
		"\",\"args\":[\"x\"],\"user\":{\"uid\":0,\"gid\":0},\"rlimits\":[%s]},"
		"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":"
		"\"network\"}],"
		"\"resources\":{%s}}}",
		annotations, rlimits, resources);
	struct policy_facts f = fixture_facts();
	struct oci_config c;
	struct err e = {0};
	struct json_out o;
	struct policy_request r = {.flag_level = level, .config = &c};

	if (oci_config_parse(&arena, json, strlen(json), &c, &e) < 0 ||
	    policy_resolve(&arena, &r, &policy, &e) < 0 ||
	    policy_apply(&arena, &policy, &f, &c, &e) < 0)
		return arena_strdup(&arena, e.msg);
	struct oci_resources left = *c.linux_->resources;
	struct oci_process p = *c.process;
	left.devices = NULL;
	const struct oci_linux l = {.resources = &left};
	const struct oci_config only = {.oci_version = "", .linux_ = &l, .process = &p};
	json_begin(&o, &arena, 0);
	json_print_type(&o, oci_config_type(), &only);
	return json_done(&o, NULL);
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fprintf(stderr, "no %s in %s\n", part, text);
	CHECK(strstr(text, part));
}

static void test_memory(void)
{
	const char *ask = "\"dev.brig.memory.limit\":\"64Mi\"";

	has(apply("standard", ask, "", ""), "\"memory\":{\"limit\":67108864}");
	has(apply("standard", ask, "\"memory\":{\"limit\":1073741824}", ""),
	    "\"memory\":{\"limit\":67108864}");
	has(apply("standard", ask, "\"memory\":{\"limit\":-1}", ""),
	    "\"memory\":{\"limit\":67108864}");
	has(apply("standard", ask, "\"memory\":{\"limit\":1048576}", ""),
	    "\"memory\":{\"limit\":1048576}");
	/* less memory is not more swap */
	has(apply("standard", ask, "\"memory\":{\"limit\":1073741824,\"swap\":1073741924}", ""),
	    "\"memory\":{\"limit\":67108864,\"swap\":67108964}");
	has(apply("standard", "\"dev.brig.swap.limit\":\"0\"",
		  "\"memory\":{\"limit\":1048576,\"swap\":4194304}", ""),
	    "\"memory\":{\"limit\":1048576,\"swap\":1048576}");
	has(apply("standard", "\"dev.brig.swap.limit\":\"0\"", "", ""),
	    "a swap limit needs a memory limit");
	has(apply("standard", "", "\"memory\":{\"limit\":1073741824}", ""),
	    "\"memory\":{\"limit\":1073741824}");
}

static void test_pids(void)
{
	const char *many = "\"pids\":{\"limit\":2048}";

	has(apply("standard", "", many, ""), many);
	has(apply("standard", "", "", ""), "\"pids\":{\"limit\":512}");
	has(apply("standard", "\"dev.brig.pids.limit\":\"10\"", many, ""),
	    "\"pids\":{\"limit\":10}");
	has(apply("standard", "\"dev.brig.pids.limit\":\"10\"", "", ""), "\"pids\":{\"limit\":10}");
	/* above the level's default, below the engine's: what was asked for */
	has(apply("standard", "\"dev.brig.pids.limit\":\"1000\"", many, ""),
	    "\"pids\":{\"limit\":1000}");
	has(apply("standard", "\"dev.brig.pids.limit\":\"1000\"", "", ""),
	    "\"pids\":{\"limit\":512}");
	has(apply("standard", "\"dev.brig.pids.limit\":\"0\"", many, ""), "0 is too little");
}

static void test_cpu(void)
{
	const char *ask = "\"dev.brig.cpu.limit\":\"500m\"";

	has(apply("standard", ask, "", ""), "\"quota\":50000,\"period\":100000");
	has(apply("standard", ask, "\"cpu\":{\"quota\":200000,\"period\":200000}", ""),
	    "\"quota\":100000,\"period\":200000");
	has(apply("standard", ask, "\"cpu\":{\"quota\":20000,\"period\":100000}", ""),
	    "\"quota\":20000,\"period\":100000");
	has(apply("standard", ask, "\"cpu\":{\"quota\":-1,\"shares\":5}", ""),
	    "\"cpu\":{\"shares\":5,\"quota\":50000,\"period\":100000}");
	has(apply("standard", "\"dev.brig.cpu.limit\":\"0.001\"", "", ""), "\"quota\":1000,");
	has(apply("standard", ask, "\"cpu\":{\"quota\":200000,\"period\":100000,\"burst\":100000}",
		  ""),
	    "\"quota\":50000,\"burst\":50000,");
	CHECK(!strstr(apply("standard", "", "", ""), "quota"));
}

static void test_nofile(void)
{
	const char *ask = "\"dev.brig.nofile.limit\":\"100\"";

	has(apply("standard", ask, "", "{\"type\":\"RLIMIT_NOFILE\",\"soft\":50,\"hard\":5000}"),
	    "{\"type\":\"RLIMIT_NOFILE\",\"soft\":50,\"hard\":100}");
	has(apply("standard", ask, "", ""),
	    "{\"type\":\"RLIMIT_NOFILE\",\"soft\":100,\"hard\":100}");
	has(apply("standard", "", "", "{\"type\":\"RLIMIT_NOFILE\",\"soft\":50,\"hard\":5000}"),
	    "{\"type\":\"RLIMIT_NOFILE\",\"soft\":50,\"hard\":5000}");
}

static void test_fsize(void)
{
	const char *ask = "\"dev.brig.fsize.limit\":\"8k\"";

	has(apply("standard", ask, "", "{\"type\":\"RLIMIT_FSIZE\",\"soft\":50,\"hard\":50000}"),
	    "{\"type\":\"RLIMIT_FSIZE\",\"soft\":50,\"hard\":8192}");
	has(apply("standard", ask, "", ""),
	    "{\"type\":\"RLIMIT_FSIZE\",\"soft\":8192,\"hard\":8192}");
	CHECK(!strstr(apply("standard", "", "", ""), "FSIZE"));
	has(apply("standard", "\"dev.brig.fsize.limit\":\"4095\"", "", ""), "4095 is too little");
}

/* exec goes by what was saved. */
static void test_exec(void)
{
	struct policy_facts f = fixture_facts();
	struct policy saved;
	struct err e = {0};
	const struct oci_rlimit many = {.type = "RLIMIT_NOFILE", .soft = 900, .hard = 900};
	struct oci_process p = {.cwd = "/", .rlimits = &many, .n_rlimits = 1};
	size_t len;

	(void)apply("standard", "\"dev.brig.nofile.limit\":\"100\"", "", "");
	const char *text = policy_print(&arena, &policy, &len);
	CHECK(policy_parse(&arena, text, len, &saved, &e) == 0);
	CHECK(policy_apply_process(&arena, &saved, &f, &p, &e) == 0);
	bool found = false;
	for (size_t i = 0; i < p.n_rlimits; i++)
		found = found || (str_eq(p.rlimits[i].type, "RLIMIT_NOFILE") &&
				  p.rlimits[i].hard == 100 && p.rlimits[i].soft == 100);
	CHECK(found);
}

int main(void)
{
	test_memory();
	test_pids();
	test_cpu();
	test_nofile();
	test_fsize();
	test_exec();
	arena_free(&arena);
	return check_done();
}
