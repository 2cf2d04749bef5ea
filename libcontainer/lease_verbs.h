#ifndef BRIG_LEASE_VERBS_H
#define BRIG_LEASE_VERBS_H

#include "lease.h"

/* What a verb prints of a lease. */
void lease_tell(struct arena *a, const char *id, const struct brig_lease *l, const char *token,
		struct container_lease *out);

#endif
