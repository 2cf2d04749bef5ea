/* What a writer finds and does not hide: torn lines, lines cut off, files replaced or gone. */
#include "audit_fixture.h"

static void setup_with(struct audit_fixture *f, int records)
{
	audit_setup(f);
	CHECK(audit_reopen(f) == 0);
	for (int i = 0; i < records; i++)
		CHECK(audit_add(f, "SandboxStarted") == 0);
}

/* Where line n (1 ...) of the log begins; the file's length behind the last. */
static off_t line_at(struct audit_fixture *f, int n)
{
	const char *text = audit_text(f, "", NULL), *p = text;

	while (--n > 0)
		p = strchr(p, '\n') + 1;
	return p - text;
}

static void cut_to(struct audit_fixture *f, off_t size)
{
	CHECK(truncate(f->path, size) == 0);
}

static void must_be(struct audit_fixture *f, uint64_t records, uint64_t stray, uint64_t repairs)
{
	struct audit_seen s = audit_look(f, NULL);

	CHECK(s.bad == 0 && s.records == records && s.stray == stray && s.repairs == repairs);
	if (s.bad || s.records != records || s.stray != stray || s.repairs != repairs)
		fprintf(stderr, "%llu bad, %llu records, %llu stray, %llu repairs: %s\n",
			(unsigned long long)s.bad, (unsigned long long)s.records,
			(unsigned long long)s.stray, (unsigned long long)s.repairs,
			s.data ? s.data : "");
}

static char *repair_for(struct audit_fixture *f, const char *bytes, size_t len)
{
	char hex[SHA256_HEX];

	sha256_hex(bytes, len, hex);
	return arena_printf(&f->arena, "{\"bytes\":%zu,\"sha256\":\"%s\"", len, hex);
}

/* Each is what stands behind the last record; the next append ends it, names it and goes on. */
static void test_torn(void)
{
	static const char half[] = "{\"v\":1,\"seq\":4,\"ts\":\"20";
	static const struct {
		const char *text, *named;
	} torn[] = {
		{half,			       half             },
                {"{\"v\":1,\"seq\":4,\"ts\":\"20\n", half             },
                {"x",                                "x"              },
		{"\n",			       ""               },
                {"one\ntwo\nthree",                  "one\ntwo\nthree"},
                {"one\n\n",                          "one\n"          },
	};

	for (size_t i = 0; i < LEN(torn); i++) {
		struct audit_fixture f;
		size_t lines = 1;

		setup_with(&f, 2);
		audit_scribble(&f, "", O_APPEND, torn[i].text, strlen(torn[i].text));
		CHECK(audit_add(&f, "SandboxExited") == 0 && audit_add(&f, "SandboxExited") == 0);
		for (const char *p = torn[i].named; *p; p++)
			lines += *p == '\n';
		must_be(&f, 6, lines, 1);
		CHECK(str_starts(audit_look(&f, NULL).data,
				 repair_for(&f, torn[i].named, strlen(torn[i].named))));
		audit_done(&f);
	}
}

/* Longer than a window is, without and with line ends, and NULs as a file system leaves them. */
static void test_torn_much(void)
{
	enum { MUCH = 300000 };
	own_free char *text = malloc(MUCH);

	for (int i = 0; i < 3; i++) {
		struct audit_fixture f;

		memset(text, i ? 'x' : 0, MUCH);
		for (int n = 99; i == 2 && n < MUCH - 1; n += 100)
			text[n] = '\n';
		setup_with(&f, 2);
		audit_scribble(&f, "", O_APPEND, text, MUCH);
		CHECK(audit_add(&f, "SandboxExited") == 0);
		must_be(&f, 5, i == 2 ? MUCH / 100 : 1, 1);
		CHECK(str_starts(audit_look(&f, NULL).data,
				 repair_for(&f, text, MUCH - (i == 2))) ||
		      i == 2);
		audit_done(&f);
	}
}

/* A record of which only the line's end is missing is one; not if it does not follow. */
static void test_unended(void)
{
	struct audit_fixture f;
	own_free char *line = NULL;

	setup_with(&f, 3);
	cut_to(&f, line_at(&f, 5) - 1);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 5, 0, 0);

	/* the same record again */
	line = strdup(audit_text(&f, "", NULL) + line_at(&f, 5));
	audit_scribble(&f, "", O_APPEND, line, strlen(line) - 1);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	CHECK(audit_look(&f, NULL).repairs == 1);
	audit_done(&f);

	/* the only one of the log */
	setup_with(&f, 0);
	cut_to(&f, line_at(&f, 2) - 1);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 2, 0, 0);
	audit_done(&f);
}

