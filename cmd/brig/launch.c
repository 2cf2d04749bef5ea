#include "cmd/brig/launch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "cmd/brig/given.h"
#include "cmd/brig/globals.h"

#define AT(member) offsetof(struct launch_opts, member)

const struct opt launch_options[] = {
	{"bundle",         "b",  OPT_STRING,   AT(create.bundle),           "DIR",
	 "directory of config.json and the root file system (default: the working directory)",                              NULL,
	 NULL																     },
	{"config",         NULL, OPT_STRING,   AT(create.config_path),      "FILE",
	 "read this file instead of config.json in the bundle",                                                             NULL, NULL            },
	{"console-socket", NULL, OPT_STRING,   AT(create.console_socket),   "PATH",
	 "UNIX socket that gets the master of the container's terminal",                                                    NULL, NULL            },
	{"pid-file",       NULL, OPT_STRING,   AT(create.pid_file),         "FILE",
	 "write the process id of the container's init to this file",                                                       NULL, NULL            },
	{"pidfd-socket",   NULL, OPT_STRING,   AT(create.pidfd_socket),     "PATH",
	 "UNIX socket that gets a pidfd of the container's init",                                                           NULL, NULL            },
	{"no-pivot",       NULL, OPT_FLAG,     AT(create.no_pivot),         NULL,
	 "move the root instead of pivot_root(2), for a root on a ramdisk",                                                 NULL, NULL            },
	{"no-new-keyring", NULL, OPT_FLAG,     AT(create.no_new_keyring),   NULL,
	 "keep the caller's session keyring",									       NULL, NULL            },
	{"preserve-fds",   NULL, OPT_U32,      AT(create.preserve_fds),     "N",
	 "pass N more file descriptors, from 3 on",									 NULL, NULL            },
	{"level",          NULL, OPT_STRING,   AT(create.level),            "LEVEL",    "security level of this container",
	 NULL,														    NULL            },
	SECCOMP_ROW(AT(seccomp), ""),
	{"pin-wait",       NULL, OPT_DURATION, AT(create.pin_wait_ms),      "TIME",
	 "wait so long for exclusive cores that others have now",                                                           NULL, NULL            },
	{"audit",          NULL, OPT_STRING,   AT(create.audit),            "syscalls",
	 "write down each call that the system call filter denies",                                                         NULL, NULL            },
	{"grant",          NULL, OPT_LIST,     offsetof(struct launch_opts, grant),     "GRANT",
	 "what it may do beside its level: filesystem:read:/docs (docs/grants.md)",                                               NULL,             NULL},
	{NULL,		NULL,                 OPT_FLAG,          0,             NULL,             NULL,                               NULL,                   given_options},
};

const char launch_text[] =
	"   The bundle is a directory with the file config.json and a root file system.\n"
	"   The id names the container on this host and must not be in use.\n";

struct container_network launch_network(const struct network_opts *o)
{
	return (struct container_network){
		.net = o->net,
		.egress = o->egress.items,
		.n_egress = o->egress.n,
		.ingress = o->ingress.items,
		.n_ingress = o->ingress.n,
		.resolvers = o->resolver.items,
		.n_resolvers = o->resolver.n,
	};
}

int launch_file(struct arena *a, const char *option, const char *given, const char **out,
		struct err *e)
{
	own_free char *path = realpath(given, NULL);

	if (!path)
		return err_set(e, errno, "%s %s", option, given);
	*out = arena_strdup(a, path);
	return 0;
}

int launch_bundle(struct arena *a, const char *given, const char **out, struct err *e)
{
	return launch_file(a, "bundle", given && *given ? given : ".", out, e);
}

int launch_seccomp(struct command *c, struct opt_list *list, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->n; i++)
		r = *list->items[i] ? command_path(c->arena, list->items[i], &list->items[i], e)
				    : err_msg(e, EINVAL, "--seccomp is empty");
	return r;
}

int launch_paths(struct command *c, struct err *e)
{
	struct launch_opts *o = c->opts;
	const char **paths[] = {&o->create.config_path, &o->create.console_socket,
				&o->create.pid_file, &o->create.pidfd_socket};
	int r = 0;

	o->create.grants = o->grant.items;
	o->create.n_grants = o->grant.n;
	for (size_t i = 0; r == 0 && i < LEN(paths); i++)
		r = command_path(c->arena, *paths[i], paths[i], e);
	if (r == 0)
		r = launch_seccomp(c, &o->seccomp, e);
	o->create.seccomp = o->seccomp.items;
	o->create.n_seccomp = o->seccomp.n;
	return r < 0 ? r : given_take(o, e);
}

int launch_prepare(struct command *c, struct err *e)
{
	struct launch_opts *o = c->opts;
	int r = launch_bundle(c->arena, o->create.bundle, &o->create.bundle, e);

	o->create.id = c->args[0];
	return r < 0 ? r : launch_paths(c, e);
}
