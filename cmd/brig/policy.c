#include <errno.h>
#include <stdio.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/brig/format.h"
#include "cmd/brig/learn.h"
#include "cmd/brig/option_words.h"
#include "cmd/brig/table.h"
#include "cmd/brig/verbs.h"
#include "specs/json_print.h"

#define AT(member) offsetof(struct policy_opts, member)

static const struct opt options[] = {
	{"direct", NULL, OPT_FLAG,   AT(direct), NULL,     "explain: limits of direct mode",         NULL,    NULL          },
	{"format", "f",  OPT_STRING, AT(format), "FORMAT", "table or json",                          "table", NULL          },
	{"output", "o",  OPT_STRING, AT(output), "DIR",    "learn: where to write what was learned",
	 NULL,												NULL          },
	{"name",   NULL, OPT_STRING, AT(name),   "NAME",   "learn: of the level file",               "level", NULL          },
	{"replay", NULL, OPT_STRING, AT(replay), "DIR",
	 "check: run once more what was learned there, under what was learned",                      NULL,    NULL          },
	{NULL,     NULL, OPT_FLAG,   0,          NULL,     NULL,                                     NULL,    direct_options},
};

/* Of run's options all but these are learn's. */
static int check_options(struct command *c, const char *word, struct err *e)
{
	static const char *const shared[] = {"level", "bundle", "policy", NULL};
	static const char *const again[] = {"env", "env-fd", "secret", "ctx", "id", NULL};
	const struct policy_opts *o = c->opts;
	bool once_more = o->replay && str_eq(word, "check");

	if (str_eq(word, "learn"))
		return 0;
	if (o->replay && !once_more)
		return err_msg(e, EINVAL, "%s: --replay is for check", word);
	if (o->output)
		return err_msg(e, EINVAL, "%s: --output is for learn", word);
	for (const struct given *g = options_given(c->arena, direct_options, o); g->name; g++) {
		const char *const *w = once_more ? again : shared;

		while (*w && !str_eq(*w, g->name))
			w++;
		if (!*w)
			return err_msg(e, EINVAL, "%s: --%s is for learn", word, g->name);
	}
	return 0;
}

/* NULL and "" as what a reader of a table takes for nothing. */
static const char *shown(const char *s)
{
	return s && *s ? s : "-";
}

/* Keys that have nothing to say are left out. */
static void say(struct json_out *o, const char *key, const char *value)
{
	if (value)
		json_key_str(o, key, value);
}

static void print_json(struct arena *a, const struct container_policy *p)
{
	struct json_out o;

	json_begin(&o, a, 2);
	json_object(&o);
	json_key_int(&o, "v", 1);
	json_key_str(&o, "level", p->level);
	say(&o, "extends", p->extends);
	say(&o, "summary", p->summary);
	json_key_str(&o, "digest", p->digest);
	if (p->document) {
		json_key(&o, "document");
		json_raw(&o, p->document);
	} else {
		json_key_bool(&o, "direct", p->direct);
	}
	json_key(&o, "fields");
	json_array(&o);
	for (size_t i = 0; i < p->n_rows; i++) {
		const struct container_policy_row *r = &p->rows[i];

		json_object(&o);
		json_key_str(&o, "field", r->field);
		json_key_str(&o, "value", r->value);
		json_key_str(&o, p->document ? "from" : "by", r->by);
		say(&o, "outcome", r->outcome);
		say(&o, "asked", r->asked);
		say(&o, "reason", r->reason);
		say(&o, "about", r->about);
		json_end_object(&o);
	}
	json_end_array(&o);
	json_end_object(&o);
	puts(json_done(&o, NULL));
}

/* The value comes last: lists are long. */
static void print_table(struct arena *a, const struct container_policy *p)
{
	static const char *const show_header[] = {"FIELD", "FROM", "MEANING", "VALUE"};
	static const char *const explain_header[] = {"FIELD", "BY",     "OUTCOME",
						     "ASKED", "REASON", "VALUE"};
	const char *const *header = p->document ? show_header : explain_header;
	size_t columns = p->document ? LEN(show_header) : LEN(explain_header);
	const char **cells = arena_array(a, (p->n_rows + 1) * columns, sizeof(*cells));

	if (p->summary)
		printf("%s: %s\n", p->level, p->summary);
	else
		printf("level: %s\n", p->level);
	printf("digest: %s\n", p->digest);
	for (size_t i = 0; i < columns; i++)
		cells[i] = header[i];
	for (size_t i = 0; i < p->n_rows; i++) {
		const struct container_policy_row *r = &p->rows[i];
		const char **cell = cells + (i + 1) * columns;

		*cell++ = r->field;
		*cell++ = r->by;
		*cell++ = p->document ? shown(r->about) : r->outcome;
		if (!p->document) {
			*cell++ = shown(r->asked);
			*cell++ = shown(r->reason);
		}
		*cell++ = shown(r->value);
	}
	table_print(stdout, cells, p->n_rows + 1, columns);
}

static void print(struct arena *a, const struct container_policy *p, bool json)
{
	if (json)
		print_json(a, p);
	else
		print_table(a, p);
}

/* Without a name: which levels there are. */
static int list(struct command *c, bool json, struct err *e)
{
	const char *const *names;
	struct json_out o;
	size_t n;
	int r = container_policy_names(&c->host, c->arena, &names, &n, e);

	if (r < 0)
		return r;
	for (size_t i = 0; !json && i < n; i++)
		puts(names[i]);
	if (!json)
		return 0;
	json_begin(&o, c->arena, 2);
	json_object(&o);
	json_key_int(&o, "v", 1);
	json_key(&o, "levels");
	json_strs(&o, names, n);
	json_end_object(&o);
	puts(json_done(&o, NULL));
	return 0;
}

