/* What is known of an end -> a result, row by row; result.json and isolate's meta. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "result.h"

#define CODE(n)                                                                                    \
	{                                                                                          \
		.known = true, .status = (n) << 8                                                  \
	}
#define KILLED(n)                                                                                  \
	{                                                                                          \
		.known = true, .status = (n)                                                       \
	}
#define NOBODY                                                                                     \
	{                                                                                          \
		.unknown = "it is another's child"                                                 \
	}

struct row {
	const char *what;
	bool level, filter_kills, gone;
	int64_t oom;
	struct warden_end end;
	struct exit_info exit;
	const char *status;
	int code;
};

/* level: what is killed for memory ends all.  gone: the warden is no more. */
static const struct row table[] = {
	{"its own code",			  0, 0, 0, 0,  {},                     CODE(3),                "exited",      3  },
	{"no cgroup tells",                       1, 0, 0, -1, {},                     CODE(0),                "exited",      0  },
	{"a signal",			      0, 0, 0, 0,  {},                     KILLED(SIGTERM),        "signal",      143},
	{"a core was dumped",                     0, 0, 0, 0,  {},                     KILLED(SIGSEGV | 0x80), "signal",      139},
	{"SIGKILL of somebody",                   1, 1, 0, 0,  {},                     KILLED(SIGKILL),        "signal",      137},
	{"137 of its own",                        1, 1, 0, 0,  {},                     CODE(137),              "exited",      137},
	{"124 of its own",                        1, 1, 0, 0,  {.reason = "exited"},   CODE(124),              "exited",      124},
	{"159 of its own",                        1, 1, 0, 0,  {},                     CODE(159),              "exited",      159},
	{"custom: init killed for memory",        0, 0, 0, 1,  {},                     KILLED(SIGKILL),        "memory",      137},
	{"custom: a child killed for memory",     0, 0, 0, 1,  {},                     CODE(1),                "exited",      1  },
	{"custom: ... and a signal",              0, 0, 0, 1,  {},                     KILLED(SIGTERM),        "signal",      143},
	{"custom: memory, and nobody knows",      0, 0, 0, 1,  {},                     NOBODY,                 "unknown",     125},
	{"level: init killed for memory",         1, 0, 0, 1,  {},                     KILLED(SIGKILL),        "memory",      137},
	{"level: a child killed for memory",      1, 0, 0, 2,  {},                     CODE(0),                "memory",      137},
	{"level: memory, and nobody knows",       1, 0, 0, 1,  {},                     NOBODY,                 "memory",      137},
	{"level: the warden saw nothing of it",
	 1,					  0,
	 0,						1,
	 {.reason = "exited"},
	 CODE(0),
	 "memory",													    137},
	{"level: memory, and the warden is gone", 1, 0, 1, 1,  {},                     KILLED(9),              "memory",      137},
	{"written: memory",                       1, 0, 0, -1, {.reason = "memory"},   KILLED(SIGKILL),        "memory",      137},
	{"written: timeout",                      1, 0, 0, 0,  {.reason = "timeout"},  KILLED(SIGKILL),        "timeout",     124},
	{"... before memory",                     1, 0, 0, 1,  {.reason = "timeout"},  KILLED(SIGKILL),        "timeout",     124},
	{"... and it ended by itself",            1, 0, 0, 0,  {.reason = "timeout"},  CODE(0),                "timeout",     124},
	{"... and nobody knows",                  1, 0, 0, 0,  {.reason = "timeout"},  NOBODY,                 "timeout",     124},
	{"written: cpu-time",                     1, 0, 0, 0,  {.reason = "cpu-time"}, KILLED(9),              "cpu-time",    124},
	{"written: output",                       1, 0, 0, 0,  {.reason = "output"},   KILLED(9),              "output",      153},
	{"written: syscall",
	 1,					  0,
	 0,						0,
	 {.reason = "syscall", .count = 1, .tainted = true},
	 KILLED(9),
	 "syscall",													   159},
	{"standard: the filter",                  1, 1, 0, 0,  {},                     KILLED(SIGSYS),         "syscall",     159},
	{"high: SIGSYS is another's",
	 1,					  0,
	 0,						0,
	 {.reason = "exited"},
	 KILLED(SIGSYS),
	 "signal",													    159},
	{"custom: SIGSYS",                        0, 0, 0, 0,  {},                     KILLED(SIGSYS),         "signal",      159},
	{"the warden is gone",                    1, 0, 1, 0,  {},                     KILLED(SIGKILL),        "warden-lost", 125},
	{"... and nobody knows",                  1, 0, 1, 0,  {},                     NOBODY,                 "warden-lost", 125},
	{"... after it ended by itself",          1, 0, 1, 0,  {},                     CODE(5),                "exited",      5  },
	{"... after a signal",                    1, 0, 1, 0,  {},                     KILLED(SIGTERM),        "signal",      143},
	{"... after its words",                   1, 0, 1, 0,  {.reason = "exited"},   KILLED(9),              "signal",      137},
	{"written: warden-lost",
	 1,					  0,
	 0,						0,
	 {.reason = "warden-lost"},
	 KILLED(9),
	 "warden-lost",												       125},
	{"nobody knows",			  1, 1, 0, 0,  {},                     NOBODY,                 "unknown",     125},
};

