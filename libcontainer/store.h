#ifndef BRIG_STORE_H
#define BRIG_STORE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "specs/state.h"

/*
 * The state directory <root>/<id>/ (0700): making it is what claims an id, flock on it is what
 * makes verbs take turns, state.json (by rename) is what they find.  A directory that was
 * removed while a lock was awaited counts as gone.
 *   state.json   struct brig_state        config.json   the bundle's, as it was at create
 *   seccomp.bpf  the compiled filter      start         socket on which a created one waits
 *   policy.json  the level, how it came about (not at custom; config.json is what it left)
 *   warden, ended                        see warden/warden.h
 *   egress.json  struct egress_policy, where there are grants; resolv.conf of such a sandbox
 *   network      what it did in the network (specs/network.h); egress: see resolver.h
 *   state.copy, claimed, tracer  see below
 *   result.json  how it ended and what it used, once that is known (result.h)
 */
#define STORE_STATE    "state.json"
#define STORE_COPY     "state.copy" /* of state.json, for a delete --force that cannot read it */
#define STORE_CLAIMED  "claimed"    /* the cgroup that state.json names was found free; empty */
#define STORE_CONFIG   "config.json"
#define STORE_SECCOMP  "seccomp.bpf"
#define STORE_START    "start"
#define STORE_GO       "go"       /* start was about to let its program go; empty */
#define STORE_TRACER   "tracer"   /* an exec was given CAP_SYS_PTRACE; empty */
#define STORE_POSTSTOP "poststop" /* those hooks have run, and what is left is removed; empty */
#define STORE_POLICY   "policy.json"
#define STORE_RESULT   "result.json"
#define STORE_EGRESS   "egress.json"
#define STORE_RESOLV   "resolv.conf"
#define STORE_POOLS    ".pools" /* in the state root: pools.h */
/* How a generation has ended that a reset has ended, by its number. */
#define STORE_RESULT_OF "result.%" PRIu64 ".json"
enum { STORE_EGRESS_MAX = 4 << 20 };

/* Letters, digits and _ + - . only, 1 to 255 of them, not ".", ".." or STORE_POOLS. */
int store_check_id(const char *id, struct err *e) MUST_CHECK;

/* Directory descriptor of the state root; make: create it (0700) when it is missing. */
int store_root(const struct container_host *h, bool make, struct err *e) MUST_CHECK;

enum store_locking { STORE_UNLOCKED, STORE_LOCKED };
/* A new, locked directory; "container with given ID already exists". */
int store_create(const struct container_host *h, const char *id, struct err *e) MUST_CHECK;
/* "container does not exist".  STORE_LOCKED waits for its turn, 10 s at most. */
int store_open(const struct container_host *h, const char *id, enum store_locking lock,
	       struct err *e) MUST_CHECK;
/* Lets others work on it, and takes the lock back; "container does not exist" if they removed it.
 */
void store_unlock(int dir);
int store_lock(int dir, const char *id, struct err *e) MUST_CHECK;
/* Whether some verb holds the lock now. */
bool store_is_locked(int dir);

int store_save(int dir, const struct brig_state *s, struct err *e) MUST_CHECK;
/* The cgroup is the container's from here on, and delete --force ends what is in it. */
int store_claim(int dir, struct err *e) MUST_CHECK;
/* -ENOENT: there is no state.json yet (its maker was killed first). */
int store_load(int dir, struct arena *a, struct brig_state *out, struct err *e) MUST_CHECK;
int store_remove(const struct container_host *h, const char *id, struct err *e) MUST_CHECK;

#endif
