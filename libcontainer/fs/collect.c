#include "fs/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/sys.h"
#include "fs/empty.h"
#include "fs/walk.h"

enum {
	BUFFER = 128 << 10,
	ARCHIVE_HEADER = 512,
	HOW = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
};

/* --- the source --------------------------------------------------------------------------- */

int fs_collect_open(int dir, const char *name, struct err *e)
{
	int fd = sys_openat2(dir, *name ? name : ".", O_PATH | O_NOFOLLOW, 0, HOW);

	if (fd >= 0)
		return fd;
	if (errno == ELOOP)
		return err_msg(e, ELOOP, "a symbolic link is on the way");
	return errno == EXDEV ? err_msg(e, EXDEV, "another mount, or \"..\", is on the way")
			      : err_set(e, errno, "open");
}

int fs_collect_count(struct fs_collect *c, const struct walk_entry *w, struct err *e)
{
	mode_t mode = w->st->stx_mode;

	if (w->is_mount)
		c->mounts++;
	else if (S_ISDIR(mode))
		c->directories++;
	else if (S_ISLNK(mode))
		c->symlinks++;
	else if (!S_ISREG(mode))
		c->special++;
	else
		c->files++;
	if (c->files + c->directories > c->max_files)
		return err_msg(e, EFBIG, "more than %llu files and directories",
			       (unsigned long long)c->max_files);
	bool file = S_ISREG(mode) && !w->is_mount;
	uint64_t size = file ? w->st->stx_size : 0;
	if (c->archive && (file || (S_ISDIR(mode) && !w->is_mount)))
		c->headers += ARCHIVE_HEADER + w->len;
	if (c->headers > c->max_bytes || size > c->max_bytes - c->headers ||
	    c->bytes > c->max_bytes - c->headers - size)
		return err_msg(e, EFBIG, "more than %llu bytes", (unsigned long long)c->max_bytes);
	c->bytes += size;
	return 0;
}

static int measure_entry(void *ctx, const struct walk_entry *w, struct err *e)
{
	return fs_collect_count(ctx, w, e);
}

static int is_directory(int source, struct statx *st, struct err *e)
{
	if (statx(source, "", AT_EMPTY_PATH, STATX_BASIC_STATS, st) < 0)
		return err_set(e, errno, "stat");
	if (S_ISDIR(st->stx_mode))
		return 1;
	if (S_ISLNK(st->stx_mode))
		return err_msg(e, ELOOP, "it is a symbolic link");
	return S_ISREG(st->stx_mode)
		       ? 0
		       : err_msg(e, EINVAL, "it is neither a regular file nor a directory");
}

int fs_collect_measure(int source, struct fs_collect *c, struct err *e)
{
	/* Beside what is counted there may be as much that is not. */
	struct walk w = {.ctx = c, .entry = measure_entry, .most = UINT64_MAX};
	struct statx st;
	int r = is_directory(source, &st, e);
	const struct walk_entry one = {.dir = -1, .st = &st};

	if (r < 0)
		return r;
	return r ? fs_walk(source, &w, e) : fs_collect_count(c, &one, e);
}

/* --- a copy ------------------------------------------------------------------------------- */

struct copy {
	struct fs_collect *counts;
	int at; /* the directory that is being filled */
	struct arena arena;
	struct statx *parents;
	size_t n, room;
	mode_t umask;
	char *buffer;
	const char *top; /* what the source becomes, in at */
	bool made;       /* it is there, and ours */
};

static int copy_part(const struct copy *c, int in, int out, uint64_t from, uint64_t to,
		     struct err *e)
{
	while (from < to) {
		uint64_t left = to - from;
		ssize_t n = pread(in, c->buffer, left < BUFFER ? left : BUFFER, (off_t)from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "read");
		if (n == 0)
			return err_msg(e, ESTALE, "a file changed while it was copied");
		ssize_t put = pwrite(out, c->buffer, (size_t)n, (off_t)from);
		if (put <= 0)
			return err_set(e, put < 0 ? errno : EIO, "write");
		from += (uint64_t)put;
	}
	return 0;
}

/* Holes stay holes: what a sandbox wrote in a moment is not to fill a disk. */
static int copy_data(const struct copy *c, int in, int out, uint64_t size, struct err *e)
{
	uint64_t at = 0;

	while (at < size) {
		off_t data = lseek(in, (off_t)at, SEEK_DATA);

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			return err_set(e, errno, "read");
		off_t hole = lseek(in, data, SEEK_HOLE);
		uint64_t end = hole < 0 || (uint64_t)hole > size ? size : (uint64_t)hole;
		if ((uint64_t)data >= size)
			break;
		if (copy_part(c, in, out, (uint64_t)data, end, e) < 0)
			return -e->code;
		at = end;
	}
	return ftruncate(out, (off_t)size) < 0 ? err_set(e, errno, "write") : 0;
}

static bool is_changed(int fd, const struct statx *before)
{
	struct statx now;

	return statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &now) < 0 ||
	       now.stx_size != before->stx_size ||
	       now.stx_mtime.tv_sec != before->stx_mtime.tv_sec ||
	       now.stx_mtime.tv_nsec != before->stx_mtime.tv_nsec;
}

