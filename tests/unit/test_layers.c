/* What a generation wrote: names, files of brig's own about it, walks of hostile trees. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "fs/apply.h"
#include "fs/collect.h"
#include "fs/diff.h"
#include "fs/empty.h"
#include "specs/change.h"
#include "specs/layer.h"
#include "specs/volume.h"

/* --- names -------------------------------------------------------------------------------- */

static void test_escape(void)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = {
		{"plain name.txt",       "plain name.txt"      },
		{"",		     ""                    },
		{"a\nb\tc\x7f",          "a\\x0ab\\x09c\\x7f"  },
		{"back\\slash",          "back\\\\slash"       },
		{"\xff\xfe",             "\\xff\\xfe"          },
		{"\xc3\xa4",             "\xc3\xa4"            },
		{"\xc3",                 "\\xc3"               },
		{"\xc0\xaf",             "\\xc0\\xaf"          },
		{"\xed\xa0\x80",         "\\xed\\xa0\\x80"     },
		{"\xf4\x90\x80\x80",     "\\xf4\\x90\\x80\\x80"},
		{"\xf0\x9f\x98\x80",     "\xf0\x9f\x98\x80"    },
		{"\xe2\x80\xae"
		 "x",   "\\xe2\\x80\\xaex"    },
		{"\xc2\x9b"
		 "31m", "\\xc2\\x9b"
		 "31m" },
		{"\\x41",                "\\\\x41"             },
	};
	own_arena struct arena a = {0};
	size_t len;

	for (size_t i = 0; i < LEN(rows); i++) {
		const char *text = change_escape(&a, rows[i].bytes, strlen(rows[i].bytes));

		CHECK_STR(text, rows[i].text);
		const char *back = change_unescape(&a, text, &len);
		CHECK(back && len == strlen(rows[i].bytes));
		CHECK_STR(back, rows[i].bytes);
	}
}

/* Each pair of bytes: told apart, and back again. */
static void test_escape_all(void)
{
	for (int first = 1; first < 256; first++) {
		own_arena struct arena a = {0};

		for (int second = 1; second < 256; second++) {
			const char bytes[3] = {(char)first, (char)second, '\0'};
			size_t len;
			const char *text = change_escape(&a, bytes, 2);
			const char *back = change_unescape(&a, text, &len);

			if (!back || len != 2 || memcmp(back, bytes, 2) != 0)
				CHECK(false); /* does not come back */
		}
	}
}

static void test_bad_escapes(void)
{
	static const char *const bad[] = {"\\",    "\\x",  "\\x4", "\\x41",
					  "\\xC3", "a\nb", "\xff", "\\n"};
	own_arena struct arena a = {0};
	size_t len;

	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(!change_unescape(&a, bad[i], &len));
}

/* --- files -------------------------------------------------------------------------------- */

static void test_layers_file(void)
{
	static const struct brig_layer_entry entries[] = {
		{".",       5, 1234567890123456789, 040755,  0, 0},
		{"a\\x0ab", 6, -1,                  0100644, 1, 2},
	};
	static const struct brig_layer layers[] = {
		{.path = "/tmp",     .kind = "tmpfs", .entries = entries, .n_entries = 2},
		{ .path = "/data",
		 .kind = "overlay",
		 .source = "/srv/x",
		 .dev = 1,
		 .ino = 2,
		 .since_ns = 3},
	};
	const struct brig_layers whole = {.v = 1, .layers = layers, .n_layers = 2};
	own_arena struct arena a = {0};
	struct brig_layers back;
	struct err e;
	size_t len;
	const char *text = layers_print(&a, &whole, &len);

	CHECK(layers_parse(&a, text, len, &back, &e) == 0);
	CHECK(back.n_layers == 2 && back.layers[0].n_entries == 2);
	CHECK(back.layers[0].entries[0].ctime_ns == 1234567890123456789);
	CHECK_STR(back.layers[1].source, "/srv/x");
	for (size_t n = 0; n < len; n++)
		CHECK(layers_parse(&a, text, n, &back, &e) < 0);
}

