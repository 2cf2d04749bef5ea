#ifndef BRIG_BASE_STR_H
#define BRIG_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A word of some vocabulary and what it stands for; tables end with a NULL name. */
struct word {
	const char *name;
	uint64_t value;
};

/* The row of that exact name, NULL if there is none. */
const struct word *word_find(const struct word *table, const char *name);
/* The name of a value, NULL if there is none. */
const char *word_name(const struct word *table, uint64_t value);

static inline bool str_eq(const char *a, const char *b)
{
	return a && b && __builtin_strcmp(a, b) == 0;
}
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* \040 and the like, as the kernel writes blanks into mountinfo, in place. */
void str_unescape(char *s);
/* By bytes. */
void str_sort(const char **list, size_t n);

/* Whole-string decimal numbers: no blanks, no sign but a leading '-' for i64, no overflow. */
bool str_u64(const char *s, uint64_t *out);
bool str_u32(const char *s, uint32_t *out);
bool str_i64(const char *s, int64_t *out);
/* A size such as 512, 64k, 30M, 1G (base 1024, either case, optional trailing b); -1 allowed. */
bool str_bytes(const char *s, int64_t *out);

/* A Go duration of at least 0 (1m30s, 100ms, 0) in milliseconds, parts of one rounded up. */
bool str_duration(const char *s, uint64_t *ms);

/*
 * The value of NAME in a NULL-terminated list of NAME=VALUE, NULL if absent; the last entry
 * counts, as execve callers append overrides.
 */
const char *env_get(const char *const *env, const char *name);

/*
 * Reads a list such as 0-3,7 (CPUs, memory nodes) into a bit set of bits bits (a multiple of
 * 64).  Blanks around numbers are accepted as the kernel does.  False: not such a list or a
 * number out of range.
 */
bool str_cpulist(const char *s, uint64_t *set, size_t bits);

#endif
