#include "fs/diff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/sys.h"

enum { KEPT = S_IFMT | 07777 };

static int64_t nanoseconds(const struct statx_timestamp *t)
{
	return t->tv_sec * 1000000000 + t->tv_nsec;
}

/* --- a tmpfs ------------------------------------------------------------------------------ */

struct tmpfs {
	const struct fs_layer *layer;
	struct fs_diff *diff;
	bool *seen;
};

static int by_path(const void *key, const void *row)
{
	return strcmp(key, ((const struct fs_base *)row)->path);
}

/* A directory changes with each entry of it, which are told themselves. */
static bool is_as_before(const struct fs_base *b, const struct walk_entry *w)
{
	const struct statx *st = w->st;

	/* Mounted over by brig, then or still: what is below could not be reached. */
	if (w->is_mount || !b->ino)
		return true;
	if (b->ino != st->stx_ino || b->mode != st->stx_mode || b->uid != st->stx_uid ||
	    b->gid != st->stx_gid)
		return false;
	return S_ISDIR(st->stx_mode) || b->ctime_ns == nanoseconds(&st->stx_ctime);
}

static int tmpfs_entry(void *ctx, const struct walk_entry *w, struct err *e)
{
	struct tmpfs *t = ctx;
	const struct fs_layer *l = t->layer;
	const struct fs_base *b =
		l->n_base ? bsearch(w->path, l->base, l->n_base, sizeof(*b), by_path) : NULL;
	const struct fs_change c = {
		.op = b ? FS_CHANGED : FS_ADDED,
		.entry = w,
		.type = w->st->stx_mode,
	};

	if (b)
		t->seen[b - l->base] = true;
	if (b && is_as_before(b, w))
		return 0;
	return t->diff->change(t->diff->ctx, &c, e);
}

static int tell_missing(const struct tmpfs *t, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < t->layer->n_base && r == 0; i++) {
		const struct fs_base *b = &t->layer->base[i];
		const struct walk_entry w = {.dir = -1, .path = b->path, .len = strlen(b->path)};
		const struct fs_change c = {.op = FS_DELETED, .entry = &w, .type = b->mode};

		if (!t->seen[i])
			r = t->diff->change(t->diff->ctx, &c, e);
	}
	return r;
}

static int diff_tmpfs(const struct fs_layer *l, struct fs_diff *d, struct err *e)
{
	own_arena struct arena a = {0};
	struct tmpfs t = {.layer = l, .diff = d};
	struct walk w = {.ctx = &t, .entry = tmpfs_entry, .most = d->most};

	t.seen = arena_array(&a, l->n_base + 1, sizeof(*t.seen));
	int r = fs_walk(l->root, &w, e);
	d->most = w.most;
	return r ? r : tell_missing(&t, e);
}

struct taking {
	int (*each)(void *ctx, const struct fs_base *b);
	void *ctx;
};

static int take_entry(void *ctx, const struct walk_entry *w, struct err *e)
{
	const struct taking *t = ctx;
	const struct fs_base b = {
		.path = w->path,
		.ino = w->is_mount ? 0 : w->st->stx_ino,
		.ctime_ns = nanoseconds(&w->st->stx_ctime),
		.mode = w->st->stx_mode & KEPT,
		.uid = w->st->stx_uid,
		.gid = w->st->stx_gid,
	};

	(void)e;
	return t->each(t->ctx, &b);
}

int fs_diff_base(int root, uint64_t most, int (*each)(void *ctx, const struct fs_base *b),
		 void *ctx, struct err *e)
{
	struct taking t = {each, ctx};
	struct walk w = {.ctx = &t, .entry = take_entry, .most = most};

	return fs_walk(root, &w, e);
}

/* --- an overlay --------------------------------------------------------------------------- */

