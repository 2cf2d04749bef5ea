#include "base/str.h"

#include <ctype.h>
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
