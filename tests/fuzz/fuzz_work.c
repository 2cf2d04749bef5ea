/* Late work: as JSON an error or a value that survives both forms; as bytes never read beyond. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "specs/work.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bytes(struct arena *a, const uint8_t *data, size_t size)
{
	struct brig_work w;
	struct err e = {0};
	size_t len;

	if (work_unpack(a, (const char *)data, size, &w, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return;
	}
	const char *again = work_pack(a, &w, &len);
	if (len != size || memcmp(again, data, len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct brig_work first, second;
	size_t len;

	check_bytes(&a, data, size);
	if (work_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = work_print(&a, &first, NULL);
	if (!first.cwd)
		first.cwd = "/";
	const char *bytes = work_pack(&a, &first, &len);
	if (work_unpack(&a, bytes, len, &second, &e) < 0)
		abort();
	if (!strstr(text, "\"cwd\""))
		second.cwd = NULL;
	if (strcmp(work_print(&a, &second, NULL), text) != 0)
		abort();
	return 0;
}
