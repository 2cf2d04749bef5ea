#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"

struct collect_opts {
	struct container_collect_opts collect;
	bool to_tar;
	const char *lease;
};

#define AT(member) offsetof(struct collect_opts, collect.member)

static const struct opt options[] = {
	{"max-bytes", NULL, OPT_MAYBE_BYTES, AT(max_bytes),                "BYTES",
	 "refuse what is larger, holes counted (default: 1G)",                                  NULL,                NULL},
	{"max-files", NULL, OPT_MAYBE_U64,   AT(max_files),                "N",
	 "refuse more files and directories (default: 65536)",                                  NULL,                NULL},
	{"tar",       NULL, OPT_FLAG,        offsetof(struct collect_opts, to_tar), NULL,
	 "write a tar archive to standard output",								   NULL, NULL},
	LEASE_ROW(offsetof(struct collect_opts, lease)),
	{NULL,           NULL,            OPT_FLAG,             0,                      NULL,                NULL, NULL, NULL},
};

static int collect(struct command *c, struct err *e)
{
	struct collect_opts *o = c->opts;
	enum container_answer answer = ANSWER_FAILED;
	const char *report = NULL;
	size_t wanted = o->to_tar ? 2 : 3;

	if (c->n_args != wanted)
		return err_msg(e, EINVAL, "%s",
			       o->to_tar ? "--tar takes an id and a source"
					 : "an id, a source and a destination");
	if (o->to_tar && isatty(STDOUT_FILENO))
		return err_msg(e, EINVAL, "--tar: standard output is a terminal");
	o->collect.id = c->args[0];
	o->collect.source = c->args[1];
	o->collect.destination = o->to_tar ? NULL : c->args[2];
	o->collect.tar = STDOUT_FILENO;
	answer_lease(c, o->lease);
	int r = container_collect(&c->host, &o->collect, c->arena, &report, &answer, e);
	if (report)
		fprintf(o->to_tar ? stderr : stdout, "%s\n", report);
	if (r < 0)
		c->code = answer_code(answer);
	return r;
}

const struct verb verb_collect = {
	.name = "collect",
	.summary = "copy out what a container that keeps its layers has written",
	.usage = "<container-id> <source> [<destination>]",
	.text = "   Regular files and directories only, without setuid and setgid bits, owned by "
		"the\n"
		"   caller.  The destination must not be there yet, and no symbolic link may lead "
		"to\n"
		"   it.  What was copied is removed when not all could be.  Prints a report as "
		"JSON.\n"
		"   Exit codes: 75 something changed meanwhile; 76 it keeps none, or they are "
		"gone;\n"
		"   77 not allowed.  docs/layers.md\n",
	.options = options,
	.options_size = sizeof(struct collect_opts),
	.order = OPT_MIXED,
	.min_args = 2,
	.max_args = 3,
	.wants_id = true,
	.run = collect,
};
