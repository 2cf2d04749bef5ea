/* The file "network", flow records, and what they are counted in: tables that do not grow. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "resolver_internal.h"

static const struct egress_address v4 = {
	.family = 4, .prefix = 32, .bytes = {203, 0, 113, 9}
};
static const struct egress_address v6 = {
	.family = 6, .prefix = 128, .bytes = {0x20, 1, 0xd, 0xb8, [15] = 9}
};

/* --- the file ------------------------------------------------------------------------------- */

static void test_round(void)
{
	own_arena struct arena a = {0};
	const struct network_grant grants[] = {
		{"api.example.org:443/tcp", 7, 4200}
        };
	const struct network_name names[] = {
		{"api.example.org", "answered",  2},
                {NULL,              "malformed", 1}
        };
	const struct network_denied refused[] = {
		{"203.0.113.9:25/tcp",   "mail.example.org", 3},
                {"[2001:db8::9]:53/udp", NULL,               1}
        };
	const struct network_limit limits[] = {
		{"connections-open", 256, 4}
        };
	const struct brig_network n = {
		.v = 1,
		.connections = 5,
		.denied = UINT64_MAX,
		.grants = grants,
		.n_grants = 1,
		.grants_others = 9,
		.names = names,
		.n_names = 2,
		.refused = refused,
		.n_refused = 2,
		.limits = limits,
		.n_limits = 1,
	};
	struct brig_network back;
	struct err e = {0};
	size_t len;
	const char *text = network_print(&a, &n, &len);

	CHECK(network_parse(&a, text, len, &back, &e) == 0);
	CHECK_STR(e.msg, "");
	CHECK(back.denied == UINT64_MAX && back.connections == 5 && back.grants_others == 9);
	CHECK(back.n_names == 2 && !back.names[1].name);
	CHECK_STR(back.refused[1].to, "[2001:db8::9]:53/udp");
	CHECK(back.limits[0].limit == 256 && back.limits[0].count == 4);
	CHECK_STR(network_print(&a, &back, NULL), text);
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"",
		"{}",
		"{\"v\":2}",
		"{\"v\":1,\"further\":1}",
		"{\"v\":1,\"names\":[{\"name\":\"a\"}]}",
		"{\"v\":1,\"names\":[{\"name\":\"a\",\"verdict\":\"\\u001b[2J\",\"count\":1}]}",
		"{\"v\":1,\"names\":[{\"name\":\"\\n\",\"verdict\":\"answered\",\"count\":1}]}",
		"{\"v\":1,\"refused\":[{\"count\":1}]}",
		"{\"v\":1,\"limits\":[{\"name\":\"Pids\",\"limit\":1,\"count\":1}]}",
		"{\"v\":1,\"connections\":-1}",
		"{\"v\":1} x",
	};

	for (size_t i = 0; i < LEN(bad); i++) {
		own_arena struct arena a = {0};
		struct brig_network n;
		struct err e = {0};

		CHECK(network_parse(&a, bad[i], strlen(bad[i]), &n, &e) < 0);
		CHECK(str_starts(e.msg, "network"));
	}
}

static void test_too_much(void)
{
	own_arena struct arena a = {0};
	struct network_name *names = arena_array(&a, NETWORK_ROWS + 1, sizeof(*names));
	struct brig_network n = {.v = 1, .names = names, .n_names = NETWORK_ROWS}, back;
	char longest[NETWORK_TEXT_MAX + 2];
	struct err e = {0};
	size_t len;

	memset(longest, 'a', sizeof(longest) - 1);
	longest[NETWORK_TEXT_MAX] = '\0';
	for (size_t i = 0; i <= NETWORK_ROWS; i++)
		names[i] = (struct network_name){longest, "answered", 1};
	const char *text = network_print(&a, &n, &len);
	CHECK(len < NETWORK_MAX_BYTES && network_parse(&a, text, len, &back, &e) == 0);
	n.n_names++;
	text = network_print(&a, &n, &len);
	CHECK(network_parse(&a, text, len, &back, &e) == -E2BIG);
	n.n_names = 1;
	longest[NETWORK_TEXT_MAX] = 'a';
	longest[NETWORK_TEXT_MAX + 1] = '\0';
	text = network_print(&a, &n, &len);
	CHECK(network_parse(&a, text, len, &back, &e) == -E2BIG);
}

/* --- counting ------------------------------------------------------------------------------- */

