#include "fs/mount.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/inroot.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/copy.h"
#include "fs/files.h"
#include "fs/minimal.h"
#include "fs/owner.h"
#include "fs/tree.h"
#include "fs/volume.h"

enum { PROC_ROOT_INO = 1 };

uint64_t fs_new_attrs(const struct fs_mount *m)
{
	uint64_t attrs = (m->opt.attrs.set & ~m->opt.recursive.clear) | m->opt.recursive.set;

	return m->late_readonly ? attrs & ~(uint64_t)MOUNT_ATTR_RDONLY : attrs;
}

/* A bind mount's mount point is a file if its source is no directory. */
static int make_dest(const struct fs *fs, const struct fs_mount *m, int tree, int how,
		     struct err *e)
{
	struct stat st = {.st_mode = S_IFDIR};

	if (tree >= 0 && fstat(tree, &st) < 0)
		return err_set(e, errno, "stat bind source");
	return S_ISDIR(st.st_mode) ? inroot_mkdirs(fs->root, m->dest, how, e)
				   : inroot_mkfile(fs->root, m->dest, e);
}

/* The mount point, made if missing; *existed is only looked for where it matters. */
static int find_dest(const struct fs *fs, const struct fs_mount *m, int tree, bool *existed,
		     struct err *e)
{
	bool dir = m->kind == FS_MOUNT_NEW || m->kind == FS_MOUNT_CGROUP;
	bool look = !dir || m->keep_mode || m->opt.copy_up;
	int how = m->plain_dir ? INROOT_NO_SYMLINKS : 0;
	int fd = -ENOENT;

	if (look)
		fd = inroot_open(fs->root, m->dest, O_PATH | (dir ? O_DIRECTORY : 0), how, e);
	*existed = fd >= 0;
	if (fd == -ENOENT && m->kind != FS_MOUNT_REMOUNT)
		fd = make_dest(fs, m, tree, how, e);
	if (m->plain_dir && (fd == -ELOOP || fd == -ENOTDIR || fd == -EEXIST))
		return err_msg(e, -fd, "filesystem \"%s\" must be mounted on ordinary directory",
			       m->type);
	return fd;
}

static bool is_proc_root(int fd)
{
	struct statfs sfs;
	struct stat st;

	return fd >= 0 && fstatfs(fd, &sfs) == 0 && sfs.f_type == PROC_SUPER_MAGIC &&
	       fstat(fd, &st) == 0 && st.st_ino == PROC_ROOT_INO;
}

/* What the destination turned out to be: the plan only knew its name. */
static int check_dest(const struct fs *fs, const struct fs_mount *m, int tree, int at,
		      struct err *e)
{
	struct statfs sfs;
	struct stat st;

	if (fstat(at, &st) < 0)
		return err_set(e, errno, "stat mount point");
	if (st.st_ino == fs->root_ino && st.st_dev == fs->root_dev)
		return err_msg(e, EINVAL, "mounting into / is prohibited");
	if (m->kind == FS_MOUNT_BIND && str_eq(m->dest, "/proc") && !is_proc_root(tree))
		return err_msg(e, EINVAL,
			       "\"/proc\" cannot be mounted because it is not of type proc");
	if (st.st_dev == fs->root_dev)
		return 0;
	if (fstatfs(at, &sfs) < 0)
		return err_set(e, errno, "stat mount point");
	if (sfs.f_type != PROC_SUPER_MAGIC || fs_proc_dest_allowed(m->dest))
		return 0;
	if (st.st_ino != PROC_ROOT_INO)
		return err_msg(e, EINVAL, "\"%s\" cannot be mounted because it is inside /proc",
			       m->dest);
	if (str_eq(m->type, "proc") || m->kind == FS_MOUNT_REMOUNT || is_proc_root(tree))
		return 0;
	return err_msg(e, EINVAL, "\"%s\" cannot be mounted because it is not of type proc",
		       m->dest);
}

/*
 * A user namespace without a network namespace of its own may not mount sysfs: the host's, read
 * only with all that is below.
 */
static int bind_sys(const struct fs_mount *m, struct err *e)
{
	struct fs_attrs attrs = {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					MOUNT_ATTR_NOEXEC};
	own_fd int tree = tree_clone(AT_FDCWD, "/sys", true, e);

	log_debug("mounts[%zu]: sysfs is not permitted here, binding /sys read-only", m->index);
	if (tree < 0)
		return tree;
	int r = tree_set(tree, &attrs, 0, -1, true, e);
	return r < 0 ? r : take_fd(&tree);
}

static int new_tree(const struct fs_plan *p, const struct fs_mount *m, struct err *e)
{
	if (m->files)
		return fs_files_tree(m, fs_new_attrs(m), e);
	int tree = tree_new(m->type, m->source, m->opt.data, m->opt.n_data, fs_new_attrs(m), e);

	if (tree == -EPERM && p->has_userns && !p->own_net_ns && str_eq(m->type, "sysfs"))
		return bind_sys(m, e);
	return tree;
}

