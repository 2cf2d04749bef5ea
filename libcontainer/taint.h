#ifndef BRIG_TAINT_H
#define BRIG_TAINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/result.h"
#include "specs/violation.h"

/*
 * Whether a sandbox can be taken for what it was: whoever asks, asks here (docs/results.md, Taint).
 * It cannot when somebody said so (the file "taint"), or when it tried what taints (the file
 * "violations", or "ended" where that is all there is) and nobody took that back since.
 */
struct taint {
	const struct taint_row *rows;
	size_t n;            /* 0: it is not tainted */
	const char *cleared; /* by untaint; NULL: never */
};

/* A file that is there and cannot be read is a taint of class "unreadable": never less. */
void taint_of(struct arena *a, int dir, struct taint *out);
/*
 * The same for one that has ended, with what its result alone knows (at standard the kernel ended
 * it for a call), and r->taint made to be what holds now.
 */
void taint_of_result(struct arena *a, int dir, struct brig_result *r, struct taint *out);
/* class or class:name, each once; *n 0: none. */
const char *const *taint_words(struct arena *a, const struct taint *t, size_t *n);

/* The file alone; absent: nothing in it. */
int taint_load(struct arena *a, int dir, struct brig_taints *out, struct err *e) MUST_CHECK;

#endif
