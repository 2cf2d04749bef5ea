#include "fs/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/text.h"

enum {
	HOW = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	TRIES = 32,
};

/* A directory on the way down. */
struct frame {
	struct arena arena;
	const char **names;
	size_t n, next;
	struct statx st;
	size_t len; /* of its path */
};

struct state {
	struct arena arena;
	struct walk *w;
	int at; /* the directory of the last frame */
	struct frame *frames;
	size_t n, room;
	char *path;
	size_t len, path_room;
};

/* --- one step ----------------------------------------------------------------------------- */

bool fs_walk_same(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

static int look(int dir, const char *name, struct statx *st)
{
	int how = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);

	return statx(dir, name, how, STATX_BASIC_STATS, st) < 0 ? -errno : 0;
}

/* Renames anywhere make ".." uncertain for a moment (EAGAIN). */
static int step(int dir, const char *name, struct statx *st)
{
	own_fd int fd = -1;
	int tries = 0;

	do
		fd = sys_openat2(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, 0,
				 HOW);
	while (fd < 0 && (errno == EAGAIN || errno == EINTR) && tries++ < TRIES);
	if (fd < 0)
		return -errno;
	int r = look(fd, "", st);
	return r < 0 ? r : take_fd(&fd);
}

int fs_walk_down(int dir, const char *name, struct statx *st)
{
	return step(dir, name, st);
}

int fs_walk_up(int dir, const struct statx *st)
{
	struct statx is;
	own_fd int fd = step(dir, "..", &is);

	if (fd < 0)
		return fd == -EXDEV || fd == -ENOENT ? -ESTALE : fd;
	return fs_walk_same(&is, st) ? take_fd(&fd) : -ESTALE;
}

