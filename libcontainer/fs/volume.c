#include "fs/volume.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/sys.h"
#include "fs/mount.h"
#include "fs/tree.h"

static const char upper_name[] = "upper", work_name[] = "work";

int fs_open_upper(const struct fs_plan *p, int lower, struct err *e)
{
	char size[24], inodes[24];
	struct fs_data data[3] = {
		{"mode", "700"}
        };
	size_t n = 1;
	struct stat st;

	snprintf(size, sizeof(size), "%" PRIu64, p->tmpfs_size);
	snprintf(inodes, sizeof(inodes), "%" PRIu64, p->tmpfs_inodes);
	if (p->tmpfs_size)
		data[n++] = (struct fs_data){"size", size};
	if (p->tmpfs_inodes)
		data[n++] = (struct fs_data){"nr_inodes", inodes};
	own_fd int tree =
		tree_new("tmpfs", "upper", data, n, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, e);
	if (tree < 0)
		return tree;
	if (fstat(lower, &st) < 0)
		return err_set(e, errno, "stat the volume");
	if (!S_ISDIR(st.st_mode))
		return err_msg(e, ENOTDIR, "a volume that is not written is a directory");
	/* What the overlay shows of its root is the upper's. */
	if (mkdirat(tree, work_name, 0700) < 0 || mkdirat(tree, upper_name, 0700) < 0 ||
	    fchownat(tree, upper_name, st.st_uid, st.st_gid, 0) < 0 ||
	    fchmodat(tree, upper_name, st.st_mode & 07777, 0) < 0)
		return err_set(e, errno, "make the upper of a volume");
	return take_fd(&tree);
}

/* --- the overlay -------------------------------------------------------------------------- */

/* By descriptor since Linux 6.13; before by name, and of mounts that are attached. */
enum form { BY_FD, BY_NAME, N_FORMS };

struct dirs {
	int lower, upper, work;
};

static int set_dir(int fs, enum form form, const char *key, int fd)
{
	char name[32];

	if (form == BY_FD)
		return fsconfig(fs, FSCONFIG_SET_FD, key, NULL, fd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return fsconfig(fs, FSCONFIG_SET_STRING, key, name, 0);
}

/* Whatever the kernel's defaults are: an upper that can be read without its lower, entry by entry.
 */
static int set_options(int fs)
{
	static const char *const options[][2] = {
		{"redirect_dir", "nofollow"},
		{"metacopy",     "off"     },
		{"index",        "off"     },
	};

	for (size_t i = 0; i < LEN(options); i++)
		if (fsconfig(fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0) < 0)
			return -1;
	return fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0);
}

static int say_why(int fs, int code, struct err *e)
{
	char text[256];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	if (n <= 2)
		return err_set(e, code, "overlay");
	text[n] = '\0';
	return err_set(e, code, "overlay: %.200s", text + 2);
}

static int new_overlay(const struct dirs *d, enum form form, uint64_t attrs, struct err *e)
{
	own_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);

	if (fs < 0)
		return err_set(e, errno, "file system type overlay");
	if (set_dir(fs, form, form == BY_FD ? "lowerdir+" : "lowerdir", d->lower) < 0 ||
	    set_dir(fs, form, "upperdir", d->upper) < 0 ||
	    set_dir(fs, form, "workdir", d->work) < 0 || set_options(fs) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return say_why(fs, errno, e);
	int tree = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)attrs);
	return tree >= 0 ? tree : say_why(fs, errno, e);
}

static int open_dirs(struct dirs *d, int upper, struct err *e)
{
	d->upper = openat(upper, upper_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	d->work = openat(upper, work_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return d->upper < 0 || d->work < 0 ? err_set(e, errno, "open the upper of a volume") : 0;
}

static int build(const struct dirs *d, const struct fs_mount *m, int tmpfs, int at, struct err *e)
{
	uint64_t attrs = fs_new_attrs(m) | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	own_fd int tree = new_overlay(d, BY_FD, attrs, e);

	if (tree < 0) {
		/* Below what they are for, where nobody gets at them. */
		if (tree_attach(d->lower, at, e) < 0 || tree_attach(tmpfs, at, e) < 0)
			return -e->code;
		tree = new_overlay(d, BY_NAME, attrs, e);
	}
	return tree < 0 ? tree : tree_attach(tree, at, e);
}

int fs_build_volume(const struct fs_mount *m, int lower, int upper, int at, struct err *e)
{
	struct dirs d = {.lower = lower, .upper = -1, .work = -1};
	int r = open_dirs(&d, upper, e);

	if (r == 0)
		r = build(&d, m, upper, at, e);
	own_close(&d.upper);
	own_close(&d.work);
	return r;
}
