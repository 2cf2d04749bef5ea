#include "volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "create.h"
#include "fs/empty.h"
#include "plan_layers.h"
#include "reset.h"
#include "specs/volume.h"

enum { XATTRS = 65536 };

static const char wipe[] = "wipe";

/* --- the directory ------------------------------------------------------------------------ */

/* It is a sandbox's to write: lists of rights and labels of users' own may be left on it. */
static bool is_theirs(const char *xattr)
{
	return str_starts(xattr, "user.") || str_starts(xattr, "system.");
}

/* How many it has; remove: none afterwards. */
static int xattrs_of(struct arena *a, int fd, bool remove, struct err *e)
{
	char *names = arena_new(a, XATTRS);
	ssize_t len = flistxattr(fd, names, XATTRS);
	int n = 0;

	if (len < 0 && errno == ENOTSUP)
		return 0;
	if (len < 0)
		return err_set(e, errno, "list extended attributes");
	for (const char *p = names; p < names + len; p += strlen(p) + 1) {
		if (!is_theirs(p))
			continue;
		n++;
		if (remove && fremovexattr(fd, p) < 0)
			return err_set(e, errno, "remove an extended attribute");
	}
	return n;
}

/* Those that its owner may set (chattr); the others are the file system's, or root's. */
static uint32_t flags_of(int fd)
{
	const int theirs = FS_NODUMP_FL | FS_NOATIME_FL | FS_SYNC_FL | FS_DIRSYNC_FL | FS_COMPR_FL |
			   FS_NOCOMP_FL | FS_NOCOW_FL | FS_SECRM_FL | FS_UNRM_FL | FS_TOPDIR_FL |
			   FS_NOTAIL_FL | FS_CASEFOLD_FL;
	int flags = 0;

	/* A file system without them has none. */
	return ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ? 0 : (uint32_t)(flags & theirs);
}

static int set_flags(int fd, uint32_t want, struct err *e)
{
	uint32_t has = flags_of(fd);
	int flags;

	if (has == want)
		return 0;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return err_set(e, errno, "flags");
	flags = (int)(((uint32_t)flags & ~has) | want);
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 ? err_set(e, errno, "set flags") : 0;
}

/* Empty, and nothing of a generation's is left on the directory itself; what cannot be told: not.
 */
static bool is_as_given(struct arena *a, int fd, const struct brig_volume *v)
{
	struct err ignored;
	struct stat st;

	return fstat(fd, &st) == 0 && fs_is_empty(fd) == 1 &&
	       xattrs_of(a, fd, false, &ignored) == 0 && (st.st_mode & 07777) == v->mode &&
	       st.st_uid == v->uid && st.st_gid == v->gid && flags_of(fd) == v->flags;
}

/* What is there by that name must be what was. */
static int open_volume(const struct brig_volume *v, struct err *e)
{
	own_fd int fd = open(v->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "open %.200s", v->source);
	return st.st_dev == v->dev && st.st_ino == v->ino
		       ? take_fd(&fd)
		       : err_msg(e, ESTALE, "%.200s is another directory by now", v->source);
}

static int empty_volume(struct arena *a, const struct brig_volume *v, struct err *e)
{
	own_fd int fd = open_volume(v, e);

	if (fd < 0 || fs_empty(fd, e) < 0 || xattrs_of(a, fd, true, e) < 0 ||
	    set_flags(fd, v->flags, e) < 0)
		return -e->code;
	/* Times can be set to anything by its owner: a reset's are nobody's. */
	if (fchown(fd, v->uid, v->gid) < 0 || fchmod(fd, v->mode) < 0 || futimens(fd, NULL) < 0)
		return err_set(e, errno, "set owner, mode and times");
	/* Not what the calls said: what is there. */
	return is_as_given(a, fd, v)
		       ? 0
		       : err_msg(e, ENOTEMPTY, "it is not as it was when it was given");
}

/* --- create ------------------------------------------------------------------------------- */

static int take(struct create *c, const struct plan_volume *from, struct brig_volume *to,
		struct err *e)
{
	own_fd int fd = open(from->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "open %.200s", from->source);
	*to = (struct brig_volume){
		.path = from->path,
		.source = from->source,
		.policy = volume_policies[from->policy],
		.dev = st.st_dev,
		.ino = st.st_ino,
		.mode = st.st_mode & 07777,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.flags = flags_of(fd),
	};
	if (from->policy != VOLUME_WIPE)
		return 0;
	int n = xattrs_of(c->arena, fd, false, e);
	if (n < 0)
		return n;
	if (fs_is_empty(fd) != 1 || n)
		return err_msg(e, ENOTEMPTY,
			       "%.200s: wipe is for an empty directory without extended "
			       "attributes: what is in it would be lost",
			       from->source);
	return 0;
}

