#include <errno.h>

#include "base/str.h"
#include "cmd/brig/direct.h"
#include "cmd/brig/verbs.h"

#define AT(member) offsetof(struct run_opts, launch.create.member)

static const struct opt options[] = {
	{"detach",  "d", OPT_FLAG, AT(detach), NULL, "do not wait for the container's end", NULL,
	 NULL},
	{"keep", NULL, OPT_FLAG, AT(keep), NULL, "do not delete the container after its end", NULL,
	 NULL},
	{"no-subreaper",     NULL, OPT_FLAG, AT(no_subreaper), NULL,
	 "do not adopt the container's orphans", NULL, NULL},
	{.more = direct_options    },
};

/* As env(1), timeout(1) and shells have it. */
static int direct_code(const struct err *e)
{
	if (!str_starts(e->msg, "exec"))
		return CODE_DIRECT_FAILED;
	return e->code == ENOENT || e->code == ENOTDIR ? CODE_NOT_FOUND : CODE_NOT_EXECUTABLE;
}

static int run_direct(struct command *c, struct err *e)
{
	const struct run_opts *o = c->opts;
	int r = c->n_args ? direct_prepare(c, e)
			  : err_msg(e, EINVAL, "no program: run ... -- PROGRAM [ARGUMENT...]");

	if (r == 0)
		r = container_run(&c->host, &o->launch.create, &c->code, e);
	if (r < 0)
		c->code = direct_code(e);
	return r;
}

static int run(struct command *c, struct err *e)
{
	const struct run_opts *o = c->opts;

	if (direct_wanted(o))
		return run_direct(c, e);
	if (c->n_args != 1)
		return err_msg(e, EINVAL, "%s: \"run\" requires exactly 1 argument(s)", c->program);
	int r = direct_unwanted(o, e);
	if (r == 0 && !*c->args[0])
		r = err_msg(e, EINVAL, "container id cannot be empty");
	if (r == 0)
		r = launch_prepare(c, e);
	return r < 0 ? r : container_run(&c->host, &o->launch.create, &c->code, e);
}

const struct verb verb_run = {
	.name = "run",
	.summary = "create and run a container",
	.usage = "<container-id> | --rootfs DIR -- PROGRAM [ARGUMENT...]",
	.text = direct_text,
	.options = options,
	.options_size = sizeof(struct run_opts),
	.order = OPT_MIXED,
	.direct = direct_wanted_by,
	.max_args = ANY_ARGS,
	.runs_program = true,
	.failed = "run failed",
	.failed_program = true,
	.run = run,
};
