#ifndef BRIG_RESULT_TARGET_H
#define BRIG_RESULT_TARGET_H

#include <stdbool.h>

#include "base/err.h"
#include "specs/result.h"

/*
 * Where `run --result` writes.  A plain file, also one that is not there yet, is replaced by
 * rename when the program has ended; what is none (a device, a pipe, a symbolic link) is opened
 * before the start and written to.  What cannot be written is refused before the start.
 */
struct result_target {
	bool isolate;
	int dir;          /* of a plain file; -1 */
	const char *name; /* in dir */
	int fd;           /* else; -1 */
};
#define RESULT_TARGET_NONE ((struct result_target){.dir = -1, .fd = -1})

/* where: an absolute path, which must live as long as the target, or "-" for standard output. */
int result_target_open(const char *where, bool isolate, struct result_target *out,
		       struct err *e) MUST_CHECK;
int result_target_write(const struct result_target *t, const struct brig_result *r,
			struct err *e) MUST_CHECK;
void result_target_close(struct result_target *t);

#endif
