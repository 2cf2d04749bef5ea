#include "images.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/inroot.h"
#include "base/own.h"
#include "base/str.h"
#include "criu/criu.h"

enum { LOG_LEVEL_OF_CRIU = 4 /* as runc: people send these logs to CRIU's developers */ };

static const struct word cgroup_modes[] = {
	{"ignore", 0},
        {"soft",   3},
        {"full",   4},
        {"strict", 5},
        {NULL,     0},
};

/* --- options ------------------------------------------------------------------------------ */

int images_check(const struct container_criu_opts *o, struct err *e)
{
	if (o->cgroups_mode && !word_find(cgroup_modes, o->cgroups_mode))
		return err_msg(e, EINVAL, "invalid manage-cgroups-mode value: %s", o->cgroups_mode);
	for (size_t i = 0; o->empty_ns && o->empty_ns[i]; i++)
		if (!str_eq(o->empty_ns[i], "network"))
			return err_msg(e, EINVAL, "empty-ns: namespace \"%s\" is not supported",
				       o->empty_ns[i]);
	return 0;
}

void images_common(const struct images *im, struct wire_out *opts)
{
	const struct container_criu_opts *o = im->opts;
	const char *mode = o->cgroups_mode ? o->cgroups_mode : "soft";

	wire_int(opts, CRIU_IMAGES_DIR_FD, im->dir);
	if (im->work >= 0)
		wire_int(opts, CRIU_WORK_DIR_FD, im->work);
	wire_int(opts, CRIU_LOG_LEVEL, LOG_LEVEL_OF_CRIU);
	wire_str(opts, CRIU_LOG_FILE, strrchr(im->log, '/') + 1);
	wire_bool(opts, CRIU_NOTIFY_SCRIPTS, true);
	wire_bool(opts, CRIU_MANAGE_CGROUPS, true);
	wire_uint(opts, CRIU_MANAGE_CGROUPS_MODE, word_find(cgroup_modes, mode)->value);
	/* brig gives a network namespace its loopback device; everything else in it is its
	 * caller's, who makes it anew in hooks. */
	wire_uint(opts, CRIU_EMPTY_NS, CLONE_NEWNET);
	wire_bool(opts, CRIU_ORPHAN_PTS_MASTER, true);
	wire_bool(opts, CRIU_TCP_ESTABLISHED, o->tcp_established);
	wire_bool(opts, CRIU_TCP_SKIP_IN_FLIGHT, o->skip_in_flight);
	wire_bool(opts, CRIU_EXT_UNIX_SK, o->ext_unix_sk);
	wire_bool(opts, CRIU_SHELL_JOB, o->shell_job);
	wire_bool(opts, CRIU_LAZY_PAGES, o->lazy_pages);
	wire_bool(opts, CRIU_FILE_LOCKS, o->file_locks);
	wire_bool(opts, CRIU_AUTO_DEDUP, o->auto_dedup);
}

/* --- directories -------------------------------------------------------------------------- */

static int open_dir(const char *path, bool make, bool *made, const char *what, struct err *e)
{
	struct stat st;

	*made = make && stat(path, &st) < 0 && errno == ENOENT;
	if (*made && file_mkdirs(path, 0700, e) < 0)
		return err_wrap(e, "%s", what);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "%s %s", what, path) : fd;
}

int images_open(struct images *im, struct arena *a, const struct container_criu_opts *o, bool make,
		const char *log, struct err *e)
{
	const char *logs = o->work_path ? o->work_path : o->image_path;

	*im = (struct images){.arena = a, .dir = -1, .work = -1, .opts = o};
	im->log = arena_printf(a, "%s/%s", logs, log);
	im->dir = open_dir(o->image_path, make, &im->made, "image directory", e);
	if (im->dir < 0)
		return im->dir;
	if (!o->work_path)
		return 0;
	im->work = open_dir(o->work_path, true, &im->made_work, "work directory", e);
	if (im->work >= 0)
		return 0;
	images_discard(im);
	return -e->code;
}

