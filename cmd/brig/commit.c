#include <stdio.h>

#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"

struct commit_opts {
	struct container_commit_opts commit;
	const char *lease;
};

#define AT(member) offsetof(struct commit_opts, member)

static const struct opt options[] = {
	{"check", NULL, OPT_FLAG, AT(commit.check), NULL,
	 "change nothing: only tell what would be done",                           NULL, NULL},
	{"skip",  NULL, OPT_FLAG, AT(commit.skip),  NULL,
	 "leave out what is neither file, directory nor a link that stays inside", NULL, NULL},
	LEASE_ROW(AT(lease)),
	{NULL,    NULL, OPT_FLAG, 0,                NULL, NULL,                    NULL, NULL},
};

static int commit(struct command *c, struct err *e)
{
	struct commit_opts *o = c->opts;
	enum container_answer answer = ANSWER_FAILED;
	const char *report = NULL;

	o->commit.id = c->args[0];
	o->commit.volume = c->n_args > 1 ? c->args[1] : NULL;
	answer_lease(c, o->lease);
	int r = container_commit(&c->host, &o->commit, c->arena, &report, &answer, e);
	if (report)
		puts(report);
	if (r < 0)
		c->code = answer_code(answer);
	return r;
}

const struct verb verb_commit = {
	.name = "commit",
	.summary = "make what a container has written to an overlay volume the host's",
	.usage = "<container-id> [<volume>]",
	.text = "   Only of one that has ended and keeps its layers.  Without a volume: all of "
		"them.\n"
		"   Nothing is done when the host has changed what the container changed, too.\n"
		"   Prints a report as JSON.  Exit codes: 75 it has not ended, or the host's\n"
		"   directory is changing; 76 a conflict, what is not committed, no layers; 77 "
		"not\n"
		"   allowed.  docs/layers.md\n",
	.options = options,
	.options_size = sizeof(struct commit_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.max_args = 2,
	.wants_id = true,
	.run = commit,
};
