#ifndef BRIG_SPECS_LAYER_H
#define BRIG_SPECS_LAYER_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * <root>/<id>/layers.json: the writable places of one generation, and what was in them before
 * anything ran; in the order in which the warden holds them.  Private to brig.
 */
struct brig_layer_entry {
	const char *path; /* below the layer, escaped as specs/change.h says; "." is the layer */
	uint64_t ino;
	int64_t ctime_ns;
	uint32_t mode, uid, gid; /* mode with its type */
};

struct brig_layer {
	const char *path;   /* in the sandbox, absolute */
	const char *kind;   /* tmpfs overlay */
	const char *source; /* overlay: the host's directory, absolute; NULL */
	uint64_t dev, ino;  /* overlay: of that */
	int64_t since_ns;   /* overlay: the kernel's coarse clock, before it was made */
	const struct brig_layer_entry *entries; /* tmpfs */
	size_t n_entries;
};

struct brig_layers {
	int32_t v; /* 1 */
	const struct brig_layer *layers;
	size_t n_layers;
};

enum { LAYERS_MAX_BYTES = 8 << 20 };

/* Strict: unknown properties, words and paths that lead elsewhere are errors. */
int layers_parse(struct arena *a, const char *json, size_t len, struct brig_layers *out,
		 struct err *e) MUST_CHECK;
/* One line without its end. */
char *layers_print(struct arena *a, const struct brig_layers *l, size_t *len);

/* {"DEST": "POLICY", ...}, the annotation's text; words are not judged. */
struct oci_map;
enum { VOLUMES_MAX_BYTES = 64 << 10 };
int layer_volumes_parse(struct arena *a, const char *text, const struct oci_map **out, size_t *n,
			struct err *e) MUST_CHECK;

#endif
