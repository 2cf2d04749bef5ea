#include "cmd/brig/help.h"

#include <string.h>

#include "cmd/brig/globals.h"
#include "cmd/brig/verbs.h"

/* "--bundle DIR, -b DIR" in the arena. */
static const char *option_names(struct arena *a, const struct opt *o)
{
	const char *value = o->value ? arena_printf(a, " %s", o->value) : "";

	if (!o->alias)
		return arena_printf(a, "--%s%s", o->name, value);
	return arena_printf(a, "--%s%s, -%s%s", o->name, value, o->alias, value);
}

static void print_options(FILE *out, const struct opt *table)
{
	static const char help_names[] = "--help, -h";
	own_arena struct arena a = {0};
	size_t width = strlen(help_names);

	for (const struct opt *o = opt_first(table); o; o = opt_next(o)) {
		size_t n = o->help ? strlen(option_names(&a, o)) : 0;

		width = n > width ? n : width;
	}
	for (const struct opt *o = opt_first(table); o; o = opt_next(o)) {
		if (!o->help)
			continue;
		fprintf(out, "   %-*s  %s", (int)width, option_names(&a, o), o->help);
		if (o->preset)
			fprintf(out, " (default: %s)", o->preset);
		fputc('\n', out);
	}
	fprintf(out, "   %-*s  show help\n", (int)width, help_names);
}

void help_program(FILE *out, const char *program, const char *version)
{
	fprintf(out,
		"NAME:\n   %s - run containers, and code that nobody has reviewed\n\n"
		"USAGE:\n   %s [global options] command [command options] [arguments...]\n\n"
		"VERSION:\n   %s\n\nCOMMANDS:\n",
		program, program, version);
	for (const struct verb *const *v = verbs; *v; v++)
		fprintf(out, "   %-10s  %s\n", (*v)->name, (*v)->summary);
	fprintf(out, "   %-10s  %s\n\nGLOBAL OPTIONS:\n", "help, h",
		"show the commands, or the help of one command");
	print_options(out, global_options);
}

void help_verb(FILE *out, const char *program, const struct verb *v)
{
	fprintf(out, "NAME:\n   %s %s - %s\n\n", program, v->name, v->summary);
	fprintf(out, "USAGE:\n   %s %s%s%s%s\n", program, v->name,
		v->options ? " [command options]" : "", *v->usage ? " " : "", v->usage);
	if (v->text)
		fprintf(out, "\nDESCRIPTION:\n%s", v->text);
	fputs("\nOPTIONS:\n", out);
	print_options(out, v->options);
}
