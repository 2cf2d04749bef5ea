#ifndef BRIG_PLAN_AUDIT_H
#define BRIG_PLAN_AUDIT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/admin.h"
#include "specs/state.h"

struct plan;

/*
 * Whether the sandbox is written about in the audit log, which one, and whether it may be without:
 * the level's "audit" and brig.json's audit.when.  Sets p->audit.
 */
int plan_audit(struct arena *a, struct plan *p, struct err *e) MUST_CHECK;
/*
 * --audit syscalls and its annotation: what the filter denies notifies the warden, which answers as
 * the filter would have.  After the filter is known, before the warden is planned (watch).
 */
int plan_audit_wanted(struct plan *p, const char *asked, struct err *e) MUST_CHECK;
int plan_audit_filter(struct arena *a, struct plan *p, struct err *e) MUST_CHECK;
/* Of the log of who runs brig: nothing of it may be seen inside.  p->policy is known. */
const char *plan_audit_directory(struct arena *a, const struct plan *p);
/*
 * The log's place and manners as the administrator has them; own: brig is not the host's root.
 * NULL: a plain user without a home, and brig.json names no file.
 */
const struct state_audit *plan_audit_of_admin(struct arena *a, const struct admin_audit *u,
					      bool own);

#endif
