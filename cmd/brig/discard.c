#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"

struct discard_opts {
	const char *lease;
};

static const struct opt options[] = {
	LEASE_ROW(offsetof(struct discard_opts, lease)),
	{NULL, NULL, OPT_FLAG, 0, NULL, NULL, NULL, NULL},
};

static int discard(struct command *c, struct err *e)
{
	const struct discard_opts *o = c->opts;
	enum container_answer answer = ANSWER_FAILED;

	answer_lease(c, o->lease);
	int r = container_discard(&c->host, c->args[0], &answer, e);

	if (r < 0)
		c->code = answer_code(answer);
	return r;
}

const struct verb verb_discard = {
	.name = "discard",
	.summary = "drop what a container that keeps its layers has written",
	.usage = "<container-id>",
	.text = "   Only of one that has ended.  The memory is free; a reset goes on from there.\n"
		"   Exit codes: 75 it has not ended; 76 it keeps none, or they are gone; 77 not\n"
		"   allowed.  docs/layers.md\n",
	.options = options,
	.options_size = sizeof(struct discard_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = discard,
};
