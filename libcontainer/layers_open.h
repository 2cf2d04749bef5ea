#ifndef BRIG_LAYERS_OPEN_H
#define BRIG_LAYERS_OPEN_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "fs/diff.h"
#include "specs/layer.h"
#include "specs/state.h"
#include "warden/warden.h"

/* The layers of a generation, open, for those who read them. */
struct layers {
	struct fs_layer list[WARDEN_LAYERS];
	const struct brig_layer *names;
	size_t n;
};

/*
 * As its warden holds them; the lower ones of volumes by their paths, which must be what was
 * mounted.  -ENODATA, -ESTALE: see layers_diff.
 */
int layers_open(struct arena *a, int dir, const struct brig_state *s, struct layers *out,
		struct err *e) MUST_CHECK;
void layers_close(struct layers *l);
/* In the arena; NULL: there are none, or they cannot be opened (a debug message). */
struct layers *layers_if_kept(struct arena *a, int dir, const struct brig_state *s);

/* The layer that an absolute path of the sandbox lies in, and the rest of it ("": the layer);
 * NULL: none. */
const struct brig_layer *layers_find(const struct layers *l, const char *path, const char **rest);

/* layers_diff of what is open. */
struct layers_query;
struct brig_change_sums;
int layers_tell(struct layers *l, const struct layers_query *q, struct brig_change_sums *out,
		struct err *e) MUST_CHECK;

#endif
