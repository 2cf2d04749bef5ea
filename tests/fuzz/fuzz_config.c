/* config.json: whatever comes in, an error or a value that prints and reads back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "specs/json_print.h"
#include "specs/runtime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(struct arena *a, const struct oci_config *v, size_t *len)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_print_type(&o, oci_config_type(), v);
	return json_done(&o, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct oci_config first, second;
	size_t len, again;

	if (oci_config_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = print(&a, &first, &len);
	if (oci_config_parse(&a, text, len, &second, &e) < 0)
		abort();
	const char *same = print(&a, &second, &again);
	if (len != again || memcmp(text, same, len) != 0)
		abort();
	return 0;
}
