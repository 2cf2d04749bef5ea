#ifndef BRIG_POOL_NETWORK_H
#define BRIG_POOL_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "specs/egress.h"

/* Devices, addresses, routes and neighbours of the network namespace we are in (rtnetlink). */
struct network_seen {
	bool unreadable;
	const char *text;                 /* lines of a fingerprint: what somebody has set */
	int64_t devices;                  /* beside lo */
	int64_t neighbours;               /* all but those that need no asking */
	int64_t learned;                  /* of these, what the kernel has learned by itself */
	int64_t learned_routes;           /* redirects, sizes of packets */
	const struct egress_address *own; /* global addresses of its devices beside lo */
	size_t n_own;
};
void pool_network_look(struct arena *a, struct network_seen *out);

/* One datagram of any of its dumps, for fuzzing. */
void pool_network_parse(struct arena *a, const void *buf, size_t n, struct network_seen *out);

/* Removes what the kernel has learned of neighbours: a namespace that stays.  0 or -errno. */
int pool_network_forget_neighbours(void);

#endif
