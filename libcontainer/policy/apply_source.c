#include "policy/mount_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

/*
 * Sources of bind mounts are host paths that the engine wrote, so nobody races with these
 * checks.  A volume that has such a thing somewhere below it is not searched.
 */

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202
#endif

/* File systems that are the host's interfaces, wherever they are mounted. */
static const struct {
	unsigned long magic;
	const char *reason;
} interfaces[] = {
	{PROC_SUPER_MAGIC,    "a procfs of the host"      },
	{SYSFS_MAGIC,         "a sysfs of the host"       },
	{CGROUP_SUPER_MAGIC,  "cgroups of the host"       },
	{CGROUP2_SUPER_MAGIC, "cgroups of the host"       },
	{DEVPTS_SUPER_MAGIC,  "terminals of the host"     },
	{MQUEUE_MAGIC,        "message queues of the host"},
	{NSFS_MAGIC,          "a namespace"               },
	{DEBUGFS_MAGIC,       "a debugfs of the host"     },
	{TRACEFS_MAGIC,       "a tracefs of the host"     },
	{SECURITYFS_MAGIC,    "a securityfs of the host"  },
	{SELINUX_MAGIC,       "a selinuxfs of the host"   },
	{BPF_FS_MAGIC,        "a bpffs of the host"       },
	{BINFMTFS_MAGIC,      "a binfmt_misc of the host" },
};

static const struct {
	const char *path, *reason;
} places[] = {
	{"/proc",                 "processes and switches of the host"},
	{"/sys",		       "switches of the host"},
	{
         "/dev","devices of the host",
	 },
};

/* Resolved as far as it exists. */
static char *resolve(struct arena *a, const char *path)
{
	char real[PATH_MAX];

	return realpath(path, real) ? arena_strdup(a, real) : path_clean(a, path);
}

/* Relative ones count from the bundle; without one nothing may lead out of it. */
static char *full_path(struct apply *x, const char *source)
{
	if (source[0] == '/')
		return resolve(x->a, source);
	if (!x->f->bundle)
		return path_clean(x->a, arena_printf(x->a, "/%s", source));
	return resolve(x->a, arena_printf(x->a, "%s/%s", x->f->bundle, source));
}

static bool overlaps(struct arena *a, const char *path, const char *place)
{
	const char *real = resolve(a, place);

	return apply_is_below(path, real) || apply_is_below(real, path);
}

/* Under another name: the place itself, or a directory that contains it, mounted elsewhere. */
static bool contains(struct arena *a, const struct stat *st, const char *place)
{
	char *at = resolve(a, place), *slash;
	struct stat one;

	for (; *at; *slash = '\0') {
		if (stat(at, &one) == 0 && one.st_dev == st->st_dev && one.st_ino == st->st_ino)
			return true;
		slash = strrchr(at, '/');
		if (!slash)
			break;
	}
	return false;
}

/* st NULL: it is not there yet. */
static const char *bad_place(struct arena *a, const struct admin *admin,
			     const struct policy_facts *f, const char *path, const struct stat *st)
{
	const char *ids = admin->ids.directory, *cpus = admin->cpu_directory;
	const char *net = admin->egress.directory, *log = admin->audit.path;
	const struct {
		const char *place, *reason;
	} own[] = {
		{cpus ? cpus : "/run/brig-cpus",                            "brig's own bookkeeping"},
		{net ? net : "/run/brig-net",                               "brig's own bookkeeping"},
		{f->state_root,					     "brig's state"          },
		{f->audit_directory ? f->audit_directory : "/var/log/brig", "brig's audit log"      },
		{log ? arena_strndup(a,                                     log,                      (size_t)(strrchr(log, '/') - log)) : NULL,
		 "brig's audit log"},
		{ids ? ids : "/run/brig-ids",                                      "brig's id pool"								 },
	};

	if (str_eq(path, "/"))
		return "the root of the host";
	for (size_t i = 0; i < LEN(places); i++)
		if (apply_is_below(path, places[i].path))
			return places[i].reason;
	for (size_t i = 0; i < LEN(own); i++)
		if (own[i].place &&
		    (overlaps(a, path, own[i].place) || (st && contains(a, st, own[i].place))))
			return own[i].reason;
	return NULL;
}

