/* The file "taint", and what everybody is told who asks whether a sandbox is tainted. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "taint.h"
#include "warden/warden.h"

#define EARLY "2026-11-22T10:00:00.000Z"
#define LATE  "2026-11-22T10:00:00.001Z"

/* --- the file ----------------------------------------------------------------------------- */

static void test_round(void)
{
	own_arena struct arena a = {0};
	const struct brig_taint rows[] = {
		{"a reason \"quoted\" \xc3\xa4", "manual",    EARLY, "uid=0"    },
		{"another",                      "own-word2", LATE,  "sha256:ab"},
	};
	const struct brig_taints t = {rows, LEN(rows), EARLY, "it was looked at"};
	struct brig_taints back;
	struct err e;
	size_t len;
	const char *text = taints_print(&a, &t, &len);

	CHECK(taints_parse(&a, text, len, &back, &e) == 0);
	CHECK(back.n_rows == 2 && str_eq(back.rows[0].reason, rows[0].reason));
	CHECK(str_eq(back.rows[1].class_, "own-word2") && str_eq(back.rows[1].by, "sha256:ab"));
	CHECK(str_eq(back.cleared, EARLY) && str_eq(back.cleared_reason, "it was looked at"));
}

/* The most that can be written can be read. */
static void test_full(void)
{
	own_arena struct arena a = {0};
	struct brig_taint *rows = arena_array(&a, TAINT_ROWS + 1, sizeof(*rows));
	char *reason = arena_new(&a, TAINT_REASON_MAX + 1);
	struct brig_taints t = {rows, TAINT_ROWS, NULL, NULL}, back;
	struct err e;
	size_t len;

	memset(reason, '"', TAINT_REASON_MAX);
	for (size_t i = 0; i <= TAINT_ROWS; i++)
		rows[i] = (struct brig_taint){reason, "manual", EARLY, "uid=4294967295"};
	const char *text = taints_print(&a, &t, &len);
	CHECK(len < TAINT_MAX_BYTES && taints_parse(&a, text, len, &back, &e) == 0);
	t.n_rows++;
	text = taints_print(&a, &t, &len);
	CHECK(taints_parse(&a, text, len, &back, &e) == -E2BIG);
}

static void test_bad(void)
{
#define ROW(reason, class_, time, by)                                                              \
	"{\"v\":1,\"taint\":[{\"reason\":\"" reason "\",\"class\":\"" class_ "\",\"time\":\"" time \
	"\",\"by\":\"" by "\"}]}"
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"v\":2}",
		"{\"v\":1,\"x\":1}",
		"{\"v\":1,\"cleared\":\"" EARLY "\"}",
		"{\"v\":1,\"clearedReason\":\"x\"}",
		"{\"v\":1,\"cleared\":\"yesterday\",\"clearedReason\":\"x\"}",
		"{\"v\":1,\"cleared\":\"" EARLY "\",\"clearedReason\":\"\\n\"}",
		"{\"v\":1,\"taint\":[{}]}",
		"{\"v\":1,\"taint\":{}}",
		"{\"v\":1}{\"v\":1}",
		ROW("", "manual", EARLY, "uid=0"),
		ROW("a\\nb", "manual", EARLY, "uid=0"),
		ROW("a\\u001bb", "manual", EARLY, "uid=0"),
		ROW("a\\u007fb", "manual", EARLY, "uid=0"),
		ROW("a\\u009bb", "manual", EARLY, "uid=0"),
		ROW("a\\u0000b", "manual", EARLY, "uid=0"),
		ROW("x", "Manual", EARLY, "uid=0"),
		ROW("x", "", EARLY, "uid=0"),
		ROW("x", "a:b", EARLY, "uid=0"),
		ROW("x", "manual", "2026-11-22T10:00:00Z", "uid=0"),
		ROW("x", "manual", "2026-11-22T10:00:00.000z", "uid=0"),
		ROW("x", "manual", EARLY " ", "uid=0"),
		ROW("x", "manual", EARLY, ""),
		ROW("x", "manual", EARLY, "uid=0\\t"),
	};

	for (size_t i = 0; i < LEN(bad); i++) {
		own_arena struct arena a = {0};
		struct brig_taints t;
		struct err e = {0};

		CHECK(taints_parse(&a, bad[i], strlen(bad[i]), &t, &e) < 0 && e.msg[0]);
		CHECK(t.n_rows == 0 && !t.cleared);
	}
}

static void test_words(void)
{
	char longest[TAINT_REASON_MAX + 2];
	struct err e;

	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CHECK(taint_check_reason(longest, &e) == -E2BIG);
	longest[TAINT_REASON_MAX] = '\0';
	CHECK(taint_check_reason(longest, &e) == 0);
	CHECK(taint_check_reason("\xff", &e) == -EINVAL);
	CHECK(taint_check_reason("\xc2\x85", &e) == -EINVAL &&
	      taint_check_reason("\xc2\xa0", &e) == 0);
	CHECK(taint_check_class("egress", &e) == 0 && taint_check_class("a b", &e) == -EINVAL);
	CHECK(taint_check_class("a23456789012345678901234567890123", &e) == -EINVAL);
}

/* --- who asks ----------------------------------------------------------------------------- */

struct place {
	char path[64];
	int dir;
};

static struct place enter(void)
{
	struct place p = {.path = "/tmp/brig-taint.XXXXXX", .dir = -1};

	if (mkdtemp(p.path))
		p.dir = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(p.dir >= 0);
	return p;
}

static void leave(struct place *p)
{
	struct err e;

	(void)close(p->dir);
	CHECK(file_remove_tree(AT_FDCWD, p->path, &e) == 0);
}

