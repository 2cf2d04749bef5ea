#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"
#include "specs/report.h"

struct verify_opts {
	const char *format;
	bool full;
};

static const struct opt options[] = {
	{"format", NULL, OPT_STRING, offsetof(struct verify_opts, format),        "WORD",                  "json", "json",
	 NULL},
	{"full",        NULL,       OPT_FLAG,      offsetof(struct verify_opts,                   full), NULL,
	 "look at each file of its root, too (create --digests, --packages)",   NULL,                                                                    NULL},
	{NULL,    NULL,        OPT_FLAG,               0,				   NULL,                                  NULL,                                          NULL,          NULL},
};

static int verify(struct command *c, struct err *e)
{
	const struct verify_opts *o = c->opts;
	struct brig_report report;
	enum container_answer answer;

	if (!str_eq(o->format, "json"))
		return err_msg(e, EINVAL, "invalid format option: %s", o->format);
	const struct container_verify_opts v = {.id = c->args[0], .full = o->full};
	int r = container_verify(&c->host, &v, c->arena, &report, &answer, e);
	if (report.v)
		puts(report_print(c->arena, &report, NULL));
	if (r < 0)
		c->code = answer_code(answer);
	return r;
}

const struct verb verb_verify = {
	.name = "verify",
	.summary = "look whether a parked container is as its first generation was",
	.usage = "<container-id>",
	.text = "   Only of one made with `create --reuse`.  Prints a report as JSON, changes\n"
		"   nothing.  Exit codes: 0 clean; 75 it is not parked; 76 it is not clean.\n"
		"   docs/reuse.md\n",
	.options = options,
	.options_size = sizeof(struct verify_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = verify,
};
