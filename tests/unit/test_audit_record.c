/* A line of the audit log: the one way in which it is written, and what is not taken for one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hmac.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "specs/audit.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define HASH  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const struct audit_record usual = {
	.v = 1,
	.seq = 41,
	.ts = "2026-11-22T14:39:19.151294Z",
	.mono = 52342882518,
	.boot = "98562f43-b2ea-4f9c-a5c1-c6f5f536b5fc",
	.writer = "brig/0.1.0 pid=12 start=345",
	.event = "SandboxStarted",
	.severity = "info",
	.id = "sbx-1",
	.generation = 2,
	.level = "high",
	.policy = "sha256:00",
	.action = "start",
	.resource = "sandbox",
	.outcome = "ok",
	.source = "cli",
	.request = "r-1",
	.principal = "sha256:11",
	.data = "{\"pid\":1,\"more\":[true,null,-1.5e3,{\"a\":\"b\"}]}",
	.prev = ZEROS,
};
#define BEGIN "{\"v\":1,\"seq\":41,\"ts\":\"2026-11-22T14:39:19.151294Z\",\"mono\":52342882518,"
#define MIDDLE                                                                                     \
	"\"boot\":\"98562f43-b2ea-4f9c-a5c1-c6f5f536b5fc\",\"writer\":\"brig/0.1.0 pid=12 "        \
	"start=345\","                                                                             \
	"\"ev\":\"SandboxStarted\",\"sev\":\"info\",\"id\":\"sbx-1\",\"gen\":2,\"level\":"         \
	"\"high\","                                                                                \
	"\"cfg\":\"sha256:00\",\"action\":\"start\",\"resource\":\"sandbox\",\"outcome\":\"ok\","  \
	"\"source\":\"cli\",\"req\":\"r-1\",\"principal\":\"sha256:11\","                          \
	"\"data\":{\"pid\":1,\"more\":[true,null,-1.5e3,{\"a\":\"b\"}]},"
#define GOLDEN BEGIN MIDDLE "\"prev\":\"" ZEROS "\""
#define SHORT                                                                                      \
	"{\"v\":1,\"seq\":1,\"ts\":\"2026-11-22T14:39:19.151294Z\",\"mono\":0,\"ev\":"             \
	"\"LogOpened\","                                                                           \
	"\"sev\":\"notice\",\"prev\":\"" ZEROS "\""

static int parse(const char *line, struct audit_record *out, struct arena *a)
{
	struct err e = {0};
	int r = audit_record_parse(a, line, strlen(line), out, &e);

	CHECK(r == 0 || (e.code == -r && e.msg[0]));
	return r;
}

/* What a text becomes in a line, without its quotes. */
static const char *as_printed(struct arena *a, const char *text)
{
	struct audit_record r = usual, back;
	size_t len;

	r.resource = text;
	char *line = audit_record_print(a, &r, &len);
	CHECK(strlen(line) == len && parse(line, &back, a) == 0);
	char *from = strstr(line, "\"resource\":\"") + 12;
	*strstr(from, "\",\"outcome\"") = '\0';
	return from;
}

static void test_golden(void)
{
	own_arena struct arena a = {0};
	struct audit_record r = usual, back;
	const uint64_t epoch = 7;
	size_t len;

	CHECK_STR(audit_record_print(&a, &r, &len), GOLDEN "}");
	CHECK(len == strlen(GOLDEN) + 1);
	r.epoch = &epoch;
	CHECK_STR(audit_record_print(&a, &r, NULL), GOLDEN ",\"ep\":7");
	r.mac = HASH;
	CHECK_STR(audit_record_print(&a, &r, NULL), GOLDEN ",\"ep\":7,\"mac\":\"" HASH "\"}");

	CHECK(parse(GOLDEN ",\"ep\":7,\"mac\":\"" HASH "\"}", &back, &a) == 0);
	CHECK(back.v == 1 && back.seq == 41 && back.mono == 52342882518 && back.generation == 2);
	CHECK_STR(back.ts, r.ts);
	CHECK_STR(back.boot, r.boot);
	CHECK_STR(back.writer, r.writer);
	CHECK_STR(back.event, r.event);
	CHECK_STR(back.severity, r.severity);
	CHECK_STR(back.id, r.id);
	CHECK_STR(back.level, r.level);
	CHECK_STR(back.policy, r.policy);
	CHECK_STR(back.action, r.action);
	CHECK_STR(back.resource, r.resource);
	CHECK_STR(back.outcome, r.outcome);
	CHECK_STR(back.source, r.source);
	CHECK_STR(back.request, r.request);
	CHECK_STR(back.principal, r.principal);
	CHECK_STR(back.data, r.data);
	CHECK_STR(back.prev, r.prev);
	CHECK_STR(back.mac, r.mac);
	CHECK(back.epoch && *back.epoch == 7);
	CHECK(parse(SHORT "}", &back, &a) == 0 && !back.id && !back.data && !back.epoch);
}

