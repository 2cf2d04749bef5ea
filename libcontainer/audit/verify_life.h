#ifndef BRIG_AUDIT_VERIFY_LIFE_H
#define BRIG_AUDIT_VERIFY_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/verify_report.h"
#include "base/arena.h"
#include "specs/audit.h"

/*
 * Sandboxes whose beginning was seen and whose end was not.  Memory grows with how many live at the
 * same time, up to LIFE_MOST: further ones are only counted.
 */
enum { LIFE_MOST = 1 << 16, LIFE_BUCKETS = 4096, LIFE_ID = 256, LIFE_ROOT = 128 };
struct life {
	char id[LIFE_ID], boot[40], root[LIFE_ROOT];
	uint64_t generation, seq, line;
	const char *file;
	uint32_t next; /* index plus 1; 0: the last one of its bucket, or of the free ones */
};
struct lives {
	struct report *report;
	struct audit_verdict *out;
	struct arena *arena;
	uint32_t buckets[LIFE_BUCKETS], free;
	struct life *rows;
	size_t n, room;
};
void lives_begin(struct lives *l, struct report *report, struct audit_verdict *out,
		 struct arena *a);
/*
 * placed: it stands where it should; else only an end is believed, lest a copy begins a life anew.
 * root: the state root that its data names, NULL.
 */
void lives_see(struct lives *l, const struct audit_record *r, uint64_t line, bool placed,
	       const char *root);
/* Records are missing, nobody knows how many: ends may have been among them. */
void lives_forget(struct lives *l);
/* The log has ended: asks for each one that is left. */
void lives_done(struct lives *l, const char *last_boot);

#endif
