#include "specs/json_print.h"

#include <stdio.h>
#include <string.h>

#include "specs/json_text.h"

static void append(struct json_out *o, const char *s, size_t n)
{
	if (o->len + n + 1 > o->room) {
		size_t room = o->room * 2 > o->len + n + 1 ? o->room * 2 : o->len + n + 1;
		char *bigger = arena_new(o->a, room);

		memcpy(bigger, o->text, o->len);
		o->text = bigger;
		o->room = room;
	}
	memcpy(o->text + o->len, s, n);
	o->len += n;
}

static void new_line(struct json_out *o)
{
	if (!o->indent)
		return;
	append(o, "\n", 1);
	for (unsigned int i = 0; i < o->indent * o->depth; i++)
		append(o, " ", 1);
}

/* What goes before a key or an item. */
static void separate(struct json_out *o)
{
	if (o->after_key) {
		o->after_key = false;
		return;
	}
	if (!o->first)
		append(o, ",", 1);
	if (o->depth)
		new_line(o);
	o->first = false;
}

static void open_with(struct json_out *o, const char *bracket)
{
	separate(o);
	append(o, bracket, 1);
	o->depth++;
	o->first = true;
}

static void close_with(struct json_out *o, const char *bracket)
{
	o->depth--;
	if (!o->first)
		new_line(o);
	append(o, bracket, 1);
	o->first = false;
}

/* The escape of a character that may not stand as it is. */
static size_t escape(char out[8], unsigned char c)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *p = letters; *p; p += 2)
		if ((unsigned char)*p == c)
			return (size_t)snprintf(out, 8, "\\%c", p[1]);
	if (c < 0x80)
		return (size_t)snprintf(out, 8, "\\u%04x", c);
	return (size_t)snprintf(out, 8, "\\ufffd");
}

/* How much of it may stand as it is: all but control characters, quotes and what is no UTF-8. */
static size_t plain_text(const char *text)
{
	size_t len = 0, n;

	do {
		unsigned char c;

		while ((c = (unsigned char)text[len]) >= ' ' && c < 0x7f && c != '"' && c != '\\')
			len++;
		n = c >= 0x80 ? utf8_sequence(text + len) : 0;
		len += n;
	} while (n);
	return len;
}

static void quoted(struct json_out *o, const char *text)
{
	append(o, "\"", 1);
	for (;;) {
		size_t plain = plain_text(text);
		char code[8];

		append(o, text, plain);
		text += plain;
		if (!*text)
			break;
		append(o, code, escape(code, (unsigned char)*text));
		text++;
	}
	append(o, "\"", 1);
}

void json_begin(struct json_out *o, struct arena *a, unsigned int indent)
{
	enum { FIRST_ROOM = 4096 }; /* a state, a short config.json */

	*o = (struct json_out){.a = a, .indent = indent, .first = true, .room = FIRST_ROOM};
	o->text = arena_new(a, FIRST_ROOM);
}

void json_object(struct json_out *o)
{
	open_with(o, "{");
}

void json_end_object(struct json_out *o)
{
	close_with(o, "}");
}

void json_array(struct json_out *o)
{
	open_with(o, "[");
}

void json_end_array(struct json_out *o)
{
	close_with(o, "]");
}

void json_key(struct json_out *o, const char *key)
{
	separate(o);
	quoted(o, key);
	append(o, ": ", o->indent ? 2 : 1);
	o->after_key = true;
}

void json_str(struct json_out *o, const char *s)
{
	if (!s) {
		json_raw(o, "null");
		return;
	}
	separate(o);
	quoted(o, s);
}

/* A number and room for its digits, from the end; snprintf takes ten times as long. */
enum { MAX_DIGITS = 24 };
struct digits {
	char text[MAX_DIGITS];
	size_t at; /* where they begin */
};

static void put_digits(struct digits *d, uint64_t n)
{
	d->at = MAX_DIGITS - 1;
	d->text[d->at] = '\0';
	do
		d->text[--d->at] = (char)('0' + n % 10);
	while (n /= 10);
}

void json_int(struct json_out *o, int64_t n)
{
	struct digits d;

	put_digits(&d, n < 0 ? -(uint64_t)n : (uint64_t)n);
	if (n < 0)
		d.text[--d.at] = '-';
	json_raw(o, d.text + d.at);
}

void json_uint(struct json_out *o, uint64_t n)
{
	struct digits d;

	put_digits(&d, n);
	json_raw(o, d.text + d.at);
}

