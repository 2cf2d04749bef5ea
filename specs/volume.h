#ifndef BRIG_SPECS_VOLUME_H
#define BRIG_SPECS_VOLUME_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * <root>/<id>/volumes.json: the writable bind mounts of a sandbox that can be used again, as they
 * were when its shell was made.  Private to brig.
 */
struct brig_volume {
	const char *path, *source; /* in the sandbox; on the host: absolute */
	const char *policy;        /* overlay wipe keep */
	uint64_t dev, ino;         /* of the source */
	uint32_t mode, uid, gid;   /* the same: what wipe gives it back */
	uint32_t flags;            /* those of chattr that its owner may set */
};

struct brig_volumes {
	int32_t v; /* 1 */
	const struct brig_volume *volumes;
	size_t n_volumes;
};

enum { VOLUMES_FILE_MAX = 1 << 20 };

/* Strict: unknown properties and words, paths that are not absolute are errors. */
int volumes_parse(struct arena *a, const char *json, size_t len, struct brig_volumes *out,
		  struct err *e) MUST_CHECK;
char *volumes_print(struct arena *a, const struct brig_volumes *v, size_t *len);

#endif
