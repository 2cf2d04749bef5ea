#include "specs/audit_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "specs/audit.h"
#include "specs/json_text.h"

enum { MAX_DEPTH = 8, MAX_KEYS = 128, MAX_NUMBER = 32, REPLACEMENT = 0xfffd, PIECE = 8 };

void audit_put(struct audit_text *t, const char *s, size_t n)
{
	enum { FIRST_ROOM = 1024 }; /* a usual line */

	if (t->len + n + 1 > t->room) {
		size_t room = 2 * t->room > FIRST_ROOM ? 2 * t->room : FIRST_ROOM;

		while (room < t->len + n + 1)
			room *= 2;
		char *bigger = arena_new(t->a, room);
		if (t->len)
			memcpy(bigger, t->p, t->len);
		t->p = bigger;
		t->room = room;
	}
	if (n)
		memcpy(t->p + t->len, s, n);
	t->len += n;
	t->p[t->len] = '\0';
}

void audit_put_uint(struct audit_text *t, uint64_t n)
{
	char digits[24];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	audit_put(t, digits + at, sizeof(digits) - at);
}

/* --- Characters ------------------------------------------------------------------------- */

/* What a terminal or an editor would act on in place of showing it. */
static bool is_acting(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static size_t encode(uint32_t c, char out[PIECE])
{
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(lead[n - 1 ? n : 0] | c);
	return n;
}

/* A character as it stands in a line. */
static size_t spell(uint32_t c, char out[PIECE])
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *p = letters; c < 0x80 && *p; p += 2)
		if ((uint32_t)*p == c) {
			out[0] = '\\';
			out[1] = p[1];
			return 2;
		}
	if (is_acting(c))
		return (size_t)snprintf(out, PIECE, "\\u%04x", (unsigned int)(c & 0xffff));
	return encode(c, out);
}

/* Characters of a C string, or of a JSON string behind its first quote. */
struct reader {
	const char *at, *end;
	bool json;
};

static uint32_t decode(const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s;
	uint32_t c = n == 1 ? *p : n == 2 ? *p & 0x1f : n == 3 ? *p & 0x0f : *p & 0x07;

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

static int hex4(struct reader *r, uint32_t *c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";

	if (r->end - r->at < 4)
		return -EINVAL;
	*c = 0;
	for (const char *stop = r->at + 4; r->at < stop; r->at++) {
		const char *d = *r->at ? strchr(digits, *r->at) : NULL;

		if (!d)
			return -EINVAL;
		*c = *c << 4 | (uint32_t)((d - digits) & 15);
	}
	return 0;
}

/* Behind a backslash. */
static int escaped(struct reader *r, uint32_t *c)
{
	static const char letters[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	uint32_t low;

	if (r->at == r->end)
		return -EINVAL;
	for (const char *p = letters; *p; p += 2)
		if (*r->at == *p) {
			*c = (uint32_t)p[1];
			r->at++;
			return 1;
		}
	if (*r->at++ != 'u' || hex4(r, c) < 0 || !*c || (*c >= 0xdc00 && *c <= 0xdfff))
		return -EINVAL;
	if (*c < 0xd800 || *c > 0xdbff)
		return 1;
	if (r->end - r->at < 6 || *r->at++ != '\\' || *r->at++ != 'u' || hex4(r, &low) < 0 ||
	    low < 0xdc00 || low > 0xdfff)
		return -EINVAL;
	*c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
	return 1;
}

/* 1: *c is the next one; 0: there is none (the quote is behind us). */
static int next(struct reader *r, uint32_t *c)
{
	if (r->at == r->end)
		return r->json ? -EINVAL : 0;
	char byte = *r->at;
	if (r->json && byte == '"') {
		r->at++;
		return 0;
	}
	if (r->json && (uint8_t)byte < 0x20)
		return -EINVAL;
	if (r->json && byte == '\\') {
		r->at++;
		return escaped(r, c);
	}
	if ((uint8_t)byte < 0x80) {
		*c = (uint32_t)byte;
		r->at++;
		return 1;
	}
	char whole[PIECE] = ""; /* nothing behind the end is looked at */
	size_t left = (size_t)(r->end - r->at);

	memcpy(whole, r->at, left < 4 ? left : 4);
	size_t n = utf8_sequence(whole);
	*c = n ? decode(r->at, n) : REPLACEMENT;
	r->at += n ? n : 1;
	return 1;
}

/* How many of the next characters stand as they are, at most `most`. */
static size_t plain(const struct reader *r, size_t most)
{
	size_t left = (size_t)(r->end - r->at), n = 0;

	for (left = left < most ? left : most; n < left; n++) {
		uint8_t c = (uint8_t)r->at[n];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			break;
	}
	return n;
}

static int put_characters(struct audit_text *t, struct reader *r, size_t most)
{
	static const char ellipsis[] = "\xe2\x80\xa6";
	size_t begin = t->len, cut = begin;
	bool full = false;
	char piece[PIECE];
	uint32_t c = 0;
	int got;

	/* Nearly all of nearly every text. */
	size_t whole = most > sizeof(ellipsis) ? plain(r, most - sizeof(ellipsis)) : 0;
	audit_put(t, r->at, whole);
	r->at += whole;
	cut = t->len;
	while ((got = next(r, &c)) > 0) {
		size_t n = spell(c, piece);

		full = full || t->len - begin + n > most;
		if (full)
			continue; /* a JSON string is read to its end */
		audit_put(t, piece, n);
		if (t->len - begin + sizeof(ellipsis) - 1 <= most)
			cut = t->len;
	}
	if (got == 0 && full) {
		t->len = cut;
		audit_put(t, ellipsis, sizeof(ellipsis) - 1);
	}
	return got;
}

void audit_put_string(struct audit_text *t, const char *s, size_t most)
{
	struct reader r = {.at = s, .end = s + strlen(s)};

	audit_put(t, "\"", 1);
	(void)put_characters(t, &r, most); /* only JSON can be wrong */
	audit_put(t, "\"", 1);
}

int audit_take_string(struct arena *a, const char **at, const char *end, const char **out)
{
	struct reader r = {.at = *at, .end = end, .json = true};
	struct audit_text t = {.a = a};
	char piece[PIECE];
	uint32_t c = 0;
	int got;

	if (r.at == end || *r.at++ != '"')
		return -EINVAL;
	audit_put(&t, "", 0);
	while ((got = next(&r, &c)) > 0)
		audit_put(&t, piece, encode(c, piece));
	if (got < 0)
		return got;
	*out = t.p;
	*at = r.at;
	return 0;
}

/* --- Values of any kind: the data of an event --------------------------------------------- */

struct object_key {
	size_t at, len; /* in the text put, quotes and all */
};

static int put_value(struct audit_text *t, struct reader *r, unsigned int depth);

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && memchr(" \t\r\n", *r->at, 4))
		r->at++;
}

