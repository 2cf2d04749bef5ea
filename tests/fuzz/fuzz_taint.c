/* The file "taint": whatever comes in, an error or a value that prints and reads back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "specs/violation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct brig_taints first, second;
	size_t len, again;

	if (taints_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	if (first.n_rows > TAINT_ROWS || !first.cleared != !first.cleared_reason)
		abort();
	const char *text = taints_print(&a, &first, &len);
	if (len > TAINT_MAX_BYTES || taints_parse(&a, text, len, &second, &e) < 0)
		abort();
	const char *same = taints_print(&a, &second, &again);
	if (len != again || memcmp(text, same, len) != 0)
		abort();
	/* One line, and nothing that moves a cursor. */
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			abort();
	return 0;
}
