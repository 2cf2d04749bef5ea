#include "fs/tree.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/own.h"
#include "base/sys.h"

/* strndup_user(value, 256) in fsconfig(2), terminator included. */
enum { FSCONFIG_MAX = 255 };

int tree_clone(int dirfd, const char *path, bool recursive, struct err *e)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	int fd = open_tree(dirfd, path, flags | (recursive ? AT_RECURSIVE : 0));

	/*
	 * In a user namespace the mounts of the parent's are locked to each other: a part of the
	 * tree that has such mounts below can only be copied with them.
	 */
	if (fd < 0 && errno == EINVAL && !recursive)
		fd = open_tree(dirfd, path, flags | AT_RECURSIVE);
	return fd >= 0 ? fd : err_set(e, errno, "open mount source %s", path);
}

static int set_attributes(int tree, bool recursive, struct mount_attr *attr)
{
	if (fault_hides("mount_setattr"))
		return -ENOSYS;
	if (attr->attr_set & MOUNT_ATTR_IDMAP && fault_hides("idmap"))
		return -EINVAL;
	return mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), attr,
			     sizeof(*attr)) < 0
		       ? -errno
		       : 0;
}

int tree_set(int tree, const struct fs_attrs *attrs, uint64_t propagation, int userns,
	     bool recursive, struct err *e)
{
	struct mount_attr attr = {.propagation = propagation};

	if (attrs) {
		attr.attr_set = attrs->set;
		attr.attr_clr = attrs->clear;
	}
	if (userns >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)userns;
	}
	if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
		return 0;
	int r = set_attributes(tree, recursive, &attr);
	if (r == -ENOSYS)
		return err_msg(e, ENOSYS,
			       "mount_setattr: the kernel has none: Linux 5.12 or later is needed, "
			       "and a seccomp filter around brig that lets it pass");
	return r == 0 ? 0
		      : err_set(e, -r, "set mount attributes%s",
				userns >= 0 ? " and id mapping" : "");
}

int tree_propagate(int tree, const struct fs_options *o, struct err *e)
{
	for (size_t i = 0; i < o->n_propagation; i++) {
		int r = tree_set(tree, NULL, o->propagation[i].type, -1,
				 o->propagation[i].recursive, e);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The kernel leaves lines such as "e tmpfs: Bad value for 'size'" to be read from the context. */
static int context_error(int fs, int code, const char *type, const char *what, struct err *e)
{
	char text[256];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	if (n <= 2)
		return err_set(e, code, "%s: %s", type, what);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return err_set(e, code, "%s: %s: %s", type, what, text + 2);
}

static int configure(int fs, const char *type, const struct fs_data *data, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		unsigned int cmd = data[i].value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

		if (fsconfig(fs, cmd, data[i].key, data[i].value, 0) < 0)
			return context_error(fs, errno, type, data[i].key, e);
	}
	return 0;
}

int tree_new(const char *type, const char *source, const struct fs_data *data, size_t n_data,
	     uint64_t attrs, struct err *e)
{
	own_fd int fs = fsopen(type, FSOPEN_CLOEXEC);

	if (fs < 0)
		return err_set(e, errno, "file system type %s", type);
	if (source && *source && fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return context_error(fs, errno, type, "source", e);
	int r = configure(fs, type, data, n_data, e);
	if (r < 0)
		return r;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return context_error(fs, errno, type, "create", e);
	int tree = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)attrs);
	return tree >= 0 ? tree : context_error(fs, errno, type, "mount", e);
}

/* move_mount(2) answers EINVAL where mount(2) says ENOTDIR, the word that engines explain. */
static int attach_code(int tree, int at, int code)
{
	struct stat from, to;

	if (code == EINVAL && fstat(tree, &from) == 0 && fstat(at, &to) == 0 &&
	    S_ISDIR(from.st_mode) != S_ISDIR(to.st_mode))
		return ENOTDIR;
	return code;
}

int tree_attach(int tree, int at, struct err *e)
{
	if (move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_set(e, attach_code(tree, at, errno), "attach");
	return 0;
}

int tree_reconfigure(int at, const struct fs_data *data, size_t n_data, struct err *e)
{
	if (!n_data)
		return 0;
	own_fd int fs = fspick(at, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
	if (fs < 0)
		return err_set(e, errno, "pick mounted file system");
	int r = configure(fs, "remount", data, n_data, e);
	if (r < 0)
		return r;
	if (fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return context_error(fs, errno, "remount", "reconfigure", e);
	return 0;
}

bool tree_has_long_data(const char *source, const struct fs_data *data, size_t n_data)
{
	if (source && strlen(source) > FSCONFIG_MAX)
		return true;
	for (size_t i = 0; i < n_data; i++)
		if (data[i].value && strlen(data[i].value) > FSCONFIG_MAX)
			return true;
	return false;
}

char *fs_data_join(struct arena *a, const struct fs_data *data, size_t n)
{
	char *text = arena_strdup(a, "");

	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s%s%s%s", text, i ? "," : "", data[i].key,
				    data[i].value ? "=" : "", data[i].value ? data[i].value : "");
	return text;
}

/* Attributes of the new interface in the words of the old one. */
static const struct {
	uint64_t attr;
	unsigned long ms;
} old_flags[] = {
	{MOUNT_ATTR_RDONLY,      MS_RDONLY     },
        {MOUNT_ATTR_NOSUID,      MS_NOSUID     },
	{MOUNT_ATTR_NODEV,       MS_NODEV      },
        {MOUNT_ATTR_NOEXEC,      MS_NOEXEC     },
	{MOUNT_ATTR_NOATIME,     MS_NOATIME    },
        {MOUNT_ATTR_STRICTATIME, MS_STRICTATIME},
	{MOUNT_ATTR_NODIRATIME,  MS_NODIRATIME },
        {MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW},
};

int tree_mount_long(const char *type, const char *source, const char *text, uint64_t attrs, int at,
		    struct err *e)
{
	own_fd int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	unsigned long flags = 0;

	for (size_t i = 0; i < LEN(old_flags); i++)
		if (attrs & old_flags[i].attr)
			flags |= old_flags[i].ms;
	if (cwd < 0 || fchdir(at) < 0)
		return err_set(e, errno, "enter mount point");
	int code = mount(source ? source : "none", ".", type, flags, text) < 0 ? errno : 0;
	if (fchdir(cwd) < 0)
		return err_set(e, errno, "return to working directory");
	return code ? err_set(e, code, "mount %s", type) : 0;
}
