#include "cmd/brig/verbs.h"

static int pause_container(struct command *c, struct err *e)
{
	return container_pause(&c->host, c->args[0], e);
}

const struct verb verb_pause = {
	.name = "pause",
	.summary = "suspend all processes inside the container",
	.usage = "<container-id>",
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = pause_container,
};
