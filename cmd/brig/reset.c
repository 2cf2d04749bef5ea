#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"
#include "specs/report.h"

struct reset_opts {
	struct container_reset_opts reset;
	const char *format, *lease;
};

#define AT(member) offsetof(struct reset_opts, member)

static const struct opt options[] = {
	{"check",         NULL, OPT_FLAG,      AT(reset.check),         NULL,
	 "change nothing: only tell whether it may be reset",                                              NULL,   NULL},
	{"kill",          NULL, OPT_FLAG,      AT(reset.kill),          NULL,   "end it first if it runs", NULL,   NULL},
	{"expect-gen",    NULL, OPT_MAYBE_U64, AT(reset.expect_gen),    "N",
	 "only from this generation; exit code 75 if it moved",                                            NULL,   NULL},
	{"keep-evidence", NULL, OPT_STRING,    AT(reset.keep_evidence), "DIR",
	 "of one that is tainted or not clean, keep what is known of it in this directory",                NULL,
	 NULL													  },
	{"format",        NULL, OPT_STRING,    AT(format),              "WORD", "json",                    "json", NULL},
	LEASE_ROW(AT(lease)),
	{NULL,            NULL, OPT_FLAG,      0,                       NULL,   NULL,                      NULL,   NULL},
};

static int reset(struct command *c, struct err *e)
{
	struct reset_opts *o = c->opts;
	struct brig_report report;
	enum container_answer answer;

	if (!str_eq(o->format, "json"))
		return err_msg(e, EINVAL, "invalid format option: %s", o->format);
	if (command_path(c->arena, o->reset.keep_evidence, &o->reset.keep_evidence, e) < 0)
		return -e->code;
	o->reset.id = c->args[0];
	answer_lease(c, o->lease);
	int r = container_reset(&c->host, &o->reset, c->arena, &report, &answer, e);
	if (report.v)
		puts(report_print(c->arena, &report, NULL));
	if (r < 0)
		c->code = answer_code(answer);
	return r;
}

const struct verb verb_reset = {
	.name = "reset",
	.summary = "make the next generation of a container that can be used again",
	.usage = "<container-id>",
	.text = "   Only of one made with `create --reuse`.  Prints a report as JSON.\n"
		"   Exit codes: 75 it runs, another command works on it or was first; 76 it is\n"
		"   tainted, retired or cannot be used again; 77 not allowed to the caller.\n"
		"   docs/reuse.md\n",
	.options = options,
	.options_size = sizeof(struct reset_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = reset,
};