static int fill_tmpfs(const struct fs *fs, const struct fs_mount *m, int tree, int at,
		      struct err *e)
{
	struct stat st;

	if (m->keep_mode && (fstat(at, &st) < 0 || fchmodat(tree, ".", st.st_mode & 07777, 0) < 0))
		return err_set(e, errno, "set mode");
	if (!m->opt.copy_up)
		return 0;
	own_fd int from = inroot_open(fs->root, m->dest, O_RDONLY | O_DIRECTORY, 0, e);
	return from < 0 ? from : fs_copy_up(from, tree, e);
}

/*
 * The kernel makes the roots of these two for 0 of the mounting user namespace.  A mount nobody
 * else sees yet.
 */
static int own_tree(const struct fs *fs, const struct fs_mount *m, int tree, struct err *e)
{
	bool pts = str_eq(m->type, "devpts");
	uint32_t uid, gid;

	if (!fs->owner || (!pts && !str_eq(m->type, "mqueue")) ||
	    !fs_owner_uid(fs->owner, 0, &uid) || !fs_owner_gid(fs->owner, 0, &gid))
		return 0;
	if (fchownat(tree, "", uid, gid, AT_EMPTY_PATH) < 0 ||
	    (pts && fchownat(tree, "ptmx", uid, gid, AT_SYMLINK_NOFOLLOW) < 0))
		return err_set(e, errno, "chown");
	return 0;
}

/* A new file system, attached; returns its descriptor. */
static int build_new(const struct fs_plan *p, const struct fs *fs, const struct fs_mount *m, int at,
		     bool existed, struct err *e)
{
	if (m->long_data) {
		int r = tree_mount_long(m->type, m->source, m->long_data, fs_new_attrs(m), at, e);

		if (r < 0)
			return r;
		own_fd int top = inroot_open(fs->root, m->dest, O_PATH | O_DIRECTORY, 0, e);
		r = top < 0 ? top : tree_propagate(top, &m->opt, e);
		return r < 0 ? r : take_fd(&top);
	}
	own_fd int tree = new_tree(p, m, e);
	if (tree < 0)
		return tree;
	int r = own_tree(fs, m, tree, e);
	if (r == 0 && m->files)
		r = fs_files_write(fs, m->files, tree, e);
	if (r == 0 && existed)
		r = fill_tmpfs(fs, m, tree, at, e);
	if (r == 0)
		r = tree_propagate(tree, &m->opt, e);
	if (r == 0)
		r = tree_attach(tree, at, e);
	return r < 0 ? r : take_fd(&tree);
}

static int remount(const struct fs_mount *m, int at, struct err *e)
{
	int r = tree_set(at, &m->opt.attrs, 0, -1, false, e);

	if (r == 0)
		r = tree_set(at, &m->opt.recursive, 0, -1, true, e);
	if (r == 0)
		r = tree_propagate(at, &m->opt, e);
	return r < 0 || m->opt.bind ? r : tree_reconfigure(at, m->opt.data, m->opt.n_data, e);
}

static int build(const struct fs_plan *p, struct fs *fs, size_t i, struct err *e)
{
	const struct fs_mount *m = &fs->mounts[i];
	bool existed;
	own_fd int at = find_dest(fs, m, fs->trees[i], &existed, e);

	if (at < 0)
		return at;
	int r = check_dest(fs, m, fs->trees[i], at, e);
	if (r < 0)
		return r;
	switch (m->kind) {
	case FS_MOUNT_BIND:
		if (m->overlay)
			return fs_build_volume(m, fs->trees[i], fs->uppers[i], at, e);
		return tree_attach(fs->trees[i], at, e);
	case FS_MOUNT_REMOUNT:
		return remount(m, at, e);
	case FS_MOUNT_CGROUP:
		return fs_build_cgroup(p, m, at, e);
	case FS_MOUNT_NEW:
		break;
	}
	int tree = fs_minimal_wants(p, m) ? fs_minimal_build(p, fs, m, at, e)
					  : build_new(p, fs, m, at, existed, e);
	if (tree < 0)
		return tree;
	fs->trees[i] = tree;
	if (str_eq(m->type, "devpts") && str_eq(m->dest, "/dev/pts"))
		fs->devpts = tree;
	return 0;
}

int fs_build_mount(const struct fs_plan *p, struct fs *fs, size_t i, struct err *e)
{
	const struct fs_mount *m = &fs->mounts[i];

	if (build(p, fs, i, e) < 0) {
		(void)err_wrap(e, "error mounting \"%s\" to rootfs at \"%s\"",
			       m->source ? m->source
			       : m->type ? m->type
					 : "",
			       m->dest);
		return err_wrap(e, "mounts[%zu]", i);
	}
	/* Only what is still needed stays open: a read-only tmpfs and the container's devpts. */
	if (!m->late_readonly && fs->trees[i] != fs->devpts)
		own_close(&fs->trees[i]);
	own_close(&fs->uppers[i]);
	return 0;
}
