#include "cmd/brig/member.h"
#include "cmd/brig/verbs.h"

struct create_opts {
	struct launch_opts launch; /* first: what is shared with run finds it there */
	struct member_opts member;
};

#define AT(name)  offsetof(struct create_opts, launch.create.name)
#define OWN(name) offsetof(struct create_opts, member.name)

static const struct opt options[] = {
	{"reuse",   NULL, OPT_FLAG, AT(reuse), NULL, "it can be reset and used again (docs/reuse.md)",
	 NULL, NULL},
	{"reuse-key", NULL, OPT_STRING, AT(reuse_key), "KEY",
	 "with --reuse: for whom it may be used again, kept in its state", NULL, NULL},
	MEMBER_ROWS(OWN, "with --reuse: "),
	{.more = launch_options    },
};

static int create(struct command *c, struct err *e)
{
	struct create_opts *o = c->opts;
	struct container_create_opts *to = &o->launch.create;
	int r = launch_prepare(c, e);

	if (r == 0)
		r = member_paths(c, &o->member, e);
	member_take(c->arena, &o->member, to);
	return r < 0 ? r : container_create(&c->host, to, e);
}

const struct verb verb_create = {
	.name = "create",
	.summary = "create a container",
	.usage = "<container-id>",
	.text = launch_text,
	.options = options,
	.options_size = sizeof(struct create_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.failed = "create failed",
	.failed_program = true,
	.run = create,
};