/* The lower is walked along with the upper, as far as it goes. */
struct overlay_walk {
	const struct fs_layer *layer;
	struct fs_diff *diff;
	int at;        /* in the lower, where the walk of the upper is */
	size_t opaque; /* depth of a directory in both that hides what is below; 0: none */
	size_t lost;   /* depth of a directory of the upper that the lower has not; 0: none */
	struct arena arena;
	struct statx *parents; /* of the lower's directories on the way */
	size_t n, room;
};

static bool below(const struct overlay_walk *o, const struct walk_entry *w, struct statx *st)
{
	return !o->lost && statx(o->at, w->name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
				 STATX_BASIC_STATS, st) == 0;
}

static bool is_whiteout(const struct statx *st)
{
	return S_ISCHR(st->stx_mode) && st->stx_rdev_major == 0 && st->stx_rdev_minor == 0;
}

/* It hides what is below; only the kernel and the host's root can say so ("trusted."). */
static bool is_opaque(const struct walk_entry *w)
{
	struct statx st;
	char value[4];
	own_fd int fd = fs_walk_down(w->dir, w->name, &st);

	return fd >= 0 && fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)) == 1 &&
	       value[0] == 'y';
}

static int tell(struct overlay_walk *o, enum fs_op op, const struct walk_entry *w,
		const struct statx *lower, struct err *e)
{
	const struct fs_change c = {
		.op = op,
		.entry = w,
		.below = lower,
		.type = op == FS_DELETED ? lower->stx_mode : w->st->stx_mode,
	};

	return o->diff->change(o->diff->ctx, &c, e);
}

static void remember(struct overlay_walk *o, const struct statx *st)
{
	if (o->n == o->room) {
		struct statx *bigger = arena_array(&o->arena, o->room * 2 + 8, sizeof(*bigger));

		if (o->n)
			memcpy(bigger, o->parents, o->n * sizeof(*bigger));
		o->parents = bigger;
		o->room = o->room * 2 + 8;
	}
	o->parents[o->n++] = *st;
}

/* Along into the directory w; merged: the lower has it, too. */
static int descend(struct overlay_walk *o, const struct walk_entry *w, bool merged, struct err *e)
{
	struct statx st;

	if (o->lost)
		return 0;
	if (!merged) {
		o->lost = w->depth;
		return 0;
	}
	int fd = fs_walk_down(o->at, w->name, &st);
	if (fd < 0)
		return err_set(e, -fd, "open a directory of the volume");
	own_close(&o->at);
	o->at = fd;
	remember(o, &st);
	return 0;
}

static int ascend(struct overlay_walk *o, const struct walk_entry *w, struct err *e)
{
	if (w->depth == 0)
		return 0;
	if (o->lost) {
		if (w->depth == o->lost)
			o->lost = 0;
		return 0;
	}
	o->n--;
	int up = fs_walk_up(o->at, &o->parents[o->n - 1]);
	if (up < 0)
		return err_msg(e, ESTALE, "the volume changed while it was read");
	own_close(&o->at);
	o->at = up;
	return 0;
}

/* What is in the lower's directory and hidden by an opaque one: those the upper has not are gone.
 */
struct hidden {
	struct overlay_walk *o;
	const struct walk_entry *in;
	int upper;
};

static int tell_hidden(void *ctx, const struct walk_entry *w, struct err *e)
{
	const struct hidden *h = ctx;
	own_arena struct arena a = {0};
	struct statx st;

	if (w->depth == 0)
		return 0;
	if (statx(h->upper, w->name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) == 0)
		return WALK_SKIP;
	const char *path = arena_printf(&a, "%s/%s", h->in->path, w->name);
	const struct walk_entry gone = {
		.dir = -1,
		.name = w->name,
		.path = path,
		.len = strlen(path),
		.depth = h->in->depth + 1,
	};
	int r = tell(h->o, FS_DELETED, &gone, w->st, e);
	return r ? r : WALK_SKIP;
}