static struct result_facts facts(void)
{
	struct result_facts f = {.id = "c1", .level = "standard", .digest = "sha256:00"};

	cgroup_usage_unknown(&f.usage);
	f.disk_bytes = f.disk_inodes = -1;
	f.exit = (struct exit_info){.known = true};
	return f;
}

static void test_table(void)
{
	for (size_t i = 0; i < LEN(table); i++) {
		own_arena struct arena a = {0};
		const struct row *t = &table[i];
		struct result_facts f = facts();
		struct brig_result r;

		f.oom_ends_all = t->level;
		f.filter_kills = t->filter_kills;
		f.warden_gone = t->gone;
		f.usage.oom_kills = t->oom;
		f.end = t->end;
		f.exit = t->exit;
		result_compose(&a, &f, &r);
		if (!str_eq(r.status, t->status) || r.code != t->code)
			fprintf(stderr, "%s: %s %d\n", t->what, r.status, r.code);
		CHECK_STR(r.status, t->status);
		CHECK(r.code == t->code);
		/* How the first process ended is told as it is, whatever ended it all. */
		CHECK(t->exit.known == !r.unknown);
		CHECK(!t->exit.known || !!r.exit_code + !!r.signal == 1);
		CHECK(!!r.reason == (!str_eq(r.status, "exited") && !str_eq(r.status, "signal") &&
				     !str_eq(r.status, "unknown")));
	}
}

/* What it prints it reads, and nothing is lost. */
static const char *printed(struct arena *a, const struct brig_result *r)
{
	struct brig_result again;
	struct err e = {0};
	size_t len, len2;
	const char *text = result_print(a, r, &len);

	CHECK(result_parse(a, text, len, &again, &e) == 0);
	if (e.code)
		fprintf(stderr, "%s: %s\n", e.msg, text);
	else
		CHECK_STR(result_print(a, &again, &len2), text);
	return text;
}

