/* lease: whatever comes in, an error or a value that prints and reads back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "specs/lease.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct brig_lease first, second;
	size_t len, again;

	if (lease_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = lease_print(&a, &first, &len);
	if (lease_parse(&a, text, len, &second, &e) < 0)
		abort();
	const char *same = lease_print(&a, &second, &again);
	if (len != again || memcmp(text, same, len) != 0)
		abort();
	/* Nobody has a lease that was given back, nor one for longer than it lasts. */
	uint64_t left = lease_left_ns(&first, first.acquired_ns, NULL);
	if (left > first.expires_ns || (left && (!first.token || first.spent)))
		abort();
	return 0;
}
