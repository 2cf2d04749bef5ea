/*
 * The tables against the specification: every property of the JSON schema has a row of the
 * right kind and no row is invented; and every row refuses every wrong type with its path.
 */
#include <dirent.h>

#include "base/arena.h"
#include "base/own.h"
#include "check.h"
#include "specs/json.h"
#include "specs/runtime.h"

static int parse(const char *json, char msg[512])
{
	own_arena struct arena a = {0};
	struct oci_config c;
	struct err e = {0};
	int r = oci_config_parse(&a, json, strlen(json), &c, &e);

	snprintf(msg, 512, "%s", r < 0 ? e.msg : "");
	return r;
}

static void expect(const char *json, const char *want)
{
	char msg[512];

	checks_run++;
	if (parse(json, msg) >= 0 || strcmp(msg, want) != 0) {
		checks_failed++;
		fprintf(stderr, "%.300s: got \"%s\", want \"%s\"\n", json, msg, want);
	}
}

/* What the schema calls the type of a row; integers by their range. */
static bool same_type(const struct json_field *f, const char *type, const char *path)
{
	static const char *const names[] = {
		[JSON_STR] = "string",
		[JSON_BOOL] = "boolean",
		[JSON_U16] = "integer 0 65535",
		[JSON_U32] = "integer 0 4294967295",
		[JSON_ID] = "integer 0 4294967295",
		[JSON_U64] = "integer 0 18446744073709551615",
		[JSON_I32] = "integer -2147483648 2147483647",
		[JSON_I64] = "integer -9223372036854775808 9223372036854775807",
		[JSON_OBJ] = "object",
		[JSON_STRS] = "array of string",
		[JSON_IDS] = "array of integer",
		[JSON_OBJS] = "array of object",
		[JSON_MAP] = "map of string",
		[JSON_NAMED] = "map of object",
	};
	static const struct {
		const char *end, *type;
	} others[] = {
		{"].timeout",   "integer 1 -"  },
		{"oomScoreAdj", "integer - -"  },
		{"].fileMode",  "integer 0 511"},
	};

	for (size_t i = 0; i < LEN(others); i++) {
		size_t n = strlen(path), m = strlen(others[i].end);

		if (n > m && strcmp(path + n - m, others[i].end) == 0)
			return strcmp(type, others[i].type) == 0;
	}
	return strcmp(names[f->kind], type) == 0;
}

struct listed {
	char path[128], type[64], need[16];
	bool met;
};

static size_t read_properties(struct listed *list, size_t room)
{
	own_file FILE *f = fopen("tests/schema/properties.txt", "re");
	size_t n = 0;

	CHECK(f != NULL);
	while (f && n < room &&
	       fscanf(f, "%127[^\t]\t%63[^\t]\t%15s\n", list[n].path, list[n].type, list[n].need) ==
		       3)
		n++;
	return n;
}

static void test_every_property_has_a_row(struct listed *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct json_field *f = json_lookup(oci_config_type(), list[i].path);

		checks_run++;
		if (!f || !same_type(f, list[i].type, list[i].path) ||
		    (strcmp(list[i].need, "required") == 0) != (f->flags & JSON_REQUIRED)) {
			checks_failed++;
			fprintf(stderr, "%s: %s: %s %s\n", list[i].path,
				f ? "another type in the table" : "no row", list[i].need,
				list[i].type);
		}
	}
}

static void test_every_row_is_a_property(const struct json_type *t, const char *at,
					 struct listed *list, size_t n)
{
	for (size_t i = 0; i < t->n_fields; i++) {
		const struct json_field *f = &t->fields[i];
		char path[160], deeper[164];
		size_t k = 0;

		snprintf(path, sizeof(path), "%s%s", at, f->name);
		while (k < n && strcmp(list[k].path, path) != 0)
			k++;
		checks_run++;
		if (k == n || list[k].met) {
			checks_failed++;
			fprintf(stderr, "%s: a row, but %s\n", path,
				k == n ? "no property" : "a second one");
		} else {
			list[k].met = true;
		}
		if (!f->sub)
			continue;
		snprintf(deeper, sizeof(deeper), "%s%s.", path,
			 f->kind == JSON_NAMED  ? "{}"
			 : f->kind == JSON_OBJS ? "[]"
						: "");
		test_every_row_is_a_property(f->sub, deeper, list, n);
	}
}

/* Where a value of a document stands: the text before and after it, the path of its errors. */
struct place {
	const char *before, *after, *path;
};

static struct arena texts; /* every text a test makes, freed at the end */
#define text(...) arena_printf(&texts, __VA_ARGS__)

