/* The option parser, durations, signal words and the table layout of the program. */
#include "check.h"

#include "cmd/brig/options.c"
#include "cmd/brig/signals.c"
#include "cmd/brig/table.c"

struct target {
	bool flag;
	const char *string;
	uint32_t number;
	uint64_t time;
	struct opt_list list;
	struct opt_u32_list numbers;
	const uint16_t *u16;
	const uint64_t *u64;
	const int64_t *i64, *bytes;
};

#define AT(member) offsetof(struct target, member)

static const struct opt more[] = {
	{.name = "i64",   .kind = OPT_MAYBE_I64, .at = AT(i64)},
	{.name = "bytes",  .kind = OPT_MAYBE_BYTES, .at = AT(bytes)},
	{.name = NULL},
};
static const struct opt table[] = {
	{.name = "flag",    .alias = "f", .kind = OPT_FLAG, .at = AT(flag)},
	{.name = "string", .alias = "s", .kind = OPT_STRING, .at = AT(string)},
	{.name = "number",                 .kind = OPT_U32, .at = AT(number)},
	{.name = "time",     .kind = OPT_DURATION, .at = AT(time), .preset = "5s"},
	{.name = "list", .alias = "l", .kind = OPT_LIST, .at = AT(list)},
	{.name = "numbers",  .kind = OPT_U32_LIST, .at = AT(numbers)},
	{.name = "u16", .kind = OPT_MAYBE_U16, .at = AT(u16)},
	{.name = "u64",    .kind = OPT_MAYBE_U64, .at = AT(u64)},
	{.more = more  },
};

enum { MAX_WORDS = 64 };

/* One command line, its words split at blanks ("_" stands for an empty one). */
static struct run {
	struct arena arena;
	char line[1024];
	char *argv[MAX_WORDS + 1];
	struct target t;
	struct opt_call res;
	struct err e;
	int ret;
} run;

static void parse(enum opt_order order, const char *line)
{
	static char empty[1];
	size_t n = 0;

	arena_free(&run.arena);
	memset(&run, 0, sizeof(run));
	snprintf(run.line, sizeof(run.line), "%s", line);
	for (char *w = strtok(run.line, " "); w && n < MAX_WORDS; w = strtok(NULL, " "))
		run.argv[n++] = strcmp(w, "_") == 0 ? empty : w;
	run.res = (struct opt_call){.table = table, .order = order, .target = &run.t};
	run.ret = options_parse(&run.arena, run.argv, &run.res, &run.e);
}

static void fails(enum opt_order order, const char *line, const char *message)
{
	parse(order, line);
	CHECK(run.ret < 0);
	CHECK_STR(run.e.msg, message);
}

static void test_forms(void)
{
	static const char *const same[] = {"--string x a", "-string x a", "--string=x a",
					   "-string=x a",  "-s x a",      "--s=x a"};

	for (size_t i = 0; i < LEN(same); i++) {
		parse(OPT_STOP, same[i]);
		CHECK(run.ret == 0);
		CHECK_STR(run.t.string, "x");
		CHECK(run.res.n_args == 1);
		CHECK_STR(run.res.args[0], "a");
		CHECK(run.res.args[1] == NULL);
	}
	parse(OPT_STOP, "-s --flag");
	CHECK_STR(run.t.string, "--flag"); /* a value may look like an option */
	CHECK(!run.t.flag);
	parse(OPT_STOP, "--string= --string _");
	CHECK_STR(run.t.string, "");
	parse(OPT_STOP, "-f=false -f=T");
	CHECK(run.t.flag);
	parse(OPT_STOP, "");
	CHECK(run.ret == 0 && run.res.n_args == 0 && run.res.args[0] == NULL);
	CHECK(run.t.time == 5000);
	parse(OPT_STOP, "- -f");
	CHECK(run.res.n_args == 2); /* a lone dash is an argument */
}

static void test_values(void)
{
	parse(OPT_STOP, "--u16 65535 --u64 18446744073709551615 --i64 -1 --bytes 30M --number 7");
	CHECK(run.ret == 0);
	CHECK(run.t.u16 && *run.t.u16 == 65535);
	CHECK(run.t.u64 && *run.t.u64 == UINT64_MAX);
	CHECK(run.t.i64 && *run.t.i64 == -1);
	CHECK(run.t.bytes && *run.t.bytes == 30 << 20);
	CHECK(run.t.number == 7);
	parse(OPT_STOP, "--u16 _ --bytes= --i64 0");
	CHECK(run.ret == 0 && !run.t.u16 && !run.t.bytes);
	CHECK(run.t.i64 && *run.t.i64 == 0);
	fails(OPT_STOP, "--u16 65536", "invalid value \"65536\" for flag -u16: parse error");
	fails(OPT_STOP, "--number -1", "invalid value \"-1\" for flag -number: parse error");
	fails(OPT_STOP, "--number _", "invalid value \"\" for flag -number: parse error");
	fails(OPT_STOP, "--bytes 1x", "invalid value \"1x\" for flag -bytes: parse error");
	fails(OPT_STOP, "-f=maybe", "invalid boolean value \"maybe\" for -flag: parse error");
}

