/*
 * The reader of all tables.  yajl finds the tokens and calls back for each; what is open is a
 * stack of frames of fixed depth, so neither yajl nor this file ever recurses and a document
 * is walked once, without a tree between text and struct.
 */
#include "specs/json.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/str.h"
#include "specs/json_text.h"
#include "specs/runtime.h"

/* How many characters of a hostile name or number an error shows. */
enum { SHOWN = 64 };

enum frame_kind { IN_DOCUMENT, IN_OBJECT, IN_LIST, IN_MAP, IN_UNKNOWN };

/* The document, then one object, list or map that is open in it. */
struct frame {
	enum frame_kind kind;
	const struct json_type *type;   /* IN_OBJECT */
	const struct json_field *field; /* IN_OBJECT: of the last key, NULL: unknown; else: own */
	uint64_t seen, present;         /* IN_OBJECT: rows given at all; given and not null */
	char *out;                      /* the object, or the items of a list or map */
	size_t size;                    /* of an item */
	size_t n, room;                 /* items complete (so: index of the open one), allocated */
	const char *key;                /* IN_MAP: name of the open item */
};

struct reader {
	struct arena *a;
	struct err *e;
	char *pool; /* strings, one after the other */
	size_t pool_left;
	size_t depth; /* index of the frame on top */
	const struct json_type *root;
	void *out;
	struct frame frames[OCI_MAX_DEPTH + 1];
};

/* A value that is no object and no list. */
struct token {
	enum { T_NULL, T_BOOL, T_NUMBER, T_STRING } kind;
	bool yes;
	const char *text;
	size_t len;
};

static const struct {
	const char *wrong; /* what to say of a value of another type */
	uint8_t size;      /* of the C number */
	int64_t min;
	uint64_t max;
} kinds[] = {
	[JSON_STR] = {"not a string",      0, 0,         0             },
	[JSON_TEXT] = {"not a plain value", 0, 0,         0             },
	[JSON_BOOL] = {"not true or false", 0, 0,         0             },
	[JSON_U16] = {"not an integer",    2, 0,         UINT16_MAX    },
	[JSON_U32] = {"not an integer",    4, 0,         UINT32_MAX    },
	[JSON_ID] = {"not an integer",    4, 0,         UINT32_MAX - 1},
	[JSON_U64] = {"not an integer",    8, 0,         UINT64_MAX    },
	[JSON_I32] = {"not an integer",    4, INT32_MIN, INT32_MAX     },
	[JSON_I64] = {"not an integer",    8, INT64_MIN, INT64_MAX     },
	[JSON_OBJ] = {"not an object",     0, 0,         0             },
	[JSON_STRS] = {"not an array",      0, 0,         0             },
	[JSON_IDS] = {"not an array",      0, 0,         0             },
	[JSON_OBJS] = {"not an array",      0, 0,         0             },
	[JSON_MAP] = {"not an object",     0, 0,         0             },
	[JSON_NAMED] = {"not an object",     0, 0,         0             },
};

static struct frame *top(struct reader *r)
{
	return &r->frames[r->depth];
}

/* Puts the path of all that is open before the message; the answer a yajl callback gives. */
static int failed(struct reader *r)
{
	for (size_t i = r->depth; i > 0; i--) {
		const struct frame *f = &r->frames[i];

		if (f->kind == IN_MAP && f->key)
			err_wrap(r->e, "%.*s", SHOWN, f->key);
		if (f->kind != IN_OBJECT || !f->field)
			continue;
		if (i < r->depth && f[1].kind == IN_LIST)
			err_wrap(r->e, "%s[%zu]", f->field->name, f[1].n);
		else
			err_wrap(r->e, "%s", f->field->name);
	}
	return 0;
}

static int fail(struct reader *r, const char *what)
{
	err_msg(r->e, EINVAL, "%s", what);
	return failed(r);
}

/*
 * A terminated copy in *out.  The pool has the size of the document, and a string takes less there
 * than in the text: it loses two quotes for one NUL, and an escape is longer than its meaning.
 */