static const char *const not_a[] = {
	[JSON_STR] = "not a string",   [JSON_BOOL] = "not true or false",
	[JSON_U16] = "not an integer", [JSON_U32] = "not an integer",
	[JSON_ID] = "not an integer",  [JSON_U64] = "not an integer",
	[JSON_I32] = "not an integer", [JSON_I64] = "not an integer",
	[JSON_OBJ] = "not an object",  [JSON_STRS] = "not an array",
	[JSON_IDS] = "not an array",   [JSON_OBJS] = "not an array",
	[JSON_MAP] = "not an object",  [JSON_NAMED] = "not an object",
};

static void expect_at(const struct place *p, const char *value, const char *where, const char *what)
{
	expect(text("%s%s%s", p->before, value, p->after), text("%s%s: %s", p->path, where, what));
}

static void test_wrong_types(const struct json_field *f, const struct place *p)
{
	static const struct {
		const char *text;
		char type;
	} values[] = {
		{"7",          'n'},
                {"\"x\"",      's'},
                {"true",       'b'},
                {"{\"x\":{}}", 'o'},
                {"[[]]",       'a'},
	};
	static const char types[] = {
		[JSON_STR] = 's', [JSON_BOOL] = 'b', [JSON_U16] = 'n', [JSON_U32] = 'n',
		[JSON_ID] = 'n',  [JSON_U64] = 'n',  [JSON_I32] = 'n', [JSON_I64] = 'n',
		[JSON_OBJ] = 'o', [JSON_STRS] = 'a', [JSON_IDS] = 'a', [JSON_OBJS] = 'a',
		[JSON_MAP] = 'o', [JSON_NAMED] = 'o'};

	for (size_t i = 0; i < LEN(values); i++)
		if (values[i].type != types[f->kind])
			expect_at(p, values[i].text, "", not_a[f->kind]);

	/* items */
	if (f->kind == JSON_STRS) {
		expect_at(p, "[\"a\",null]", "[1]", "not a string");
		expect_at(p, "[\"a\",\"b\",7]", "[2]", "not a string");
		expect_at(p, "[{}]", "[0]", "not a string");
		expect_at(p, "[[]]", "[0]", "not a string");
		expect_at(p, "[\"\\u0000\"]", "[0]", "holds a NUL character");
	} else if (f->kind == JSON_IDS) {
		expect_at(p, "[1,true]", "[1]", "not an integer");
		expect_at(p, "[1,[]]", "[1]", "not an integer");
		expect_at(p, "[{}]", "[0]", "not an integer");
	} else if (f->kind == JSON_OBJS) {
		expect_at(p, "[7]", "[0]", "not an object");
		expect_at(p, "[[]]", "[0]", "not an object");
		expect_at(p, "[null]", "[0]", "not an object");
	} else if (f->kind == JSON_MAP) {
		expect_at(p, "{\"k\":7}", ": k", "not a string");
		expect_at(p, "{\"k\":\"v\",\"l\":null}", ": l", "not a string");
		expect_at(p, "{\"k\":{}}", ": k", "not a string");
		expect_at(p, "{\"k\":[]}", ": k", "not a string");
		expect_at(p, "{\"a\":\"1\",\"b\":\"\",\"a\":\"2\"}", ": a", "given twice");
		expect_at(p, "{\"\":\"\"}", "", "empty key");
	} else if (f->kind == JSON_NAMED) {
		expect_at(p, "{\"k\":7}", ": k", "not an object");
		expect_at(p, "{\"k\":[]}", ": k", "not an object");
		expect_at(p, "{\"k\":{},\"l\":{},\"k\":{}}", ": k", "given twice");
	} else if (f->kind == JSON_STR) {
		expect_at(p, "\"a\\u0000b\"", "", "holds a NUL character");
	}
}

