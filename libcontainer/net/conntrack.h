#ifndef BRIG_NET_CONNTRACK_H
#define BRIG_NET_CONNTRACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/egress.h"

/*
 * Entries of connection tracking in the network namespace of the caller (ctnetlink).  One outlives
 * the sandbox whose connection it was, for days, and leads what still comes to the host to whoever
 * has that address now.
 *
 * ENOTSUP: the kernel has no ctnetlink (CONFIG_NF_CT_NETLINK), nothing can be told.
 */

/* An entry as it is told; pointers are into the message. */
struct conntrack_entry {
	uint8_t family; /* 4 or 6 */
	uint8_t orig_src[16], orig_dst[16], reply_src[16], reply_dst[16];
	const char *tuple, *id, *zone; /* attributes' payloads, NULL: not told */
	size_t tuple_len, id_len, zone_len;
};
/* payload: behind the netlink header; false: no entry. */
bool conntrack_read(const void *payload, size_t len, struct conntrack_entry *out);
/* Whether one of its ends is that address. */
bool conntrack_meets(const struct conntrack_entry *x, const struct egress_address *a);

/* How many of any of these addresses there are. */
int conntrack_count(const struct egress_address *list, size_t n, int64_t *out,
		    struct err *e) MUST_CHECK;
/* Removes those of these addresses; with n 0 all that there are. */
int conntrack_forget(const struct egress_address *list, size_t n, struct err *e) MUST_CHECK;

#endif