static int tell_all_hidden(struct overlay_walk *o, const struct walk_entry *w, struct err *e)
{
	struct statx st;
	own_fd int upper = fs_walk_down(w->dir, w->name, &st);
	struct hidden h = {.o = o, .in = w, .upper = upper};
	struct walk walk = {.ctx = &h, .entry = tell_hidden, .most = o->diff->most};

	return upper < 0 ? err_set(e, -upper, "open a directory") : fs_walk(o->at, &walk, e);
}

static int enter(struct overlay_walk *o, const struct walk_entry *w, bool merged, struct err *e)
{
	int r = descend(o, w, merged, e);

	if (r == 0 && o->diff->enter)
		r = o->diff->enter(o->diff->ctx, w, e);
	/* Of what is below an opaque directory nothing says so itself. */
	if (merged && !o->opaque && is_opaque(w))
		o->opaque = w->depth;
	return r || !merged || !o->opaque ? r : tell_all_hidden(o, w, e);
}

static int overlay_dir(struct overlay_walk *o, const struct walk_entry *w,
		       const struct statx *lower, struct err *e)
{
	bool merged = lower && S_ISDIR(lower->stx_mode);
	int r = 0;

	if (!merged)
		r = tell(o, lower ? FS_CHANGED : FS_ADDED, w, lower, e);
	else if ((lower->stx_mode ^ w->st->stx_mode) & 07777)
		r = tell(o, FS_CHANGED, w, lower, e);
	return r ? r : enter(o, w, merged, e);
}

static int overlay_root(struct overlay_walk *o, const struct walk_entry *w, struct err *e)
{
	struct statx st;

	o->at = openat(o->layer->lower, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->at < 0 || statx(o->at, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
		return err_set(e, errno, "open the directory of a volume");
	remember(o, &st);
	return (st.stx_mode ^ w->st->stx_mode) & 07777 ? tell(o, FS_CHANGED, w, &st, e) : 0;
}

static int overlay_entry(void *ctx, const struct walk_entry *w, struct err *e)
{
	struct overlay_walk *o = ctx;
	struct statx lower;

	if (w->depth == 0)
		return overlay_root(o, w, e);
	bool there = below(o, w, &lower);
	if (S_ISDIR(w->st->stx_mode))
		return overlay_dir(o, w, there ? &lower : NULL, e);
	if (is_whiteout(w->st))
		return there ? tell(o, FS_DELETED, w, &lower, e) : 0;
	if (!there)
		return tell(o, FS_ADDED, w, NULL, e);
	/* One tree less, and one entry more. */
	int r = S_ISDIR(lower.stx_mode) ? tell(o, FS_DELETED, w, &lower, e) : 0;
	if (r)
		return r;
	return S_ISDIR(lower.stx_mode) ? tell(o, FS_ADDED, w, NULL, e)
				       : tell(o, FS_CHANGED, w, &lower, e);
}

static int overlay_leave(void *ctx, const struct walk_entry *w, struct err *e)
{
	struct overlay_walk *o = ctx;
	int r = o->diff->leave ? o->diff->leave(o->diff->ctx, w, e) : 0;

	if (o->opaque && o->opaque == w->depth)
		o->opaque = 0;
	return r ? r : ascend(o, w, e);
}

static int diff_overlay(const struct fs_layer *l, struct fs_diff *d, struct err *e)
{
	struct overlay_walk o = {.layer = l, .diff = d, .at = -1};
	struct walk w = {
		.ctx = &o,
		.entry = overlay_entry,
		.leave = overlay_leave,
		.most = d->most,
	};
	int r = fs_walk(l->root, &w, e);

	d->most = w.most;
	own_close(&o.at);
	arena_free(&o.arena);
	return r;
}

int fs_diff(const struct fs_layer *l, struct fs_diff *d, struct err *e)
{
	return l->lower >= 0 ? diff_overlay(l, d, e) : diff_tmpfs(l, d, e);
}
