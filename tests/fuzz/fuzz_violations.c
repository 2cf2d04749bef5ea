/* The file "violations": an error, or rows that print and read back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "specs/violation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct brig_violation *rows, *again;
	struct err e = {0};
	size_t n, m, len, same;

	if (violations_parse(&a, (const char *)data, size, &rows, &n, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = violations_print(&a, rows, n, &len);
	/* What was read has room, whatever it looked like. */
	if (violations_parse(&a, text, len, &again, &m, &e) < 0 || m != n)
		abort();
	const char *second = violations_print(&a, again, m, &same);
	if (same != len || memcmp(text, second, len) != 0)
		abort();
	for (size_t i = 0; i < n; i++)
		for (const char *c = rows[i].name; c && *c; c++)
			if (*c < ' ' || *c > '~')
				abort();
	return 0;
}
