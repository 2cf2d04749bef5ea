/* result.json: whatever comes in, an error or a value that prints and reads back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "specs/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct brig_result first, second;
	size_t len, again;

	if (result_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = result_print(&a, &first, &len);
	if (result_parse(&a, text, len, &second, &e) < 0)
		abort();
	const char *same = result_print(&a, &second, &again);
	if (len != again || memcmp(text, same, len) != 0)
		abort();
	/* Lines of key:value and nothing else, whatever the texts are. */
	const char *meta = result_print_isolate(&a, &first, &len);
	if (strlen(meta) != len || (len && meta[len - 1] != '\n'))
		abort();
	for (const char *line = meta; *line; line = strchr(line, '\n') + 1)
		if (line[strcspn(line, ":\n")] != ':')
			abort();
	return 0;
}
