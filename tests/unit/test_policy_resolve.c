/* Which level holds and what wishes do to it: taken, cut or refused, each with its reason. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "policy/policy.h"
#include "policy/rank.h"
#include "policy/wishes.h"

static char dir[] = "/tmp/brig-test-policy-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	own_file FILE *f = fopen(path, "we");
	CHECK(f && fputs(text, f) >= 0);
}

static void remove_files(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK(system(command) == 0);
}

/* brig.json with that inside; the levels of the test's directory. */
static const char *system_config(const char *inside)
{
	static char path[256];
	char text[1024];

	snprintf(text, sizeof(text), "{\"v\":1,\"levels\":\"%s/levels\"%s}", dir, inside);
	write_file("brig.json", text);
	snprintf(path, sizeof(path), "%s/brig.json", dir);
	return path;
}

/* One request; strings and lists stay in the arena until the next. */
struct asked {
	const char *admin, *flag;
	const struct policy_wishes *document, *flags;
	bool direct;
	struct oci_map notes[4]; /* annotations, ended by a NULL key */
};

static struct arena arena;
static struct policy policy;
static char message[600];

/* The error, "" when there is none; the policy is in the global then. */
static const char *resolve(const struct asked *q)
{
	struct oci_config c = {.annotations = q->notes};
	struct err e = {0};
	struct policy_request r = {
		.flag_level = q->flag,
		.system_config = system_config(q->admin ? q->admin : ""),
		.config = &c,
		.document = q->document,
		.flags = q->flags,
		.direct = q->direct,
	};

	while (c.n_annotations < LEN(q->notes) && q->notes[c.n_annotations].key)
		c.n_annotations++;
	arena_free(&arena);
	if (policy_resolve(&arena, &r, &policy, &e) == 0)
		return "";
	snprintf(message, sizeof(message), "%s", e.msg);
	return message;
}

static const char *value(const char *field)
{
	return level_field_text(&arena, level_field_find(field), &policy.level);
}

/* The last decision about a field as one text. */
static const char *decision(const char *field)
{
	const char *text = "";

	for (size_t i = 0; i < policy.n_decisions; i++) {
		const struct policy_decision *d = &policy.decisions[i];

		if (str_eq(d->field, field))
			text = arena_printf(&arena, "%s %s %s (%s) %s",
					    policy_outcome_name(d->outcome),
					    policy_source_name(d->by), d->value,
					    d->asked ? d->asked : "-", d->reason ? d->reason : "-");
	}
	return text;
}

static void test_level(void)
{
	static const struct {
		const char *admin, *flag, *annotation, *level, *error;
	} rows[] = {
		{"",						       NULL,       NULL,       "standard", ""},
		{"",						       "custom",   NULL,       "custom",   ""},
		{"",						       "high",     NULL,       "high",     ""},
		{"",						       NULL,       "high",     "high",     ""},
		{"",						       "custom",   "high",     "high",     ""},
		{"",						       "high",     "standard", "high",     ""},
		{"",						       "custom",   "custom",   "custom",   ""},
		{"",						       "team",     "high",     NULL,
		 "level \"team\": annotation dev.brig.level: \"high\": neither of the two extends "
		 "the other"										     },
		{"",						       "team",     "standard", "team",     ""},
		{"",						       NULL,       "custom",   NULL,
		 "level \"standard\": annotation dev.brig.level: \"custom\" is weaker than the "
		 "default level \"standard\""								    },
		{"",						       "high",     "custom",   NULL,
		 "level \"high\": annotation dev.brig.level: \"custom\" is weaker than the default "
		 "level \"standard\""									    },
		{",\"default_level\":\"high\"",                            NULL,       NULL,       "high",     ""},
		{",\"default_level\":\"high\"",                            NULL,       "standard", NULL,
		 "level \"high\": annotation dev.brig.level: \"standard\" is weaker than the "
		 "default level \"high\""									},
		{",\"default_level\":\"high\"",                            "standard", NULL,       "standard", ""},
		{",\"minimum_level\":\"standard\"",                        "custom",   NULL,       NULL,
		 "--level: \"custom\" is weaker than the minimum level \"standard\""                             },
		{",\"minimum_level\":\"standard\"",                        "team",     NULL,       "team",     ""},
		{",\"minimum_level\":\"high\"",                            NULL,       NULL,       NULL,
		 "default_level: \"standard\" is weaker than minimum_level \"high\""                             },
		{",\"minimum_level\":\"high\",\"default_level\":\"high\"", "team",     NULL,       NULL,
		 "--level: \"team\" is weaker than the minimum level \"high\""                                   },
		{",\"minimum_level\":\"gone\",\"default_level\":\"team\"", NULL,       NULL,       NULL,
		 "minimum_level: unknown level \"gone\" (custom, high, standard, team)"                          },
		{",\"default_level\":\"gone\"",                            NULL,       NULL,       NULL,
		 "default_level: unknown level \"gone\" (custom, high, standard, team)"                          },
		{"",						       "gone",     NULL,       NULL,
		 "--level: unknown level \"gone\" (custom, high, standard, team)"                                },
		{"",						       NULL,       "gone",     NULL,
		 "annotation dev.brig.level: unknown level \"gone\" (custom, high, standard, "
		 "team)"											 },
		{"",						       NULL,       "../high",  NULL,
		 "annotation dev.brig.level: unknown level \"../high\" (custom, high, standard, "
		 "team)"											 },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct asked q = {.admin = rows[i].admin, .flag = rows[i].flag};

		if (rows[i].annotation)
			q.notes[0] = (struct oci_map){"dev.brig.level", rows[i].annotation};
		CHECK_STR(resolve(&q), rows[i].error);
		if (rows[i].level)
			CHECK_STR(policy.level.name, rows[i].level);
	}
}