/* Killed between the write and the lock file's line: the records are there, and nothing is said. */
static void test_line_is_late(void)
{
	static const char *const instead[] = {"", "short", "brig-audit-lock/1 nonsense"};
	struct audit_fixture f;
	size_t len;

	setup_with(&f, 2);
	char *before = audit_text(&f, ".lock", &len);
	for (int i = 0; i < 3; i++)
		CHECK(audit_add(&f, "SandboxExited") == 0);
	audit_scribble(&f, ".lock", 0, before, len);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 7, 0, 0);
	for (size_t i = 0; i < LEN(instead); i++) {
		audit_scribble(&f, ".lock", O_TRUNC, instead[i], strlen(instead[i]));
		CHECK(audit_add(&f, "SandboxExited") == 0);
	}
	must_be(&f, 10, 0, 0);
	audit_done(&f);
}

/* Its lock file taken away, replaced, linked. */
static void test_lock_file(void)
{
	struct audit_fixture f;

	setup_with(&f, 1);
	CHECK(unlink(audit_beside(&f, ".lock")) == 0 && audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 3, 0, 0);
	audit_scribble(&f, ".other", O_CREAT, "x", 1);
	CHECK(rename(audit_beside(&f, ".other"), audit_beside(&f, ".lock")) == 0);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 4, 0, 0);
	CHECK(unlink(audit_beside(&f, ".lock")) == 0);
	CHECK(symlink("log", audit_beside(&f, ".lock")) == 0);
	CHECK(audit_add(&f, "SandboxExited") == -ELOOP);
	CHECK(audit_reopen(&f) == -ELOOP);
	must_be(&f, 4, 0, 0);
	audit_done(&f);
}

static void must_say(struct audit_fixture *f, const struct audit_position *was, uint64_t found)
{
	const char *data = audit_look(f, NULL).data;

	CHECK_STR(strstr(data ? data : "", "\"expected_seq\""),
		  arena_printf(&f->arena,
			       "\"expected_seq\":%llu,\"expected_hash\":\"%s\",\"found_seq\":%llu}",
			       (unsigned long long)was->seq, was->hash, (unsigned long long)found));
}

static struct audit_position add_at(struct audit_fixture *f)
{
	const struct audit_record r = {.event = "SandboxExited"};
	struct audit_position at = {0};

	CHECK(audit_append(f->log, &r, &at, &f->e) == 0);
	return at;
}

static void test_cut(void)
{
	struct audit_position at;
	struct audit_fixture f;

	setup_with(&f, 5);
	at = add_at(&f);
	cut_to(&f, line_at(&f, 5));
	CHECK(audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 6, 0, 1);
	must_say(&f, &at, 4);
	/* in the middle of a line, too: both things in one record */
	at = add_at(&f);
	cut_to(&f, line_at(&f, 6) + 20);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 7, 1, 2);
	must_say(&f, &at, 5);
	CHECK(str_starts(audit_look(&f, NULL).data, "{\"bytes\":20,"));
	audit_done(&f);
}

/* Put back as it was some records ago, by a copy, so that it has another inode. */
static void test_rolled_back(void)
{
	struct audit_position at;
	struct audit_fixture f;
	size_t len;

	setup_with(&f, 3);
	char *old = audit_text(&f, "", &len);
	at = add_at(&f);
	audit_scribble(&f, ".copy", O_CREAT, old, len);
	CHECK(rename(audit_beside(&f, ".copy"), f.path) == 0);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 6, 0, 1);
	must_say(&f, &at, 4);
	/* a copy of all of it says nothing */
	old = audit_text(&f, "", &len);
	audit_scribble(&f, ".copy", O_CREAT, old, len);
	CHECK(rename(audit_beside(&f, ".copy"), f.path) == 0);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 7, 0, 1);
	/* as long, but another last record: only the inode tells */
	at = add_at(&f);
	old = audit_text(&f, "", &len);
	strstr(old + line_at(&f, 8), "SandboxExited")[12] = 'D';
	audit_scribble(&f, ".copy", O_CREAT, old, len);
	CHECK(rename(audit_beside(&f, ".copy"), f.path) == 0);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 10, 0, 2);
	must_say(&f, &at, 8);
	audit_done(&f);
}

