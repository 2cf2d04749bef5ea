#ifndef BRIG_AUDIT_VERIFY_SEAL_H
#define BRIG_AUDIT_VERIFY_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/verify_chain.h"
#include "base/sha256.h"
#include "specs/audit.h"

/*
 * MACs and epochs of the key.  Without K(0) only the epochs are looked at: they go up by one, from
 * 0, after so many records or seconds as the first record says.
 */
/* Wrong MACs for which the keys of other epochs are tried; epochs that are gone through. */
enum { SEAL_TRIES = 8, SEAL_MOST = 1000 * 1000 };
struct seal {
	struct report *report;
	const uint8_t *first; /* K(0), NULL: not known */
	uint8_t key[SHA256_BYTES];
	uint64_t key_epoch; /* of key */
	bool keyed;         /* a record has named a key */
	bool from_start;    /* the first record of the log has been seen, so everything is known */
	unsigned int tries;
	uint64_t newest;         /* epoch of the last record there is */
	uint64_t epoch, records; /* that holds, plus 1 (0: none yet), and what was seen of it */
	uint64_t start;          /* of its first record, microseconds since 1970 */
	bool late;               /* that it lasts too long has been told */
	uint64_t max_records, max_seconds;
	struct audit_verdict *out;
};
void seal_begin(struct seal *s, struct report *report, struct audit_verdict *out,
		const uint8_t *key);
void seal_end(struct seal *s);
/* A log's first record; 0: as brig has them. */
void seal_restart(struct seal *s, uint64_t max_records, uint64_t max_seconds);
/* A record names the key: "sha256:..." of K(0). */
void seal_named(struct seal *s, const struct point *p, const char *digest);
/* The MAC of one line: what is wrong goes into p, to be told by the chain. */
void seal_check(struct seal *s, const char *line, size_t len, const struct audit_record *r,
		struct point *p);
/* p stands in its place behind before. */
void seal_follow(struct seal *s, const struct point *before, const struct point *p);
/* The log has ended. */
void seal_done(struct seal *s);

#endif