/* Whether the next character that is no blank is c; it is then behind us. */
static bool meets(struct reader *r, char c)
{
	skip_blanks(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static int put_text(struct audit_text *t, struct reader *r)
{
	if (!meets(r, '"'))
		return -EINVAL;
	audit_put(t, "\"", 1);
	int got = put_characters(t, r, AUDIT_MAX_TEXT);
	if (got == 0)
		audit_put(t, "\"", 1);
	return got;
}

static int put_key(struct audit_text *t, struct reader *r, struct object_key *keys, size_t n)
{
	if (n == MAX_KEYS)
		return -EINVAL;
	keys[n].at = t->len;
	int bad = put_text(t, r);
	if (bad)
		return bad;
	keys[n].len = t->len - keys[n].at;
	for (size_t i = 0; i < n; i++)
		if (keys[i].len == keys[n].len &&
		    !memcmp(t->p + keys[i].at, t->p + keys[n].at, keys[n].len))
			return -EEXIST;
	if (!meets(r, ':'))
		return -EINVAL;
	audit_put(t, ":", 1);
	return 0;
}

static int put_members(struct audit_text *t, struct reader *r, unsigned int depth, bool object)
{
	struct object_key keys[MAX_KEYS];
	char close = object ? '}' : ']';

	if (depth == MAX_DEPTH)
		return -EINVAL;
	audit_put(t, object ? "{" : "[", 1);
	r->at++;
	if (!meets(r, close))
		for (size_t n = 0;; n++) {
			int bad = object ? put_key(t, r, keys, n) : 0;

			if (!bad)
				bad = put_value(t, r, depth + 1);
			if (bad)
				return bad;
			if (meets(r, close))
				break;
			if (!meets(r, ','))
				return -EINVAL;
			audit_put(t, ",", 1);
		}
	audit_put(t, &close, 1);
	return 0;
}

static size_t digits(const struct reader *r, size_t from)
{
	size_t n = from;

	while (n < (size_t)(r->end - r->at) && r->at[n] >= '0' && r->at[n] <= '9')
		n++;
	return n - from;
}

/* A number stands as it was written. */
static int put_number(struct audit_text *t, struct reader *r)
{
	size_t size = (size_t)(r->end - r->at), n = *r->at == '-', whole = digits(r, n), part;

	if (!whole || (whole > 1 && r->at[n] == '0'))
		return -EINVAL;
	n += whole;
	if (n < size && r->at[n] == '.') {
		part = digits(r, n + 1);
		if (!part)
			return -EINVAL;
		n += 1 + part;
	}
	if (n < size && (r->at[n] == 'e' || r->at[n] == 'E')) {
		n += n + 1 < size && (r->at[n + 1] == '+' || r->at[n + 1] == '-') ? 2 : 1;
		part = digits(r, n);
		if (!part)
			return -EINVAL;
		n += part;
	}
	if (n > MAX_NUMBER)
		return -EINVAL;
	audit_put(t, r->at, n);
	r->at += n;
	return 0;
}

static int put_word(struct audit_text *t, struct reader *r)
{
	static const char *const words[] = {"true", "false", "null"};

	for (size_t i = 0; i < LEN(words); i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(r->end - r->at) < n || memcmp(r->at, words[i], n))
			continue;
		audit_put(t, words[i], n);
		r->at += n;
		return 0;
	}
	return -EINVAL;
}

static int put_value(struct audit_text *t, struct reader *r, unsigned int depth)
{
	skip_blanks(r);
	if (r->at == r->end)
		return -EINVAL;
	char c = *r->at;
	if (c == '{' || c == '[')
		return put_members(t, r, depth, c == '{');
	if (c == '"')
		return put_text(t, r);
	return c == '-' || (c >= '0' && c <= '9') ? put_number(t, r) : put_word(t, r);
}

int audit_put_object(struct audit_text *t, const char **at, const char *end)
{
	struct reader r = {.at = *at, .end = end, .json = true};

	skip_blanks(&r);
	if (r.at == end || *r.at != '{')
		return -EINVAL;
	int bad = put_members(t, &r, 0, true);
	skip_blanks(&r);
	*at = r.at;
	return bad;
}
