/* A flow record, as a warden gets it from a resolver: an error, or one that prints and reads back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "specs/flow.h"
#include "warden/warden.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct brig_flow first, second;
	struct err e = {0};
	size_t len, same;

	if (flow_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = flow_print(&a, &first, &len);
	/* What is not UTF-8 becomes longer. */
	if (len > FLOW_MAX_BYTES)
		return 0;
	if (flow_parse(&a, text, len, &second, &e) < 0 ||
	    warden_flow_refused(&first) != warden_flow_refused(&second))
		abort();
	const char *again = flow_print(&a, &second, &same);
	if (same != len || memcmp(text, again, len) != 0)
		abort();
	return 0;
}
