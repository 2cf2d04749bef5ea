/*
 * Slot files of the id pool: what is accepted prints as it was read, has a user or a time, and
 * names survive escaping.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ns/idpool_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void accepted(struct arena *a, const struct idpool_file *f)
{
	struct idpool_file again;
	size_t len;
	const char *text = idpool_file_print(a, f, &len);

	if (f->free == (f->n_users != 0))
		abort();
	if (!idpool_file_parse(a, text, len, &again) || strcmp(again.key, f->key) != 0 ||
	    again.n_users != f->n_users || again.free != f->free || again.since != f->since)
		abort();
	for (size_t i = 0; i < f->n_users; i++)
		if (strcmp(again.users[i], f->users[i]) != 0 || f->users[i][0] != '/')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct idpool_file f;
	char *name = arena_strndup(&a, (const char *)data, size);
	char *escaped = idpool_escape(&a, name, "/");

	if (strpbrk(escaped, "/\n") || strcmp(idpool_unescape(&a, escaped), name) != 0)
		abort();
	if (idpool_file_parse(&a, (const char *)data, size, &f))
		accepted(&a, &f);
	arena_free(&a);
	return 0;
}
