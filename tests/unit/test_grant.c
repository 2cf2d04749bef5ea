#include "specs/grant.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"

static struct arena a;

static bool reads(const char *text, const char *canonical)
{
	struct brig_grant g, again;
	struct err e = {0};

	if (grant_parse(&a, text, &g, &e) < 0) {
		printf("# %s: %s\n", text, e.msg);
		return false;
	}
	if (!str_eq(g.text, canonical))
		printf("# %s: %s\n", text, g.text);
	return str_eq(g.text, canonical) && grant_parse(&a, g.text, &again, &e) == 0 &&
	       str_eq(again.text, g.text) && str_eq(again.target, g.target);
}

static bool refuses(const char *text, const char *words)
{
	struct brig_grant g;
	struct err e = {0};

	if (grant_parse(&a, text, &g, &e) == 0)
		return false;
	if (!strstr(e.msg, words))
		printf("# %s: %s\n", text, e.msg);
	return e.code && strstr(e.msg, words);
}

static bool covers(const char *may, const char *asked)
{
	struct brig_grant x, y;
	struct err e;

	return grant_parse(&a, may, &x, &e) == 0 && grant_parse(&a, asked, &y, &e) == 0 &&
	       grant_covers(&x, &y);
}

static bool means(const char *grant, const char *what)
{
	struct brig_grant g;
	struct err e;

	return grant_parse(&a, grant, &g, &e) == 0 && grant_is_meant(&g, what);
}

static void test_kinds(void)
{
	CHECK(reads("filesystem:read:/docs", "filesystem:read:/docs"));
	CHECK(reads("filesystem:read://docs//a/", "filesystem:read:/docs/a"));
	CHECK(reads("filesystem:read:/a\\ b\\:c\\\\d ttl=30s",
		    "filesystem:read:/a\\ b\\:c\\\\d ttl=30s"));
	CHECK(reads("filesystem:write:/tmp:64M", "filesystem:write:/tmp:64M"));
	CHECK(reads("filesystem:write:/data", "filesystem:write:/data"));
	CHECK(reads("filesystem:write:/data:1000", "filesystem:write:/data:1000"));
	CHECK(reads("memory:limit:100MB", "memory:limit:100M"));
	CHECK(reads("memory:limit:1GiB", "memory:limit:1G"));
	CHECK(reads("cpu:limit:50%", "cpu:limit:500m"));
	CHECK(reads("cpu:limit:1.5", "cpu:limit:1500m"));
	CHECK(reads("cpu:limit:250%", "cpu:limit:2500m"));
	CHECK(reads("cpu:limit:2", "cpu:limit:2"));
	CHECK(reads("cpu:limit:500m", "cpu:limit:500m"));
	CHECK(reads("exec:deny", "exec:deny"));
	CHECK(reads("exec:allow:/usr/bin/python3", "exec:allow:/usr/bin/python3"));
	CHECK(reads("network:API.example.org", "network:api.example.org:443/tcp"));
	CHECK(reads("network:api.example.org:80 private ttl=90s",
		    "network:api.example.org:80/tcp ttl=90s private"));
	CHECK(reads("network:CIDR:203.0.113.0/24:8000-8100/tcp",
		    "network:CIDR:203.0.113.0/24:8000-8100/tcp"));
}

static void test_words(void)
{
	CHECK(reads("memory:limit:64M  ttl=1m30s", "memory:limit:64M ttl=90s"));
	CHECK(reads("memory:limit:64M ttl=1500ms", "memory:limit:64M ttl=1500ms"));
	CHECK(reads("filesystem:read:/d until=2030-02-28T12:00:00Z",
		    "filesystem:read:/d until=2030-02-28T12:00:00Z"));
	CHECK(reads("filesystem:read:/d until=2030-02-28T12:00:00.5Z",
		    "filesystem:read:/d until=2030-02-28T12:00:00.500Z"));
	CHECK(reads("network:a.example.org until=2030-01-01T00:00:00Z private",
		    "network:a.example.org:443/tcp private until=2030-01-01T00:00:00Z"));
	CHECK(refuses("filesystem:read:/d ttl=0", "1ms to 8784h"));
	CHECK(refuses("filesystem:read:/d ttl=9000h", "1ms to 8784h"));
	CHECK(refuses("filesystem:read:/d ttl=30", "no duration"));
	CHECK(refuses("filesystem:read:/d ttl=30s ttl=30s", "twice"));
	CHECK(refuses("filesystem:read:/d ttl=30s until=2030-01-01T00:00:00Z", "twice"));
	CHECK(refuses("network:a.example.org ttl=3s until=2030-01-01T00:00:00Z", "twice"));
	CHECK(refuses("filesystem:read:/d until=2030-02-31T00:00:00Z", "no time"));
	CHECK(refuses("filesystem:read:/d until=2030-01-01T00:00:00", "no time"));
	CHECK(refuses("filesystem:read:/d until=2030-01-01T00:00:00+01:00", "no time"));
	CHECK(refuses("filesystem:read:/d tll=30s", "unknown word"));
}

