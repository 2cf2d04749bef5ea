#include "cmd/brig/launch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "cmd/brig/globals.h"

#define AT(member) offsetof(struct launch_opts, member)

const struct opt launch_options[] = {
	{"bundle",         "b",  OPT_STRING, AT(create.bundle),         "DIR",
	 "directory of config.json and the root file system (default: the working directory)",                       NULL,
	 NULL														  },
	{"config",         NULL, OPT_STRING, AT(create.config_path),    "FILE",
	 "read this file instead of config.json in the bundle",                                                      NULL, NULL},
	{"console-socket", NULL, OPT_STRING, AT(create.console_socket), "PATH",
	 "UNIX socket that gets the master of the container's terminal",                                             NULL, NULL},
	{"pid-file",       NULL, OPT_STRING, AT(create.pid_file),       "FILE",
	 "write the process id of the container's init to this file",                                                NULL, NULL},
	{"pidfd-socket",   NULL, OPT_STRING, AT(create.pidfd_socket),   "PATH",
	 "UNIX socket that gets a pidfd of the container's init",                                                    NULL, NULL},
	{"no-pivot",       NULL, OPT_FLAG,   AT(create.no_pivot),       NULL,
	 "move the root instead of pivot_root(2), for a root on a ramdisk",                                          NULL, NULL},
	{"no-new-keyring", NULL, OPT_FLAG,   AT(create.no_new_keyring), NULL,
	 "keep the caller's session keyring",									NULL, NULL},
	{"preserve-fds",   NULL, OPT_U32,    AT(create.preserve_fds),   "N",
	 "pass N more file descriptors, from 3 on",								  NULL, NULL},
	{"level",          NULL, OPT_STRING, AT(create.level),          "LEVEL", "security level of this container",
	 NULL,													     NULL},
	{NULL,             NULL, OPT_FLAG,   0,                         NULL,    NULL,                               NULL, NULL},
};

const char launch_text[] =
	"   The bundle is a directory with the file config.json and a root file system.\n"
	"   The id names the container on this host and must not be in use.\n";

int launch_bundle(struct arena *a, const char *given, const char **out, struct err *e)
{
	const char *name = given && *given ? given : ".";
	own_free char *path = realpath(name, NULL);

	if (!path)
		return err_set(e, errno, "bundle %s", name);
	*out = arena_strdup(a, path);
	return 0;
}

int launch_paths(struct command *c, struct err *e)
{
	struct launch_opts *o = c->opts;
	const char **paths[] = {&o->create.config_path, &o->create.console_socket,
				&o->create.pid_file, &o->create.pidfd_socket};
	int r = 0;

	for (size_t i = 0; r == 0 && i < LEN(paths); i++)
		r = command_path(c->arena, *paths[i], paths[i], e);
	return r;
}

int launch_prepare(struct command *c, struct err *e)
{
	struct launch_opts *o = c->opts;
	int r = launch_bundle(c->arena, o->create.bundle, &o->create.bundle, e);

	o->create.id = c->args[0];
	return r < 0 ? r : launch_paths(c, e);
}