static int move_dir(struct arena *a, int *fd, const char *path, pid_t pid, struct err *e)
{
	const char *there = arena_printf(a, "/proc/%d/root%s", (int)pid, path);
	int moved = open(there, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (moved < 0)
		return err_set(e, errno, "%s", there);
	own_close(fd);
	*fd = moved;
	return 0;
}

int images_enter(struct images *im, pid_t pid, struct err *e)
{
	int r = move_dir(im->arena, &im->dir, im->opts->image_path, pid, e);

	return r < 0 || im->work < 0 ? r
				     : move_dir(im->arena, &im->work, im->opts->work_path, pid, e);
}

void images_close(struct images *im)
{
	own_close(&im->dir);
	own_close(&im->work);
}

void images_discard(struct images *im)
{
	images_close(im);
	/* ENOTEMPTY: somebody may want to read what is there. */
	if (im->made)
		(void)rmdir(im->opts->image_path);
	if (im->made_work)
		(void)rmdir(im->opts->work_path);
	im->made = im->made_work = false;
}

/* --- mounts ------------------------------------------------------------------------------- */

bool images_is_bind(const struct oci_mount *m)
{
	return oci_mount_is_bind(m) && !oci_mount_has(m, "remount");
}

static const char *link_of(struct arena *a, int fd)
{
	char name[64], path[PATH_MAX];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(name, path, sizeof(path) - 1);
	return n > 0 ? arena_strndup(a, path, (size_t)n) : "";
}

const char *images_resolve(struct arena *a, int rootfs, const char *dest)
{
	const char *root = link_of(a, rootfs), *rest = "";
	char *path = arena_strdup(a, dest);

	/* The end may be missing: it is below another mount, or was never made here. */
	for (;;) {
		own_fd int fd = inroot_open(rootfs, path, O_PATH, 0, NULL);
		char *slash = strrchr(path, '/');

		if (fd >= 0) {
			const char *full = link_of(a, fd);
			const char *inside = str_starts(full, root) ? full + strlen(root) : full;

			if (str_eq(root, "/"))
				inside = str_eq(full, "/") ? "" : full;
			return *inside || *rest ? arena_printf(a, "%s%s", inside, rest) : "/";
		}
		if (!slash || slash == path)
			return dest;
		rest = arena_printf(a, "%s%s", slash, rest);
		*slash = '\0';
	}
}

static const char *absolute(struct arena *a, const char *bundle, const char *source)
{
	return *source == '/' ? source : arena_printf(a, "%s/%s", bundle, source);
}

static bool has_userns(const struct oci_linux *l)
{
	for (size_t i = 0; l && i < l->n_namespaces; i++)
		if (str_eq(l->namespaces[i].type, "user"))
			return true;
	return false;
}

/* In a user namespace nodes cannot be made: the host's are bound. */
static size_t bound_devices(const struct oci_linux *l, struct images_mount *m)
{
	static const char *const always[] = {"/dev/null", "/dev/zero",    "/dev/full",
					     "/dev/tty",  "/dev/urandom", "/dev/random"};
	size_t n = 0;

	for (size_t i = 0; i < LEN(always); i++)
		m[n++] = (struct images_mount){always[i], always[i], always[i]};
	for (size_t i = 0; i < l->n_devices; i++)
		m[n++] = (struct images_mount){l->devices[i].path, l->devices[i].path,
					       l->devices[i].path};
	return n;
}

int images_mounts(struct arena *a, const struct oci_config *c, const char *bundle,
		  const char *rootfs, struct images_mount **out, size_t *n, struct err *e)
{
	enum { SOME_DEVICES = 6 };
	const struct oci_linux *l = c->linux_;
	size_t max = c->n_mounts + SOME_DEVICES + (l ? l->n_devices : 0);
	struct images_mount *m = arena_array(a, max, sizeof(*m));
	own_fd int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_set(e, errno, "root file system %s", rootfs);
	*n = 0;
	*out = m;
	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct oci_mount *from = &c->mounts[i];

		if (!images_is_bind(from) || !from->source)
			continue;
		const char *dest = images_resolve(a, root, from->destination);
		m[(*n)++] = (struct images_mount){dest, dest, absolute(a, bundle, from->source)};
	}
	if (has_userns(l))
		*n += bound_devices(l, m + *n);
	return 0;
}

void images_add_mount(struct arena *a, struct wire_out *opts, const char *from, const char *to)
{
	struct wire_out map = {.arena = a};

	wire_str(&map, 1, from);
	wire_str(&map, 2, to);
	wire_message(opts, CRIU_EXT_MNT, &map);
}

const char *images_external_ns(const struct oci_namespace *ns)
{
	if (!ns->path)
		return NULL;
	return str_eq(ns->type, "network") ? "extRootNetNS"
	       : str_eq(ns->type, "pid")   ? "extRootPidNS"
					   : NULL;
}