int volumes_begin(struct create *c, struct err *e)
{
	const struct plan_layers *l = &c->plan.layers;
	struct brig_volume *list = arena_array(c->arena, l->n_volumes + 1, sizeof(*list));
	const struct brig_volumes all = {.v = 1, .volumes = list, .n_volumes = l->n_volumes};
	size_t len;

	if (!l->n_volumes)
		return 0;
	for (size_t i = 0; i < l->n_volumes; i++)
		if (take(c, &l->volumes[i], &list[i], e) < 0)
			return err_wrap(e, "volume %.200s", l->volumes[i].path);
	const char *text = volumes_print(c->arena, &all, &len);
	return file_replace(c->dir, VOLUMES_FILE, text, len, 0600, e);
}

/* --- the report --------------------------------------------------------------------------- */

static int load(struct arena *a, int dir, struct brig_volumes *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, dir, VOLUMES_FILE, VOLUMES_FILE_MAX, &text, &len, e);

	*out = (struct brig_volumes){0};
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return volumes_parse(a, text, len, out, e) < 0 ? err_wrap(e, VOLUMES_FILE) : 0;
}

int volumes_report(struct arena *a, int dir, struct brig_report *out, struct err *e)
{
	struct brig_volumes v;
	int r = load(a, dir, &v, e);

	if (r < 0)
		return r;
	struct report_volume *list = arena_array(a, v.n_volumes + 1, sizeof(*list));
	for (size_t i = 0; i < v.n_volumes; i++)
		list[i] = (struct report_volume){v.volumes[i].path, v.volumes[i].source,
						 v.volumes[i].policy};
	out->volumes = list;
	out->n_volumes = v.n_volumes;
	return 0;
}

/* Entries in those that are wiped; -1: that cannot be told. */
static int64_t left_in(struct arena *a, const struct brig_volumes *v, const char **detail)
{
	int64_t n = 0;

	for (size_t i = 0; i < v->n_volumes; i++) {
		struct err e;

		if (!str_eq(v->volumes[i].policy, wipe))
			continue;
		own_fd int fd = open_volume(&v->volumes[i], &e);
		if (fd >= 0 && is_as_given(a, fd, &v->volumes[i]))
			continue;
		*detail = fd < 0 ? arena_strdup(a, e.msg) : v->volumes[i].path;
		n = fd < 0 ? -1 : n < 0 ? n : n + 1;
	}
	return n;
}

static void add_row(struct arena *a, struct brig_report *out, const struct brig_volumes *v,
		    const struct err *why)
{
	const char *detail = why ? arena_strdup(a, why->msg) : NULL;
	const int64_t n = why ? -1 : left_in(a, v, &detail);

	report_add_check(a, out, "volumes", &n, n == 0, detail);
}

static void add_kept(struct arena *a, struct brig_report *out, const struct brig_volumes *v)
{
	const char **list = arena_array(a, out->n_not_covered + v->n_volumes + 1, sizeof(*list));

	if (out->n_not_covered)
		memcpy(list, out->not_covered, out->n_not_covered * sizeof(*list));
	for (size_t i = 0; i < v->n_volumes; i++)
		if (str_eq(v->volumes[i].policy, "keep"))
			list[out->n_not_covered++] = arena_printf(
				a, "volume %s (keep): what was written there is still there",
				v->volumes[i].path);
	out->not_covered = list;
}

void volumes_check(struct arena *a, int dir, struct brig_report *out)
{
	struct brig_volumes v;
	struct err e;
	int r = load(a, dir, &v, &e);
	bool wipes = r < 0;

	for (size_t i = 0; i < v.n_volumes; i++)
		wipes = wipes || str_eq(v.volumes[i].policy, wipe);
	if (wipes)
		add_row(a, out, &v, r < 0 ? &e : NULL);
	add_kept(a, out, &v);
}

/* --- reset -------------------------------------------------------------------------------- */

bool volumes_has_wipe(const void *ctx)
{
	const struct brig_report *r = ((const struct reset *)ctx)->report;

	for (size_t i = 0; i < r->n_volumes; i++)
		if (str_eq(r->volumes[i].policy, wipe))
			return true;
	return false;
}

int volumes_wipe(void *ctx, struct err *e)
{
	struct reset *r = ctx;
	struct brig_volumes v;

	if (load(r->arena, r->dir, &v, e) < 0)
		return -e->code;
	for (size_t i = 0; i < v.n_volumes; i++) {
		if (!str_eq(v.volumes[i].policy, wipe) ||
		    empty_volume(r->arena, &v.volumes[i], e) == 0)
			continue;
		/* The journal stays: it is not started, and the next reset tries it again. */
		r->answer = ANSWER_REFUSED;
		r->report->refused =
			arena_printf(r->arena, "volume %s is not empty", v.volumes[i].path);
		return err_wrap(e, "volume %.200s", v.volumes[i].path);
	}
	return 0;
}