static int show(struct command *c, bool json, struct err *e)
{
	struct container_policy p;

	if (c->n_args == 1)
		return list(c, json, e);
	if (c->n_args > 2)
		return err_msg(e, EINVAL, "show: one level at a time");
	int r = container_policy_show(&c->host, c->args[1], c->arena, &p, e);
	if (r == 0)
		print(c->arena, &p, json);
	return r;
}

static int explain(struct command *c, bool json, struct err *e)
{
	const struct policy_opts *o = c->opts;
	const char *level = o->run.launch.create.level, *bundle = o->run.launch.create.bundle;
	struct container_policy_query q = {
		.level = level,
		.id = c->n_args > 1 ? c->args[1] : NULL,
		.policy_file = o->run.policy,
		.direct = o->direct,
	};
	struct container_policy p = {0};

	if (c->n_args > 2)
		return err_msg(e, EINVAL, "explain: one container at a time");
	if (q.id && (bundle || o->run.policy || level || o->direct))
		return err_msg(e, EINVAL,
			       "explain: a container's policy was decided when it was made: no "
			       "options with an id");
	int r = command_path(c->arena, bundle, &q.bundle, e);
	if (r == 0)
		r = container_policy_explain(&c->host, &q, c->arena, &p, e);
	if (p.level)
		print(c->arena, &p, json);
	return r;
}

static void print_checked(const char *file, const char *kind, const struct err *wrong)
{
	if (!wrong)
		printf("%s: %s: ok\n", file, kind);
	else if (str_starts(wrong->msg, file))
		puts(wrong->msg);
	else
		printf("%s: %s\n", file, wrong->msg);
}

/* The words behind the first are the program's. */
static struct command *behind_word(struct command *c)
{
	c->args++;
	c->n_args--;
	return c;
}

static int check_again(struct command *c, bool json, struct err *e)
{
	return replay(behind_word(c), json, e);
}

static int learn_word(struct command *c, bool json, struct err *e)
{
	return json ? err_msg(e, EINVAL, "learn: --format is for the others")
		    : learn(behind_word(c), e);
}

/* Every file gets its line; what is wrong with it is the answer, not an error of brig. */
static int check(struct command *c, bool json, struct err *e)
{
	const struct policy_opts *opts = c->opts;
	struct json_out o;

	if (opts->replay)
		return check_again(c, json, e);
	if (c->n_args < 2)
		return err_msg(e, EINVAL, "check: which files?");
	json_begin(&o, c->arena, 2);
	json_object(&o);
	json_key_int(&o, "v", 1);
	json_key(&o, "files");
	json_array(&o);
	for (size_t i = 1; i < c->n_args; i++) {
		struct err wrong = {0};
		const char *kind;
		int r = container_policy_check(&c->host, c->args[i], c->arena, &kind, &wrong);

		if (r < 0)
			c->code = CODE_FAILED;
		json_object(&o);
		json_key_str(&o, "file", c->args[i]);
		say(&o, "kind", kind);
		json_key_bool(&o, "ok", r == 0);
		say(&o, "error", r < 0 ? wrong.msg : NULL);
		json_end_object(&o);
		if (!json)
			print_checked(c->args[i], kind, r < 0 ? &wrong : NULL);
	}
	json_end_array(&o);
	json_end_object(&o);
	if (json)
		puts(json_done(&o, NULL));
	return 0;
}

static int policy(struct command *c, struct err *e)
{
	static const struct {
		const char *name;
		int (*run)(struct command *c, bool json, struct err *e);
	} words[] = {
		{"show",    show      },
		{"explain", explain   },
		{"check",   check     },
		{"learn",   learn_word},
	};
	const struct policy_opts *o = c->opts;
	bool json;
	int r = format_read(o->format, &json, e);

	for (size_t i = 0; r == 0 && i < LEN(words); i++) {
		if (!str_eq(words[i].name, c->args[0]))
			continue;
		r = check_options(c, c->args[0], e);
		return r < 0 ? r : words[i].run(c, json, e);
	}
	return r < 0 ? r
		     : err_msg(e, EINVAL, "\"%.40s\" is none of show, explain, check, learn",
			       c->args[0]);
}

const struct verb verb_policy = {
	.name = "policy",
	.summary = "show levels, explain what holds and why, check policy files, learn one",
	.usage = "show [LEVEL] | explain [ID] | check FILE... | check --replay DIR [-- PROGRAM...] "
		 "| "
		 "learn -o DIR --rootfs DIR -- PROGRAM [ARGUMENT...]",
	.text = "   show     the fields of a level and which level they come from; without a name "
		"the\n"
		"            levels there are\n"
		"   explain  what holds for a container, or would for a bundle: each field with "
		"who\n"
		"            decided it, what was asked for instead, and what was cut\n"
		"   check    level files, brig.json, platform documents and config.json, told "
		"apart by\n"
		"            what is in them; ends with 1 if one is wrong; with --replay a "
		"program is\n"
		"            run again under what was learned: 76 if something was denied that "
		"was\n"
		"            not before\n"
		"   learn    runs a program with run's options below and writes what it did, a "
		"filter and\n"
		"            a level that let just that pass (docs/learn.md)\n",
	.options = options,
	.options_size = sizeof(struct policy_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.max_args = ANY_ARGS,
	.failed = "policy",
	.run = policy,
};
