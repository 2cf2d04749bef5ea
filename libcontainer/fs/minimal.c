#include "fs/minimal.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/machine.h"
#include "fs/tree.h"

enum { QUIET = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

/* What covers entries for which nothing was made; beside "proc" and "sys" in the tmpfs. */
static const char empty_file[] = "file", empty_dir[] = "dir";

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* --- plan ---------------------------------------------------------------------------------- */

static bool is_cgroup(const struct fs_mount *m)
{
	return m->kind == FS_MOUNT_CGROUP || str_eq(m->type, "cgroup2");
}

static int check_mount(const struct fs_mount *m, struct err *e)
{
	bool there = str_eq(m->dest, "/proc") || str_eq(m->dest, "/sys");
	bool kernel = str_eq(m->type, "proc") || str_eq(m->type, "sysfs");
	const char *only = str_eq(m->type, "proc") ? "/proc" : "/sys";

	if (m->kind == FS_MOUNT_NEW && kernel && !str_eq(m->dest, only))
		return err_msg(e, EPERM, "%s: minimal: a %s may only be at %s", m->dest, m->type,
			       only);
	if (m->kind == FS_MOUNT_REMOUNT && (below(m->dest, "/proc") || below(m->dest, "/sys")))
		return err_msg(e, EPERM, "%s: minimal: may not be remounted", m->dest);
	if (there && (m->kind != FS_MOUNT_NEW || !kernel))
		return err_msg(e, EPERM, "%s: minimal: made by brig, nothing else may be there",
			       m->dest);
	return 0;
}

static bool has_mount_below(const struct fs_plan *p, const char *dir)
{
	for (size_t i = 0; i < p->n_mounts; i++)
		if (below(p->mounts[i].dest, dir))
			return true;
	return false;
}

static int plan_mounts(struct arena *a, struct fs_plan *p, struct err *e)
{
	static const struct fs_mount sys = {
		.dest = "/sys", .type = "sysfs", .source = "sysfs", .plain_dir = true};
	static const struct fs_mount cgroup = {.kind = FS_MOUNT_CGROUP,
					       .dest = "/sys/fs/cgroup",
					       .type = "cgroup",
					       .source = "cgroup"};
	struct fs_mount *list = arena_array(a, p->n_mounts + 3, sizeof(*list));
	bool no_cgroup = p->own_cgroup_ns && p->n_views && p->cgroup_layout != CGROUP_NONE &&
			 !has_mount_below(p, cgroup.dest);
	bool no_sys = !has_mount_below(p, sys.dest);

	memcpy(list, p->mounts, p->n_mounts * sizeof(*list));
	if (no_sys)
		list[p->n_mounts++] = sys;
	if (no_cgroup)
		list[p->n_mounts++] = cgroup;
	for (size_t i = 0; i < p->n_mounts; i++) {
		if (check_mount(&list[i], e) < 0)
			return err_wrap(e, "mounts[%zu]", i);
		if (is_cgroup(&list[i])) {
			list[i].opt.attrs.set |= MOUNT_ATTR_RDONLY | QUIET;
			list[i].opt.recursive.clear = 0;
		}
	}
	p->mounts = list;
	return 0;
}

/* "cpu,cpuacct" has the word cpu. */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (strncmp(list, word, n) == 0 && (list[n] == ',' || list[n] == '\0'))
			return true;
	}
	return false;
}

/* On v1 a mount for each hierarchy: the JVM wants the first four, or believes in no limit. */
static void plan_views(struct arena *a, struct fs_plan *p)
{
	static const char *const wanted[] = {"memory", "cpu", "cpuacct", "cpuset", "pids"};
	struct cgroup_view *list = arena_array(a, p->n_views + 1, sizeof(*list));
	size_t n = 0;

	if (p->cgroup_layout == CGROUP_V2)
		return;
	for (size_t i = 0; i < p->n_views; i++)
		for (size_t w = 0; w < LEN(wanted); w++)
			if (has_word(p->views[i].options, wanted[w])) {
				list[n++] = p->views[i];
				break;
			}
	p->views = list;
	p->n_views = n;
}

static bool is_link(const char *name)
{
	static const char *const links[] = {"self", "thread-self", "mounts", "net"};

	for (size_t i = 0; i < LEN(links); i++)
		if (str_eq(name, links[i]))
			return true;
	return false;
}

static bool is_pid(const char *name)
{
	return *name >= '0' && *name <= '9' && name[strspn(name, "0123456789")] == '\0';
}

/* A path of maskedPaths or readonlyPaths at which there is nothing any more. */
static bool is_covered(const char *path)
{
	char name[64];

	if (!str_starts(path, "/proc/"))
		return false;
	path += strlen("/proc/");
	size_t n = strcspn(path, "/");
	if (n >= sizeof(name))
		return true;
	memcpy(name, path, n);
	name[n] = '\0';
	return !is_pid(name) && !is_link(name);
}

static const char *const *drop_covered(struct arena *a, const char *const *paths, size_t *n)
{
	const char **left = arena_array(a, *n + 1, sizeof(*left));
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++)
		if (!is_covered(paths[i]))
			left[kept++] = paths[i];
	*n = kept;
	return left;
}

int fs_minimal_plan(struct arena *a, const struct fs_request *req, struct fs_plan *p, struct err *e)
{
	plan_views(a, p);
	int r = plan_mounts(a, p, e);

	if (r < 0)
		return r;
	p->machine = req->machine;
	p->masked = drop_covered(a, p->masked, &p->n_masked);
	p->readonly_paths = drop_covered(a, p->readonly_paths, &p->n_readonly_paths);
	return 0;
}

