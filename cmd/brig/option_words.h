#ifndef BRIG_CMD_OPTION_WORDS_H
#define BRIG_CMD_OPTION_WORDS_H

#include "cmd/brig/options.h"

/* An option that was given, with one of its values as text; NULL: a flag. */
struct given {
	const char *name, *value;
};
/* All of a table that differ from what nobody has given, in the table's order; ended by a NULL
 * name. */
const struct given *options_given(struct arena *a, const struct opt *table, const void *target);

#endif