static void test_refusals(void)
{
	CHECK(refuses("", "none of"));
	CHECK(refuses("filesystem:delete:/x", "none of"));
	CHECK(refuses("FILESYSTEM:read:/x", "none of"));
	CHECK(refuses("filesystem:read:", "not an absolute path"));
	CHECK(refuses("filesystem:read:docs", "not an absolute path"));
	CHECK(refuses("filesystem:read:/a/../b", "\"..\""));
	CHECK(refuses("filesystem:read:/a/.", "\"..\""));
	CHECK(refuses("filesystem:read:/a/..", "\"..\""));
	CHECK(refuses("filesystem:read:/a:b", "nothing comes behind"));
	CHECK(refuses("filesystem:read:/a\\n", "stands before"));
	CHECK(refuses("filesystem:read:/a\nb", "control character"));
	CHECK(refuses("filesystem:write:/a:", "no size"));
	CHECK(refuses("filesystem:write:/a:0", "no size"));
	CHECK(refuses("filesystem:write:/a:1M:x", "no size"));
	CHECK(refuses("memory:limit:-1", "no size"));
	CHECK(refuses("memory:limit:4096", "least"));
	CHECK(refuses("memory:limit:99999999999G", "no size"));
	CHECK(refuses("cpu:limit:0", "1%"));
	CHECK(refuses("cpu:limit:", "no part"));
	CHECK(refuses("cpu:limit:%", "no part"));
	CHECK(refuses("cpu:limit:1x", "no part"));
	CHECK(refuses("cpu:limit:99999999999", "no part"));
	CHECK(refuses("exec:denyx", "nothing comes behind"));
	CHECK(refuses("exec:allow:sh", "not an absolute path"));
	CHECK(refuses("network:", "no name"));
	CHECK(refuses("network:a.example.org:99999", "network"));
}

static void test_covers(void)
{
	CHECK(covers("filesystem:read:/docs", "filesystem:read:/docs/a"));
	CHECK(covers("filesystem:read:/", "filesystem:read:/docs"));
	CHECK(!covers("filesystem:read:/docs", "filesystem:read:/docs2"));
	CHECK(!covers("filesystem:read:/docs/a", "filesystem:read:/docs"));
	CHECK(!covers("filesystem:read:/docs", "filesystem:write:/docs"));
	CHECK(covers("filesystem:read:/d ttl=30s", "filesystem:read:/d ttl=10s"));
	CHECK(!covers("filesystem:read:/d ttl=30s", "filesystem:read:/d"));
	CHECK(!covers("filesystem:read:/d ttl=30s",
		      "filesystem:read:/d until=2030-01-01T00:00:00Z"));
	CHECK(covers("filesystem:read:/d", "filesystem:read:/d ttl=10s"));
	CHECK(covers("filesystem:read:/d until=2030-01-01T00:00:00Z",
		     "filesystem:read:/d until=2029-01-01T00:00:00Z"));
	CHECK(covers("filesystem:write:/d:64M", "filesystem:write:/d:1M"));
	CHECK(!covers("filesystem:write:/d:64M", "filesystem:write:/d"));
	CHECK(!covers("filesystem:write:/d:64M", "filesystem:write:/d/e:1M"));
	CHECK(covers("network:*.example.org:80,443", "network:a.example.org:80"));
	CHECK(!covers("network:a.example.org", "network:a.example.org private"));
	CHECK(covers("memory:limit:1G", "memory:limit:1M"));
	CHECK(!covers("memory:limit:1M", "memory:limit:1G"));
	CHECK(covers("cpu:limit:2", "cpu:limit:50%"));
	CHECK(covers("exec:allow:/usr/bin", "exec:allow:/usr/bin/env"));
	CHECK(covers("memory:limit:1M", "exec:deny"));
	CHECK(!covers("exec:deny", "exec:allow:/bin/sh"));
}

