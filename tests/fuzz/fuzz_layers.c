/*
 * Names and the files about layers: the first byte says which.  Whatever comes in, an error, or a
 * value that prints and reads back the same; any name is told and comes back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "specs/change.h"
#include "specs/layer.h"
#include "specs/volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void name(struct arena *a, const char *bytes, size_t size)
{
	size_t len;
	const char *text = change_escape(a, bytes, size);

	for (const char *p = text; *p; p++)
		must((unsigned char)*p >= ' ' && *p != 0x7f);
	const char *back = change_unescape(a, text, &len);
	must(back && len == size && memcmp(back, bytes, size) == 0);
	/* And what looks like a text, read. */
	char *given = arena_strndup(a, bytes, size);
	back = change_unescape(a, given, &len);
	if (back)
		must(strcmp(change_escape(a, back, len), given) == 0);
}

static void layers(struct arena *a, const char *json, size_t size)
{
	struct brig_layers one, two;
	struct err e = {0};
	size_t len, again;

	if (layers_parse(a, json, size, &one, &e) < 0) {
		must(e.code && e.msg[0]);
		return;
	}
	const char *text = layers_print(a, &one, &len);
	must(layers_parse(a, text, len, &two, &e) == 0);
	const char *same = layers_print(a, &two, &again);
	must(len == again && memcmp(text, same, len) == 0);
}

static void volumes(struct arena *a, const char *json, size_t size)
{
	struct brig_volumes one, two;
	struct err e = {0};
	size_t len, again;

	if (volumes_parse(a, json, size, &one, &e) < 0) {
		must(e.code && e.msg[0]);
		return;
	}
	const char *text = volumes_print(a, &one, &len);
	must(volumes_parse(a, text, len, &two, &e) == 0);
	const char *same = volumes_print(a, &two, &again);
	must(len == again && memcmp(text, same, len) == 0);
}

static void annotation(struct arena *a, const char *text, size_t size)
{
	const struct oci_map *map;
	struct err e = {0};
	size_t n;

	if (layer_volumes_parse(a, arena_strndup(a, text, size), &map, &n, &e) < 0)
		must(e.code && e.msg[0]);
}

static void answer(struct arena *a, const char *json, size_t size)
{
	struct brig_changes c;
	struct brig_change one;
	struct err e = {0};

	if (changes_parse(a, json, size, &c, &e) < 0) {
		must(e.code && e.msg[0]);
		return;
	}
	for (size_t i = 0; i < c.n_entries; i++) {
		one = c.entries[i];
		must(change_print(a, &one, NULL) != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(struct arena * a, const char *text, size_t size) = {
		name, layers, volumes, annotation, answer,
	};
	own_arena struct arena a = {0};

	if (size == 0)
		return 0;
	kinds[(unsigned int)(data[0] + 2) % 5](&a, (const char *)data + 1, size - 1);
	return 0;
}