void json_bool(struct json_out *o, bool yes)
{
	json_raw(o, yes ? "true" : "false");
}

void json_raw(struct json_out *o, const char *json)
{
	separate(o);
	append(o, json, strlen(json));
}

char *json_done(struct json_out *o, size_t *len)
{
	o->text[o->len] = '\0'; /* append() always leaves room for it */
	if (len)
		*len = o->len;
	return o->text;
}

void json_key_str(struct json_out *o, const char *key, const char *s)
{
	json_key(o, key);
	json_str(o, s);
}

void json_key_int(struct json_out *o, const char *key, int64_t n)
{
	json_key(o, key);
	json_int(o, n);
}

void json_key_uint(struct json_out *o, const char *key, uint64_t n)
{
	json_key(o, key);
	json_uint(o, n);
}

void json_key_bool(struct json_out *o, const char *key, bool yes)
{
	json_key(o, key);
	json_bool(o, yes);
}

void json_strs(struct json_out *o, const char *const *s, size_t n)
{
	json_array(o);
	for (size_t i = 0; i < n; i++)
		json_str(o, s[i]);
	json_end_array(o);
}

void json_map(struct json_out *o, const struct oci_map *map, size_t n)
{
	json_object(o);
	for (size_t i = 0; i < n; i++)
		json_key_str(o, map[i].key, map[i].value);
	json_end_object(o);
}

static void print_list(struct json_out *o, const struct json_field *f, const char *items, size_t n)
{
	const char *key;

	if (f->kind == JSON_NAMED)
		json_object(o);
	else
		json_array(o);
	for (size_t i = 0; i < n; i++) {
		if (f->kind == JSON_IDS) {
			uint32_t id;

			memcpy(&id, items + i * sizeof(id), sizeof(id));
			json_uint(o, id);
			continue;
		}
		const char *item = items + i * f->sub->size;
		if (f->kind == JSON_NAMED) {
			memcpy(&key, item + f->key_at, sizeof(key));
			json_key(o, key);
		}
		json_print_type(o, f->sub, item);
	}
	if (f->kind == JSON_NAMED)
		json_end_object(o);
	else
		json_end_array(o);
}

static void print_number(struct json_out *o, enum json_kind kind, const char *at)
{
	uint16_t n16;
	uint32_t n32;
	uint64_t n64;

	if (kind == JSON_BOOL) {
		json_bool(o, *at);
	} else if (kind == JSON_U16) {
		memcpy(&n16, at, sizeof(n16));
		json_uint(o, n16);
	} else if (kind == JSON_U64 || kind == JSON_I64) {
		memcpy(&n64, at, sizeof(n64));
		if (kind == JSON_U64)
			json_uint(o, n64);
		else
			json_int(o, (int64_t)n64);
	} else {
		memcpy(&n32, at, sizeof(n32));
		if (kind == JSON_I32)
			json_int(o, (int32_t)n32);
		else
			json_uint(o, n32);
	}
}

static bool is_unset(const char *object, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (object[i])
			return false;
	return true;
}

static void print_field(struct json_out *o, const struct json_field *f, const char *object)
{
	enum json_kind kind = f->kind;
	const char *at = object + f->at, *pointed;
	size_t n = 0;

	bool text = kind == JSON_STR || kind == JSON_TEXT;

	if (f->flags & JSON_PTR || text || kind >= JSON_STRS) {
		memcpy(&pointed, at, sizeof(pointed));
		if (!pointed)
			return;
		at = pointed;
	}
	if (f->flags & JSON_SOME && is_unset(at, f->sub->size))
		return;
	if (kind >= JSON_STRS)
		memcpy(&n, object + f->count_at, sizeof(n));
	json_key(o, f->name);
	if (text)
		json_str(o, at);
	else if (kind == JSON_OBJ)
		json_print_type(o, f->sub, at);
	else if (kind == JSON_STRS)
		json_strs(o, (const char *const *)(const void *)at, n);
	else if (kind == JSON_MAP)
		json_map(o, (const struct oci_map *)(const void *)at, n);
	else if (kind >= JSON_STRS)
		print_list(o, f, at, n);
	else
		print_number(o, kind, at);
}

void json_print_type(struct json_out *o, const struct json_type *t, const void *object)
{
	json_object(o);
	for (size_t i = 0; i < t->n_fields; i++)
		print_field(o, &t->fields[i], object);
	json_end_object(o);
}

char *json_print_object(struct arena *a, const struct json_type *t, const void *object, size_t *len)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_print_type(&o, t, object);
	return json_done(&o, len);
}
