#include "grant_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/file.h"
#include "base/inroot.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/mountinfo.h"
#include "fs/tree.h"
#include "status.h"

enum { ANSWER_MS = 10000, TRIES = 16 };

/* --- a child inside ----------------------------------------------------------------------- */

struct answer {
	int r;
	struct err e;
	uint64_t id, area;
};

struct work {
	const struct grant_target *target;
	const struct grant_attach *attach;
	int area_tree;         /* detached, to be the area; -1 */
	const char *area_name; /* NULL: that of the grants */
	uint64_t id, area;
	const char *path;
	int fan; /* -1 */
};
typedef int work_fn(const struct work *w, struct answer *out, struct err *e);

/* The first process's mounts, with its root as "/" (mntns_install, fs/namespace.c). */
static int enter(const struct work *w, struct err *e)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || setns(w->target->ns, CLONE_NEWNS) < 0)
		return err_set(e, errno, "enter the sandbox's mount namespace");
	(void)umask(0);
	return 0;
}

static _Noreturn void live(const struct work *w, work_fn *fn, int out)
{
	int keep[] = {out,          w->target->ns, w->target->mountinfo,
		      w->area_tree, w->fan,        w->attach ? w->attach->tree : -1};
	struct answer a = {0};

	fds_close_all_but(0, keep, LEN(keep));
	a.r = enter(w, &a.e);
	if (a.r == 0)
		a.r = fn(w, &a, &a.e);
	_exit(file_write_all(out, &a, sizeof(a)) < 0);
}

/* A file system of the host's that does not answer holds up the child, not us. */
static int hear(int in, struct answer *a, struct err *e)
{
	struct pollfd p = {.fd = in, .events = POLLIN};
	int n;

	do
		n = poll(&p, 1, ANSWER_MS);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return err_msg(e, ETIMEDOUT, "the sandbox's mounts do not answer");
	/* One write of less than PIPE_BUF is one read. */
	if (n < 0 || read(in, a, sizeof(*a)) != (ssize_t)sizeof(*a))
		return err_msg(e, EIO, "nothing was heard from the sandbox's mounts");
	if (a->r < 0)
		*e = a->e;
	return a->r;
}

static int run_inside(const struct work *w, work_fn *fn, struct answer *out, struct err *e)
{
	int fds[2];

	if (w->target->ns < 0)
		return err_msg(
			e, EOPNOTSUPP,
			"a plain user's sandbox: its mounts cannot be changed while it runs");
	/* Inherited: nobody looks into the child for an instant. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, errno, "pipe");
	own_fd int in = fds[0], its = fds[1];
	pid_t pid = fork();
	if (pid < 0)
		return err_set(e, errno, "fork");
	if (pid == 0)
		live(w, fn, its);
	own_close(&its);
	int r = hear(in, out, e);
	if (r == -ETIMEDOUT || r == -EIO)
		(void)kill(pid, SIGKILL);
	/* One that hangs in the kernel is left to whoever reaps our orphans. */
	(void)waitpid(pid, NULL, r == -ETIMEDOUT ? WNOHANG : 0);
	return r;
}

/* --- what it does ------------------------------------------------------------------------- */

static int mount_id(int dir, const char *name, uint64_t *id, struct err *e)
{
	struct statx x;
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);

	if (statx(dir, name, flags, STATX_MNT_ID, &x) < 0)
		return err_set(e, errno, "statx");
	if (!(x.stx_mask & STATX_MNT_ID))
		return err_msg(e, ENOTSUP, "the kernel does not tell mount ids (Linux 5.8)");
	*id = x.stx_mnt_id;
	return 0;
}

static int open_root(struct err *e)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? err_set(e, errno, "open the sandbox's root") : root;
}

