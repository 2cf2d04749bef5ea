#include "cmd/brig/verbs.h"

static int resume_container(struct command *c, struct err *e)
{
	return container_resume(&c->host, c->args[0], e);
}

const struct verb verb_resume = {
	.name = "resume",
	.summary = "resume all processes that have been paused",
	.usage = "<container-id>",
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = resume_container,
};