static int keep(struct reader *r, const char *s, size_t len, const char **out)
{
	char *p = r->pool;

	if (memchr(s, '\0', len))
		return fail(r, "holds a NUL character");
	if (len >= r->pool_left) {
		p = arena_strndup(r->a, s, len);
	} else {
		memcpy(p, s, len);
		p[len] = '\0';
		r->pool += len + 1;
		r->pool_left -= len + 1;
	}
	if (!utf8_valid(p, len)) /* yajl lets overlong forms pass */
		return fail(r, "not UTF-8");
	*out = p;
	return 1;
}

/* The place of the next item.  One more stays zero: it ends a list of strings. */
static char *next_item(struct reader *r, struct frame *f)
{
	if (f->n + 2 > f->room) {
		size_t room = f->room ? f->room * 2 : 8;
		char *bigger = arena_array(r->a, room, f->size);

		if (f->n)
			memcpy(bigger, f->out, f->n * f->size);
		f->out = bigger;
		f->room = room;
	}
	return f->out + f->n * f->size;
}

/* Digits after an optional minus; false: not a whole number.  *fits: within 64 bits. */
static bool whole(const struct token *t, bool *minus, uint64_t *value, bool *fits)
{
	size_t i = t->len && t->text[0] == '-';

	*minus = i;
	*value = 0;
	*fits = true;
	for (; i < t->len; i++) {
		if (t->text[i] < '0' || t->text[i] > '9')
			return false;
		if (__builtin_mul_overflow(*value, 10U, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(t->text[i] - '0'), value))
			*fits = false;
	}
	return true;
}

static int put_number(struct reader *r, const struct json_field *f, enum json_kind kind,
		      const struct token *t, char *slot)
{
	uint64_t max = f->max ? f->max : kinds[kind].max, value;
	int shown = t->len < SHOWN ? (int)t->len : SHOWN;
	bool minus, fits;

	if (t->kind != T_NUMBER)
		return fail(r, kinds[kind].wrong);
	if (!whole(t, &minus, &value, &fits)) {
		err_msg(r->e, EINVAL, "%.*s is not an integer", shown, t->text);
		return failed(r);
	}
	if (minus ? value > 0 - (uint64_t)kinds[kind].min : value > max)
		fits = false;
	if (!fits) {
		err_msg(r->e, ERANGE, "%.*s does not fit", shown, t->text);
		return failed(r);
	}
	if (minus)
		value = 0 - value;
	if (kinds[kind].size == 2)
		memcpy(slot, &(uint16_t){(uint16_t)value}, 2);
	else if (kinds[kind].size == 4)
		memcpy(slot, &(uint32_t){(uint32_t)value}, 4);
	else
		memcpy(slot, &value, 8);
	return 1;
}

static int put_string(struct reader *r, const struct token *t, bool empty_is_absent, char *slot)
{
	const char *copy;

	if (t->kind != T_STRING)
		return fail(r, kinds[JSON_STR].wrong);
	if (!t->len && empty_is_absent)
		return 1;
	if (!keep(r, t->text, t->len, &copy))
		return 0;
	memcpy(slot, &copy, sizeof(copy));
	return 1;
}

/* A member that is a pointer gets something to point to; the place to fill. */
static char *member(struct reader *r, const struct json_field *f, char *object, size_t size)
{
	char *slot = object + f->at;

	if (f->flags & JSON_PTR) {
		char *p = arena_new(r->a, size);

		memcpy(slot, &p, sizeof(p));
		slot = p;
	}
	return slot;
}

/* The text of what is no object, list or null. */
static int put_text(struct reader *r, const struct token *t, bool empty_is_absent, char *slot)
{
	struct token text = *t;

	if (t->kind == T_BOOL) {
		text.text = t->yes ? "true" : "false";
		text.len = strlen(text.text);
	}
	text.kind = T_STRING;
	return put_string(r, &text, empty_is_absent, slot);
}

/* JSON_SHORT: the object that a plain value stands for. */
static int put_short(struct reader *r, const struct json_type *type, const struct token *t,
		     char *item)
{
	if (t->kind == T_NULL)
		return fail(r, kinds[JSON_OBJ].wrong);
	if (!put_text(r, t, false, item + type->fields[0].at))
		return 0;
	return type->check && type->check(r->a, item, r->e) < 0 ? failed(r) : 1;
}

