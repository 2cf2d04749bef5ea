#include <stdio.h>

#include "cmd/brig/verbs.h"
#include "specs/state.h"

static int state(struct command *c, struct err *e)
{
	struct container_info info;
	int r = container_state(&c->host, c->args[0], c->arena, &info, e);

	if (r < 0)
		return r;
	const struct oci_state s = {
		.oci_version = info.oci_version,
		.id = info.id,
		.status = info.status,
		.pid = info.pid,
		.bundle = info.bundle,
		.rootfs = info.rootfs,
		.created = info.created,
		.owner = info.owner,
		.annotations = info.annotations,
		.n_annotations = info.n_annotations,
		.level = info.level,
		.digest = info.digest,
		.ended = info.ended,
		.code = info.code,
		.reuse = info.reuse,
		.taint = info.taint,
		.n_taint = info.n_taint,
		.warden_pid = info.warden_pid,
		.net = info.net,
		.egress = info.egress,
		.netns_below = info.netns_below,
		.resolver_pid = info.resolver_pid,
		.grants = info.grants,
		.n_grants = info.n_grants,
	};
	puts(oci_state_print(c->arena, &s, false, NULL));
	return 0;
}

const struct verb verb_state = {
	.name = "state",
	.summary = "print the state of a container as JSON",
	.usage = "<container-id>",
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = state,
};