/* One annotation on a level: the error, or the decision about the field. */
static const struct {
	const char *level, *name, *text, *field, *decision, *error;
} annotations[] = {
	{"standard", "seccomp.language",  "python",						      "seccomp.language",
	 "set annotation python (-) annotation dev.brig.seccomp.language",															     ""                                               },
	{"standard", "seccomp.language",  "cobol",						       NULL,                NULL,
	 "level \"standard\": annotation dev.brig.seccomp.language: seccomp.language: "
	 "\"cobol\" is none of python,node,shell,native,jvm"																							    },
	{"standard", "seccomp.violation", "notify",						      "seccomp.violation",
	 "set annotation notify (-) annotation dev.brig.seccomp.violation",															    ""                                               },
	{"high",     "seccomp.violation", "kill",							NULL,                NULL,
	 "level \"high\": annotation dev.brig.seccomp.violation: \"kill\" is weaker than "
	 "\"notify\""																												   },
	{"standard", "cpu.pin",           "cpus",							"cpu.pin",
	 "set annotation cpus (-) annotation dev.brig.cpu.pin",																	""                                               },
	{"high",     "cpu.pin",           "none",							NULL,                NULL,
	 "level \"high\": annotation dev.brig.cpu.pin: \"none\" is weaker than \"cpus\""																				},
	{"high",     "cpu.pin",           "cores",						       "cpu.pin",
	 "set annotation cores (-) annotation dev.brig.cpu.pin",																       ""                                               },
	{"standard", "pids.limit",        "10",							  "engine.pids",
	 "set annotation 10 (-) annotation dev.brig.pids.limit",																       ""                                               },
	{"standard", "pids.limit",        "100000",						      "engine.pids",
	 "cut annotation 512 (100000) annotation dev.brig.pids.limit: more than level "
	 "\"standard\" allows",																					""					       },
	{"standard", "pids.limit",        "0",							   NULL,                NULL,
	 "level \"standard\": annotation dev.brig.pids.limit: 0 is too little: 1 is the least"																			  },
	{"standard", "pids.limit",        "-1",							  NULL,                NULL,
	 "annotation dev.brig.pids.limit: \"-1\" is no number"																							  },
	{"standard", "memory.limit",      "64Mi",							"engine.memory",
	 "set annotation 67108864 (-) annotation dev.brig.memory.limit",															       ""                                               },
	{"standard", "memory.limit",      "much",							NULL,                NULL,
	 "annotation dev.brig.memory.limit: \"much\" is no size such as 64Mi, 512M or "
	 "1048576"																												      },
	{"standard", "time.wall",         "1m30s",						       "engine.wall",
	 "set annotation 90000 (-) annotation dev.brig.time.wall",																     ""                                               },
	{"standard", "time.wall",         "1500",							"engine.wall",
	 "set annotation 1500 (-) annotation dev.brig.time.wall",																      ""                                               },
	{"standard", "time.wall",         "soon",							NULL,                NULL,
	 "annotation dev.brig.time.wall: \"soon\" is no duration such as 90s, 1m30s or "
	 "1500 (ms)"																												    },
	{"standard", "cpu.limit",         "500m",							"engine.cpu",
	 "set annotation 500 (-) annotation dev.brig.cpu.limit",																       ""                                               },
	{"standard", "cpu.limit",         "-1",							  NULL,                NULL,
	 "annotation dev.brig.cpu.limit: \"-1\" is no number of CPUs such as 2, 0.5 or "
	 "500m"																													 },
	{"standard", "root.readonly",     "false",						       "root.readonly",
	 "cut annotation true (false) annotation dev.brig.root.readonly: more than level "
	 "\"standard\" allows",																					""					       },
	{"standard", "root.private",      "true",							"root.private",
	 "set annotation true (-) annotation dev.brig.root.private",																   ""                                               },
	{"standard", "root.readonly",     "yes",							 NULL,                NULL,
	 "annotation dev.brig.root.readonly: \"yes\" is not true or false"																					      },
	{"standard", "fs.write",          "/data:1Mi:noexec",                                            "writable.paths",
	 "set annotation /data:1048576:noexec (-) annotation dev.brig.fs.write",														       ""                                               },
	{"standard", "fs.write",          "/data",						       "writable.paths",
	 "set annotation /data (-) annotation dev.brig.fs.write",																      ""                                               },
	{"standard", "fs.write",          "/data:100G",						  "writable.paths",
	 "cut annotation /data:268435456 (/data:107374182400) annotation "
	 "dev.brig.fs.write: more than level \"standard\" allows",																     ""					       },
	{"standard", "fs.write",          "/data:0",						     NULL,                NULL,
	 "level \"standard\": annotation dev.brig.fs.write: /data: a size below 4096"																				   },
	{"standard", "fs.write",          "/a,../etc",						   NULL,                NULL,
	 "annotation dev.brig.fs.write: \"../etc\" is not an absolute path below /"																				     },
	{"standard", "fs.write",          "/a/../etc",						   NULL,                NULL,
	 "annotation dev.brig.fs.write: \"/a/../etc\" has an empty part, \".\" or \"..\""																			       },
	{"standard", "fs.write",          "/",							   NULL,                NULL,
	 "annotation dev.brig.fs.write: \"/\" is not an absolute path below /"																					  },
	{"standard", "fs.write",          "/proc/sys",						   NULL,                NULL,
	 "annotation dev.brig.fs.write: \"/proc/sys\" is /proc or below it"																					     },
	{"standard", "fs.write",          "/sys",							NULL,                NULL,
	 "annotation dev.brig.fs.write: \"/sys\" is /sys or below it"																						   },
	{"standard", "fs.write",          "/dev/shm",						    NULL,                NULL,
	 "annotation dev.brig.fs.write: \"/dev/shm\" is /dev or below it"																					       },
	{"standard", "fs.write",          "/develop",						    "writable.paths",
	 "set annotation /develop (-) annotation dev.brig.fs.write",																   ""                                               },
	{"standard", "fs.write",          "",							    NULL,                NULL,
	 "annotation dev.brig.fs.write: \"\" is not an absolute path below /"																					   },
	{"standard", "disk.limit",        "4Mi",							 "writable.size",
	 "set annotation 838860 (-) annotation dev.brig.disk.limit: 4194304 bytes over 4 "
	 "writable paths and /dev/shm",																				""					       },
	{"standard", "disk.limit",        "4T",							  "writable.size",
	 "set annotation 268435456 (-) annotation dev.brig.disk.limit: 4398046511104 bytes "
	 "over 4 writable paths and /dev/shm",																			 ""					       },
	{"standard", "disk.limit",        "1",							   NULL,                NULL,
	 "level \"standard\": annotation dev.brig.disk.limit: 1 bytes over 4 writable "
	 "paths and /dev/shm are too few: 4096 each is the least"																						       },
	{"standard", "egress",            "[]",							  "network.egress",    "",								      ""                                               },
	{"standard", "egress",            "[{\"d\":\"api.example.org\",\"p\":[443],\"proto\":\"tcp\"}]",
	 "network.grants",												    "set annotation api.example.org:443/tcp (-) annotation dev.brig.egress",
	 ""																													     },
	{"standard", "egress",            "[],\"egress\":[]",                                            NULL,                NULL,
	 "annotation dev.brig.egress: egress: given twice"																							      },
	{"standard", "egress",            "all",							 NULL,                NULL,								    NULL                                             },
	{"standard", "ingress",           "false",						       "network.egress",    "",								      ""                                               },
	{"standard", "ingress",           "true",							NULL,                NULL,
	 "annotation dev.brig.ingress: ingress: not an array"																							   },
	{"standard", "pids",              "10",							  NULL,                NULL,
	 "annotation dev.brig.pids: not known to this version"																							  },
	{"standard", "Level",             "high",							NULL,                NULL,
	 "annotation dev.brig.Level: not known to this version"																							 },
	{"standard", "",                  "high",							NULL,                NULL,								    "annotation dev.brig.: not known to this version"},
	{"standard", "hook",              "/bin/sh",						     NULL,                NULL,
	 "annotation dev.brig.hook: not known to this version"																							  },
	{"custom",   "pids.limit",        "10",							  NULL,                NULL,
	 "annotation dev.brig.pids.limit: level \"custom\" applies config.json alone"																				   },
	{"custom",   "hook",              "/bin/sh",						     "level",             "set flag custom (-) --level",                                           ""                                               },
};

