#include "result_target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "result.h"

enum { MODE = 0666 }; /* less the caller's umask, as for any file that he names */

/*
 * A symbolic link that somebody else has made, in a directory that the sandbox before this one
 * could write to say, would have us write wherever he likes.
 */
static int open_other(const char *where, const struct stat *st, struct result_target *out,
		      struct err *e)
{
	if (S_ISLNK(st->st_mode) && st->st_uid != geteuid() && st->st_uid != 0)
		return err_msg(e, EPERM, "result: %s is a symbolic link of user %u", where,
			       (unsigned int)st->st_uid);
	out->fd = open(where, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
	return out->fd < 0 ? err_set(e, errno, "result: open %s", where) : 0;
}

static int open_directory(const char *where, struct result_target *out, struct err *e)
{
	char path[PATH_MAX];
	const char *slash = strrchr(where, '/');
	size_t n = slash ? (size_t)(slash - where) : 0;

	if (!slash || !slash[1] || n + 2 > sizeof(path))
		return err_msg(e, EINVAL, "result: %s is no name of a file", where);
	if (strlen(slash + 1) > RESULT_NAME_MAX)
		return err_set(e, ENAMETOOLONG, "result: %s", where);
	snprintf(path, sizeof(path), "%.*s/", (int)n, where);
	own_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, "result: open %s", path);
	if (faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return err_set(e, errno, "result: write to %s", path);
	out->dir = take_fd(&dir);
	out->name = slash + 1;
	return 0;
}

int result_target_open(const char *where, bool isolate, struct result_target *out, struct err *e)
{
	struct stat st;

	*out = RESULT_TARGET_NONE;
	out->isolate = isolate;
	if (str_eq(where, "-")) {
		out->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return out->fd < 0 ? err_set(e, errno, "result: standard output") : 0;
	}
	if (lstat(where, &st) == 0 && !S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? err_set(e, EISDIR, "result: %s", where)
					   : open_other(where, &st, out, e);
	return open_directory(where, out, e);
}

int result_target_write(const struct result_target *t, const struct brig_result *r, struct err *e)
{
	own_arena struct arena a = {0};
	size_t len;
	const char *text =
		t->isolate ? result_print_isolate(&a, r, &len) : result_print(&a, r, &len);

	if (!t->isolate) {
		text = arena_printf(&a, "%s\n", text);
		len++;
	}
	if (t->dir >= 0)
		return result_replace(t->dir, t->name, text, len, MODE, e);
	int code = file_write_all(t->fd, text, len);
	return code < 0 ? err_set(e, -code, "result: write") : 0;
}

void result_target_close(struct result_target *t)
{
	own_close(&t->dir);
	own_close(&t->fd);
}