static void test_parts(void)
{
	own_arena struct arena a = {0};
	struct result_facts f = facts();
	struct rusage ru = {.ru_maxrss = 2048, .ru_nvcsw = 7, .ru_nivcsw = 0};
	struct brig_result r;

	f.oom_ends_all = true;
	f.disk_bytes = 4096;
	f.disk_inodes = 7;
	f.usage = (struct cgroup_usage){
		.cpu_ns = 1500000,
		.user_ns = 1000000,
		.system_ns = 500000,
		.throttled_ns = 0,
		.throttled = 0,
		.memory_peak = 4096,
		.oom_kills = 1,
		.pids_peak = 5,
		.pids_refused = 12,
		.read_bytes = 1,
		.write_bytes = 2,
		.reads = 3,
		.writes = -1,
		.memory_limit = 4096,
		.pids_limit = 64,
	};
	f.process = &ru;
	f.started_ns = 1000000000;
	f.ended_ns = 3500000000;
	f.clock_offset_ns = INT64_C(1700000000000000000);
	f.end = (struct warden_end){.passed = 99};
	f.exit = (struct exit_info)KILLED(9);
	result_compose(&a, &f, &r);
	CHECK_STR(printed(&a, &r),
		  "{\"v\":1,\"id\":\"c1\",\"generation\":1,\"level\":\"standard\","
		  "\"policy\":\"sha256:00\",\"status\":\"memory\",\"signal\":9,\"code\":137,"
		  "\"reason\":{\"class\":\"memory\",\"limit\":4096,\"peak\":4096,\"count\":1},"
		  "\"limits\":[{\"name\":\"pids\",\"limit\":64,\"count\":12}],"
		  "\"started\":\"2023-11-14T22:13:21.000Z\",\"ended\":\"2023-11-14T22:13:23.500Z\","
		  "\"wallMs\":2500,"
		  "\"cpu\":{\"totalMs\":1,\"userMs\":1,\"systemMs\":0,\"throttledMs\":0},"
		  "\"memory\":{\"peak\":4096,\"oomKills\":1},\"pids\":{\"peak\":5},"
		  "\"io\":{\"readBytes\":1,\"writeBytes\":2,\"reads\":3},"
		  "\"disk\":{\"bytes\":4096,\"inodes\":7},"
		  "\"output\":{\"bytes\":99,\"truncated\":false},"
		  "\"process\":{\"maxRssBytes\":2097152,\"voluntarySwitches\":7,"
		  "\"forcedSwitches\":0}}");
}

/* Its limits stand among the others, and it is told without them. */
static void test_network(void)
{
	own_arena struct arena a = {0};
	const struct network_limit limits[] = {
		{"connections-open", 256, 4},
                {"network-bytes",    0,   1}
        };
	const struct brig_network n = {
		.v = 1, .connections = 3, .denied = 9, .limits = limits, .n_limits = 2};
	struct result_facts f = facts();
	struct brig_result r;

	f.usage.pids_refused = 2;
	f.network = &n;
	result_compose(&a, &f, &r);
	const char *text = printed(&a, &r);
	CHECK(strstr(text, "\"limits\":[{\"name\":\"pids\",\"count\":2},"
			   "{\"name\":\"connections-open\",\"limit\":256,\"count\":4},"
			   "{\"name\":\"network-bytes\",\"count\":1}]"));
	CHECK(strstr(text, "\"network\":{\"v\":1,\"connections\":3,\"denied\":9,"));
	CHECK(r.network && !r.network->n_limits && n.n_limits == 2);
	f.network = NULL;
	f.usage.pids_refused = 0;
	result_compose(&a, &f, &r);
	CHECK(!strstr(printed(&a, &r), "network") && !r.n_limits);
}

static void test_nothing_known(void)
{
	own_arena struct arena a = {0};
	struct result_facts f = facts();
	struct brig_result r;

	f.level = "custom";
	f.digest = NULL;
	f.exit = (struct exit_info)NOBODY;
	result_compose(&a, &f, &r);
	CHECK_STR(printed(&a, &r), "{\"v\":1,\"id\":\"c1\",\"generation\":1,\"level\":\"custom\","
				   "\"status\":\"unknown\","
				   "\"unknown\":\"it is another's child\",\"code\":125}");
}

