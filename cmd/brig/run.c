#include "cmd/brig/launch.h"
#include "cmd/brig/verbs.h"

#define AT(member) offsetof(struct launch_opts, create.member)

static const struct opt options[] = {
	{"detach",  "d", OPT_FLAG, AT(detach), NULL, "do not wait for the container's end", NULL,
	 NULL},
	{"keep", NULL, OPT_FLAG, AT(keep), NULL, "do not delete the container after its end", NULL,
	 NULL},
	{"no-subreaper",     NULL, OPT_FLAG, AT(no_subreaper), NULL,
	 "do not adopt the container's orphans", NULL, NULL},
	{.more = launch_options    },
};

static int run(struct command *c, struct err *e)
{
	const struct launch_opts *o = c->opts;
	int r = launch_prepare(c, e);

	return r < 0 ? r : container_run(&c->host, &o->create, &c->code, e);
}

const struct verb verb_run = {
	.name = "run",
	.summary = "create and run a container",
	.usage = "<container-id>",
	.text = launch_text,
	.options = options,
	.options_size = sizeof(struct launch_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.runs_program = true,
	.failed = "run failed",
	.failed_program = true,
	.run = run,
};
