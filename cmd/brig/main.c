/*
 * From argv to a verb and from its error to the caller.  This file alone prints errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/brig/command.h"
#include "cmd/brig/globals.h"
#include "cmd/brig/help.h"
#include "cmd/brig/verbs.h"

#ifndef BRIG_VERSION
#define BRIG_VERSION "0.1.0"
#endif
#ifndef BRIG_COMMIT
#define BRIG_COMMIT "unknown"
#endif

static const char version_text[] = BRIG_VERSION "\ncommit: " BRIG_COMMIT "\nspec: 1.3.0";

/* How errors reach the caller. */
struct report {
	const char *program;
	bool to_file; /* --log was given: the file gets the line, standard error the bare message */
	bool bare;    /* no line of the log's form on standard error in any case */
};

static void report_error(const struct report *r, const struct err *e)
{
	if (r->to_file || !r->bare)
		log_error("%s", e->msg);
	if (r->to_file || r->bare)
		fprintf(stderr, "%s\n", e->msg);
}

/*
 * Whatever is opened next must not become somebody's standard output.  /dev/null is checked
 * to be the null device: in a prepared root it could be a file.
 */
static int fill_standard_fds(void)
{
	struct stat st;

	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest free number is this one: those below are open.  It is to be inherited.
		 */
		/* NOLINTNEXTLINE(android-cloexec-open) */
		if (open("/dev/null", O_RDWR) != fd || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
		    st.st_rdev != makedev(1, 3))
			return -EBADF;
	}
	return 0;
}

static const char *program_name(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
	const char *name = slash ? slash + 1 : argv0;

	return name && *name ? name : "brig";
}

int command_path(struct arena *a, const char *path, const char **out, struct err *e)
{
	own_free char *cwd = NULL;

	*out = NULL;
	if (!path || !*path)
		return 0;
	if (*path != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return err_set(e, errno, "get working directory");
		path = arena_printf(a, "%s/%s", str_eq(cwd, "/") ? "" : cwd, path);
	}
	*out = path;
	return 0;
}

static int no_topic(const struct report *r, const char *name)
{
	struct err e;

	(void)err_msg(&e, EINVAL, "No help topic for '%s'", name);
	report_error(r, &e);
	return CODE_NO_TOPIC;
}

/* The text before the help says what was wrong; runc's callers read it on standard output. */
static int bad_usage(const struct report *r, const struct verb *v, const char *why,
		     const struct err *e)
{
	printf("Incorrect Usage%s%s\n\n", why ? ": " : ".", why ? why : "");
	if (v)
		help_verb(stdout, r->program, v);
	else
		help_program(stdout, r->program, version_text);
	report_error(r, e);
	return CODE_FAILED;
}

static int check_args(const struct command *c, const struct verb *v, struct err *e)
{
	size_t max = v->max_args ? v->max_args : v->min_args;

	if (c->n_args >= v->min_args && c->n_args <= max)
		return 0;
	if (v->min_args == max)
		return err_msg(e, EINVAL, "%s: \"%s\" requires exactly %zu argument(s)", c->program,
			       v->name, max);
	if (c->n_args > max)
		return err_msg(e, EINVAL, "%s: \"%s\" requires a maximum of %zu argument(s)",
			       c->program, v->name, max);
	return err_msg(e, EINVAL, "%s: \"%s\" requires a minimum of %zu argument(s)", c->program,
		       v->name, v->min_args);
}

static int run_verb(struct command *c, const struct verb *v, struct report *rep)
{
	struct err e = {0};
	int r = 0;

	if (v->wants_id && !*c->args[0])
		r = err_msg(&e, EINVAL, "container id cannot be empty");
	if (r == 0)
		r = v->run(c, &e);
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = err_set(&e, errno, "write to standard output");
	if (r == 0)
		return c->code;
	rep->bare = v->runs_program && str_starts(e.msg, "exec ");
	if (v->failed && !rep->bare)
		(void)err_wrap(&e, "%s%s%s", v->failed_program ? c->program : "",
			       v->failed_program ? " " : "", v->failed);
	report_error(rep, &e);
	return c->code ? c->code : v->code_failed ? v->code_failed : CODE_FAILED;
}

