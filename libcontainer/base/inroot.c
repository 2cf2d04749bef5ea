#include "base/inroot.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/sys.h"

/* openat2 gives EAGAIN when a rename or mount anywhere raced with ".."; an attacker can keep
 * that up, so it is bounded. */
enum { RETRIES = 128 };

/* Symlinks to missing targets that are read before giving up; the kernel's own limit is 40. */
enum { MAX_LINKS = 16 };

enum { GO_ON = -4096 }; /* below every -errno: the path leads on elsewhere */

static int resolve(int root, const char *path, int flags, int how)
{
	uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
	int fd = -1;

	if (how & INROOT_NO_SYMLINKS)
		resolve |= RESOLVE_NO_SYMLINKS;
	for (int i = 0; i < RETRIES; i++) {
		fd = sys_openat2(root, *path ? path : "/", (uint64_t)(unsigned int)flags, 0,
				 resolve);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd >= 0 ? fd : -errno;
}

int inroot_open(int root, const char *path, int flags, int how, struct err *e)
{
	int fd = resolve(root, path, flags, how);

	return fd >= 0 || !e ? fd : err_set(e, -fd, "open %s", path);
}

int inroot_possible(struct err *e)
{
	own_fd int fd = sys_openat2(AT_FDCWD, "/", O_PATH, 0, RESOLVE_IN_ROOT);

	return fd >= 0 ? 0
		       : err_msg(e, errno,
				 "openat2 is required, but the kernel has none, or a filter around "
				 "brig hides it (%s): Linux 5.6 or later",
				 err_text(errno));
}

/* The next component of *p into name; false at the end of the path. */
static bool next_part(const char **p, char name[NAME_MAX + 1], int *r)
{
	const char *s = *p + strspn(*p, "/");
	size_t n = strcspn(s, "/");

	*p = s + n;
	*r = 0;
	if (n == 0)
		return false;
	if (n > NAME_MAX) {
		*r = -ENAMETOOLONG;
		return false;
	}
	memcpy(name, s, n);
	name[n] = '\0';
	return true;
}

/*
 * Makes one missing directory below parent and opens it.  What is there by now may have been
 * put there by somebody else, so nothing is followed any more.
 */
static int make_part(int parent, const char *name)
{
	if (strcmp(name, "..") == 0)
		return -ENOENT;
	if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	/* ELOOP: a symlink whose target is missing.  No O_NOFOLLOW, which with O_PATH would open
	 * the symlink itself. */
	int fd = sys_openat2(parent, name, O_PATH | O_DIRECTORY, 0,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	return fd >= 0 ? fd : -errno;
}

/*
 * The path that is meant by the symlink name in dir (prefix is its path, n bytes), with rest
 * after it.  It is a path from root like any other and resolved as such, so that a symlink
 * swapped meanwhile only changes where inside root things are made.
 */
static int follow_missing(int dir, const char *name, const char *prefix, size_t n, const char *rest,
			  char out[PATH_MAX])
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir, name, target, sizeof(target) - 1);

	if (len < 0)
		return errno == EINVAL ? -ENOTDIR : -errno;
	target[len] = '\0';
	if (target[0] == '/')
		n = 0;
	int need = snprintf(out, PATH_MAX, "%.*s/%s/%s", (int)n, prefix, target, rest);
	return need < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/*
 * Longest existing part first, always resolved from root so that symlinks and ".." mean what
 * they mean inside; from the first missing component on only one step at a time.  GO_ON: that
 * component is a symlink, and next is the path to take.
 */
static int walk(int root, const char *path, int how, char next[PATH_MAX])
{
	char prefix[PATH_MAX], name[NAME_MAX + 1];
	own_fd int at = resolve(root, "/", O_PATH | O_DIRECTORY, how);
	const char *p = path, *before = path;
	bool missing = false;
	int r = 0;

	next[0] = '\0';
	if (strlen(path) >= sizeof(prefix))
		return -ENAMETOOLONG;
	for (; at >= 0 && next_part(&p, name, &r); before = p) {
		int fd = -ENOENT;
		bool first = !missing;

		if (strcmp(name, ".") == 0)
			continue;
		if (!missing) {
			memcpy(prefix, path, (size_t)(p - path));
			prefix[p - path] = '\0';
			fd = resolve(root, prefix, O_PATH | O_DIRECTORY, how);
			missing = fd == -ENOENT;
		}
		if (missing)
			fd = make_part(at, name);
		if (fd == -ELOOP && missing && first && !(how & INROOT_NO_SYMLINKS)) {
			r = follow_missing(at, name, path, (size_t)(before - path), p, next);
			return r < 0 ? r : GO_ON;
		}
		own_close(&at);
		at = fd;
	}
	if (at >= 0 && r < 0)
		return r;
	return take_fd(&at);
}

/* The usual case: only the last component is missing. */
static int make_last(int root, const char *path, int how)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;
	size_t n = (size_t)(last - path);
	char dir[PATH_MAX];

	if (!*last || n >= sizeof(dir))
		return -ENOENT;
	memcpy(dir, path, n);
	dir[n] = '\0';
	own_fd int parent = resolve(root, dir, O_PATH | O_DIRECTORY, how);
	return parent < 0 ? parent : make_part(parent, last);
}

