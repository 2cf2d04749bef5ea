#include <errno.h>
#include <stdio.h>

#include "cmd/brig/verbs.h"
#include "specs/result.h"

struct wait_opts {
	const uint64_t *timeout;
};

static const struct opt options[] = {
	{"timeout", NULL, OPT_MAYBE_TIME, offsetof(struct wait_opts, timeout), "TIME",
	 "wait no longer than that; exit code 75 then",                                                       NULL, NULL},
	{NULL,         NULL,          OPT_FLAG,            0,                    NULL,                NULL, NULL, NULL},
};

static int wait_for_container(struct command *c, struct err *e)
{
	const struct wait_opts *o = c->opts;
	struct brig_result result;
	int r = container_wait(&c->host, c->args[0], o->timeout, c->arena, &result, e);

	if (r == -ETIMEDOUT || r == -ESTALE)
		c->code = CODE_BUSY;
	if (r < 0)
		return r;
	puts(result_print(c->arena, &result, NULL));
	c->code = result.code;
	return 0;
}

const struct verb verb_wait = {
	.name = "wait",
	.summary = "wait until a container has ended, and print how and what it used as JSON",
	.usage = "<container-id>",
	.text = "   Exit codes: the program's own, 124 out of time, 125 brig failed or nobody "
		"knows,\n"
		"   128+n ended by signal n, 137 out of memory too; the JSON tells them apart.\n"
		"   docs/results.md has every member.\n",
	.options = options,
	.options_size = sizeof(struct wait_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.code_failed = CODE_DIRECT_FAILED,
	.run = wait_for_container,
};
