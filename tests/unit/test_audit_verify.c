/* What the verifier of the audit log is made of, apart from logs: forms, times, lines, the chain.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit/verify_chain.h"
#include "audit/verify_data.h"
#include "audit/verify_files.h"
#include "audit/verify_line.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"

static void test_times(void)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} rows[] = {
		{"1970-01-01T00:00:01.000000Z", 1           },
		{"2000-02-29T00:00:00.000000Z", 951782400   },
		{"2026-11-22T14:00:00.000000Z", 1795356000  },
		{"2100-03-01T00:00:00.000000Z", 4107542400  },
		{"9999-12-31T23:59:59.000000Z", 253402300799},
	};

	for (size_t i = 0; i < LEN(rows); i++)
		CHECK(audit_time(rows[i].text) == rows[i].seconds * 1000000);
	CHECK(audit_time("2026-11-22T14:00:00.000001Z") == 1795356000000001);
	CHECK(!audit_time("2026-11-22T14:00:00Z"));
	CHECK(!audit_time("2026-13-22T14:00:00.000000Z"));
	CHECK(!audit_time("2026-11-22T14:00:00.000000Zx"));
	CHECK(!audit_time(""));
}

static void test_forms(void)
{
	static const struct {
		const char *text;
		enum line_form form;
		bool in_string;
	} rows[] = {
		{"{}",			       LINE_OBJECT,    false},
		{"{\"a\":[{\"b\":1},{\"b\":2}]}",    LINE_OBJECT,    false},
		{"{\"a\":{\"a\":{\"a\":[]}}}",       LINE_OBJECT,    false},
		{"{\"a\":\"}\\\"{\",\"b\":[\"a\"]}", LINE_OBJECT,    false},
		{"{\"a\":1,\"b\":2,\"a\":1}",        LINE_DUPLICATE, false},
		{"{\"x\":[0,{\"q\":1,\"q\":[]}]}",   LINE_DUPLICATE, false},
		{"{\"a\":1,\"a\":",                  LINE_OTHER,     false},
		{"{\"a\":\"torn",                    LINE_OTHER,     true },
		{"{\"a\":1} x",                      LINE_OTHER,     false},
		{"[1]",			      LINE_OTHER,     false},
		{"",				 LINE_OTHER,     false},
		{"hello",			    LINE_OTHER,     false},
		{"{\"a\":1]",                        LINE_OTHER,     false},
	};
	struct line_shape s;

	for (size_t i = 0; i < LEN(rows); i++) {
		line_look(rows[i].text, strlen(rows[i].text), &s);
		CHECK(s.form == rows[i].form);
		CHECK(s.in_string == rows[i].in_string);
	}
	const char *twice = "{\"v\":2,\"seq\":77,\"data\":{\"seq\":1}}";
	line_look(twice, strlen(twice), &s);
	CHECK(s.has_v && s.v == 2 && s.has_seq && s.seq == 77);
	line_look("{\"a\":\"\x1b\"}", 9, &s);
	CHECK(s.control);
}

static void test_deep(void)
{
	enum { DEEP = 100000 };
	own_free char *text = malloc(DEEP);
	struct line_shape s;

	if (!text)
		return;
	memset(text, '[', DEEP);
	memcpy(text, "{\"a\":", 5);
	line_look(text, DEEP, &s);
	CHECK(s.form == LINE_OTHER);
}

/* Lines of each length around the room for one, with and without an end. */
static void test_lines(size_t len, bool ended)
{
	own_arena struct arena a = {0};
	struct audit_lines lines = {0};
	struct audit_line line;
	struct err e;
	char *text = arena_new(&a, len + 8);
	own_fd int fd = memfd_create("lines", MFD_CLOEXEC);

	memset(text, 'x', len);
	CHECK(file_write_all(fd, "one\n\n", 5) == 0);
	CHECK(file_write_all(fd, text, len) == 0);
	CHECK(file_write_all(fd, "\ntwo\nnot seen", ended ? 13 : 0) == 0);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	audit_lines_begin(&a, &lines, fd, 5 + len + (ended ? 5 : 0));
	CHECK(audit_lines_next(&lines, &line, &e) == 1 && str_eq(line.text, "one") && line.ended);
	CHECK(audit_lines_next(&lines, &line, &e) == 1 && !line.len && line.number == 2);
	CHECK(audit_lines_next(&lines, &line, &e) == 1);
	CHECK(line.number == 3 && line.ended == ended && line.size == len + ended);
	CHECK(line.cut ? len >= AUDIT_LINE_ROOM : line.len == len);
	CHECK(line.cut || memcmp(line.text, text, len) == 0);
	if (ended)
		CHECK(audit_lines_next(&lines, &line, &e) == 1 && str_eq(line.text, "two"));
	CHECK(audit_lines_next(&lines, &line, &e) == 0);
}

