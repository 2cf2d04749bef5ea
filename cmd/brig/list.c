#include <inttypes.h>
#include <stdio.h>

#include "cmd/brig/format.h"
#include "cmd/brig/json_text.h"
#include "cmd/brig/table.h"
#include "cmd/brig/verbs.h"
#include "specs/state.h"

struct list_opts {
	const char *format;
	bool quiet;
};

#define AT(member) offsetof(struct list_opts, member)

static const struct opt options[] = {
	{"format", "f",  OPT_STRING, AT(format), "FORMAT", "table or json",      "table", NULL},
	{"quiet",  "q",  OPT_FLAG,   AT(quiet),  NULL,     "print only the ids", NULL,    NULL},
	{NULL,     NULL, OPT_FLAG,   0,          NULL,     NULL,                 NULL,    NULL},
};

static void print_ids(const struct container_info *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		puts(list[i].id);
}

static void print_table(struct arena *a, const struct container_info *list, size_t n)
{
	static const char *const header[] = {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"};
	enum { COLUMNS = sizeof(header) / sizeof(*header) };
	const char **cells = arena_array(a, (n + 1) * COLUMNS, sizeof(*cells)), **cell = cells;

	for (size_t i = 0; i < COLUMNS; i++)
		*cell++ = header[i];
	for (size_t i = 0; i < n; i++) {
		*cell++ = list[i].id;
		*cell++ = arena_printf(a, "%" PRIi64, list[i].pid);
		*cell++ = list[i].status;
		*cell++ = list[i].bundle;
		*cell++ = list[i].created;
		*cell++ = list[i].owner;
	}
	table_print(stdout, cells, n + 1, COLUMNS);
}

/* One line, the keys of `state` in their order; null for none, as runc prints it. */
static void print_json(struct arena *a, const struct container_info *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct container_info *c = &list[i];
		const struct oci_state s = {
			.oci_version = c->oci_version,
			.id = c->id,
			.status = c->status,
			.pid = c->pid,
			.bundle = c->bundle,
			.rootfs = c->rootfs,
			.created = c->created,
			.owner = c->owner,
			.annotations = c->annotations,
			.n_annotations = c->n_annotations,
		};
		char *text = oci_state_print(a, &s, false, NULL);

		json_one_line(text);
		printf("%c%s", i ? ',' : '[', text);
	}
	puts(n ? "]" : "null");
}

static int list(struct command *c, struct err *e)
{
	const struct list_opts *o = c->opts;
	struct container_info *found;
	size_t n;
	bool json;
	int r = format_read(o->format, &json, e);

	if (r == 0)
		r = container_list(&c->host, c->arena, &found, &n, e);
	if (r < 0)
		return r;
	if (o->quiet)
		print_ids(found, n);
	else if (json)
		print_json(c->arena, found, n);
	else
		print_table(c->arena, found, n);
	return 0;
}

const struct verb verb_list = {
	.name = "list",
	.summary = "list the containers below the state directory",
	.usage = "",
	.options = options,
	.options_size = sizeof(struct list_opts),
	.order = OPT_MIXED,
	.run = list,
};
