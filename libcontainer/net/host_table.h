#ifndef BRIG_NET_HOST_TABLE_H
#define BRIG_NET_HOST_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/mnl.h"
#include "net/veth.h"

/*
 * Table "inet brig_host" of the host's network namespace, one for all sandboxes with veth:
 *
 *   prerouting, raw: what comes from a brg device has the addresses of its slot (sets source4 and
 *   source6, device . address); neighbour discovery; nothing else
 *   input: from a brg device answers of connections that the host has made; neighbour discovery
 *   forward: nothing between brg devices; to one only answers; new connections from the host's
 *   devices that brig has opened for forwarding (open4, open6) only if the host translated them
 *   postrouting: masquerade of the sandboxes' addresses (inside4, inside6)
 *
 * Made where it is missing, or of another version of brig (rules anew, elements stay); elements
 * stay behind when a sandbox goes, as a slot has the same device and addresses each time.
 */
struct host_table_add {
	const struct veth_slot *slot;
	bool ipv6;
	/* Devices that brig is about to open; with none and the global switch on, the set is
	 * emptied. */
	const char *const *open4, *const *open6;
	size_t n_open4, n_open6;
	bool global4, global6; /* the host forwards by itself */
};
int host_table_add(const struct mnl *m, const struct host_table_add *add, struct err *e) MUST_CHECK;

#endif
