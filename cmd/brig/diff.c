#include <errno.h>
#include <stdio.h>

#include "cmd/brig/answer.h"
#include "cmd/brig/change_line.h"
#include "cmd/brig/format.h"
#include "cmd/brig/verbs.h"
#include "specs/change.h"
#include "specs/json_print.h"

struct diff_opts {
	struct container_diff_opts diff;
	const char *format, *lease;
	struct arena *arena;
	bool json, begun, any;
};

#define AT(member) offsetof(struct diff_opts, member)

static const struct opt options[] = {
	{"hash",        NULL, OPT_FLAG,      AT(diff.hash), NULL,   "sha256 of each file added or changed", NULL,
	 NULL													    },
	{"max-entries", NULL, OPT_MAYBE_U64, AT(diff.most), "N",    "look at so many entries at most",
	 NULL,												       NULL},
	{"format",      "f",  OPT_STRING,    AT(format),    "WORD", "table or json",                        "table", NULL},
	LEASE_ROW(AT(lease)),
	{NULL,          NULL, OPT_FLAG,      0,             NULL,   NULL,                                   NULL,    NULL},
};

/* As it comes: there may be a million of them. */
static int begin(void *ctx, const struct brig_changes *head, struct err *e)
{
	struct diff_opts *o = ctx;
	struct json_out j;

	(void)e;
	o->begun = true;
	if (!o->json)
		return 0;
	json_begin(&j, o->arena, 0);
	json_object(&j);
	json_key_int(&j, "v", head->v);
	json_key_str(&j, "id", head->id);
	json_key_uint(&j, "generation", head->generation);
	json_key_str(&j, "status", head->status);
	json_key(&j, "layers");
	json_raw(&j, change_layers_print(o->arena, head->layers, head->n_layers, NULL));
	json_key(&j, "entries");
	printf("%s[", json_done(&j, NULL));
	return 0;
}

static int each(void *ctx, const struct brig_change *c, struct err *e)
{
	struct diff_opts *o = ctx;
	own_arena struct arena a = {0};

	if (o->json)
		printf("%s%s", o->any ? "," : "", change_print(&a, c, NULL));
	else
		change_line(stdout, c);
	o->any = true;
	return ferror(stdout) ? err_set(e, EPIPE, "write") : 0;
}

static void finish(const struct diff_opts *o, const struct brig_changes *r, const struct err *e)
{
	struct json_out j;

	if (!o->begun || !o->json)
		return;
	printf("],\"changes\":%s", change_sums_print(o->arena, &r->changes, NULL));
	if (e) {
		json_begin(&j, o->arena, 0);
		json_str(&j, e->msg);
		printf(",\"error\":%s", json_done(&j, NULL));
	}
	puts("}");
}

static int diff(struct command *c, struct err *e)
{
	struct diff_opts *o = c->opts;
	struct brig_changes changes;
	enum container_answer answer;

	if (format_read(o->format, &o->json, e) < 0)
		return -e->code;
	o->arena = c->arena;
	o->diff.id = c->args[0];
	o->diff.begin = begin;
	o->diff.each = each;
	o->diff.ctx = o;
	answer_lease(c, o->lease);
	int r = container_diff(&c->host, &o->diff, c->arena, &changes, &answer, e);
	finish(o, &changes, r < 0 ? e : NULL);
	if (r < 0)
		c->code = answer_code(answer);
	else if (changes.changes.truncated && !o->json)
		fprintf(stderr, "brig: there is more\n");
	return r;
}

const struct verb verb_diff = {
	.name = "diff",
	.summary = "tell what a container that keeps its layers has written",
	.usage = "<container-id>",
	.text = "   Only of one made with `create --reuse --keep-layers`.  A line for each entry:\n"
		"   A (added), C (changed) or D (deleted), its type and mode, size, path.  Names "
		"are\n"
		"   escaped.  Exit codes: 76 it keeps none, or they are gone; 77 not allowed.\n"
		"   docs/layers.md\n",
	.options = options,
	.options_size = sizeof(struct diff_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = diff,
};
