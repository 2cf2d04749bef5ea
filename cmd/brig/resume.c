#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"

struct resume_opts {
	const char *lease;
};

static const struct opt options[] = {
	LEASE_ROW(offsetof(struct resume_opts, lease)),
	{NULL, NULL, OPT_FLAG, 0, NULL, NULL, NULL, NULL},
};

static int resume_container(struct command *c, struct err *e)
{
	const struct resume_opts *o = c->opts;

	answer_lease(c, o->lease);
	int r = container_resume(&c->host, c->args[0], e);
	if (r < 0)
		c->code = answer_lease_code(e, c->code);
	return r;
}

const struct verb verb_resume = {
	.name = "resume",
	.summary = "resume all processes that have been paused",
	.usage = "<container-id>",
	.options = options,
	.options_size = sizeof(struct resume_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = resume_container,
};