static void test_bounds(const struct json_field *f, const struct place *p)
{
	static const struct {
		const char *below, *min, *max, *above;
	} bounds[] = {
		[JSON_U16] = {"-1",                   "0",                    "65535",                "65536"               },
		[JSON_U32] = {"-1",                   "0",                    "4294967295",           "4294967296"          },
		[JSON_ID] = {"-1",                   "0",                    "4294967294",           "4294967295"          },
		[JSON_U64] = {"-1",                   "0",                    "18446744073709551615", "18446744073709551616"},
		[JSON_I32] = {"-2147483649",          "-2147483648",          "2147483647",           "2147483648"          },
		[JSON_I64] = {"-9223372036854775809", "-9223372036854775808", "9223372036854775807",
			      "9223372036854775808"									 },
	};
	const char *above, *max;
	char msg[512];

	if (f->kind < JSON_U16 || f->kind > JSON_I64)
		return;
	max = bounds[f->kind].max;
	above = bounds[f->kind].above;
	if (f->max) {
		max = text("%llu", (unsigned long long)f->max);
		above = text("%llu", (unsigned long long)f->max + 1);
	}
	const char *const outside[] = {bounds[f->kind].below, above,
				       "99999999999999999999999999999999"};
	for (size_t i = 0; i < LEN(outside); i++)
		expect_at(p, outside[i], "", text("%s does not fit", outside[i]));
	const char *const fractions[] = {"1.5", "1.0", "1e3", "1E0", "-0.1"};
	for (size_t i = 0; i < LEN(fractions); i++)
		expect_at(p, fractions[i], "", text("%s is not an integer", fractions[i]));
	const char *const inside[] = {bounds[f->kind].min, max};
	for (size_t i = 0; i < LEN(inside); i++) {
		(void)parse(text("%s%s%s", p->before, inside[i], p->after),
			    msg); /* other things may be missing there */
		CHECK(!strstr(msg, "does not fit") || strcmp(f->name, "oomScoreAdj") == 0);
		CHECK(!strstr(msg, "not an integer"));
	}
}

static void enter(struct place *in, const struct place *p, const struct json_field *f)
{
	const char *open = "{", *close = "}", *path = ": ";

	if (f->kind == JSON_OBJS) {
		open = "[{";
		close = "}]";
		path = "[0]: ";
	} else if (f->kind == JSON_NAMED) {
		open = "{\"k\":{";
		close = "}}";
		path = ": k: ";
	}
	in->before = text("%s%s", p->before, open);
	in->after = text("%s%s", close, p->after);
	in->path = text("%s%s", p->path, path);
}

static void test_rows(const struct json_type *t, const struct place *object)
{
	bool first = true;
	char msg[512];

	for (size_t i = 0; i < t->n_fields; i++) {
		const struct json_field *f = &t->fields[i];
		struct place p, in;

		p.before = text("%s\"%s\":", object->before, f->name);
		p.after = object->after;
		p.path = text("%s%s", object->path, f->name);
		test_wrong_types(f, &p);
		test_bounds(f, &p);
		expect(text("%snull,\"%s\":null%s", p.before, f->name, p.after),
		       text("%s: given twice", p.path));

		/* null is the same as not being there */
		if (f->flags & JSON_REQUIRED && first) {
			expect_at(&p, "null", "", "missing");
			first = false;
		} else {
			(void)parse(text("%snull%s", p.before, p.after), msg);
			CHECK(!strstr(msg, "not a") || strstr(msg, "not absolute"));
		}
		if (!f->sub)
			continue;
		enter(&in, &p, f);
		test_rows(f->sub, &in);
	}
}

/* The specification's documents; the outcome is the directory's name. */
static void test_documents(const char *dir, bool good)
{
	own_dir DIR *d = opendir(dir);
	size_t n = 0;

	CHECK(d != NULL);
	for (struct dirent *f; d && (f = readdir(d));) {
		static char text[65536];
		char path[512], msg[512], *old;

		if (f->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, f->d_name);
		own_file FILE *in = fopen(path, "re");
		CHECK(in != NULL);
		if (!in)
			continue;
		text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
		old = strstr(text, "\"0.5.0-dev\"");
		if (old)
			memcpy(old, "\"1.0.0-dev\"", 11);
		int r = parse(text, msg);
		checks_run++;
		n++;
		if ((r == 0) != good) {
			checks_failed++;
			fprintf(stderr, "%s: %s\n", path, r ? msg : "accepted");
		}
	}
	CHECK(n > 0);
}

int main(void)
{
	static struct listed list[400];
	size_t n = read_properties(list, LEN(list));

	CHECK(n == 223);
	test_every_property_has_a_row(list, n);
	test_every_row_is_a_property(oci_config_type(), "", list, n);
	CHECK(!json_lookup(oci_config_type(), "process.nothing"));
	CHECK(!json_lookup(oci_config_type(), "process[].cwd"));
	CHECK(!json_lookup(oci_config_type(), "mounts{}.type"));
	CHECK(!json_lookup(oci_config_type(), "hostname.x"));
	CHECK(!json_lookup(oci_config_type(), ""));
	test_rows(oci_config_type(), &(struct place){"{", "}", ""});
	test_documents("tests/schema/good", true);
	test_documents("tests/schema/bad", false);
	arena_free(&texts);
	return check_done();
}