static void test_calls(void)
{
	own_arena struct arena a = {0};
	struct result_facts f = facts();
	struct brig_result r;

	f.exit = (struct exit_info)KILLED(9);
	f.end = (struct warden_end){.reason = "syscall",
				    .syscall = "kexec_load",
				    .nr = 246,
				    .count = 3,
				    .tainted = true};
	result_compose(&a, &f, &r);
	CHECK(strstr(printed(&a, &r), "\"reason\":{\"class\":\"syscall\",\"count\":3,\"syscall\":"
				      "\"kexec_load\",\"nr\":246}"));
	CHECK(strstr(printed(&a, &r),
		     "\"violations\":[{\"class\":\"syscall\",\"name\":\"kexec_load\","
		     "\"count\":3}],\"taint\":[\"syscall:kexec_load\"]}"));
	f.end.syscall = NULL;
	f.end.arch = "i386";
	result_compose(&a, &f, &r);
	CHECK(strstr(printed(&a, &r), "\"taint\":[\"syscall:i386\"]"));
	/* Tainted, though the time was up first. */
	f.end.reason = "timeout";
	f.end.wall_ms = 10;
	result_compose(&a, &f, &r);
	CHECK_STR(r.status, "timeout");
	CHECK(r.n_violations == 1 && r.n_taint == 1 && r.reason->limit && *r.reason->limit == 10);
	/* The kernel's SIGSYS does not say which call. */
	f.end = (struct warden_end){0};
	f.filter_kills = true;
	f.exit = (struct exit_info)KILLED(SIGSYS);
	result_compose(&a, &f, &r);
	CHECK(strstr(printed(&a, &r),
		     "\"violations\":[{\"class\":\"syscall\"}],\"taint\":[\"syscall\"]"));
}

static void test_failed_start(void)
{
	own_arena struct arena a = {0};
	static const struct {
		struct err e;
		int code;
	} rows[] = {
		{{ENOENT, "exec /x: no such file or directory"}, 127},
		{{EACCES, "exec /x: permission denied"},         126},
		{{ENOENT, "bundle /x: no such file"},            125},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct result_facts f = facts();
		struct brig_result r;

		f.failed = &rows[i].e;
		result_compose(&a, &f, &r);
		CHECK_STR(r.status, "start-failed");
		CHECK(r.code == rows[i].code && !r.exit_code && !r.signal && !r.unknown);
		CHECK_STR(r.reason->message, rows[i].e.msg);
		(void)printed(&a, &r);
	}
}

static void test_learn(void)
{
	own_arena struct arena a = {0};
	struct result_facts f = facts();
	struct brig_result r;

	f.exit = (struct exit_info)NOBODY;
	f.usage.cpu_ns = 5000000;
	result_compose(&a, &f, &r);
	f.exit = (struct exit_info)CODE(4);
	result_learn(&a, &f, &r);
	CHECK_STR(r.status, "exited");
	CHECK(r.code == 4 && *r.exit_code == 4 && !r.unknown && *r.cpu->total_ms == 5);
	/* What is known is not changed. */
	f.exit = (struct exit_info)CODE(9);
	result_learn(&a, &f, &r);
	CHECK(r.code == 4);

	f.exit = (struct exit_info)NOBODY;
	f.usage.oom_kills = 1;
	result_compose(&a, &f, &r);
	f.exit = (struct exit_info)KILLED(9);
	result_learn(&a, &f, &r);
	CHECK_STR(r.status, "memory");

	f.exit = (struct exit_info)NOBODY;
	f.end.reason = "timeout";
	result_compose(&a, &f, &r);
	f.exit = (struct exit_info)KILLED(9);
	result_learn(&a, &f, &r);
	CHECK_STR(r.status, "timeout");
	CHECK(*r.signal == 9 && r.code == 124);
}

