#include "cmd/brig/member.h"

#include "cmd/brig/option_words.h"

#define AT(name) offsetof(struct member_opts, name)

static const struct opt rows[] = {
	MEMBER_ROWS(AT, ""),
	{NULL, NULL, OPT_FLAG, 0, NULL, NULL, NULL, NULL},
};

const char *member_given(struct arena *a, const struct member_opts *o)
{
	return options_given(a, rows, o)->name;
}

int member_paths(struct command *c, struct member_opts *o, struct err *e)
{
	return command_path(c->arena, o->packages, &o->packages, e);
}

/* NULL: nothing is said of it. */
static const struct container_network *network(struct arena *a, const struct member_opts *o)
{
	const struct container_network given = launch_network(&o->network);
	struct container_network *n = arena_new(a, sizeof(*n));

	*n = given;
	return n->net || n->n_egress || n->n_ingress || n->n_resolvers ? n : NULL;
}

void member_take(struct arena *a, const struct member_opts *o, struct container_create_opts *to)
{
	to->max_uses = o->max_uses;
	to->max_age_ms = o->max_age_ms;
	to->max_idle_ms = o->max_idle_ms;
	to->retire_on = o->retire_on;
	to->digests = o->digests;
	to->packages = o->packages;
	to->keep_layers = o->keep_layers;
	to->network = network(a, o);
	to->volumes = o->volume.items;
	to->n_volumes = o->volume.n;
}
