#include "fs/skeleton.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/inroot.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/owner.h"
#include "fs/tree.h"

enum { MAX_LINKS = 40 }; /* as the kernel */

/* A walk through the image: where it is, by descriptor and by its path without symlinks. */
struct walk {
	int view; /* the image's root */
	int at;
	char path[PATH_MAX];
	char rest[2 * PATH_MAX];
	int links;
};

static int walk_reopen(struct walk *w)
{
	own_close(&w->at);
	w->at = sys_openat2(w->view, *w->path ? w->path + 1 : ".", O_PATH | O_DIRECTORY, 0,
			    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	return w->at < 0 ? -errno : 0;
}

static int walk_up(struct walk *w)
{
	char *slash = strrchr(w->path, '/');

	if (slash)
		*slash = '\0';
	return walk_reopen(w);
}

static int walk_push(struct walk *w, const char *name)
{
	size_t n = strlen(w->path), m = strlen(name);

	if (n + m + 2 > sizeof(w->path))
		return -ENAMETOOLONG;
	w->path[n] = '/';
	memcpy(w->path + n + 1, name, m + 1);
	return 0;
}

/* The target of the symlink comes before the rest of the path. */
static int walk_link(struct walk *w, int link)
{
	char target[PATH_MAX], rest[sizeof(w->rest)];
	ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (++w->links > MAX_LINKS)
		return -ELOOP;
	if ((size_t)snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >= sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, rest, sizeof(rest));
	if (target[0] != '/')
		return 0;
	w->path[0] = '\0';
	return walk_reopen(w);
}

/* The next component of the rest; false at its end. */
static bool walk_next(struct walk *w, char name[NAME_MAX + 1], int *r)
{
	const char *s = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(s, "/");

	*r = n > NAME_MAX ? -ENAMETOOLONG : 0;
	if (n == 0 || *r < 0)
		return false;
	memcpy(name, s, n);
	name[n] = '\0';
	memmove(w->rest, s + n, strlen(s + n) + 1);
	return true;
}

/* From the first missing component on everything is missing. */
static int walk_missing(struct walk *w, char name[NAME_MAX + 1])
{
	int r = 0;

	do {
		if (str_eq(name, "."))
			continue;
		r = str_eq(name, "..") ? -ENOENT : walk_push(w, name);
	} while (r == 0 && walk_next(w, name, &r));
	return r < 0 ? r : 1;
}

/* 1: missing, w->path is where it belongs; 0: it is there; -errno: it leads nowhere. */
static int walk(struct walk *w)
{
	char name[NAME_MAX + 1];
	struct stat st;
	int r = walk_reopen(w);

	while (r == 0 && walk_next(w, name, &r)) {
		if (str_eq(name, "."))
			continue;
		if (str_eq(name, "..")) {
			r = walk_up(w);
			continue;
		}
		own_fd int fd = sys_openat2(w->at, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_BENEATH);
		if (fd < 0)
			return errno == ENOENT ? walk_missing(w, name) : -errno;
		if (fstat(fd, &st) < 0)
			return -errno;
		if (S_ISLNK(st.st_mode)) {
			r = walk_link(w, fd);
			continue;
		}
		r = walk_push(w, name);
		own_close(&w->at);
		w->at = take_fd(&fd);
	}
	return r;
}

/* Below a mount that is made earlier: that is where it will be made, if it is missing. */
static bool is_below_mount(const struct fs *fs, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(fs->mounts[i].dest);

		if (fs->mounts[i].kind != FS_MOUNT_REMOUNT &&
		    strncmp(path, fs->mounts[i].dest, len) == 0 && (path[len] == '/' || !path[len]))
			return true;
	}
	return false;
}

/*
 * One path that has to be there after n mounts.  What leads nowhere (loops, a file on the way)
 * is left to the mount itself, which says so.
 */
static void need(struct arena *a, const struct fs *fs, size_t n, const char *path, bool dir,
		 struct skeleton *s)
{
	if (is_below_mount(fs, n, path))
		return;
	own_fd int fd = inroot_open(fs->root, path, O_PATH, 0, NULL);
	if (fd != -ENOENT || strlen(path) >= PATH_MAX)
		return;
	struct walk *w = arena_new(a, sizeof(*w));
	*w = (struct walk){.view = fs->root, .at = -1};
	memcpy(w->rest, path, strlen(path) + 1);
	int r = walk(w);
	own_close(&w->at);
	if (r < 0)
		log_debug("skeleton: %s: %s", path, err_text(-r));
	if (r == 1 && !is_below_mount(fs, n, w->path))
		s->entries[s->n++] = (struct skeleton_entry){w->path, dir};
}

int skeleton_plan(struct arena *a, const struct fs_plan *p, const struct fs *fs,
		  struct skeleton *out, struct err *e)
{
	struct stat st;