static void test_isolate(void)
{
	own_arena struct arena a = {0};
	struct result_facts f = facts();
	struct rusage ru = {.ru_maxrss = 2048, .ru_nvcsw = 7, .ru_nivcsw = 1};
	struct brig_result r;

	f.usage.cpu_ns = 1234000000;
	f.usage.memory_peak = 1 << 20;
	f.usage.oom_kills = 0;
	f.started_ns = 1;
	f.ended_ns = 2000000001;
	f.process = &ru;
	result_compose(&a, &f, &r);
	CHECK_STR(result_print_isolate(&a, &r, NULL),
		  "time:1.234\ntime-wall:2.000\nmax-rss:2048\ncsw-voluntary:7\ncsw-forced:1\n"
		  "cg-mem:1024\nexitcode:0\n");
	f = facts();
	f.exit = (struct exit_info)CODE(3);
	result_compose(&a, &f, &r);
	CHECK_STR(result_print_isolate(&a, &r, NULL),
		  "exitcode:3\nstatus:RE\nmessage:Exited with error status 3\n");
	f.exit = (struct exit_info)KILLED(11);
	result_compose(&a, &f, &r);
	CHECK_STR(result_print_isolate(&a, &r, NULL),
		  "exitsig:11\nstatus:SG\nmessage:Caught fatal signal 11\n");
	f.end.reason = "timeout";
	result_compose(&a, &f, &r);
	CHECK_STR(result_print_isolate(&a, &r, NULL),
		  "status:TO\nkilled:1\nmessage:Time limit exceeded (wall clock)\n");
	f = facts();
	f.oom_ends_all = true;
	f.usage.oom_kills = 1;
	f.exit = (struct exit_info)KILLED(9);
	result_compose(&a, &f, &r);
	CHECK_STR(result_print_isolate(&a, &r, NULL),
		  "cg-oom-killed:1\nexitsig:9\nstatus:SG\nmessage:Out of memory\n");
	f = facts();
	f.failed = &(const struct err){EINVAL, "a\nb"};
	result_compose(&a, &f, &r);
	CHECK_STR(result_print_isolate(&a, &r, NULL), "status:XX\nmessage:a b\n");
}

#define EXITED "\"status\":\"exited\",\"exitCode\":1,\"code\":1"
#define SIGNAL "\"status\":\"signal\",\"code\":1"
#define MEMORY "\"status\":\"memory\",\"code\":1,\"reason\":"

/* A file that somebody else may have touched. */
static void test_bad(void)
{
	static const char head[] = "{\"v\":1,\"id\":\"c\",\"generation\":1,\"level\":\"l\",";
	static const struct {
		const char *rest, *error;
	} rows[] = {
		{EXITED,					      NULL               },
		{"\"status\":\"exited\",\"code\":1",                  "exitCode: missing"},
		{SIGNAL,					      "signal: missing"  },
		{"\"status\":\"gone\",\"code\":1",                    "no such word"     },
		{"\"status\":\"exited\",\"exitCode\":256,\"code\":1", "exitCode: 256"    },
		{"\"status\":\"exited\",\"exitCode\":-1,\"code\":1",  "exitCode: -1"     },
		{SIGNAL ",\"signal\":0",                              "signal: 0"        },
		{SIGNAL ",\"signal\":65",                             "signal: 65"       },
		{EXITED ",\"signal\":9",                              "exclude"          },
		{"\"status\":\"memory\",\"code\":300",                "code: 300"        },
		{EXITED ",\"more\":1",                                "more"             },
		{EXITED ",\"wallMs\":-1",                             "wallMs"           },
		{EXITED ",\"started\":\"now\"",                       "started"          },
		{EXITED ",\"taint\":[\"a\\u0007b\"]",                 "taint"            },
		{MEMORY "{}",					 "class"            },
		{MEMORY "{\"class\":\"memory\",\"arch\":\"A\"}",      "arch"             },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		own_arena struct arena a = {0};
		const char *text = arena_printf(&a, "%s%s}", head, rows[i].rest);
		struct brig_result r;
		struct err e = {0};
		int got = result_parse(&a, text, strlen(text), &r, &e);

		CHECK(got == (rows[i].error ? -e.code : 0));
		CHECK(!rows[i].error || (got < 0 && strstr(e.msg, rows[i].error)));
		if (rows[i].error && (got == 0 || !strstr(e.msg, rows[i].error)))
			fprintf(stderr, "%s: %s\n", text, e.msg);
	}
}

int main(void)
{
	test_table();
	test_parts();
	test_network();
	test_nothing_known();
	test_calls();
	test_failed_start();
	test_learn();
	test_isolate();
	test_bad();
	return check_done();
}
