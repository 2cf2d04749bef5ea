#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"

struct pause_opts {
	const char *lease;
};

static const struct opt options[] = {
	LEASE_ROW(offsetof(struct pause_opts, lease)),
	{NULL, NULL, OPT_FLAG, 0, NULL, NULL, NULL, NULL},
};

static int pause_container(struct command *c, struct err *e)
{
	const struct pause_opts *o = c->opts;

	answer_lease(c, o->lease);
	int r = container_pause(&c->host, c->args[0], e);
	if (r < 0)
		c->code = answer_lease_code(e, c->code);
	return r;
}

const struct verb verb_pause = {
	.name = "pause",
	.summary = "suspend all processes inside the container",
	.usage = "<container-id>",
	.options = options,
	.options_size = sizeof(struct pause_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = pause_container,
};
