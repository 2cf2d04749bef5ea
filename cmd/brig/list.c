#include <inttypes.h>
#include <stdio.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/brig/format.h"
#include "cmd/brig/table.h"
#include "cmd/brig/verbs.h"
#include "specs/json_print.h"
#include "specs/state.h"
#include "specs/violation.h"

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

static bool any_tainted(const struct container_info *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].n_taint)
			return true;
	return false;
}

static bool is_first(const struct container_info *c, size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (str_eq(c->taint[i].class_, c->taint[row].class_))
			return false;
	return true;
}

static const char *classes_of(struct arena *a, const struct container_info *c)
{
	const char *words = "-";

	for (size_t i = 0; i < c->n_taint; i++)
		if (i == 0)
			words = c->taint[i].class_;
		else if (is_first(c, i))
			words = arena_printf(a, "%s,%s", words, c->taint[i].class_);
	return words;
}

static bool any_reusable(const struct container_info *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].reuse)
			return true;
	return false;
}

/* The beginning of a digest tells as much as people compare. */
static const char *short_key(struct arena *a, const char *key)
{
	static const char digest[] = "sha256:";
	enum { SHOWN = 12 };

	if (!key)
		return "-";
	return str_starts(key, digest)
		       ? arena_printf(a, "%.*s", (int)sizeof(digest) - 1 + SHOWN, key)
		       : key;
}

static const char **add_reuse(struct arena *a, const char **cell, const struct state_reuse *u)
{
	*cell++ = u ? arena_printf(a, "%" PRIu64, u->generation) : "-";
	*cell++ = u ? arena_printf(a, "%" PRIu64, u->uses) : "-";
	*cell++ = u ? short_key(a, u->key) : "-";
	*cell++ = u && u->journal ? "resetting" : u && u->retired ? "retired" : "-";
	return cell;
}

/* More than runc has only where there is something to say. */
static void print_table(struct arena *a, const struct container_info *list, size_t n)
{
	static const char *const header[] = {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"};
	static const char *const more[] = {"GEN", "USES", "KEY", "REUSE"};
	const bool taint = any_tainted(list, n), reuse = any_reusable(list, n);
	const size_t columns = LEN(header) + (reuse ? LEN(more) : 0) + taint;
	const char **cells = arena_array(a, (n + 1) * columns, sizeof(*cells)), **cell = cells;

	for (size_t i = 0; i < LEN(header); i++)
		*cell++ = header[i];
	for (size_t i = 0; reuse && i < LEN(more); i++)
		*cell++ = more[i];
	if (taint)
		*cell++ = "TAINT";
	for (size_t i = 0; i < n; i++) {
		*cell++ = list[i].id;
		*cell++ = arena_printf(a, "%" PRIi64, list[i].pid);
		*cell++ = list[i].status;
		*cell++ = list[i].bundle;
		*cell++ = list[i].created;
		*cell++ = list[i].owner;
		if (reuse)
			cell = add_reuse(a, cell, list[i].reuse);
		if (taint)
			*cell++ = classes_of(a, &list[i]);
	}
	table_print(stdout, cells, n + 1, columns);
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
	state_print_reuse(o, c->reuse);
	if (c->n_taint)
		json_key_bool(o, "tainted", true);
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
