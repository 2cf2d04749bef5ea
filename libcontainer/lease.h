#ifndef BRIG_LEASE_H
#define BRIG_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "specs/lease.h"
#include "specs/state.h"

/*
 * Leases: who may use a sandbox that can be used again, and until when (docs/pools.md).  The file
 * is specs/lease.h; it is written by who holds the sandbox's lock.
 */
#define LEASE_FILE "lease.json"

/* A new token, as digits; it is written down nowhere. */
struct lease_token {
	char text[LEASE_TOKEN_DIGITS + 1];
};
int lease_token(struct lease_token *out, struct err *e) MUST_CHECK;

/* Nobody ever had one: v is 0.  An error names the file. */
int lease_read(struct arena *a, int dir, struct brig_lease *out, struct err *e) MUST_CHECK;
int lease_write(int dir, const struct brig_lease *l, struct err *e) MUST_CHECK;
/* Nanoseconds from now on; 0: it is not valid (any more). */
uint64_t lease_valid_ns(const struct brig_lease *l);
/* Whose text is token. */
bool lease_is_of(const struct brig_lease *l, const char *token);

/* For ttl_ms from now on. */
struct lease_wish {
	const char *key, *holder; /* NULL: not said */
	uint64_t ttl_ms;
};
int lease_check_wish(const struct lease_wish *w, struct err *e) MUST_CHECK;
/* Gives generation to who has the token; locked.  audited: its state, where the log is told of it;
 * NULL. */
int lease_give(int dir, const struct lease_wish *w, const char *token, uint64_t generation,
	       const struct brig_state *audited, struct err *e) MUST_CHECK;
/* Gives it back; spent: and nobody gets it any more.  Locked; generation: the sandbox's. */
int lease_drop(struct arena *a, int dir, uint64_t generation, bool spent, struct err *e) MUST_CHECK;

/*
 * Whether the caller (h->lease) may start, execute, reset or grant in the sandbox of that state
 * directory, stop it for a while, or have what it wrote.  While a lease is valid: who has its
 * token.  Else anybody who may otherwise; but members of pools are used by lease only, and an
 * explicit token is not taken for nothing. -ENOKEY, -EKEYEXPIRED: not, *answer is
 * ANSWER_NOT_ALLOWED; answer may be NULL.
 */
enum lease_use {
	LEASE_TO_USE,   /* start exec grant: its generation */
	LEASE_TO_RESET, /* a member without a lease may be reset: nobody uses it */
	LEASE_TO_TEND   /* diff collect commit discard pause resume delete: so, too */
};
int lease_check(const struct container_host *h, int dir, const struct brig_state *s,
		enum lease_use use, enum container_answer *answer, struct err *e) MUST_CHECK;
/* Whether e says that lease_check refused: verbs without an answer. */
bool lease_refused(const struct err *e);
/* reset, under a valid lease: the holder has the next generation, too.  Before it is made. */
int lease_carry(struct arena *a, int dir, uint64_t generation, struct err *e) MUST_CHECK;

/* --- the verbs `lease renew` and `lease release`; acquire is in pools.h -------------------- */

struct container_lease {
	const char *id;
	uint64_t generation;
	const char *token;   /* of acquire; NULL */
	const char *expires; /* RFC 3339, UTC, by the clock of now */
	uint64_t expires_ms; /* from now */
};
/* Moves the end of h->lease's lease to ttl_ms from now; never to an earlier time. */
int container_lease_renew(const struct container_host *h, const char *id, uint64_t ttl_ms,
			  struct arena *a, struct container_lease *out,
			  enum container_answer *answer, struct err *e) MUST_CHECK;
/*
 * Ends what runs, and resets it: *report as of container_reset.  defer: leaves the reset to
 * `pool ensure` or the next acquire; report->v is 0 then.
 */
struct brig_report;
int container_lease_release(const struct container_host *h, const char *id, bool defer,
			    struct arena *a, struct brig_report *report,
			    enum container_answer *answer, struct err *e) MUST_CHECK;

#endif
