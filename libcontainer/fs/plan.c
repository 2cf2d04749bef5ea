#include "fs/plan.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/dev.h"
#include "fs/minimal.h"
#include "fs/mount.h"
#include "fs/tree.h"

static char *host_path(struct arena *a, const char *bundle, const char *path)
{
	return path[0] == '/' ? arena_strdup(a, path) : arena_printf(a, "%s/%s", bundle, path);
}

static int plan_root(struct arena *a, const struct fs_request *req, struct fs_plan *p,
		     struct err *e)
{
	const struct oci_root *root = req->config->root;
	char resolved[PATH_MAX];
	struct stat st;

	if (!root || !root->path || !*root->path)
		return err_msg(e, EINVAL, "root: path: missing");
	const char *path = host_path(a, req->bundle, root->path);
	if (!realpath(path, resolved) || stat(resolved, &st) < 0)
		return err_set(e, errno, "rootfs: %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "rootfs: %s", path);
	p->rootfs = arena_strdup(a, resolved);
	p->readonly = root->readonly;
	return 0;
}

static int plan_propagation(const char *word, struct fs_plan *p, struct err *e)
{
	p->default_propagation = MS_SLAVE;
	if (!word || !*word)
		return 0;
	if (!fs_propagation_word(word, &p->root_propagation, &p->root_propagation_recursive))
		return err_msg(e, EINVAL, "linux: rootfsPropagation: unknown word \"%s\"", word);
	p->peers = p->root_propagation == MS_SHARED;
	if (p->root_propagation == MS_PRIVATE || p->root_propagation == MS_UNBINDABLE)
		p->default_propagation = MS_PRIVATE;
	return 0;
}

/*
 * /proc is the kernel's: a file system over a part of it would fool those who read or write
 * there.  These files are what lxcfs emulates, the list is runc's.
 */
bool fs_proc_dest_allowed(const char *dest)
{
	static const char *const files[] = {
		"/proc/cpuinfo",
		"/proc/diskstats",
		"/proc/meminfo",
		"/proc/stat",
		"/proc/swaps",
		"/proc/uptime",
		"/proc/loadavg",
		"/proc/slabinfo",
		"/proc/sys/kernel/ns_last_pid",
		"/proc/sys/crypto/fips_enabled",
	};

	for (size_t i = 0; i < LEN(files); i++)
		if (str_eq(dest, files[i]))
			return true;
	return false;
}

static int check_dest(const struct fs_mount *m, struct err *e)
{
	if (str_eq(m->dest, "/"))
		return err_msg(e, EINVAL, "destination \"/\": mounting into / is prohibited");
	if (str_starts(m->dest, "/proc/") && !fs_proc_dest_allowed(m->dest))
		return err_msg(e, EINVAL, "\"%s\" cannot be mounted because it is inside /proc",
			       m->dest);
	if (str_eq(m->dest, "/proc") && m->kind != FS_MOUNT_BIND && m->kind != FS_MOUNT_REMOUNT &&
	    !str_eq(m->type, "proc"))
		return err_msg(e, EINVAL,
			       "\"/proc\" cannot be mounted because it is not of type proc");
	return 0;
}

static int plan_idmap(struct arena *a, const struct fs_request *req, const struct oci_mount *c,
		      struct fs_mount *m, struct err *e)
{
	bool own = c->n_uid_mappings || c->n_gid_mappings;

	if (!own && !m->opt.idmap)
		return 0;
	if (m->kind != FS_MOUNT_BIND)
		return err_msg(e, EINVAL, "id-mapped mounts are only supported for bind mounts");
	if (req->rootless)
		return err_msg(e, EPERM, "id-mapped mounts need a privileged runtime");
	if (!own && !req->idmap)
		return err_msg(e, EINVAL,
			       "option \"idmap\": neither uidMappings and gidMappings nor a "
			       "user namespace with a mapping");
	m->idmap = req->idmap;
	if (!own)
		return 0;
	if (!c->n_uid_mappings || !c->n_gid_mappings)
		return err_msg(e, EINVAL, "uidMappings and gidMappings must be given together");
	struct idmap *map = arena_new(a, sizeof(*map));
	*map = (struct idmap){c->uid_mappings, c->gid_mappings, c->n_uid_mappings,
			      c->n_gid_mappings};
	m->idmap = map;
	return idmap_check(map, e);
}

/* The security context of everything new; a host without SELinux does not know the option. */
static bool wants_label(const struct fs_mount *m, const char *label)
{
	static const char *const without[] = {"proc", "sysfs", "mqueue", "cgroup", "cgroup2"};

	for (size_t i = 0; i < LEN(without); i++)
		if (str_eq(m->type, without[i]))
			return false;
	return label && *label && access("/sys/fs/selinux/enforce", F_OK) == 0;
}

static void plan_new(struct arena *a, const struct fs_request *req, struct fs_mount *m)
{
	const struct oci_linux *l = req->config->linux_;
	bool tmpfs = str_eq(m->type, "tmpfs");

	if (l && wants_label(m, l->mount_label))
		m->opt.data[m->opt.n_data++] = (struct fs_data){"context", l->mount_label};
	m->plain_dir = str_eq(m->type, "proc") || str_eq(m->type, "sysfs");
	m->late_readonly = tmpfs && (m->opt.attrs.set & MOUNT_ATTR_RDONLY);
	m->keep_mode = tmpfs && !fs_options_data(&m->opt, "mode");
	if (tree_has_long_data(m->source, m->opt.data, m->opt.n_data))
		m->long_data = fs_data_join(a, m->opt.data, m->opt.n_data);
}

static int plan_mount(struct arena *a, const struct fs_request *req, const struct oci_mount *c,
		      struct fs_mount *m, struct err *e)
{
	int r = fs_options_parse(a, c->options, c->n_options, &m->opt, e);

