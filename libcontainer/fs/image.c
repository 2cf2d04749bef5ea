#include "fs/image.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/owner.h"
#include "fs/tree.h"

static const struct fs_attrs untouched = {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
						 MOUNT_ATTR_NODEV};

static bool is_overlay(int fd)
{
	struct statfs sfs;

	return fstatfs(fd, &sfs) == 0 && sfs.f_type == OVERLAYFS_SUPER_MAGIC;
}

/* Whether the root alone can be mapped: then it is something mounted below that cannot. */
static bool maps_alone(const struct fs_plan *p, int userns)
{
	struct err ignored;
	own_fd int alone = tree_clone(AT_FDCWD, p->rootfs, false, &ignored);

	return alone >= 0 && tree_set(alone, NULL, 0, userns, false, &ignored) == 0;
}

/* Why mount_setattr(MOUNT_ATTR_IDMAP) said no, and what to do about it. */
static int cannot_map(const struct fs_plan *p, int userns, int code, struct err *e)
{
	struct statfs sfs;

	if (code == EPERM)
		return err_msg(
			e, EPERM,
			"%s is id-mapped already: give the container the user namespace that "
			"it is mapped for",
			p->rootfs);
	if (code != EINVAL || statfs(p->rootfs, &sfs) < 0)
		return -code;
	if (maps_alone(p, userns))
		return err_msg(
			e, EINVAL,
			"something mounted below %s cannot be id-mapped: unmount it, or give "
			"it as a read-only mount",
			p->rootfs);
	return err_msg(
		e, EINVAL,
		"the file system of %s (type %lx) cannot be id-mapped: put the image on ext4, "
		"xfs, btrfs or tmpfs, or have it copied (rootfs.private)",
		p->rootfs, (unsigned long)sfs.f_type);
}

static int open_untouched(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	int userns = fs_owner_maps(fs->owner) ? fs->owner->userns : -1;

	fs->root = tree_clone(AT_FDCWD, p->rootfs, true, e);
	if (fs->root < 0)
		return fs->root;
	int r = tree_set(fs->root, &untouched, p->default_propagation, userns, true, e);
	if (r == 0 || userns < 0)
		return r;
	/* All or nothing: none of it was set. */
	if (r == -EINVAL && is_overlay(fs->root)) {
		fs->rebuild = true;
		return tree_set(fs->root, &untouched, p->default_propagation, -1, true, e);
	}
	return cannot_map(p, userns, -r, e);
}

int fs_tmpfs_root(const struct fs_plan *p, const struct fs_owner *o, struct err *e)
{
	char uid[16], gid[16], size[24], inodes[24];
	struct fs_data data[5] = {
		{"mode", "755"}
        };
	size_t n = 1;
	uint32_t host;

	if (fs_owner_uid(o, 0, &host)) {
		snprintf(uid, sizeof(uid), "%u", host);
		data[n++] = (struct fs_data){"uid", uid};
	}
	if (fs_owner_gid(o, 0, &host)) {
		snprintf(gid, sizeof(gid), "%u", host);
		data[n++] = (struct fs_data){"gid", gid};
	}
	if (p->tmpfs_size) {
		snprintf(size, sizeof(size), "%llu", (unsigned long long)p->tmpfs_size);
		data[n++] = (struct fs_data){"size", size};
	}
	if (p->tmpfs_inodes) {
		snprintf(inodes, sizeof(inodes), "%llu", (unsigned long long)p->tmpfs_inodes);
		data[n++] = (struct fs_data){"nr_inodes", inodes};
	}
	return tree_new("tmpfs", "root", data, n, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, e);
}

int fs_open_image(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	if (!p->tmpfs_root && !p->private_root)
		return open_untouched(p, fs, e);
	fs->root = fs_tmpfs_root(p, fs->owner, e);
	if (fs->root < 0)
		return fs->root;
	return p->private_root ? err_msg(e, ENOTSUP, "private copy: not yet") : 0;
}

int fs_build_image(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	(void)p;
	if (fs->rebuild)
		return err_msg(e, ENOTSUP, "overlay: not yet");
	return 0;
}
