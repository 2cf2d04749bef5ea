/* run --dry-run: what a program would have written to the host.  docs/layers.md */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "create.h"
#include "layers.h"
#include "layers_open.h"
#include "specs/change.h"

/* In a result: so many entries, with names that long together. */
enum { ENTRIES = 500, NAMES = 96 << 10 };

struct dry {
	struct create *c;
	struct result_changes *out;
	struct brig_change *list;
	size_t names;
};

static int keep_entry(void *ctx, const struct brig_change *from, struct err *e)
{
	struct dry *d = ctx;
	struct arena *a = d->c->arena;
	const struct container_create_opts *o = d->c->opts;
	size_t len = strlen(from->path) + (from->target ? strlen(from->target) : 0);

	if (d->out->n_entries < ENTRIES && len <= NAMES - d->names) {
		d->list[d->out->n_entries++] = (struct brig_change){
			.op = from->op,
			.type = from->type,
			.path = arena_strdup(a, from->path),
			.mode = arena_strdup(a, from->mode),
			.size = from->size,
			.target = arena_strdup(a, from->target),
		};
		d->names += len;
	} else {
		d->out->truncated = true;
	}
	return o->change ? o->change(o->change_ctx, from, e) : 0;
}

static int open_volumes(struct create *c, struct layers *out, struct err *e)
{
	const struct plan_layers *l = &c->plan.layers;
	struct brig_layer *names = arena_array(c->arena, l->n_volumes + 1, sizeof(*names));

	*out = (struct layers){.names = names};
	if (l->n_volumes > LEN(out->list))
		return err_msg(e, E2BIG, "--dry-run: more than %zu volumes", LEN(out->list));
	for (size_t i = 0; i < l->n_volumes; i++) {
		const struct plan_volume *v = &l->volumes[i];

		names[i] = (struct brig_layer){
			.path = v->source, .kind = "overlay", .source = v->source};
		out->list[i] = (struct fs_layer){
			.root = c->uppers && c->uppers[i] >= 0 ? take_fd(&c->uppers[i]) : -1,
			.lower = open(v->source, O_PATH | O_DIRECTORY | O_CLOEXEC),
		};
		out->n = i + 1;
		if (out->list[i].root < 0 || out->list[i].lower < 0)
			return err_msg(e, ENOENT, "--dry-run: %.200s is gone", v->source);
	}
	return 0;
}

int layers_dry(struct create *c, struct result_changes *out, struct err *e)
{
	struct dry d = {.c = c, .out = out};
	const struct layers_query q = {.each = keep_entry, .ctx = &d};
	struct brig_change_sums sums;
	struct layers l;

	*out = (struct result_changes){0};
	d.list = arena_array(c->arena, ENTRIES, sizeof(*d.list));
	out->entries = d.list;
	int r = open_volumes(c, &l, e);
	if (r == 0)
		r = layers_tell(&l, &q, &sums, e);
	layers_close(&l);
	if (r < 0)
		return r;
	out->added = sums.added;
	out->changed = sums.changed;
	out->deleted = sums.deleted;
	out->bytes = sums.bytes;
	out->truncated = out->truncated || sums.truncated;
	return 0;
}
