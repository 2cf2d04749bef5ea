#include "fs/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "fs/empty.h"

enum { BUFFER = 64 << 10, LINK_MAX_BYTES = 4096 };

/* Files that have a name less by our doing: that is a change of the file, whose other names may be
 * to come.  0: free. */
struct inodes {
	uint64_t *slots;
	size_t n, room;
};

struct applying {
	struct fs_apply *want;
	struct arena arena;
	char *buffer, *other;
	int at; /* act: the directory of the host that is like the walk's */
	struct statx *parents;
	size_t n, room;
	struct inodes ours;
};

/* --- what may be -------------------------------------------------------------------------- */

/*
 * ".." may only come first: behind a name it leads away from wherever a link of that name leads.
 * What is so, in a directory that no link led to, stays inside, and so does each step of it.
 */
bool fs_link_leaves(const char *target, size_t len, size_t depth)
{
	bool named = false;
	size_t up = 0;

	if (len == 0 || target[0] == '/')
		return true;
	for (size_t at = 0; at < len;) {
		const char *p = target + at;
		const char *slash = memchr(p, '/', len - at);
		size_t n = slash ? (size_t)(slash - p) : len - at;

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			if (named || ++up > depth)
				return true;
		} else if (n > 1 || (n == 1 && p[0] != '.')) {
			named = true;
		}
		at += n + 1;
	}
	return false;
}

