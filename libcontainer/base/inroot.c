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

	return fd >= 0 ? fd : err_set(e, -fd, "open %s", path);
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
	int fd = sys_openat2(parent, name, O_PATH | O_DIRECTORY, 0,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	/* ELOOP: EEXIST was a symlink whose target is missing.  No O_NOFOLLOW, which with O_PATH
	 * would open the symlink itself. */
	return fd >= 0 ? fd : -errno;
}

/*
 * Longest existing part first, always resolved from root so that symlinks and ".." mean what
 * they mean inside; from the first missing component on only one step at a time.
 */
static int walk(int root, const char *path, int how)
{
	char prefix[PATH_MAX], name[NAME_MAX + 1];
	own_fd int at = resolve(root, "/", O_PATH | O_DIRECTORY, how);
	const char *p = path;
	bool missing = false;
	int r;

	if (strlen(path) >= sizeof(prefix))
		return -ENAMETOOLONG;
	while (at >= 0 && next_part(&p, name, &r)) {
		int fd = -ENOENT;

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
	int fd = resolve(root, path, O_PATH | O_DIRECTORY, how);

	if (fd == -ENOENT)
		fd = make_last(root, path, how);
	if (fd == -ENOENT)
		fd = walk(root, path, how);
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

int inroot_mkfile(int root, const char *path, struct err *e)
{
	const char *name;
	int fd = resolve(root, path, O_PATH, 0);

	if (fd >= 0)
		return fd;
	if (fd != -ENOENT)
		return err_set(e, -fd, "open %s", path);
	own_fd int dir = inroot_parent(root, path, &name, e);
	if (dir < 0)
		return dir;
	if (mknodat(dir, name, S_IFREG | 0644, 0) < 0 && errno != EEXIST)
		return err_set(e, errno, "make file %s", path);
	fd = sys_openat2(dir, name, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	return fd >= 0 ? fd : err_set(e, errno, "open %s", path);
}
