#ifndef BRIG_REUSE_LOWER_H
#define BRIG_REUSE_LOWER_H

#include "base/arena.h"
#include "base/err.h"
#include "specs/report.h"
#include "specs/state.h"

/* The files of a shell's root, listed at create and looked at by verify --full.  docs/reuse.md */
#define REUSE_DIGESTS  "lower.digests" /* pool/lower.h */
#define REUSE_PACKAGES "packages"      /* as it was given */

/*
 * create: dir gets the lists that were asked for, u their sha256.  packages: path of a file, NULL:
 * none; what differs from it already is an error.
 */
int reuse_take_lower(struct arena *a, const char *rootfs, bool digests, const char *packages,
		     int dir, struct state_reuse *u, struct err *e) MUST_CHECK;
/* Whether that file could be such a list; none of its files is looked at. */
int reuse_look_packages(struct arena *a, const char *path, struct err *e) MUST_CHECK;
/* verify --full: rows, and packages, behind those that out has.  EOPNOTSUPP: nothing was listed. */
int reuse_verify_lower(struct arena *a, const struct brig_state *s, int dir,
		       struct brig_report *out, struct err *e) MUST_CHECK;

#endif
