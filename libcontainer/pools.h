#ifndef BRIG_POOLS_H
#define BRIG_POOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "lease.h"
#include "specs/pool.h"

/*
 * Pools of parked sandboxes, without a daemon (docs/pools.md): what `pool` and `lease acquire`
 * call. Any number of callers on one node may do so at once.
 */
enum pool_condition {
	POOL_READY,     /* parked, clean, nobody has it */
	POOL_LEASED,    /* somebody has it, nothing runs */
	POOL_RUNNING,   /* somebody has it, its program runs or has run */
	POOL_USED,      /* nobody has it any more: to be reset */
	POOL_RESETTING, /* somebody works on it, or was killed while resetting it */
	POOL_TAINTED,   /* and these are deleted: */
	POOL_RETIRED,   /* too old, used too often, or spent */
	POOL_HALF_MADE, /* its maker was killed */
	POOL_DAMAGED,   /* a file of it cannot be believed */
	POOL_BUSY,      /* being made now */
	POOL_GONE,
	POOL_CONDITIONS
};
/* ready leased running used resetting tainted retired half-made damaged making gone */
extern const char *const pool_conditions[];

struct pool_member {
	const char *id;
	uint64_t serial;
	enum pool_condition condition;
	const char *why;           /* damaged, retired: in words; NULL */
	uint64_t generation, uses; /* 0: not known */
	const char *key, *holder;  /* of its lease, or its last one; NULL */
	bool had_lease;            /* it has a lease, or had one: the key counts */
	bool has_lease;            /* and it was not given back, though it may have run out */
	uint64_t lease_ms;         /* that it holds; 0: none */
	uint64_t lease_ns;         /* CLOCK_BOOTTIME: when it was given */
	uint64_t parked_ms;        /* ready: for so long */
	const struct brig_state *audited; /* what the log is told it by; NULL: there is none */
};

struct pool_status {
	struct brig_pool pool;
	const struct pool_member *members; /* by serial */
	size_t n_members;
	size_t count[POOL_CONDITIONS];
};

/* What is asked for; NULL: as it is written, or the default. */
struct container_pool_wish {
	const char *name;
	const uint64_t *min, *max; /* max NULL: min, at least 1 */
	const uint64_t *shrink_ms; /* 0: no bound */
	const char *evidence;      /* absolute */
	/* What members are made from: bundle, level, seccomp and what only create has, but not
	 * reuse, reuse_key and pool.  NULL, false and n 0: as it is written, bounds 0: none,
	 * network: all of it is said anew. */
	struct container_create_opts member;
};
/*
 * Makes a pool (bundle is needed then) or changes it, rolls forward what others left, deletes what
 * is not to be used again, and makes members until min are parked.  With min it ends a draining.
 * What could not be made is an error, but all else is done first; *out is then filled, too
 * (pool.v 0: it is not).
 */
int container_pool_ensure(const struct container_host *h, const struct container_pool_wish *w,
			  struct arena *a, struct pool_status *out, enum container_answer *answer,
			  struct err *e) MUST_CHECK;
int container_pool_status(const struct container_host *h, const char *name, struct arena *a,
			  struct pool_status *out, struct err *e) MUST_CHECK;
/* Sorted; names of all pools. */
int container_pool_names(const struct container_host *h, struct arena *a, const char *const **out,
			 size_t *n, struct err *e) MUST_CHECK;
/* No leases from now on; deletes what nobody has.  What somebody has goes when it is released. */
int container_pool_drain(const struct container_host *h, const char *name, struct arena *a,
			 struct pool_status *out, enum container_answer *answer,
			 struct err *e) MUST_CHECK;
/* Takes every lease back and ends what runs. */
int container_pool_killall(const struct container_host *h, const char *name, struct arena *a,
			   struct pool_status *out, enum container_answer *answer,
			   struct err *e) MUST_CHECK;
/* Deletes the members and the pool; ANSWER_BUSY: somebody has one, and not force. */
int container_pool_remove(const struct container_host *h, const char *name, bool force,
			  enum container_answer *answer, struct err *e) MUST_CHECK;

struct container_acquire {
	const char *pool;
	struct lease_wish lease;
	uint64_t wait_ms; /* 0: not */
};
/* ANSWER_BUSY: none is free; ANSWER_REFUSED: the pool is draining. */
int container_lease_acquire(const struct container_host *h, const struct container_acquire *q,
			    struct arena *a, struct container_lease *out,
			    enum container_answer *answer, struct err *e) MUST_CHECK;

/* acquire, start, wait, release in one process. */
struct container_pool_run {
	struct container_acquire acquire;
	const char *process_file; /* specs/work.h; NULL: args */
	const char *const *args;  /* NULL-terminated */
	const uint64_t *env_fd;
	const uint64_t *timeout_ms; /* then it is ended; NULL: only as the level has it */
	const char *result;         /* as container_create_opts has it; NULL */
	bool behind;                /* the reset is made when the caller has been answered */
};
struct brig_result;
/* *code: as container_run in direct mode. */
int container_pool_run(const struct container_host *h, const struct container_pool_run *q,
		       struct arena *a, int *code, struct err *e) MUST_CHECK;

/* `pool status --format json` and openmetrics; list: an array, whatever n is. */
char *pool_status_json(struct arena *a, const struct pool_status *s, size_t n, bool list,
		       size_t *len);
char *pool_status_openmetrics(struct arena *a, const struct pool_status *s, size_t n, size_t *len);

#endif
