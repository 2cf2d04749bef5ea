/* pool: whatever comes in, an error or a value that prints and reads back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "specs/pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct brig_pool first, second;
	size_t len, again;

	if (pool_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = pool_print(&a, &first, &len);
	if (pool_parse(&a, text, len, &second, &e) < 0)
		abort();
	const char *same = pool_print(&a, &second, &again);
	if (len != again || memcmp(text, same, len) != 0)
		abort();
	uint64_t serial;
	const char *id = arena_printf(&a, "%s-%u", first.name, first.max);
	if (!pool_member_id(first.name, id, &serial) || serial != first.max)
		abort();
	return 0;
}
