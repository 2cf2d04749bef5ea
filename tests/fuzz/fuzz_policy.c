/* policy.json: an error, or one that prints and reads back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct policy first, second;
	size_t len, again;

	if (policy_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = policy_print(&a, &first, &len);
	if (policy_parse(&a, text, len, &second, &e) < 0)
		abort();
	const char *same = policy_print(&a, &second, &again);
	if (len != again || memcmp(text, same, len) != 0)
		abort();
	return 0;
}
