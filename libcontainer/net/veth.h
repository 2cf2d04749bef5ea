#ifndef BRIG_NET_VETH_H
#define BRIG_NET_VETH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/mnl.h"
#include "specs/egress.h"

/*
 * Connectivity of a sandbox that brig makes itself (--net veth): a pair of devices, an address
 * slot of a pool, a route, and on the host's side one static table "inet brig_host" (masquerade,
 * no way between sandboxes or to the host, no foreign source address; net/host_table.h).  All of
 * it goes with the sandbox's network namespace, by the kernel, but for the slot.  The host is the
 * network namespace of the caller.
 *
 * The host's global switches stay as they are.  A device forwards what comes in by it, so where
 * net.ipv4.ip_forward is 0 brig sets forwarding of its own end and of the devices that the host's
 * routes use, for the answers, and the table drops what else would be forwarded from these; of IPv6
 * that is force_forwarding (Linux 6.17).  What was set on the host's devices stays set.
 */
/* The group of the host's ends, from their birth on: ip link show group 46870. */
enum { VETH_GROUP = 0xb716 };

struct veth_config {
	const char *directory;       /* of the slots: /run/brig-net */
	struct egress_address pool;  /* 10.201.0.0/16: slots of /30 */
	struct egress_address pool6; /* an ULA /64: slots of /126; family 0: no IPv6 */
};

struct veth_slot {
	uint32_t number;
	char device[16]; /* of the host's end: brg + 4 hex digits of the pool + 4 of the number */
	/* One host each: prefix 32 or 128. */
	struct egress_address host, inside;
	struct egress_address host6, inside6; /* family 0: none */
};

/*
 * Claims the next free slot for owner (the absolute state directory), under a lock; a slot whose
 * owner's directory is gone is free again, once the kernel has removed its devices.  The host's
 * connection tracking has nothing of its addresses then.  EADDRNOTAVAIL: none is free; EADDRINUSE
 * with the route when the pool overlaps one of the host's routes; EUCLEAN with its name: a damaged
 * slot file.
 */
int veth_claim(const struct veth_config *c, const struct mnl *m, const char *owner,
	       struct veth_slot *out, struct err *e) MUST_CHECK;
/* By number; somebody else's: nothing is done. */
int veth_release(const char *directory, uint32_t number, const char *owner,
		 struct err *e) MUST_CHECK;
/* The slot of a number, for who has only that (state). */
int veth_slot_of(const struct veth_config *c, uint32_t number, struct veth_slot *out,
		 struct err *e) MUST_CHECK;
/*
 * The host's table, once, idempotent, with the anti-spoof elements; the pair, the peer "eth0" born
 * in netns; addresses, routes, forwarding.  On failure no device stays.  ipv6 where
 * veth_ipv6_possible says no: ENOTSUP.
 */
int veth_make(const struct veth_config *c, const struct mnl *m, const struct veth_slot *s,
	      int netns, bool ipv6, struct err *e) MUST_CHECK;
/* The undo where the namespace may live on, by name; no device: no error. */
int veth_remove(const struct mnl *m, const struct veth_slot *s, struct err *e) MUST_CHECK;
/* Why veth cannot be had here (no rights, no module); for doctor and plans.  Tried by a child in
 * namespaces of its own. */
bool veth_possible(const struct mnl *m, struct err *e);
/* Whether IPv6 of a sandbox can be forwarded without touching the host's global switch. */
bool veth_ipv6_possible(struct err *e);

#endif
