#ifndef BRIG_SPECS_CHANGE_H
#define BRIG_SPECS_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * What a generation has written, as diff, collect and commit tell it.  docs/layers.md
 *
 * Names are the sandbox's: any bytes but NUL and '/'.  A path is told escaped: a backslash as two,
 * and as \xHH each byte that is a control character (C0, DEL, C1), of what turns the direction of
 * text or ends a line (U+200E, U+200F, U+2028 .. U+202E, U+2066 .. U+2069), or is not UTF-8.  It is
 * printable UTF-8 then, in JSON and on a terminal, no two names are told alike, and printf '%b' has
 * the bytes again.
 */
char *change_escape(struct arena *a, const char *bytes, size_t len);
/* Back; NULL: it is not what change_escape gives.  Terminated, *len is without that. */
char *change_unescape(struct arena *a, const char *text, size_t *len);

/* One entry; what is not known or does not apply is 0 and NULL. */
struct brig_change {
	const char *op;   /* added changed deleted */
	const char *type; /* file directory symlink fifo socket char block; deleted: unknown, too */
	const char *path; /* as the program saw it, escaped */
	const char *mode; /* four octal digits; deleted: NULL */
	uint64_t size;    /* of a file, its holes too */
	const char *sha256; /* of a file, 64 digits, where asked for; NULL */
	const char *target; /* of a symlink, escaped */
};
extern const char *const change_ops[];   /* NULL-terminated */
extern const char *const change_types[]; /* the same */
/* The word for the type of st_mode. */
const char *change_type_of(uint32_t st_mode);

struct brig_change_sums {
	uint64_t added, changed, deleted;
	uint64_t bytes;      /* of files added and changed, their holes too */
	uint64_t executable; /* of those, files that anybody may execute */
	uint64_t special;    /* fifos, sockets, devices */
	uint64_t setid;      /* files with a setuid or setgid bit */
	bool truncated; /* there is more: the most that was asked for, or can be, was counted */
};

/* One writable place. */
struct brig_change_layer {
	const char *path;   /* in the sandbox */
	const char *kind;   /* tmpfs overlay */
	const char *source; /* of an overlay: the directory of the host; NULL */
};

/* The whole answer of `diff --format json`. */
struct brig_changes {
	int32_t v; /* 1 */
	const char *id;
	uint64_t generation;
	const char *status; /* created running paused stopped */
	const struct brig_change_layer *layers;
	size_t n_layers;
	const struct brig_change *entries;
	size_t n_entries;
	struct brig_change_sums changes;
	const char *error; /* the entries end early because of it; NULL */
};

enum { CHANGES_MAX_BYTES = 256 << 20 };

/* Strict: unknown properties and words, paths that are not escaped so, are errors. */
int changes_parse(struct arena *a, const char *json, size_t len, struct brig_changes *out,
		  struct err *e) MUST_CHECK;
/* One entry as a JSON object, one line without its end. */
char *change_print(struct arena *a, const struct brig_change *c, size_t *len);
char *change_sums_print(struct arena *a, const struct brig_change_sums *s, size_t *len);
char *change_layers_print(struct arena *a, const struct brig_change_layer *l, size_t n,
			  size_t *len);

#endif
