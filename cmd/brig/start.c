#include "cmd/brig/verbs.h"

static int start_container(struct command *c, struct err *e)
{
	return container_start(&c->host, c->args[0], e);
}

const struct verb verb_start = {
	.name = "start",
	.summary = "start the program of a created container",
	.usage = "<container-id>",
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = start_container,
};