/* JSON_ONE: the list of one object that a plain value stands for. */
static int put_one(struct reader *r, struct frame *o, const struct token *t)
{
	const struct json_field *f = o->field;
	char *item = arena_array(r->a, 2, f->sub->size);

	if (!put_short(r, f->sub, t, item))
		return 0;
	memcpy(o->out + f->at, &item, sizeof(item));
	memcpy(o->out + f->count_at, &(size_t){1}, sizeof(size_t));
	return 1;
}

static int put_member(struct reader *r, struct frame *o, const struct token *t)
{
	const struct json_field *f = o->field;
	enum json_kind kind = f->kind;

	if (t->kind == T_NULL)
		return 1;
	o->present |= UINT64_C(1) << (f - o->type->fields);
	if (kind == JSON_STR)
		return put_string(r, t, !(f->flags & JSON_REQUIRED), o->out + f->at);
	if (kind == JSON_TEXT)
		return put_text(r, t, true, o->out + f->at);
	if (kind == JSON_BOOL && t->kind == T_BOOL) {
		memcpy(member(r, f, o->out, sizeof(bool)), &t->yes, sizeof(bool));
		return 1;
	}
	if (f->flags & JSON_ONE)
		return put_one(r, o, t);
	if (kinds[kind].size)
		return put_number(r, f, kind, t, member(r, f, o->out, kinds[kind].size));
	return fail(r, kinds[kind].wrong);
}

static int put_item(struct reader *r, struct frame *l, const struct token *t)
{
	enum json_kind kind = l->field->kind;
	int ok = 0;

	if ((kind == JSON_OBJS && !(l->field->flags & JSON_SHORT)) || kind == JSON_NAMED)
		return fail(r, kinds[JSON_OBJ].wrong);
	char *slot = next_item(r, l);
	if (kind == JSON_OBJS) {
		ok = put_short(r, l->field->sub, t, slot);
		l->n += (size_t)ok;
		return ok;
	}
	if (kind == JSON_IDS)
		ok = put_number(r, l->field, JSON_ID, t, slot);
	else if (kind == JSON_MAP)
		ok = put_string(r, t, false, slot + offsetof(struct oci_map, value));
	else
		ok = put_string(r, t, false, slot);
	if (ok && kind == JSON_MAP)
		memcpy(slot + offsetof(struct oci_map, key), &l->key, sizeof(l->key));
	l->n += (size_t)ok;
	return ok;
}

static int on_value(struct reader *r, const struct token *t)
{
	struct frame *f = top(r);

	if (f->kind == IN_DOCUMENT)
		return fail(r, kinds[JSON_OBJ].wrong);
	if (f->kind == IN_UNKNOWN || (f->kind == IN_OBJECT && !f->field))
		return 1;
	return f->kind == IN_OBJECT ? put_member(r, f, t) : put_item(r, f, t);
}

static int on_null(void *ctx)
{
	return on_value(ctx, &(struct token){.kind = T_NULL});
}

static int on_bool(void *ctx, int yes)
{
	return on_value(ctx, &(struct token){.kind = T_BOOL, .yes = yes});
}

static int on_number(void *ctx, const char *s, size_t len)
{
	return on_value(ctx, &(struct token){.kind = T_NUMBER, .text = s, .len = len});
}

static int on_string(void *ctx, const unsigned char *s, size_t len)
{
	return on_value(ctx,
			&(struct token){.kind = T_STRING, .text = (const char *)s, .len = len});
}

static struct frame *push(struct reader *r, enum frame_kind kind)
{
	if (r->depth == OCI_MAX_DEPTH) {
		err_msg(r->e, E2BIG, "nested deeper than %d levels", OCI_MAX_DEPTH);
		failed(r);
		return NULL;
	}
	struct frame *f = &r->frames[++r->depth];
	*f = (struct frame){.kind = kind};
	return f;
}

static int push_object(struct reader *r, const struct json_type *type, char *out)
{
	struct frame *f = push(r, IN_OBJECT);

	if (!f)
		return 0;
	f->type = type;
	f->out = out;
	return 1;
}

/* A list or map of the object below begins. */
static int push_items(struct reader *r, struct frame *o, enum frame_kind kind)
{
	const struct json_field *field = o->field;
	struct frame *f = push(r, kind);

	if (!f)
		return 0;
	o->present |= UINT64_C(1) << (field - o->type->fields);
	f->field = field;
	if (field->kind == JSON_MAP)
		f->size = sizeof(struct oci_map);
	else if (field->kind == JSON_STRS)
		f->size = sizeof(char *);
	else
		f->size = field->kind == JSON_IDS ? sizeof(uint32_t) : field->sub->size;
	(void)next_item(r, f); /* an empty list is not NULL, an absent one is */
	return 1;
}

