#include "cmd/brig/criu.h"
#include "cmd/brig/launch.h"
#include "cmd/brig/verbs.h"

#define AT(member) offsetof(struct criu_opts, member)

static const struct opt options[] = {
	{"bundle",						       "b", OPT_STRING, AT(bundle), "DIR",
	 "directory of config.json and the root file system (default: the working directory)", NULL,
	 NULL},
	{"console-socket",						    NULL, OPT_STRING, AT(console_socket), "PATH",
	 "UNIX socket that gets the master of the container's terminal", NULL, NULL},
	{"detach",							 "d", OPT_FLAG, AT(detach), NULL, "do not wait for the container's end", NULL,
	 NULL},
	{"pid-file",							  NULL, OPT_STRING, AT(pid_file), "FILE",
	 "write the process id of the container's init to this file", NULL, NULL},
	{"no-subreaper",							      NULL, OPT_FLAG, AT(no_subreaper), NULL,
	 "do not adopt the container's orphans", NULL, NULL},
	{"no-pivot",       NULL, OPT_FLAG, AT(no_pivot), NULL,
	 "move the root instead of pivot_root(2), for a root on a ramdisk", NULL, NULL},
	{"lsm-profile",					    NULL, OPT_STRING, AT(lsm_profile), "TYPE:NAME",
	 "another security profile than the saved one", NULL, NULL},
	{"lsm-mount-context", NULL, OPT_STRING, AT(lsm_mount_context), "CONTEXT",
	 "another SELinux mount context than the saved one", NULL, NULL},
	{.more = criu_options							 },
};

static int restore(struct command *c, struct err *e)
{
	const struct criu_opts *o = c->opts;
	struct container_restore_opts to = {
		.lsm_profile = o->lsm_profile && *o->lsm_profile ? o->lsm_profile : NULL,
		.lsm_mount_context =
			o->lsm_mount_context && *o->lsm_mount_context ? o->lsm_mount_context : NULL,
		.detach = o->detach,
		.no_subreaper = o->no_subreaper,
	};
	int r = criu_prepare(c, &to.criu, e);

	if (r == 0)
		r = launch_bundle(c->arena, o->bundle, &to.bundle, e);
	if (r == 0)
		r = command_path(c->arena, o->console_socket, &to.console_socket, e);
	if (r == 0)
		r = command_path(c->arena, o->pid_file, &to.pid_file, e);
	return r < 0 ? r : container_restore(&c->host, &to, &c->code, e);
}

const struct verb verb_restore = {
	.name = "restore",
	.summary = "start a container from images of a checkpoint",
	.usage = "<container-id>",
	.options = options,
	.options_size = sizeof(struct criu_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.failed = "restore",
	.run = restore,
};