/* --- the chain: every order of a few records ------------------------------------------------ */

static void ignore(void *ctx, const struct audit_finding *f)
{
	(void)ctx;
	(void)f;
}

static void make(struct point *p, uint64_t seq)
{
	*p = (struct point){.seq = seq, .line = seq};
	(void)snprintf(p->hash, sizeof(p->hash), "%llu", (unsigned long long)seq);
	(void)snprintf(p->prev, sizeof(p->prev), "%llu", (unsigned long long)seq - 1);
}

/* The words found, when the records come in that order behind record 1. */
static void words_of(const uint64_t *order, size_t n, char *out, size_t size)
{
	static struct chain c;
	static struct report r;
	struct audit_verdict v = {0};
	const struct audit_verify asked = {.most = 1000, .found = ignore};
	struct point p;

	memset(&c, 0, sizeof(c));
	memset(&r, 0, sizeof(r));
	r.asked = &asked;
	r.out = &v;
	r.file = "x";
	c.report = &r;
	make(&p, 1);
	chain_begin(&c, &p);
	for (size_t i = 0; i < n; i++) {
		report_line(&r);
		make(&p, order[i]);
		p.line = i + 2;
		(void)chain_add(&c, &p); /* what it says is told */
	}
	chain_settle(&c);
	report_all(&r);
	(void)snprintf(out, size, "%s:%llu:%llu", v.worst ? v.worst->word : "intact",
		       (unsigned long long)v.findings, (unsigned long long)c.last.seq);
}

static void test_orders(void)
{
	static const struct {
		uint64_t order[8];
		size_t n;
		const char *words;
	} rows[] = {
		{{2, 3, 4, 5, 6},       5, "intact:0:6"   },
		{{3, 2, 4, 5, 6},       5, "reordered:1:6"},
		{{2, 3, 4, 6, 5},       5, "reordered:1:6"},
		{{4, 2, 3, 5, 6},       5, "reordered:1:6"},
		{{3, 4, 5, 2, 6},       5, "reordered:1:6"},
		{{5, 3, 4, 2, 6},       5, "reordered:2:6"},
		{{3, 4, 5, 6},          4, "gap:1:6"      },
		{{2, 3, 6},             3, "gap:1:6"      },
		{{2, 2, 3, 4},          4, "repeated:1:4" },
		{{2, 3, 4, 2},          4, "repeated:1:4" },
		{{4, 2, 3, 4, 5},       5, "repeated:1:5" },
		{{2, 4, 5, 7, 8},       5, "gap:2:8"      },
		{{3, 2, 5, 4, 6, 7},    6, "reordered:2:7"},
		{{6, 5, 4, 3, 2, 7, 8}, 7, "reordered:4:8"},
	};
	char words[64];

	for (size_t i = 0; i < LEN(rows); i++) {
		words_of(rows[i].order, rows[i].n, words, sizeof(words));
		CHECK_STR(words, rows[i].words);
	}
}

/* Whatever the order of six records is: only the right one is intact, and all are seen. */
static void test_permutations(void)
{
	enum { N = 6, ALL = 720 };

	for (size_t k = 0; k < ALL; k++) {
		uint64_t left[N] = {2, 3, 4, 5, 6, 7}, order[N];
		size_t code = k, n = N;
		char words[64];

		for (size_t i = 0; i < N; i++) {
			size_t pick = code % n;

			code /= n;
			order[i] = left[pick];
			memmove(left + pick, left + pick + 1, (--n - pick) * sizeof(*left));
		}
		words_of(order, N, words, sizeof(words));
		CHECK(str_starts(words, "intact") == (k == 0));
		if (k)
			CHECK(!str_starts(words, "repeated") && !str_starts(words, "fork"));
		CHECK(str_ends(words, ":7"));
	}
}

int main(void)
{
	test_times();
	test_forms();
	test_deep();
	for (size_t d = 0; d <= 4; d++) {
		test_lines(AUDIT_LINE_ROOM - 2 + d, true);
		test_lines(AUDIT_LINE_ROOM - 2 + d, false);
	}
	test_lines(3 * AUDIT_LINE_ROOM, true);
	test_lines(10, true);
	test_orders();
	test_permutations();
	return check_done();
}
