/* Classes and responses, what they allow, and the file "violations". */
#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "specs/violation.h"

static void test_words(void)
{
	static const char *const responses[] = {"warn", "deny", "throttle", "quarantine",
						"terminate"};
	static const struct {
		const char *word;
		const char *allowed; /* a letter for each response, '-': not */
		const char *taints;
	} rows[] = {
		{"syscall",  "wdtqe", "yyyyy"},
                {"terminal", "wdtqe", "nnnyy"},
		{"denied",   "wdtqe", "nnnyy"},
                {"pids",     "w-tqe", "nnnyy"},
		{"egress",   "w-tqe", "nnnyy"},
                {"memory",   "w---e", "nnnnn"},
		{"manual",   "-----", "yyyyy"},
	};

	for (int i = 0; i < VIOLATION_RESPONSES; i++)
		CHECK(violation_response_find(responses[i]) == i);
	for (int c = 0; c < VIOLATION_CLASSES; c++) {
		CHECK(violation_class_find(rows[c].word) == c);
		for (int i = 0; i < VIOLATION_RESPONSES; i++) {
			enum violation_class k = (enum violation_class)c;
			enum violation_response r = (enum violation_response)i;

			CHECK(violation_allows(k, r) == (rows[c].allowed[i] != '-'));
			CHECK(violation_taints(k, r) == (rows[c].taints[i] == 'y'));
		}
	}
	CHECK(violation_class_find("Syscall") < 0 && violation_class_find(NULL) < 0);
	CHECK(violation_response_find("") < 0);
}

static void test_rules(void)
{
	static const uint64_t none = 0, five = 5;
	static const struct {
		enum violation_class c;
		struct violation_rule r;
		int want;
	} rows[] = {
		{VIOLATION_SYSCALL,  {"deny", NULL},       0      },
		{VIOLATION_EGRESS,   {"terminate", &five}, 0      },
		{VIOLATION_EGRESS,   {"deny", NULL},       -EINVAL},
		{VIOLATION_PIDS,     {"throttle", &none},  -ERANGE},
		{VIOLATION_MEMORY,   {"quarantine", NULL}, -EINVAL},
		{VIOLATION_TERMINAL, {"Terminate", NULL},  -EINVAL},
		{VIOLATION_MANUAL,   {"warn", NULL},       -EINVAL},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct err e = {0};

		CHECK(violation_rule_check(rows[i].c, &rows[i].r, &e) == rows[i].want);
		CHECK(!rows[i].want == !e.msg[0]);
	}
}

#define TIMES     "\"first\":\"2026-11-22T14:00:00.000Z\",\"last\":\"2026-11-22T14:00:01.000Z\""
#define ROW(text) "{\"v\":1,\"violations\":[{" text "}]}"

static const struct {
	const char *text, *error; /* NULL: taken */
} files[] = {
	{"{\"v\":1}",									       NULL                     },
	{ROW("\"class\":\"denied\",\"name\":\"mount\",\"response\":\"warn\",\"count\":3," TIMES
	     ",\"taints\":false"),
	 NULL														},
	{ROW("\"class\":\"syscall\",\"response\":\"terminate\",\"count\":1," TIMES
	     ",\"taints\":true"),
	 NULL														},
	{ROW("\"class\":\"egress\",\"name\":\"[2001:db8::9]:25/tcp\",\"response\":\"warn\","
	     "\"count\":1," TIMES ",\"taints\":false"),
	 NULL														},
	{"{\"v\":2}",									       "violations: v: format 2"},
	{"{\"v\":1,\"more\":1}",								    "violations: more"       },
	{ROW("\"class\":\"denied\",\"response\":\"warn\",\"count\":0," TIMES ",\"taints\":false"),
	 "violations: violations[0]: count: 0"									       },
	{ROW("\"class\":\"denied\",\"response\":\"warn\",\"count\":1," TIMES ",\"taints\":true"),
	 "violations: violations[0]: taints"										 },
	{ROW("\"class\":\"syscall\",\"response\":\"warn\",\"count\":1," TIMES ",\"taints\":false"),
	 "violations: violations[0]: taints"										 },
	{ROW("\"class\":\"manual\",\"response\":\"warn\",\"count\":1," TIMES ",\"taints\":true"),
	 "violations: violations[0]: class"										  },
	{ROW("\"class\":\"memory\",\"response\":\"deny\",\"count\":1," TIMES ",\"taints\":false"),
	 "violations: violations[0]: response"									       },
	{ROW("\"class\":\"denied\",\"name\":\"\\u001b[2J\",\"response\":\"warn\",\"count\":1," TIMES
	     ",\"taints\":false"),
	 "violations: violations[0]: name"										   },
	{ROW("\"class\":\"denied\",\"response\":\"warn\",\"count\":1,\"first\":\"now\","
	     "\"last\":\"2026\",\"taints\":false"),
	 "violations: violations[0]: first"										  },
	{ROW("\"class\":\"denied\",\"response\":\"warn\",\"count\":1," TIMES),
	 "violations: violat"												},
	{"",											"violations: "           },
};

static void test_parse(void)
{
	for (size_t i = 0; i < LEN(files); i++) {
		own_arena struct arena a = {0};
		struct brig_violation *rows;
		struct err e = {0};
		size_t n = 99, len;
		int r = violations_parse(&a, files[i].text, strlen(files[i].text), &rows, &n, &e);

		CHECK((r == 0) == !files[i].error);
		if (files[i].error && !str_starts(e.msg, files[i].error))
			CHECK_STR(e.msg, files[i].error);
		if (r == 0 && n)
			CHECK_STR(violations_print(&a, rows, n, &len), files[i].text);
	}
}

/* A full one, of the longest names, has room in the file. */
static void test_full(void)
{
	own_arena struct arena a = {0};
	struct brig_violation rows[VIOLATION_ROWS + 1], *back;
	char name[VIOLATION_NAME_MAX + 2];
	struct err e = {0};
	size_t len, n;

	memset(name, '"', sizeof(name));
	name[VIOLATION_NAME_MAX] = '\0';
	for (size_t i = 0; i < LEN(rows); i++)
		rows[i] = (struct brig_violation){.class_ = "terminal",
						  .name = name,
						  .response = "quarantine",
						  .count = UINT64_MAX,
						  .first = "2026-11-22T14:00:00.000Z",
						  .last = "2026-11-22T14:00:00.000Z",
						  .taints = true};
	char *text = violations_print(&a, rows, VIOLATION_ROWS, &len);
	CHECK(violations_parse(&a, text, len, &back, &n, &e) == 0 && n == VIOLATION_ROWS);
	CHECK(back[255].count == UINT64_MAX);
	text = violations_print(&a, rows, VIOLATION_ROWS + 1, &len);
	CHECK(violations_parse(&a, text, len, &back, &n, &e) == -E2BIG);
	name[VIOLATION_NAME_MAX] = '"';
	name[VIOLATION_NAME_MAX + 1] = '\0';
	text = violations_print(&a, rows, 1, &len);
	CHECK(violations_parse(&a, text, len, &back, &n, &e) == -E2BIG);
}

int main(void)
{
	test_words();
	test_rules();
	test_parse();
	test_full();
	return check_done();
}