static void put(const struct place *p, const char *name, const char *text)
{
	struct err e;

	CHECK(file_replace(p->dir, name, text, strlen(text), 0600, &e) == 0);
}

static void put_violation(struct arena *a, const struct place *p, const char *last)
{
	const struct brig_violation v[] = {
		{"egress",  "api.example.org:443", "warn",      7, EARLY, LATE, false},
		{"syscall", "ptrace",              "terminate", 3, EARLY, last, true },
	};
	size_t len;

	put(p, VIOLATIONS_FILE, violations_print(a, v, LEN(v), &len));
}

static void test_nothing(void)
{
	own_arena struct arena a = {0};
	struct place p = enter();
	struct taint t;

	taint_of(&a, p.dir, &t);
	CHECK(t.n == 0 && !t.cleared);
	leave(&p);
}

static void test_sources(void)
{
	own_arena struct arena a = {0};
	struct place p = enter();
	struct taint t;

	put(&p, TAINT_FILE, ROW("odd", "manual", EARLY, "uid=0"));
	put_violation(&a, &p, LATE);
	put(&p, WARDEN_ENDED,
	    "{\"v\":1,\"reason\":\"syscall\",\"syscall\":\"bpf\",\"nr\":321,\"count\":9,"
	    "\"tainted\":true}");
	taint_of(&a, p.dir, &t);
	CHECK(t.n == 2);
	CHECK(str_eq(t.rows[0].class_, "manual") && str_eq(t.rows[0].reason, "odd"));
	CHECK(t.rows[0].count == 1 && str_eq(t.rows[0].by, "uid=0"));
	/* "violations" knows it better than "ended". */
	CHECK(str_eq(t.rows[1].class_, "syscall") && str_eq(t.rows[1].name, "ptrace"));
	CHECK(t.rows[1].count == 3 && str_eq(t.rows[1].last, LATE) && !t.rows[1].reason);
	leave(&p);
}

static void test_cleared(void)
{
	static const char cleared[] = "{\"v\":1,\"cleared\":\"" LATE "\",\"clearedReason\":\"x\"}";
	own_arena struct arena a = {0};
	struct place p = enter();
	struct taint t;

	put(&p, TAINT_FILE, cleared);
	put_violation(&a, &p, EARLY);
	put(&p, WARDEN_ENDED,
	    "{\"v\":1,\"reason\":\"syscall\",\"syscall\":\"bpf\",\"nr\":321,\"count\":9,"
	    "\"tainted\":true}");
	taint_of(&a, p.dir, &t);
	CHECK(t.n == 0 && str_eq(t.cleared, LATE));
	put_violation(&a, &p, LATE);
	taint_of(&a, p.dir, &t);
	CHECK(t.n == 1 && str_eq(t.rows[0].name, "ptrace"));
	leave(&p);
}

/* A warden that knew no more than that. */
static void test_ended(void)
{
	own_arena struct arena a = {0};
	struct place p = enter();
	struct taint t;

	put(&p, WARDEN_ENDED,
	    "{\"v\":1,\"reason\":\"timeout\",\"syscall\":\"bpf\",\"nr\":321,\"count\":9,"
	    "\"tainted\":true}");
	taint_of(&a, p.dir, &t);
	CHECK(t.n == 1 && str_eq(t.rows[0].name, "bpf") && t.rows[0].count == 9);
	put(&p, WARDEN_ENDED, "{\"v\":1,\"reason\":\"timeout\"}");
	taint_of(&a, p.dir, &t);
	CHECK(t.n == 0);
	leave(&p);
}

/* What cannot be read is not taken for nothing. */
static void test_unreadable(void)
{
	static const char *const names[] = {TAINT_FILE, VIOLATIONS_FILE, WARDEN_ENDED};

	for (size_t i = 0; i < LEN(names); i++) {
		own_arena struct arena a = {0};
		struct place p = enter();
		struct taint t;

		put(&p, names[i], "{\"v\":1");
		taint_of(&a, p.dir, &t);
		CHECK(t.n == 1 && str_eq(t.rows[0].class_, "unreadable"));
		CHECK(str_eq(t.rows[0].name, names[i]) && t.rows[0].reason);
		leave(&p);
	}
}

/* At standard the kernel ends it for a call: only its result knows. */
static void test_result(void)
{
	static const char *const old[] = {"manual", "syscall"};
	own_arena struct arena a = {0};
	struct place p = enter();
	struct brig_result r = {.status = "syscall", .ended = EARLY, .taint = old, .n_taint = 2};
	struct taint t;

	taint_of_result(&a, p.dir, &r, &t);
	CHECK(t.n == 1 && str_eq(t.rows[0].class_, "syscall") && str_eq(t.rows[0].last, EARLY));
	CHECK(r.n_taint == 1 && str_eq(r.taint[0], "syscall"));
	put(&p, TAINT_FILE, ROW("odd", "manual", EARLY, "uid=0"));
	put_violation(&a, &p, LATE);
	taint_of_result(&a, p.dir, &r, &t);
	CHECK(t.n == 2 && r.n_taint == 2 && str_eq(r.taint[0], "manual"));
	CHECK(str_eq(r.taint[1], "syscall:ptrace"));
	put(&p, TAINT_FILE,
	    "{\"v\":1,\"cleared\":\"2026-11-22T10:00:00.002Z\",\"clearedReason\":\"x\"}");
	taint_of_result(&a, p.dir, &r, NULL);
	CHECK(r.n_taint == 0 && !r.taint);
	leave(&p);
}

int main(void)
{
	test_round();
	test_full();
	test_bad();
	test_words();
	test_nothing();
	test_sources();
	test_cleared();
	test_ended();
	test_unreadable();
	test_result();
	return check_done();
}
