#ifndef BRIG_LEASE_AUDIT_H
#define BRIG_LEASE_AUDIT_H

#include "base/arena.h"
#include "base/err.h"
#include "specs/lease.h"
#include "specs/state.h"

/* What the audit log is told about leases: docs/audit.md.  A sandbox that is not audited costs a
 * test. */
enum lease_event { LEASE_ACQUIRED, LEASE_RENEWED, LEASE_RELEASED, LEASE_EXPIRED, LEASE_REVOKED };

/* What may not happen without its record: acquire, renew. */
int lease_note(const struct brig_state *s, enum lease_event which, const struct brig_lease *l,
	       struct err *e) MUST_CHECK;
/* What ends one, which happens all the same; l as it was before. */
void lease_told(const struct brig_state *s, enum lease_event which, const struct brig_lease *l);

/* The same for who writes records of his own (a warden). */
struct audit_record;
struct audit_record lease_record(struct arena *a, enum lease_event which,
				 const struct brig_lease *l, const char *pool);

#endif
