#ifndef BRIG_SPECS_LEASE_H
#define BRIG_SPECS_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * <root>/<id>/lease.json: who has a sandbox that can be used again, or had it last.  It is written
 * by rename, under the sandbox's lock, and read by its warden without one.  It belongs to the
 * shell: a reset keeps it.  No file: nobody ever had it.
 *
 * A sandbox is free when no lease is valid; it is clean when its generation is above that of the
 * last lease.  So nothing else has to be written, and nothing can disagree.
 */
struct brig_lease {
	int32_t v;           /* 1 */
	const char *token;   /* sha256 of what its holder has, 64 digits; NULL: given back */
	const char *holder;  /* what the holder called itself; NULL */
	const char *key;     /* whom it was used for; NULL: nobody said */
	uint64_t generation; /* the last one that it was given for */
	uint64_t acquired_ns, expires_ns; /* CLOCK_BOOTTIME */
	const char *boot_id;              /* of which boot that is */
	uint64_t ttl_ms;                  /* as asked for last */
	bool spent; /* nobody gets it any more: whoever comes next deletes the sandbox */
};

enum {
	LEASE_MAX_BYTES = 8 << 10,
	LEASE_WORD_MAX = 256,   /* of holder and key */
	LEASE_TOKEN_DIGITS = 32 /* 128 random bits */
};
/* A year: a lease is for work, not for ever. */
#define LEASE_TTL_MAX_MS (UINT64_C(366) * 24 * 3600 * 1000)

/* Strict: unknown properties, times that contradict each other are errors with their path. */
int lease_parse(struct arena *a, const char *json, size_t len, struct brig_lease *out,
		struct err *e) MUST_CHECK;
/* One line without its end. */
char *lease_print(struct arena *a, const struct brig_lease *l, size_t *len);

/* Nanoseconds that it holds from now_ns (CLOCK_BOOTTIME) on; 0: it does not. */
uint64_t lease_left_ns(const struct brig_lease *l, uint64_t now_ns, const char *boot_id);
/* holder and key: 1 to LEASE_WORD_MAX bytes without blanks and control characters; NULL is fine. */
int lease_check_word(const char *name, const char *word, struct err *e) MUST_CHECK;

#endif