bool fs_minimal_wants(const struct fs_plan *p, const struct fs_mount *m)
{
	return p->machine && m->kind == FS_MOUNT_NEW &&
	       (str_eq(m->type, "proc") || str_eq(m->type, "sysfs"));
}

/* --- build --------------------------------------------------------------------------------- */

static int make_dir(int top, const char *path, struct err *e)
{
	return mkdirat(top, path, 0755) < 0 ? err_set(e, errno, "make directory %s", path) : 0;
}

static int make_file(int top, const struct fs_text *t, struct err *e)
{
	own_fd int fd = openat(top, t->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	if (fd < 0)
		return err_set(e, errno, "make file %s", t->path);
	ssize_t n = t->len ? write(fd, t->text, t->len) : 0;
	if (n != (ssize_t)t->len)
		return err_set(e, n < 0 ? errno : ENOSPC, "write %s", t->path);
	return 0;
}

static int fill(const struct fs *fs, int top, struct err *e)
{
	static const struct fs_text empty = {empty_file, "", 0};
	int r = make_dir(top, empty_dir, e);

	if (r == 0)
		r = make_file(top, &empty, e);
	for (const struct fs_text *t = fs->texts; t->path && r == 0; t++)
		r = t->text ? make_file(top, t, e) : make_dir(top, t->path, e);
	return r;
}

/*
 * The tmpfs of all that is made, attached on at, where the mount that it is made for then covers
 * it: a detached mount can be copied only since Linux 6.15.
 */
static int make_tmpfs(const struct fs_plan *p, struct fs *fs, int at, struct err *e)
{
	static const struct fs_data mode[] = {
		{"mode", "755"},
	};
	static const struct fs_attrs readonly = {.set = MOUNT_ATTR_RDONLY};
	own_fd int top = tree_new("tmpfs", "tmpfs", mode, LEN(mode), QUIET, e);

	if (top < 0)
		return top;
	int r = fill(fs, top, e);
	if (r == 0)
		r = tree_set(top, &readonly, p->default_propagation, -1, false, e);
	if (r == 0)
		r = tree_attach(top, at, e);
	if (r < 0)
		return err_wrap(e, "files made by brig");
	fs->made = take_fd(&top);
	return 0;
}

/* The path in the tmpfs of what goes on an entry of /proc. */
static const char *cover_for(const struct fs *fs, const char *name, bool dir)
{
	for (const struct fs_text *t = fs->texts; t->path; t++)
		if (!t->text == dir && str_starts(t->path, "proc/") &&
		    str_eq(t->path + strlen("proc/"), name))
			return t->path;
	return dir ? empty_dir : empty_file;
}

static int cover(const struct fs *fs, int proc, const struct dirent *de, struct err *e)
{
	bool dir = de->d_type == DT_DIR;
	struct stat st;

	if (de->d_type == DT_UNKNOWN) {
		if (fstatat(proc, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : err_set(e, errno, "stat %s", de->d_name);
		dir = S_ISDIR(st.st_mode);
	}
	own_fd int tree = tree_clone(fs->made, cover_for(fs, de->d_name, dir), false, e);
	if (tree < 0)
		return tree;
	/* Without MOVE_MOUNT_T_SYMLINKS a link is covered itself, not where it leads. */
	if (move_mount(tree, "", proc, de->d_name, MOVE_MOUNT_F_EMPTY_PATH) == 0)
		return 0;
	return errno == ENOENT ? 0 : err_set(e, errno, "cover %s", de->d_name);
}

static int cover_all(const struct fs *fs, int proc, struct err *e)
{
	own_dir DIR *d = NULL;
	own_fd int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;
	int r = 0;

	if (fd < 0 || !(d = fdopendir(fd)))
		return err_set(e, errno, "read /proc");
	(void)take_fd(&fd); /* the stream's now */
	for (errno = 0; r == 0 && (de = readdir(d)); errno = 0)
		if (de->d_name[0] != '.' && !is_pid(de->d_name) && !is_link(de->d_name))
			r = cover(fs, proc, de, e);
	if (r == 0 && errno)
		r = err_set(e, errno, "read /proc");
	return r;
}

static int build_proc(const struct fs *fs, int at, struct err *e)
{
	static const struct fs_data data[] = {
		{"hidepid", "invisible"}, /* of this mount, not of the pid namespace, since 5.8 */
	};
	own_fd int proc = tree_new("proc", "proc", data, LEN(data), QUIET, e);

	if (proc == -EPERM)
		return err_msg(e, EPERM,
			       "a new procfs is not permitted here (the /proc that brig runs "
			       "below has locked masks): run brig outside of the container or "
			       "ask for a level whose proc is not minimal");
	if (proc < 0)
		return proc;
	int r = tree_attach(proc, at, e);
	if (r == 0)
		r = cover_all(fs, proc, e);
	return r < 0 ? r : take_fd(&proc);
}

static int build_sys(const struct fs *fs, int at, struct err *e)
{
	own_fd int tree = tree_clone(fs->made, "sys", false, e);

	if (tree < 0)
		return tree;
	int r = tree_attach(tree, at, e);
	return r < 0 ? r : take_fd(&tree);
}

int fs_minimal_build(const struct fs_plan *p, struct fs *fs, const struct fs_mount *m, int at,
		     struct err *e)
{
	bool first = fs->made < 0;
	int r = first ? make_tmpfs(p, fs, at, e) : 0;

	if (r == 0) {
		at = first ? fs->made : at;
		r = str_eq(m->type, "proc") ? build_proc(fs, at, e) : build_sys(fs, at, e);
	}
	return r < 0 ? err_wrap(e, "minimal %s", m->dest) : r;
}