static void test_annotations(void)
{

	for (size_t i = 0; i < LEN(annotations); i++) {
		const char *name = NULL;
		char key[64];
		struct asked q = {.flag = annotations[i].level};

		snprintf(key, sizeof(key), "dev.brig.%s", annotations[i].name);
		name = key;
		q.notes[0] = (struct oci_map){name, annotations[i].text};
		const char *error = resolve(&q);
		if (!annotations[i].error) {
			CHECK(*error);
			continue;
		}
		CHECK_STR(error, annotations[i].error);
		if (!*error && annotations[i].field)
			CHECK_STR(decision(annotations[i].field), annotations[i].decision);
	}
}

static void test_writable(void)
{
	struct policy_bounds b;
	const struct asked q = {
		.flag = "high",
		.notes = {{"dev.brig.fs.write", "/tmp:1M,/data:2M:noexec,/more"},
			  {"dev.brig.disk.limit", "7M"}},
	};

	CHECK_STR(resolve(&q), "");
	CHECK_STR(value("writable.paths"), "/tmp,/var/tmp,/run,/workspace,/data,/more");
	CHECK(policy_writable(&policy.level, "/tmp", &b) && b.size == 1 << 20 && !b.noexec);
	CHECK(policy_writable(&policy.level, "/data", &b) && b.size == 1 << 20 && b.noexec);
	CHECK(policy_writable(&policy.level, "/more", &b) && b.size == 1 << 20 && !b.noexec);
	CHECK(b.inodes == 32768);
	CHECK(!policy_writable(&policy.level, "/etc", &b));
}