int fs_walk_open(const struct walk_entry *w, struct err *e)
{
	own_fd int path = *w->name ? sys_openat2(w->dir, w->name, O_PATH | O_NOFOLLOW, 0, HOW)
				   : fcntl(w->dir, F_DUPFD_CLOEXEC, 3);
	char link[64];
	struct statx st;

	/* Gone, or something else has its name by now. */
	if (path < 0 && (errno == ENOENT || errno == ELOOP || errno == EXDEV))
		return err_msg(e, ESTALE, "it is another file than a moment ago");
	if (path < 0)
		return err_set(e, errno, "open a file");
	int r = look(path, "", &st);
	if (r < 0)
		return err_set(e, -r, "stat a file");
	if (!S_ISREG(st.stx_mode) || !fs_walk_same(&st, w->st))
		return err_msg(e, ESTALE, "it is another file than a moment ago");
	/* By what was looked at: a device or a fifo is not opened by mistake.  Nobody waits for who
	 * has a lease on it (fcntl(2)): it would be for as many files as there are. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
	int fd = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0)
		return fd;
	return errno == EWOULDBLOCK ? err_msg(e, ESTALE, "a file is in use (a lease)")
				    : err_set(e, errno, "open a file");
}

/* --- names -------------------------------------------------------------------------------- */

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* All of them at once: the directory is not held open while others are walked. */
static int read_names(struct state *s, struct frame *f, struct err *e)
{
	own_fd int fd = openat(s->at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct text t = {.a = &f->arena};
	struct dirent *de;

	if (!d)
		return err_set(e, errno, "open a directory");
	(void)take_fd(&fd);
	for (;;) {
		errno = 0;
		de = readdir(d);
		if (!de)
			break;
		if (is_dots(de->d_name))
			continue;
		text_add(&t, de->d_name, strlen(de->d_name) + 1);
		if (f->n++ >= s->w->most)
			return err_msg(e, EOVERFLOW, "more entries than are looked at");
	}
	if (errno)
		return err_set(e, errno, "read a directory");
	f->names = arena_array(&f->arena, f->n + 1, sizeof(*f->names));
	const char *p = t.s;
	for (size_t i = 0; i < f->n; i++) {
		f->names[i] = p;
		p += strlen(p) + 1;
	}
	str_sort(f->names, f->n);
	return 0;
}

/* --- the way ------------------------------------------------------------------------------ */

static void *grown(struct arena *a, void *p, size_t *room, size_t need, size_t size)
{
	if (need <= *room)
		return p;
	void *bigger = arena_array(a, need * 2, size);
	if (*room)
		memcpy(bigger, p, *room * size);
	*room = need * 2;
	return bigger;
}

static void set_path(struct state *s, size_t base, const char *name)
{
	size_t n = strlen(name), at = base ? base + 1 : 0;

	s->path = grown(&s->arena, s->path, &s->path_room, at + n + 1, 1);
	if (base)
		s->path[base] = '/';
	memcpy(s->path + at, name, n + 1);
	s->len = at + n;
}

static struct walk_entry entry_of(const struct state *s, const char *name, const struct statx *st)
{
	return (struct walk_entry){
		.dir = s->at,
		.name = name,
		.path = s->path,
		.len = s->len,
		.depth = s->n,
		.st = st,
		.is_mount = s->n && st->stx_attributes & STATX_ATTR_MOUNT_ROOT,
	};
}

static int push(struct state *s, int fd, const struct statx *st, struct err *e)
{
	s->frames = grown(&s->arena, s->frames, &s->room, s->n + 1, sizeof(*s->frames));
	struct frame *f = &s->frames[s->n++];

	*f = (struct frame){.st = *st, .len = s->len};
	own_close(&s->at);
	s->at = fd;
	return read_names(s, f, e);
}

/* The directory of the last frame is done: back to the one that holds it. */
static int pop(struct state *s, struct err *e)
{
	struct frame *f = &s->frames[s->n - 1];
	const struct statx st = f->st;
	int r = 0;

	arena_free(&f->arena);
	s->n--;
	s->len = f->len;
	s->path[s->len] = '\0';
	if (s->n) {
		int up = fs_walk_up(s->at, &s->frames[s->n - 1].st);

		if (up < 0)
			return err_msg(e, ESTALE, "a directory was moved while it was read");
		own_close(&s->at);
		s->at = up;
	} else {
		own_close(&s->at);
	}
	if (s->w->leave) {
		const char *slash = memrchr(s->path, '/', s->len);
		const struct walk_entry w = entry_of(s, slash ? slash + 1 : s->path, &st);

		r = s->w->leave(s->w->ctx, &w, e);
	}
	return r;
}

static int visit(struct state *s, const char *name, struct err *e)
{
	struct statx st, opened;
	struct frame *f = &s->frames[s->n - 1];

	set_path(s, f->len, name);
	if (!s->w->most)
		return err_msg(e, EOVERFLOW, "more entries than are looked at");
	s->w->most--;
	/* It may have gone since it was listed. */
	if (look(s->at, name, &st) < 0)
		return 0;
	const struct walk_entry w = entry_of(s, name, &st);
	int r = s->w->entry(s->w->ctx, &w, e);
	if (r != 0 || !S_ISDIR(st.stx_mode) || w.is_mount)
		return r == WALK_SKIP ? 0 : r;
	int fd = fs_walk_down(s->at, name, &opened);
	if (fd < 0 || !fs_walk_same(&st, &opened)) {
		own_close(&fd);
		return err_msg(e, ESTALE, "a directory was replaced while it was read");
	}
	return push(s, fd, &st, e);
}

static int walk(struct state *s, struct err *e)
{
	while (s->n) {
		struct frame *f = &s->frames[s->n - 1];
		int r = f->next < f->n ? visit(s, f->names[f->next++], e) : pop(s, e);

		if (r != 0)
			return r;
	}
	return 0;
}

static int begin(struct state *s, int root, struct err *e)
{
	struct statx st;
	own_fd int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "open a layer");
	int r = look(fd, "", &st);
	if (r < 0)
		return err_set(e, -r, "stat a layer");
	set_path(s, 0, "");
	const struct walk_entry w = entry_of(s, "", &st);
	r = s->w->entry(s->w->ctx, &w, e);
	if (r != 0)
		return r == WALK_SKIP ? 0 : r;
	return push(s, take_fd(&fd), &st, e);
}

int fs_walk(int root, struct walk *w, struct err *e)
{
	struct state s = {.w = w, .at = -1};
	int r = begin(&s, root, e);

	if (r == 0)
		r = walk(&s, e);
	while (s.n)
		arena_free(&s.frames[--s.n].arena);
	own_close(&s.at);
	arena_free(&s.arena);
	return r;
}
