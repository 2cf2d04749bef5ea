#include "audit/verify_line.h"

#include <string.h>

enum { MAX_DEPTH = 32, MAX_KEYS = 512 };

struct key {
	const char *at;
	size_t len;
};

/* What is left of the text, and the keys of all objects that are open. */
struct scan {
	const char *at, *end;
	struct line_shape *out;
	struct key keys[MAX_KEYS];
	size_t n_keys;
	size_t first[MAX_DEPTH]; /* of the keys of the object at that depth */
	char open[MAX_DEPTH];    /* '{' or '[' */
	size_t depth;
};

static bool take(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static void blanks(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
}

/* Between the quotes, as it is written. */
static bool string(struct scan *s, struct key *out)
{
	if (!take(s, '"'))
		return false;
	out->at = s->at;
	while (s->at < s->end && *s->at != '"')
		s->at += *s->at == '\\' && s->end - s->at > 1 ? 2 : 1;
	if (s->at == s->end) {
		s->out->in_string = true;
		return false;
	}
	out->len = (size_t)(s->at - out->at);
	s->at++;
	return true;
}

/* A number, true, false, null: their letters, which are not looked at closely. */
static bool plain(struct scan *s, struct key *out)
{
	static const char letters[] = "0123456789+-.eEtrufalsn";

	out->at = s->at;
	while (s->at < s->end && *s->at && strchr(letters, *s->at))
		s->at++;
	out->len = (size_t)(s->at - out->at);
	return out->len != 0;
}

static bool is(const struct key *k, const char *name)
{
	return k->len == strlen(name) && memcmp(k->at, name, k->len) == 0;
}

static bool whole(const struct key *k, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < k->len; i++)
		if (k->at[i] < '0' || k->at[i] > '9' || __builtin_mul_overflow(*out, 10U, out) ||
		    __builtin_add_overflow(*out, (uint64_t)(k->at[i] - '0'), out))
			return false;
	return k->len != 0;
}

static void note_twice(struct line_shape *out, const struct key *k)
{
	size_t n = k->len < sizeof(out->twice) - 1 ? k->len : sizeof(out->twice) - 1;

	if (out->form == LINE_DUPLICATE)
		return; /* the first one is told */
	out->form = LINE_DUPLICATE;
	for (size_t i = 0; i < n; i++)
		out->twice[i] = k->at[i] > ' ' && k->at[i] < 0x7f ? k->at[i] : '?';
	out->twice[n] = '\0';
}

/* False: no place for it, which no record needs. */
static bool add_key(struct scan *s, const struct key *k)
{
	for (size_t i = s->first[s->depth - 1]; i < s->n_keys; i++)
		if (s->keys[i].len == k->len && memcmp(s->keys[i].at, k->at, k->len) == 0)
			note_twice(s->out, k);
	if (s->n_keys == MAX_KEYS)
		return false;
	s->keys[s->n_keys++] = *k;
	return true;
}

static bool open_one(struct scan *s, char bracket)
{
	if (s->depth == MAX_DEPTH)
		return false;
	s->open[s->depth] = bracket;
	s->first[s->depth++] = s->n_keys;
	return true;
}

static void close_one(struct scan *s)
{
	s->n_keys = s->first[--s->depth];
}

static bool key_of_member(struct scan *s, struct key *name)
{
	blanks(s);
	if (!string(s, name))
		return false;
	blanks(s);
	return take(s, ':') && add_key(s, name);
}

static void note_member(struct scan *s, const struct key *name, const struct key *value)
{
	struct line_shape *o = s->out;

	if (s->depth != 1)
		return;
	if (is(name, "v") && !o->has_v)
		o->has_v = whole(value, &o->v);
	if (is(name, "seq") && !o->has_seq)
		o->has_seq = whole(value, &o->seq);
}

/* Brackets that end here, and the comma behind; *done: the outermost one has ended. */
static bool after_value(struct scan *s, bool *done)
{
	for (;;) {
		blanks(s);
		if (take(s, ','))
			return true;
		if (!take(s, s->open[s->depth - 1] == '{' ? '}' : ']'))
			return false;
		close_one(s);
		*done = s->depth == 0;
		if (*done)
			return true;
	}
}

/* One value with the key before it; an empty bracket counts as one. */
static bool member(struct scan *s, bool *done)
{
	struct key name = {"", 0}, value = {"", 0};

	if (s->open[s->depth - 1] == '{' && !key_of_member(s, &name))
		return false;
	blanks(s);
	char c = s->at < s->end ? *s->at : '\0';
	if (c == '{' || c == '[') {
		s->at++;
		if (!open_one(s, c))
			return false;
		blanks(s);
		if (!take(s, c == '{' ? '}' : ']'))
			return true;
		close_one(s);
	} else if (!(c == '"' ? string(s, &value) : plain(s, &value))) {
		return false;
	} else if (c != '"') {
		note_member(s, &name, &value);
	}
	return after_value(s, done);
}

static bool document(struct scan *s)
{
	bool done = false;

	if (!take(s, '{') || !open_one(s, '{'))
		return false;
	blanks(s);
	done = take(s, '}');
	while (!done)
		if (!member(s, &done))
			return false;
	blanks(s);
	return s->at == s->end;
}

void line_look(const char *text, size_t len, struct line_shape *out)
{
	struct scan s = {.at = text, .end = text + len, .out = out};

	*out = (struct line_shape){.form = LINE_OBJECT};
	for (size_t i = 0; i < len; i++)
		out->control |= (unsigned char)text[i] < ' ' || text[i] == 0x7f;
	if (!document(&s))
		out->form = LINE_OTHER;
}