static void test_too_many_paths(void)
{
	char text[1024] = "/p";
	const struct asked q = {.notes = {{"dev.brig.fs.write", text}}};

	for (int i = 0; i < 60; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ",/p%d", i);
	CHECK_STR(resolve(&q),
		  "level \"standard\": annotation dev.brig.fs.write: more than 64 writable paths");
}

/* A caller's options may widen in direct mode, as far as the minimum level. */
static void test_flags(void)
{
	static const int64_t lots = INT64_C(4) << 30, few = 2 << 20;
	static const uint64_t forever = 1000000000000, disk = UINT64_C(8) << 30,
			      big = UINT64_C(2) << 30;
	static const bool no = false;
	static struct policy_write writes[] = {
		{.path = "/data", .size = &big}
        };
	const struct policy_wishes w = {.memory = &lots,
					.pids = &few,
					.wall_ms = &forever,
					.write = writes,
					.n_write = 1,
					.disk = &disk,
					.root_readonly = &no,
					.pin = "none"};
	const struct policy_wishes tenant = {.memory = &few};
	struct policy_bounds b;
	struct asked q = {.flag = "high", .flags = &w, .direct = true};

	CHECK_STR(resolve(&q), "");
	CHECK_STR(value("direct.memory"), "4294967296");
	CHECK_STR(value("direct.pids"), "2097152");
	CHECK_STR(value("direct.wall"), "1000000000000");
	CHECK_STR(value("cpu.pin"), "none");
	CHECK_STR(value("root.readonly"), "false");
	CHECK_STR(decision("direct.memory"), "set flag 4294967296 (-) --memory");
	CHECK(policy_writable(&policy.level, "/data", &b));
	CHECK(b.size == disk / 6);

	/* what a document or an annotation asks for still narrows that */
	q.document = &tenant;
	CHECK_STR(resolve(&q), "");
	CHECK_STR(value("direct.memory"), "2097152");
	q.document = NULL;

	q.admin = ",\"minimum_level\":\"standard\"";
	CHECK_STR(resolve(&q), "");
	CHECK_STR(value("direct.memory"), "1073741824");
	CHECK_STR(decision("direct.memory"),
		  "cut flag 1073741824 (4294967296) --memory: more than level \"standard\" allows");
	CHECK_STR(value("direct.wall"), "3600000");
	CHECK_STR(value("root.readonly"), "true");

	/* with a bundle nobody widens */
	q.admin = NULL;
	q.direct = false;
	CHECK_STR(resolve(&q), "level \"high\": --pin: \"none\" is weaker than \"cpus\"");
}

