#ifndef BRIG_AUDIT_VERIFY_H
#define BRIG_AUDIT_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/arena.h"
#include "base/err.h"
#include "specs/audit_verdict.h"

/* A sandbox that was made according to the log, and whose end is not in it. */
struct audit_life {
	const char *id, *boot;
	const char *root; /* state root, NULL: the record does not tell */
	uint64_t generation, seq;
};

struct audit_verify {
	const char *path;
	const struct audit_head *heads; /* kept elsewhere, any order */
	size_t n_heads;
	const uint8_t *key; /* K(0), 32 bytes; NULL: MACs are not looked at */
	/* called for each finding, in the order of lines; more than `most` are only counted */
	void (*found)(void *ctx, const struct audit_finding *f);
	void *ctx;
	size_t most;
	/* Whether it still lives.  NULL: ends are not looked for. */
	bool (*lives)(void *ctx, const struct audit_life *l);
};

/*
 * Whether a log is what was written: all its files, line by line, in constant memory, up to where
 * the log ended when it was called: writers may go on meanwhile.  Damage is no error: the error is
 * that it could not be read.
 */
int audit_verify(struct arena *a, const struct audit_verify *v, struct audit_verdict *out,
		 struct err *e) MUST_CHECK;

#endif
