#include "cmd/brig/direct.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"

#define AT(member) offsetof(struct run_opts, member)

const struct opt direct_options[] = {
	{"rootfs",        NULL, OPT_STRING,      AT(rootfs),           "DIR",
	 "direct mode: run the program in this root file system, without a bundle; / takes the "
	 "host's own programs",												       NULL, NULL          },
	{"policy",        NULL, OPT_STRING,      AT(policy),           "FILE",
	 "direct mode: a platform's policy document (docs/levels.md)",                                                                NULL, NULL          },
	{"id",            NULL, OPT_STRING,      AT(id),               "ID",           "name of the sandbox (default: a random one)", NULL,
	 NULL																	     },
	{"timeout",       NULL, OPT_MAYBE_TIME,  AT(timeout),          "TIME",
	 "end it after this time: 10s, 1m30s; exit code 124",									 NULL, NULL          },
	{"cpu-time",      NULL, OPT_MAYBE_TIME,  AT(cpu_time),         "TIME",
	 "end it when all its processes have used this much CPU time; exit code 124",                                                 NULL, NULL          },
	{"grace",         NULL, OPT_MAYBE_TIME,  AT(grace),            "TIME",
	 "at either limit SIGTERM first, this long before the kill",                                                                  NULL, NULL          },
	{"max-output",    NULL, OPT_MAYBE_BYTES, AT(output),           "SIZE",
	 "end it when it has written more to stdout and stderr",								      NULL, NULL          },
	{"memory",        NULL, OPT_MAYBE_BYTES, AT(memory),           "SIZE",         "memory limit: 512m, 1g",                      NULL, NULL          },
	{"swap",          NULL, OPT_MAYBE_BYTES, AT(swap),             "SIZE",         "swap beside the memory: 0 for none",
	 NULL,															      NULL          },
	{"cpus",          NULL, OPT_STRING,      AT(cpus),             "N",            "CPU time as a number of CPUs: 2, 0.5",        NULL,
	 NULL																	     },
	{"pin",           NULL, OPT_STRING,      AT(pin),              "WORD",
	 "none, cpus (as few as its quota needs, shared), cores (whole ones of its own)",                                             NULL,
	 NULL																	     },
	{"pids",          NULL, OPT_MAYBE_I64,   AT(pids),             "N",            "limit of processes and threads",              NULL, NULL          },
	{"nofile",        NULL, OPT_MAYBE_U64,   AT(nofile),           "N",            "limit of open files",                         NULL, NULL          },
	{"fsize",         NULL, OPT_MAYBE_BYTES, AT(fsize),            "SIZE",         "limit of the size of one file",               NULL,
	 NULL																	     },
	{"disk",          NULL, OPT_MAYBE_BYTES, AT(disk),             "SIZE",         "bytes over all writable places",              NULL,
	 NULL																	     },
	{"inodes",        NULL, OPT_MAYBE_I64,   AT(inodes),           "N",
	 "files and directories over all writable places",									    NULL, NULL          },
	{"io",            NULL, OPT_LIST,        AT(io),               "DEV:RATE,...",
	 "read and write rates of a device: /:rbps=10M,wiops=100",								    NULL, NULL          },
	{"write",         NULL, OPT_LIST,        AT(write),            "PATH[:SIZE]",
	 "one more writable place, empty and gone afterwards",									NULL, NULL          },
	{"ro",            NULL, OPT_LIST,        AT(ro),               "HOST[:PATH]",
	 "show a file or directory of the host, read-only",									   NULL, NULL          },
	{"bind",          NULL, OPT_LIST,        AT(bind),             "HOST[:PATH]",  "the same, writable",                          NULL, NULL          },
	{"net",           NULL, OPT_STRING,      AT(network.net),      "WAY",
	 "none (default), veth, pasta (a plain user) or join:PATH of a network namespace",                                            NULL,
	 NULL																	     },
	{"egress",        NULL, OPT_LIST,        AT(network.egress),   "GRANT",
	 "what may be reached: api.example.org:443, CIDR:203.0.113.0/24:8000-8100/tcp",                                               NULL, NULL          },
	{"ingress",       NULL, OPT_LIST,        AT(network.ingress),  "PORT",
	 "who may connect inward: 8080, 8000-8010/udp",									       NULL, NULL          },
	{"resolver",      NULL, OPT_LIST,        AT(network.resolver), "ADDRESS",
	 "name server for granted names (default: those of resolv.conf)",                                                             NULL, NULL          },
	{"net-rate",      NULL, OPT_MAYBE_U64,   AT(net_rate),         "N",            "new connections outward a second",
	 NULL,															      NULL          },
	{"net-open",      NULL, OPT_MAYBE_U64,   AT(net_open),         "N",            "connections outward at once",                 NULL,
	 NULL																	     },
	{"net-conns",     NULL, OPT_MAYBE_U64,   AT(net_conns),        "N",            "connections outward in all",                  NULL,
	 NULL																	     },
	{"net-bytes",     NULL, OPT_MAYBE_BYTES, AT(net_bytes),        "SIZE",
	 "bytes outward and inward in all",											   NULL, NULL          },
	{"net-bandwidth", NULL, OPT_MAYBE_BYTES, AT(net_bandwidth),    "SIZE",
	 "bytes a second, each way",												  NULL, NULL          },
	{"flows",         NULL, OPT_STRING,      AT(flows),            "FILE",         "write a JSON line for each connection",
	 NULL,															      NULL          },
	{"env",           "e",  OPT_LIST,        AT(env),              "K[=V]",        "environment; without a value the caller's",   NULL,
	 NULL																	     },
	{"user",          "u",  OPT_STRING,      AT(user),             "UID[:GID]",    "numbers (default: 1000:1000)",                NULL,
	 NULL																	     },
	{"cwd",           NULL, OPT_STRING,      AT(cwd),              "PATH",         "working directory (default: /workspace)",     NULL,
	 NULL																	     },
	{"lang",          NULL, OPT_STRING,      AT(language),         "WORD",
	 "narrow the filter to what a language needs: python, node, shell, native, jvm",                                              NULL,
	 NULL																	     },
	{"tty",           "t",  OPT_FLAG,        AT(tty),              NULL,           "a terminal",                                  NULL, NULL          },
	{"writable-root", NULL, OPT_FLAG,        AT(writable_root),    NULL,
	 "at level custom: do not make the root read-only",									   NULL, NULL          },
	{NULL,            NULL, OPT_FLAG,        0,                    NULL,           NULL,                                          NULL, launch_options},
};

