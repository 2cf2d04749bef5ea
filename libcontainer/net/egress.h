#ifndef BRIG_NET_EGRESS_H
#define BRIG_NET_EGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Table "inet brig" of a network namespace: hooks output, input and forward with policy drop,
 * lo open; what leaves by TCP is answered with a reset, so that a program fails at once.  One
 * nfnetlink batch, made by libmnl when brig is built (net/table/mktable.c) and sent as it is:
 * no library is loaded at a start.  Replaces a table of that name atomically (containers of one
 * pod install it one after the other) and leaves other tables alone; one with grants (net/rules.h)
 * is not replaced: EEXIST, naming its digest.
 *
 * AF_PACKET sockets do not pass these hooks: they need CAP_NET_RAW over the network namespace,
 * which no level grants.
 */

/*
 * In the network namespace of the caller, who has CAP_NET_ADMIN over it.  Messages begin with
 * "nf_tables: " and name the remedy where the kernel lacks it.
 */
int egress_deny_all(struct err *e) MUST_CHECK;
/*
 * In a network namespace of others, for who makes no rules there: EPERM when there are some of
 * brig's which these capabilities could change, or CAP_NET_RAW send past (no table netdev brig).
 */
int egress_check_caps(uint64_t caps, struct err *e) MUST_CHECK;
/*
 * Whether the kernel has nf_tables with the inet family, tried by a child in a network namespace
 * that ends with it; for doctor.  e says why not.
 */
bool egress_possible(struct err *e);

#endif
