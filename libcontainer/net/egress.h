#ifndef BRIG_NET_EGRESS_H
#define BRIG_NET_EGRESS_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Table "inet brig" of a network namespace: hooks output, input and forward with policy drop,
 * lo open.  One nfnetlink batch, made by libmnl when brig is built and sent as it is: no
 * library is loaded at a start.  Replaces a table of that name atomically (containers of one
 * pod install it one after the other).
 */

/* In the network namespace of the caller, who has CAP_NET_ADMIN over it. */
int egress_deny_all(struct err *e) MUST_CHECK;
/* Whether the kernel has nf_tables with the inet family; for doctor. */
bool egress_possible(void);

#endif
