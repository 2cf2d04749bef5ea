#ifndef BRIG_GUARD_LEVEL_FILTER_DATA_H
#define BRIG_GUARD_LEVEL_FILTER_DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "guard/level_filter.h"

/* What brig-levelc wrote when brig was built, for the architecture it is built for. */
struct level_language {
	const char *name;
	bool mdwe;
};

extern const struct level_filter level_filters[];
extern const size_t level_filters_count;
extern const struct level_language level_languages[];
extern const size_t level_languages_count;
extern const char *const level_language_names[];
/* Names of system calls one behind the other, and where each number's begins (0: none). */
extern const char level_filter_names[];
extern const unsigned short level_filter_name_at[];
extern const size_t level_filter_name_count;

#endif
