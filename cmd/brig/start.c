#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"

struct start_opts {
	struct container_start_opts start;
	struct opt_list inputs, egress, secret, grant;
	const char *lease;
};

#define AT(member) offsetof(struct start_opts, start.member)

static const struct opt options[] = {
	{"expect-gen",						      NULL, OPT_MAYBE_U64, AT(expect_gen),                                                  "N",
	 "only this generation, as it was made; else exit code 75",																								      NULL,                                                                         NULL                                                                    },
	{"process",							 "p",  OPT_STRING,    AT(process_file),                                                "FILE",
	 "JSON of what it runs instead of config.json's program, - for standard input",																						  NULL,                                                                         NULL                                                                    },
	{"env-fd",							  NULL, OPT_MAYBE_U64, AT(env_fd),						      "N",
	 "more of its environment, read from this descriptor",																									   NULL,									 NULL                                                                    },
	{"in",							      NULL, OPT_LIST,      offsetof(struct start_opts,                                      inputs),                          "SRC:DST",
	 "copy this file or directory of the host to this writable place",																																	     NULL,                                                                     NULL},
	{"egress",								 NULL,							      OPT_LIST,       offsetof(struct start_opts, egress), "GRANT",
	 "of the grants of its plan keep only this one and others so named, or none",																  NULL,																																									    NULL},
	{"memory",							     NULL,								 OPT_MAYBE_BYTES,								       AT(memory),								      "BYTES",                       "less memory than was planned",          NULL,
	 NULL},
	{"pids",							      NULL,								  OPT_MAYBE_I64,									  AT(pids),									"N",
	 "fewer processes and threads than were planned",            NULL,              NULL																																												       },
	{"cpus",							     NULL,								 OPT_STRING,									 AT(cpus),									"N",                              "less CPU time than was planned: 2, 0.5 or 500m",
	 NULL,      NULL},
	{"timeout",							     NULL,								 OPT_MAYBE_TIME,								      AT(wall_ms),								     "TIME",                       "end it earlier than was planned",
	 NULL,       NULL																																															      },
	{"cpu-time",							     NULL,								 OPT_MAYBE_TIME,								     AT(cpu_ms),								    "TIME",
	 "end it when it used so much CPU time, less than was planned",           NULL,        NULL																																											 },
	{"idempotency-key",							     NULL,								 OPT_STRING,							      AT(idempotency_key),                                                             "KEY",
	 "of who asked a second time for the same start nothing is done, and of others exit code "
	 "75",      NULL,          NULL																																																		  },
	{"secret",							     NULL,								 OPT_LIST,								       offsetof(struct start_opts,								      secret),                              "NAME=FD",
	 "a file in /run/secrets of this generation, read from a descriptor",NULL,NULL},
	{"grant",							     NULL,							     OPT_LIST,									  offsetof(struct start_opts,																   grant),												   "GRANT",
	 "granted to this generation before it begins, as by `brig grant`",										    NULL,																																																	     NULL},
	LEASE_ROW(offsetof(struct start_opts, lease)),
	{NULL, NULL, OPT_FLAG,          0,									 NULL,												      NULL,																				     NULL,																		      NULL},
};

static int start_container(struct command *c, struct err *e)
{
	struct start_opts *o = c->opts;
	enum container_answer answer;

	o->start.id = c->args[0];
	o->start.inputs = o->inputs.items;
	o->start.n_inputs = o->inputs.n;
	o->start.egress = o->egress.items;
	o->start.n_egress = o->egress.n;
	o->start.secrets = o->secret.items;
	o->start.n_secrets = o->secret.n;
	o->start.grants = o->grant.items;
	o->start.n_grants = o->grant.n;
	answer_lease(c, o->lease);
	int r = container_start(&c->host, &o->start, &answer, e);

	if (r < 0)
		c->code = answer_code(answer);
	return r;
}

const struct verb verb_start = {
	.name = "start",
	.summary = "start the program of a created container",
	.usage = "<container-id>",
	.text = "   All options but --expect-gen are for containers of `create --reuse`: "
		"docs/reuse.md.\n"
		"   With --process the program gets the standard streams of this command.\n",
	.options = options,
	.options_size = sizeof(struct start_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = start_container,
};
