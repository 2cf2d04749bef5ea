#ifndef BRIG_PLAN_SECCOMP_H
#define BRIG_PLAN_SECCOMP_H

#include "base/arena.h"
#include "base/err.h"
#include "guard/seccomp.h"

/* A file may be a pipe, and is read once: its text, for who needs it again. */
struct plan_profile {
	const char *text;
	size_t len;
};

/*
 * --seccomp FILE: an OCI linux.seccomp document, put before what config.json has (*io, which may be
 * empty): where it allows, that decides.  So it can only tighten, and where there is nothing else
 * it is the filter.  Notifications are refused, and before another filter also what could let
 * through more than that one does (SCMP_ACT_LOG, SCMP_ACT_TRACE).
 */
int plan_seccomp_file(struct arena *a, const char *path, struct seccomp_program *io,
		      struct plan_profile *out, struct err *e) MUST_CHECK;

/*
 * Every call asks the observer at the other end of sock, who gives the answer of the filter that
 * would have been (p->seccomp, with its level's, and p->decides are made).
 */
struct plan;
int plan_observe(struct arena *a, int sock, struct plan *p, struct err *e) MUST_CHECK;

#endif