static void test_lists(void)
{
	parse(OPT_STOP, "-l a --list b -l=c -l d -l e --numbers 1 --numbers 2 --numbers=3");
	CHECK(run.ret == 0);
	CHECK(run.t.list.n == 5);
	for (size_t i = 0; i < run.t.list.n; i++)
		CHECK(run.t.list.items[i][0] == "abcde"[i]);
	CHECK(run.t.list.items[5] == NULL);
	CHECK(run.t.numbers.n == 3 && run.t.numbers.items[2] == 3);
	parse(OPT_STOP, "x");
	CHECK(run.t.list.items == NULL && run.t.list.n == 0);
	parse(OPT_MIXED, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17");
	CHECK(run.res.n_args == 17);
	CHECK_STR(run.res.args[16], "17");
	CHECK(run.res.args[17] == NULL);
}

static void test_errors(void)
{
	fails(OPT_STOP, "--nope a", "flag provided but not defined: -nope");
	fails(OPT_STOP, "-x", "flag provided but not defined: -x");
	fails(OPT_STOP, "--nope=1", "flag provided but not defined: -nope");
	fails(OPT_STOP, "--str x", "flag provided but not defined: -str"); /* no abbreviations */
	fails(OPT_STOP, "-fs x", "flag provided but not defined: -fs");    /* no clusters */
	fails(OPT_STOP, "---f", "bad flag syntax: ---f");
	fails(OPT_STOP, "--=f", "bad flag syntax: --=f");
	fails(OPT_STOP, "-f -s", "flag needs an argument: -string");
	fails(OPT_MIXED, "a -s", "flag needs an argument: -string");
}

static void test_order(void)
{
	parse(OPT_STOP, "-f id cmd -s -- x");
	CHECK(run.ret == 0 && run.t.flag && !run.t.string);
	CHECK(run.res.n_args == 5);
	CHECK_STR(run.res.args[2], "-s");
	CHECK_STR(run.res.args[3], "--");
	parse(OPT_MIXED, "id -f 9 --string x --nope");
	CHECK(run.ret == 0 && run.t.flag);
	CHECK_STR(run.t.string, "x");
	CHECK(run.res.n_args == 3);
	CHECK_STR(run.res.args[2], "--nope"); /* then the count of arguments is wrong */
	parse(OPT_MIXED, "-- -f id");
	CHECK(run.ret == 0 && !run.t.flag && run.res.n_args == 2);
	parse(OPT_STOP, "-- -f id");
	CHECK(!run.t.flag && run.res.n_args == 2);
}

static void test_help(void)
{
	static const char *const asks[] = {"-h", "--help", "-help", "-f --h", "-h --nope"};

	for (size_t i = 0; i < LEN(asks); i++) {
		parse(OPT_STOP, asks[i]);
		CHECK(run.ret == 0 && run.res.help);
	}
	parse(OPT_MIXED, "id -h");
	CHECK(run.res.help);
	parse(OPT_STOP, "id -h");
	CHECK(!run.res.help && run.res.n_args == 2);
}

static void test_durations(void)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t ms;
	} rows[] = {
		{"5s",		       true,  5000   },
		{"100ms",                    true,  100    },
		{"1m1.5s",                   true,  61500  },
		{"2h",		       true,  7200000},
		{"0",			true,  0      },
		{"0s",		       true,  0      },
		{"1ns",                      true,  1      },
		{".5s",                      true,  500    },
		{"1.s",                      true,  1000   },
		{"1500us",                   true,  2      },
		{"",			 false, 0      },
		{"5",			false, 0      },
		{"s",			false, 0      },
		{".s",		       false, 0      },
		{"-1s",                      false, 0      },
		{"1s ",                      false, 0      },
		{"99999999999999h",          false, 0      },
		{"99999999999999999999s",    false, 0      },
		{"18446744073s18446744073s", false, 0      },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		uint64_t ms = 12345;
		bool ok = opt_duration(rows[i].text, &ms);

		CHECK(ok == rows[i].ok);
		CHECK(!ok || ms == rows[i].ms);
	}
}

static void test_signals(void)
{
	static const struct {
		const char *text;
		int number; /* -1: no signal */
	} rows[] = {
		{"TERM",       15},
                {"SIGTERM",    15},
                {"sigkill",    9 },
                {"9",          9 },
		{"0",          0 },
                {"64",         64},
                {"65",         -1},
                {"-1",         -1},
		{"",           -1},
                {"SIG",        -1},
                {"NOPE",       -1},
                {"SIGSIGTERM", -1},
		{"RTMIN",      34},
                {"SIGRTMIN+3", 37},
                {"rtmin+30",   64},
                {"RTMIN+31",   -1},
		{"RTMAX-1",    63},
                {"RTMAX-31",   -1},
                {"RTMIN+",     -1},
                {"RTMIN+-1",   -1},
		{"SIGWINCH",   28},
                {"SYS",        31},
                {"9x",         -1},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		int number = -2;
		bool ok = signal_parse(rows[i].text, &number);

		CHECK(ok == (rows[i].number >= 0));
		CHECK(!ok || number == rows[i].number);
	}
}

static void test_table(void)
{
	static const char *const cells[] = {"ID",   "PID",        "OWNER", "nine char", "1",
					    "root", "ten chars.", "2",     "r\u00fcdi"};
	char text[512] = "";
	own_file FILE *out = fmemopen(text, sizeof(text), "w");

	CHECK(out);
	if (!out)
		return;
	table_print(out, cells, 3, 3);
	fflush(out);
	CHECK_STR(text, "ID           PID         OWNER\n"
			"nine char    1           root\n"
			"ten chars.   2           r\u00fcdi\n");
}

int main(void)
{
	test_forms();
	test_values();
	test_lists();
	test_errors();
	test_order();
	test_help();
	test_durations();
	test_signals();
	test_table();
	arena_free(&run.arena);
	return check_done();
}
