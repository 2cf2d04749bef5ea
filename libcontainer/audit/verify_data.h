#ifndef BRIG_AUDIT_VERIFY_DATA_H
#define BRIG_AUDIT_VERIFY_DATA_H

#include <stdint.h>

#include "base/arena.h"
#include "specs/audit.h"

/* The data of the log's own records, LogOpened LogRotated LogRepaired LogKeyed, and of
 * SandboxCreated: what is absent or not as it should be is NULL or 0. */
struct audit_place_lost {
	uint64_t seq;
	const char *hash;
};
struct audit_log_data {
	const char *log, *key, *file;
	const char *root; /* SandboxCreated: the state root */
	uint64_t epoch_records, epoch_seconds;
	uint64_t bytes;
	const char *sha256;
	uint64_t expected_seq, found_seq;
	const char *expected_hash;
	const struct audit_place_lost *lost;
};
void audit_log_data(struct arena *a, const struct audit_record *r, struct audit_log_data *out);

/* Microseconds since 1970 of the form that records have; 0: not of it. */
uint64_t audit_time(const char *ts);

#endif
