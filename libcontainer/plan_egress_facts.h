#ifndef BRIG_PLAN_EGRESS_FACTS_H
#define BRIG_PLAN_EGRESS_FACTS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/egress.h"
#include "specs/runtime.h"

/* What a plan about the network has to look at on the host; nothing is changed. */

/* The addresses of the network namespace that brig is in, sorted, but for loopback. */
int plan_egress_host(struct arena *a, const struct egress_address **out, size_t *n,
		     struct err *e) MUST_CHECK;

/* resolv.conf(5), as far as it is asked for. */
struct plan_resolv {
	const struct egress_address *servers; /* scoped ones (fe80::1%eth0) are left out */
	size_t n_servers;
	const char *search; /* as it stands there; NULL: none */
	uint32_t ndots;     /* 0: not said */
};
/* No such file: all empty. */
int plan_egress_resolv(struct arena *a, const char *path, struct plan_resolv *out,
		       struct err *e) MUST_CHECK;
/* The text, for fuzzing: lines that are not understood are skipped, as libc does. */
void plan_egress_resolv_parse(struct arena *a, const char *text, struct plan_resolv *out);

/* What the engine binds onto /etc/resolv.conf; NULL: nothing. */
const char *plan_egress_resolv_source(const struct oci_config *c);

#endif
