#include "specs/json_text.h"

#include <string.h>

size_t utf8_sequence(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf;
	size_t more = 3;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	if (s[0] < 0xe0)
		more = 1;
	else if (s[0] < 0xf0)
		more = 2;
	/* The second byte tells an overlong form, a surrogate and what is too high. */
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i <= more; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return more + 1;
}

bool utf8_valid(const char *s, size_t n)
{
	size_t len = 1;

	for (size_t i = 0; i < n && len; i += len)
		len = utf8_sequence(s + i);
	return len != 0;
}

/* The value of four hexadecimal digits, -1 if they are not. */
static int hex4(const char *s, const char *end)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	int value = 0;

	if (end - s < 4)
		return -1;
	for (const char *p = s; p < s + 4; p++) {
		const char *d = *p ? strchr(digits, *p) : NULL;

		if (!d)
			return -1;
		value = value << 4 | (int)((d - digits) & 15);
	}
	return value;
}

const char *json_half_pair(const char *json, size_t len)
{
	const char *end = json + len;

	/* A backslash outside a string, or before what it may not, is left to yajl. */
	for (const char *p = json; (p = memchr(p, '\\', (size_t)(end - p)));) {
		int unit = end - p > 2 && p[1] == 'u' ? hex4(p + 2, end) : -1;

		if (unit < 0xd800 || unit > 0xdfff) {
			p = end - p > 2 ? p + 2 : end;
			continue;
		}
		if (unit > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
			return p;
		int second = hex4(p + 8, end);
		if (second < 0xdc00 || second > 0xdfff)
			return p;
		p += 12;
	}
	return NULL;
}
