#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "cgroup/internal.h"
#include "cgroup/text.h"

/* One directory and the files in it. */

struct cg_dir *cg_find(const struct cgroup *cg, enum cg_ctrl c)
{
	for (size_t i = 0; i < cg->n_dirs; i++) {
		struct cg_dir *d = &cg->dirs[i];
		bool core = c == CG_CORE && !d->hierarchy[0];

		if (d->path && (cg->layout == CGROUP_V2 || core || d->ctrls & CG_BIT(c)))
			return d;
	}
	return NULL;
}

struct cg_dir *cg_unified(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n_dirs; i++)
		if (cg->dirs[i].path && !cg->dirs[i].hierarchy[0])
			return &cg->dirs[i];
	return NULL;
}

struct cg_dir *cg_primary(const struct cgroup *cg)
{
	/* The freezer first: what it lists it can also hold still. */
	static const enum cg_ctrl order[] = {CG_FREEZER, CG_DEVICES, CG_PIDS, CG_MEMORY, CG_CPU};

	for (size_t i = 0; i < LEN(order); i++) {
		struct cg_dir *d = cg_find(cg, order[i]);

		if (d)
			return d;
	}
	for (size_t i = 0; i < cg->n_dirs; i++)
		if (cg->dirs[i].path)
			return &cg->dirs[i];
	return NULL;
}

int cg_dirfd(struct cg_dir *d)
{
	if (d->fd < 0)
		d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d->fd < 0 ? -errno : d->fd;
}

int cg_open_file(const struct cg_dir *d, const char *file, int flags)
{
	char path[PATH_MAX];
	int fd;

	if (d->fd >= 0) {
		fd = openat(d->fd, file, flags | O_CLOEXEC);
	} else {
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", d->path, file) >= sizeof(path))
			return -ENAMETOOLONG;
		fd = open(path, flags | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

ssize_t cg_peek(const struct cg_dir *d, const char *file, char *buf, size_t size)
{
	char path[PATH_MAX];

	if (d->fd >= 0)
		return file_peek(d->fd, file, buf, size);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", d->path, file) >= sizeof(path))
		return -ENAMETOOLONG;
	return file_peek(AT_FDCWD, path, buf, size);
}

int cg_poke(const struct cg_dir *d, const char *file, const char *text, struct err *e)
{
	own_fd int fd = cg_open_file(d, file, O_WRONLY);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return err_set(e, -fd, "open %s/%s", d->path, file);
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, errno, "write \"%.60s\" to %s/%s", text, d->path, file);
	return 0;
}

bool cg_has_children(int fd)
{
	struct stat st;

	/* kernfs counts sub-directories in the link count. */
	return fstat(fd, &st) == 0 && st.st_nlink > 2;
}

int cg_populated(const struct cg_dir *d)
{
	own_arena struct arena scratch = {0};
	char text[256];
	uint64_t value;
	pid_t *pids;
	size_t n;

	if (!d->hierarchy[0] && cg_peek(d, "cgroup.events", text, sizeof(text)) >= 0 &&
	    cg_flat_get(text, "populated", &value))
		return value != 0;
	own_fd int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = cg_tree_pids(&scratch, fd, &pids, &n);
	return r < 0 ? r : n > 0;
}
