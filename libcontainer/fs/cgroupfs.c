#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/mount.h"
#include "fs/tree.h"

/*
 * Type cgroup, config-linux.md, Cgroups Path: the container's own cgroup in the layout that the
 * host has.  In a cgroup namespace of its own a fresh mount shows just that; else the directory
 * of the host's mount is bound.  The child is in its cgroup by now.
 */

/* The directory of this process in the hierarchy, as a path of the host; false: unknown. */
static bool own_place(const struct cgroup_view *v, char *path, size_t size)
{
	char text[8192], *rest = text, *line;
	const char *hierarchy = v->options ? v->options : "";
	size_t n = strlen(hierarchy);

	if (file_peek(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0)
		return false;
	while ((line = strsep(&rest, "\n"))) {
		const char *at = strchr(line, ':');

		if (!at || strncmp(at + 1, hierarchy, n) != 0 || at[1 + n] != ':')
			continue;
		at += 2 + n;
		/* "/..": outside of the cgroup namespace that the runtime itself is in. */
		if (str_eq(at, "/") || str_starts(at, "/.."))
			at = "";
		return (size_t)snprintf(path, size, "%s%s", v->mount, at) < size;
	}
	return false;
}

static int clone_own_place(const struct cgroup_view *v, uint64_t *attrs, struct err *e)
{
	char path[PATH_MAX];

	/* Without a directory of the container's own it is the runtime's that is seen. */
	if (v->source)
		*attrs |= MOUNT_ATTR_RDONLY;
	if (!own_place(v, path, sizeof(path)))
		return err_msg(e, ENOENT, "%s: no cgroup of this process is known", v->mount);
	int tree = tree_clone(AT_FDCWD, path, false, e);
	/* The mount shows a part of the hierarchy only: that is where we are. */
	if (tree == -ENOENT) {
		*attrs |= MOUNT_ATTR_RDONLY;
		return tree_clone(AT_FDCWD, v->mount, false, e);
	}
	return tree;
}

static int bind_view(const struct fs_plan *p, const struct cgroup_view *v, uint64_t attrs,
		     struct err *e)
{
	own_fd int tree = v->source ? tree_clone(AT_FDCWD, v->source, false, e) : -ENOENT;

	if (tree == -ENOENT && v->mount)
		tree = clone_own_place(v, &attrs, e);
	if (tree < 0)
		return tree;
	struct fs_attrs set = {.set = attrs};
	int r = tree_set(tree, &set, p->default_propagation, -1, false, e);
	return r < 0 ? r : take_fd(&tree);
}

enum { MAX_V1_OPTIONS = 16 };

/* "cpu,cpuacct" or "name=systemd" as single options. */
static int new_v1(const char *options, uint64_t attrs, struct err *e)
{
	struct fs_data data[MAX_V1_OPTIONS];
	char text[256], *save = NULL;
	size_t n = 0;

	if (strlen(options) >= sizeof(text))
		return err_set(e, ENAMETOOLONG, "cgroup options");
	memcpy(text, options, strlen(options) + 1);
	for (char *w = strtok_r(text, ",", &save); w && n < MAX_V1_OPTIONS;
	     w = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(w, '=');

		if (eq)
			*eq++ = '\0';
		data[n++] = (struct fs_data){w, eq};
	}
	return tree_new("cgroup", "cgroup", data, n, attrs, e);
}

static int view_tree(const struct fs_plan *p, const struct cgroup_view *v, uint64_t attrs,
		     struct err *e)
{
	bool v2 = !v->options || !*v->options;

	if (!p->own_cgroup_ns)
		return bind_view(p, v, attrs, e);
	int tree = v2 ? tree_new("cgroup2", "cgroup", NULL, 0, attrs, e)
		      : new_v1(v->options, attrs, e);
	/* A joined cgroup namespace of another owner: EPERM; a hierarchy that is going away: EBUSY.
	 */
	if (tree == -EPERM || tree == -EBUSY)
		return bind_view(p, v, attrs, e);
	return tree;
}

/* cpu -> cpu,cpuacct: programs look for the single names. */
static int make_names(int top, const char *name, struct err *e)
{
	char text[256], *save = NULL;

	if (!strchr(name, ',') || strlen(name) >= sizeof(text))
		return 0;
	memcpy(text, name, strlen(name) + 1);
	for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save))
		if (symlinkat(name, top, w) < 0 && errno != EEXIST)
			return err_set(e, errno, "make symlink %s", w);
	return 0;
}

static int add_view(const struct fs_plan *p, int top, const struct cgroup_view *v, uint64_t attrs,
		    struct err *e)
{
	if (strchr(v->name, '/') || v->name[0] == '.')
		return err_msg(e, EINVAL, "cgroup hierarchy %s: not a name", v->name);
	if (mkdirat(top, v->name, 0755) < 0)
		return err_set(e, errno, "make directory %s", v->name);
	own_fd int at = openat(top, v->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0)
		return err_set(e, errno, "open %s", v->name);
	own_fd int tree = view_tree(p, v, attrs, e);
	if (tree < 0 || tree_attach(tree, at, e) < 0)
		return err_wrap(e, "cgroup hierarchy %s", v->name);
	return make_names(top, v->name, e);
}

/* The directory of hierarchies: read-only only when everything is in it. */
static int build_v1(const struct fs_plan *p, const struct fs_mount *m, int at, struct err *e)
{
	static const struct fs_data mode[] = {
		{"mode", "755"}
        };
	uint64_t attrs = fs_new_attrs(m);
	struct fs_attrs readonly = {.set = attrs & MOUNT_ATTR_RDONLY};
	own_fd int top = tree_new("tmpfs", "tmpfs", mode, LEN(mode),
				  attrs & ~(uint64_t)MOUNT_ATTR_RDONLY, e);

	if (top < 0)
		return top;
	/* Mounting on a detached tree needs Linux 6.15, so it is attached first. */
	int r = tree_attach(top, at, e);
	for (size_t i = 0; r == 0 && i < p->n_views; i++)
		r = add_view(p, top, &p->views[i], attrs, e);
	return r < 0 ? r : tree_set(top, &readonly, 0, -1, false, e);
}

int fs_build_cgroup(const struct fs_plan *p, const struct fs_mount *m, int at, struct err *e)
{
	if (p->cgroup_layout == CGROUP_NONE || !p->n_views) {
		log_debug("mounts[%zu]: no cgroup to show", m->index);
		return 0;
	}
	if (p->cgroup_layout != CGROUP_V2)
		return build_v1(p, m, at, e);
	own_fd int tree = view_tree(p, &p->views[0], fs_new_attrs(m), e);
	if (tree < 0)
		return tree;
	int r = tree_propagate(tree, &m->opt, e);
	return r < 0 ? r : tree_attach(tree, at, e);
}
