#include "fs/image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/copy.h"
#include "fs/mountinfo.h"
#include "fs/overlay.h"
#include "fs/owner.h"
#include "fs/skeleton.h"
#include "fs/tree.h"

static const struct fs_attrs untouched = {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
						 MOUNT_ATTR_NODEV};

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
			"%s may not be id-mapped: it is mapped already, or its file system is "
			"another user namespace's; give the container the user namespace it is for",
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
		"xfs, btrfs or tmpfs, or have it copied (root.private)",
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
	if (r == -EINVAL && overlay_is(fs->root)) {
		fs->rebuild = true;
		return tree_set(fs->root, &untouched, p->default_propagation, -1, true, e);
	}
	return cannot_map(p, userns, -r, e);
}

static int tmpfs_root(const struct fs_plan *p, const struct fs_owner *o, struct err *e)
{
	char uid[16], gid[16], size[24], inodes[24];
	struct fs_data data[5] = {
		{"mode", "755"}
        };
	size_t n = 1;
	uint32_t host;

	/* Without an owner it is built inside, by who is 0 there if anybody is. */
	if (o && fs_owner_uid(o, 0, &host)) {
		snprintf(uid, sizeof(uid), "%u", host);
		data[n++] = (struct fs_data){"uid", uid};
	}
	if (o && fs_owner_gid(o, 0, &host)) {
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

/*
 * A copy shares no page of the host's cache with other sandboxes.  What is mounted below the
 * image is not part of it.
 */
static int fill_private(const struct fs_plan *p, const struct fs *fs, struct err *e)
{
	const struct fs_owner *owner = fs_owner_maps(fs->owner) ? fs->owner : NULL;
	own_fd int image = tree_clone(AT_FDCWD, p->rootfs, false, e);

	if (image < 0)
		return image;
	int r = tree_set(image, &untouched, MS_PRIVATE, -1, false, e);
	if (r < 0)
		return r;
	own_fd int from = openat(image, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_fd int to = openat(fs->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0 || to < 0)
		return err_set(e, errno, "open");
	r = fs_copy_root(from, to, owner, e);
	if (r == -ENOSPC)
		return err_wrap(e, "private copy of %s (at most %llu bytes and %llu inodes)",
				p->rootfs, (unsigned long long)p->tmpfs_size,
				(unsigned long long)p->tmpfs_inodes);
	return r < 0 ? err_wrap(e, "private copy of %s", p->rootfs) : 0;
}

int fs_open_image(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	if (!p->tmpfs_root && !p->private_root)
		return open_untouched(p, fs, e);
	fs->root = tmpfs_root(p, fs->owner, e);
	if (fs->root < 0)
		return fs->root;
	return p->private_root ? fill_private(p, fs, e) : 0;
}

/*
 * listmount(2), Linux 6.8: cheaper than mountinfo, which lists the whole host.  It tells what lies
 * over the image too, so it is asked while nothing does.
 */
static bool may_have_mounts(int image)
{
	enum { LISTMOUNT = 458, MNT_ID_UNIQUE = 0x4000 }; /* the same number everywhere */
	struct {
		uint32_t size, spare;
		uint64_t id, param;
	} req = {.size = 24};
	struct statx stx;
	uint64_t id;

	if (statx(image, "", AT_EMPTY_PATH, MNT_ID_UNIQUE, &stx) < 0 ||
	    !(stx.stx_mask & MNT_ID_UNIQUE))
		return true;
	req.id = stx.stx_mnt_id;
	return syscall(LISTMOUNT, &req, &id, 1, 0) != 0;
}

/* The image in its place: what is mounted below it can be seen then, and copied. */
static int place_image(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	int r = overlay_attach(fs->image, p->rootfs, e);

	fs->carry = r == 0 && may_have_mounts(fs->image);
	return r;
}

/* The layers of the image: its own if it has to be made anew, else the image as one layer. */
static int image_layers(struct arena *a, const struct fs_plan *p, struct fs *fs,
			struct overlay *out, struct err *e)
{
	int r;

	overlay_init(a, out, 2);
	if (fs->rebuild) {
		r = overlay_read(a, p->rootfs, fs->owner->userns, p->rootfs, out, e);
		return r < 0 ? r : place_image(p, fs, e);
	}
	r = place_image(p, fs, e);
	if (r < 0)
		return r;
	int tree = tree_clone(fs->image, "", false, e);
	if (tree < 0)
		return tree;
	overlay_add(out, tree);
	return 0;
}

/* The skeleton's directories are the image's: a part of an overlay becomes one layer first. */
static int add_skeleton(struct arena *a, const struct fs_plan *p, int *layer, struct overlay *o,
			struct err *e)
{
	if (*o->sub) {
		int tree = overlay_mount(o, p->rootfs, 0, e);

		overlay_close(o);
		overlay_init(a, o, 2);
		if (tree < 0)
			return tree;
		overlay_add(o, tree);
	}
	overlay_add(o, take_fd(layer));
	return 0;
}

/*
 * The order keeps to what each step looks at: the layers are found by paths, before anything
 * covers them, and the image in its place shows what is mounted below it.
 */
static int build_overlay(struct arena *a, const struct fs_plan *p, struct fs *fs,
			 const struct skeleton *s, struct err *e)
{
	own_fd int layer = s->n ? skeleton_make(fs, s, e) : -1;
	struct overlay o;

	if (s->n && layer < 0)
		return layer;
	fs->image = fs->root;
	fs->root = -1;
	int r = image_layers(a, p, fs, &o, e);
	if (r == 0 && layer >= 0)
		r = add_skeleton(a, p, &layer, &o, e);
	if (r == 0)
		fs->root = r = overlay_mount(&o, p->rootfs, untouched.set, e);
	overlay_close(&o);
	return r < 0 ? r : 0;
}

int fs_build_image(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	own_arena struct arena a = {0};
	struct skeleton s;

	if (p->tmpfs_root || p->private_root)
		return 0;
	int r = skeleton_plan(&a, p, fs, &s, e);
	if (r < 0 || (!s.n && !fs->rebuild))
		return r;
	return build_overlay(&a, p, fs, &s, e);
}

struct carry {
	const struct fs_plan *p;
	struct fs *fs;
	unsigned int image;
};

static int carry_mount(const struct mountinfo_row *row, void *ctx, struct err *e)
{
	const struct carry *c = ctx;
	size_t n = str_eq(c->p->rootfs, "/") ? 0 : strlen(c->p->rootfs);
	const uint64_t how = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;

	if (row->parent != c->image || strncmp(row->point, c->p->rootfs, n) != 0 ||
	    row->point[n] != '/')
		return 0;
	const char *path = row->point + n + 1;
	own_fd int from = sys_openat2(c->fs->image, path, O_PATH, 0, how);
	own_fd int to = sys_openat2(c->fs->root, path, O_PATH, 0, how);
	if (from < 0 || to < 0)
		return err_set(e, errno, "open %s", row->point);
	own_fd int tree = tree_clone(from, "", true, e);
	int r = tree < 0 ? tree : 0;
	/* The image's own mapping failed, so its mounts have none yet. */
	if (r == 0 && c->fs->rebuild)
		r = tree_set(tree, NULL, 0, c->fs->owner->userns, true, e);
	if (r == 0)
		r = tree_attach(tree, to, e);
	return r < 0 ? err_wrap(e, "%s, mounted below the image", row->point) : 0;
}

int fs_carry_mounts(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	struct carry c = {.p = p, .fs = fs};

	if (!fs->carry)
		return 0;
	int r = mountinfo_id(fs->image, &c.image, e);
	return r < 0 ? r : mountinfo_each(carry_mount, &c, e);
}
