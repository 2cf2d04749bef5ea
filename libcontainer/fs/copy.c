#include "fs/copy.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"

/*
 * Both sides are held by descriptor and every step opens one name without following it, so that a
 * symlink stays one and nothing outside is read.  Sockets, fifos and devices are not content: left
 * out.
 */

/*
 * The child may build on a small stack (base/clone_vm.h): what has big arrays is kept out of the
 * frames of the recursion.
 */
#define LEAF __attribute__((noinline))

enum { MAX_DEPTH = 128, FIRST_LINKS = 256, MAX_LINKS = 1 << 20 };

/* A file of several names, by where its first copy is. */
struct link {
	dev_t dev;
	ino_t ino;
	const char *path; /* below to; NULL: a free place */
};

struct copy {
	bool root; /* of a root: see fs_copy_root */
	const struct fs_owner *owner;
	int to;
	int depth;
	char path[PATH_MAX]; /* of what is copied, below the top; "" at the top */
	struct arena arena;  /* of the links */
	struct link *links;  /* open addressing, size a power of two */
	size_t n_links, size;
};

/* path/name; false: too long to be named. */
static bool path_push(struct copy *c, const char *name)
{
	size_t n = strlen(c->path), m = strlen(name);

	if (n + m + 2 > sizeof(c->path))
		return false;
	if (n)
		c->path[n++] = '/';
	memcpy(c->path + n, name, m + 1);
	return true;
}

static struct link *find_link(struct link *links, size_t size, const struct stat *st)
{
	size_t i = (size_t)(st->st_ino * 0x9e3779b97f4a7c15u + st->st_dev) & (size - 1);

	while (links[i].path && (links[i].ino != st->st_ino || links[i].dev != st->st_dev))
		i = (i + 1) & (size - 1);
	return &links[i];
}

static void grow_links(struct copy *c)
{
	size_t size = c->size ? c->size * 2 : FIRST_LINKS;
	struct link *links = arena_array(&c->arena, size, sizeof(*links));

	for (size_t i = 0; i < c->size; i++) {
		const struct stat st = {.st_dev = c->links[i].dev, .st_ino = c->links[i].ino};

		if (c->links[i].path)
			*find_link(links, size, &st) = c->links[i];
	}
	c->links = links;
	c->size = size;
}

/* The first copy of a file, NULL if this is to be it.  Beyond the bound names get own copies. */
static const char *first_copy(struct copy *c, const struct stat *st)
{
	if (!c->root || st->st_nlink < 2)
		return NULL;
	if (c->n_links * 2 >= c->size && c->size < MAX_LINKS)
		grow_links(c);
	struct link *l = find_link(c->links, c->size, st);
	if (l->path || c->n_links * 2 >= c->size)
		return l->path;
	*l = (struct link){st->st_dev, st->st_ino, arena_strdup(&c->arena, c->path)};
	c->n_links++;
	return NULL;
}

/* Signals that would end brig are blocked while it builds; a copy can take long. */
LEAF static int check_signals(const struct copy *c, struct err *e)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t pending;

	if (!c->root || sigpending(&pending) < 0)
		return 0;
	for (size_t i = 0; i < LEN(ends); i++)
		if (sigismember(&pending, ends[i]))
			return err_msg(e, EINTR, "interrupted by a signal");
	return 0;
}

static int copy_dir(struct copy *c, int from, int to, struct err *e);

static int copy_owner(const struct copy *c, int to, const char *name, const struct stat *st,
		      struct err *e)
{
	uint32_t uid, gid;

	/* Who is nobody in the sandbox stays who made the file: the host's root, nobody there. */
	if (!fs_owner_uid(c->owner, st->st_uid, &uid))
		uid = (uint32_t)-1;
	if (!fs_owner_gid(c->owner, st->st_gid, &gid))
		gid = (uint32_t)-1;
	/* So does an owner that the caller's own user namespace lacks. */
	if (fchownat(to, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EPERM &&
	    errno != EINVAL)
		return err_set(e, errno, "chown");
	return 0;
}

/* Python, make and others compare times. */
static int copy_time(const struct copy *c, int to, const char *name, const struct stat *st,
		     struct err *e)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};

	if (c->root && utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, "set time");
	return 0;
}

/*
 * ACLs hold ids, which would be those of others; a capability would be one of the host's user
 * namespace; overlay's own marks mean nothing elsewhere.
 */
static bool wants_xattr(const struct copy *c, const char *name)
{
	if (!c->root)
		return true;
	return !str_eq(name, "security.capability") && !str_starts(name, "trusted.overlay.") &&
	       !(c->owner && str_starts(name, "system.posix_acl"));
}

/* Best effort: a tmpfs takes security.* and trusted.*, since Linux 6.6 user.* too. */
LEAF static void copy_xattrs(const struct copy *c, int from, int to)
{
	char names[4096], value[4096];
	ssize_t n = flistxattr(from, names, sizeof(names));

	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
		if (!wants_xattr(c, names + i))
			continue;
		ssize_t len = fgetxattr(from, names + i, value, sizeof(value));

		if (len >= 0)
			(void)fsetxattr(to, names + i, value, (size_t)len, 0);
	}
}