static void test_document(void)
{
	static const int64_t lots = INT64_C(4) << 30;
	static const bool no = false;
	struct policy_wishes w = {
		.level = "high", .memory = &lots, .root_readonly = &no, .language = "node"};
	struct asked q = {.document = &w, .direct = true};

	CHECK_STR(resolve(&q), "");
	CHECK_STR(policy.level.name, "high");
	CHECK_STR(decision("level"), "set document high (-) policy document: securityLevel");
	CHECK_STR(decision("direct.memory"), "cut document 536870912 (4294967296) policy document: "
					     "resources.memory: more than level "
					     "\"high\" allows");
	CHECK_STR(decision("root.readonly"), "cut document true (false) policy document: "
					     "readOnlyRoot: more than level \"high\" allows");
	CHECK_STR(value("seccomp.language"), "node");
	w.level = "custom";
	CHECK_STR(resolve(&q),
		  "level \"standard\": policy document: securityLevel: \"custom\" is weaker "
		  "than the default level \"standard\"");
	/* the language of a level is no tenant's to change */
	write_file("levels/py.json",
		   "{\"v\":1,\"name\":\"py\",\"extends\":\"high\",\"seccomp\":{\"language\":"
		   "\"python\"}}");
	w.level = "py";
	CHECK_STR(resolve(&q),
		  "level \"py\": policy document: language: \"node\" is not \"python\"");
	w.language = "python";
	CHECK_STR(resolve(&q), "");
}

static void test_pod(void)
{
	struct asked q = {.notes = {{"io.kubernetes.cri.sandbox-id", "0af3"}}};

	CHECK_STR(resolve(&q), "");
	CHECK_STR(policy.pod, "0af3");
	q.notes[0] = (struct oci_map){"io.kubernetes.cri-o.SandboxID", "77-x_y.z"};
	CHECK_STR(resolve(&q), "");
	CHECK_STR(policy.pod, "77-x_y.z");
	q.notes[0].value = "../x";
	CHECK_STR(resolve(&q), "annotation io.kubernetes.cri-o.SandboxID: \"../x\" is no id");
	q.notes[0].value = "";
	CHECK_STR(resolve(&q), "");
	CHECK(!policy.pod);
}

static void test_saved(void)
{
	const struct asked q = {
		.flag = "high",
		.notes = {{"dev.brig.fs.write", "/data:1M:noexec"},
			  {"dev.brig.pids.limit", "999999"},
			  {"io.kubernetes.cri.sandbox-id", "pod1"}},
		.admin = ",\"env\":{\"allow\":[\"NPM_TOKEN\"]},\"hooks_allowed\":[\"/usr/bin/"
			 "hook\"]",
	};
	struct policy again;
	struct err e = {0};
	size_t len;

	CHECK_STR(resolve(&q), "");
	const char *text = policy_print(&arena, &policy, &len);
	CHECK(policy_parse(&arena, text, len, &again, &e) == 0);
	CHECK_STR(policy_print(&arena, &again, NULL), text);
	CHECK_STR(again.digest, policy.digest);
	CHECK_STR(again.pod, "pod1");
	CHECK(again.n_decisions == policy.n_decisions);
	CHECK(again.admin.n_env_allow == 1 && str_eq(again.admin.env_allow[0], "NPM_TOKEN"));
	CHECK(!again.custom && !again.direct);

	char *changed = arena_strdup(&arena, text);
	memcpy(strstr(changed, "\"minimal\""), "\"masked\" ", 9);
	CHECK(policy_parse(&arena, changed, len, &again, &e) == -EINVAL);
	CHECK_STR(e.msg, "digest: not that of the level");
	changed = arena_strdup(&arena, text);
	memcpy(strstr(changed, "\"minimal\""), "\"maximum\"", 9);
	CHECK(policy_parse(&arena, changed, len, &again, &e) == -EINVAL);
	CHECK_STR(e.msg, "level: proc: \"maximum\" is none of config,masked,minimal");
	for (size_t n = 0; n < len; n += 7)
		CHECK(policy_parse(&arena, text, n, &again, &e) < 0);
}

