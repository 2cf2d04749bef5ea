#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/dev.h"
#include "fs/mask.h"
#include "fs/mount.h"
#include "fs/plan.h"
#include "fs/tree.h"

/*
 * The facade: open, build and enter.  Seal is in mask.c.
 *
 * The root is a detached copy of the mount that holds the rootfs directory, with what is mounted
 * below.  It is attached on the rootfs path itself, where hooks expect it; a path that the
 * container's root user may not search (0700 on the host) is replaced by "/", which only hides
 * the host from the hooks.
 */

int fs_open(struct arena *a, const struct fs_plan *p, const struct fs_owner *owner, struct fs **out,
	    struct err *e)
{
	struct fs *fs = arena_new(a, sizeof(*fs));
	struct fs_userns ns = {-1, NULL};
	int r = 0;

	*fs = (struct fs){
		.owner = owner, .root = -1, .devpts = -1, .null = -1, .mask = -1, .made = -1};
	fs->trees = arena_array(a, p->n_mounts + 1, sizeof(*fs->trees));
	fs->n_trees = p->n_mounts;
	for (size_t i = 0; i < p->n_mounts; i++)
		fs->trees[i] = -1;
	fs->root = tree_clone(AT_FDCWD, p->rootfs, true, e);
	if (fs->root < 0 || tree_set(fs->root, NULL, p->default_propagation, -1, true, e) < 0)
		r = err_wrap(e, "rootfs");
	for (size_t i = 0; i < p->n_mounts && r == 0; i++) {
		if (p->mounts[i].kind != FS_MOUNT_BIND)
			continue;
		fs->trees[i] = fs_open_bind(p, &p->mounts[i], &ns, e);
		if (fs->trees[i] < 0)
			r = err_wrap(e, "mounts[%zu]: error mounting \"%s\" to rootfs at \"%s\"", i,
				     p->mounts[i].source, p->mounts[i].dest);
	}
	own_close(&ns.fd);
	if (r < 0)
		fs_close(fs);
	else
		*out = fs;
	return r;
}

void fs_close(struct fs *fs)
{
	if (!fs)
		return;
	for (size_t i = 0; i < fs->n_trees; i++)
		own_close(&fs->trees[i]);
	fs->devpts = -1; /* one of the trees */
	own_close(&fs->root);
	own_close(&fs->null);
	own_close(&fs->mask);
	own_close(&fs->made);
}

static int attach_root(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	struct mount_attr slave = {.propagation = p->default_propagation};
	struct stat st;

	/* No mount of the container's may travel to the host, and pivot_root(2) refuses a shared
	 * parent. */
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof(slave)) < 0)
		return err_set(e, errno, "set propagation of /");
	int r = move_mount(fs->root, "", AT_FDCWD, p->rootfs, MOVE_MOUNT_F_EMPTY_PATH);
	fs->root_on_slash = str_eq(p->rootfs, "/");
	if (r < 0 && errno == EACCES) {
		fs->root_on_slash = true;
		r = move_mount(fs->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	}
	if (r < 0)
		return err_set(e, errno, "rootfs: attach %s", p->rootfs);
	if (fstat(fs->root, &st) < 0)
		return err_set(e, errno, "rootfs: stat");
	fs->root_dev = st.st_dev;
	fs->root_ino = st.st_ino;
	return 0;
}

int fs_build(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	mode_t mask = umask(0); /* modes of nodes and mount points are exact */
	int r = attach_root(p, fs, e);

	for (size_t i = 0; i < p->n_mounts && r == 0; i++)
		r = fs_build_mount(p, fs, i, e);
	if (r == 0)
		r = fs_build_devices(p, fs, e);
	if (r == 0)
		r = fs_prepare_masks(p, fs, e);
	(void)umask(mask);
	return r;
}

/* A line of mountinfo: the mount point (unescaped in place) and the type. */
static bool parse_mount_line(char *line, char **point, char **type)
{
	char *save = NULL, *w = strtok_r(line, " ", &save);

	for (int i = 0; w && i < 4; i++)
		w = strtok_r(NULL, " ", &save);
	*point = w;
	while (w && !str_eq(w, "-"))
		w = strtok_r(NULL, " ", &save);
	*type = w ? strtok_r(NULL, " ", &save) : NULL;
	if (!*type)
		return false;
	char *to = *point;
	for (const char *s = *point; *s; to++)
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to = *s++;
		}
	*to = '\0';
	return true;
}

/*
 * Without pivot_root the host's mounts stay below the container's root and come into sight
 * with a second chroot(2).  The kernel's own file systems must not: unmounted, or covered where
 * a user namespace forbids that.
 */
static int drop_kernel_mounts(const struct fs_plan *p, struct err *e)
{
	own_file FILE *f = fopen("/proc/self/mountinfo", "re");
	own_free char *line = NULL;
	size_t size = 0, n = strlen(p->rootfs);
	char *point, *type;

	if (!f)
		return err_set(e, errno, "open /proc/self/mountinfo");
	while (getline(&line, &size, f) > 0) {
		if (!parse_mount_line(line, &point, &type) ||
		    (!str_eq(type, "proc") && !str_eq(type, "sysfs")))
			continue;
		if (strncmp(point, p->rootfs, n) == 0 && (point[n] == '/' || point[n] == '\0'))
			continue;
		if (umount2(point, MNT_DETACH) == 0 || errno == ENOENT)
			continue;
		if (mount("tmpfs", point, "tmpfs", MS_RDONLY, NULL) < 0)
			return err_set(e, errno, "cover %s", point);
	}
	return 0;
}

static int enter_by_chroot(const struct fs_plan *p, const struct fs *fs, struct err *e)
{
	int r = drop_kernel_mounts(p, e);

	if (r < 0)
		return r;
	if (!fs->root_on_slash &&
	    move_mount(fs->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(e, errno, "move root");
	if (fchdir(fs->root) < 0 || chroot(".") < 0)
		return err_set(e, errno, "chroot");
	return 0;
}

/*
 * pivot_root(2), NOTES: the old root comes to lie on the new one, where the working directory
 * still is below it, and is unmounted there.  All of it is a slave, so nothing reaches the host.
 */
static int enter_by_pivot(const struct fs *fs, struct err *e)
{
	if (fchdir(fs->root) < 0)
		return err_set(e, errno, "enter root");
	if (sys_pivot_root(".", ".") < 0)
		return err_set(e, errno, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_set(e, errno, "unmount the old root");
	return 0;
}

int fs_enter(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	int r = p->no_pivot ? enter_by_chroot(p, fs, e) : enter_by_pivot(fs, e);

	if (r < 0)
		return r;
	if (chdir("/") < 0)
		return err_set(e, errno, "chdir /");
	r = tree_set(fs->root, NULL, p->root_propagation, -1, p->root_propagation_recursive, e);
	return r < 0 ? err_wrap(e, "linux: rootfsPropagation") : 0;
}
