#include "cmd/brig/launch.h"
#include "cmd/brig/verbs.h"

static int create(struct command *c, struct err *e)
{
	const struct launch_opts *o = c->opts;
	int r = launch_prepare(c, e);

	return r < 0 ? r : container_create(&c->host, &o->create, e);
}

const struct verb verb_create = {
	.name = "create",
	.summary = "create a container",
	.usage = "<container-id>",
	.text = launch_text,
	.options = launch_options,
	.options_size = sizeof(struct launch_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.failed = "create failed",
	.failed_program = true,
	.run = create,
};
