#include <errno.h>

#include "cmd/brig/signals.h"
#include "cmd/brig/verbs.h"

struct kill_opts {
	bool all;
};

static const struct opt options[] = {
	{"all", "a", OPT_FLAG, offsetof(struct kill_opts, all), NULL,
	 "signal every process of the container",                                            NULL, NULL},
	{NULL,     NULL,     OPT_FLAG,     0,                  NULL,                 NULL, NULL, NULL},
};

static int kill_container(struct command *c, struct err *e)
{
	const struct kill_opts *o = c->opts;
	const char *word = c->n_args > 1 ? c->args[1] : "TERM";
	int sig;

	if (!signal_parse(word, &sig))
		return err_msg(e, EINVAL, "unknown signal \"%s\"", word);
	return container_kill(&c->host, c->args[0], sig, o->all, e);
}

const struct verb verb_kill = {
	.name = "kill",
	.summary = "send a signal (default: SIGTERM) to the container's init process",
	.usage = "<container-id> [signal]",
	.text = "   A signal is a name, with or without SIG, or a number; 0 only checks.\n",
	.options = options,
	.options_size = sizeof(struct kill_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.max_args = 2,
	.wants_id = true,
	.run = kill_container,
};
