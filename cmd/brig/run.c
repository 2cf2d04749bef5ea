#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "cmd/brig/change_line.h"
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
	{"dry-run",     NULL, OPT_FLAG, AT(dry_run), NULL,
	 "write nothing of the host's, and tell on stderr what would have been (docs/layers.md)", NULL, NULL},
	{"result",         NULL, OPT_STRING, AT(result), "FILE",
	 "write how it ended and what it used there, - for standard output", NULL, NULL},
	{"result-format",     NULL, OPT_STRING, offsetof(struct run_opts, result_format), "WORD",
	 "json, or isolate: the meta file of isolate(1)", "json", NULL},
	{.more = direct_options},
};

static int tell_change(void *ctx, const struct brig_change *c, struct err *e)
{
	(void)ctx;
	change_line(stderr, c);
	return ferror(stderr) ? err_set(e, EPIPE, "write") : 0;
}

static int prepare_result(struct command *c, struct err *e)
{
	struct run_opts *o = c->opts;
	struct container_create_opts *to = &o->launch.create;

	to->change = tell_change;
	to->result_isolate = str_eq(o->result_format, "isolate");
	if (!to->result_isolate && !str_eq(o->result_format, "json"))
		return err_msg(e, EINVAL, "--result-format: \"%s\" is not json or isolate",
			       o->result_format);
	if (!to->result)
		return to->result_isolate ? err_msg(e, EINVAL, "--result-format needs --result")
					  : 0;
	if (to->detach)
		return err_msg(e, EINVAL, "--result and --detach: ask `wait` for the result");
	if (!*to->result)
		return err_msg(e, EINVAL, "--result is empty");
	return str_eq(to->result, "-") ? 0 : command_path(c->arena, to->result, &to->result, e);
}

static int run_direct(struct command *c, struct err *e)
{
	const struct run_opts *o = c->opts;
	int r = c->n_args ? direct_prepare(c, e)
			  : err_msg(e, EINVAL, "no program: run ... -- PROGRAM [ARGUMENT...]");

	if (r == 0)
		r = prepare_result(c, e);
	if (r == 0)
		r = container_run(&c->host, &o->launch.create, &c->code, e);
	if (r < 0 && !c->code)
		c->code = CODE_DIRECT_FAILED;
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
	if (r == 0)
		r = prepare_result(c, e);
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
