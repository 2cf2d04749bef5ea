/* A level's file: an error, or a level that prints and reads back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/rank.h"
#include "specs/level.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct level first, second;
	size_t len, again;

	if (level_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < n_level_fields; i++) {
		const struct level_field *f = &level_fields[i];

		if (level_field_check(f, &first, &e) < 0 && !e.msg[0])
			abort();
		/* nothing is weaker than itself, and everything is the same as itself */
		if (level_field_weaker(&a, f, &first, &first) ||
		    !level_field_same(f, &first, &first) || !level_field_text(&a, f, &first))
			abort();
	}
	const char *text = level_print(&a, &first, &len);
	if (level_parse(&a, text, len, &second, &e) < 0)
		abort();
	const char *same = level_print(&a, &second, &again);
	if (len != again || memcmp(text, same, len) != 0)
		abort();
	return 0;
}