static int on_start_map(void *ctx)
{
	struct reader *r = ctx;
	struct frame *f = top(r);

	if (f->kind == IN_DOCUMENT)
		return push_object(r, r->root, r->out);
	if (f->kind == IN_UNKNOWN || (f->kind == IN_OBJECT && !f->field))
		return push(r, IN_UNKNOWN) != NULL;

	enum json_kind kind = f->field->kind;
	if (f->kind == IN_OBJECT) {
		if (kind == JSON_MAP || kind == JSON_NAMED)
			return push_items(r, f, IN_MAP);
		if (kind != JSON_OBJ)
			return fail(r, kinds[kind].wrong);
		f->present |= UINT64_C(1) << (f->field - f->type->fields);
		return push_object(r, f->field->sub,
				   member(r, f->field, f->out, f->field->sub->size));
	}
	if (kind == JSON_OBJS || kind == JSON_NAMED) {
		char *item = next_item(r, f);

		if (kind == JSON_NAMED)
			memcpy(item + f->field->key_at, &f->key, sizeof(f->key));
		return push_object(r, f->field->sub, item);
	}
	return fail(r, kinds[kind == JSON_IDS ? JSON_ID : JSON_STR].wrong);
}

static int on_start_array(void *ctx)
{
	struct reader *r = ctx;
	struct frame *f = top(r);

	if (f->kind == IN_DOCUMENT)
		return fail(r, kinds[JSON_OBJ].wrong);
	if (f->kind == IN_UNKNOWN || (f->kind == IN_OBJECT && !f->field))
		return push(r, IN_UNKNOWN) != NULL;

	enum json_kind kind = f->field->kind;
	bool list = kind == JSON_STRS || kind == JSON_IDS || kind == JSON_OBJS;
	if (f->kind == IN_OBJECT)
		return list ? push_items(r, f, IN_LIST) : fail(r, kinds[kind].wrong);
	if (kind == JSON_STRS || kind == JSON_MAP)
		return fail(r, kinds[JSON_STR].wrong);
	return fail(r, kinds[kind == JSON_IDS ? JSON_ID : JSON_OBJ].wrong);
}

static int on_key(void *ctx, const unsigned char *key, size_t len)
{
	struct reader *r = ctx;
	struct frame *f = top(r);
	const char *s = (const char *)key;

	if (f->kind == IN_MAP) {
		f->key = NULL; /* not part of the path of an error about the next key */
		if (!len)
			return fail(r, "empty key");
		return keep(r, s, len, &f->key);
	}
	f->field = NULL;
	if (f->kind == IN_UNKNOWN)
		return 1;
	for (size_t i = 0; i < f->type->n_fields; i++) {
		const struct json_field *row = &f->type->fields[i];

		if (row->len != len || memcmp(row->name, s, len) != 0)
			continue;
		f->field = row;
		if (f->seen & UINT64_C(1) << i)
			return fail(r, "given twice");
		f->seen |= UINT64_C(1) << i;
		break;
	}
	if (!f->field && f->type->closed) {
		err_msg(r->e, EINVAL, "%.*s: unknown", (int)(len < 40 ? len : 40), s);
		return failed(r);
	}
	return 1;
}

/* The object, list or map on top is complete: so is one item, if it was an item. */
static int pop(struct reader *r)
{
	r->depth--;
	struct frame *f = top(r);
	if (f->kind == IN_LIST || f->kind == IN_MAP)
		f->n++;
	return 1;
}

static int end_items(struct reader *r)
{
	const struct frame *f = top(r);
	char *object = f[-1].out;

	memcpy(object + f->field->at, &f->out, sizeof(f->out));
	memcpy(object + f->field->count_at, &f->n, sizeof(f->n));
	return pop(r);
}

/* Sorted, not compared each with each: a map may have 100,000 keys. */
static int end_map(struct reader *r)
{
	struct frame *f = top(r);
	const char **keys = arena_array(r->a, f->n, sizeof(*keys));

	f->key = NULL;
	for (size_t i = 0; i < f->n; i++)
		memcpy(&keys[i], f->out + i * f->size + f->field->key_at, sizeof(*keys));
	str_sort(keys, f->n);
	for (size_t i = 1; i < f->n; i++) {
		if (strcmp(keys[i - 1], keys[i]) == 0) {
			f->key = keys[i];
			return fail(r, "given twice");
		}
	}
	return end_items(r);
}