static void test_bad_layers(void)
{
#define ENTRY(path)                                                                                \
	"{\"v\":1,\"layers\":[{\"path\":\"/t\",\"kind\":\"tmpfs\",\"entries\":[{\"path\":\"" path  \
	"\",\"ino\":1,\"ctimeNs\":1,\"mode\":1,\"uid\":0,\"gid\":0}]}]}"
	static const char *const bad[] = {
		"{}",
		"{\"v\":2,\"layers\":[]}",
		"{\"v\":1,\"layers\":[{\"path\":\"/t\",\"kind\":\"ext4\"}]}",
		"{\"v\":1,\"layers\":[{\"path\":\"t\",\"kind\":\"tmpfs\"}]}",
		"{\"v\":1,\"layers\":[{\"path\":\"/t\",\"kind\":\"tmpfs\",\"source\":\"/s\"}]}",
		"{\"v\":1,\"layers\":[{\"path\":\"/t\",\"kind\":\"overlay\"}]}",
		"{\"v\":1,\"layers\":[{\"path\":\"/t\",\"kind\":\"overlay\",\"source\":\"s\"}]}",
		"{\"v\":1,\"layers\":[],\"more\":1}",
		ENTRY(""),
		ENTRY("/a"),
		ENTRY(".."),
		ENTRY("a/../b"),
		ENTRY("a//b"),
		ENTRY("a/."),
		ENTRY("\\\\x41"),
	};
	own_arena struct arena a = {0};
	struct brig_layers back;

	for (size_t i = 0; i < LEN(bad); i++) {
		struct err e = {0};

		int r = layers_parse(&a, bad[i], strlen(bad[i]), &back, &e);

		CHECK_STR(r < 0 ? "" : bad[i], "");
		CHECK(e.code && e.msg[0]);
	}
}

static void test_volumes_annotation(void)
{
	static const char *const bad[] = {
		"",           "{",           "[]",  "\"x\"",
		"{\"/a\":1}", "{},\"x\":{}", "{}}", "{},\"volumes\":{\"/a\":\"keep\"}",
		"null,1",
	};
	own_arena struct arena a = {0};
	const struct oci_map *map;
	struct err e;
	size_t n;

	CHECK(layer_volumes_parse(&a, "{\"/a\":\"keep\",\"/b\":\"wipe\"}", &map, &n, &e) == 0);
	CHECK(n == 2);
	CHECK(layer_volumes_parse(&a, "{}", &map, &n, &e) == 0 && n == 0);
	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(layer_volumes_parse(&a, bad[i], &map, &n, &e) < 0);
}

static void test_volumes_file(void)
{
	static const struct brig_volume list[] = {
		{"/data", "/srv/x", "wipe", 1, 2, 01777, 3, 4},
	};
	static const char *const bad[] = {
		"{\"v\":1,\"volumes\":[{\"path\":\"/d\",\"source\":\"/"
		"s\",\"policy\":\"refuse\",\"dev\":1,\"ino\":1,\"mode\":1,\"uid\":0,\"gid\":0}]}",
		"{\"v\":1,\"volumes\":[{\"path\":\"d\",\"source\":\"/"
		"s\",\"policy\":\"wipe\",\"dev\":1,\"ino\":1,\"mode\":1,\"uid\":0,\"gid\":0}]}",
		"{\"v\":1,\"volumes\":[{\"path\":\"/d\",\"source\":\"/"
		"s\",\"policy\":\"wipe\",\"dev\":1,\"ino\":1,\"mode\":65535,\"uid\":0,\"gid\":0}]}",
		"{\"v\":1,\"volumes\":[{\"path\":\"/d\",\"source\":\"/s\",\"policy\":\"wipe\"}]}",
	};
	const struct brig_volumes whole = {.v = 1, .volumes = list, .n_volumes = 1};
	own_arena struct arena a = {0};
	struct brig_volumes back;
	struct err e;
	size_t len;
	const char *text = volumes_print(&a, &whole, &len);

	CHECK(volumes_parse(&a, text, len, &back, &e) == 0);
	CHECK(back.n_volumes == 1 && back.volumes[0].mode == 01777 && back.volumes[0].gid == 4);
	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(volumes_parse(&a, bad[i], strlen(bad[i]), &back, &e) < 0);
}

/* --- links -------------------------------------------------------------------------------- */