static void test_tally(void)
{
	own_arena struct arena a = {0};
	struct tally *t = arena_new(&a, sizeof(*t));
	const struct tally_row *top[3];
	uint64_t others;

	tally_name(t, "b.example.org", "answered");
	tally_name(t, "a.example.org", "answered");
	tally_name(t, "a.example.org", "answered");
	tally_place(t, &v4, 25, 6, NULL);
	tally_place(t, &v4, 25, 6, NULL);
	tally_place(t, &v4, 25, 6, NULL);
	tally_place(t, &v4, 25, 17, NULL);
	tally_place(t, &v4, 25, 6, "c.example.org");
	CHECK(t->used == 5);
	CHECK(tally_top(t, top, LEN(top), &others) == 3);
	CHECK(top[0]->count == 3 && top[0]->proto == 6 && !*top[0]->text);
	CHECK_STR(top[1]->text, "a.example.org");
	CHECK_STR(top[2]->text, "b.example.org");
	CHECK(others == 2);
	CHECK_STR(place_text(&a, &v4, 25, 6), "203.0.113.9:25/tcp");
	CHECK_STR(place_text(&a, &v6, 53, 17), "[2001:db8::9]:53/udp");
	CHECK_STR(place_text(&a, &v6, 0, 58), "2001:db8::9/icmp");
	CHECK_STR(place_text(&a, &v4, 7, 132), "203.0.113.9:7/132");
}

/* Whoever comes often stays, and nothing that was counted is lost. */
static void test_flood(void)
{
	enum { FLOOD = 10000 };
	own_arena struct arena a = {0};
	struct tally *t = arena_new(&a, sizeof(*t));
	const struct tally_row *top[NETWORK_ROWS];
	uint64_t others, sum = 0;
	char name[400];

	for (int i = 0; i < FLOOD; i++) {
		snprintf(name, sizeof(name), "n%d.%0300d", i, 0);
		tally_name(t, name, "not-listed");
		if (i % 10 == 0)
			tally_name(t, "often.example.org", "answered");
	}
	CHECK(t->used == TALLY_ROWS);
	size_t n = tally_top(t, top, LEN(top), &others);
	CHECK(n == NETWORK_ROWS);
	CHECK_STR(top[0]->text, "often.example.org");
	CHECK(top[0]->count == FLOOD / 10);
	for (size_t i = 0; i < n; i++)
		sum += top[i]->count;
	CHECK(sum + others == FLOOD + FLOOD / 10);
}

/* --- flow records --------------------------------------------------------------------------- */

static void put_lookup(struct flows *f, const char *name)
{
	struct brig_flow flow = {.event = "lookup", .name = name, .verdict = "not-listed"};

	flows_put(f, &flow);
}

static size_t count_lines(const char *text, size_t len, struct brig_flow *last)
{
	static struct arena a;
	size_t n = 0;

	arena_free(&a);
	for (const char *end; (end = memchr(text, '\n', len)); n++) {
		struct err e = {0};
		size_t line = (size_t)(end - text);

		CHECK(flow_parse(&a, text, line, last, &e) == 0);
		CHECK_STR(e.msg, "");
		text += line + 1;
		len -= line + 1;
	}
	CHECK(len == 0);
	return n;
}

static void test_file(void)
{
	own_arena struct arena a = {0};
	char path[] = "/tmp/brig-flows-XXXXXX";
	struct flows f;
	struct err e = {0};
	struct brig_flow last;
	struct stat st;
	size_t len, n = 0, bad = 0;
	char *text;

	CHECK(mkdtemp(path));
	own_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(flows_open(&f, -1, dir, -1, &e) == 0);
	CHECK(fstatat(dir, RESOLVER_FLOWS, &st, 0) == 0 && (st.st_mode & 0777) == 0600);
	/* Bytes that no name service would hand out, if it had a fault. */
	put_lookup(&f, "a\x1b[2J\"\n\\\x80.example.org");
	for (; !f.lost; n++)
		put_lookup(&f, "name.example.org");
	CHECK(file_read(&a, dir, RESOLVER_FLOWS, FLOWS_ROOM, &text, &len, &e) == 0);
	CHECK(len > FLOWS_ROOM - 200);
	CHECK(count_lines(text, len, &last) == n);
	CHECK_STR(last.event, "lookup");
	CHECK_STR(last.verdict, "not-listed");
	CHECK(strlen(last.time) == strlen("2026-11-22T00:00:00.000Z"));
	for (size_t i = 0; i < len; i++)
		bad += text[i] != '\n' && (unsigned char)text[i] < ' ';
	CHECK(bad == 0);
	(void)close(f.fd);
	CHECK(file_remove_tree(AT_FDCWD, path, &e) == 0);
}

