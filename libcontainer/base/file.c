#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

int file_read_fd(struct arena *a, int fd, const char *name, size_t max, char **out, size_t *len,
		 struct err *e)
{
	struct stat st;
	char first[8192]; /* of what has no size: most of it is short, and takes no more than it is
			   */
	char *buf = first;
	size_t size = sizeof(first), used = 0;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "stat %s", name);
	if (S_ISDIR(st.st_mode))
		return err_set(e, EISDIR, "read %s", name);
	/* Size 0: a kernel file, whose size nobody knows. */
	if (S_ISREG(st.st_mode) && st.st_size > 0) {
		if ((size_t)st.st_size > max)
			return err_msg(e, EFBIG, "%s: larger than %zu bytes", name, max);
		size = (size_t)st.st_size + 2;
		buf = arena_new(a, size);
	}
	for (;;) {
		if (used + 1 >= size) {
			char *more = arena_new(a, size * 2);

			memcpy(more, buf, used);
			buf = more;
			size *= 2;
		}
		ssize_t n = read(fd, buf + used, size - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "read %s", name);
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > max)
			return err_msg(e, EFBIG, "%s: larger than %zu bytes", name, max);
	}
	buf[used] = '\0';
	*out = buf == first ? arena_strndup(a, buf, used) : buf;
	if (len)
		*len = used;
	return 0;
}

int file_read(struct arena *a, int dirfd, const char *path, size_t max, char **out, size_t *len,
	      struct err *e)
{
	/* A fifo that nobody writes to must not hold us; from the one of a shell's <(...) we wait
	 * for what comes. */
	own_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return err_set(e, errno, "open %s", path);
	if (fcntl(fd, F_SETFL, 0) < 0)
		return err_set(e, errno, "read %s", path);
	return file_read_fd(a, fd, path, max, out, len, e);
}

ssize_t file_peek(int dirfd, const char *path, char *buf, size_t size)
{
	own_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t used = 0;

	if (fd < 0)
		return -errno;
	while (used < size - 1) {
		ssize_t n = read(fd, buf + used, size - 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	if (used && buf[used - 1] == '\n')
		used--;
	buf[used] = '\0';
	return (ssize_t)used;
}

int file_poke(int dirfd, const char *path, const char *text, struct err *e)
{
	own_fd int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return err_set(e, errno, "open %s", path);
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)len)
		return err_set(e, n < 0 ? errno : EIO, "write \"%.60s\" to %s", text, path);
	return 0;
}

int file_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		 struct err *e)
{
	char tmp[NAME_MAX + 1];

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.tmp", name) >= sizeof(tmp))
		return err_set(e, ENAMETOOLONG, "write %s", name);
	own_fd int fd =
		openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_set(e, errno, "create %s", tmp);
	int r = file_write_all(fd, data, len);
	if (r < 0) {
		(void)unlinkat(dirfd, tmp, 0);
		return err_set(e, -r, "write %s", name);
	}
	if (renameat(dirfd, tmp, dirfd, name) < 0) {
		int code = errno;

		(void)unlinkat(dirfd, tmp, 0);
		return err_set(e, code, "rename %s to %s", tmp, name);
	}
	return 0;
}

/* With no descriptor but the one given: what is removed may be what a full table left behind. */
static int empty_dir(DIR *d, dev_t dev, struct err *e)
{
	int fd = dirfd(d);
	struct dirent *de;

	while ((de = readdir(d))) {
		struct stat st;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && st.st_dev != dev)
			return err_set(e, EXDEV, "remove %s", de->d_name);
		if (S_ISDIR(st.st_mode)) {
			int r = file_remove_tree(fd, de->d_name, e);

			if (r < 0)
				return r;
		} else if (unlinkat(fd, de->d_name, 0) < 0 && errno != ENOENT) {
			return err_set(e, errno, "remove %s", de->d_name);
		}
	}
	return 0;
}

int file_remove_tree(int dirfd, const char *name, struct err *e)
{
	own_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "open %s", name);
	own_dir DIR *d = fdopendir(fd);
	if (!d)
		return err_set(e, errno, "read directory %s", name);
	(void)take_fd(&fd); /* d's */
	int r = empty_dir(d, st.st_dev, e);
	if (r < 0)
		return err_wrap(e, "%s", name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(e, errno, "remove %s", name);
	return 0;
}

int file_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char buf[PATH_MAX];

	if ((size_t)snprintf(buf, sizeof(buf), "%s", path) >= sizeof(buf))
		return err_set(e, ENAMETOOLONG, "mkdir %s", path);
	if (mkdir(buf, mode) == 0 || errno == EEXIST)
		return 0;
	for (char *p = buf + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(buf, mode) < 0 && errno != EEXIST)
			return err_set(e, errno, "mkdir %s", buf);
		*p = '/';
	}
	if (mkdir(buf, mode) < 0 && errno != EEXIST)
		return err_set(e, errno, "mkdir %s", buf);
	return 0;
}

const char **file_names(struct arena *a, DIR *d, bool (*wanted)(const struct dirent *de), size_t *n)
{
	const char **list = NULL;
	size_t room = 0;
	const struct dirent *de;

	*n = 0;
	while ((de = readdir(d))) {
		if (!wanted(de))
			continue;
		if (*n == room) {
			size_t more = room ? room * 2 : 64;
			const char **bigger = arena_array(a, more, sizeof(*bigger));

			if (*n)
				memcpy(bigger, list, *n * sizeof(*bigger));
			list = bigger;
			room = more;
		}
		list[(*n)++] = arena_strdup(a, de->d_name);
	}
	str_sort(list, *n);
	return list;
}
