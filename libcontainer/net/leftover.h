#ifndef BRIG_NET_LEFTOVER_H
#define BRIG_NET_LEFTOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * What connections leave in a network namespace when all who made them are dead: the one that the
 * calling thread is in.
 */

/* A socket as sock_diag(7) tells it. */
struct leftover_socket {
	uint8_t family, state;
	bool owned;     /* some process has it open */
	uint8_t id[48]; /* struct inet_diag_sockid */
};
/* payload: behind the netlink header; false: it is none. */
bool leftover_read(const void *payload, size_t len, struct leftover_socket *out);

struct leftover_sockets {
	int64_t owned;  /* that processes have open: not touched */
	int64_t closed; /* that could not be ended */
};
/*
 * Ends each socket of TCP, UDP and raw that nobody has open any more (SOCK_DESTROY); TIME_WAIT,
 * too, since Linux 6.5.  *left: what is there afterwards.
 */
int leftover_end_sockets(struct leftover_sockets *left, struct err *e) MUST_CHECK;

/* Routes that traffic has taught: redirects, sizes of packets. */
int leftover_forget_routes(struct err *e) MUST_CHECK;
/* What TCP remembers of who it was connected to: *n entries there are. */
int leftover_count_metrics(int64_t *n, struct err *e) MUST_CHECK;
int leftover_forget_metrics(struct err *e) MUST_CHECK;

#endif
