#include "cmd/brig/criu.h"
#include "cmd/brig/verbs.h"

#define AT(member) offsetof(struct criu_opts, member)

static const struct opt options[] = {
	{"leave-running", NULL, OPT_FLAG, AT(leave_running), NULL,
	 "let the container run on afterwards", NULL, NULL},
	{"parent-path",       NULL, OPT_STRING, AT(parent_path), "DIR",
	 "images of the earlier pre-dump, relative to the new ones", NULL, NULL},
	{"pre-dump",           NULL, OPT_FLAG, AT(pre_dump), NULL,
	 "save only the memory and let the container run on", NULL, NULL},
	{"status-fd",           NULL, OPT_MAYBE_I64, AT(status_fd), "FD",
	 "gets a zero byte when lazy pages can be fetched", "-1", NULL},
	{"page-server",               NULL, OPT_STRING, AT(page_server), "ADDRESS:PORT",
	 "send the pages to this server", NULL, NULL},
	{.more = criu_options    },
};

static int checkpoint(struct command *c, struct err *e)
{
	const struct criu_opts *o = c->opts;
	struct container_checkpoint_opts to = {
		.parent_path = o->parent_path && *o->parent_path ? o->parent_path : NULL,
		.page_server = o->page_server && *o->page_server ? o->page_server : NULL,
		.status_fd = o->status_fd ? (int)*o->status_fd : -1,
		.leave_running = o->leave_running,
		.pre_dump = o->pre_dump,
	};
	int r = criu_prepare(c, &to.criu, e);

	return r < 0 ? r : container_checkpoint(&c->host, &to, e);
}

const struct verb verb_checkpoint = {
	.name = "checkpoint",
	.summary = "save a running container to images",
	.usage = "<container-id>",
	.options = options,
	.options_size = sizeof(struct criu_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.failed = "checkpoint",
	.run = checkpoint,
};
