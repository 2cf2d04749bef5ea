#ifndef BRIG_PLAN_EGRESS_H
#define BRIG_PLAN_EGRESS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/veth.h"
#include "specs/egress.h"

/*
 * The part of a plan about the network.  NULL in a plan: no connectivity of brig's making, no
 * grants, no connections inward, no limits of the network: deny-all at a level, nothing at custom.
 */
struct plan_egress {
	const struct egress_policy *policy;
	struct veth_config veth; /* policy->net is EGRESS_NET_VETH */
	const char *pasta;       /* program of EGRESS_NET_PASTA */
	const char *flows;       /* --flows FILE; NULL: the state directory */
	const char *resolv_conf; /* text of the sandbox's /etc/resolv.conf; NULL: as it is */
	bool pin;                /* learned addresses stay: it has a short wall clock */
	bool shared;             /* a joined namespace of a pod: its rules may be there already */
	bool asks_nothing;       /* it has no wishes of its own: "deny all" is as good */
	bool takes_any;          /* and whatever they are, they are this container's, too */
	bool opens_pod;          /* and where they let nothing through, its own take their place */
};

struct plan;
struct plan_request;

struct caps_plan;

/*
 * Capabilities of a process for which the sandbox's network namespace counts: EPERM with the one
 * that could change the rules or send past them.
 */
int plan_egress_check_caps(const struct egress_policy *p, const struct caps_plan *c,
			   struct err *e) MUST_CHECK;

/* Whether somebody has to watch its network: not where only connections inward are let in. */
bool plan_egress_watched(const struct plan_egress *x); /* NULL allowed */

/*
 * Between plan_process and plan_level_finish: config is the rewritten one, namespaces and
 * capabilities are known.  *out stays NULL as said above.
 */
int plan_egress_make(struct arena *a, const struct plan_request *req, struct plan *p,
		     const struct plan_egress **out, struct err *e) MUST_CHECK;

#endif
