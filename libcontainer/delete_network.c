/*
 * What a sandbox with a slot of addresses leaves on the host, which is the network namespace of the
 * caller.
 */
#include <errno.h>

#include "base/log.h"
#include "base/own.h"
#include "delete.h"
#include "net/conntrack.h"

/*
 * Its devices go with its namespace, in a moment: what is still under way may add an entry, which
 * the next claim of the slot removes, when they are gone.
 */
int delete_forget_connections(const struct brig_state *s, struct err *e)
{
	struct egress_address own[2];
	size_t n = 0;

	for (; n < s->n_net_addresses && n < LEN(own); n++)
		if (egress_address_parse(s->net_addresses[n], &own[n], e) < 0)
			return err_wrap(e, "netAddresses");
	/* An older brig's. */
	if (!n)
		return 0;
	int r = conntrack_forget(own, n, e);
	/* Nobody can look at them there, or remove them. */
	if (r == -ENOTSUP)
		log_debug("%s", e->msg);
	return r == -ENOTSUP ? 0 : r;
}