	*out = (struct skeleton){.entries = arena_array(a, p->n_mounts + 1, sizeof(*out->entries))};
	for (size_t i = 0; i < p->n_mounts; i++) {
		const struct fs_mount *m = &fs->mounts[i];

		st.st_mode = S_IFDIR;
		if (m->kind == FS_MOUNT_REMOUNT)
			continue;
		if (fs->trees[i] >= 0 && fstat(fs->trees[i], &st) < 0)
			return err_set(e, errno, "stat bind source");
		need(a, fs, i, m->dest, S_ISDIR(st.st_mode), out);
	}
	if (p->cwd)
		need(a, fs, p->n_mounts, p->cwd, true, out);
	return 0;
}

/* Owner of the host for something of the image: the view has it already if it is id-mapped. */
static int dress(const struct fs *fs, int dir, const char *name, const struct stat *of,
		 struct err *e)
{
	struct stat st = {.st_mode = 0755};
	uint32_t uid = 0, gid = 0;
	bool as_is = of && (!fs_owner_maps(fs->owner) || !fs->rebuild);

	if (of)
		st = *of;
	uid = st.st_uid;
	gid = st.st_gid;
	if (!as_is && !fs_owner_uid(fs->owner, st.st_uid, &uid))
		uid = (uint32_t)-1;
	if (!as_is && !fs_owner_gid(fs->owner, st.st_gid, &gid))
		gid = (uint32_t)-1;
	/* EINVAL: a user namespace that is there already may lack the id (rootless): then it is
	 * that of who builds. */
	if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 &&
	    (fs->owner || errno != EINVAL))
		return err_set(e, errno, "chown %s", name);
	if (of && fchmodat(dir, name, st.st_mode & 07777, 0) < 0)
		return err_set(e, errno, "chmod %s", name);
	return 0;
}

/* One directory of the layer below at; *view goes along in the image, -1 where that ends. */
static int make_dir(const struct fs *fs, int at, int *view, const char *name, struct err *e)
{
	own_fd int below = *view < 0 ? -1
				     : sys_openat2(*view, name, O_PATH | O_DIRECTORY, 0,
						   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	bool made = mkdirat(at, name, 0755) == 0;
	struct stat st;

	if (!made && errno != EEXIST)
		return err_set(e, errno, "make directory %s", name);
	if (below >= 0 && fstat(below, &st) < 0)
		return err_set(e, errno, "stat %s", name);
	if (made && dress(fs, at, name, below >= 0 ? &st : NULL, e) < 0)
		return -e->code;
	own_close(view);
	*view = take_fd(&below);
	int fd = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 ? fd : err_set(e, errno, "open %s", name);
}

static int make_file(const struct fs *fs, int at, const char *name, struct err *e)
{
	if (mknodat(at, name, S_IFREG | 0644, 0) < 0)
		return errno == EEXIST ? 0 : err_set(e, errno, "make file %s", name);
	return dress(fs, at, name, NULL, e);
}

static int make_entry(const struct fs *fs, int layer, const struct skeleton_entry *entry,
		      struct err *e)
{
	own_fd int at = fcntl(layer, F_DUPFD_CLOEXEC, 3),
		   view = fcntl(fs->root, F_DUPFD_CLOEXEC, 3);
	const char *s = entry->path;
	char name[NAME_MAX + 1];

	if (at < 0 || view < 0)
		return err_set(e, errno, "dup");
	while (*s) {
		size_t n = strcspn(++s, "/");

		memcpy(name, s, n); /* the walk refused longer ones */
		name[n] = '\0';
		s += n;
		if (!*s && !entry->dir)
			return make_file(fs, at, name, e);
		int next = make_dir(fs, at, &view, name, e);
		if (next < 0)
			return next;
		own_close(&at);
		at = next;
	}
	return 0;
}

int skeleton_make(const struct fs *fs, const struct skeleton *s, struct err *e)
{
	/* Empty files and directories take no space; the bounds only bound mistakes. */
	static const struct fs_data data[] = {
		{"size",      "64k" },
                {"nr_inodes", "8192"}
        };
	own_fd int layer = tree_new("tmpfs", "skeleton", data, LEN(data),
				    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, e);
	struct stat st;

	if (layer < 0)
		return layer;
	if (fstat(fs->root, &st) < 0)
		return err_set(e, errno, "stat");
	int r = dress(fs, layer, ".", &st, e);
	for (size_t i = 0; i < s->n && r == 0; i++) {
		log_debug("skeleton: %s", s->entries[i].path);
		r = make_entry(fs, layer, &s->entries[i], e);
		if (r < 0)
			(void)err_wrap(e, "skeleton: %s", s->entries[i].path);
	}
	return r < 0 ? r : take_fd(&layer);
}