static int open_run(struct err *e)
{
	own_fd int root = open_root(e);
	struct statfs fs;
	struct statx x;

	if (root < 0)
		return root;
	own_fd int run = inroot_open(root, "/run", O_PATH | O_DIRECTORY, INROOT_NO_SYMLINKS, e);
	if (run < 0)
		return run;
	if (fstatfs(run, &fs) < 0 || statx(run, "", AT_EMPTY_PATH, STATX_TYPE, &x) < 0)
		return err_set(e, errno, "/run");
	/* A tmpfs of its own: at a level nobody inside can have mounted it. */
	if (fs.f_type != TMPFS_MAGIC || !(x.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return err_msg(e, EOPNOTSUPP,
			       "/run of the sandbox is no tmpfs of its own, where " GRANT_AREA
			       " would be");
	return take_fd(&run);
}

static const char *name_of(const struct work *w)
{
	return w->area_name ? w->area_name : "grants";
}

static int in_the_way(const struct work *w, struct err *e)
{
	return err_msg(e, EEXIST, "the sandbox has put something else at /run/%s", name_of(w));
}

/* The directory of that name itself. */
static int open_area(const struct work *w, int run, struct err *e)
{
	int fd = inroot_open(run, name_of(w), O_PATH | O_DIRECTORY, INROOT_NO_SYMLINKS, NULL);

	return fd < 0 ? in_the_way(w, e) : fd;
}

/* By the directory itself: whatever its name is by now. */
static void take_off(int dir)
{
	if (fchdir(dir) == 0)
		(void)umount2(".", MNT_DETACH);
	(void)!chdir("/");
}

/*
 * The sandbox may take the directory away while we look: then the tmpfs is not where its name is,
 * and goes again.  A mount point is not renamed or removed by those who see it (EBUSY).
 */
static int make_area(const struct work *w, int run, uint64_t *id, struct err *e)
{
	int tree = w->area_tree;
	uint64_t there;

	if (mkdirat(run, name_of(w), 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, "make /run/%s", name_of(w));
	own_fd int at = open_area(w, run, e);
	if (at < 0)
		return at;
	if (tree_attach(tree, at, e) < 0)
		return err_wrap(e, "/run/%s", name_of(w));
	own_fd int area = open_area(w, run, e);
	if (area >= 0 && mount_id(tree, "", id, e) == 0 && mount_id(area, "", &there, e) == 0 &&
	    there == *id)
		return take_fd(&area);
	take_off(tree);
	*id = 0;
	return in_the_way(w, e);
}

static int reach_area(const struct work *w, uint64_t *id, struct err *e)
{
	own_fd int run = open_run(e);

	if (run < 0)
		return run;
	if (w->area_tree >= 0)
		return make_area(w, run, id, e);
	own_fd int area = open_area(w, run, e);
	if (area < 0)
		return area;
	if (mount_id(area, "", id, e) < 0)
		return -e->code;
	return *id == w->area ? take_fd(&area) : in_the_way(w, e);
}

/* The same tmpfs where it can be written, in nobody's sight. */
static int writable_copy(int area, struct err *e)
{
	static const struct fs_attrs writable = {.clear = MOUNT_ATTR_RDONLY};
	own_fd int tree = tree_clone(area, "", false, e);

	if (tree < 0)
		return tree;
	int r = tree_set(tree, &writable, 0, -1, false, e);
	return r < 0 ? r : take_fd(&tree);
}

static int make_point(int area, const char *name, bool directory, struct err *e)
{
	own_fd int copy = writable_copy(area, e);

	if (copy < 0)
		return copy;
	if (directory ? mkdirat(copy, name, 0755) < 0 : mknodat(copy, name, S_IFREG | 0444, 0) < 0)
		return err_set(e, errno, "make " GRANT_AREA "/%s", name);
	return 0;
}

static void remove_point(int area, const char *name)
{
	struct err ignored;
	own_fd int copy = writable_copy(area, &ignored);

	if (copy >= 0 && unlinkat(copy, name, 0) < 0)
		(void)unlinkat(copy, name, AT_REMOVEDIR);
}

static int attach_inside(const struct work *w, struct answer *out, struct err *e)
{
	const struct grant_attach *g = w->attach;
	own_fd int area = reach_area(w, &out->area, e);

	if (area < 0)
		return area;
	if (make_point(area, g->name, g->directory, e) < 0)
		return -e->code;
	own_fd int at = inroot_open(area, g->name, O_PATH, INROOT_NO_SYMLINKS, e);
	int r = at < 0 ? at : tree_attach(g->tree, at, e);
	if (r == 0)
		r = mount_id(g->tree, "", &out->id, e);
	if (r < 0)
		remove_point(area, g->name);
	return r;
}

/* --- the mount of an id ------------------------------------------------------------------- */

/* Lines are "ID PARENT MAJOR:MINOR ROOT POINT ...". */
static char *point_of(char *line, uint64_t id)
{
	char *save = NULL, *point;
	const char *first = strtok_r(line, " ", &save);
	uint64_t n;

	if (!str_u64(first ? first : "", &n) || n != id)
		return NULL;
	for (int i = 0; i < 3; i++)
		(void)strtok_r(NULL, " ", &save);
	point = strtok_r(NULL, " ", &save);
	if (point)
		str_unescape(point);
	return point;
}

/*
 * As the first process sees it: the sandbox may have renamed a directory above it, and made its
 * path as long as its files' number allows.  Never more than a line of it is in memory.
 */
static int path_of(struct arena *a, const struct work *w, char **path, struct err *e)
{
	own_fd int fd = fcntl(w->target->mountinfo, F_DUPFD_CLOEXEC, 0);
	FILE *f = fd < 0 || lseek(fd, 0, SEEK_SET) < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t room = 0;

	*path = NULL;
	if (!f)
		return err_set(e, errno, "mountinfo of the sandbox");
	(void)take_fd(&fd); /* the stream's */
	while (!*path && getline(&line, &room, f) > 0) {
		const char *point = point_of(line, w->id);

		if (point)
			*path = arena_strdup(a, point);
	}
	bool bad = ferror(f);
	free(line);
	(void)fclose(f);
	if (bad)
		return err_msg(e, EIO, "mountinfo of the sandbox cannot be read");
	return *path ? 0 : err_msg(e, ENOENT, "it is not mounted any more");
}

/* Of any length: step by step, as much at a time as the kernel takes. */
static int open_parent(int root, char *path, const char **name)
{
	enum { RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	char *last = strrchr(path, '/'), *at = path;
	own_fd int dir = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (!last || !last[1])
		return -EBUSY; /* the root */
	*last = '\0';
	*name = last + 1;
	while (dir >= 0 && *(at += strspn(at, "/"))) {
		char *end = at + strlen(at);

		while (end - at >= PATH_MAX)
			end = memrchr(at, '/', (size_t)(end - at));
		char next = *end;
		*end = '\0';
		int fd = sys_openat2(dir, at, O_PATH | O_DIRECTORY, 0, RESOLVE);
		(void)close(dir);
		dir = fd;
		at = end + (next != '\0');
	}
	return dir < 0 ? -EAGAIN : take_fd(&dir);
}

/* Its directory and name: a mount point keeps both as long as it is one. */
static int reach(const struct work *w, int root, char *path, const char **name, struct err *e)
{
	own_fd int parent = open_parent(root, path, name);
	uint64_t id;

	/* Whatever is not there was there a moment ago: that it is gone, mountinfo alone says. */
	if (parent < 0 || mount_id(parent, *name, &id, e) < 0 || id != w->id)
		return err_msg(e, EAGAIN, "the sandbox moves it about");
	return take_fd(&parent);
}

/* The mount point that an added one had, whose name its path ends in. */
static void remove_its_point(const struct work *w, const char *point)
{
	struct err ignored;
	uint64_t id;
	own_fd int area =
		w->area && str_starts(point, GRANT_AREA "/") ? reach_area(w, &id, &ignored) : -1;

	if (area >= 0)
		remove_point(area, point + strlen(GRANT_AREA "/"));
}

/* What is done to a mount, by the name it has in a directory; point: all of its path. */
typedef int at_mount_fn(const struct work *w, int parent, const char *name, const char *point,
			struct err *e);

static int at_mount(const struct work *w, at_mount_fn *fn, struct err *e)
{
	own_fd int root = open_root(e);
	int r = root < 0 ? root : -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES; i++) {
		own_arena struct arena a = {0};
		const char *name = NULL;
		char *path = NULL;

		r = path_of(&a, w, &path, e);
		if (r < 0)
			continue;
		const char *point = arena_strdup(&a, path);
		own_fd int parent = reach(w, root, path, &name, e);
		r = parent < 0 ? parent : fn(w, parent, name, point, e);
	}
	return r;
}

static int detach_at(const struct work *w, int parent, const char *name, const char *point,
		     struct err *e)
{
	if (fchdir(parent) < 0 || umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return err_set(e, errno == ENOENT || errno == EINVAL ? EAGAIN : errno,
			       "take it away");
	remove_its_point(w, point);
	return 0;
}

static int detach_inside(const struct work *w, struct answer *out, struct err *e)
{
	(void)out;
	return at_mount(w, detach_at, e);
}

static int mark_at(const struct work *w, int parent, const char *name, const char *point,
		   struct err *e)
{
	(void)point;
	if (fanotify_mark(w->fan, FAN_MARK_ADD | FAN_MARK_MOUNT | FAN_MARK_DONT_FOLLOW,
			  FAN_OPEN | FAN_ONDIR, parent, name) < 0)
		return err_set(e, errno, "fanotify: %s", name);
	return 0;
}

static int mark_inside(const struct work *w, struct answer *out, struct err *e)
{
	(void)out;
	return at_mount(w, mark_at, e);
}

static bool is_mount_root(int fd)
{
	struct statx x;

	return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &x) == 0 &&
	       x.stx_attributes_mask & x.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* Before its program runs: links are the image's. */
static int find_inside(const struct work *w, struct answer *out, struct err *e)
{
	own_fd int root = open_root(e);

	if (root < 0)
		return root;
	own_fd int at = inroot_open(root, w->path, O_PATH, 0, e);
	if (at < 0)
		return at;
	if (!is_mount_root(at))
		return err_msg(e, EBUSY, "%s: nothing is mounted there", w->path);
	return mount_id(at, "", &out->id, e);
}

/* Whatever is there else, and wherever a link leads, is the sandbox's and no grant. */
static int find_added(const struct work *w, struct answer *out, struct err *e)
{
	own_fd int root = open_root(e);
	own_fd int area =
		root < 0 ? -1 : inroot_open(root, GRANT_AREA, O_PATH, INROOT_NO_SYMLINKS, NULL);
	own_fd int at = area < 0 || !is_mount_root(area)
				? -1
				: inroot_open(area, w->path, O_PATH, INROOT_NO_SYMLINKS, NULL);

	if (at < 0 || !is_mount_root(at))
		return err_msg(e, ENOENT, GRANT_AREA "/%s: it is not mounted", w->path);
	return mount_id(at, "", &out->id, e);
}

/* --- the outside -------------------------------------------------------------------------- */

int grant_target_open(const struct brig_state *s, struct grant_target *out, struct err *e)
{
	char state;
	own_fd int proc = process_open((pid_t)s->pid, s->start_time, &state);

	*out = GRANT_TARGET_NONE;
	if (!s->late_userns)
		return 0;
	if (proc < 0)
		return err_msg(e, ESRCH, "container not running");
	out->ns = openat(proc, "ns/mnt", O_RDONLY | O_CLOEXEC);
	out->mountinfo = openat(proc, "mountinfo", O_RDONLY | O_CLOEXEC);
	if (out->ns >= 0 && out->mountinfo >= 0)
		return 0;
	(void)err_set(e, errno, "mount namespace of the sandbox");
	grant_target_close(out);
	return -e->code;
}

void grant_target_close(struct grant_target *t)
{
	own_close(&t->ns);
	own_close(&t->mountinfo);
}

static int area_tree(struct err *e)
{
	static const struct fs_data data[] = {
		{"size",      "65536"},
		{"nr_inodes", "1024" },
		{"mode",      "0755" },
	};

	return tree_new(
		"tmpfs", "brig-grants", data, LEN(data),
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, e);
}

int grant_attach(const struct grant_target *t, const struct grant_attach *g, uint64_t *area,
		 uint64_t *id, struct err *e)
{
	own_fd int tree = g->area ? -1 : area_tree(e);
	const struct work w = {
		.target = t, .attach = g, .area_tree = tree, .fan = -1, .area = g->area};
	struct answer out = {0};

	if (!g->area && tree < 0)
		return tree;
	int r = run_inside(&w, attach_inside, &out, e);
	*area = out.area ? out.area : g->area;
	*id = out.id;
	return r;
}

static int attach_run_inside(const struct work *w, struct answer *out, struct err *e)
{
	own_fd int area = reach_area(w, &out->area, e);

	return area < 0 ? area : 0;
}

int grant_attach_run(const struct grant_target *t, const char *name, int tree, struct err *e)
{
	const struct work w = {.target = t, .area_tree = tree, .area_name = name, .fan = -1};
	struct answer out = {0};

	return run_inside(&w, attach_run_inside, &out, e);
}

int grant_detach(const struct grant_target *t, uint64_t id, uint64_t area, struct err *e)
{
	const struct work w = {.target = t, .area_tree = -1, .fan = -1, .id = id, .area = area};
	struct answer out;

	return run_inside(&w, detach_inside, &out, e);
}

static int find(const struct grant_target *t, const char *path, work_fn *fn, uint64_t *id,
		struct err *e)
{
	const struct work w = {.target = t, .area_tree = -1, .fan = -1, .path = path};
	struct answer out;
	int r = run_inside(&w, fn, &out, e);

	if (r == 0)
		*id = out.id;
	return r;
}

int grant_mark(const struct grant_target *t, uint64_t id, int fan, struct err *e)
{
	const struct work w = {.target = t, .area_tree = -1, .id = id, .fan = fan};
	struct answer out;

	return run_inside(&w, mark_inside, &out, e);
}

int grant_find(const struct grant_target *t, const char *path, uint64_t *id, struct err *e)
{
	return find(t, path, find_inside, id, e);
}

int grant_find_added(const struct grant_target *t, const char *name, uint64_t *id, struct err *e)
{
	return find(t, name, find_added, id, e);
}