/* Another history with as many records, or more; within the window it shows. */
static void test_replaced(void)
{
	for (int more = 0; more < 2; more++) {
		struct audit_fixture f, other;
		struct audit_position at;
		size_t len;

		setup_with(&f, 3);
		at = add_at(&f);
		setup_with(&other, more ? 9 : 4);
		char *text = audit_text(&other, "", &len);
		audit_scribble(&f, "", O_TRUNC, text, len);
		CHECK(audit_add(&f, "SandboxExited") == 0);
		must_be(&f, more ? 12 : 7, 0, 1);
		must_say(&f, &at, more ? 10 : 5);
		audit_done(&f);
		audit_done(&other);
	}
}

static void test_gone(void)
{
	struct audit_position at;
	struct audit_fixture f;

	/* all of it: a new log that names what is lost; emptied: the same */
	for (int emptied = 0; emptied < 2; emptied++) {
		setup_with(&f, 2);
		at = add_at(&f);
		CHECK(emptied ? truncate(f.path, 0) == 0 : unlink(f.path) == 0);
		CHECK(audit_add(&f, "SandboxExited") == 0);
		must_be(&f, 2, 0, 0);
		CHECK(strstr(
			audit_text(&f, "", NULL),
			arena_printf(&f.arena, "\"lost\":{\"seq\":4,\"hash\":\"%s\"}", at.hash)));
		audit_done(&f);
	}
	/* without a lock file nobody knows */
	setup_with(&f, 2);
	CHECK(unlink(f.path) == 0 && unlink(audit_beside(&f, ".lock")) == 0);
	CHECK(audit_reopen(&f) == 0 && !strstr(audit_text(&f, "", NULL), "lost"));
	audit_done(&f);
}

static void rotate(struct audit_fixture *f)
{
	f->config.max_bytes = 1;
	CHECK(audit_reopen(f) == 0 && audit_add(f, "SandboxExited") == 0);
	f->config.max_bytes = 0;
	CHECK(audit_reopen(f) == 0);
}

static void test_gone_after_rotation(void)
{
	struct audit_position at;
	struct audit_fixture f;

	/* killed between two renames: the lock file knows of no more than the file put away has */
	setup_with(&f, 2);
	CHECK(rename(f.path, audit_beside(&f, ".3")) == 0);
	audit_scribble(&f, ".new", O_CREAT, "left", 4);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 5, 0, 0);
	CHECK(access(audit_beside(&f, ".new"), F_OK) < 0);
	/* the lock file gone, too */
	CHECK(rename(f.path, audit_beside(&f, ".5")) == 0);
	CHECK(unlink(audit_beside(&f, ".lock")) == 0 && audit_reopen(&f) == 0);
	must_be(&f, 6, 0, 0);
	/* records that were in a file that is gone */
	rotate(&f); /* 7, 8 */
	at = add_at(&f);
	CHECK(unlink(f.path) == 0 && audit_add(&f, "SandboxExited") == 0);
	must_be(&f, 9, 0, 1);
	must_say(&f, &at, 6);
	/* names that are none */
	static const char *const others[] = {".",    ".x", ".12x",
					     ".012", ".0", ".99999999999999999999"};
	for (size_t i = 0; i < LEN(others); i++)
		audit_scribble(&f, others[i], O_CREAT, "x", 1);
	CHECK(rename(f.path, audit_beside(&f, ".9")) == 0 && audit_add(&f, "SandboxExited") == 0);
	for (size_t i = 0; i < LEN(others); i++)
		CHECK(unlink(audit_beside(&f, others[i])) == 0);
	must_be(&f, 11, 0, 1);
	audit_done(&f);
}

/* Whatever is there under that name and is no log stays as it is. */
static void test_no_log(void)
{
	static const char *const texts[] = {"root:x:0:0\n", "no line end", "\n\n\n", "{}\n"};
	struct audit_fixture f;
	size_t len;

	for (size_t i = 0; i < LEN(texts); i++) {
		audit_setup(&f);
		audit_scribble(&f, "", O_CREAT, texts[i], strlen(texts[i]));
		CHECK(audit_reopen(&f) == 0 && audit_add(&f, "SandboxExited") == -ENODATA);
		CHECK(strstr(f.e.msg, "is it an audit log?"));
		CHECK_STR(audit_text(&f, "", &len), texts[i]);
		audit_done(&f);
	}
}

int main(void)
{
	test_torn();
	test_torn_much();
	test_unended();
	test_line_is_late();
	test_lock_file();
	test_cut();
	test_rolled_back();
	test_replaced();
	test_gone();
	test_gone_after_rotation();
	test_no_log();
	return check_done();
}
