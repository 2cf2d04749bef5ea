#include "fs/dev.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/inroot.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/tree.h"

/* makedev() is no constant expression; these numbers are below 256. */
#define CHAR_DEVICE(path, major, minor)                                                            \
	{                                                                                          \
		path, S_IFCHR, 0666, (dev_t)((major) << 8 | (minor)), 0, 0, false                  \
	}

/* config-linux.md, Default Devices. */
static const struct fs_device default_devices[] = {
	CHAR_DEVICE("/dev/null", 1, 3),    CHAR_DEVICE("/dev/zero", 1, 5),
	CHAR_DEVICE("/dev/full", 1, 7),    CHAR_DEVICE("/dev/random", 1, 8),
	CHAR_DEVICE("/dev/urandom", 1, 9), CHAR_DEVICE("/dev/tty", 5, 0),
};

/* runtime-linux.md, Dev symbolic links; made even where nothing is mounted on /proc. */
static const struct {
	const char *name, *target;
} links[] = {
	{"fd",     "/proc/self/fd"  },
	{"stdin",  "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
};

static int plan_device(const struct oci_device *c, struct fs_device *d, struct err *e)
{
	if (!c->path || c->path[0] != '/' || str_ends(c->path, "/"))
		return err_msg(e, EINVAL, "path: \"%s\" is not absolute", c->path ? c->path : "");
	if (!c->type || strlen(c->type) != 1 || !strchr("cubp", c->type[0]))
		return err_msg(e, EINVAL, "type: \"%s\" is not c, b, u or p",
			       c->type ? c->type : "");
	d->type = c->type[0] == 'b' ? S_IFBLK : c->type[0] == 'p' ? S_IFIFO : S_IFCHR;
	if (d->type != S_IFIFO) {
		if (!c->major || !c->minor)
			return err_msg(e, EINVAL, "%s: major and minor are required", c->path);
		if (*c->major < 0 || *c->major > 0xfff || *c->minor < 0 || *c->minor > 0xfffff)
			return err_msg(e, EINVAL, "%s: no such device number", c->path);
		d->rdev = makedev((unsigned int)*c->major, (unsigned int)*c->minor);
	}
	d->path = c->path;
	d->mode = c->file_mode ? *c->file_mode & 07777 : 0666;
	d->uid = c->uid ? *c->uid : 0;
	d->gid = c->gid ? *c->gid : 0;
	d->listed = true;
	return 0;
}

/* A device that the config lists replaces the default one of that path. */
static void add_device(struct fs_device *list, size_t *n, const struct fs_device *d)
{
	for (size_t i = 0; i < *n; i++)
		if (str_eq(list[i].path, d->path)) {
			list[i] = *d;
			return;
		}
	list[(*n)++] = *d;
}

int fs_plan_devices(struct arena *a, const struct oci_linux *l, struct fs_plan *p, struct err *e)
{
	size_t n = l ? l->n_devices : 0;
	struct fs_device *list = arena_array(a, LEN(default_devices) + n, sizeof(*list));

	memcpy(list, default_devices, sizeof(default_devices));
	p->n_devices = LEN(default_devices);
	for (size_t i = 0; i < n; i++) {
		struct fs_device d = {0};

		if (plan_device(&l->devices[i], &d, e) < 0)
			return err_wrap(e, "linux: devices[%zu]", i);
		add_device(list, &p->n_devices, &d);
	}
	p->devices = list;
	return 0;
}

static bool is_device(const struct stat *st, mode_t type, dev_t rdev)
{
	return (st->st_mode & S_IFMT) == type && (type == S_IFIFO || st->st_rdev == rdev);
}

int fs_device_tree(const char *path, mode_t type, dev_t rdev, struct err *e)
{
	own_fd int tree = tree_clone(AT_FDCWD, path, false, e);
	struct stat st;

	if (tree < 0)
		return tree;
	if (fstat(tree, &st) < 0)
		return err_set(e, errno, "stat %s", path);
	if (!is_device(&st, type, rdev))
		return err_msg(e, ENODEV, "%s on the host is not the device %u:%u", path,
			       major(rdev), minor(rdev));
	return take_fd(&tree);
}

/* Where mknod is refused (user namespaces, no CAP_MKNOD) the host's own node is bound. */
static int bind_device(int dir, const char *name, const struct fs_device *d, struct err *e)
{
	own_fd int tree = fs_device_tree(d->path, d->type, d->rdev, e);
	struct stat st;

	if (tree < 0)
		return tree;
	if (mknodat(dir, name, S_IFREG | 0666, 0) < 0 && errno != EEXIST)
		return err_set(e, errno, "make file %s", d->path);
	own_fd int at = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0 || fstat(at, &st) < 0)
		return err_set(e, errno, "open %s", d->path);
	if (is_device(&st, d->type, d->rdev))
		return 0;
	if (!S_ISREG(st.st_mode))
		return err_msg(e, EEXIST, "%s exists and is not the device asked for", d->path);
	return tree_attach(tree, at, e) < 0 ? err_wrap(e, "%s", d->path) : 0;
}

