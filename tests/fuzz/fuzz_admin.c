/* brig.json: an error, or what the reader promises of it. */
#include <stdint.h>
#include <stdlib.h>

#include "specs/admin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct admin ad;

	if (admin_parse(&a, (const char *)data, size, &ad, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	if (ad.v != 1 || !ad.levels || *ad.levels != '/' || !ad.ids.directory ||
	    *ad.ids.directory != '/' || ad.ids.first < 65536 || ad.ids.count < 65536 ||
	    (uint64_t)ad.ids.first + ad.ids.count > UINT32_MAX || !ad.ids.quarantine)
		abort();
	for (size_t i = 0; i < ad.n_hooks_allowed; i++)
		if (*ad.hooks_allowed[i] != '/')
			abort();
	return 0;
}
