#include "cmd/brig/safe.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "specs/json_text.h"

/* First and last: C0, DEL and C1, Unicode's marks of direction, joiners and invisible ones. */
static const uint32_t hidden[][2] = {
	{0x0,     0x1f   },
        {0x7f,    0x9f   },
        {0xad,    0xad   },
        {0x34f,   0x34f  },
        {0x61c,   0x61c  },
	{0x115f,  0x1160 },
        {0x17b4,  0x17b5 },
        {0x180b,  0x180f },
        {0x200b,  0x200f },
        {0x2028,  0x202e },
	{0x2060,  0x206f },
        {0x3164,  0x3164 },
        {0xfe00,  0xfe0f },
        {0xfeff,  0xfeff },
        {0xffa0,  0xffa0 },
	{0xfff0,  0xfffb },
        {0xe0000, 0xe0fff},
};

/* The character of a sequence that is right. */
static uint32_t decode(const char *s, size_t n)
{
	static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)*s & first[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return c;
}

static bool is_hidden(uint32_t c)
{
	for (size_t i = 0; i < LEN(hidden); i++)
		if (c >= hidden[i][0] && c <= hidden[i][1])
			return true;
	return false;
}

/* What is written in place of it, 12 bytes at most. */
static size_t escape(char out[13], uint32_t c, bool json)
{
	if (!json && c < 0x80)
		return (size_t)snprintf(out, 13, "\\x%02x", c);
	if (c < 0x10000)
		return (size_t)snprintf(out, 13, "\\u%04x", c);
	c -= 0x10000; /* JSON has no other way */
	return (size_t)snprintf(out, 13, "\\u%04x\\u%04x", 0xd800 + (c >> 10),
				0xdc00 + (c & 0x3ff));
}

const char *safe_text(struct arena *a, const char *text, bool json)
{
	char *out = arena_array(a, strlen(text) + 1, 12), *to = out;

	while (*text) {
		size_t n = utf8_sequence(text);
		char code[13];

		if (!n) {
			to += snprintf(to, 12, json ? "\\ufffd" : "\\x%02x", (unsigned char)*text);
			text++;
			continue;
		}
		uint32_t c = decode(text, n);
		if (is_hidden(c)) {
			size_t len = escape(code, c, json);

			memcpy(to, code, len);
			to += len;
		} else {
			if (c == '\\' && !json)
				*to++ = '\\';
			memcpy(to, text, n);
			to += n;
		}
		text += n;
	}
	*to = '\0';
	return out;
}
