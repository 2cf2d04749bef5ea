#ifndef BRIG_LAYERS_VERBS_H
#define BRIG_LAYERS_VERBS_H

#include "container.h"
#include "layers_open.h"
#include "specs/state.h"
#include "status.h"

/* What diff, collect, commit and discard share. */
struct layers_call {
	const char *id;
	struct arena *arena;
	int dir; /* state directory, locked until layers_call_unlock */
	struct brig_state state;
	enum status status;
	struct layers layers;
	enum container_answer answer;
};

/* Only by the host's root.  The lock keeps a reset away; what is open stays readable without it. */
int layers_call_begin(const struct container_host *h, const char *id, struct arena *a,
		      struct layers_call *out, struct err *e) MUST_CHECK;
void layers_call_end(struct layers_call *c);

#endif