static uint64_t *slot_of(const struct inodes *s, uint64_t ino)
{
	size_t at = (size_t)(ino * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (s->room - 1);

	while (s->slots[at] && s->slots[at] != ino)
		at = (at + 1) & (s->room - 1);
	return &s->slots[at];
}

static void note_link(struct applying *a, const struct statx *st)
{
	struct inodes *s = &a->ours, more = {.room = s->room * 2};

	if (S_ISDIR(st->stx_mode) || st->stx_nlink < 2)
		return;
	if (s->n * 2 >= s->room) {
		more.room = more.room ? more.room : 64;
		more.slots = arena_array(&a->arena, more.room, sizeof(*more.slots));
		for (size_t i = 0; i < s->room; i++)
			if (s->slots[i])
				*slot_of(&more, s->slots[i]) = s->slots[i];
		more.n = s->n;
		*s = more;
	}
	uint64_t *slot = slot_of(s, st->stx_ino);
	s->n += !*slot;
	*slot = st->stx_ino;
}

static bool is_since(const struct applying *a, const struct statx *st)
{
	const struct fs_apply *want = a->want;
	const struct statx_timestamp *t = want->again ? &st->stx_mtime : &st->stx_ctime;

	if (t->tv_sec * 1000000000 + t->tv_nsec < want->since_ns)
		return false;
	if (want->again)
		return !S_ISDIR(st->stx_mode);
	return !a->ours.room || !*slot_of(&a->ours, st->stx_ino);
}

static int conflict(const struct walk_entry *w, struct err *e)
{
	return err_msg(e, ESTALE, "%.200s: the host has changed it, too", w->path);
}

static int find_later(void *ctx, const struct walk_entry *w, struct err *e)
{
	const struct applying *a = ctx;

	if (w->is_mount)
		return err_msg(e, EBUSY, "something is mounted there");
	return is_since(a, w->st) ? err_msg(e, ESTALE, "%.100s", w->path) : 0;
}

/* Nothing in there that somebody made since. */
static int check_tree(struct applying *a, const struct walk_entry *w, struct err *e)
{
	struct walk walk = {.ctx = a, .entry = find_later, .most = UINT64_MAX};
	struct statx st;
	own_fd int fd = fs_walk_down(a->at, w->name, &st);

	if (fd < 0)
		return fd == -ENOENT ? 0 : err_set(e, -fd, "%.200s", w->path);
	int r = fs_walk(fd, &walk, e);
	return r == -ESTALE ? conflict(w, e) : r;
}

/* --- files -------------------------------------------------------------------------------- */

static int open_ours(const struct applying *a, const char *name)
{
	own_fd int fd =
		openat(a->at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? take_fd(&fd) : -1;
}

static ssize_t fill(int fd, char *buffer)
{
	size_t n = 0;

	while (n < BUFFER) {
		ssize_t got = read(fd, buffer + n, BUFFER - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static bool is_same_text(const struct applying *a, int one, int two)
{
	ssize_t n, m;

	do {
		n = fill(one, a->buffer);
		m = fill(two, a->other);
		if (n < 0 || n != m || memcmp(a->buffer, a->other, (size_t)n) != 0)
			return false;
	} while (n == BUFFER);
	return true;
}

static bool is_same_file(const struct applying *a, const struct fs_change *c)
{
	const struct walk_entry *w = c->entry;
	struct err ignored;

	if (!S_ISREG(c->below->stx_mode) || c->below->stx_size != w->st->stx_size ||
	    ((c->below->stx_mode ^ w->st->stx_mode) & 0777))
		return false;
	own_fd int new = fs_walk_open(w, &ignored), old = open_ours(a, w->name);
	return new >= 0 && old >= 0 && is_same_text(a, new, old);
}

static bool is_same_link(const struct applying *a, const struct fs_change *c)
{
	const struct walk_entry *w = c->entry;
	char one[LINK_MAX_BYTES], two[LINK_MAX_BYTES];
	ssize_t n = readlinkat(w->dir, w->name, one, sizeof(one));

	return S_ISLNK(c->below->stx_mode) && n > 0 &&
	       readlinkat(a->at, w->name, two, sizeof(two)) == n &&
	       memcmp(one, two, (size_t)n) == 0;
}

/* Done before, by us or by somebody else: the same. */
static bool is_done(const struct applying *a, const struct fs_change *c)
{
	if (!c->below || c->op == FS_DELETED)
		return false;
	if (S_ISREG(c->type))
		return is_same_file(a, c);
	return S_ISLNK(c->type) && is_same_link(a, c);
}

static int copy_text(const struct applying *a, int in, int out, struct err *e)
{
	ssize_t n;

	do {
		n = fill(in, a->buffer);
		if (n < 0)
			return err_set(e, errno, "read");
		for (ssize_t at = 0; at < n;) {
			ssize_t put = write(out, a->buffer + at, (size_t)(n - at));

			if (put <= 0 && errno != EINTR)
				return err_set(e, errno, "write");
			at += put > 0 ? put : 0;
		}
	} while (n == BUFFER);
	return 0;
}

/* Whose what is new becomes: never one that the sandbox has chosen. */
static int owner_of(const struct applying *a, const struct fs_change *c, uid_t *uid, gid_t *gid,
		    struct err *e)
{
	struct stat st;

	if (c->below && !S_ISLNK(c->below->stx_mode)) {
		*uid = c->below->stx_uid;
		*gid = c->below->stx_gid;
		return 0;
	}
	if (fstat(a->at, &st) < 0)
		return err_set(e, errno, "stat");
	*uid = st.st_uid;
	*gid = st.st_gid;
	return 0;
}

static int write_temp(const struct applying *a, const struct fs_change *c, struct err *e)
{
	const struct statx *st = c->entry->st;
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT            },
		{ .tv_sec = st->stx_mtime.tv_sec, .tv_nsec = st->stx_mtime.tv_nsec},
	};
	own_fd int in = fs_walk_open(c->entry, e);
	uid_t uid;
	gid_t gid;

	if (in < 0 || owner_of(a, c, &uid, &gid, e) < 0)
		return -e->code;
	own_fd int out = openat(a->at, a->want->temp,
				O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_set(e, errno, "create");
	if (copy_text(a, in, out, e) < 0)
		return -e->code;
	/* Owner first: it takes bits away. */
	if (fchown(out, uid, gid) < 0 || fchmod(out, st->stx_mode & 0777) < 0 ||
	    futimens(out, times) < 0)
		return err_set(e, errno, "set owner and mode");
	return 0;
}

/* The volume may be somebody's who is not root: what has just been made by name can be another
 * thing of his by now, a link to anywhere, too.  Owner and mode go to what was opened. */
static int replaced(struct err *e)
{
	return err_msg(e, ESTALE, "it was replaced by somebody meanwhile");
}

static int make_link(const struct applying *a, const struct fs_change *c, struct err *e)
{
	char target[LINK_MAX_BYTES + 1];
	ssize_t n = readlinkat(c->entry->dir, c->entry->name, target, LINK_MAX_BYTES);
	struct statx st;
	uid_t uid;
	gid_t gid;

	if (n < 0 || owner_of(a, c, &uid, &gid, e) < 0)
		return err_set(e, errno, "read a link");
	target[n] = '\0';
	if (symlinkat(target, a->at, a->want->temp) < 0)
		return err_set(e, errno, "make a link");
	own_fd int fd = openat(a->at, a->want->temp, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
		return err_set(e, errno, "make a link");
	if (!S_ISLNK(st.stx_mode) || st.stx_uid != geteuid())
		return replaced(e);
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? err_set(e, errno, "make a link") : 0;
}

/* --- one entry ---------------------------------------------------------------------------- */

static int note_entry(void *ctx, const struct walk_entry *w, struct err *e)
{
	(void)e;
	note_link(ctx, w->st);
	return 0;
}

static int remove_tree(struct applying *a, const struct fs_change *c, struct err *e)
{
	const char *name = c->entry->name;
	struct statx st;

	if (!S_ISDIR(c->type))
		return unlinkat(a->at, name, 0) < 0 && errno != ENOENT ? err_set(e, errno, "remove")
								       : 0;
	own_fd int fd = fs_walk_down(a->at, name, &st);
	if (fd < 0)
		return err_set(e, -fd, "open");
	struct walk links = {.ctx = a, .entry = note_entry, .most = UINT64_MAX};
	if (fs_walk(fd, &links, e) < 0 || fs_empty(fd, e) < 0)
		return -e->code;
	return unlinkat(a->at, name, AT_REMOVEDIR) < 0 ? err_set(e, errno, "remove") : 0;
}

static int set_mode(const struct applying *a, const struct fs_change *c, struct err *e)
{
	const struct walk_entry *w = c->entry;
	struct statx st;
	own_fd int fd = fs_walk_down(a->at, w->name, &st);

	if (fd < 0 || !fs_walk_same(&st, c->below))
		return replaced(e);
	return fchmod(fd, w->st->stx_mode & 0777) < 0 ? err_set(e, errno, "chmod") : 0;
}

static int make_dir(const struct applying *a, const struct fs_change *c, struct err *e)
{
	const struct walk_entry *w = c->entry;
	struct statx st;
	uid_t uid;
	gid_t gid;

	if (w->depth == 0)
		return fchmod(a->at, w->st->stx_mode & 0777) < 0 ? err_set(e, errno, "chmod") : 0;
	if (c->below && S_ISDIR(c->below->stx_mode))
		return set_mode(a, c, e);
	/* A file that became a directory. */
	if (c->below && unlinkat(a->at, w->name, 0) < 0 && errno != ENOENT)
		return err_set(e, errno, "remove");
	if (owner_of(a, &(struct fs_change){.below = NULL}, &uid, &gid, e) < 0)
		return -e->code;
	if (mkdirat(a->at, w->name, 0700) < 0)
		return err_set(e, errno, "make a directory");
	own_fd int fd = fs_walk_down(a->at, w->name, &st);
	if (fd < 0 || st.stx_uid != geteuid())
		return replaced(e);
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, w->st->stx_mode & 0777) < 0)
		return err_set(e, errno, "set owner and mode");
	return 0;
}

static int replace(const struct applying *a, const struct fs_change *c, struct err *e)
{
	const char *temp = a->want->temp;

	(void)unlinkat(a->at, temp, 0); /* of one that was killed */
	int r = S_ISLNK(c->type) ? make_link(a, c, e) : write_temp(a, c, e);
	if (r == 0 && renameat(a->at, temp, a->at, c->entry->name) < 0)
		r = err_set(e, errno, "rename");
	if (r < 0)
		(void)unlinkat(a->at, temp, 0);
	return r;
}

static int act(struct applying *a, const struct fs_change *c, struct err *e)
{
	if (c->below)
		note_link(a, c->below);
	int r = c->op == FS_DELETED ? remove_tree(a, c, e)
		: S_ISDIR(c->type)  ? make_dir(a, c, e)
				    : replace(a, c, e);

	if (r < 0)
		return err_wrap(e, "%.200s", c->entry->path);
	if (a->want->done)
		a->want->done(a->want->ctx, c);
	return 0;
}

static bool is_temp(const struct applying *a, const struct walk_entry *w)
{
	return strcmp(w->name, a->want->temp) == 0;
}

/* 1: left out. */
static int check_type(const struct applying *a, const struct fs_change *c, struct err *e)
{
	const struct walk_entry *w = c->entry;
	char target[LINK_MAX_BYTES];
	const char *why = "neither file, directory nor link";

	if (c->op != FS_DELETED && is_temp(a, w))
		return a->want->skip
			       ? 1
			       : err_msg(e, EOPNOTSUPP,
					 "%.200s: commit needs that name itself (--skip)", w->path);
	if (c->op == FS_DELETED || S_ISREG(c->type) || S_ISDIR(c->type))
		return 0;
	if (S_ISLNK(c->type)) {
		ssize_t n = readlinkat(w->dir, w->name, target, sizeof(target));

		if (n > 0 && !fs_link_leaves(target, (size_t)n, w->depth - 1))
			return 0;
		why = "a link that leads, or may lead, out of the volume";
	}
	return a->want->skip ? 1 : err_msg(e, EOPNOTSUPP, "%.200s: %s (--skip)", w->path, why);
}

/* Looking: the walk is in a directory that the host does not have (yet). */
static bool is_lost(const struct applying *a)
{
	return a->n && !a->parents[a->n - 1].stx_mode;
}

/*
 * What was the volume's and is not there any more: the sandbox has moved it there, or the host has
 * taken it away meanwhile, which its directory's time tells.
 */
static bool was_taken_away(const struct applying *a, const struct walk_entry *w)
{
	struct statx st;
	struct err ignored;
	own_fd int fd = a->want->act || a->want->again || is_lost(a) || !S_ISREG(w->st->stx_mode)
				? -1
				: fs_walk_open(w, &ignored);

	return fd >= 0 && fgetxattr(fd, "trusted.overlay.origin", NULL, 0) >= 0 &&
	       statx(a->at, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) == 0 && is_since(a, &st);
}

static int check_conflict(struct applying *a, const struct fs_change *c, struct err *e)
{
	const struct walk_entry *w = c->entry;

	if (c->op == FS_DELETED && S_ISDIR(c->type))
		return check_tree(a, w, e);
	if (c->op == FS_ADDED && was_taken_away(a, w))
		return conflict(w, e);
	/* Of a directory in both only the mode is changed. */
	if (!c->below || (S_ISDIR(c->below->stx_mode) && S_ISDIR(c->type)))
		return 0;
	return is_since(a, c->below) ? conflict(w, e) : 0;
}

static void count(struct fs_apply *want, const struct fs_change *c)
{
	uint64_t *const by_op[] = {[FS_ADDED] = &want->added,
				   [FS_CHANGED] = &want->changed,
				   [FS_DELETED] = &want->deleted};

	(*by_op[c->op])++;
	if (c->op != FS_DELETED && S_ISREG(c->type))
		want->bytes += c->entry->st->stx_size;
}

static int on_change(void *ctx, const struct fs_change *c, struct err *e)
{
	struct applying *a = ctx;
	int r = check_type(a, c, e);

	if (r != 0) {
		a->want->skipped += r > 0;
		return r < 0 ? r : WALK_SKIP;
	}
	/* Of one that was killed: gone before anything is written there. */
	if (c->op == FS_DELETED && is_temp(a, c->entry))
		return 0;
	if (is_done(a, c))
		return 0;
	/* Both times: what was looked at may have changed since. */
	if (check_conflict(a, c, e) < 0)
		return -e->code;
	count(a->want, c);
	return a->want->act ? act(a, c, e) : 0;
}

/* --- along with the walk ------------------------------------------------------------------ */

/* What is looked at only may be without a directory of the host's: then the rest of it is, too. */
static int on_enter(void *ctx, const struct walk_entry *w, struct err *e)
{
	struct applying *a = ctx;
	struct statx st = {0};
	int fd = is_lost(a) ? -ENOENT : fs_walk_down(a->at, w->name, &st);

	if (fd < 0 && a->want->act)
		return err_set(e, -fd, "%.200s", w->path);
	if (a->n == a->room) {
		struct statx *bigger = arena_array(&a->arena, a->room * 2 + 8, sizeof(*bigger));

		if (a->n)
			memcpy(bigger, a->parents, a->n * sizeof(*bigger));
		a->parents = bigger;
		a->room = a->room * 2 + 8;
	}
	if (fd < 0) {
		/* Nothing below it is asked about the host. */
		memset(&a->parents[a->n++], 0, sizeof(*a->parents));
		return 0;
	}
	if (statx(a->at, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &a->parents[a->n]) < 0) {
		own_close(&fd);
		return err_set(e, errno, "stat");
	}
	a->n++;
	own_close(&a->at);
	a->at = fd;
	(void)unlinkat(a->want->act ? a->at : -1, a->want->temp, 0);
	return 0;
}

static int on_leave(void *ctx, const struct walk_entry *w, struct err *e)
{
	struct applying *a = ctx;

	if (w->depth == 0)
		return 0;
	const struct statx *up = &a->parents[--a->n];
	if (!up->stx_mode)
		return 0;
	int fd = fs_walk_up(a->at, up);
	if (fd < 0)
		return err_msg(e, ESTALE, "%.200s: it was moved meanwhile", w->path);
	own_close(&a->at);
	a->at = fd;
	return 0;
}

int fs_apply(struct fs_apply *want, struct err *e)
{
	struct applying a = {.want = want};
	struct fs_diff d = {
		.ctx = &a,
		.change = on_change,
		.enter = on_enter,
		.leave = on_leave,
		.most = UINT64_MAX,
	};

	want->added = want->changed = want->deleted = want->bytes = want->skipped = 0;
	a.at = openat(want->layer->lower, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a.at < 0)
		return err_set(e, errno, "open the volume");
	a.buffer = arena_new(&a.arena, BUFFER);
	a.other = arena_new(&a.arena, BUFFER);
	int r = fs_diff(want->layer, &d, e);
	if (r == 0 && want->act && syncfs(a.at) < 0)
		r = err_set(e, errno, "write the volume");
	own_close(&a.at);
	arena_free(&a.arena);
	return r;
}
