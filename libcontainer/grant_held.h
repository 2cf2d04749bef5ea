#ifndef BRIG_GRANT_HELD_H
#define BRIG_GRANT_HELD_H

#include "base/arena.h"
#include "base/err.h"
#include "grant_mount.h"
#include "specs/grant.h"
#include "specs/state.h"

/* The grants of a sandbox in force: its file, and taking them back. */

/* None is no error. */
int grants_load(struct arena *a, int dir, struct grants *out, struct err *e) MUST_CHECK;
int grants_save(struct arena *a, int dir, const struct grants *g, struct err *e) MUST_CHECK;
void grants_drop(struct grants *g, size_t i);

/* What is in force, for `state`; what cannot be read is left out. */
void grants_show(struct arena *a, int dir, const struct brig_state *s, const struct oci_grant **out,
		 size_t *n);

uint64_t grant_now_ns(void); /* CLOCK_BOOTTIME: runs on while the machine sleeps */

/* The config.json that the sandbox was started with, and what it says of limits: -1 for none. */
int64_t grant_started_memory(const struct oci_config *c);
int64_t grant_started_millis(const struct oci_config *c);
int grant_config(struct arena *a, int dir, struct oci_config *out, struct err *e) MUST_CHECK;
/* MEMORY in bytes, CPU in thousandths, -1: none. */
int grant_set_limit(struct arena *a, const struct brig_state *s, const struct oci_config *c,
		    enum grant_kind kind, int64_t value, struct err *e) MUST_CHECK;

/*
 * What the i-th row stands for goes: its mount, or the limit goes back.  The record stays the
 * caller's.  One that is gone already is success.  EOPNOTSUPP: of its kind none can.
 */
int grant_take_back(struct arena *a, int dir, const struct brig_state *s,
		    const struct grant_target *t, const struct grants *g, size_t i,
		    struct err *e) MUST_CHECK;

/* One record of the audit log about a grant: event, its text, NULL or why it is denied. */
int grant_note(const struct brig_state *s, const char *event, const char *source,
	       const char *resource, const char *denied, struct err *e) MUST_CHECK;

#endif