static void test_texts(void)
{
	own_arena struct arena a = {0};

	CHECK_STR(as_printed(&a, "plain /path with \"quotes\" \\"),
		  "plain /path with \\\"quotes\\\" \\\\");
	CHECK_STR(as_printed(&a, "\b\f\n\r\t\x01\x1b[2J\x7f"),
		  "\\b\\f\\n\\r\\t\\u0001\\u001b[2J\\u007f");
	/* letters stay; C1 controls, line separators and what turns text round do not */
	CHECK_STR(as_printed(&a, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xb3"),
		  "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xb3");
	CHECK_STR(
		as_printed(&a, "\xc2\x9b\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6\xef\xbb\xbf\xd8\x9c"),
		"\\u009b\\u2028\\u202e\\u2066\\ufeff\\u061c");
	/* not UTF-8: a lone byte, an overlong slash, half a surrogate pair, half a sequence */
	CHECK_STR(as_printed(&a, "a\xff"
				 "b"),
		  "a\xef\xbf\xbd"
		  "b");
	CHECK_STR(as_printed(&a, "\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");
	CHECK_STR(as_printed(&a, "\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	CHECK_STR(as_printed(&a, "\xf0\x9f\x90"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	/* what looks like the end of the value, and a line of its own */
	CHECK_STR(as_printed(&a, "\"}\n{\"v\":1"), "\\\"}\\n{\\\"v\\\":1");
}

static void test_cut(void)
{
	enum { MANY = 70000 };
	own_free char *text = calloc(1, MANY + 1);
	own_arena struct arena a = {0};
	struct audit_record r = usual, back;
	const char *got;
	size_t len;

	memset(text, 'x', MANY);
	got = as_printed(&a, text);
	CHECK(strlen(got) == AUDIT_MAX_TEXT && str_ends(got, "x\xe2\x80\xa6"));
	text[AUDIT_MAX_TEXT] = '\0';
	CHECK_STR(as_printed(&a, text), text);
	memset(text, 1, MANY); /* six bytes each */
	got = as_printed(&a, text);
	CHECK(strlen(got) <= AUDIT_MAX_TEXT && str_ends(got, "\\u0001\xe2\x80\xa6"));
	for (size_t i = 0; i + 2 < MANY; i += 2)
		memcpy(text + i, "\xc3\xbc", 2); /* never in the middle of a letter */
	got = as_printed(&a, text);
	CHECK(strlen(got) <= AUDIT_MAX_TEXT && str_ends(got, "\xc3\xbc\xe2\x80\xa6"));

	/* Everything as long as it can be is a line still. */
	memset(text, 2, MANY);
	r = (struct audit_record){.v = 1,
				  .seq = UINT64_MAX,
				  .ts = usual.ts,
				  .mono = UINT64_MAX,
				  .boot = text,
				  .writer = text,
				  .event = "SandboxStarted",
				  .severity = "critical",
				  .id = text,
				  .generation = UINT64_MAX,
				  .level = text,
				  .policy = text,
				  .action = text,
				  .resource = text,
				  .outcome = text,
				  .source = text,
				  .request = text,
				  .principal = text,
				  .data = text,
				  .prev = ZEROS,
				  .epoch = &(uint64_t){UINT64_MAX},
				  .mac = HASH};
	const char *line = audit_record_print(&a, &r, &len);
	CHECK(len + AUDIT_MAX_DATA - AUDIT_MAX_TEXT < AUDIT_MAX_LINE);
	CHECK(audit_record_parse(&a, line, len, &back, &(struct err){0}) == 0);
	CHECK(back.seq == UINT64_MAX && *back.epoch == UINT64_MAX);
}

static const char *data_as(struct arena *a, const char *json)
{
	struct audit_record r = usual, back;

	r.data = json;
	CHECK(parse(audit_record_print(a, &r, NULL), &back, a) == 0);
	return back.data;
}

static void test_data(void)
{
	own_arena struct arena a = {0};

	CHECK_STR(data_as(&a, "{}"), "{}");
	CHECK_STR(data_as(&a, " { \"a\" : [ 1 , \"x\\/\\u0041\\ufffd\\ud83d\\udc33\" ] } "),
		  "{\"a\":[1,\"x/A\xef\xbf\xbd\xf0\x9f\x90\xb3\"]}");
	static const char *const not_objects[] = {
		"",
		"[1]",
		"\"text\"",
		"{\"a\":1",
		"{\"a\":1}x",
		"{\"a\":01}",
		"{\"a\":.5}",
		"{\"a\":1.}",
		"{\"a\":1e}",
		"{\"a\":+1}",
		"{\"a\":tru}",
		"{\"a\":\"\\ud800\"}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\":\"\\x\"}",
		"{\"a\":\"\n\"}",
		"{\"a\":1,}",
		"{a:1}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}",
		"{\"a\":[[[[[[[[1]]]]]]]]}",
		"{\"a\":123456789012345678901234567890123}",
	};
	for (size_t i = 0; i < LEN(not_objects); i++)
		CHECK(str_starts(data_as(&a, not_objects[i]), "{\"unreadable\":\""));

	own_free char *big = calloc(1, 100000);
	strcpy(big, "{\"a\":[0");
	for (size_t n = strlen(big); n < AUDIT_MAX_DATA; n += 2)
		strcpy(big + n, ",1");
	strcat(big, "]}");
	CHECK(str_starts(data_as(&a, big), "{\"cut\":16387,\"sha256\":\""));
}

struct refusal {
	int code;
	const char *line;
};
#define REST "\"ev\":\"LogOpened\",\"sev\":\"notice\",\"prev\":\"" ZEROS "\"}"
#define HEAD "{\"v\":1,\"seq\":1,\"ts\":\"2026-11-22T14:39:19.151294Z\",\"mono\":0,"
static const struct refusal refusals[] = {
	{EINVAL,          ""									      },
	{EINVAL,          "{}"									    },
	{EINVAL,          SHORT									   },
	{EINVAL,          SHORT "} "								      },
	{EINVAL,          SHORT "}}"								      },
	{EINVAL,          SHORT ",}"								      },
	{EINVAL,          " " SHORT "}"								   },
	{EINVAL,          SHORT ",\"more\":1}"							    },
	{EINVAL,          SHORT ",\"mac\":\"" HASH "\"}"						  },
	{EINVAL,          SHORT ",\"ep\":0}"							      },
	{EINVAL,          SHORT ",\"ep\":00,\"mac\":\"" HASH "\"}"                                        },
	{EINVAL,          SHORT ",\"ep\":0,\"mac\":\"" HASH "0\"}"                                        },
	{EEXIST,          SHORT ",\"prev\":\"" ZEROS "\"}"                                                },
	{EINVAL,          SHORT ",\"id\":\"x\"}"							  },
	{EINVAL,          "{\"v\":1,\"seq\":0,\"ts\":\"2026-11-22T14:39:19.151294Z\",\"mono\":0," REST    },
	{EINVAL,          "{\"v\":1,\"seq\":01,\"ts\":\"2026-11-22T14:39:19.151294Z\",\"mono\":0," REST   },
	{EINVAL,          "{\"v\":1,\"seq\":-1,\"ts\":\"2026-11-22T14:39:19.151294Z\",\"mono\":0," REST   },
	{EINVAL,
	 "{\"v\":1,\"seq\":18446744073709551616,\"ts\":\"2026-11-22T14:39:19.151294Z\"," REST             },
	{EINVAL,          "{\"v\":1,\"seq\":1,\"ts\":\"2026-11-22T14:39:19Z\",\"mono\":0," REST           },
	{EINVAL,          "{\"v\":1,\"ts\":\"2026-11-22T14:39:19.151294Z\",\"seq\":1,\"mono\":0," REST    },
	{EINVAL,          "{\"v\": 1,\"seq\":1,\"ts\":\"2026-11-22T14:39:19.151294Z\",\"mono\":0," REST   },
	{EINVAL,          "{\"v\":1,\"seq\":1,\"mono\":0," REST                                           },
	{EPROTONOSUPPORT, "{\"v\":2,\"seq\":1}"							   },
	{EPROTONOSUPPORT, "{\"v\":0,\"seq\":1}"							   },
	{EINVAL,          HEAD "\"boot\":\"\\u0061\"," REST                                               },
	{EINVAL,          HEAD "\"boot\":\"\\/\"," REST						   },
	{EINVAL,          HEAD "\"boot\":\"\\u001B\"," REST                                               },
	{EINVAL,          HEAD "\"boot\":\"\xff\"," REST						  },
	{EINVAL,          HEAD "\"boot\":\"\xc2\x9b\"," REST                                              },
	{EINVAL,          HEAD "\"boot\":\"\\u0000\"," REST                                               },
	{EINVAL,          HEAD "\"boot\":1," REST							 },
	{EINVAL,          HEAD "\"boot\":null," REST						      },
	{EILSEQ,          HEAD "\"boot\":\"\n\"," REST						    },
	{EILSEQ,          HEAD "\"boot\":\"\x1b[2J\"," REST                                               },
	{EILSEQ,          HEAD "\"boot\":\"\x7f\"," REST						  },
	{EEXIST,          HEAD "\"boot\":\"a\",\"boot\":\"a\"," REST                                      },
	{EINVAL,          HEAD "\"ev\":\"log\",\"sev\":\"notice\",\"prev\":\"" ZEROS "\"}"                },
	{EINVAL,          HEAD "\"ev\":\"Log Opened\",\"sev\":\"notice\",\"prev\":\"" ZEROS "\"}"         },
	{EINVAL,          HEAD "\"ev\":\"LogOpened\",\"sev\":\"loud\",\"prev\":\"" ZEROS "\"}"            },
	{EINVAL,          HEAD "\"ev\":\"LogOpened\",\"sev\":\"notice\",\"gen\":0,\"prev\":\"" ZEROS "\"}"},
	{EINVAL,          HEAD "\"ev\":\"LogOpened\",\"sev\":\"notice\",\"prev\":\"00\"}"                 },
	{EINVAL,
	 HEAD "\"ev\":\"LogOpened\",\"sev\":\"notice\",\"data\":[],\"prev\":\"" ZEROS "\"}"               },
	{EINVAL,
	 HEAD "\"ev\":\"LogOpened\",\"sev\":\"notice\",\"data\":{ },\"prev\":\"" ZEROS "\"}"              },
	{EEXIST,
	 HEAD "\"ev\":\"LogOpened\",\"sev\":\"notice\",\"data\":{\"a\":1,\"a\":1},\"prev\":\"" ZEROS
	      "\"}"										       },
};

static void test_refusals(void)
{
	own_arena struct arena a = {0};
	struct audit_record r;
	struct err e;

	for (size_t i = 0; i < LEN(refusals); i++) {
		int got = parse(refusals[i].line, &r, &a);

		if (got != -refusals[i].code)
			fprintf(stderr, "%d: %s\n", got, refusals[i].line);
		CHECK(got == -refusals[i].code);
	}
	/* a NUL within, a line that is too long, each beginning of a line */
	CHECK(audit_record_parse(&a, SHORT "}", strlen(SHORT) + 2, &r, &e) == -EILSEQ);
	own_free char *big = malloc(AUDIT_MAX_LINE + 1);
	memset(big, ' ', AUDIT_MAX_LINE + 1);
	CHECK(audit_record_parse(&a, big, AUDIT_MAX_LINE + 1, &r, &e) == -EMSGSIZE);
	for (size_t n = 0; n <= strlen(GOLDEN); n++) {
		own_free char *cut =
			malloc(n + 1); /* so that a sanitizer sees what is read behind */

		memcpy(cut, GOLDEN, n);
		CHECK(audit_record_parse(&a, cut, n, &r, &e) < 0);
	}
}

static void test_events(void)
{
	size_t n = 0;

	for (const struct audit_event *ev = audit_events; ev->name; ev++, n++) {
		bool word = false;

		for (const char *const *w = audit_severities; *w; w++)
			word = word || str_eq(*w, ev->severity);
		CHECK(word && audit_event_find(ev->name) == ev);
	}
	CHECK(n == 39 && audit_event_find("LeaseExpired") && !audit_event_find("Nothing") &&
	      !audit_event_find(NULL));
	CHECK(audit_event_find("SandboxRefused")->security &&
	      audit_event_find("LeaseRevoked")->security);
	CHECK(!audit_event_find("SandboxStarted")->security);
}

static const char *hmac_hex(const void *key, size_t key_len, const void *data, size_t len)
{
	static char hex[SHA256_HEX];
	uint8_t sum[SHA256_BYTES];

	hmac_sha256(key, key_len, data, len, sum);
	hex_of(sum, hex);
	return hex;
}

/* RFC 4231, 4.2 to 4.8; 4.6 is of a shortened output. */
static void test_hmac(void)
{
	char key[131], data[50];

	memset(key, 0x0b, 20);
	CHECK_STR(hmac_hex(key, 20, "Hi There", 8),
		  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	CHECK_STR(hmac_hex("Jefe", 4, "what do ya want for nothing?", 28),
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, 20);
	memset(data, 0xdd, 50);
	CHECK_STR(hmac_hex(key, 20, data, 50),
		  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	for (int i = 0; i < 25; i++)
		key[i] = (char)(i + 1);
	memset(data, 0xcd, 50);
	CHECK_STR(hmac_hex(key, 25, data, 50),
		  "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
	memset(key, 0xaa, 131);
	CHECK_STR(hmac_hex(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54),
		  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	CHECK_STR(hmac_hex(key, 131,
			   "This is a test using a larger than block-size key and a larger than "
			   "block-size data. The key needs to be hashed before being used by the "
			   "HMAC algorithm.",
			   152),
		  "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
	memset(key, 0, 64); /* a key is filled up with zeros */
	CHECK_STR(hmac_hex("", 0, "abc", 3), hmac_hex(key, 64, "abc", 3));
}

static void test_hashes(void)
{
	uint8_t sum[SHA256_BYTES], parts[SHA256_BYTES];
	char hex[SHA256_HEX];
	struct sha256 s;

	sha256_hex("abc", 3, hex);
	CHECK_STR(hex, HASH);
	sha256_begin(&s);
	sha256_add(&s, "a", 1);
	sha256_add(&s, NULL, 0);
	sha256_add(&s, "bc", 2);
	sha256_end(&s, parts);
	CHECK(hex_read(HASH, sum) == 0 && !memcmp(sum, parts, sizeof(sum)));
	CHECK(hex_read("", sum) < 0 && hex_read(HASH "0", sum) < 0 && hex_read(&HASH[1], sum) < 0);
	CHECK(hex_read("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", sum) <
	      0);
}

/* "abcdef", by two bytes at a time, and no further than it is told to. */
static void test_hash_of_file(void)
{
	char hex[SHA256_HEX], whole[SHA256_HEX], two[2];
	uint64_t len;
	int pipes[2];

	sha256_hex("abcdef", 6, whole);
	for (int most = 3; most <= 100; most += 97) {
		CHECK(pipe(pipes) == 0 && write(pipes[1], "abcdef", 6) == 6);
		(void)close(pipes[1]);
		CHECK(sha256_fd(pipes[0], (uint64_t)most, two, sizeof(two), hex, &len) == 0);
		CHECK_STR(hex, most == 3 ? HASH : whole);
		CHECK(len == (most == 3 ? 3 : 6));
		(void)close(pipes[0]);
	}
	CHECK(sha256_fd(-1, 1, two, sizeof(two), hex, &len) == -EBADF);
}

int main(void)
{
	test_golden();
	test_texts();
	test_cut();
	test_data();
	test_refusals();
	test_events();
	test_hmac();
	test_hashes();
	test_hash_of_file();
	return check_done();
}