static int copy_file(struct copy *c, int in, const char *name, const struct statx *st,
		     struct err *e)
{
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT            },
		{ .tv_sec = st->stx_mtime.tv_sec, .tv_nsec = st->stx_mtime.tv_nsec},
	};
	own_fd int out =
		openat(c->at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (out < 0)
		return err_set(e, errno, "create a file");
	c->made = true;
	if (copy_data(c, in, out, st->stx_size, e) < 0)
		return -e->code;
	if (is_changed(in, st))
		return err_msg(e, ESTALE, "a file changed while it was copied");
	mode_t mode = ((st->stx_mode & 0777) | 0600) & ~c->umask;
	if (fchmod(out, mode) < 0 || futimens(out, times) < 0)
		return err_set(e, errno, "set the mode of a file");
	return 0;
}

static void remember(struct copy *c, const struct statx *st)
{
	if (c->n == c->room) {
		struct statx *bigger = arena_array(&c->arena, c->room * 2 + 8, sizeof(*bigger));

		if (c->n)
			memcpy(bigger, c->parents, c->n * sizeof(*bigger));
		c->parents = bigger;
		c->room = c->room * 2 + 8;
	}
	c->parents[c->n++] = *st;
}

static int make_dir(struct copy *c, const char *name, struct err *e)
{
	struct statx here, made;

	if (statx(c->at, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &here) < 0 ||
	    mkdirat(c->at, name, 0700) < 0)
		return err_set(e, errno, "make a directory");
	c->made = true;
	int fd = fs_walk_down(c->at, name, &made);
	if (fd < 0)
		return err_set(e, -fd, "open a directory");
	remember(c, &here);
	own_close(&c->at);
	c->at = fd;
	return 0;
}

static int copy_entry(void *ctx, const struct walk_entry *w, struct err *e)
{
	struct copy *c = ctx;
	const char *name = w->depth ? w->name : c->top;

	if (fs_collect_count(c->counts, w, e) < 0)
		return -e->code;
	if (w->is_mount)
		return WALK_SKIP;
	if (S_ISDIR(w->st->stx_mode))
		return make_dir(c, name, e);
	if (!S_ISREG(w->st->stx_mode))
		return 0;
	own_fd int in = fs_walk_open(w, e);
	return in < 0 ? in : copy_file(c, in, name, w->st, e);
}

static int copy_leave(void *ctx, const struct walk_entry *w, struct err *e)
{
	struct copy *c = ctx;
	mode_t mode = ((w->st->stx_mode & 0777) | 0700) & ~c->umask;

	if (fchmod(c->at, mode) < 0)
		return err_set(e, errno, "set the mode of a directory");
	int up = fs_walk_up(c->at, &c->parents[--c->n]);
	if (up < 0)
		return err_msg(e, ESTALE, "what is copied to was moved meanwhile");
	own_close(&c->at);
	c->at = up;
	return 0;
}

/* --- the destination ---------------------------------------------------------------------- */

/* The directory that holds path, without a symlink on the way; *name: the last part. */
static int open_parent(struct arena *a, const char *path, const char **name, struct err *e)
{
	char *whole = arena_strdup(a, path);
	size_t n = strlen(whole);

	while (n > 1 && whole[n - 1] == '/')
		whole[--n] = '\0';
	char *slash = strrchr(whole, '/');
	*name = slash ? slash + 1 : whole;
	if (!**name || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0)
		return err_msg(e, EINVAL, "destination %s: no name for something new", path);
	if (slash)
		*slash = '\0';
	const char *parent = !slash ? "." : *whole ? whole : "/";
	int fd = sys_openat2(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0,
			     RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (fd < 0 && errno == ELOOP)
		return err_msg(e, ELOOP, "destination %s: a symbolic link leads to it", path);
	return fd < 0 ? err_set(e, errno, "destination %s", path) : fd;
}

static void remove_copy(int parent, const char *name, bool is_dir)
{
	struct statx st;
	struct err ignored;
	own_fd int fd = is_dir ? fs_walk_down(parent, name, &st) : -1;

	if (fd >= 0)
		(void)!fs_empty(fd, &ignored);
	(void)unlinkat(parent, name, is_dir ? AT_REMOVEDIR : 0);
}

static int copy_tree(struct copy *c, int source, struct err *e)
{
	struct walk w = {
		.ctx = c,
		.entry = copy_entry,
		.leave = copy_leave,
		.most = UINT64_MAX,
	};

	return fs_walk(source, &w, e);
}

/* O_PATH to reading; it is what was looked at. */
static int copy_one(struct copy *c, int source, const struct statx *st, struct err *e)
{
	const struct walk_entry w = {.dir = source, .name = "", .st = st};

	if (fs_collect_count(c->counts, &w, e) < 0)
		return -e->code;
	own_fd int in = fs_walk_open(&w, e);
	return in < 0 ? in : copy_file(c, in, c->top, st, e);
}

static int copy_to(struct copy *c, int source, const char *path, struct err *e)
{
	struct statx st;
	int dir = is_directory(source, &st, e);

	if (dir < 0)
		return dir;
	own_fd int parent = open_parent(&c->arena, path, &c->top, e);
	if (parent < 0)
		return parent;
	c->at = fcntl(parent, F_DUPFD_CLOEXEC, 3);
	c->buffer = arena_new(&c->arena, BUFFER);
	int r = dir ? copy_tree(c, source, e) : copy_one(c, source, &st, e);
	if (r < 0 && c->made)
		remove_copy(parent, c->top, dir);
	return r == -EEXIST && !c->made ? err_msg(e, EEXIST, "destination %s: it exists", path) : r;
}

int fs_collect_copy(int source, const char *path, struct fs_collect *counts, struct err *e)
{
	struct copy c = {.counts = counts, .at = -1, .umask = umask(0)};

	(void)umask(c.umask);
	int r = copy_to(&c, source, path, e);
	own_close(&c.at);
	arena_free(&c.arena);
	return r;
}