/* What an older brig recorded is read; what it could not leave out is asked for. */
static void test_saved_by_an_older_one(void)
{
	const struct asked q = {.flag = "high"};
	struct policy again;
	struct err e = {0};
	size_t len;

	CHECK_STR(resolve(&q), "");
	policy.level.audit = NULL;
	policy.level.violations = (struct level_violations){0};
	policy.digest = policy_digest(&arena, &policy.level);
	const char *text = policy_print(&arena, &policy, &len);
	CHECK(policy_parse(&arena, text, len, &again, &e) == 0);
	CHECK(!again.level.audit && !strstr(strstr(text, "\"level\":{"), "violations"));
	CHECK_STR(policy_print(&arena, &again, NULL), text);
	policy.level.proc = NULL;
	policy.digest = policy_digest(&arena, &policy.level);
	text = policy_print(&arena, &policy, &len);
	CHECK(policy_parse(&arena, text, len, &again, &e) == -EINVAL);
	CHECK_STR(e.msg, "level: proc: missing");
}

static void test_rows(void)
{
	const struct policy_decision *rows;
	size_t n, cut = 0;
	const struct asked q = {.notes = {{"dev.brig.pids.limit", "999999"}}};
	const struct policy_decision other = {"mounts[3].options", "nosuid", BY_LEVEL, "suid",
					      OUTCOME_CUT,         NULL};

	CHECK_STR(resolve(&q), "");
	policy_note(&arena, &policy, &other);
	policy_rows(&arena, &policy, &rows, &n);
	CHECK(n == n_level_fields + 2);
	CHECK_STR(rows[0].field, "level");
	CHECK_STR(rows[n - 1].field, "mounts[3].options");
	for (size_t i = 0; i < n; i++)
		cut += rows[i].outcome == OUTCOME_CUT;
	CHECK(cut == 2);
}

static void test_admin(void)
{
	static const struct {
		const char *inside, *error;
	} rows[] = {
		{",\"defaultLevel\":\"high\"",                           "defaultLevel: unknown"                        },
		{",\"ids\":{\"first\":1000,\"count\":65536}",
		 "ids: first: 1000 is below 65536: those ids are the host's"                                            },
		{",\"ids\":{\"first\":4294900000,\"count\":4294900000}",
		 "ids: first 4294900000 and count 4294900000 reach past 4294967294"                                     },
		{",\"ids\":{\"first\":100000}",                          "ids: first and count are given together"      },
		{",\"ids\":{\"first\":100000,\"count\":10}",
		 "ids: count: 10 is less than the 65536 ids of one range"                                               },
		{",\"ids\":{\"directory\":\"x\"}",                       "ids: directory: \"x\" is not an absolute path"},
		{",\"hooks_allowed\":[\"hook\"]",
		 "hooks_allowed[0]: \"hook\" is not an absolute path"                                                   },
		{",\"env\":{\"allow\":[\"A=B\"]}",                       "env: allow[0]: \"A=B\" is no name"            },
		{",\"cpu\":{\"exclusive\":1}",                           "cpu: exclusive: unknown"                      },
		{",\"cpu\":{\"exclusive_max\":-1}",                      "cpu: exclusive_max: -1 does not fit"          },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		const struct asked q = {.admin = rows[i].inside};
		char want[400];

		snprintf(want, sizeof(want), "%s/brig.json: %s", dir, rows[i].error);
		CHECK_STR(resolve(&q), want);
	}
	const struct policy_request absent = {.system_config = "/nonexistent/brig.json"};
	struct err e;
	CHECK(policy_resolve(&arena, &absent, &policy, &e) == -ENOENT);
}

int main(void)
{
	char levels[256];

	CHECK(mkdtemp(dir));
	snprintf(levels, sizeof(levels), "%s/levels", dir);
	CHECK(mkdir(levels, 0700) == 0);
	write_file("levels/team.json", "{\"v\":1,\"name\":\"team\",\"extends\":\"standard\"}");
	test_level();
	test_annotations();
	test_writable();
	test_too_many_paths();
	test_flags();
	test_document();
	test_pod();
	test_saved();
	test_saved_by_an_older_one();
	test_rows();
	test_admin();
	arena_free(&arena);
	remove_files();
	return check_done();
}
