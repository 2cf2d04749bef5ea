/* The reader and printer by themselves, on a small table; all properties: test_schema.c. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/own.h"
#include "check.h"
#include "specs/json.h"
#include "specs/json_print.h"
#include "specs/table.h"

struct leaf {
	const char *key;
	const char *s;
	int64_t n;
	const uint16_t *small;
};

struct tree {
	const char *s, *must;
	bool yes;
	const bool *maybe;
	uint64_t big;
	int32_t i32;
	struct leaf in;
	const struct leaf *at;
	const struct leaf *list, *named;
	const struct oci_map *map;
	const char *const *strs;
	const uint32_t *ids;
	size_t n_list, n_named, n_map, n_strs, n_ids;
};

static int check_leaf(struct arena *a, void *object, struct err *e)
{
	struct leaf *l = object;

	(void)a;
	return l->n == 13 ? err_msg(e, EINVAL, "n: 13 is bad luck") : 0;
}

static const struct json_field leaf_fields[] = {
	ROW_STR(leaf, "s", s, 0),
	ROW_NUM(leaf, "n", n, 0, JSON_I64, int64_t),
	ROW_OPT(leaf, "small", small, JSON_U16, uint16_t),
};
TYPE(leaf, check_leaf);

static const struct json_field tree_fields[] = {
	ROW_STR(tree, "s", s, 0),
	ROW_STR(tree, "must", must, JSON_REQUIRED),
	ROW_BOOL(tree, "yes", yes, 0),
	ROW_OPT(tree, "maybe", maybe, JSON_BOOL, bool),
	ROW_NUM(tree, "big", big, 0, JSON_U64, uint64_t),
	ROW_NUM(tree, "i32", i32, 0, JSON_I32, int32_t),
	ROW_SUB(tree, "in", in, leaf, 0),
	ROW_OBJ(tree, "at", at, leaf),
	ROW_OBJS(tree, "list", list, n_list, leaf),
	ROW_NAMED(tree, "named", named, n_named, leaf, key),
	ROW_MAP(tree, "map", map, n_map),
	ROW_STRS(tree, "strs", strs, n_strs, 0),
	ROW_IDS(tree, "ids", ids, n_ids),
};
TYPE(tree, NULL);

enum { LIMIT = 1 << 20 };

/* A copy of exactly that size: a read past the end is seen by the sanitizer. */
static int read_bytes(struct arena *a, const char *json, size_t len, struct tree *t, struct err *e)
{
	own_free char *copy = malloc(len ? len : 1);

	memcpy(copy, json, len);
	*t = (struct tree){0};
	*e = (struct err){0};
	return json_read(a, &tree_type_, copy, len, LIMIT, t, e);
}

static int read_text(struct arena *a, const char *json, struct tree *t, struct err *e)
{
	return read_bytes(a, json, strlen(json), t, e);
}

static void refused(const char *json, const char *want)
{
	own_arena struct arena a = {0};
	struct tree t;
	struct err e;

	CHECK(read_text(&a, json, &t, &e) < 0);
	CHECK(e.code > 0);
	CHECK_STR(e.msg, want);
}

static void test_values(void)
{
	own_arena struct arena a = {0};
	struct tree t;
	struct err e;

	CHECK(read_text(
		      &a,
		      "{\"s\":\"x\",\"must\":\"\",\"yes\":true,\"maybe\":false,"
		      "\"big\":18446744073709551615,\"i32\":-2147483648,\"in\":{\"n\":-1},"
		      "\"at\":{\"small\":65535},\"list\":[{\"s\":\"a\"},{},{\"n\":7}],"
		      "\"named\":{\"eth0\":{\"n\":1},\"eth1\":{}},\"map\":{\"k\":\"v\",\"l\":\"\"},"
		      "\"strs\":[\"one\",\"\",\"three\"],\"ids\":[0,4294967294]}",
		      &t, &e) == 0);
	CHECK_STR(t.s, "x");
	CHECK_STR(t.must, "");
	CHECK(t.yes && t.maybe && !*t.maybe);
	CHECK(t.big == UINT64_MAX);
	CHECK(t.i32 == INT32_MIN);
	CHECK(t.in.n == -1 && !t.in.small);
	CHECK(t.at && t.at->small && *t.at->small == 65535);
	CHECK(t.n_list == 3);
	CHECK_STR(t.list[0].s, "a");
	CHECK(!t.list[1].s && t.list[2].n == 7);
	CHECK(t.n_named == 2 && t.named[0].n == 1);
	CHECK_STR(t.named[1].key, "eth1");
	CHECK(t.n_map == 2);
	CHECK_STR(t.map[0].key, "k");
	CHECK_STR(t.map[1].value, "");
	CHECK(t.n_strs == 3 && !t.strs[3]);
	CHECK_STR(t.strs[1], "");
	CHECK_STR(t.strs[2], "three");
	CHECK(t.n_ids == 2 && t.ids[1] == 4294967294);
}

