#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/pin.h"

/* A file of the CPU reservations: what is taken is whole and can be written again. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct pin_entry entry, again;
	char *text = arena_new(&a, size + 1);

	if (size)
		memcpy(text, data, size);
	if (!pin_entry_parse(text, size, &entry))
		return 0;
	char *list = arena_printf(&a, "%s\n%s\n", entry.user, cpu_list(&a, &entry.cpus));
	if (!pin_entry_parse(list, strlen(list), &again) || strcmp(again.user, entry.user) != 0 ||
	    memcmp(&again.cpus, &entry.cpus, sizeof(again.cpus)) != 0)
		abort();
	return 0;
}
