/* The list of a root's files, and of packages: what differs is told, whatever names there are. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "check.h"
#include "pool/lower.h"

static char top[] = "/tmp/test_lower.XXXXXX";

static int root(void)
{
	return open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put(const char *name, const char *text)
{
	own_fd int dir = root();
	struct err e;

	CHECK(file_replace(dir, name, text, strlen(text), 0644, &e) == 0);
}

static const char *list(struct arena *a)
{
	const char *text = "";
	struct err e;
	size_t len = 0;

	CHECK(lower_list(a, top, &text, &len, &e) == 0);
	CHECK(len == strlen(text));
	return text;
}

static uint64_t differs(struct arena *a, const char *before, const char **first)
{
	return lower_compare(a, before, list(a), first);
}

/* Each thing that somebody can do to a file is one difference, and told by its path. */
static void test_changes(void)
{
	own_arena struct arena a = {0};
	own_fd int dir = root();
	const char *first, *before;

	put("a", "one");
	put("b b", "two");
	CHECK(mkdirat(dir, "d", 0755) == 0);
	put("d/x", "three");
	CHECK(symlinkat("/etc/passwd", dir, "l") == 0 && mkfifoat(dir, "p", 0644) == 0);
	before = list(&a);
	CHECK(strstr(before, "f 644 0:0 3 ") && strstr(before, " /b\\x20b\n"));
	CHECK(differs(&a, before, &first) == 0 && !first);

	put("a", "owe"); /* as long as it was */
	CHECK(differs(&a, before, &first) == 1);
	CHECK_STR(first, "changed: /a");
	put("a", "one");
	CHECK(fchmodat(dir, "d/x", 04755, 0) == 0);
	CHECK(differs(&a, before, &first) == 1);
	CHECK_STR(first, "changed: /d/x");
	CHECK(fchmodat(dir, "d/x", 0644, 0) == 0 && fchownat(dir, "d", 7, 0, 0) == 0);
	CHECK(differs(&a, before, &first) == 1);
	CHECK_STR(first, "changed: /d");
	CHECK(fchownat(dir, "d", 0, 0, 0) == 0 && unlinkat(dir, "l", 0) == 0);
	CHECK(differs(&a, before, &first) == 1);
	CHECK_STR(first, "gone: /l");
	CHECK(symlinkat("/etc/shadow", dir, "l") == 0);
	CHECK(differs(&a, before, &first) == 1);
	CHECK(unlinkat(dir, "l", 0) == 0 && symlinkat("/etc/passwd", dir, "l") == 0);
	put("d/new", "");
	CHECK(differs(&a, before, &first) == 1);
	CHECK_STR(first, "new: /d/new");
	CHECK(unlinkat(dir, "d/new", 0) == 0);
	CHECK(differs(&a, before, &first) == 0);
}

/* Names around the order of the walk, and of what is printed: each counts once. */
static void test_names(void)
{
	static const char *const names[] = {
		"n",  "n!", "n ",    "n\n", "n\\",  "n\x7f", "nA",
		"na", "n-", "n\xff", "n0",  "n/in", "n\t",
	};
	own_arena struct arena a = {0};
	own_fd int dir = root();
	const char *first, *with, *without;

	for (size_t i = 1; i < LEN(names); i++)
		if (!strchr(names[i], '/'))
			put(names[i], "x");
	CHECK(mkdirat(dir, "n", 0755) == 0);
	put("n/in", "x");
	with = list(&a);
	for (size_t i = 1; i < LEN(names); i++) {
		CHECK(unlinkat(dir, names[i], 0) == 0);
		without = list(&a);
		CHECK(lower_compare(&a, with, without, &first) == 1 &&
		      str_starts(first, "gone: /n"));
		CHECK(lower_compare(&a, without, with, &first) == 1 &&
		      str_starts(first, "new: /n"));
		put(names[i], "x");
	}
	CHECK(lower_compare(&a, with, "", &first) > LEN(names));
	CHECK(lower_compare(&a, "", with, &first) > LEN(names));
	CHECK(lower_compare(&a, "garbage", with, &first) > 0);
}

static const char *package(struct arena *a, const char *text, const char *path)
{
	char hex[SHA256_HEX];

	sha256_hex(text, strlen(text), hex);
	return arena_printf(a, "%s  %s\n", hex, path);
}

static size_t check(struct arena *a, const char *text, const char *const **differ)
{
	struct lower_packages p;
	struct err e;
	size_t n = 0;

	CHECK(lower_packages_parse(a, arena_strdup(a, text), &p, &e) == 0);
	CHECK(lower_packages_check(a, top, &p, differ, &n, &e) == 0);
	return n;
}

static void test_packages(void)
{
	own_arena struct arena a = {0};
	own_fd int dir = root();
	const char *const *differ;
	const char *good =
		arena_printf(&a, "%s%s", package(&a, "one", "/a"), package(&a, "x", "n/in"));

	CHECK(check(&a, good, &differ) == 0);
	put("a", "owe");
	CHECK(check(&a, good, &differ) == 1);
	CHECK_STR(differ[0], "/a");
	CHECK(unlinkat(dir, "a", 0) == 0);
	CHECK(check(&a, good, &differ) == 1);
	/* A link to what is outside, with what should be there. */
	CHECK(symlinkat("/proc/self/cmdline", dir, "a") == 0);
	CHECK(check(&a, good, &differ) == 1);
	CHECK(unlinkat(dir, "a", 0) == 0 && mkfifoat(dir, "a", 0644) == 0);
	CHECK(check(&a, good, &differ) == 1);
}

static void test_bad_packages(void)
{
	static const char *const bad[] = {
		"",
		"\n\n",
		"x  /a",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde  /a",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef /a",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef  ",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg  /a",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef  /a\n#\n",
	};
	own_arena struct arena a = {0};
	struct lower_packages p;
	struct err e;

	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(lower_packages_parse(&a, arena_strdup(&a, bad[i]), &p, &e) < 0 && e.msg[0]);
}

int main(void)
{
	struct err e;

	CHECK(mkdtemp(top));
	test_changes();
	test_names();
	test_packages();
	test_bad_packages();
	CHECK(file_remove_tree(AT_FDCWD, top, &e) == 0);
	return check_done();
}