	if (r < 0)
		return r;
	if (!c->destination || !*c->destination)
		return err_msg(e, EINVAL, "destination: missing");
	m->dest = path_clean(a, c->destination);
	m->type = c->type;
	m->source = c->source;
	m->kind = m->opt.remount                           ? FS_MOUNT_REMOUNT
		  : m->opt.bind || str_eq(c->type, "bind") ? FS_MOUNT_BIND
		  : str_eq(c->type, "cgroup")              ? FS_MOUNT_CGROUP
							   : FS_MOUNT_NEW;
	if (m->kind == FS_MOUNT_NEW && (!m->type || !*m->type))
		return err_msg(e, EINVAL, "type: missing");
	if (m->opt.copy_up && !str_eq(m->type, "tmpfs"))
		return err_msg(e, EINVAL, "option \"tmpcopyup\": only for tmpfs");
	if (m->kind == FS_MOUNT_BIND) {
		if (!m->source || !*m->source)
			return err_msg(e, EINVAL, "source: missing for a bind mount");
		m->source = host_path(a, req->bundle, m->source);
		if (m->opt.n_data)
			log_debug("mounts[%zu]: bind mount: option %s ignored", m->index,
				  m->opt.data[0].key);
	}
	if (m->kind == FS_MOUNT_NEW)
		plan_new(a, req, m);
	r = plan_idmap(a, req, c, m, e);
	return r < 0 ? r : check_dest(m, e);
}

static int plan_mounts(struct arena *a, const struct fs_request *req, struct fs_plan *p,
		       struct err *e)
{
	const struct oci_config *c = req->config;
	struct fs_mount *m = arena_array(a, c->n_mounts + 1, sizeof(*m));

	for (size_t i = 0; i < c->n_mounts; i++) {
		m[i].index = i;
		if (plan_mount(a, req, &c->mounts[i], &m[i], e) < 0)
			return err_wrap(e, "mounts[%zu]", i);
		/* A /dev of the host's is the engine's business: nothing is made in it. */
		if (str_eq(m[i].dest, "/dev") && m[i].kind != FS_MOUNT_REMOUNT)
			p->make_devices = m[i].kind != FS_MOUNT_BIND;
	}
	if (req->files && c->n_mounts)
		m[c->n_mounts - 1].files = req->files;
	for (size_t i = 0; i < req->n_overlays; i++)
		m[req->overlays[i]].overlay = true;
	p->mounts = m;
	p->n_mounts = c->n_mounts;
	return 0;
}

static int check_paths(const char *what, const char *const *paths, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (paths[i][0] != '/')
			return err_msg(e, EINVAL, "linux: %s[%zu]: \"%s\" is not absolute", what, i,
				       paths[i]);
	return 0;
}

/* A root that nobody may write to: the image's, or a tmpfs that is closed in the end. */
static void plan_levels(struct arena *a, const struct fs_request *req, struct fs_plan *p)
{
	const struct oci_process *process = req->config->process;

	p->late_userns = req->late_userns;
	p->untouched = req->untouched;
	p->tmpfs_root = req->tmpfs_root;
	p->private_root = req->private_root && !req->tmpfs_root;
	p->tmpfs_size = req->tmpfs_size;
	p->tmpfs_inodes = req->tmpfs_inodes;
	if (!p->untouched && !p->tmpfs_root && !p->private_root)
		return;
	p->readonly = true;
	if (process && process->cwd && *process->cwd)
		p->cwd = path_clean(a, process->cwd);
}

int fs_plan_make(struct arena *a, const struct fs_request *req, const struct fs_plan **out,
		 struct err *e)
{
	const struct oci_linux *l = req->config->linux_;
	struct fs_plan *p = arena_new(a, sizeof(*p));
	int r = plan_root(a, req, p, e);

	if (r < 0)
		return r;
	if (!req->own_mount_ns)
		return err_msg(e, EINVAL,
			       "linux: namespaces: a mount namespace of its own is required");
	p->no_pivot = req->no_pivot;
	p->rootless = req->rootless;
	p->has_userns = req->has_userns;
	p->own_cgroup_ns = req->own_cgroup_ns;
	p->own_net_ns = req->own_net_ns;
	p->cgroup_layout = req->cgroup_layout;
	p->views = req->cgroup_views;
	p->n_views = req->n_cgroup_views;
	p->make_devices = true;
	p->bind_devices = req->has_userns && !req->late_userns;
	plan_levels(a, req, p);
	if ((r = plan_propagation(l ? l->rootfs_propagation : NULL, p, e)) < 0 ||
	    (r = plan_mounts(a, req, p, e)) < 0 || (r = fs_plan_devices(a, l, p, e)) < 0)
		return r;
	if (l) {
		p->masked = l->masked_paths;
		p->n_masked = l->n_masked_paths;
		p->readonly_paths = l->readonly_paths;
		p->n_readonly_paths = l->n_readonly_paths;
	}
	if ((r = check_paths("maskedPaths", p->masked, p->n_masked, e)) < 0 ||
	    (r = check_paths("readonlyPaths", p->readonly_paths, p->n_readonly_paths, e)) < 0)
		return r;
	if (req->machine && (r = fs_minimal_plan(a, req, p, e)) < 0)
		return r;
	*out = p;
	return 0;
}

const char *fs_plan_rootfs(const struct fs_plan *p)
{
	return p->rootfs;
}

bool fs_plan_opened_by_runtime(const struct fs_plan *p)
{
	return !p->rootless;
}
