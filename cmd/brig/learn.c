/* `policy learn`, and `policy check --replay` of what it wrote. */
#include "cmd/brig/learn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cmd/brig/option_words.h"
#include "cmd/brig/table.h"
#include "specs/json_print.h"
#include "specs/learned.h"

/* --- options as they are kept ------------------------------------------------------------- */

/* Of one run only, or put there by whoever learned. */
static bool is_passing(const char *name)
{
	static const char *const names[] = {"id",   "console-socket", "pid-file", "pidfd-socket",
					    "ctx",  "env-fd",         "secret",   "flows",
					    "level"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (str_eq(names[i], name))
			return true;
	return false;
}

/* The next run may be started elsewhere. */
static bool is_path(const char *name)
{
	static const char *const names[] = {"rootfs", "policy", "bundle", "config", "ro", "bind"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (str_eq(names[i], name))
			return true;
	return false;
}

static int flag_of(struct arena *a, const struct given *g, const char **out, struct err *e)
{
	const char *value = g->value;

	/* What is in the environment stays there: a file is read by others. */
	if (str_eq(g->name, "env"))
		value = arena_strndup(a, value, strcspn(value, "="));
	if (value && is_path(g->name) && command_path(a, value, &value, e) < 0)
		return -e->code;
	*out = value ? arena_printf(a, "--%s %s", g->name, value)
		     : arena_printf(a, "--%s", g->name);
	return 0;
}

static int flags_of(struct command *c, const char *const **out, size_t *n, struct err *e)
{
	const struct given *given = options_given(c->arena, direct_options, c->opts);
	const char **flags;
	size_t room = 0;

	while (given[room].name)
		room++;
	flags = arena_array(c->arena, room + 1, sizeof(*flags));
	*n = 0;
	for (const struct given *g = given; g->name; g++)
		if (!is_passing(g->name) && flag_of(c->arena, g, &flags[(*n)++], e) < 0)
			return -e->code;
	*out = flags;
	return 0;
}

/* --- what is run -------------------------------------------------------------------------- */

/* Direct mode, or a bundle, whose program is config.json's. */
static int prepare(struct command *c, struct err *e)
{
	struct run_opts *o = c->opts;

	if (direct_wanted(o))
		return c->n_args ? direct_prepare(c, e)
				 : err_msg(e, EINVAL,
					   "no program: policy learn ... -- PROGRAM [ARGUMENT...]");
	if (!o->launch.create.bundle && !o->launch.create.config_path)
		return err_msg(e, EINVAL, "what is to be run? --rootfs DIR or --bundle DIR");
	if (c->n_args)
		return err_msg(e, EINVAL, "a bundle's program is the one of its config.json");
	o->launch.create.id = o->id;
	o->id = NULL; /* of both modes here */
	int r = direct_unwanted(o, e);
	if (r == 0)
		r = launch_bundle(c->arena, o->launch.create.bundle, &o->launch.create.bundle, e);
	return r < 0 ? r : launch_paths(c, e);
}

static void say_learned(const struct brig_learned *l, const char *dir)
{
	fprintf(stderr,
		"%s: %zu system calls, %zu denied; %zu places read, %zu written, %zu executed, "
		"%zu not there\n",
		dir, l->n_calls, l->n_denied, l->paths.n_read, l->paths.n_write, l->paths.n_execute,
		l->paths.n_absent);
	for (size_t i = 0; i < l->n_missing; i++)
		fprintf(stderr, "%s: %s was called and cannot be named in seccomp.json\n", dir,
			l->missing[i]);
	if (l->paths.more)
		fprintf(stderr, "%s: too many paths: %llu calls are not told\n", dir,
			(unsigned long long)l->paths.more);
}

int learn(struct command *c, struct err *e)
{
	struct policy_opts *o = c->opts;
	struct container_learn_opts l = {
		.create = &o->run.launch.create,
		.name = o->name,
	};
	struct brig_learned learned;

	if (!o->output || !*o->output)
		return err_msg(e, EINVAL, "learn: -o DIR: where is it to be written?");
	if (o->replay)
		return err_msg(e, EINVAL, "learn: --replay is for check");
	if (flags_of(c, &l.flags, &l.n_flags, e) < 0 || prepare(c, e) < 0 ||
	    command_path(c->arena, o->output, &l.dir, e) < 0)
		return err_wrap(e, "learn");
	int r = container_learn(&c->host, &l, c->arena, &learned, &c->code, e);
	if (r == 0)
		say_learned(&learned, o->output);
	else if (!c->code)
		c->code = CODE_DIRECT_FAILED;
	return r < 0 ? err_wrap(e, "learn") : 0;
}

/* --- once more ---------------------------------------------------------------------------- */

/* "--name value" becomes two words again; a relative --seccomp is one of the directory's. */
static char *const *words_of(struct arena *a, const struct brig_learned *l, const char *dir)
{
	char **words = arena_array(a, 2 * l->n_flags + 1, sizeof(*words));
	size_t n = 0;

	for (size_t i = 0; i < l->n_flags; i++) {
		size_t len = strcspn(l->flags[i], " ");
		const char *value = l->flags[i] + len;

		words[n++] = arena_strndup(a, l->flags[i], len);
		if (!*value)
			continue;
		value++;
		bool own = str_eq(words[n - 1], "--seccomp") && *value != '/';
		words[n++] = own ? arena_printf(a, "%s/%s", dir, value) : arena_strdup(a, value);
	}
	return words;
}

static int prepare_replay(struct command *c, const char *dir, const struct brig_learned *l,
			  struct command *out, struct err *e)
{
	const struct policy_opts *o = c->opts;
	struct run_opts *run = arena_new(c->arena, sizeof(*run));
	struct opt_call call = {.table = direct_options, .order = OPT_MIXED, .target = run};

	if (options_parse(c->arena, words_of(c->arena, l, dir), &call, e) < 0 || call.n_args)
		return err_msg(e, EINVAL, "%s: flags: no options of run", dir);
	*out = *c;
	out->opts = run;
	/* The caller's values in place of those that were not kept. */
	if (o->run.env.n)
		run->env = o->run.env;
	run->id = o->run.id;
	run->launch.ctx = o->run.launch.ctx;
	run->launch.secrets = o->run.launch.secrets;
	run->launch.create.env_fd = o->run.launch.create.env_fd;
	if (l->level_file) {
		run->launch.create.level = l->level_file;
		out->host.levels_too = dir;
	}
	out->args = c->n_args ? c->args : l->command;
	out->n_args = c->n_args ? c->n_args : l->n_command;
	if (!direct_wanted(run) && !c->n_args)
		out->n_args = 0;
	return prepare(out, e);
}

static void print_json(struct arena *a, const struct container_replay *p)
{
	struct json_out o;

	json_begin(&o, a, 2);
	json_object(&o);
	json_key_int(&o, "v", 1);
	json_key_int(&o, "exit", p->code);
	json_key_bool(&o, "passed", !p->unexpected);
	json_key(&o, "denied");
	json_array(&o);
	for (size_t i = 0; i < p->n_rows; i++) {
		const struct container_replay_row *r = &p->rows[i];

		json_object(&o);
		json_key_str(&o, "name", r->name);
		if (r->arch)
			json_key_str(&o, "arch", r->arch);
		json_key_str(&o, "answer", r->answer);
		json_key_uint(&o, "count", r->count);
		json_key_bool(&o, "expected", r->expected);
		json_end_object(&o);
	}
	json_end_array(&o);
	json_end_object(&o);
	puts(json_done(&o, NULL));
}

/* Names come from what ran inside: nothing that a terminal would take for itself. */
static const char *plain(struct arena *a, const char *text)
{
	char *s = arena_strdup(a, text);

	for (char *c = s; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
			*c = '?';
	return s;
}

static void print_table(struct arena *a, const struct container_replay *p)
{
	static const char *const header[] = {"CALL", "ANSWER", "COUNT", "WHEN LEARNED"};
	const char **cells = arena_array(a, (p->n_rows + 1) * 4, sizeof(*cells));

	if (!p->n_rows) {
		puts("nothing was denied");
		return;
	}
	memcpy(cells, header, sizeof(header));
	for (size_t i = 0; i < p->n_rows; i++) {
		const struct container_replay_row *r = &p->rows[i];

		cells[4 * (i + 1)] = plain(a, r->name);
		cells[4 * (i + 1) + 1] = r->answer;
		cells[4 * (i + 1) + 2] = arena_printf(a, "%llu", (unsigned long long)r->count);
		cells[4 * (i + 1) + 3] = r->expected ? "denied" : "-";
	}
	table_print(stdout, cells, p->n_rows + 1, 4);
}

int replay(struct command *c, bool json, struct err *e)
{
	const struct policy_opts *o = c->opts;
	struct container_replay p;
	struct brig_learned l;
	struct command run;
	const char *dir;

	if (command_path(c->arena, o->replay, &dir, e) < 0)
		return -e->code;
	if (!dir)
		return err_msg(e, EINVAL, "check: --replay is empty");
	if (container_learned(dir, c->arena, &l, e) < 0 || prepare_replay(c, dir, &l, &run, e) < 0)
		return err_wrap(e, "check");
	const struct run_opts *with = run.opts;
	if (container_replay(&run.host, &with->launch.create, dir, &l, c->arena, &p, e) < 0)
		return err_wrap(e, "check");
	if (json)
		print_json(c->arena, &p);
	else
		print_table(c->arena, &p);
	if (p.unexpected)
		c->code = CODE_REFUSED;
	return 0;
}