/* A reader that is slow loses records, whole ones; one that has gone loses all. */
static void test_pipe(void)
{
	static char got[256 << 10];
	struct brig_flow last;
	struct flows f;
	struct err e = {0};
	int ends[2];
	size_t put = 0, len;

	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	CHECK(flows_open(&f, ends[1], -1, -1, &e) == 0);
	for (; put < 5000; put++)
		put_lookup(&f, "name.example.org");
	CHECK(f.lost > 0);
	len = (size_t)read(ends[0], got, sizeof(got));
	put_lookup(&f, "after.example.org");
	ssize_t more = read(ends[0], got + len, sizeof(got) - len);
	len += more > 0 ? (size_t)more : 0;
	CHECK(count_lines(got, len, &last) == put + 1 - f.lost);
	CHECK_STR(last.name, "after.example.org");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)close(ends[0]);
	uint64_t lost = f.lost;
	put_lookup(&f, "nobody.example.org");
	put_lookup(&f, "nobody.example.org");
	CHECK(f.lost == lost + 2);
	(void)close(ends[1]);
}

/* --- messages ------------------------------------------------------------------------------- */

static void test_messages(void)
{
	struct resolver_msg m = {.type = RESOLVER_GRANT, .text = "api.example.org"}, out;
	struct err e = {0};

	CHECK(resolver_msg_read(&m, sizeof(m), &out, &e) == 0);
	CHECK_STR(out.text, "api.example.org");
	CHECK(resolver_msg_read(&m, sizeof(m) - 1, &out, &e) == -EPROTO);
	m.type = 0;
	CHECK(resolver_msg_read(&m, sizeof(m), &out, &e) == -EPROTO);
	m.type = RESOLVER_REVOKE;
	m.text[3] = '\n';
	CHECK(resolver_msg_read(&m, sizeof(m), &out, &e) == -EPROTO);
	memset(m.text, 'a', sizeof(m.text));
	CHECK(resolver_msg_read(&m, sizeof(m), &out, &e) == -EPROTO);
	m.text[0] = '\0';
	CHECK(resolver_msg_read(&m, sizeof(m), &out, &e) == -EPROTO);
	m.type = RESOLVER_REPLY;
	CHECK(resolver_msg_read(&m, sizeof(m), &out, &e) == 0);
	m.code = -1;
	CHECK(resolver_msg_read(&m, sizeof(m), &out, &e) == -EPROTO);
}

static struct egress_grant grant_of(struct arena *a, const char *text)
{
	struct egress_grant g = {0};
	struct err e = {0};

	CHECK(egress_grant_parse(a, text, &g, &e) == 0);
	CHECK_STR(e.msg, "");
	return g;
}

static void test_meant(void)
{
	static const struct {
		const char *grant, *text;
		bool meant;
	} rows[] = {
		{"api.example.org",         "api.example.org",         true },
		{"api.example.org",         "API.example.org",         true },
		{"api.example.org:8443",    "api.example.org",         true },
		{"api.example.org:8443",    "api.example.org:443",     false},
		{"api.example.org",         "api.example.org:443/tcp", true },
		{"*.example.org",           "*.example.org",           true },
		{"*.example.org",           "example.org",             false},
		{"*.example.org",           "a.example.org",           false},
		{"CIDR:203.0.113.0/24:80",  "203.0.113.0/24",          true },
		{"CIDR:203.0.113.0/24:80",  "CIDR:203.0.113.0/24",     true },
		{"CIDR:203.0.113.0/24:80",  "CIDR:203.0.113.0/24:80",  true },
		{"CIDR:203.0.113.0/24:80",  "CIDR:203.0.113.0/24:81",  false},
		{"CIDR:203.0.113.0/24:80",  "203.0.113.1",             false},
		{"CIDR:203.0.113.7:80",     "203.0.113.7",             true },
		{"CIDR:[2001:db8::/32]:53", "2001:db8::/32",           true },
		{"api.example.org ttl=30s", "api.example.org",         true },
		{"api.example.org",         "",                        false},
		{"api.example.org",         "network:api.example.org", false},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		own_arena struct arena a = {0};
		struct egress_grant g = grant_of(&a, rows[i].grant);

		if (egress_is_meant(&g, rows[i].text) != rows[i].meant) {
			fprintf(stderr, "%s: %s\n", rows[i].grant, rows[i].text);
			CHECK(false);
		}
	}
}

int main(void)
{
	test_round();
	test_bad();
	test_too_much();
	test_tally();
	test_flood();
	test_file();
	test_pipe();
	test_messages();
	test_meant();
	return check_done();
}
