#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "cmd/brig/table.h"
#include "cmd/brig/verbs.h"
#include "specs/json_print.h"

struct doctor_opts {
	const char *format;
};

#define AT(member) offsetof(struct doctor_opts, member)

static const struct opt options[] = {
	{"format", "f",  OPT_STRING, AT(format), "FORMAT", "text or json", "text", NULL},
	{NULL,     NULL, OPT_FLAG,   0,          NULL,     NULL,           NULL,   NULL},
};

static void print_checks(struct arena *a, const struct container_doctor *d)
{
	static const char *const header[] = {"MECHANISM", "STANDARD", "HIGH", "HERE", "DETAIL"};
	enum { COLUMNS = sizeof(header) / sizeof(*header) };
	const char **cells = arena_array(a, (d->n_checks + 1) * COLUMNS, sizeof(*cells));
	const char **cell = cells;

	for (size_t i = 0; i < COLUMNS; i++)
		*cell++ = header[i];
	for (size_t i = 0; i < d->n_checks; i++) {
		const struct container_check *c = &d->checks[i];

		*cell++ = c->mechanism;
		*cell++ = container_need_word(c->standard);
		*cell++ = container_need_word(c->high);
		*cell++ = container_found_word(c->found);
		*cell++ = c->detail ? c->detail : "";
	}
	table_print(stdout, cells, d->n_checks + 1, COLUMNS);
}

static bool is_missing(const struct container_check *c, enum container_need need)
{
	return need == NEED_REQUIRED && c->found != FOUND_YES;
}

/* high: which of the two levels is told of */
static void print_level(const struct container_doctor *d, const char *name, bool high)
{
	const char *before = ": cannot be enforced, for lack of ";

	printf("%s", name);
	if (high ? d->high : d->standard) {
		puts(": can be enforced");
		return;
	}
	for (size_t i = 0; i < d->n_checks; i++) {
		const struct container_check *c = &d->checks[i];

		if (!is_missing(c, high ? c->high : c->standard))
			continue;
		printf("%s%s", before, c->mechanism);
		before = ", ";
	}
	putchar('\n');
}

static void print_text(struct arena *a, const struct container_doctor *d)
{
	bool first = true;

	printf("kernel %s, %s\n\n", d->kernel, d->privileged ? "privileged" : "rootless");
	print_checks(a, d);
	putchar('\n');
	print_level(d, "standard", false);
	print_level(d, "high", true);
	for (size_t i = 0; i < d->n_checks; i++) {
		const struct container_check *c = &d->checks[i];

		if (c->found == FOUND_YES)
			continue;
		printf("%s%s: %s\n", first ? "\nremedies:\n" : "", c->mechanism, c->remedy);
		first = false;
	}
}

static void print_check(struct json_out *o, const struct container_check *c)
{
	json_object(o);
	json_key_str(o, "mechanism", c->mechanism);
	json_key_str(o, "found", container_found_word(c->found));
	json_key_str(o, "standard", container_need_word(c->standard));
	json_key_str(o, "high", container_need_word(c->high));
	if (c->detail)
		json_key_str(o, "detail", c->detail);
	if (c->remedy)
		json_key_str(o, "remedy", c->remedy);
	json_end_object(o);
}

static void print_json(struct arena *a, const struct container_doctor *d)
{
	struct json_out o;

	json_begin(&o, a, 2);
	json_object(&o);
	json_key_int(&o, "v", 1);
	json_key_str(&o, "kernel", d->kernel);
	json_key_bool(&o, "privileged", d->privileged);
	json_key_bool(&o, "standard", d->standard);
	json_key_bool(&o, "high", d->high);
	json_key(&o, "checks");
	json_array(&o);
	for (size_t i = 0; i < d->n_checks; i++)
		print_check(&o, &d->checks[i]);
	json_end_array(&o);
	json_end_object(&o);
	puts(json_done(&o, NULL));
}

static int doctor(struct command *c, struct err *e)
{
	const struct doctor_opts *opts = c->opts;
	struct container_doctor d;
	bool json = str_eq(opts->format, "json");

	if (!json && !str_eq(opts->format, "text"))
		return err_msg(e, EINVAL, "invalid format option");
	container_doctor(&c->host, c->arena, &d);
	if (json)
		print_json(c->arena, &d);
	else
		print_text(c->arena, &d);
	c->code = d.standard && d.high ? CODE_OK : CODE_FAILED;
	return 0;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.summary = "what this host can enforce at each security level",
	.usage = "",
	.text = "   Looks for each mechanism that the levels standard and high use and tells the "
		"remedy\n"
		"   for what is missing.  Nothing on the host is changed.  The exit code is 0 when "
		"both\n"
		"   levels can be enforced, else 1.\n",
	.options = options,
	.options_size = sizeof(struct doctor_opts),
	.order = OPT_MIXED,
	.run = doctor,
};
