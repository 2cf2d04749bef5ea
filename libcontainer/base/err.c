#include "base/err.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_text(int code)
{
	static _Thread_local char text[128];
	const char *s = strerror(code);

	snprintf(text, sizeof(text), "%s", s);
	/* "I/O error" keeps its capital: only a word that goes on in small letters loses it. */
	if (isupper((unsigned char)text[0]) && islower((unsigned char)text[1]))
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

static void clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
}

static __attribute__((format(printf, 3, 0))) int fill(struct err *e, int code, const char *fmt,
						      va_list ap)
{
	e->code = code > 0 ? code : EIO;
	int n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	clean(e->msg);
	return n < 0 || (size_t)n >= sizeof(e->msg) ? (int)sizeof(e->msg) - 1 : n;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = fill(e, code, fmt, ap);
	va_end(ap);
	if (code > 0)
		snprintf(e->msg + n, sizeof(e->msg) - (size_t)n, ": %s", err_text(code));
	return -e->code;
}

int err_msg(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(e, code, fmt, ap);
	va_end(ap);
	return -e->code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char where[192];
	char old[sizeof(e->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(where, sizeof(where), fmt, ap);
	va_end(ap);
	clean(where);
	memcpy(old, e->msg, sizeof(old));
	int n = snprintf(e->msg, sizeof(e->msg), "%s: ", where);
	size_t used = (size_t)n < sizeof(e->msg) ? (size_t)n : sizeof(e->msg) - 1;
	memcpy(e->msg + used, old, sizeof(e->msg) - used);
	e->msg[sizeof(e->msg) - 1] = '\0';
	return -e->code;
}
