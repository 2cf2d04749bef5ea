#include "fs/mask.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/inroot.h"
#include "base/own.h"
#include "base/sys.h"
#include "fs/dev.h"
#include "fs/tree.h"

int fs_prepare_masks(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	if (!p->n_masked)
		return 0;
	fs->null = fs_device_tree("/dev/null", S_IFCHR, makedev(1, 3), e);
	return fs->null < 0 ? fs->null : 0;
}

/* Nothing there, or nothing below a file: nothing to hide. */
static bool is_absent(int r)
{
	return r == -ENOENT || r == -ENOTDIR;
}

/*
 * The tree itself at first, copies of it afterwards: a detached mount can be copied only since
 * Linux 6.15, an attached one always.  One superblock serves all directories.
 */
static int next_copy(int tree, bool *used, struct err *e)
{
	int fd = *used ? tree_clone(tree, "", false, e) : fcntl(tree, F_DUPFD_CLOEXEC, 3);

	if (fd < 0 && !*used)
		return err_set(e, errno, "dup");
	*used = true;
	return fd;
}

static int mask_tmpfs(struct fs *fs, struct err *e)
{
	static const struct fs_data data[] = {
		{"mode",      "755"},
                {"nr_inodes", "2"  }
        };

	if (fs->mask < 0)
		fs->mask = tree_new("tmpfs", "tmpfs", data, LEN(data),
				    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					    MOUNT_ATTR_NOEXEC,
				    e);
	return fs->mask;
}

struct used {
	bool null, tmpfs;
};

static int mask(struct fs *fs, const char *path, struct used *used, struct err *e)
{
	own_fd int at = inroot_open(fs->root, path, O_PATH, 0, NULL);
	struct stat st;

	if (at < 0)
		return is_absent(at) ? 0 : err_set(e, -at, "open");
	if (fstat(at, &st) < 0)
		return err_set(e, errno, "stat %s", path);
	bool dir = S_ISDIR(st.st_mode);
	int tree = dir ? mask_tmpfs(fs, e) : fs->null;
	if (tree < 0)
		return tree;
	own_fd int copy = next_copy(tree, dir ? &used->tmpfs : &used->null, e);
	return copy < 0 ? copy : tree_attach(copy, at, e);
}

static int make_readonly(struct fs *fs, const char *path, struct err *e)
{
	static const struct fs_attrs readonly = {.set = MOUNT_ATTR_RDONLY};
	own_fd int at = inroot_open(fs->root, path, O_PATH, 0, NULL);

	if (at < 0)
		return is_absent(at) ? 0 : err_set(e, -at, "open");
	own_fd int tree = tree_clone(at, "", true, e);
	if (tree < 0)
		return tree;
	int r = tree_set(tree, &readonly, 0, -1, true, e);
	return r < 0 ? r : tree_attach(tree, at, e);
}

static int seal_mounts(const struct fs_plan *p, const struct fs *fs, struct err *e)
{
	static const struct fs_attrs readonly = {.set = MOUNT_ATTR_RDONLY};

	for (size_t i = 0; i < p->n_mounts; i++)
		if (fs->mounts[i].late_readonly &&
		    tree_set(fs->trees[i], &readonly, 0, -1, false, e) < 0)
			return err_wrap(e, "mounts[%zu]", i);
	if (p->readonly && tree_set(fs->root, &readonly, 0, -1, false, e) < 0)
		return err_wrap(e, "root: readonly");
	return 0;
}

int fs_seal(const struct fs_plan *p, struct fs *fs, struct err *e)
{
	struct used used = {false, false};
	int r = seal_mounts(p, fs, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p->n_readonly_paths; i++)
		if (make_readonly(fs, p->readonly_paths[i], e) < 0)
			return err_wrap(e, "linux: readonlyPaths: %s", p->readonly_paths[i]);
	for (size_t i = 0; i < p->n_masked; i++)
		if (mask(fs, p->masked[i], &used, e) < 0)
			return err_wrap(e, "linux: maskedPaths: %s", p->masked[i]);
	own_close(&fs->null);
	own_close(&fs->mask);
	own_close(&fs->made);
	return 0;
}