static void test_links(void)
{
	static const struct {
		const char *target;
		size_t depth;
		bool leaves;
	} rows[] = {
		{"a",             0, false},
		{"a/b/c",         0, false},
		{"./a",           0, false},
		{"../a",          1, false},
		{"../../a",       2, false},
		{".././../a",     2, false},
		{"..",            1, false},
		{"/",             5, true },
		{"/etc/shadow",   5, true },
		{"..",            0, true },
		{"../a",          0, true },
		{"../../a",       1, true },
		{"a/..",          3, true },
		{"a/../../../..", 3, true },
		{"",              1, true },
		{"...",           0, false},
		{"..a/b",         0, false},
		{"./../a",        0, true },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		CHECK(fs_link_leaves(rows[i].target, strlen(rows[i].target), rows[i].depth) ==
		      rows[i].leaves);
}

/* --- trees -------------------------------------------------------------------------------- */

static int temp_dir(char path[64])
{
	snprintf(path, 64, "/tmp/test_layers.XXXXXX");
	return mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static void touch(int dir, const char *name)
{
	own_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
}

static int count_entry(void *ctx, const struct walk_entry *w, struct err *e)
{
	size_t *n = ctx;

	(void)e;
	CHECK(strlen(w->path) == w->len);
	CHECK((w->depth == 0) == (w->len == 0));
	(*n)++;
	return 0;
}

/* Deeper than a path may be long, with few descriptors. */
static void test_deep(void)
{
	enum { DEEP = 3000 };
	char path[64];
	own_fd int top = temp_dir(path);
	int at = fcntl(top, F_DUPFD_CLOEXEC, 3);
	size_t n = 0;
	struct walk w = {.ctx = &n, .entry = count_entry, .most = UINT64_MAX};
	struct err e;

	for (int i = 0; i < DEEP; i++) {
		CHECK(mkdirat(at, "dir", 0755) == 0);
		int next = openat(at, "dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		(void)close(at);
		at = next;
	}
	(void)close(at);
	CHECK(fs_walk(top, &w, &e) == 0);
	CHECK(n == DEEP + 1);
	w.most = 10;
	CHECK(fs_walk(top, &w, &e) == -EOVERFLOW);
	CHECK(fs_is_empty(top) == 0);
	CHECK(fs_empty(top, &e) == 0);
	CHECK(fs_is_empty(top) == 1);
	CHECK(rmdir(path) == 0);
}

static int take_base(void *ctx, const struct fs_base *b)
{
	struct fs_base *list = ctx;
	size_t i = 0;

	while (list[i].path)
		i++;
	list[i] = *b;
	list[i].path = strdup(b->path);
	return 0;
}

static int note(void *ctx, const struct fs_change *c, struct err *e)
{
	char *text = ctx;

	(void)e;
	snprintf(text + strlen(text), 256 - strlen(text), "%c%s ", "ACD"[c->op],
		 c -> entry -> path);
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct fs_base *)a)->path, ((const struct fs_base *)b)->path);
}

static void test_diff_of_one(void)
{
	char path[64], told[256] = "";
	own_fd int top = temp_dir(path);
	struct fs_base base[16] = {{.path = NULL}};
	struct fs_layer l = {.root = top, .lower = -1, .base = base, .n_base = 6};
	struct fs_diff d = {.ctx = told, .change = note, .most = 1000};
	struct err e;

	CHECK(mkdirat(top, "d", 0755) == 0);
	touch(top, "same");
	touch(top, "text");
	touch(top, "mode");
	touch(top, "gone");
	CHECK(fs_diff_base(top, 100, take_base, base, &e) == 0);
	qsort(base, 6, sizeof(*base), by_path);
	CHECK(fs_diff(&l, &d, &e) == 0);
	CHECK_STR(told, "");
	usleep(20000);
	touch(top, "text");
	touch(top, "d/new");
	CHECK(fchmodat(top, "mode", 0600, 0) == 0 && unlinkat(top, "gone", 0) == 0);
	CHECK(fs_diff(&l, &d, &e) == 0);
	CHECK_STR(told, "Ad/new Cmode Ctext Dgone ");
	for (size_t i = 0; i < 6; i++)
		free((void *)(uintptr_t)base[i].path);
	CHECK(fs_empty(top, &e) == 0 && rmdir(path) == 0);
}

/* A file may not become a fifo between the look and the open, nor a link be read. */
static void test_open_is_exact(void)
{
	char path[64];
	own_fd int top = temp_dir(path);
	struct statx st;
	struct err e;
	struct walk_entry w = {.dir = top, .name = "f", .st = &st};

	touch(top, "f");
	CHECK(statx(top, "f", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) == 0);
	own_fd int fd = fs_walk_open(&w, &e);
	CHECK(fd >= 0);
	CHECK(unlinkat(top, "f", 0) == 0 && mkfifoat(top, "f", 0644) == 0);
	CHECK(fs_walk_open(&w, &e) < 0);
	CHECK(unlinkat(top, "f", 0) == 0 && symlinkat("/etc/passwd", top, "f") == 0);
	CHECK(fs_walk_open(&w, &e) < 0);
	CHECK(fs_collect_open(top, "f/x", &e) < 0);
	CHECK(fs_collect_open(top, "../x", &e) < 0);
	CHECK(fs_empty(top, &e) == 0 && rmdir(path) == 0);
}

int main(void)
{
	test_escape();
	test_escape_all();
	test_bad_escapes();
	test_layers_file();
	test_bad_layers();
	test_volumes_annotation();
	test_volumes_file();
	test_links();
	test_deep();
	test_diff_of_one();
	test_open_is_exact();
	return check_done();
}
