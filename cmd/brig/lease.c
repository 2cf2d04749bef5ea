#include <errno.h>
#include <stdio.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"
#include "pools.h"
#include "specs/json_print.h"
#include "specs/report.h"

struct lease_opts {
	const char *key, *holder, *lease;
	const uint64_t *ttl, *wait;
	bool defer;
};

#define AT(member) offsetof(struct lease_opts, member)

static const struct opt options[] = {
	{"key",    NULL, OPT_STRING,     AT(key),    "KEY",   "acquire: for whom it is used",                NULL, NULL},
	{"ttl",    NULL, OPT_MAYBE_TIME, AT(ttl),    "TIME",  "acquire, renew: how long it holds from now",
	 NULL,												     NULL},
	{"wait",   NULL, OPT_MAYBE_TIME, AT(wait),   "TIME",  "acquire: wait so long for a free one",
	 NULL,												     NULL},
	{"holder", NULL, OPT_STRING,     AT(holder), "WORD",
	 "acquire: what pool status calls the holder",						       NULL, NULL},
	{"lease",  NULL, OPT_STRING,     AT(lease),  "TOKEN", "renew, release: what acquire printed",
	 NULL,												     NULL},
	{"defer",  NULL, OPT_FLAG,       AT(defer),  NULL,    "release: leave the reset to whoever is next",
	 NULL,												     NULL},
	{NULL,     NULL, OPT_FLAG,       0,          NULL,    NULL,                                          NULL, NULL},
};

static void print(struct arena *a, const struct container_lease *l)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_object(&o);
	json_key_int(&o, "v", 1);
	json_key_str(&o, "id", l->id);
	json_key_uint(&o, "generation", l->generation);
	if (l->token)
		json_key_str(&o, "token", l->token);
	json_key_str(&o, "expires", l->expires);
	json_key_uint(&o, "expiresMs", l->expires_ms);
	json_end_object(&o);
	puts(json_done(&o, NULL));
}

static int acquire(struct command *c, struct err *e)
{
	const struct lease_opts *o = c->opts;
	const struct container_acquire q = {
		.pool = c->args[1],
		.lease = {.key = o->key, .holder = o->holder, .ttl_ms = *o->ttl},
		.wait_ms = o->wait ? *o->wait : 0,
	};
	struct container_lease l;
	enum container_answer answer;
	int r = container_lease_acquire(&c->host, &q, c->arena, &l, &answer, e);

	if (r < 0)
		c->code = answer_code(answer);
	else
		print(c->arena, &l);
	return r;
}

static int renew(struct command *c, struct err *e)
{
	const struct lease_opts *o = c->opts;
	struct container_lease l;
	enum container_answer answer;
	int r = container_lease_renew(&c->host, c->args[1], *o->ttl, c->arena, &l, &answer, e);

	if (r < 0)
		c->code = answer_code(answer);
	else
		print(c->arena, &l);
	return r;
}

static int release(struct command *c, struct err *e)
{
	const struct lease_opts *o = c->opts;
	struct brig_report report;
	enum container_answer answer;
	int r = container_lease_release(&c->host, c->args[1], o->defer, c->arena, &report, &answer,
					e);

	if (report.v)
		puts(report_print(c->arena, &report, NULL));
	if (r < 0)
		c->code = answer_code(answer);
	return r;
}

enum takes { ACQUIRE = 1, TTL = 2, TOKEN = 4, RELEASE = 8 };

static int check(const struct lease_opts *o, unsigned int takes, struct err *e)
{
	const struct {
		const char *name;
		bool given;
		unsigned int of;
	} rows[] = {
		{"key",    o->key,    ACQUIRE},
                {"wait",   o->wait,   ACQUIRE},
		{"holder", o->holder, ACQUIRE},
                {"ttl",    o->ttl,    TTL    },
		{"lease",  o->lease,  TOKEN  },
                {"defer",  o->defer,  RELEASE},
	};

	for (size_t i = 0; i < LEN(rows); i++)
		if (rows[i].given && !(rows[i].of & takes))
			return err_msg(e, EINVAL, "--%s is not for it", rows[i].name);
	return takes & TTL && !o->ttl ? err_msg(e, EINVAL, "--ttl is needed") : 0;
}

static int lease(struct command *c, struct err *e)
{
	static const struct {
		const char *name;
		int (*run)(struct command *c, struct err *e);
		unsigned int takes;
	} words[] = {
		{"acquire", acquire, ACQUIRE | TTL  },
		{"renew",   renew,   TOKEN | TTL    },
		{"release", release, TOKEN | RELEASE},
	};
	const struct lease_opts *o = c->opts;

	for (size_t i = 0; i < LEN(words); i++) {
		if (!str_eq(words[i].name, c->args[0]))
			continue;
		if (check(o, words[i].takes, e) < 0)
			return err_wrap(e, "%s", words[i].name);
		answer_lease(c, o->lease);
		return words[i].run(c, e);
	}
	return err_msg(e, EINVAL, "\"%.40s\" is none of acquire, renew, release", c->args[0]);
}

const struct verb verb_lease = {
	.name = "lease",
	.summary = "get a sandbox of a pool for a time, and give it back",
	.usage = "acquire <pool> | renew <container-id> | release <container-id>",
	.text = "   acquire  prints {id, generation, token, expires} of one that nobody else has\n"
		"   renew    moves the end to --ttl from now, never to an earlier time\n"
		"   release  ends what runs, resets it and prints the report of that\n"
		"   start, exec, reset and grant want the token, too: --lease or BRIG_LEASE.\n"
		"   Exit codes: 75 none is free, or another command works on it; 76 the pool is\n"
		"   draining, the sandbox is tainted or retired; 77 no such lease, or it has run\n"
		"   out.  docs/pools.md\n",
	.options = options,
	.options_size = sizeof(struct lease_opts),
	.order = OPT_MIXED,
	.min_args = 2,
	.failed = "lease",
	.run = lease,
};
