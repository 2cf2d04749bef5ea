/* learned.json: an error, or what prints and reads back the same; and paths that are folded. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "learn_paths.h"
#include "specs/learned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each line is a path: nothing is lost, nothing is told twice. */
static void fold(struct arena *a, const char *text, size_t size)
{
	const struct learned_path *rows;
	struct learn_paths p;
	uint64_t added = 0, told = 0;
	size_t n;

	learn_paths_init(&p, a);
	for (size_t at = 0; at < size;) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t len = end ? (size_t)(end - text) - at : size - at;

		if (learn_paths_add(&p, arena_strndup(a, text + at, len), LEARN_READ))
			added++;
		at += len + 1;
	}
	learn_paths_fold(a, &p, LEARN_READ, &rows, &n);
	for (size_t i = 0; i < n; i++)
		told += rows[i].count;
	if (told != added || n > p.n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct brig_learned first, second;
	size_t len, again;

	fold(&a, (const char *)data, size);
	if (learned_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = learned_print(&a, &first, &len);
	if (learned_parse(&a, text, len, &second, &e) < 0)
		abort();
	const char *same = learned_print(&a, &second, &again);
	if (len != again || memcmp(text, same, len) != 0)
		abort();
	return 0;
}
