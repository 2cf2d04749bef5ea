/* report: whatever comes in, an error or a value that prints and reads back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "specs/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(struct arena *a, const struct brig_report *v, size_t *len)
{
	return report_print(a, v, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct brig_report first, second;
	size_t len, again;

	if (report_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = print(&a, &first, &len);
	if (report_parse(&a, text, len, &second, &e) < 0)
		abort();
	const char *same = print(&a, &second, &again);
	if (len != again || memcmp(text, same, len) != 0)
		abort();
	return 0;
}
