#include "io_device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "fs/mountinfo.h"

/* --- whole disks -------------------------------------------------------------------------- */

/* The disk of a partition; the number itself where it is a disk. */
static int whole_disk(struct arena *a, int64_t *major, int64_t *minor, struct err *e)
{
	const char *sys =
		arena_printf(a, "/sys/dev/block/%lld:%lld", (long long)*major, (long long)*minor);
	char text[32];

	if (access(sys, F_OK) < 0)
		return err_msg(e, errno == ENOENT ? ENODEV : errno,
			       "%lld:%lld is no block device of this host", (long long)*major,
			       (long long)*minor);
	if (access(arena_printf(a, "%s/partition", sys), F_OK) < 0)
		return 0;
	/* A link into the tree of devices, where a partition lies below its disk. */
	if (file_peek(AT_FDCWD, arena_printf(a, "%s/../dev", sys), text, sizeof(text)) < 0 ||
	    !policy_io_is_number(text, major, minor))
		return err_msg(e, ENODEV, "%s is a partition of no disk", sys);
	return 0;
}

/* --- file systems ------------------------------------------------------------------------- */

/* What the mount that a path is on says of itself. */
struct under {
	char type[32];
	char *upper; /* of an overlay; malloc'ed */
};

static int read_mount(const struct mountinfo_row *r, void *ctx, struct err *e)
{
	struct under *u = ctx;
	char *rest = r->super, *word;

	snprintf(u->type, sizeof(u->type), "%s", r->type);
	while (str_eq(r->type, "overlay") && (word = strsep(&rest, ",")))
		if (str_starts(word, "upperdir=")) {
			str_unescape(word);
			u->upper = strdup(word + strlen("upperdir="));
			if (!u->upper)
				return err_set(e, ENOMEM, "strdup");
			return 1;
		}
	return 1;
}

/* dev: of the file, or of the overlay's upper directory. */
static int device_of(const char *path, dev_t *dev, struct err *e)
{
	own_fd int fd = open(path, O_PATH | O_CLOEXEC);
	struct under u = {0};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "%.200s", path);
	*dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
	if (major(*dev))
		return 0;
	int r = mountinfo_of(fd, read_mount, &u, e);
	own_free char *upper = u.upper;
	if (r < 0)
		return r;
	if (upper && stat(upper, &st) == 0 && major(st.st_dev)) {
		*dev = st.st_dev;
		return 0;
	}
	return err_msg(e, ENODEV, "%.200s is on %s, which has no block device of its own%s", path,
		       *u.type ? u.type : "a file system out of sight",
		       str_eq(u.type, "btrfs") ? ": name it as MAJOR:MINOR" : "");
}

int io_device_find(struct arena *a, const char *device, int64_t *major_, int64_t *minor_,
		   struct err *e)
{
	dev_t dev;

	if (!policy_io_is_number(device, major_, minor_)) {
		if (device_of(device, &dev, e) < 0)
			return -e->code;
		*major_ = major(dev);
		*minor_ = minor(dev);
	}
	return whole_disk(a, major_, minor_, e);
}

int io_devices_find(struct arena *a, struct policy *p, const struct oci_config *c,
		    const char *bundle, struct err *e)
{
	const char *root = c && c->root && c->root->path ? c->root->path : NULL;

	if (root && *root != '/' && bundle)
		root = arena_printf(a, "%s/%s", bundle, root);
	for (size_t i = 0; i < p->n_io; i++) {
		struct policy_io *io = &p->io[i];
		const char *device = str_eq(io->device, "root") ? root : io->device;

		if (!device)
			return err_msg(e, EINVAL, "%s: root: there is no root file system",
				       io->who);
		if (io_device_find(a, device, &io->major, &io->minor, e) < 0)
			return err_wrap(e, "%s", io->who);
	}
	return 0;
}