static void test_absent(void)
{
	own_arena struct arena a = {0};
	struct tree t;
	struct err e;

	CHECK(read_text(&a,
			" { \"must\" : \"m\", \"s\": null, \"maybe\": null, \"at\": null, \"in\": "
			"null,"
			"\"list\": null, \"map\": null, \"strs\": null, \"big\": null, \"x\": "
			"[{\"y\":"
			"[1.5, null, {\"must\": {}}]}], \"Must\": 3, \"must \": 4}\n\t\r ",
			&t, &e) == 0);
	CHECK(!t.s && !t.maybe && !t.at && !t.list && !t.map && !t.strs && !t.big);
	/* empty is not absent, but an optional empty string is */
	CHECK(read_text(&a,
			"{\"must\":\"m\",\"s\":\"\",\"list\":[],\"map\":{},\"strs\":[],\"at\":{}}",
			&t, &e) == 0);
	CHECK(!t.s && t.list && !t.n_list && t.map && !t.n_map && t.strs && !t.strs[0] && t.at);
}

static void test_paths(void)
{
	refused("{}", "must: missing");
	refused("{\"must\":null}", "must: missing");
	refused("{\"in\":{\"n\":13}}", "in: n: 13 is bad luck");
	refused("{\"list\":[{},{},{\"n\":13}]}", "list[2]: n: 13 is bad luck");
	refused("{\"named\":{\"a\":{},\"b\":{\"n\":13}}}", "named: b: n: 13 is bad luck");
	refused("{\"named\":{\"a\":{\"s\":[]}}}", "named: a: s: not a string");
	refused("{\"list\":[{\"small\":65536}]}", "list[0]: small: 65536 does not fit");
	refused("{\"strs\":[\"a\",\"b\",{}]}", "strs[2]: not a string");
	refused("{\"must\":\"a\",\"must\":\"a\"}", "must: given twice");
	refused("{\"in\":{\"n\":1,\"s\":\"\",\"n\":2}}", "in: n: given twice");
	refused("{\"map\":{\"b\":\"\",\"a\":\"\",\"b\":\"\"}}", "map: b: given twice");
	refused("{\"map\":{\"\\u0062\":\"\",\"b\":\"\"}}", "map: b: given twice");
	refused("{\"\\u006dust\":\"a\",\"must\":\"b\"}", "must: given twice");
	refused("{\"map\":{\"a\\u0000b\":\"\"}}", "map: holds a NUL character");
	refused("{\"map\":{\"a\":\"\\u0000\"}}", "map: a: holds a NUL character");
	refused("{\"big\":-1}", "big: -1 does not fit");
	refused("{\"big\":1.0}", "big: 1.0 is not an integer");
	/* what a tenant wrote reaches a log line in one line */
	refused("{\"map\":{\"a\\n\\u001b[1m\":1}}", "map: a??[1m: not a string");
}

static void test_not_json(void)
{
	refused("", "empty document");
	refused(" \n ", "line 2: parse error: premature EOF");
	refused("{", "line 1: parse error: premature EOF");
	refused("{\"must\":\"", "line 1: parse error: premature EOF");
	refused("{\"must\":\"a\"", "line 1: parse error: premature EOF");
	refused("{\"must\":\"a\",}", "line 1: parse error: invalid object key (must be a string)");
	refused("{\"must\":\"a\"}{}", "line 1: parse error: trailing garbage");
	refused("{\"must\":\"a\"}\n\nx", "line 3: parse error: trailing garbage");
	refused("{\"must\":\"a\"} //", "line 1: parse error: trailing garbage");
	refused("[]", "not an object");
	refused("null", "not an object");
	refused("7", "not an object");
	refused("\"x\"", "not an object");
	refused("{\"must\":\"\\x\"}",
		"line 1: lexical error: inside a string, '\\' occurs before a "
		"character which it may not.");
	refused("{\"must\":\"\xff\"}", "line 1: lexical error: invalid bytes in UTF8 string.");
	refused("{\"must\":\"\xc0\x80\"}", "must: not UTF-8");
	refused("{\"must\":\"\n\"}", "line 1: lexical error: invalid character inside string.");
	refused("{\"big\":01}", "line 1: parse error: after key and value, inside map, I expect ','"
				" or '}'");
	refused("{\"big\":+1}", "line 1: lexical error: invalid char in json text.");
	refused("{\"big\":NaN}", "line 1: lexical error: invalid char in json text.");
	refused("\xef\xbb\xbf{}", "line 1: lexical error: invalid char in json text.");
}

