#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/inroot.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/dev.h"
#include "fs/image.h"
#include "fs/machine.h"
#include "fs/mask.h"
#include "fs/mount.h"
#include "fs/mountinfo.h"
#include "fs/owner.h"
#include "fs/plan.h"
#include "fs/tree.h"
#include "fs/volume.h"

/*
 * The facade: open, build and enter.  Seal is in mask.c.
 *
 * The root is a detached copy of the mount that holds the rootfs directory, with what is mounted
 * below.  It is attached on the rootfs path itself, where hooks expect it; a path that the
 * container's root user may not search (0700 on the host) is replaced by "/", which only hides
 * the host from the hooks.
 */

static int open_root(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	int r;

	if (p->untouched || p->tmpfs_root || p->private_root)
		r = fs_open_image(p, fs, e);
	else {
		fs->root = tree_clone(AT_FDCWD, p->rootfs, true, e);
		r = fs->root < 0 ? fs->root
				 : tree_set(fs->root, NULL, p->default_propagation, -1, true, e);
	}
	return r < 0 ? err_wrap(e, "rootfs") : 0;
}

static int open_binds(struct arena *a, const struct fs_plan *p, struct fs *fs, struct err *e)
{
	struct fs_userns ns = {-1, NULL};
	int r = 0;

	for (size_t i = 0; i < p->n_mounts && r == 0; i++) {
		const struct fs_mount *m = &fs->mounts[i];

		if (m->kind != FS_MOUNT_BIND)
			continue;
		fs->trees[i] = fs_open_bind(a, p, fs, m, &ns, e);
		if (fs->trees[i] >= 0 && m->overlay)
			fs->uppers[i] = fs_open_upper(p, fs->trees[i], e);
		if (fs->trees[i] < 0 || (m->overlay && fs->uppers[i] < 0))
			r = err_wrap(e, "mounts[%zu]: error mounting \"%s\" to rootfs at \"%s\"", i,
				     m->source, m->dest);
	}
	own_close(&ns.fd);
	return r;
}

int fs_open(struct arena *a, const struct fs_plan *p, const struct fs_owner *owner, struct fs **out,
	    struct err *e)
{
	struct fs *fs = arena_new(a, sizeof(*fs));

	*fs = (struct fs){.owner = owner,
			  .root = -1,
			  .devpts = -1,
			  .null = -1,
			  .mask = -1,
			  .made = -1,
			  .image = -1};
	fs->trees = arena_array(a, p->n_mounts + 1, sizeof(*fs->trees));
	fs->uppers = arena_array(a, p->n_mounts + 1, sizeof(*fs->uppers));
	fs->recorded = arena_array(a, p->n_mounts + 1, sizeof(*fs->recorded));
	fs->n_trees = p->n_mounts;
	for (size_t i = 0; i < p->n_mounts; i++)
		fs->trees[i] = fs->uppers[i] = -1;
	int r = fs_owner_mounts(a, p, owner, &fs->mounts, e);
	if (r == 0 && p->machine)
		r = fs_machine_texts(a, p->machine, &fs->texts, e);
	if (r == 0)
		r = open_root(p, fs, e);
	if (r == 0)
		r = open_binds(a, p, fs, e);
	if (r < 0)
		fs_close(fs);
	else
		*out = fs;
	return r;
}

struct fs *fs_copy(struct arena *a, const struct fs *fs)
{
	struct fs *copy = arena_new(a, sizeof(*copy));

	*copy = *fs;
	copy->trees = arena_array(a, fs->n_trees + 1, sizeof(*copy->trees));
	memcpy(copy->trees, fs->trees, fs->n_trees * sizeof(*copy->trees));
	copy->uppers = arena_array(a, fs->n_trees + 1, sizeof(*copy->uppers));
	memcpy(copy->uppers, fs->uppers, fs->n_trees * sizeof(*copy->uppers));
	return copy;
}

