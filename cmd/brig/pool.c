#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/brig/answer.h"
#include "cmd/brig/member.h"
#include "cmd/brig/verbs.h"
#include "pools.h"
#include "specs/result.h"

struct pool_opts {
	struct member_opts member;
	struct opt_list seccomp;
	const uint64_t *min, *max, *shrink;
	const char *evidence;
	const char *bundle, *level, *format, *key, *holder, *process, *result;
	const uint64_t *ttl, *wait, *timeout, *env_fd;
	bool force, behind;
};

#define AT(name)     offsetof(struct pool_opts, name)
#define MEMBER(name) AT(member.name)

static const struct opt options[] = {
	{"min",           NULL, OPT_MAYBE_U64,  AT(min),      "N",     "ensure: so many are kept parked",            NULL, NULL},
	{"max",           NULL, OPT_MAYBE_U64,  AT(max),      "N",     "ensure: so many there are at most",          NULL, NULL},
	{"bundle",        "b",  OPT_STRING,     AT(bundle),   "DIR",   "ensure: what they are made from",            NULL,
	 NULL														  },
	{"level",         NULL, OPT_STRING,     AT(level),    "LEVEL", "ensure: their security level",               NULL, NULL},
	MEMBER_ROWS(MEMBER, "ensure: "),
	SECCOMP_ROW(AT(seccomp), "ensure: "),
	{"keep-evidence", NULL, OPT_STRING,     AT(evidence), "DIR",
	 "ensure: what is known of tainted ones",								    NULL, NULL},
	{"shrink-after",  NULL, OPT_MAYBE_TIME, AT(shrink),   "TIME",
	 "ensure: parked so long, more than min are deleted",                                                        NULL, NULL},
	{"format",        NULL, OPT_STRING,     AT(format),   "WORD",  "status: table, json or openmetrics",
	 "table",													  NULL},
	{"force",         NULL, OPT_FLAG,       AT(force),    NULL,    "remove: end what runs",                      NULL, NULL},
	{"key",           NULL, OPT_STRING,     AT(key),      "KEY",   "run: for whom it is used",                   NULL, NULL},
	{"holder",        NULL, OPT_STRING,     AT(holder),   "WORD",  "run: what pool status calls the holder",
	 NULL,													     NULL},
	{"ttl",           NULL, OPT_MAYBE_TIME, AT(ttl),      "TIME",  "run: it is ended then, even if brig is not",
	 NULL,													     NULL},
	{"wait",          NULL, OPT_MAYBE_TIME, AT(wait),     "TIME",  "run: wait so long for a free one",           NULL,
	 NULL														  },
	{"timeout",       NULL, OPT_MAYBE_TIME, AT(timeout),  "TIME",
	 "run: end the program then, exit code 124",								 NULL, NULL},
	{"process",       "p",  OPT_STRING,     AT(process),  "FILE",
	 "run: JSON of what it runs, as start takes it",							     NULL, NULL},
	{"env-fd",        NULL, OPT_MAYBE_U64,  AT(env_fd),   "N",     "run: more of its environment",               NULL,
	 NULL														  },
	{"result",        NULL, OPT_STRING,     AT(result),   "FILE",  "run: write there how it ended",              NULL,
	 NULL														  },
	{"behind",        NULL, OPT_FLAG,       AT(behind),   NULL,    "run: answer first, then reset",              NULL, NULL},
	{NULL,            NULL, OPT_FLAG,       0,            NULL,    NULL,                                         NULL, NULL},
};

static int failed(struct command *c, enum container_answer answer, int r)
{
	if (r < 0)
		c->code = answer_code(answer);
	return r;
}

static void print_json(struct arena *a, const struct pool_status *s)
{
	if (s->pool.v)
		puts(pool_status_json(a, s, 1, false, NULL));
}

/* Each member that is made reads them: no name that means this process's only. */
static int take_files(struct command *c, struct pool_opts *o, struct container_create_opts *to,
		      struct err *e)
{
	struct opt_list *list = &o->seccomp;

	if (member_paths(c, &o->member, e) < 0 || launch_seccomp(c, list, e) < 0)
		return -e->code;
	if (o->member.packages &&
	    launch_file(c->arena, "--packages", o->member.packages, &o->member.packages, e) < 0)
		return -e->code;
	for (size_t i = 0; i < list->n; i++)
		if (launch_file(c->arena, "--seccomp", list->items[i], &list->items[i], e) < 0)
			return -e->code;
	to->seccomp = list->items;
	to->n_seccomp = list->n;
	member_take(c->arena, &o->member, to);
	return 0;
}

