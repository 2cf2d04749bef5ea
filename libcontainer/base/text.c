#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_room(struct text *t, size_t n)
{
	if (t->room - t->len > n)
		return;
	size_t room = (t->room + n + 1) * 2;
	char *bigger = arena_new(t->a, room);

	if (t->len)
		memcpy(bigger, t->s, t->len);
	t->s = bigger;
	t->room = room;
}

void text_add(struct text *t, const char *s, size_t n)
{
	make_room(t, n);
	memcpy(t->s + t->len, s, n);
	t->len += n;
	t->s[t->len] = '\0';
}

void text_addf(struct text *t, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(t->s ? t->s + t->len : NULL, t->room - t->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n >= t->room - t->len) {
		make_room(t, (size_t)n);
		(void)vsnprintf(t->s + t->len, t->room - t->len, fmt, again);
	}
	va_end(again);
	if (n > 0)
		t->len += (size_t)n;
}