static int do_verb(struct command *c, const struct globals *g, const struct verb *v,
		   char *const *argv, struct report *rep)
{
	struct opt_call call = {.table = v->options, .order = v->order};
	struct err e;

	bool direct = v->direct && v->direct(argv);

	c->opts = arena_new(c->arena, v->options_size ? v->options_size : 1);
	call.target = c->opts;
	if (direct)
		call.order = OPT_STOP;
	if (options_parse(c->arena, argv, &call, &e) < 0) {
		if (!direct)
			return bad_usage(rep, v, e.msg, &e);
		report_error(rep, &e);
		return CODE_DIRECT_FAILED;
	}
	if (call.help) {
		help_verb(stdout, c->program, v);
		return CODE_OK;
	}
	c->args = call.args;
	c->n_args = call.n_args;
	if (check_args(c, v, &e) < 0)
		return bad_usage(rep, v, NULL, &e);
	if (globals_host(c->arena, g, &c->host, &e) < 0) {
		report_error(rep, &e);
		return direct ? CODE_DIRECT_FAILED : v->code_failed ? v->code_failed : CODE_FAILED;
	}
	return run_verb(c, v, rep);
}

/* help, h, help VERB, and no verb at all */
static int do_help(const struct report *rep, const char *topic)
{
	const struct verb *v = topic ? verb_find(topic) : NULL;

	if (topic && !v)
		return no_topic(rep, topic);
	if (v)
		help_verb(stdout, rep->program, v);
	else
		help_program(stdout, rep->program, version_text);
	return CODE_OK;
}

static int dispatch(struct arena *a, const char *program, char *const *argv)
{
	struct command c = {.program = program, .arena = a};
	struct report rep = {.program = program};
	struct globals g = {0};
	struct opt_call call = {.table = global_options, .order = OPT_STOP, .target = &g};
	struct err e;

	if (options_parse(a, argv, &call, &e) < 0)
		return bad_usage(&rep, NULL, e.msg, &e);
	if (call.help)
		return do_help(&rep, NULL);
	if (g.version) {
		printf("%s version %s\n", program, version_text);
		return CODE_OK;
	}
	if (globals_log(&g, &rep.to_file, &e) < 0) {
		report_error(&rep, &e);
		return CODE_FAILED;
	}
	const char *name = call.args[0];
	if (!name || str_eq(name, "help") || str_eq(name, "h"))
		return do_help(&rep, name ? call.args[1] : NULL);
	const struct verb *v = verb_find(name);
	if (!v)
		return no_topic(&rep, name);
	/* The verb's own words are the end of argv. */
	while (*argv)
		argv++;
	return do_verb(&c, &g, v, argv - (call.n_args - 1), &rep);
}

int main(int argc, char **argv)
{
	own_arena struct arena a = {0};
	const char *program = program_name(argc ? argv[0] : NULL);

	if (fill_standard_fds() < 0)
		return CODE_FAILED;
	/* A caller that ignores it would have the kernel reap our children: waits then fail. */
	(void)signal(SIGCHLD, SIG_DFL);
	/* Everything here trusts its environment and its arguments. */
	if (getauxval(AT_SECURE)) {
		fprintf(stderr, "%s: refuses to run setuid, setgid or with file capabilities\n",
			program);
		return CODE_FAILED;
	}
	/* A caller that ignores it, as some daemons do, would have children reaped unseen. */
	(void)signal(SIGCHLD, SIG_DFL);
	int code = dispatch(&a, program, argc ? argv + 1 : argv);
	if (fflush(stdout) != 0 && code == CODE_OK)
		code = CODE_FAILED;
	return code;
}