static int ensure(struct command *c, struct err *e)
{
	struct pool_opts *o = c->opts;
	struct container_pool_wish w = {
		.name = c->args[1],
		.min = o->min,
		.max = o->max,
		.shrink_ms = o->shrink,
		.member.level = o->level ? o->level : c->host.level,
	};
	struct pool_status s;
	enum container_answer answer;

	if (o->bundle && launch_bundle(c->arena, o->bundle, &w.member.bundle, e) < 0)
		return -e->code;
	if (take_files(c, o, &w.member, e) < 0 ||
	    command_path(c->arena, o->evidence, &w.evidence, e) < 0 ||
	    command_path(c->arena, c->host.system_config, &c->host.system_config, e) < 0)
		return -e->code;
	int r = container_pool_ensure(&c->host, &w, c->arena, &s, &answer, e);
	print_json(c->arena, &s);
	return failed(c, answer, r);
}

static int drain(struct command *c, struct err *e)
{
	struct pool_status s;
	enum container_answer answer;
	int r = container_pool_drain(&c->host, c->args[1], c->arena, &s, &answer, e);

	print_json(c->arena, &s);
	return failed(c, answer, r);
}

static int killall(struct command *c, struct err *e)
{
	struct pool_status s;
	enum container_answer answer;
	int r = container_pool_killall(&c->host, c->args[1], c->arena, &s, &answer, e);

	print_json(c->arena, &s);
	return failed(c, answer, r);
}

static int remove_pool(struct command *c, struct err *e)
{
	const struct pool_opts *o = c->opts;
	enum container_answer answer;
	int r = container_pool_remove(&c->host, c->args[1], o->force, &answer, e);

	return failed(c, answer, r);
}

/* --- status --------------------------------------------------------------------------------- */

static void print_table(const struct pool_status *s, size_t n)
{
	printf("%-20s %-10s %-5s %-10s %-6s %-5s %s\n", "POOL", "MEMBER", "GEN", "CONDITION",
	       "USES", "LEASE", "HOLDER");
	for (size_t i = 0; i < n; i++) {
		if (!s[i].n_members)
			printf("%-20s %-10s\n", s[i].pool.name, "-");
		for (size_t k = 0; k < s[i].n_members; k++) {
			const struct pool_member *m = &s[i].members[k];

			char left[24] = "-";

			if (m->lease_ms)
				snprintf(left, sizeof(left), "%llus",
					 (unsigned long long)m->lease_ms / 1000);
			printf("%-20s %-10llu %-5llu %-10s %-6llu %-5s %s\n", s[i].pool.name,
			       (unsigned long long)m->serial, (unsigned long long)m->generation,
			       pool_conditions[m->condition], (unsigned long long)m->uses, left,
			       m->lease_ms && m->holder ? m->holder : "");
		}
	}
}

static int read_all(struct command *c, struct pool_status **out, size_t *n, struct err *e)
{
	const char *const *names = c->args + 1;
	size_t all = c->n_args - 1;

	*n = 0;
	if (!all && container_pool_names(&c->host, c->arena, &names, &all, e) < 0)
		return -e->code;
	*out = arena_array(c->arena, all + 1, sizeof(**out));
	for (size_t i = 0; i < all; i++) {
		int r = container_pool_status(&c->host, names[i], c->arena, &(*out)[*n], e);

		/* One that was removed meanwhile, where no name was given. */
		if (r == -ENOENT && c->n_args == 1)
			continue;
		if (r < 0)
			return r;
		(*n)++;
	}
	return 0;
}

static int status(struct command *c, struct err *e)
{
	const struct pool_opts *o = c->opts;
	struct pool_status *s = NULL;
	size_t n;

	if (!str_eq(o->format, "table") && !str_eq(o->format, "json") &&
	    !str_eq(o->format, "openmetrics"))
		return err_msg(e, EINVAL, "invalid format option: %s", o->format);
	if (read_all(c, &s, &n, e) < 0)
		return -e->code;
	if (str_eq(o->format, "table"))
		print_table(s, n);
	else if (str_eq(o->format, "json"))
		puts(pool_status_json(c->arena, s, n, c->n_args == 1, NULL));
	else
		fputs(pool_status_openmetrics(c->arena, s, n, NULL), stdout);
	return 0;
}

/* --- run ------------------------------------------------------------------------------------ */