/* fs NULL: not known. */
static const char *bad_file(const struct stat *st, const struct statfs *fs)
{
	struct stat root;

	if (S_ISSOCK(st->st_mode))
		return "a socket: who is behind it works outside of the sandbox";
	if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode))
		return "a device of the host beyond the default ones";
	if (stat("/", &root) == 0 && st->st_dev == root.st_dev && st->st_ino == root.st_ino)
		return "the root of the host";
	for (size_t i = 0; fs && i < LEN(interfaces); i++)
		if ((unsigned long)fs->f_type == interfaces[i].magic)
			return interfaces[i].reason;
	return NULL;
}

static const char *bad_source(struct apply *x, const char *path, const struct stat *st)
{
	const char *reason = bad_place(x->a, &x->p->admin, x->f, path, st);
	struct statfs fs;

	if (reason || !st)
		return reason;
	return bad_file(st, statfs(path, &fs) == 0 ? &fs : NULL);
}

int apply_source(struct apply *x, const struct mount_edit *m, bool *device, struct err *e)
{
	const char *source = m->m.source && *m->m.source ? m->m.source : ".";
	const char *path = full_path(x, source);
	struct stat st;
	bool there = stat(path, &st) == 0;
	const char *reason;

	*device = there && S_ISCHR(st.st_mode) &&
		  apply_is_default_device(major(st.st_rdev), minor(st.st_rdev));
	if (*device)
		return 0;
	reason = bad_source(x, path, there ? &st : NULL);
	return reason ? apply_refuse(x, m->field, arena_printf(x->a, "source %s", source), reason,
				     e)
		      : 0;
}

/*
 * The image is mapped for the sandbox and all of it is shown.  --rootfs / of direct mode is none:
 * it is a root of brig's own with some directories, not mapped.
 */
int apply_source_root(struct apply *x, struct err *e)
{
	const char *given = x->c->root && x->c->root->path ? x->c->root->path : "";
	const char *path = full_path(x, given), *reason;
	struct stat st;

	if (!*given || (x->p->direct && str_eq(path, "/")))
		return 0;
	reason = bad_source(x, path, stat(path, &st) == 0 ? &st : NULL);
	return reason ? apply_refuse(x, "root.path", given, reason, e) : 0;
}

/* --- paths of grants ---------------------------------------------------------------------- */

static bool is_tenants(struct arena *a, const struct admin *admin, const char *real)
{
	for (size_t i = 0; i < admin->grants.n_paths; i++)
		if (apply_is_below(real, resolve(a, admin->grants.paths[i])))
			return true;
	return false;
}

/* Where the descriptor leads, by the kernel: what was deleted or lies elsewhere is none of it. */
static int path_of(struct arena *a, int fd, const char **out, struct err *e)
{
	char path[PATH_MAX], self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(self, path, sizeof(path) - 1);
	if (n < 0)
		return err_set(e, errno, "readlink %s", self);
	path[n] = '\0';
	if (path[0] != '/' || str_ends(path, " (deleted)"))
		return err_msg(e, ENOENT, "it is not there any more");
	*out = arena_strdup(a, path);
	return 0;
}

static int look_at(struct arena *a, const struct admin *admin, const struct policy_facts *f, int fd,
		   bool tenant, struct policy_host_path *out, struct err *e)
{
	struct stat st;
	struct statfs fs;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return err_set(e, errno, "look at it");
	if (path_of(a, fd, &out->real, e) < 0)
		return -e->code;
	if (tenant && !is_tenants(a, admin, out->real))
		return err_msg(e, EPERM, "%.200s is not below any of grants.paths of brig.json",
			       out->real);
	const char *reason = bad_place(a, admin, f, out->real, &st);
	if (!reason)
		reason = bad_file(&st, &fs);
	if (!reason && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		reason = "neither a file nor a directory";
	if (reason)
		return err_msg(e, EPERM, "%.200s is refused: %s", out->real, reason);
	out->directory = S_ISDIR(st.st_mode);
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	return 0;
}

int policy_host_open(struct arena *a, const struct admin *admin, const struct policy_facts *f,
		     const char *path, bool tenant, struct policy_host_path *out, struct err *e)
{
	*out = (struct policy_host_path){.fd = -1};
	own_fd int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "open %.200s", path);
	if (look_at(a, admin, f, fd, tenant, out, e) < 0)
		return -e->code;
	/* Root sees what it wants; others what they could read themselves. */
	char self[64];
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (faccessat(AT_FDCWD, self, out->directory ? R_OK | X_OK : R_OK, AT_EACCESS) < 0)
		return err_set(e, errno, "%.200s", path);
	out->fd = take_fd(&fd);
	return 0;
}
