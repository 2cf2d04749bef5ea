#ifndef BRIG_PLAN_LAYERS_H
#define BRIG_PLAN_LAYERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "specs/runtime.h"

/*
 * What becomes of what a sandbox writes: whether its layers are kept beyond its end, and the policy
 * of each writable bind mount of one that can be used again.  docs/layers.md
 */
enum volume_policy {
	VOLUME_REFUSE,  /* it is not made; what nothing was said of */
	VOLUME_OVERLAY, /* the generation writes to an upper of its own, the host's stays as it is
			 */
	VOLUME_WIPE,    /* emptied by reset */
	VOLUME_KEEP,    /* stays; reset says so */
};
extern const char *const volume_policies[]; /* by policy, NULL-terminated */

struct plan_volume {
	const char *path;   /* destination, as in config.json but clean */
	const char *source; /* absolute */
	size_t index;       /* in config.mounts */
	enum volume_policy policy;
};

struct plan_layers {
	bool asked; /* something of it was, which needs reuse */
	bool keep;
	bool dry; /* run --dry-run: each of them is an overlay */
	const struct plan_volume *volumes;
	size_t n_volumes;
};

struct plan;
/* From options and annotations; p->config is planned as far as its mounts. */
int plan_layers(struct arena *a, const struct container_create_opts *o, struct plan *p,
		struct err *e) MUST_CHECK;
/* Whether an annotation is one of these: what it says is read by plan_layers. */
bool plan_layers_knows(const char *annotation);
/* The volume of a mount of the config; NULL: it is none. */
const struct plan_volume *plan_layers_volume(const struct plan_layers *l, size_t index);
/* Indexes of those that are overlays. */
const size_t *plan_layers_overlays(struct arena *a, const struct plan_layers *l, size_t *n);

#endif
