#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/mount.h"
#include "fs/owner.h"
#include "fs/tree.h"

/*
 * Sources of bind mounts: copied, id-mapped and with their attributes before anything of the
 * container runs.
 */

static int map_userns(const struct fs_mount *m, struct fs_userns *ns, struct err *e)
{
	if (ns->fd < 0 || ns->of != m->idmap) {
		own_close(&ns->fd);
		ns->fd = idmap_userns(m->idmap, e);
		ns->of = m->idmap;
	}
	return ns->fd;
}

static bool wants_readonly(const struct fs_mount *m)
{
	const struct fs_options *o = &m->opt;

	return ((o->attrs.set & ~o->recursive.clear) | o->recursive.set) & MOUNT_ATTR_RDONLY;
}

static void record(struct arena *a, struct fs *fs, const struct fs_mount *m, const char *why)
{
	const char *text =
		arena_printf(a, "mounts[%zu]: %s on %s: %s", m->index, m->source, m->dest, why);

	fs->recorded[fs->n_recorded++] = text;
	log_debug("%s", text);
}

/*
 * Maps the tree for the sandbox.  Where the file system cannot (EINVAL), or the mount is mapped
 * already (EPERM), its files are seen as nobody's: harmless read-only, and a single file that an
 * engine makes for the container (resolv.conf) can be made so; a writable directory is refused,
 * for what is written would belong to ids of the host.
 */
static int map_for_owner(struct arena *a, struct fs *fs, const struct fs_mount *m, int tree,
			 struct err *e)
{
	static const struct fs_attrs readonly = {.set = MOUNT_ATTR_RDONLY};
	struct stat st;

	/* The host's own programs (--rootfs /): what only the host's root may read stays closed. */
	if (m->opt.unmapped && wants_readonly(m))
		return tree_set(tree, &readonly, 0, -1, true, e);
	int r = tree_set(tree, NULL, 0, fs->owner->userns, m->opt.recursive_bind, e);
	if (r != -EINVAL && r != -EPERM)
		return r;
	if (fstat(tree, &st) < 0)
		return err_set(e, errno, "stat bind source");
	if (wants_readonly(m))
		record(a, fs, m, "cannot be id-mapped: bound as it is, read-only");
	else if (!S_ISDIR(st.st_mode))
		record(a, fs, m, "cannot be id-mapped: bound as it is, made read-only");
	else
		return err_msg(
			e, -r,
			"%s cannot be id-mapped (its file system does not know how, or it is "
			"mapped already, or another user namespace's): mount it read-only, or keep "
			"it on ext4, xfs, btrfs or tmpfs",
			m->source);
	return tree_set(tree, &readonly, 0, -1, true, e);
}

/* At a level: what is mounted below the source is held to it too. */
static int restrict_tree(const struct fs_plan *p, const struct fs_mount *m, int tree, struct err *e)
{
	static const struct fs_attrs attrs = {.set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};

	if (!p->untouched && !p->tmpfs_root && !p->private_root)
		return 0;
	return tree_set(tree, &attrs, 0, -1, m->opt.recursive_bind, e);
}

/* A grant's: what was looked at when it was decided, whatever the path leads to by now. */
static int check_identity(const struct fs_mount *m, int tree, struct err *e)
{
	const char *is = fs_options_data(&m->opt, "brig.is");
	char now[64];
	struct stat st;

	if (!is)
		return 0;
	if (fstat(tree, &st) < 0)
		return err_set(e, errno, "stat bind source");
	snprintf(now, sizeof(now), "%llx:%llx", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	return str_eq(is, now)
		       ? 0
		       : err_msg(e, EAGAIN, "%s is another file than a moment ago", m->source);
}

int fs_open_bind(struct arena *a, const struct fs_plan *p, struct fs *fs, const struct fs_mount *m,
		 struct fs_userns *ns, struct err *e)
{
	const struct fs_options *o = &m->opt;
	own_fd int tree = tree_clone(AT_FDCWD, m->source, o->recursive_bind, e);
	/* With rootfsPropagation shared the engine wants mounts to travel both ways. */
	uint64_t propagation = p->peers && !p->has_userns ? 0 : p->default_propagation;
	int idmap = -1, r = 0;

	if (tree < 0)
		return tree;
	if (check_identity(m, tree, e) < 0)
		return -e->code;
	if (m->idmap && (idmap = map_userns(m, ns, e)) < 0)
		return idmap;
	if (o->recursive_bind) {
		r = tree_set(tree, NULL, propagation, -1, true, e);
		propagation = 0;
	}
	if (r == 0)
		r = tree_set(tree, &o->attrs, propagation, o->recursive_idmap ? -1 : idmap, false,
			     e);
	if (r == 0)
		r = tree_set(tree, &o->recursive, 0, o->recursive_idmap ? idmap : -1, true, e);
	if (r == 0)
		r = restrict_tree(p, m, tree, e);
	if (r == 0 && !m->idmap && fs_owner_maps(fs->owner))
		r = map_for_owner(a, fs, m, tree, e);
	if (r == 0)
		r = tree_propagate(tree, o, e);
	return r < 0 ? r : take_fd(&tree);
}
