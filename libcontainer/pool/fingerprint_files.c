#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/inroot.h"
#include "base/own.h"
#include "base/str.h"
#include "pool/part.h"

/* Of one place; beyond that it is not known what is there. */
enum { ENTRIES = 16384, DEPTH = 32 };

struct walk {
	struct text *t;
	dev_t dev;
	size_t seen;
};

/* What a link leads to, and which device a node is. */
static void add_entry(struct walk *w, int dir, const char *name, const char *path,
		      const struct stat *st)
{
	char to[PATH_MAX];
	ssize_t n = 0;

	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dir, name, to, sizeof(to));
		if (n < 0) {
			pool_unreadable(w->t, path, err_text(errno));
			return;
		}
	}
	text_addf(w->t, "entry %s %o %u:%u %lld", path, st->st_mode, st->st_uid, st->st_gid,
		  S_ISREG(st->st_mode) ? (long long)st->st_size : 0);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		text_addf(w->t, " %u:%u", major(st->st_rdev), minor(st->st_rdev));
	text_addf(w->t, "%s%.*s\n", n ? " " : "", (int)n, to);
}

static void add_entries(struct walk *w, int dir, const char *path, int depth);

static void look_at(struct walk *w, int dir, const char *name, const char *path, int depth)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		pool_unreadable(w->t, path, err_text(errno));
		return;
	}
	add_entry(w, dir, name, path, &st);
	/* Another file system is a place of its own, or not writable. */
	if (!S_ISDIR(st.st_mode) || st.st_dev != w->dev)
		return;
	int sub = depth == DEPTH
			  ? -1
			  : openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (sub < 0)
		pool_unreadable(w->t, path, depth == DEPTH ? "too deep" : err_text(errno));
	else
		add_entries(w, sub, path, depth + 1);
}

static void add_entries(struct walk *w, int dir, const char *path, int depth)
{
	own_dir DIR *d = fdopendir(dir);
	struct dirent *de = NULL;
	int error = d ? 0 : errno;

	if (!d)
		(void)close(dir);
	for (errno = 0; d && (de = readdir(d)); errno = 0) {
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		if (w->seen++ == ENTRIES) {
			pool_unreadable(w->t, path, "too many names");
			return;
		}
		look_at(w, dirfd(d), de->d_name, arena_printf(w->t->a, "%s/%s", path, de->d_name),
			depth);
	}
	error = error ? error : errno;
	if (error)
		pool_unreadable(w->t, path, err_text(error));
}

void pool_add_writable(struct text *t, const struct pool_subject *s)
{
	for (size_t i = 0; i < s->state->n_disk; i++) {
		const char *path = s->state->disk[i];
		struct walk w = {.t = t};
		struct stat st;
		int fd = s->root < 0 ? -EIO
				     : inroot_open(s->root, path, O_RDONLY | O_DIRECTORY, 0, NULL);

		if (fd < 0 || fstat(fd, &st) < 0) {
			pool_unreadable(t, path, err_text(fd < 0 ? -fd : errno));
			if (fd >= 0)
				(void)close(fd);
			continue;
		}
		w.dev = st.st_dev;
		text_addf(t, "writable %s %o %u:%u\n", path, st.st_mode, st.st_uid, st.st_gid);
		add_entries(&w, fd, path, 0);
	}
}