const char direct_text[] =
	"   With --rootfs or --policy there is no bundle and no id, and all arguments are the\n"
	"   program: run --level high --rootfs / -- python3 job.py\n"
	"   Exit codes then: the program's own, 124 out of time, 125 brig failed, 126 not\n"
	"   executable, 127 not found, 128+n ended by signal n.\n";

bool direct_wanted(const struct run_opts *o)
{
	return o->rootfs || o->policy;
}

bool direct_wanted_by(char *const *argv)
{
	for (; *argv && !str_eq(*argv, "--"); argv++) {
		const char *word = *argv + strspn(*argv, "-");
		size_t dashes = (size_t)(word - *argv), len = strcspn(word, "=");

		if ((dashes == 1 || dashes == 2) && len == strlen("rootfs") &&
		    (str_starts(word, "rootfs") || str_starts(word, "policy")))
			return true;
	}
	return false;
}

int direct_unwanted(const struct run_opts *o, struct err *e)
{
	const struct {
		const char *name;
		bool given;
	} only[] = {
		{"id",            o->id                },
		{"timeout",       o->timeout           },
		{"cpu-time",      o->cpu_time          },
		{"grace",         o->grace             },
		{"max-output",    o->output            },
		{"swap",          o->swap              },
		{"fsize",         o->fsize             },
		{"disk",          o->disk              },
		{"inodes",        o->inodes            },
		{"io",            o->io.n              },
		{"memory",        o->memory            },
		{"cpus",          o->cpus              },
		{"pin",           o->pin               },
		{"pids",          o->pids              },
		{"nofile",        o->nofile            },
		{"write",         o->write.n           },
		{"ro",            o->ro.n              },
		{"bind",          o->bind.n            },
		{"net",           o->network.net       },
		{"egress",        o->network.egress.n  },
		{"ingress",       o->network.ingress.n },
		{"resolver",      o->network.resolver.n},
		{"net-rate",      o->net_rate          },
		{"net-open",      o->net_open          },
		{"net-conns",     o->net_conns         },
		{"net-bytes",     o->net_bytes         },
		{"net-bandwidth", o->net_bandwidth     },
		{"flows",         o->flows             },
		{"env",           o->env.n             },
		{"user",          o->user              },
		{"cwd",           o->cwd               },
		{"lang",          o->language          },
		{"tty",           o->tty               },
		{"writable-root", o->writable_root     },
	};

	for (size_t i = 0; i < sizeof(only) / sizeof(*only); i++)
		if (only[i].given)
			return err_msg(
				e, EINVAL,
				"--%s is for direct mode (--rootfs DIR): a bundle's config.json "
				"says it itself",
				only[i].name);
	return 0;
}