/* Something of that name is there: it must be the device. */
static int check_node(int dir, const char *name, const struct fs_device *d, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, "stat %s", d->path);
	if (!is_device(&st, d->type, d->rdev))
		return err_msg(e, EEXIST, "%s exists and is not the device asked for", d->path);
	return 0;
}

/* An owner that the sandbox lacks stays who makes the node: 0 inside. */
static int own_device(const struct fs_owner *o, int dir, const char *name,
		      const struct fs_device *d, struct err *e)
{
	uint32_t uid, gid;

	if (!d->uid && !d->gid)
		return 0;
	if (!fs_owner_uid(o, d->uid, &uid))
		uid = (uint32_t)-1;
	if (!fs_owner_gid(o, d->gid, &gid))
		gid = (uint32_t)-1;
	/* The node is brig's, made just now in a directory held open; no symlink is followed. */
	if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, "chown %s", d->path);
	return 0;
}

static int make_device(const struct fs_plan *p, const struct fs_owner *o, int dir, const char *name,
		       const struct fs_device *d, struct err *e)
{
	if (p->bind_devices && d->type != S_IFIFO)
		return bind_device(dir, name, d, e);
	if (mknodat(dir, name, d->type | d->mode, d->rdev) < 0) {
		if (errno == EEXIST)
			return check_node(dir, name, d, e);
		if (errno == EPERM)
			return bind_device(dir, name, d, e);
		return err_set(e, errno, "make device %s", d->path);
	}
	return own_device(o, dir, name, d, e);
}

/* A symlink of that name is taken as it is, as runc does; another target may be wanted there. */
static int make_links(int dev, struct err *e)
{
	for (size_t i = 0; i < LEN(links); i++)
		if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
			return err_set(e, errno, "make symlink /dev/%s", links[i].name);
	return 0;
}

/* The container's own devpts, not the image's idea of a /dev/ptmx. */
static int make_ptmx(int dev, struct err *e)
{
	if (symlinkat("pts/ptmx", dev, "ptmx") == 0)
		return 0;
	if (errno == EEXIST && unlinkat(dev, "ptmx", 0) == 0 &&
	    symlinkat("pts/ptmx", dev, "ptmx") == 0)
		return 0;
	return err_set(e, errno, "make symlink /dev/ptmx");
}

static int make_core(int root, int dev, struct err *e)
{
	own_fd int kcore =
		sys_openat2(root, "/proc/kcore", O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);

	if (kcore >= 0 && symlinkat("/proc/kcore", dev, "core") < 0 && errno != EEXIST)
		return err_set(e, errno, "make symlink /dev/core");
	return 0;
}

/* A device outside /dev: its directory, by the same rule that no symlink is followed. */
static int make_elsewhere(const struct fs_plan *p, const struct fs *fs, const struct fs_device *d,
			  struct err *e)
{
	const char *name = strrchr(d->path, '/') + 1;
	char dir[PATH_MAX];
	size_t n = (size_t)(name - d->path);

	if (n >= sizeof(dir))
		return err_set(e, ENAMETOOLONG, "make device");
	memcpy(dir, d->path, n);
	dir[n] = '\0';
	own_fd int at = inroot_mkdirs(fs->root, dir, INROOT_NO_SYMLINKS, e);
	if (at < 0)
		return at;
	return make_device(p, fs->owner, at, name, d, e);
}

int fs_build_devices(const struct fs_plan *p, const struct fs *fs, struct err *e)
{
	if (!p->make_devices)
		return 0;
	own_fd int dev = inroot_mkdirs(fs->root, "/dev", INROOT_NO_SYMLINKS, e);
	if (dev < 0)
		return dev;
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct fs_device *d = &p->devices[i];
		const char *name = d->path + strlen("/dev/");
		bool in_dev = str_starts(d->path, "/dev/") && !strchr(name, '/');
		int r = in_dev ? make_device(p, fs->owner, dev, name, d, e)
			       : make_elsewhere(p, fs, d, e);

		if (r < 0)
			return d->listed ? err_wrap(e, "linux: devices")
					 : err_wrap(e, "default devices");
	}
	int r = make_links(dev, e);
	if (r == 0)
		r = make_ptmx(dev, e);
	return r < 0 ? r : make_core(fs->root, dev, e);
}
