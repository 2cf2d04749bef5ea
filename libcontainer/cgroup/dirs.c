#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "cgroup/settings.h"
#include "cgroup/text.h"

enum { DIR_MODE = 0755, CPUS_MAX = 4096 };

/* The slow way: some parent is missing. */
static int make_parents(struct cg_dir *d, struct err *e)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s", d->path) >= sizeof(path))
		return err_set(e, ENAMETOOLONG, "mkdir %s", d->path);
	for (char *p = path + strlen(d->mount) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, DIR_MODE) == 0) {
			if (!d->made_from)
				d->made_from = (size_t)(p - path);
		} else if (errno != EEXIST) {
			int r = err_set(e, errno, "mkdir %s", path);

			cg_unmake(d);
			return r;
		}
		*p = '/';
	}
	return 0;
}

int cg_make(struct cg_dir *d, struct err *e)
{
	d->made_from = 0;
	d->is_new = mkdir(d->path, DIR_MODE) == 0;
	if (d->is_new)
		d->made_from = strlen(d->path);
	if (d->is_new || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return err_set(e, errno, "mkdir %s", d->path);
	int r = make_parents(d, e);
	if (r < 0)
		return r;
	d->is_new = mkdir(d->path, DIR_MODE) == 0;
	if (d->is_new && !d->made_from)
		d->made_from = strlen(d->path);
	if (d->is_new || errno == EEXIST)
		return 0;
	r = err_set(e, errno, "mkdir %s", d->path);
	cg_unmake(d);
	return r;
}

void cg_unmake(struct cg_dir *d)
{
	char path[PATH_MAX];

	if (!d->made_from || (size_t)snprintf(path, sizeof(path), "%s", d->path) >= sizeof(path))
		return;
	/* A parent that another container uses meanwhile stays: rmdir refuses. */
	for (size_t len = strlen(path); len >= d->made_from; len = strlen(path)) {
		if (rmdir(path) < 0 && errno != ENOENT)
			break;
		*strrchr(path, '/') = '\0';
	}
	d->made_from = 0;
	d->is_new = false;
}

/*
 * A cpuset without cpus or mems takes no process, and new ones on v1 are empty (cgroup(7)).
 * Fills file of the first len bytes of the path from the directory above and leaves its text in
 * out.  fresh: just made, so there is nothing to look at.
 */
static int inherit_file(const struct cg_dir *d, const char *file, size_t len, bool fresh,
			char out[CPUS_MAX], struct err *e)
{
	char path[PATH_MAX];
	size_t parent = len;
	ssize_t n = 0;

	snprintf(path, sizeof(path), "%.*s/%s", (int)len, d->path, file);
	if (!fresh)
		n = file_peek(AT_FDCWD, path, out, CPUS_MAX);
	if (n < 0)
		return err_set(e, (int)-n, "read %s", path);
	if (n > 0 || len <= strlen(d->mount))
		return 0;
	while (d->path[--parent] != '/')
		;
	int r = inherit_file(d, file, parent, false, out, e);
	if (r < 0 || !out[0])
		return r;
	r = file_poke(AT_FDCWD, path, out, e);
	return r;
}

int cg_cpuset_inherit(const struct cg_dir *d, struct err *e)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	char text[CPUS_MAX] = "";

	for (size_t i = 0; i < LEN(files); i++) {
		int r = inherit_file(d, files[i], strlen(d->path), d->is_new, text, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static uint32_t read_ctrls(const char *dir, size_t len, const char *file)
{
	char path[PATH_MAX], text[1024];

	if ((size_t)snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, file) >= sizeof(path) ||
	    file_peek(AT_FDCWD, path, text, sizeof(text)) < 0)
		return 0;
	return cg_ctrls(text, " ");
}

static bool has_processes(const char *dir, size_t len)
{
	char path[PATH_MAX], text[16];

	snprintf(path, sizeof(path), "%.*s/cgroup.procs", (int)len, dir);
	/* Longer than the buffer or not readable (threaded): there is something in it. */
	return file_peek(AT_FDCWD, path, text, sizeof(text)) != 0;
}

static int pass_on_one(const char *dir, size_t len, const char *word, struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.*s/cgroup.subtree_control", (int)len, dir);
	return file_poke(AT_FDCWD, path, word, e);
}

/*
 * Passes controllers on to the sub-cgroups of the first len bytes of path.  Only the root may
 * hold processes besides.  The kernel refuses that with EBUSY only for memory and io: cpu and
 * pids would turn the directory into a threaded domain, below which no process can live
 * (cgroup-v2.rst, Threads).
 */
static int pass_on(const char *dir, size_t len, bool is_root, uint32_t needed, uint32_t wanted,
		   struct err *e)
{
	bool busy = !is_root && (needed | wanted) && has_processes(dir, len);
	char word[64];
	struct err why = {0};

	for (unsigned int c = 0; c < CG_N_CTRL; c++) {
		bool must = needed & CG_BIT(c);

		if (!((needed | wanted) & CG_BIT(c)) || (busy && !must))
			continue;
		snprintf(word, sizeof(word), "+%s", cg_ctrl_name(c, true));
		if (!busy && pass_on_one(dir, len, word, &why) == 0)
			continue;
		if (must && (busy || why.code == EBUSY))
			return err_msg(e, EBUSY,
				       "controller %s cannot be enabled in %.*s: "
				       "it holds processes of its own",
				       word + 1, (int)len, dir);
		if (must) {
			*e = why;
			return -e->code;
		}
		log_debug("controller %s is not passed on: %s", word + 1, why.msg);
	}
	return 0;
}

int cg_enable_controllers(const struct cg_dir *d, uint32_t needed, uint32_t wanted, struct err *e)
{
	size_t root = strlen(d->mount), parent = strlen(d->path);

	while (d->path[--parent] != '/')
		;
	needed &= ~CG_BIT(CG_CORE);
	wanted |= needed;
	/* The usual case: everything has been passed on before. */
	uint32_t have = read_ctrls(d->path, parent, "cgroup.subtree_control");
	if ((have & wanted) == wanted)
		return 0;
	uint32_t available = read_ctrls(d->path, root, "cgroup.controllers");
	struct cg_names names;
	if (needed & ~available)
		return err_msg(e, ENOENT, "%s: controller is not available in %s",
			       cg_ctrl_names(&names, needed & ~available, true), d->mount);
	wanted &= available;
	if ((have & wanted) == wanted)
		return 0;
	for (size_t len = root; len <= parent; len++) {
		if (d->path[len] != '/')
			continue;
		uint32_t there = read_ctrls(d->path, len, "cgroup.subtree_control");
		int r = pass_on(d->path, len, len == root, needed & ~there, wanted & ~there, e);

		if (r < 0)
			return r;
	}
	return 0;
}

int cg_check_usable(const struct cgroup *cg, struct cg_dir *d, struct err *e)
{
	char text[1024];

	if (!d->is_new) {
		int r = cg_populated(d);

		if (r < 0 && r != -ENOENT)
			return err_set(e, -r, "look for processes in %s", d->path);
		if (r > 0)
			return err_msg(e, EBUSY, "container's cgroup is not empty: %s", d->path);
	}
	if (cg->layout != CGROUP_V2)
		return 0;
	/*
	 * cpu and pids can be passed on beside processes, but turn the parent into a threaded
	 * domain, below which no process can live (cgroup-v2.rst, Threads).  Not so the root.
	 */
	bool nested = strchr(d->path + strlen(d->mount) + 1, '/');
	if ((nested || !d->is_new) && cg_peek(d, "cgroup.type", text, sizeof(text)) > 0 &&
	    strcmp(text, "domain") != 0)
		return err_msg(e, EBUSY,
			       "container's cgroup %s is of type \"%s\": "
			       "its parent holds processes of its own",
			       d->path, text);
	if (d->is_new)
		return 0;
	if (cg_peek(d, "cgroup.subtree_control", text, sizeof(text)) > 0)
		return err_msg(e, EBUSY,
			       "container's cgroup %s passes controllers (%s) on to sub-cgroups: "
			       "it cannot hold processes",
			       d->path, text);
	return 0;
}

int cg_delegate(struct cg_dir *d, uint32_t uid, struct err *e)
{
	static const char fallback[] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads";
	char text[2048], *rest = text, *name;
	int fd = cg_dirfd(d);

	if (fd < 0)
		return err_set(e, -fd, "open %s", d->path);
	if (file_peek(AT_FDCWD, "/sys/kernel/cgroup/delegate", text, sizeof(text)) <= 0)
		memcpy(text, fallback, sizeof(fallback));
	if (fchown(fd, uid, (gid_t)-1) < 0)
		return err_set(e, errno, "chown %s", d->path);
	while ((name = strsep(&rest, "\n"))) {
		/* memory.oom.group and others are not in every cgroup (config-linux.md). */
		if (!name[0] || strchr(name, '/'))
			continue;
		if (fchownat(fd, name, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return err_set(e, errno, "chown %s/%s", d->path, name);
	}
	return 0;
}
