/* What a generation wrote: counted and told.  docs/layers.md */
#include "layers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "layers_open.h"

struct telling {
	const struct layers_query *query;
	struct brig_change_sums *sums;
	const struct brig_layer *layer;
};

/* --- one entry ---------------------------------------------------------------------------- */

/* As far as it reached when it was met: one that grows has no end. */
static int hash_of(const struct walk_entry *w, char hex[SHA256_HEX], struct err *e)
{
	static const size_t room = 1 << 16;
	uint64_t len;
	own_fd int fd = fs_walk_open(w, e);

	if (fd < 0)
		return fd;
	own_free char *buf = malloc(room);
	if (!buf)
		return err_set(e, ENOMEM, "read a file");
	int r = sha256_fd(fd, w->st->stx_size, buf, room, hex, &len);
	if (r < 0)
		return err_set(e, -r, "read a file");
	return len < w->st->stx_size ? err_msg(e, ESTALE, "a file changed while it was read") : 0;
}

/* Longer than PATH_MAX, where it wanted that: the kernel's bound is for paths as arguments. */
static const char *target_of(struct arena *a, const struct walk_entry *w)
{
	char target[4096];
	ssize_t n = readlinkat(w->dir, w->name, target, sizeof(target));

	return n < 0 ? NULL : change_escape(a, target, (size_t)n);
}

static const char *path_of(struct arena *a, const struct brig_layer *l, const struct walk_entry *w)
{
	const char *rest = change_escape(a, w->path, w->len);

	return *rest ? arena_printf(a, "%s/%s", l->path, rest) : l->path;
}

static int describe(struct arena *a, const struct telling *t, const struct fs_change *f,
		    struct brig_change *out, char hex[SHA256_HEX], struct err *e)
{
	static const char *const ops[] = {
		[FS_ADDED] = "added", [FS_CHANGED] = "changed", [FS_DELETED] = "deleted"};
	const struct walk_entry *w = f->entry;

	*out = (struct brig_change){
		.op = ops[f->op],
		.type = change_type_of(f->type),
		.path = path_of(a, t->layer, w),
	};
	if (f->op == FS_DELETED)
		return 0;
	out->mode = arena_printf(a, "%04o", w->st->stx_mode & 07777U);
	if (S_ISLNK(w->st->stx_mode))
		out->target = target_of(a, w);
	if (!S_ISREG(w->st->stx_mode))
		return 0;
	out->size = w->st->stx_size;
	if (!t->query->hash || out->size > LAYERS_HASH_MOST)
		return 0;
	out->sha256 = hex;
	return hash_of(w, hex, e);
}

static void count(struct brig_change_sums *s, const struct fs_change *f)
{
	uint64_t *const by_op[] = {
		[FS_ADDED] = &s->added, [FS_CHANGED] = &s->changed, [FS_DELETED] = &s->deleted};

	(*by_op[f->op])++;
	if (f->op == FS_DELETED)
		return;
	const struct statx *st = f->entry->st;
	if (!S_ISREG(st->stx_mode)) {
		s->special += !S_ISDIR(st->stx_mode) && !S_ISLNK(st->stx_mode);
		return;
	}
	s->bytes = s->bytes + st->stx_size < s->bytes ? UINT64_MAX : s->bytes + st->stx_size;
	s->executable += !!(st->stx_mode & 0111);
	s->setid += !!(st->stx_mode & 06000);
}

static int on_change(void *ctx, const struct fs_change *f, struct err *e)
{
	const struct telling *t = ctx;
	own_arena struct arena a = {0};
	struct brig_change c;
	char hex[SHA256_HEX];

	if (!t->query->each) {
		count(t->sums, f);
		return 0;
	}
	if (describe(&a, t, f, &c, hex, e) < 0)
		return -e->code;
	count(t->sums, f);
	return t->query->each(t->query->ctx, &c, e);
}

/* --- all of them -------------------------------------------------------------------------- */

int layers_tell(struct layers *l, const struct layers_query *q, struct brig_change_sums *out,
		struct err *e)
{
	struct telling t = {.query = q, .sums = out};
	struct fs_diff d = {.ctx = &t, .change = on_change, .most = q->most};
	int r = 0;

	*out = (struct brig_change_sums){0};
	if (!d.most || d.most > LAYERS_MOST)
		d.most = LAYERS_MOST;
	for (size_t i = 0; i < l->n && r == 0; i++) {
		t.layer = &l->names[i];
		r = fs_diff(&l->list[i], &d, e);
		if (r < 0 && r != -EOVERFLOW)
			return err_wrap(e, "layer %s", t.layer->path);
	}
	out->truncated = r == -EOVERFLOW;
	return out->truncated ? 0 : r;
}

int layers_diff(struct arena *a, int dir, const struct brig_state *s, const struct layers_query *q,
		struct brig_change_sums *out, struct err *e)
{
	struct layers l;

	*out = (struct brig_change_sums){0};
	if (layers_open(a, dir, s, &l, e) < 0)
		return -e->code;
	int r = layers_tell(&l, q, out, e);
	layers_close(&l);
	return r;
}