static void test_escapes(void)
{
	own_arena struct arena a = {0};
	struct tree t;
	struct err e;

	CHECK(read_text(
		      &a,
		      "{\"must\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\","
		      "\"s\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}",
		      &t, &e) == 0);
	CHECK_STR(t.must, "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	CHECK_STR(t.s, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	refused("{\"must\":\"\\ud83d\"}", "line 1: half a surrogate pair");
	refused("{\"must\":\"\\ude00\"}", "line 1: half a surrogate pair");
	refused("{\"must\":\"\\ud83dx\"}", "line 1: half a surrogate pair");
	refused("{\"must\":\"\\ud83d\\u0041\"}", "line 1: half a surrogate pair");
	refused("{\"must\":\"\\ud83d\\ud83d\"}", "line 1: half a surrogate pair");
	refused("\n{\"must\":\n\"\\ud83d\\u12\"}", "line 3: half a surrogate pair");
	refused("{\"must\":\"\xed\xa0\x80\"}", "must: not UTF-8");
	refused("{\"must\":\"\xf4\x90\x80\x80\"}", "must: not UTF-8");
	/* a backslash that is escaped itself begins no escape */
	CHECK(read_text(&a, "{\"must\":\"\\\\ud83d\"}", &t, &e) == 0);
	CHECK_STR(t.must, "\\ud83d");
	refused("{\"must\":\"\\u12\"}", "line 1: lexical error: invalid (non-hex) character occurs "
					"after '\\u' inside string.");
}

/* depth levels of the opening text, then the closing one. */
static char *nested(struct arena *a, const char *open, const char *close, size_t depth)
{
	size_t n = strlen(open);
	char *s = arena_new(a, depth * (n + 1) + 64);
	char *p = s + sprintf(s, "{\"must\":\"m\",\"x\":");

	for (size_t i = 1; i < depth; i++, p += n)
		memcpy(p, open, n);
	*p++ = '1';
	for (size_t i = 1; i < depth; i++)
		*p++ = *close;
	memcpy(p, "}", 2);
	return s;
}

static void test_depth(void)
{
	own_arena struct arena a = {0};
	struct tree t;
	struct err e;

	CHECK(read_text(&a, nested(&a, "[", "]", 64), &t, &e) == 0);
	CHECK(read_text(&a, nested(&a, "{\"a\":", "}", 64), &t, &e) == 0);
	refused(nested(&a, "[", "]", 65), "nested deeper than 64 levels");
	refused(nested(&a, "{\"a\":", "}", 65), "nested deeper than 64 levels");
	refused(nested(&a, "[", "]", 10000), "nested deeper than 64 levels");
	refused(nested(&a, "{\"a\":", "}", 10000), "nested deeper than 64 levels");
}

static void test_size(void)
{
	own_arena struct arena a = {0};
	char *s = arena_new(&a, LIMIT + 2);
	struct tree t;
	struct err e;

	memset(s, ' ', LIMIT + 1);
	memcpy(s, "{\"must\":\"m\"}", 12);
	CHECK(read_bytes(&a, s, LIMIT, &t, &e) == 0);
	CHECK(read_bytes(&a, s, LIMIT + 1, &t, &e) == -E2BIG);
	CHECK_STR(e.msg, "1048577 bytes are more than the 1048576 allowed");
}

/* Many items: the list moves while it grows, and its items stay what they were. */
static void test_many(void)
{
	own_arena struct arena a = {0};
	enum { MANY = 5000 };
	struct json_out o;
	char key[16];
	struct tree t;
	struct err e;

	json_begin(&o, &a, 0);
	json_object(&o);
	json_key_str(&o, "must", "m");
	json_key(&o, "list");
	json_array(&o);
	for (int i = 0; i < MANY; i++) {
		json_object(&o);
		json_key_int(&o, "n", i + 100);
		json_key_uint(&o, "small", (uint64_t)i);
		json_end_object(&o);
	}
	json_end_array(&o);
	json_key(&o, "map");
	json_object(&o);
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		json_key_str(&o, key, key);
	}
	json_end_object(&o);
	json_end_object(&o);
	CHECK(read_text(&a, json_done(&o, NULL), &t, &e) == 0);
	CHECK(t.n_list == MANY && t.n_map == MANY);
	bool same = true;
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		same &= t.list[i].n == i + 100 && *t.list[i].small == i &&
			strcmp(t.map[i].key, key) == 0 && strcmp(t.map[i].value, key) == 0;
	}
	CHECK(same);
}