/* By whatever name: the host's root itself must not become the sandbox's. */
static bool is_host_root(const char *path)
{
	struct stat given, root;

	return stat(path, &given) == 0 && stat("/", &root) == 0 && given.st_dev == root.st_dev &&
	       given.st_ino == root.st_ino;
}

int direct_prepare(struct command *c, struct err *e)
{
	struct run_opts *o = c->opts;
	struct container_direct *d = arena_new(c->arena, sizeof(*d));
	const char *rootfs = o->rootfs ? o->rootfs : "/";

	if (o->launch.create.bundle || o->launch.create.config_path)
		return err_msg(e, EINVAL, "--%s and --rootfs contradict each other",
			       o->launch.create.bundle ? "bundle" : "config");
	if (!*rootfs)
		return err_msg(e, EINVAL, "--rootfs is empty");
	*d = (struct container_direct){
		.host_root = is_host_root(rootfs),
		.args = c->args,
		.env = o->env.items,
		.n_env = o->env.n,
		.ro = o->ro.items,
		.n_ro = o->ro.n,
		.bind = o->bind.items,
		.n_bind = o->bind.n,
		.write = o->write.items,
		.n_write = o->write.n,
		.network = launch_network(&o->network),
		.net_rate = o->net_rate,
		.net_open = o->net_open,
		.net_conns = o->net_conns,
		.net_bytes = o->net_bytes,
		.net_bandwidth = o->net_bandwidth,
		.user = o->user,
		.cwd = o->cwd,
		.language = o->language,
		.pin = o->pin,
		.memory = o->memory,
		.pids = o->pids,
		.nofile = o->nofile,
		.wall_ms = o->timeout,
		.cpu_ms = o->cpu_time,
		.grace_ms = o->grace,
		.output = o->output,
		.swap = o->swap,
		.fsize = o->fsize,
		.disk = o->disk,
		.inodes = o->inodes,
		.io = o->io.items,
		.n_io = o->io.n,
		.cpus = o->cpus,
		.tty = o->tty,
		.readonly = !o->writable_root,
	};
	o->launch.create.id = o->id;
	o->launch.create.direct = d;
	if (command_path(c->arena, rootfs, &d->rootfs, e) < 0 ||
	    command_path(c->arena, o->policy, &d->policy_file, e) < 0 ||
	    command_path(c->arena, o->flows, &d->flows, e) < 0)
		return -e->code;
	return launch_paths(c, e);
}