static int run_in_one(struct command *c, struct err *e)
{
	const struct pool_opts *o = c->opts;
	struct container_pool_run q = {
		.acquire =
			{
				  .pool = c->args[1],
				  .lease = {.key = o->key,
					  .holder = o->holder,
					  .ttl_ms = o->ttl ? *o->ttl : 0},
				  .wait_ms = o->wait ? *o->wait : 0,
				  },
		.process_file = o->process,
		.args = c->args + 2,
		.env_fd = o->env_fd,
		.timeout_ms = o->timeout,
		.result = o->result,
		.behind = o->behind,
	};

	c->code = CODE_DIRECT_FAILED;
	if (!o->process == (c->n_args == 2))
		return err_msg(e, EINVAL, "either --process FILE or -- PROGRAM [ARGUMENT...]");
	if (o->ttl && !*o->ttl)
		return err_msg(e, ERANGE, "--ttl: not above 0");
	if (o->result && !str_eq(o->result, "-") &&
	    command_path(c->arena, o->result, &q.result, e) < 0)
		return -e->code;
	return container_pool_run(&c->host, &q, c->arena, &c->code, e);
}

/* --- which of them -------------------------------------------------------------------------- */

enum takes { ENSURE = 1, STATUS = 2, REMOVE = 4, RUN = 8 };

static const char *unfit(struct arena *a, const struct pool_opts *o, unsigned int takes)
{
	const struct {
		const char *name;
		bool given;
		unsigned int of;
	} rows[] = {
		{"min",           o->min,            ENSURE  },
		{"max",           o->max,            ENSURE  },
		{"bundle",        o->bundle,         ENSURE  },
		{"level",         o->level,          ENSURE  },
		{"shrink-after",  o->shrink,         ENSURE  },
		{"keep-evidence", o->evidence,       ENSURE  },
		{"seccomp",       o->seccomp.n,      ENSURE  },
		{"format",        !str_eq(o->format, "table"), STATUS},
		{"force",               o->force,                          REMOVE           },
		{"key",               o->key,                            RUN    },
		{"holder",               o->holder,                         RUN     },
		{"ttl",               o->ttl,                            RUN          },
		{"wait",               o->wait,                           RUN   },
		{"timeout",               o->timeout,                        RUN    },
		{"process",               o->process,                        RUN   },
		{"env-fd",               o->env_fd,                         RUN      },
		{"result",               o->result,                         RUN   },
		{"behind",               o->behind,                         RUN      },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		if (rows[i].given && !(rows[i].of & takes))
			return rows[i].name;
	return takes & ENSURE ? NULL : member_given(a, &o->member);
}

static const struct word_of_pool {
	const char *name;
	int (*run)(struct command *c, struct err *e);
	unsigned int takes;
	size_t min, max; /* arguments behind it */
} words[] = {
	{"ensure",  ensure,      ENSURE, 1, 1       },
	{"status",  status,      STATUS, 0, ANY_ARGS},
	{"drain",   drain,       0,      1, 1       },
	{"killall", killall,     0,      1, 1       },
	{"remove",  remove_pool, REMOVE, 1, 1       },
	{"run",     run_in_one,  RUN,    1, ANY_ARGS},
};

static int pool(struct command *c, struct err *e)
{
	for (size_t i = 0; i < LEN(words); i++) {
		const struct word_of_pool *w = &words[i];

		if (!str_eq(w->name, c->args[0]))
			continue;
		const char *wrong = unfit(c->arena, c->opts, w->takes);
		if (wrong)
			return err_msg(e, EINVAL, "%s: --%s is not for it", w->name, wrong);
		if (c->n_args - 1 < w->min || c->n_args - 1 > w->max)
			return err_msg(e, EINVAL, "%s: takes the name of one pool", w->name);
		return w->run(c, e);
	}
	return err_msg(e, EINVAL,
		       "\"%.40s\" is none of ensure, status, drain, killall, remove, run",
		       c->args[0]);
}

const struct verb verb_pool = {
	.name = "pool",
	.summary = "keep sandboxes parked, for whoever needs one",
	.usage = "ensure <pool> | status [<pool>...] | drain <pool> | killall <pool> | "
		 "remove <pool> |\n   run <pool> -- PROGRAM [ARGUMENT...]",
	.text = "   ensure   makes a pool, or what is missing in it; clears up what was left\n"
		"   status   its members and counters\n"
		"   drain    no leases any more; deletes those that nobody has\n"
		"   killall  takes every lease back and ends what runs\n"
		"   remove   drains it and deletes it; 75 while somebody has one\n"
		"   run      acquires one, runs a program in it and gives it back\n"
		"   Exit codes: 75 none is free, or another command works on it; 76 the pool is\n"
		"   draining, or not made from that; 77 not allowed.  Those of run else are the\n"
		"   program's, 124 out of time, 125 brig failed.  docs/pools.md\n",
	.options = options,
	.options_size = sizeof(struct pool_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.max_args = ANY_ARGS,
	.runs_program = true,
	.failed = "pool",
	.run = pool,
};
