/* Subordinate ids: the files as people write them, and the maps made of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "check.h"
#include "ns/idpool.h"
#include "ns/subid.h"

static void finds(void)
{
	static const struct {
		const char *text, *name;
		struct subid_range want;
	} rows[] = {
		{"me:100000:65536\n",                 "me", {100000, 65536}},
		{"1000:100000:65536\n",               NULL, {100000, 65536}},
		{"1000:100000:65536",                 "me", {100000, 65536}},
		{"you:1:2\nme:5:10\n1000:100:20\n",   "me", {100, 20}      },
		{"me:100000:65536:more\n",            "me", {100000, 65536}},
		{"me2:100000:65536\n",                "me", {0, 0}         },
		{"10001:100000:65536\n",              "me", {0, 0}         },
		{"",				  "me", {0, 0}         },
		{"me:0:65536\n",                      "me", {0, 0}         },
		{"me:x:65536\n",                      "me", {0, 0}         },
		{"me:-5:65536\n",                     "me", {0, 0}         },
		{"me:4294967000:65536\n",             "me", {0, 0}         },
		{"me:100000\nme:7:8\n",               "me", {7, 8}         },
		{":100000:65536\n",                   "",   {0, 0}         },
		{"# comment: me:1:2\n\n::\nme:7:8\n", "me", {7, 8}         },
		{"me:100000:99999999999\nme:3:4\n",   "me", {3, 4}         },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct subid_range got = subid_find(rows[i].text, 1000, rows[i].name);

		CHECK(got.first == rows[i].want.first && got.count == rows[i].want.count);
		if (got.first != rows[i].want.first || got.count != rows[i].want.count)
			fprintf(stderr, "row %zu: %u %u\n", i, got.first, got.count);
	}
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "we");
	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void reads(void)
{
	own_arena struct arena a = {0};
	char dir[] = "/tmp/subid.XXXXXX", text[64];
	struct subid s;
	struct err e = {0};

	CHECK(mkdtemp(dir) != NULL);
	CHECK(subid_read(&a, dir, &s, &e) == 0 && s.missing && strstr(s.missing, "subuid"));
	snprintf(text, sizeof(text), "me::%u:0::/:/bin/sh\n", geteuid());
	put(dir, "passwd", text);
	put(dir, "subuid", "me:100000:1000\n");
	CHECK(subid_read(&a, dir, &s, &e) == 0 && s.missing && strstr(s.missing, "subgid"));
	snprintf(text, sizeof(text), "%u:200000:2000\n", geteuid());
	put(dir, "subgid", text);
	CHECK(setenv("PATH", "/nowhere", 1) == 0);
	CHECK(subid_read(&a, dir, &s, &e) == 0 && s.missing && strstr(s.missing, "newuidmap"));
	put(dir, "newuidmap", "");
	put(dir, "newgidmap", "");
	CHECK(setenv("PATH", dir, 1) == 0);
	CHECK(subid_read(&a, dir, &s, &e) == 0 && s.missing); /* not executable */
	snprintf(text, sizeof(text), "%s/newuidmap", dir);
	CHECK(chmod(text, 0755) == 0);
	snprintf(text, sizeof(text), "%s/newgidmap", dir);
	CHECK(chmod(text, 0755) == 0);
	CHECK(subid_read(&a, dir, &s, &e) == 0 && !s.missing);
	CHECK(s.uids.first == 100000 && s.uids.count == 1000);
	CHECK(s.gids.first == 200000 && s.gids.count == 2000);
	for (size_t i = 0; i < 5; i++) {
		static const char *const names[] = {"passwd", "subuid", "subgid", "newuidmap",
						    "newgidmap"};

		snprintf(text, sizeof(text), "%s/%s", dir, names[i]);
		CHECK(unlink(text) == 0);
	}
	CHECK(rmdir(dir) == 0);
}

static bool is_line(const struct oci_id_mapping *m, uint32_t inside, uint32_t host, uint32_t size)
{
	return m->container_id == inside && m->host_id == host && m->size == size;
}

static void maps(void)
{
	static const struct subid_range usual = {100000, 65536}, small = {100000, 10};
	own_arena struct arena a = {0};
	const struct oci_id_mapping *m;
	uint32_t ids[3] = {7, 70000, 0};
	struct err e = {0};
	size_t n;

	CHECK(subid_lines(&a, 1000, &usual, true, ids, 3, &m, &n, &e) == 0 && n == 3);
	CHECK(is_line(&m[0], 0, 1000, 1) && is_line(&m[1], 1, 100000, 65533) &&
	      is_line(&m[2], 70000, 165535, 1));
	CHECK(subid_lines(&a, 1000, &usual, true, ids, 1, &m, &n, &e) == 0 && n == 2);
	CHECK(is_line(&m[1], 1, 100000, IDPOOL_RANGE - 1));
	CHECK(subid_lines(&a, 1000, &usual, false, ids, 3, &m, &n, &e) == 0 && n == 3);
	CHECK(is_line(&m[1], 7, 165535, 1) && is_line(&m[2], 70000, 165534, 1));
	ids[1] = 7;
	CHECK(subid_lines(&a, 1000, &usual, false, ids, 2, &m, &n, &e) == 0 && n == 2);
	/* Smaller than what is wanted: what there is, and an error only where it is not enough. */
	CHECK(subid_lines(&a, 1000, &small, true, ids, 1, &m, &n, &e) == 0 && n == 2);
	CHECK(is_line(&m[1], 1, 100000, 9));
	CHECK(subid_lines(&a, 1000, &(struct subid_range){5, 1}, false, (uint32_t[]){1, 2}, 2, &m,
			  &n, &e) == -EINVAL);
	CHECK(strstr(e.msg, "2 is not mapped"));
}

int main(void)
{
	finds();
	reads();
	maps();
	return check_done();
}
