#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const struct word *word_find(const struct word *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

const char *word_name(const struct word *table, uint64_t value)
{
	for (; table->name; table++)
		if (table->value == value)
			return table->name;
	return NULL;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void str_sort(const char **list, size_t n)
{
	if (n)
		qsort(list, n, sizeof(*list), by_bytes);
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* Digits at *s up to the first other character; false without a digit or on overflow. */
static bool digits(const char **s, uint64_t *out)
{
	uint64_t n = 0;

	if (!isdigit((unsigned char)**s))
		return false;
	for (; isdigit((unsigned char)**s); (*s)++)
		if (__builtin_mul_overflow(n, 10U, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(**s - '0'), &n))
			return false;
	*out = n;
	return true;
}

bool str_u64(const char *s, uint64_t *out)
{
	uint64_t n;

	if (!digits(&s, &n) || *s)
		return false;
	*out = n;
	return true;
}

bool str_u32(const char *s, uint32_t *out)
{
	uint64_t n;

	if (!str_u64(s, &n) || n > UINT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

bool str_i64(const char *s, int64_t *out)
{
	bool minus = *s == '-';
	uint64_t n;

	if (!str_u64(s + minus, &n) || n > (uint64_t)INT64_MAX + minus)
		return false;
	*out = minus ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}

bool str_bytes(const char *s, int64_t *out)
{
	static const char units[] = "kmgt";
	uint64_t n;

	if (strcmp(s, "-1") == 0) {
		*out = -1;
		return true;
	}
	if (!digits(&s, &n))
		return false;
	if (*s && *s != 'b' && *s != 'B') {
		const char *u = strchr(units, tolower((unsigned char)*s));

		if (!u || __builtin_mul_overflow(n, UINT64_C(1) << 10 * (u - units + 1), &n))
			return false;
		s++;
		if (*s == 'i')
			s++;
	}
	if (*s == 'b' || *s == 'B')
		s++;
	if (*s || n > INT64_MAX)
		return false;
	*out = (int64_t)n;
	return true;
}

/* Nanoseconds in a unit of a Go duration; the longer name is looked for first. */
static const struct word duration_units[] = {
	{"ns",      1			  },
	{"us",      1000		       },
	{"\u00b5s", 1000                       },
	{"ms",      1000000                    },
	{"s",       1000000000                 },
	{"m",       UINT64_C(60) * 1000000000  },
	{"h",       UINT64_C(3600) * 1000000000},
	{NULL,      0			  },
};

/* One "1.5s" at *s added to *ns. */
static bool duration_part(const char **s, uint64_t *ns)
{
	uint64_t whole = 0, fraction = 0, scale = 1, v;
	const struct word *u = duration_units;
	bool digits = false;

	for (; isdigit((unsigned char)**s); (*s)++, digits = true)
		if (__builtin_mul_overflow(whole, 10U, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(**s - '0'), &whole))
			return false;
	if (**s == '.')
		for ((*s)++; isdigit((unsigned char)**s); (*s)++, digits = true)
			if (scale < 1000000) { /* finer than that is below a millisecond */
				fraction = fraction * 10 + (uint64_t)(**s - '0');
				scale *= 10;
			}
	if (!digits)
		return false;
	while (u->name && !str_starts(*s, u->name))
		u++;
	if (!u->name)
		return false;
	*s += strlen(u->name);
	return !__builtin_mul_overflow(whole, u->value, &v) &&
	       !__builtin_add_overflow(v, u->value / scale * fraction, &v) &&
	       !__builtin_add_overflow(*ns, v, ns);
}

bool str_duration(const char *s, uint64_t *ms)
{
	uint64_t ns = 0;

	if (strcmp(s, "0") == 0) {
		*ms = 0;
		return true;
	}
	if (!*s)
		return false;
	while (*s)
		if (!duration_part(&s, &ns))
			return false;
	*ms = ns / 1000000 + (ns % 1000000 != 0);
	return true;
}

const char *env_get(const char *const *env, const char *name)
{
	size_t n = strlen(name);
	const char *found = NULL;

	for (; env && *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			found = *env + n + 1;
	return found;
}

static void skip_blanks(const char **s)
{
	while (**s == ' ' || **s == '\t')
		(*s)++;
}

bool str_cpulist(const char *s, uint64_t *set, size_t bits)
{
	memset(set, 0, bits / 8);
	for (skip_blanks(&s); *s; skip_blanks(&s)) {
		uint64_t from, to;

		if (*s == ',') {
			s++;
			continue;
		}
		if (!digits(&s, &from))
			return false;
		to = from;
		skip_blanks(&s);
		if (*s == '-') {
			s++;
			skip_blanks(&s);
			if (!digits(&s, &to))
				return false;
			skip_blanks(&s);
		}
		if (to < from || to >= bits || (*s && *s != ','))
			return false;
		for (uint64_t i = from; i <= to; i++)
			set[i / 64] |= UINT64_C(1) << i % 64;
	}
	return true;
}

static bool octal(const char *s)
{
	return s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
	       s[3] >= '0' && s[3] <= '7';
}

void str_unescape(char *s)
{
	char *to = s;

	while (*s)
		if (octal(s)) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	*to = '\0';
}