int inroot_mkdirs(int root, const char *path, int how, struct err *e)
{
	char paths[2][PATH_MAX];
	const char *at = path;
	int fd = resolve(root, path, O_PATH | O_DIRECTORY, how);

	if (fd == -ENOENT) {
		fd = make_last(root, path, how);
		/* More is missing, or the last is a symlink: the long way. */
		if (fd == -ENOENT || fd == -ELOOP)
			fd = GO_ON;
	}
	for (int i = 0; fd == GO_ON && i <= MAX_LINKS; i++) {
		fd = walk(root, at, how, paths[i % 2]);
		at = paths[i % 2];
	}
	if (fd == GO_ON)
		fd = -ELOOP;
	return fd >= 0 ? fd : err_set(e, -fd, "make directory %s", path);
}

int inroot_parent(int root, const char *path, const char **name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;
	char dir[PATH_MAX];
	size_t n = (size_t)(last - path);

	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return err_msg(e, EINVAL, "%s: does not end in a name", path);
	if (n >= sizeof(dir))
		return err_set(e, ENAMETOOLONG, "open %s", path);
	memcpy(dir, path, n);
	dir[n] = '\0';
	*name = last;
	return inroot_mkdirs(root, dir, 0, e);
}

/* One file in its directory; GO_ON: a symlink to next is in its place. */
static int make_file(int root, const char *path, char next[PATH_MAX], struct err *e)
{
	const char *name;
	own_fd int dir = inroot_parent(root, path, &name, e);

	next[0] = '\0';
	if (dir < 0)
		return dir;
	if (mknodat(dir, name, S_IFREG | 0644, 0) < 0 && errno != EEXIST)
		return err_set(e, errno, "make file %s", path);
	int fd = sys_openat2(dir, name, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (fd >= 0)
		return fd;
	if (errno != ELOOP)
		return err_set(e, errno, "open %s", path);
	int r = follow_missing(dir, name, path, (size_t)(name - path), "", next);
	if (r < 0)
		return err_set(e, -r, "make file %s", path);
	next[strlen(next) - 1] = '\0'; /* the separator before an empty rest */
	return GO_ON;
}

int inroot_mkfile(int root, const char *path, struct err *e)
{
	char paths[2][PATH_MAX];
	const char *at = path;
	int fd = GO_ON;

	for (int i = 0; fd == GO_ON && i <= MAX_LINKS; i++) {
		fd = resolve(root, at, O_PATH, 0);
		if (fd >= 0)
			return fd;
		if (fd != -ENOENT)
			return err_set(e, -fd, "open %s", path);
		fd = make_file(root, at, paths[i % 2], e);
		at = paths[i % 2];
	}
	return fd == GO_ON ? err_set(e, ELOOP, "make file %s", path) : fd;
}