int fs_upper(const struct fs *fs, size_t i)
{
	return i < fs->n_trees && fs->uppers[i] >= 0
		       ? openat(fs->uppers[i], "upper", O_PATH | O_DIRECTORY | O_CLOEXEC)
		       : -1;
}

const char *const *fs_recorded(const struct fs *fs, size_t *n)
{
	*n = fs->n_recorded;
	return (const char *const *)fs->recorded;
}

void fs_close(struct fs *fs)
{
	if (!fs)
		return;
	for (size_t i = 0; i < fs->n_trees; i++) {
		own_close(&fs->trees[i]);
		own_close(&fs->uppers[i]);
	}
	fs->devpts = -1; /* one of the trees */
	own_close(&fs->root);
	own_close(&fs->image);
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
	int r = p->untouched ? fs_build_image(p, fs, e) : 0;
	if (r < 0)
		return err_wrap(e, "rootfs");
	r = move_mount(fs->root, "", AT_FDCWD, p->rootfs, MOVE_MOUNT_F_EMPTY_PATH);
	fs->root_on_slash = str_eq(p->rootfs, "/");
	if (r < 0 && errno == EACCES) {
		fs->root_on_slash = true;
		r = move_mount(fs->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
	}
	if (r < 0)
		return err_set(e, errno, "rootfs: attach %s", p->rootfs);
	if (fs->image >= 0 && fs_carry_mounts(p, fs, e) < 0)
		return err_wrap(e, "rootfs");
	own_close(&fs->image);
	if (fstat(fs->root, &st) < 0)
		return err_set(e, errno, "rootfs: stat");
	fs->root_dev = st.st_dev;
	fs->root_ino = st.st_ino;
	return 0;
}

static int build_content(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < p->n_mounts && r == 0; i++)
		r = fs_build_mount(p, fs, i, e);
	if (r == 0)
		r = fs_build_devices(p, fs, e);
	if (r == 0)
		r = fs_prepare_masks(p, fs, e);
	if (r == 0 && p->cwd) {
		/* Below one of the mounts; where it cannot be, the change to it fails and says so.
		 */
		struct err ignored;
		own_fd int cwd = inroot_mkdirs(fs->root, p->cwd, 0, &ignored);
		(void)cwd;
	}
	return r;
}

int fs_build(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	mode_t mask = umask(0); /* modes of nodes and mount points are exact */
	struct fs_act act = {.active = false};
	int r = attach_root(p, fs, e);

	if (r == 0)
		r = fs_act_begin(&act, fs->owner, e);
	if (r == 0)
		r = build_content(p, fs, e);
	struct err second;
	int r2 = fs_act_end(&act, r < 0 ? &second : e);
	(void)umask(mask);
	return r < 0 ? r : r2;
}

/*
 * Without pivot_root the host's mounts stay below the container's root and come into sight
 * with a second chroot(2).  The kernel's own file systems must not: unmounted, or covered where
 * a user namespace forbids that.
 */
static int drop_kernel_mount(const struct mountinfo_row *row, void *ctx, struct err *e)
{
	const char *const *rootfs = ctx;
	size_t n = strlen(*rootfs);

	if (!str_eq(row->type, "proc") && !str_eq(row->type, "sysfs"))
		return 0;
	if (strncmp(row->point, *rootfs, n) == 0 && (row->point[n] == '/' || row->point[n] == '\0'))
		return 0;
	if (umount2(row->point, MNT_DETACH) == 0 || errno == ENOENT)
		return 0;
	if (mount("tmpfs", row->point, "tmpfs", MS_RDONLY, NULL) < 0)
		return err_set(e, errno, "cover %s", row->point);
	return 0;
}

static int enter_by_chroot(const struct fs_plan *p, const struct fs *fs, struct err *e)
{
	const char *rootfs = p->rootfs;
	int r = mountinfo_each(drop_kernel_mount, &rootfs, e);

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
