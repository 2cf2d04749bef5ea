#include "fs/empty.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/own.h"
#include "fs/walk.h"

/* ROUNDS: what others make meanwhile is not in the lists of the first. */
enum { ROUNDS = 4 };

static int remove_entry(void *ctx, const struct walk_entry *w, struct err *e)
{
	(void)ctx;
	if (w->is_mount)
		return err_msg(e, EBUSY, "something is mounted in it");
	if (w->depth == 0 || S_ISDIR(w->st->stx_mode))
		return 0;
	return unlinkat(w->dir, w->name, 0) == 0 || errno == ENOENT
		       ? 0
		       : err_set(e, errno, "remove a file");
}

static int remove_dir(void *ctx, const struct walk_entry *w, struct err *e)
{
	(void)ctx;
	/* Not empty again: the next round. */
	if (w->depth == 0 || unlinkat(w->dir, w->name, AT_REMOVEDIR) == 0 || errno == ENOENT ||
	    errno == ENOTEMPTY || errno == EEXIST)
		return 0;
	return err_set(e, errno, "remove a directory");
}

int fs_is_empty(int dir)
{
	own_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	int n = 0;

	if (!d)
		return -errno;
	(void)take_fd(&fd);
	for (;;) {
		errno = 0;
		de = readdir(d);
		if (!de)
			return errno ? -errno : n == 0;
		n += !(de->d_name[0] == '.' &&
		       (!de->d_name[1] || (de->d_name[1] == '.' && !de->d_name[2])));
	}
}

int fs_empty(int dir, struct err *e)
{
	int is = 0;

	for (int i = 0; i < ROUNDS && is == 0; i++) {
		struct walk w = {.entry = remove_entry, .leave = remove_dir, .most = UINT64_MAX};
		int r = fs_walk(dir, &w, e);

		if (r < 0)
			return r;
		is = fs_is_empty(dir);
	}
	if (is < 0)
		return err_set(e, -is, "read a directory");
	return is ? 0 : err_msg(e, ENOTEMPTY, "there is always more in it");
}
