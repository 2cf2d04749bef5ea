/* The file "network": whatever comes in, an error or a value that prints and reads back the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "specs/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct brig_network first, second;
	size_t len, again;

	if (network_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = network_print(&a, &first, &len);
	if (network_parse(&a, text, len, &second, &e) < 0)
		abort();
	const char *same = network_print(&a, &second, &again);
	if (len != again || memcmp(text, same, len) != 0)
		abort();
	return 0;
}
