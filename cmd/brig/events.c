#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "cmd/brig/verbs.h"

struct events_opts {
	uint64_t interval;
	bool stats;
};

#define AT(member) offsetof(struct events_opts, member)

static const struct opt options[] = {
	{"interval", NULL, OPT_DURATION, AT(interval), "TIME", "time between two lines of figures",
	 "5s",											    NULL},
	{"stats",    NULL, OPT_FLAG,     AT(stats),    NULL,   "print one line of figures and end", NULL, NULL},
	{NULL,       NULL, OPT_FLAG,     0,            NULL,   NULL,                                NULL, NULL},
};

/* A reader gets each event when it happens; a reader that went away ends the verb. */
static int print_event(void *ctx, const char *type, const char *json)
{
	const char *id = ctx;

	/* The id's alphabet needs no escapes. */
	printf("{\"type\":\"%s\",\"id\":\"%s\"", type, id);
	if (json)
		printf(",\"data\":%s", json);
	puts("}");
	return fflush(stdout) != 0;
}

static int events(struct command *c, struct err *e)
{
	const struct events_opts *o = c->opts;
	struct container_info info;
	char *id = arena_strdup(c->arena, c->args[0]), *json;
	int r;

	if (!o->interval)
		return err_msg(e, EINVAL, "duration interval must be greater than 0");
	r = container_state(&c->host, id, c->arena, &info, e);
	if (r < 0)
		return r;
	if (str_eq(info.status, "stopped"))
		return err_msg(e, ESRCH, "container with id %s is not running", id);
	if (!o->stats)
		return container_events(&c->host, id, o->interval, print_event, id, e);
	r = container_stats(&c->host, id, c->arena, &json, e);
	if (r == 0)
		print_event(id, "stats", json); /* a failed write shows in stdout's state */
	return r;
}

const struct verb verb_events = {
	.name = "events",
	.summary = "print out-of-memory events and usage figures of a container",
	.usage = "<container-id>",
	.options = options,
	.options_size = sizeof(struct events_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = events,
};
