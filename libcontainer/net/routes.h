#ifndef BRIG_NET_ROUTES_H
#define BRIG_NET_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/mnl.h"
#include "specs/egress.h"

/* What the routes of the caller's network namespace say about a pool of addresses. */

/* brg and 8 hex digits: the host's end of a pair (net/veth.h). */
bool routes_is_ours(const char *device);

/*
 * EADDRINUSE naming the first route, of any table, whose destination has addresses in common with
 * pool.  Default routes do not count, nor those over our own devices, nor such that only refuse
 * (unreachable, blackhole, prohibit, throw): ours are more specific.
 */
int routes_check_pool(const struct mnl *m, const struct egress_address *pool,
		      struct err *e) MUST_CHECK;

/* The devices that routes of the family (4 or 6) use, but lo and our own; each once. */
struct routes_devices {
	const char **names;
	size_t n;
};
int routes_find_devices(struct arena *a, const struct mnl *m, int family,
			struct routes_devices *out, struct err *e) MUST_CHECK;

#endif