static int on_end_map(void *ctx)
{
	struct reader *r = ctx;
	struct frame *f = top(r);

	if (f->kind == IN_UNKNOWN)
		return pop(r);
	if (f->kind == IN_MAP)
		return end_map(r);
	f->field = NULL;
	for (size_t i = 0; i < f->type->n_fields; i++) {
		const struct json_field *row = &f->type->fields[i];

		if (row->flags & JSON_REQUIRED && !(f->present & UINT64_C(1) << i)) {
			f->field = row;
			return fail(r, "missing");
		}
	}
	if (f->type->check && f->type->check(r->a, f->out, r->e) < 0)
		return failed(r);
	return pop(r);
}

static int on_end_array(void *ctx)
{
	struct reader *r = ctx;

	return top(r)->kind == IN_UNKNOWN ? pop(r) : end_items(r);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number, /* the text: yajl's own integers end at INT64_MAX */
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end_map,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end_array,
};

static size_t line_of(const char *json, size_t at)
{
	size_t line = 1;

	for (size_t i = 0; i < at; i++)
		line += json[i] == '\n';
	return line;
}

/* What yajl itself found wrong after at bytes, with the line. */
static int syntax_error(yajl_handle h, const char *json, size_t at, struct err *e)
{
	unsigned char *text = yajl_get_error(h, 0, NULL, 0);
	int n = text ? (int)strcspn((const char *)text, "\n") : 0;

	err_msg(e, EINVAL, "line %zu: %.*s", line_of(json, at), n, text ? (const char *)text : "");
	if (text)
		yajl_free_error(h, text);
	return -e->code;
}

int json_read(struct arena *a, const struct json_type *t, const char *json, size_t len, size_t max,
	      void *out, struct err *e)
{
	struct reader r;

	if (len > max)
		return err_msg(e, E2BIG, "%zu bytes are more than the %zu allowed", len, max);
	if (!len)
		return err_msg(e, EINVAL, "empty document");
	const char *half = json_half_pair(json, len);
	if (half)
		return err_msg(e, EINVAL, "line %zu: half a surrogate pair",
			       line_of(json, (size_t)(half - json)));
	/* Not zeroed as a whole: push() makes a frame when one is needed. */
	r.a = a;
	r.e = e;
	r.depth = 0;
	r.frames[0] = (struct frame){.kind = IN_DOCUMENT};
	r.root = t;
	r.out = out;
	r.pool_left = len;
	r.pool = arena_new(a, len);

	yajl_handle h = yajl_alloc(&callbacks, NULL, &r);
	if (!h)
		return err_set(e, ENOMEM, "json parser");
	yajl_status s = yajl_parse(h, (const unsigned char *)json, len);
	size_t at = yajl_get_bytes_consumed(h);
	if (s == yajl_status_ok)
		s = yajl_complete_parse(h);
	int ret = 0;
	if (s == yajl_status_client_canceled)
		ret = -e->code;
	else if (s != yajl_status_ok)
		ret = syntax_error(h, json, at < len ? at : len, e);
	yajl_free(h);
	return ret;
}

const struct json_field *json_lookup(const struct json_type *t, const char *path)
{
	const struct json_field *found = NULL;

	while (*path) {
		size_t len = strcspn(path, ".[{");
		const char *brackets = "";

		found = NULL;
		for (size_t i = 0; t && i < t->n_fields && !found; i++)
			if (t->fields[i].len == len && memcmp(t->fields[i].name, path, len) == 0)
				found = &t->fields[i];
		if (!found)
			return NULL;
		path += len;
		if (found->kind == JSON_MAP || found->kind == JSON_NAMED)
			brackets = "{}";
		else if (found->kind >= JSON_STRS)
			brackets = "[]";
		if (*path == '[' || *path == '{') {
			if (strncmp(path, brackets, 2) != 0 || !*brackets)
				return NULL;
			path += 2;
		}
		t = found->sub;
		if (*path && *path++ != '.')
			return NULL;
	}
	return found;
}
