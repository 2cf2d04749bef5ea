#ifndef BRIG_POOLS_INTERNAL_H
#define BRIG_POOLS_INTERNAL_H

#include "pools.h"

/* What the files of pools share. */
struct pools {
	const struct container_host *host; /* the caller's */
	struct container_host own;         /* as its pool has it: for its members */
	struct arena *arena;
	const char *name;
	int dir;           /* of the pool, -1 */
	uint64_t began_ns; /* CLOCK_BOOTTIME: killall takes no lease that was given later */
	struct brig_pool pool;
};

/* --- pools_store.c: pool.json, its lock, and who makes members ------------------------------ */

/* make: the directory, where it is missing.  Not locked, not loaded. */
int pools_open(struct pools *p, const struct container_host *h, const char *name, struct arena *a,
	       bool make, struct err *e) MUST_CHECK;
void pools_close(struct pools *p);
/* Held for moments only: nobody makes, resets or deletes behind it. */
int pools_lock(const struct pools *p, struct err *e) MUST_CHECK;
void pools_unlock(const struct pools *p);
/* -ENOENT: there is no such pool. */
int pools_load(struct pools *p, struct err *e) MUST_CHECK;
int pools_save(const struct pools *p, struct err *e) MUST_CHECK;
/* Adds up, which wakes who waits; what cannot be counted is no error. */
void pools_count(struct pools *p, const struct pool_counters *add);
/* Removes pool.json and the directory; locked. */
int pools_remove(struct pools *p, struct err *e) MUST_CHECK;
/* Wishes of the caller checked: the host's root. */
int pools_may(enum container_answer *answer, struct err *e) MUST_CHECK;

/* A place for a member that is being made: held while *fd is open and its maker lives. */
int pools_reserve(struct pools *p, uint64_t serial, struct err *e) MUST_CHECK;
void pools_unreserve(struct pools *p, uint64_t serial, int *fd);
/* Whether somebody makes it now; what a killed maker left is removed. */
bool pools_reserved(const struct pools *p, uint64_t serial);
/* Of all, those without a state directory yet. */
size_t pools_unborn(const struct pools *p);

/* --- pools_look.c: in which condition members are ------------------------------------------- */

/* locked: the caller holds the lock of dir; m has id and serial. */
void pools_look(const struct pools *p, int dir, bool locked, struct pool_member *m);
/* Of all members that have a directory, by serial. */
int pools_members(const struct pools *p, struct pool_member **out, size_t *n,
		  struct err *e) MUST_CHECK;
/* The lock, without waiting, and another look behind it: -EBUSY, or the directory. */
int pools_take(const struct pools *p, struct pool_member *m, struct err *e) MUST_CHECK;
/* Whether who comes with that key may have it. */
bool pools_fits(const struct pool_member *m, const char *key, bool cross_tenant);

/* --- pools_tend.c: what is made of a member that is not as it should be --------------------- */

/* 1: it is another now; 0: nothing is to be done, or somebody else does it. */
int pools_tend(struct pools *p, struct pool_member *m, struct err *e) MUST_CHECK;
/* So that nobody gets it, then deletes it; 0: somebody has it, or works on it. */
int pools_retire(struct pools *p, struct pool_member *m, struct err *e) MUST_CHECK;
/* The same; who works on it, and makes it free, is waited for (some seconds at most). */
int pools_drain(struct pools *p, struct pool_member *m, struct err *e) MUST_CHECK;
/* Who has reset it: where its pool has begun to drain meanwhile nobody else may delete it. */
int pools_leave(struct pools *p, struct pool_member *m, struct err *e) MUST_CHECK;
/* Takes its lease back, whoever has had it since before p->began_ns, and ends what runs. */
int pools_revoke(struct pools *p, struct pool_member *m, struct err *e) MUST_CHECK;

/* --- pools_kind.c: what its members are made from, which those that there are have in common ---
 */

/* What the wish says of it; the rest of out stays as it is. */
void pools_kind_take(const struct container_create_opts *w, struct brig_pool *out);
/* -EKEYREJECTED: the wish is of another kind than p's, of which there are members; what holds
 * behind the lock. */
int pools_kind_check(const struct pools *p, const struct container_create_opts *w,
		     struct err *e) MUST_CHECK;
bool pools_kind_same(const struct brig_pool *p, const struct container_create_opts *w);
/* Whether one could be made of p->pool, as far as that is known beforehand; nothing is made. */
int pools_kind_try(const struct pools *p, struct err *e) MUST_CHECK;

/* In a process of its own: a member has nothing of its maker's. */
int pools_give_nothing(struct err *e) MUST_CHECK;
/* create's, of a member of that name; what it points to is in the arena or the pool's. */
struct container_create_opts pools_member_opts(struct arena *a, const struct brig_pool *p,
					       const char *id);

/* --- pools_make.c --------------------------------------------------------------------------- */

/* 1: one more is parked; 0: there is no room. */
int pools_make(struct pools *p, struct err *e) MUST_CHECK;

/*
 * Runs a verb that makes processes in a child, which becomes nobody's parent: who asks may live on
 * and is not to reap them.  It dies with us.  report may be NULL.
 */
struct pools_errand {
	int (*run)(void *ctx, struct arena *a, struct brig_report *report,
		   enum container_answer *answer, struct err *e);
	void *ctx;
};
int pools_apart(const struct pools_errand *what, struct arena *a, struct brig_report *report,
		enum container_answer *answer, struct err *e) MUST_CHECK;
/* container_reset of a member that nobody has, apart. */
struct pools_turn {
	const char *id;
	const uint64_t *expect_gen; /* NULL */
	const char *evidence;       /* of its pool; NULL */
};
int pools_reset(const struct container_host *h, const struct pools_turn *t, struct arena *a,
		struct brig_report *report, enum container_answer *answer,
		struct err *e) MUST_CHECK;

#endif
