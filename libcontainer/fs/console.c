#include <errno.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/inroot.h"
#include "base/own.h"
#include "base/sys.h"
#include "fs/owner.h"
#include "fs/plan.h"
#include "fs/tree.h"

/*
 * Pseudoterminals without a path: the slave comes from its master (TIOCGPTPEER, Linux 4.13), so
 * that no /dev/pts/N of the container's can stand in its place (CVE-2025-52565).
 */

static int open_ptmx(int dir, struct err *e)
{
	own_fd int ptmx = sys_openat2(dir, "ptmx", O_RDWR | O_NOCTTY, 0,
				      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	struct statfs sfs;
	struct stat st;

	if (ptmx < 0)
		return err_set(e, errno, "open ptmx of devpts");
	if (fstatfs(ptmx, &sfs) < 0 || fstat(ptmx, &st) < 0)
		return err_set(e, errno, "stat ptmx of devpts");
	if (sfs.f_type != DEVPTS_SUPER_MAGIC || st.st_rdev != makedev(TTYAUX_MAJOR, 2))
		return err_msg(e, ENODEV, "/dev/pts is not a devpts");
	return take_fd(&ptmx);
}

static int make_pty(int dir, const struct oci_console_size *size, uint32_t uid, int *master,
		    int *slave, struct err *e)
{
	own_fd int m = open_ptmx(dir, e);
	int unlocked = 0;

	if (m < 0)
		return m;
	if (ioctl(m, TIOCSPTLCK, &unlocked) < 0)
		return err_set(e, errno, "unlock pty");
	own_fd int s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s < 0)
		return err_set(e, errno, "open pty slave");
	/* brig made this very pty just now. */
	if (fchown(s, uid, (gid_t)-1) < 0 || fchmod(s, 0620) < 0)
		return err_set(e, errno, "own pty");
	if (size && (size->height || size->width)) {
		struct winsize ws = {.ws_row = (unsigned short)size->height,
				     .ws_col = (unsigned short)size->width};

		if (ioctl(m, TIOCSWINSZ, &ws) < 0)
			return err_set(e, errno, "set size of pty");
	}
	*master = take_fd(&m);
	*slave = take_fd(&s);
	return 0;
}

static int pty_below(int root, const struct oci_console_size *size, uint32_t uid, int *master,
		     int *slave, struct err *e)
{
	own_fd int dir = inroot_open(root, "/dev/pts", O_PATH | O_DIRECTORY, INROOT_NO_SYMLINKS, e);

	return dir < 0 ? dir : make_pty(dir, size, uid, master, slave, e);
}

/* On /dev/console lies a copy of the slave's own mount, never something found by its name. */
static int bind_console(const struct fs *fs, int slave, struct err *e)
{
	own_fd int dev = inroot_mkdirs(fs->root, "/dev", INROOT_NO_SYMLINKS, e);

	if (dev < 0)
		return dev;
	if (mknodat(dev, "console", S_IFREG | 0620, 0) < 0 && errno != EEXIST)
		return err_set(e, errno, "make /dev/console");
	own_fd int at =
		sys_openat2(dev, "console", O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (at < 0)
		return err_set(e, errno, "open /dev/console");
	own_fd int tree = tree_clone(slave, "", false, e);
	return tree < 0 ? tree : tree_attach(tree, at, e);
}

static int open_console(const struct fs_plan *p, struct fs *fs, const struct oci_console_size *size,
			uint32_t uid, int *master, int *slave, struct err *e)
{
	own_fd int m = -1, s = -1;
	int r = fs->devpts >= 0 ? make_pty(fs->devpts, size, uid, &m, &s, e)
				: pty_below(fs->root, size, uid, &m, &s, e);

	if (r < 0)
		return r;
	/* A /dev of the host's keeps its console. */
	if (p->make_devices && (r = bind_console(fs, s, e)) < 0)
		return r;
	*master = take_fd(&m);
	*slave = take_fd(&s);
	return 0;
}

int fs_console(const struct fs_plan *p, struct fs *fs, const struct oci_console_size *size,
	       uint32_t uid, int *master, int *slave, struct err *e)
{
	struct fs_act act;
	struct err second;
	uint32_t host;

	if (!fs_owner_uid(fs->owner, uid, &host))
		return err_msg(e, EINVAL, "console: user %u is not in the sandbox's user namespace",
			       uid);
	/* Without gid= of devpts the group of a terminal is its maker's. */
	int r = fs_act_begin(&act, fs->owner, e);
	if (r == 0)
		r = open_console(p, fs, size, host, master, slave, e);
	int r2 = fs_act_end(&act, r < 0 ? &second : e);
	if (r == 0 && r2 < 0) {
		own_close(master);
		own_close(slave);
		r = r2;
	}
	return r < 0 ? err_wrap(e, "console") : 0;
}

int fs_pty_of_root(const struct oci_console_size *size, uint32_t uid, int *master, int *slave,
		   struct err *e)
{
	own_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_set(e, errno, "open /");
	return pty_below(root, size, uid, master, slave, e) < 0 ? err_wrap(e, "console") : 0;
}
