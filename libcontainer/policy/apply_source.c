#include "policy/mount_edit.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

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
	bool parents; /* what contains it is refused too */
} places[] = {
	{"/proc",          "processes and switches of the host", false},
	{"/sys",           "switches of the host",               false},
	{"/dev",           "devices of the host",                false},
	{"/run/brig-cpus", "brig's own bookkeeping",             true },
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

static const char *bad_place(struct apply *x, const char *path)
{
	const struct policy_facts *f = x->f;
	const char *ids = x->p->admin.ids.directory;
	const struct {
		const char *place, *reason;
	} own[] = {
		{f->state_root,					     "brig's state"    },
		{f->audit_directory ? f->audit_directory : "/var/log/brig", "brig's audit log"},
		{ids ? ids : "/run/brig-ids",                               "brig's id pool"  },
	};

	if (str_eq(path, "/"))
		return "the root of the host";
	for (size_t i = 0; i < LEN(places); i++)
		if (apply_is_below(path, places[i].path) ||
		    (places[i].parents && apply_is_below(places[i].path, path)))
			return places[i].reason;
	for (size_t i = 0; i < LEN(own); i++)
		if (own[i].place && overlaps(x->a, path, own[i].place))
			return own[i].reason;
	return NULL;
}

static const char *bad_file(const char *path, const struct stat *st)
{
	struct statfs fs;
	struct stat root;

	if (S_ISSOCK(st->st_mode))
		return "a socket: who is behind it works outside of the sandbox";
	if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode))
		return "a device of the host beyond the default ones";
	if (stat("/", &root) == 0 && st->st_dev == root.st_dev && st->st_ino == root.st_ino)
		return "the root of the host";
	if (statfs(path, &fs) < 0)
		return NULL;
	for (size_t i = 0; i < LEN(interfaces); i++)
		if ((unsigned long)fs.f_type == interfaces[i].magic)
			return interfaces[i].reason;
	return NULL;
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
	reason = bad_place(x, path);
	if (!reason && there)
		reason = bad_file(path, &st);
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
	reason = bad_place(x, path);
	if (!reason && stat(path, &st) == 0)
		reason = bad_file(path, &st);
	return reason ? apply_refuse(x, "root.path", given, reason, e) : 0;
}
