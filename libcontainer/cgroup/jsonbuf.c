#include "cgroup/jsonbuf.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void put(struct jsonbuf *j, const char *s, size_t n)
{
	if (j->len + n + 1 > j->cap) {
		size_t cap = (j->len + n + 1) * 2 + 1024;
		char *more = arena_new(j->a, cap);

		if (j->len)
			memcpy(more, j->text, j->len);
		j->text = more;
		j->cap = cap;
	}
	memcpy(j->text + j->len, s, n);
	j->len += n;
	j->text[j->len] = '\0';
}

static void put_string(struct jsonbuf *j, const char *s)
{
	put(j, "\"", 1);
	for (; *s; s++) {
		char esc[8];

		if (*s == '"' || *s == '\\')
			put(j, esc, (size_t)snprintf(esc, sizeof(esc), "\\%c", *s));
		else if ((unsigned char)*s < ' ')
			put(j, esc,
			    (size_t)snprintf(esc, sizeof(esc), "\\u%04x", (unsigned char)*s));
		else
			put(j, s, 1);
	}
	put(j, "\"", 1);
}

static void begin(struct jsonbuf *j, const char *key)
{
	bool first = !j->len || j->text[j->len - 1] == '{' || j->text[j->len - 1] == '[';

	if (!first)
		put(j, ",", 1);
	if (key) {
		put_string(j, key);
		put(j, ":", 1);
	}
}

void json_open(struct jsonbuf *j, const char *key, char bracket)
{
	if (j->len)
		begin(j, key);
	put(j, &bracket, 1);
}

void json_close(struct jsonbuf *j, char bracket)
{
	put(j, &bracket, 1);
}

void json_u64(struct jsonbuf *j, const char *key, uint64_t v)
{
	char text[24];

	begin(j, key);
	put(j, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)v));
}

void json_str(struct jsonbuf *j, const char *key, const char *v)
{
	begin(j, key);
	put_string(j, v);
}

void json_number(struct jsonbuf *j, const char *key, const char *v)
{
	begin(j, key);
	put(j, v, strlen(v));
}
