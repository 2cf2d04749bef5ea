#include "ns/idpool_file.h"

#include <string.h>

#include "base/str.h"

static const char hex[] = "0123456789abcdef";

char *idpool_escape(struct arena *a, const char *s, const char *also)
{
	char *out = arena_new(a, strlen(s) * 3 + 1), *to = out;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x20 && c != 0x7f && c != '%' && !strchr(also, c)) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
	}
	return out;
}

static int digit(char c)
{
	const char *at = c ? strchr(hex, c) : NULL;

	return at ? (int)(at - hex) : -1;
}

char *idpool_unescape(struct arena *a, const char *s)
{
	char *out = arena_new(a, strlen(s) + 1), *to = out;

	for (; *s; s++) {
		int high = *s == '%' ? digit(s[1]) : -1, low = high >= 0 ? digit(s[2]) : -1;

		if (high < 0 || low < 0) {
			*to++ = *s;
			continue;
		}
		*to++ = (char)(high * 16 + low);
		s += 2;
	}
	return out;
}

/* The next line, without its newline; NULL: no whole line is left. */
static char *next_line(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line;
}

static bool one_line(struct idpool_file *f, const char *line)
{
	static const char word[] = "free ";

	if (f->free)
		return false; /* nothing after it */
	if (str_starts(line, word)) {
		f->free = true;
		return f->n_users == 0 && str_u64(line + strlen(word), &f->since);
	}
	f->users[f->n_users++] = line;
	return line[0] == '/';
}

bool idpool_file_parse(struct arena *a, const char *text, size_t len, struct idpool_file *out)
{
	char *rest = arena_strndup(a, text, len);
	size_t lines = 0;

	*out = (struct idpool_file){.key = "", .free = true};
	if (len == 0)
		return true;
	if (strlen(rest) != len || rest[len - 1] != '\n')
		return false;
	for (size_t i = 0; i < len; i++)
		lines += rest[i] == '\n';
	*out = (struct idpool_file){.users = arena_array(a, lines, sizeof(char *))};
	out->key = next_line(&rest);
	for (char *line; (line = next_line(&rest));)
		if (!one_line(out, line))
			return false;
	return out->free || out->n_users;
}

char *idpool_file_print(struct arena *a, const struct idpool_file *f, size_t *len)
{
	size_t size = strlen(f->key) + 32;

	for (size_t i = 0; i < f->n_users; i++)
		size += strlen(f->users[i]) + 1;
	char *text = arena_new(a, size), *to = stpcpy(stpcpy(text, f->key), "\n");
	for (size_t i = 0; i < f->n_users; i++)
		to = stpcpy(stpcpy(to, f->users[i]), "\n");
	if (!f->n_users)
		to = stpcpy(to, arena_printf(a, "free %llu\n", (unsigned long long)f->since));
	*len = (size_t)(to - text);
	return text;
}
