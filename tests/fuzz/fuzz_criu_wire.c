#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "criu/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH = 8 };

/* Every field, and every string as if it were a message: reads must stay within the bytes given. */
static unsigned int walk(struct wire_in in, int depth)
{
	struct wire_field f;
	unsigned int sum = 0;

	while (wire_next(&in, &f) == 1) {
		sum += f.number;
		for (size_t i = 0; i < f.len; i++)
			sum += f.data[i];
		if (f.data && depth < DEPTH)
			sum += walk(wire_enter(&f), depth + 1);
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly that size: the sanitizer sees each byte beyond it. */
	unsigned char *copy = malloc(size ? size : 1);

	if (!copy)
		return 0;
	for (size_t i = 0; i < size; i++)
		copy[i] = data[i];
	volatile unsigned int sink = walk((struct wire_in){copy, copy + size}, 0);
	(void)sink;
	free(copy);
	return 0;
}
