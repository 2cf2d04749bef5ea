#include <errno.h>

#include "base/own.h"
#include "cmd/brig/answer.h"
#include "cmd/brig/given.h"
#include "cmd/brig/verbs.h"

struct exec_opts {
	struct container_exec_opts exec;
	struct opt_list env, caps, cgroups, ctx;
	struct opt_u32_list groups;
	const char *lease;
};

#define AT(member) offsetof(struct exec_opts, member)

static const struct opt options[] = {
	{"console-socket",  NULL, OPT_STRING,    AT(exec.console_socket), "PATH",
	 "UNIX socket that gets the master of the process's terminal",                                                                   NULL, NULL},
	{"pidfd-socket",    NULL, OPT_STRING,    AT(exec.pidfd_socket),   "PATH",
	 "UNIX socket that gets a pidfd of the process",										 NULL, NULL},
	{"cwd",             NULL, OPT_STRING,    AT(exec.cwd),            "DIR",                   "working directory in the container", NULL,
	 NULL																      },
	{"env",             "e",  OPT_LIST,      AT(env),                 "NAME=VALUE",            "set an environment variable",        NULL, NULL},
	{"tty",             "t",  OPT_FLAG,      AT(exec.tty),            NULL,                    "give the process a terminal",        NULL, NULL},
	{"user",            "u",  OPT_STRING,    AT(exec.user),           "UID[:GID]",             "ids to run as",                      NULL, NULL},
	{"additional-gids", "g",  OPT_U32_LIST,  AT(groups),              "GID",                   "an additional group",                NULL,
	 NULL																      },
	{"process",         "p",  OPT_STRING,    AT(exec.process_file),   "FILE",
	 "JSON of the process, instead of a command",										    NULL, NULL},
	{"detach",          "d",  OPT_FLAG,      AT(exec.detach),         NULL,                    "do not wait for the process",        NULL, NULL},
	{"pid-file",        NULL, OPT_STRING,    AT(exec.pid_file),       "FILE",
	 "write the process id to this file",											    NULL, NULL},
	{"process-label",   NULL, OPT_STRING,    AT(exec.process_label),  "LABEL",
	 "SELinux label of the process",												 NULL, NULL},
	{"apparmor",        NULL, OPT_STRING,    AT(exec.apparmor),       "PROFILE",
	 "AppArmor profile of the process",											      NULL, NULL},
	{"no-new-privs",    NULL, OPT_FLAG,      AT(exec.no_new_privs),   NULL,
	 "the process can gain no privileges by execve(2)",									      NULL, NULL},
	{"cap",             "c",  OPT_LIST,      AT(caps),                "CAP",                   "add a capability",                   NULL, NULL},
	{"preserve-fds",    NULL, OPT_U32,       AT(exec.preserve_fds),   "N",
	 "pass N more file descriptors, from 3 on",										      NULL, NULL},
	{"cgroup",          NULL, OPT_LIST,      AT(cgroups),             "[CONTROLLER,...:]PATH",
	 "run in a cgroup below the container's",											NULL, NULL},
	{"ignore-paused",   NULL, OPT_FLAG,      AT(exec.ignore_paused),  NULL,
	 "no error when the container is paused",											NULL, NULL},
	{"ctx",             NULL, OPT_LIST,      AT(ctx),                 "KEY=VALUE",
	 "whose request it is: request_id, principal (only its hash is kept)",                                                           NULL, NULL},
	{"env-fd",          NULL, OPT_MAYBE_U64, AT(exec.env_fd),         "FD",
	 "read more environment, NAME=VALUE lines, from this descriptor",                                                                NULL, NULL},
	LEASE_ROW(AT(lease)),
	{NULL,              NULL, OPT_FLAG,      0,                       NULL,                    NULL,                                 NULL, NULL},
};

static int exec(struct command *c, struct err *e)
{
	struct exec_opts *o = c->opts;
	const char **paths[] = {&o->exec.console_socket, &o->exec.pidfd_socket, &o->exec.pid_file,
				&o->exec.process_file};
	int r = 0;

	if (!o->exec.process_file && c->n_args < 2)
		return err_msg(e, EINVAL, "process args cannot be empty");
	for (size_t i = 0; r == 0 && i < LEN(paths); i++)
		r = command_path(c->arena, *paths[i], paths[i], e);
	if (r == 0)
		r = given_ctx(&o->ctx, &o->exec.ctx_request, &o->exec.ctx_principal, e);
	if (r < 0)
		return r;
	o->exec.id = c->args[0];
	o->exec.args = c->args + 1;
	o->exec.env = o->env.items;
	o->exec.caps = o->caps.items;
	o->exec.cgroups = o->cgroups.items;
	o->exec.groups = o->groups.items;
	o->exec.n_groups = o->groups.n;
	answer_lease(c, o->lease);
	r = container_exec(&c->host, &o->exec, &c->code, e);
	if (r < 0)
		c->code = answer_lease_code(e, c->code);
	return r;
}

const struct verb verb_exec = {
	.name = "exec",
	.summary = "run a process in a container",
	.usage = "<container-id> <command> [args...] || -p process.json <container-id>",
	.text = "   Everything behind the id belongs to the command.\n",
	.options = options,
	.options_size = sizeof(struct exec_opts),
	.order = OPT_STOP,
	.min_args = 1,
	.max_args = ANY_ARGS,
	.wants_id = true,
	.runs_program = true,
	.failed = "exec failed",
	.code_failed = CODE_EXEC_FAILED,
	.run = exec,
};
