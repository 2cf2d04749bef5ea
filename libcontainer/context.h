#ifndef BRIG_CONTEXT_H
#define BRIG_CONTEXT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

/*
 * Whose request a sandbox, or one more process in it, is: --ctx of the caller, or the annotations
 * dev.brig.ctx.* of config.json.  Where both say something the caller's holds, for it is more
 * trusted than who wrote the bundle; a warning tells where they differ.
 */
struct context {
	const char *request;   /* printable, at most CONTEXT_MAX bytes; NULL: not given */
	const char *principal; /* sha256:HEX of what was given, which is kept nowhere; NULL */
};
enum { CONTEXT_MAX = 256 };

/* Of --ctx, as given; NULL: not. */
int context_of(struct arena *a, const char *request, const char *principal, struct context *out,
	       struct err *e) MUST_CHECK;
/*
 * Beside it what the annotations say.  The annotation of a principal is replaced by its hash in c,
 * before anything of it is written anywhere; *changed: that was so.
 */
int context_annotations(struct arena *a, struct oci_config *c, struct context *io, bool *changed,
			struct err *e) MUST_CHECK;

#endif