static int copy_content(const struct copy *c, int in, int out, struct err *e)
{
	for (;;) {
		ssize_t n = sendfile(out, in, NULL, 1 << 20);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "copy");
		int r = check_signals(c, e);
		if (r < 0)
			return r;
	}
}

/* Another name for the copy that is there already. */
static int link_copy(const struct copy *c, const char *first, int to, const char *name,
		     struct err *e)
{
	return linkat(c->to, first, to, name, 0) < 0 ? err_set(e, errno, "link") : 0;
}

LEAF static int copy_file(struct copy *c, int from, int to, const char *name, struct err *e)
{
	own_fd int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat now;

	if (in < 0 || fstat(in, &now) < 0)
		return err_set(e, errno, "open");
	if (!S_ISREG(now.st_mode))
		return err_msg(e, EAGAIN, "changed while it was copied");
	const char *first = first_copy(c, &now);
	if (first)
		return link_copy(c, first, to, name, e);
	own_fd int out =
		openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_set(e, errno, "create");
	/* Owner and mode of what was read: another file may have had the name when it was looked
	 * at.
	 */
	int r = copy_content(c, in, out, e);
	if (r == 0)
		r = copy_owner(c, to, name, &now, e);
	if (r < 0)
		return r;
	copy_xattrs(c, in, out);
	/* After chown, which takes set-user-id away. */
	if (fchmod(out, now.st_mode & 07777) < 0)
		return err_set(e, errno, "chmod");
	return copy_time(c, to, name, &now, e);
}

LEAF static int copy_link(const struct copy *c, int from, int to, const char *name,
			  const struct stat *st, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_set(e, errno, "read symlink");
	target[n] = '\0';
	if (symlinkat(target, to, name) < 0)
		return err_set(e, errno, "make symlink");
	int r = copy_owner(c, to, name, st, e);
	return r < 0 ? r : copy_time(c, to, name, st, e);
}

/* What a directory itself has, when its content is complete. */
static int finish_dir(const struct copy *c, int in, int out, const struct stat *st, struct err *e)
{
	int r = copy_owner(c, out, ".", st, e);

	if (r < 0)
		return r;
	copy_xattrs(c, in, out);
	if (fchmod(out, st->st_mode & 07777) < 0)
		return err_set(e, errno, "chmod");
	return copy_time(c, out, ".", st, e);
}

static int copy_subdir(struct copy *c, int from, int to, const char *name, struct err *e)
{
	own_fd int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (in < 0 || fstat(in, &st) < 0)
		return err_set(e, errno, "open");
	if (mkdirat(to, name, 0700) < 0)
		return err_set(e, errno, "make directory");
	own_fd int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return err_set(e, errno, "open");
	c->depth++;
	int r = copy_dir(c, in, out, e);
	c->depth--;
	return r < 0 ? r : finish_dir(c, in, out, &st, e);
}

static int copy_kind(struct copy *c, int from, int to, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, "stat");
	if (S_ISDIR(st.st_mode))
		return copy_subdir(c, from, to, name, e);
	if (S_ISREG(st.st_mode))
		return copy_file(c, from, to, name, e);
	return S_ISLNK(st.st_mode) ? copy_link(c, from, to, name, &st, e) : 0;
}

static int copy_entry(struct copy *c, int from, int to, const char *name, struct err *e)
{
	size_t n = strlen(c->path);
	int r = check_signals(c, e);

	if (r < 0)
		return r;
	if (!path_push(c, name))
		return err_set(e, ENAMETOOLONG, "%s", name);
	r = copy_kind(c, from, to, name, e);
	/* On failure it stays what it is: copy_top tells it. */
	if (r == 0)
		c->path[n] = '\0';
	return r;
}

static int copy_dir(struct copy *c, int from, int to, struct err *e)
{
	own_dir DIR *d = fdopendir(fcntl(from, F_DUPFD_CLOEXEC, 3));
	struct dirent *de;
	int r = 0;

	if (!d)
		return err_set(e, errno, "read directory");
	if (c->depth > MAX_DEPTH)
		return err_msg(e, ELOOP, "directories nested deeper than %d", MAX_DEPTH);
	while (r == 0 && (de = readdir(d)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			r = copy_entry(c, from, to, de->d_name, e);
	return r;
}

/* An error names the path it happened at, which the deepest call left there. */
static int copy_top(struct copy *c, int from, struct err *e)
{
	int r = copy_dir(c, from, c->to, e);

	return r < 0 && *c->path ? err_wrap(e, "%s", c->path) : r;
}

int fs_copy_up(int from, int to, struct err *e)
{
	struct copy c = {.to = to};

	return copy_top(&c, from, e) < 0 ? err_wrap(e, "tmpcopyup") : 0;
}

int fs_copy_root(int from, int to, const struct fs_owner *owner, struct err *e)
{
	struct copy c = {.root = true, .owner = owner, .to = to};
	struct stat st;
	int r = fstat(from, &st) < 0 ? err_set(e, errno, "stat") : copy_top(&c, from, e);

	if (r == 0)
		r = finish_dir(&c, from, to, &st, e);
	arena_free(&c.arena);
	return r;
}
