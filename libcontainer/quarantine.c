#include "quarantine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/collect.h"
#include "layers_open.h"

/* In the state directory: the generation that was kept, and where. */
#define KEPT "evidence"
enum { LAYER_BYTES = 1 << 30, LAYER_FILES = 65536 };
enum { FILES_MOST = 256, BYTES_MOST = 64 << 20, NAMES_MOST = 1000, PATH_MOST = 4096 };

int quarantine_open(const char *where, struct err *e)
{
	struct stat st;
	own_fd int fd = sys_openat2(AT_FDCWD, where, O_PATH | O_DIRECTORY, 0,
				    RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

	if (fd < 0 && errno == ELOOP)
		return err_msg(e, ELOOP, "--keep-evidence %s: a symbolic link is on the way",
			       where);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "--keep-evidence %s", where);
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return err_msg(e, EPERM,
			       "--keep-evidence %s: others can write there, or it is another's",
			       where);
	return take_fd(&fd);
}

/* --- files -------------------------------------------------------------------------------- */

static int copy_bytes(int from, int to, const char *name, uint64_t size, struct err *e)
{
	for (uint64_t done = 0; done < size;) {
		ssize_t n = sendfile(to, from, NULL, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "copy %s", name);
		if (n == 0)
			break; /* it was shorter by then */
		done += (uint64_t)n;
	}
	return 0;
}

/* Only brig writes there; what is no file (sockets) tells nothing. */
static int copy_file(int dir, int to, const char *name, struct err *e)
{
	struct stat st;
	own_fd int from = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (from < 0 && (errno == ENXIO || errno == ELOOP || errno == ENOENT))
		return 0;
	if (from < 0 || fstat(from, &st) < 0)
		return err_set(e, errno, "open %s", name);
	if (!S_ISREG(st.st_mode) || st.st_size > BYTES_MOST)
		return 0;
	own_fd int fd =
		openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, errno, "create %s", name);
	return copy_bytes(from, fd, name, (uint64_t)st.st_size, e);
}

static int copy_files(int dir, int to, struct err *e)
{
	own_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!d)
		return err_set(e, errno, "open the state directory");
	fd = -1;
	for (int n = 0; n < FILES_MOST && (de = readdir(d)); n++)
		if (de->d_name[0] != '.' && copy_file(dir, to, de->d_name, e) < 0)
			return -e->code;
	return 0;
}

/* Regular files and directories, as collect does it. */
static int pack(int root, const char *name, int out, struct err *e)
{
	struct fs_collect n = {.max_bytes = LAYER_BYTES, .max_files = LAYER_FILES, .archive = true};
	struct fs_collect before = n;
	own_fd int source = fs_collect_open(root, "", e);

	if (source < 0 || fs_collect_measure(source, &before, e) < 0)
		return -e->code;
	return fs_collect_tar(source, name, out, &n, e);
}

/* A sandbox can write more than anybody wants to keep: that must not keep the rest from it. */
static int keep_layer(const struct quarantine *q, size_t i, int to, struct err *e)
{
	const char *name = arena_printf(q->arena, "layer.%zu", i + 1);
	const char *file = arena_printf(q->arena, "%s.tar", name);
	struct err why;
	own_fd int out =
		openat(to, file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (out < 0)
		return err_set(e, errno, "create %s", file);
	if (pack(q->layers->list[i].root, name, out, &why) == 0)
		return 0;
	if (unlinkat(to, file, 0) < 0 || why.code == ENOSPC || why.code == EDQUOT) {
		*e = why;
		return -e->code;
	}
	file = arena_printf(q->arena, "%s.error", name);
	return file_replace(to, file, why.msg, strlen(why.msg), 0600, e);
}

static int fill(const struct quarantine *q, int to, struct err *e)
{
	size_t len;

	if (copy_files(q->dir, to, e) < 0)
		return -e->code;
	for (size_t i = 0; q->layers && i < q->layers->n; i++)
		if (keep_layer(q, i, to, e) < 0)
			return -e->code;
	if (!q->report)
		return 0;
	const char *text = report_print(q->arena, q->report, &len);
	return file_replace(to, "report.json", text, len, 0600, e);
}

/* --- the directory ------------------------------------------------------------------------ */

/* Under a name that nobody takes for whole. */
static int make_part(const struct quarantine *q, const char *part, struct err *e)
{
	if (mkdirat(q->to, part, 0700) < 0 && errno == EEXIST) {
		/* Of a brig that was killed. */
		if (file_remove_tree(q->to, part, e) < 0)
			return -e->code;
		if (mkdirat(q->to, part, 0700) < 0)
			return err_set(e, errno, "create %s/%s", q->where, part);
	}
	int fd = sys_openat2(q->to, part, O_RDONLY | O_DIRECTORY, 0,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	return fd < 0 ? err_set(e, errno, "open %s/%s", q->where, part) : fd;
}

/* A sandbox of that name may have left evidence before. */
static int name_it(const struct quarantine *q, const char *part, const char **path, struct err *e)
{
	for (int n = 1; n <= NAMES_MOST; n++) {
		const char *name =
			n == 1 ? arena_printf(q->arena, "%s.%" PRIu64, q->state->id, q->generation)
			       : arena_printf(q->arena, "%s.%" PRIu64 "-%d", q->state->id,
					      q->generation, n);

		*path = arena_printf(q->arena, "%s/%s", q->where, name);
		if (renameat2(q->to, part, q->to, name, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return err_set(e, errno, "rename to %s", *path);
	}
	return err_msg(e, EEXIST, "%s: it is there %d times", *path, NAMES_MOST);
}

static int make(const struct quarantine *q, const char **path, struct err *e)
{
	const char *part =
		arena_printf(q->arena, "%s.%" PRIu64 ".part", q->state->id, q->generation);
	own_fd int to = make_part(q, part, e);
	struct err ignored;

	if (to < 0)
		return to;
	int r = fill(q, to, e);
	if (r == 0)
		r = name_it(q, part, path, e);
	if (r < 0)
		(void)!file_remove_tree(q->to, part, &ignored);
	return r;
}

/* "GENERATION PATH" */
static const char *kept(const struct quarantine *q)
{
	const char *head = arena_printf(q->arena, "%" PRIu64 " ", q->generation);
	struct err ignored;
	char *text;

	if (file_read(q->arena, q->dir, KEPT, PATH_MOST + 64, &text, NULL, &ignored) < 0 ||
	    !str_starts(text, head))
		return NULL;
	return text + strlen(head);
}

int quarantine_keep(const struct quarantine *q, const char **path, struct err *e)
{
	const char *before = kept(q);

	if (before) {
		*path = before;
		return 0;
	}
	if (make(q, path, e) < 0)
		return err_wrap(e, "evidence");
	const char *text = arena_printf(q->arena, "%" PRIu64 " %s", q->generation, *path);
	return file_replace(q->dir, KEPT, text, strlen(text), 0600, e);
}