static void test_meant(void)
{
	CHECK(means("filesystem:read:/docs ttl=30s", "filesystem:read:/docs"));
	CHECK(means("filesystem:read:/docs ttl=30s", "filesystem:read:/docs/ ttl=30000ms"));
	CHECK(!means("filesystem:read:/docs", "filesystem:read:/"));
	CHECK(means("filesystem:write:/tmp:64M", "filesystem:write:/tmp"));
	CHECK(!means("filesystem:write:/tmp:64M", "filesystem:write:/tmp:1M"));
	CHECK(means("memory:limit:64M", "memory:limit:65536K"));
	CHECK(!means("memory:limit:64M", "cpu:limit:1"));
	CHECK(!means("memory:limit:64M", "rubbish"));
}

static void test_settle(void)
{
	struct brig_grant g;
	struct err e;
	const uint64_t at = 1893456000; /* 2030-01-01 */

	CHECK(grant_parse(&a, "filesystem:read:/d until=2030-01-01T00:00:10Z", &g, &e) == 0);
	CHECK(grant_settle(&a, &g, at * 1000000000, &e) == 0 && g.ttl_ms == 10000);
	CHECK(grant_settle(&a, &g, (at + 10) * 1000000000, &e) == -ETIME);
	CHECK(grant_settle(&a, &g, 1, &e) == -ERANGE);
	CHECK(grant_parse(&a, "network:a.example.org until=2030-01-01T00:00:10Z", &g, &e) == 0);
	CHECK(grant_settle(&a, &g, at * 1000000000, &e) == 0);
	CHECK(str_eq(g.network, "a.example.org:443/tcp ttl=10s"));
	CHECK(str_eq(g.text, "network:a.example.org:443/tcp until=2030-01-01T00:00:10Z"));
	CHECK(grant_parse(&a, "memory:limit:1G ttl=3s", &g, &e) == 0);
	CHECK(grant_settle(&a, &g, at * 1000000000, &e) == 0 && g.ttl_ms == 3000);
}

static bool file_is_refused(const char *text)
{
	struct grants out;
	struct err e = {0};

	return grants_parse(&a, text, strlen(text), &out, &e) < 0 && e.code;
}

static void test_file(void)
{
	struct grant_held rows[] = {
		{"filesystem:read:/docs ttl=30s", "/run/grants/docs", 77, 123456789, -1,  true },
		{"memory:limit:64M",              NULL,               0,  0,         -1,  false},
		{"cpu:limit:500m",                NULL,               0,  5,         200, false},
	};
	const struct grants g = {rows, LEN(rows), 9, 1234, 56}, none = {0};
	struct grants out;
	size_t len;
	struct err e;
	char *text = grants_print(&a, &g, &len);

	CHECK(grants_parse(&a, text, len, &out, &e) == 0 && out.n == LEN(rows));
	CHECK(str_eq(out.rows[0].text, rows[0].text) && str_eq(out.rows[0].place, rows[0].place));
	CHECK(out.rows[0].mount_id == 77 && out.rows[0].ends_ns == 123456789 && out.rows[0].used);
	CHECK(!out.rows[1].place && out.rows[1].before == -1 && out.rows[2].before == 200);
	CHECK(out.area == 9 && out.expiry_pid == 1234 && out.expiry_start_time == 56);
	CHECK(str_eq(grants_print(&a, &out, &len), text));
	text = grants_print(&a, &none, &len);
	CHECK(grants_parse(&a, text, len, &out, &e) == 0 && out.n == 0 && out.rows);
	CHECK(file_is_refused("{\"v\":2}"));
	CHECK(file_is_refused("{\"v\":1,\"grants\":[{\"grant\":\"memory:limit:64MB\"}]}"));
	CHECK(file_is_refused("{\"v\":1,\"grants\":[{\"grant\":\"exec:deny\",\"place\":\"x\"}]}"));
	CHECK(file_is_refused("{\"v\":1,\"expiryPid\":-1}"));
	CHECK(file_is_refused("{\"v\":1,\"grants\":[{\"grant\":\"exec:deny\",\"before\":-2}]}"));
}

int main(void)
{
	test_kinds();
	test_words();
	test_refusals();
	test_covers();
	test_meant();
	test_settle();
	test_file();
	arena_free(&a);
	return check_done();
}