/* Every proper prefix of a document is refused, whatever it ends in. */
static void test_truncated(void)
{
	static const char whole[] =
		"{\"must\":\"\\u00e9\\ud83d\\ude00\",\"big\":123,\"maybe\":true,"
		"\"list\":[{\"s\":\"a\"}],\"map\":{\"k\":\"v\"},\"s\":null}";
	own_arena struct arena a = {0};
	struct tree t;
	struct err e;

	CHECK(read_text(&a, whole, &t, &e) == 0);
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		CHECK(read_bytes(&a, whole, n, &t, &e) < 0 && e.msg[0]);
	/* and so is one with a NUL after it or in it */
	CHECK(read_bytes(&a, whole, sizeof(whole), &t, &e) < 0);
	CHECK(read_bytes(&a, "{\"must\":\"a\0b\"}", 14, &t, &e) < 0);
}

static void test_print(void)
{
	own_arena struct arena a = {0};
	struct json_out o;
	size_t len;

	json_begin(&o, &a, 0);
	json_object(&o);
	json_key_str(&o, "a\"b", "\x01\x1f\x7f\\\"\b\f\n\r\t/\xc3\xa9\xf0\x9f\x98\x80");
	json_key_str(&o, "bad", "\xff|\xc3|\xc0\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82");
	json_key_int(&o, "min", INT64_MIN);
	json_key_uint(&o, "max", UINT64_MAX);
	json_key_bool(&o, "t", true);
	json_key_str(&o, "null", NULL);
	json_key(&o, "s");
	json_strs(&o, (const char *const[]){"x", ""}, 2);
	json_key(&o, "e");
	json_strs(&o, NULL, 0);
	json_key(&o, "o");
	json_map(&o, NULL, 0);
	json_key(&o, "r");
	json_raw(&o, "[1]");
	json_end_object(&o);
	CHECK_STR(json_done(&o, &len),
		  "{\"a\\\"b\":\"\\u0001\\u001f\\u007f\\\\\\\"\\b\\f\\n\\r\\t/"
		  "\xc3\xa9\xf0\x9f\x98\x80"
		  "\",\"bad\":\"\\ufffd|\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd"
		  "\\ufffd\\ufffd|\\ufffd\\ufffd\",\"min\":-9223372036854775808,"
		  "\"max\":18446744073709551615,\"t\":true,\"null\":null,\"s\":[\"x\",\"\"],"
		  "\"e\":[],\"o\":{},\"r\":[1]}");
	CHECK(len == strlen(json_done(&o, NULL)));

	json_begin(&o, &a, 2);
	json_object(&o);
	json_key(&o, "a");
	json_array(&o);
	json_int(&o, 1);
	json_object(&o);
	json_end_object(&o);
	json_end_array(&o);
	json_key_bool(&o, "b", false);
	json_end_object(&o);
	CHECK_STR(json_done(&o, NULL), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": false\n}");
}

/* What is printed by a table is read back, and printed the same again. */
static void test_round_trip(void)
{
	own_arena struct arena a = {0};
	static const char text[] = "{\"s\":\"x\\\"y\",\"must\":\"\",\"yes\":true,\"maybe\":false,"
				   "\"big\":18446744073709551615,"
				   "\"i32\":-5,\"in\":{\"n\":-1},\"at\":{\"n\":0,\"small\":1},"
				   "\"list\":[{\"s\":\"a\",\"n\":0}],"
				   "\"named\":{\"eth0\":{\"n\":1}},\"map\":{\"k\":\"v\"},\"strs\":["
				   "\"one\"],\"ids\":[7]}";
	struct json_out o;
	struct tree t;
	struct err e;

	CHECK(read_text(&a, text, &t, &e) == 0);
	json_begin(&o, &a, 0);
	json_print_type(&o, &tree_type_, &t);
	CHECK_STR(json_done(&o, NULL), text);
}

int main(void)
{
	test_values();
	test_absent();
	test_paths();
	test_not_json();
	test_escapes();
	test_depth();
	test_size();
	test_many();
	test_truncated();
	test_print();
	test_round_trip();
	return check_done();
}
