#include <inttypes.h>
#include <stdio.h>

#include "cmd/brig/format.h"
#include "cmd/brig/table.h"
#include "cmd/brig/verbs.h"
#include "specs/json_print.h"

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

static void print_info(struct json_out *o, const struct container_info *c)
{
	json_object(o);
	json_key_str(o, "ociVersion", c->oci_version);
	json_key_str(o, "id", c->id);
	json_key_int(o, "pid", c->pid);
	json_key_str(o, "status", c->status);
	json_key_str(o, "bundle", c->bundle);
	json_key_str(o, "rootfs", c->rootfs);
	json_key_str(o, "created", c->created);
	if (c->n_annotations) {
		json_key(o, "annotations");
		json_map(o, c->annotations, c->n_annotations);
	}
	json_key_str(o, "owner", c->owner);
	json_end_object(o);
}

/* One line, the keys in the order of `state`; null for none, as runc prints it. */
static void print_json(struct arena *a, const struct container_info *list, size_t n)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_array(&o);
	for (size_t i = 0; i < n; i++)
		print_info(&o, &list[i]);
	json_end_array(&o);
	puts(n ? json_done(&o, NULL) : "null");
}

static int list(struct command *c, struct err *e)
{
	const struct list_opts *o = c->opts;
	struct container_info *found = NULL;
	size_t n = 0;
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
