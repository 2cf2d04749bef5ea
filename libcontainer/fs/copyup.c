#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/own.h"
#include "base/sys.h"
#include "fs/mount.h"

/*
 * tmpcopyup: the image's directory into the new tmpfs.  Both sides are held by descriptor and
 * every step opens one name without following it, so that a symlink stays one and nothing
 * outside is read.  Owners, times of no interest; xattrs as far as the tmpfs takes them.
 */

enum { MAX_DEPTH = 64 };

static int copy_dir(int from, int to, int depth, struct err *e);

static int copy_owner(int to, const char *name, const struct stat *st, struct err *e)
{
	/* An owner that the user namespace lacks stays who made the file. */
	if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EPERM &&
	    errno != EINVAL)
		return err_set(e, errno, "chown %s", name);
	return 0;
}

/* Best effort: a tmpfs takes security.* and trusted.*, since Linux 6.6 user.* too. */
static void copy_xattrs(int from, int to)
{
	char names[4096], value[4096];
	ssize_t n = flistxattr(from, names, sizeof(names));

	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
		ssize_t len = fgetxattr(from, names + i, value, sizeof(value));

		if (len >= 0)
			(void)fsetxattr(to, names + i, value, (size_t)len, 0);
	}
}

static int copy_file(int from, int to, const char *name, struct err *e)
{
	own_fd int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat now;

	if (in < 0 || fstat(in, &now) < 0)
		return err_set(e, errno, "open %s", name);
	if (!S_ISREG(now.st_mode))
		return err_msg(e, EAGAIN, "%s changed while it was copied", name);
	own_fd int out =
		openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_set(e, errno, "create %s", name);
	for (;;) {
		ssize_t n = sendfile(out, in, NULL, 1 << 20);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "copy %s", name);
		if (n == 0)
			break;
	}
	/* Owner and mode of what was read: another file may have had the name when it was looked
	 * at.
	 */
	int r = copy_owner(to, name, &now, e);
	if (r < 0)
		return r;
	copy_xattrs(in, out);
	/* After chown, which takes set-user-id away. */
	return fchmod(out, now.st_mode & 07777) < 0 ? err_set(e, errno, "chmod %s", name) : 0;
}

static int copy_link(int from, int to, const char *name, const struct stat *st, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_set(e, errno, "read symlink %s", name);
	target[n] = '\0';
	if (symlinkat(target, to, name) < 0)
		return err_set(e, errno, "make symlink %s", name);
	return copy_owner(to, name, st, e);
}

static int copy_subdir(int from, int to, const char *name, int depth, struct err *e)
{
	own_fd int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (in < 0 || fstat(in, &st) < 0)
		return err_set(e, errno, "open %s", name);
	if (mkdirat(to, name, 0700) < 0)
		return err_set(e, errno, "make directory %s", name);
	own_fd int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return err_set(e, errno, "open %s", name);
	int r = copy_dir(in, out, depth + 1, e);
	if (r < 0)
		return err_wrap(e, "%s", name);
	r = copy_owner(to, name, &st, e);
	if (r < 0)
		return r;
	copy_xattrs(in, out);
	return fchmod(out, st.st_mode & 07777) < 0 ? err_set(e, errno, "chmod %s", name) : 0;
}

/* Sockets, fifos and devices are not content: left out. */
static int copy_entry(int from, int to, const char *name, int depth, struct err *e)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, "stat %s", name);
	if (S_ISDIR(st.st_mode))
		return copy_subdir(from, to, name, depth, e);
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, e);
	return S_ISLNK(st.st_mode) ? copy_link(from, to, name, &st, e) : 0;
}

static int copy_dir(int from, int to, int depth, struct err *e)
{
	own_dir DIR *d = fdopendir(fcntl(from, F_DUPFD_CLOEXEC, 3));
	struct dirent *de;
	int r = 0;

	if (!d)
		return err_set(e, errno, "read directory");
	if (depth > MAX_DEPTH)
		return err_set(e, ELOOP, "directories nested too deep");
	while (r == 0 && (de = readdir(d)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			r = copy_entry(from, to, de->d_name, depth, e);
	return r;
}

int fs_copy_up(int from, int to, struct err *e)
{
	return copy_dir(from, to, 0, e) < 0 ? err_wrap(e, "tmpcopyup") : 0;
}
