#include "cgroup/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "cgroup/internal.h"

/* Deeper trees are left alone: rmdir then says so.  cgroup2 has no limit of its own. */
enum { MAX_DEPTH = 128 };

static int walk(int fd, enum cg_order order, int (*fn)(int, void *), void *ctx, unsigned int depth);

/* The next sub-directory of d, opened; -1 at the end. */
static int next_child(DIR *d, const char **name)
{
	struct dirent *de;

	while ((de = readdir(d))) {
		if (de->d_type != DT_DIR || strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		int fd = openat(dirfd(d), de->d_name,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		*name = de->d_name;
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* A stream of its own: fdopendir on fd itself would move the caller's offset. */
static DIR *open_stream(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);

	if (!d && copy >= 0)
		(void)close(copy);
	return d;
}

static int walk_children(int fd, enum cg_order order, int (*fn)(int, void *), void *ctx,
			 unsigned int depth)
{
	const char *name;
	int child;

	if (depth >= MAX_DEPTH || !cg_has_children(fd))
		return 0;
	own_dir DIR *d = open_stream(fd);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((child = next_child(d, &name)) >= 0) {
		own_fd int sub = child;
		int r = walk(sub, order, fn, ctx, depth + 1);

		if (r < 0)
			return r;
	}
	return 0;
}

static int walk(int fd, enum cg_order order, int (*fn)(int, void *), void *ctx, unsigned int depth)
{
	int r = order == CG_PARENT_FIRST ? fn(fd, ctx) : 0;

	if (r >= 0)
		r = walk_children(fd, order, fn, ctx, depth);
	if (r >= 0 && order == CG_CHILDREN_FIRST)
		r = fn(fd, ctx);
	return r;
}

int cg_tree_walk(int fd, enum cg_order order, int (*fn)(int fd, void *ctx), void *ctx)
{
	return walk(fd, order, fn, ctx, 0);
}

/* Below the depth that recursion has descriptors for: one step down or up at a time, so that no
 * container can make a tree that is too deep to be removed. */
static void prune_deep(int top)
{
	own_fd int at = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat end, st;

	if (fstat(top, &end) < 0)
		return;
	while (at >= 0) {
		const char *name;
		own_dir DIR *d = open_stream(at);
		own_fd int child = d ? next_child(d, &name) : -1;

		if (child >= 0 && !cg_has_children(child)) {
			if (unlinkat(at, name, AT_REMOVEDIR) < 0)
				return; /* busy: the caller tries again */
			continue;
		}
		if (child < 0 && (!d || fstat(at, &st) < 0 || st.st_ino == end.st_ino))
			return;
		int next = child >= 0 ? take_fd(&child)
				      : openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		own_close(&at);
		at = next;
	}
}

static void prune(int fd, unsigned int depth)
{
	const char *name;
	int child;

	if (!cg_has_children(fd))
		return;
	if (depth >= MAX_DEPTH) {
		prune_deep(fd);
		return;
	}
	own_dir DIR *d = open_stream(fd);
	if (!d)
		return;
	while ((child = next_child(d, &name)) >= 0) {
		own_fd int sub = child;

		prune(sub, depth + 1);
		(void)unlinkat(fd, name, AT_REMOVEDIR); /* busy: the caller tries again */
	}
}

void cg_tree_prune(int fd)
{
	prune(fd, 0);
}
