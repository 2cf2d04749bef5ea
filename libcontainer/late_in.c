/*
 * start --in: files and directory trees of the host into a parked sandbox.
 *
 * Nothing of the sandbox's runs yet, but its root file system is anybody's: every path in it is
 * resolved by the kernel within its root, and a name is only made on one of its own tmpfs.  Of the
 * host regular files and directories are taken, no link is followed below what the caller named.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/inroot.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "late.h"
#include "ns/idmap.h"
#include "status.h"

enum { ENTRIES_MOST = 65536, DEPTH_MOST = 64, INPUTS_MOST = 64, PLACES_MOST = 64 };
static const uint64_t bytes_most = UINT64_C(4) << 30;

/* --- what ----------------------------------------------------------------------------------- */

/* SRC:DST, parted at the last colon before an absolute path. */
static int split(struct arena *a, const char *text, struct late_input *out, struct err *e)
{
	const char *colon = NULL;

	for (const char *p = text; (p = strstr(p, ":/")); p++)
		colon = p;
	if (!colon || colon == text)
		return err_msg(e, EINVAL, "--in: \"%.200s\" is not SRC:DST, with DST absolute",
			       text);
	char *src = arena_strdup(a, text);
	src[colon - text] = '\0';
	out->src = src;
	for (const char *p = colon + 1; (p = strstr(p, "/..")); p += 3)
		if (p[3] == '/' || !p[3])
			return err_msg(e, EINVAL, "--in: \"%.200s\" has a \"..\"", colon + 1);
	out->dst = path_clean(a, colon + 1);
	return 0;
}

static int open_input(struct late_input *in, struct err *e)
{
	in->fd = open(in->src, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (in->fd < 0 || fstat(in->fd, &in->st) < 0)
		return err_set(e, errno, "--in %s", in->src);
	if (S_ISREG(in->st.st_mode) || S_ISDIR(in->st.st_mode))
		return 0;
	return err_msg(e, EINVAL, "--in %s: neither a regular file nor a directory", in->src);
}

int late_open(struct arena *a, struct late *l, const struct container_start_opts *o, struct err *e)
{
	*l = (struct late){0};
	if (o->n_inputs > INPUTS_MOST)
		return err_msg(e, E2BIG, "--in: more than %d", INPUTS_MOST);
	l->inputs = arena_array(a, o->n_inputs + 1, sizeof(*l->inputs));
	for (size_t i = 0; i < o->n_inputs; i++) {
		struct late_input *in = &l->inputs[l->n_inputs++];

		in->fd = -1;
		if (split(a, o->inputs[i], in, e) < 0 || open_input(in, e) < 0)
			return -e->code;
	}
	return 0;
}

void late_end(struct late *l)
{
	for (size_t i = 0; i < l->n_inputs; i++)
		own_close(&l->inputs[i].fd);
}

/* --- where ---------------------------------------------------------------------------------- */

struct copy {
	int root;
	uid_t uid; /* of the workload, on the host */
	gid_t gid;
	dev_t places[PLACES_MOST];
	size_t n_places;
	const char *dst; /* of the input that is being copied */
	uint64_t entries, bytes;
};

/* Its own tmpfs: each has a device of its own, which no bind mount of the host's has. */
static int find_places(struct copy *c, const struct brig_state *s, struct err *e)
{
	struct stat st;

	for (size_t i = 0; i < s->n_disk && c->n_places < PLACES_MOST; i++) {
		own_fd int fd = inroot_open(c->root, s->disk[i], O_PATH | O_DIRECTORY,
					    INROOT_NO_SYMLINKS, NULL);

		if (fd >= 0 && fstat(fd, &st) == 0)
			c->places[c->n_places++] = st.st_dev;
	}
	return c->n_places ? 0 : err_msg(e, EROFS, "--in: it has no writable place of its own");
}

static int check_place(const struct copy *c, int dir, struct err *e)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return err_set(e, errno, "--in %s", c->dst);
	for (size_t i = 0; i < c->n_places; i++)
		if (st.st_dev == c->places[i])
			return 0;
	return err_msg(e, EROFS, "--in %s: not in a writable place of the sandbox's own", c->dst);
}

static int own(const struct copy *c, int fd, mode_t mode, struct err *e)
{
	if (fchown(fd, c->uid, c->gid) < 0 || fchmod(fd, mode & 0777) < 0)
		return err_set(e, errno, "--in %s: owner", c->dst);
	return 0;
}

/* One more directory, or the one that is there. */
static int make_dir(const struct copy *c, int parent, const char *name, bool *made, struct err *e)
{
	if (check_place(c, parent, e) < 0)
		return -e->code;
	*made = mkdirat(parent, name, 0700) == 0;
	if (!*made && errno != EEXIST)
		return err_set(e, errno, "--in %s: create %s", c->dst, name);
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "--in %s: open %s", c->dst, name);
	if (*made && own(c, fd, 0755, e) < 0) {
		(void)close(fd);
		return -e->code;
	}
	return fd;
}

/* The directory of path, its missing parts made; links that are there lead within the root only. */
static int parent_of(const struct copy *c, struct arena *a, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *dir = arena_printf(a, "%.*s", (int)(slash - path), path);
	bool made;
	int fd = inroot_open(c->root, *dir ? dir : "/", O_RDONLY | O_DIRECTORY, 0, NULL);

	if (fd >= 0)
		return fd;
	if (fd != -ENOENT)
		return err_set(e, -fd, "--in %s: open %s", c->dst, dir);
	own_fd int above = parent_of(c, a, dir, e);
	if (above < 0)
		return above;
	return make_dir(c, above, strrchr(dir, '/') + 1, &made, e);
}

/* --- copying -------------------------------------------------------------------------------- */

static int count(struct copy *c, uint64_t bytes, int depth, struct err *e)
{
	c->bytes += bytes;
	if (++c->entries > ENTRIES_MOST)
		return err_msg(e, E2BIG, "--in: more than %d files", ENTRIES_MOST);
	if (c->bytes > bytes_most)
		return err_msg(e, E2BIG, "--in: more than %" PRIu64 " bytes", bytes_most);
	return depth > DEPTH_MOST ? err_msg(e, E2BIG, "--in %s: more than %d directories deep",
					    c->dst, DEPTH_MOST)
				  : 0;
}

static int copy_file(struct copy *c, int from, const struct stat *st, int parent, const char *name,
		     struct err *e)
{
	uint64_t size = (uint64_t)st->st_size;

	if (check_place(c, parent, e) < 0 || count(c, size, 0, e) < 0)
		return -e->code;
	own_fd int to =
		openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return err_set(e, errno, "--in %s: create %s", c->dst, name);
	for (uint64_t done = 0; done < size;) {
		ssize_t n = sendfile(to, from, NULL, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? err_msg(e, ESTALE, "--in %s: %s became shorter", c->dst,
						name)
				      : err_set(e, errno, "--in %s: copy %s", c->dst, name);
		done += (uint64_t)n;
	}
	return own(c, to, st->st_mode, e);
}

static int copy_dir(struct copy *c, int from, int to, int depth, struct err *e);

/* By what it is when it is open: a name of the host's may change meanwhile. */
static int copy_entry(struct copy *c, int from_dir, const char *name, int to_dir, int depth,
		      struct err *e)
{
	struct stat st;
	bool made;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, "--in %s: %s", c->dst, name);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_msg(e, EINVAL,
			       "--in %s: %.200s is neither a regular file nor a directory", c->dst,
			       name);
	own_fd int from =
		openat(from_dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) < 0)
		return err_set(e, errno, "--in %s: %s", c->dst, name);
	if (S_ISREG(st.st_mode))
		return copy_file(c, from, &st, to_dir, name, e);
	if (!S_ISDIR(st.st_mode))
		return err_msg(e, EINVAL, "--in %s: %.200s has changed", c->dst, name);
	own_fd int to = make_dir(c, to_dir, name, &made, e);
	if (to < 0)
		return to;
	if (copy_dir(c, from, to, depth + 1, e) < 0)
		return -e->code;
	return made ? own(c, to, st.st_mode, e) : 0;
}

static int copy_dir(struct copy *c, int from, int to, int depth, struct err *e)
{
	int again = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *de;

	if (!d)
		return err_set(e, errno, "--in %s", c->dst);
	if (count(c, 0, depth, e) < 0)
		return -e->code;
	while ((de = readdir(d)))
		if (!str_eq(de->d_name, ".") && !str_eq(de->d_name, "..") &&
		    copy_entry(c, from, de->d_name, to, depth, e) < 0)
			return -e->code;
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A file goes into a directory that is there; a directory's content into the one that is there. */
static int put_one(struct copy *c, struct arena *a, const struct late_input *in, struct err *e)
{
	const char *dst = in->dst;
	bool made;

	c->dst = dst;
	own_fd int there = inroot_open(c->root, dst, O_RDONLY | O_DIRECTORY, 0, NULL);
	if (S_ISREG(in->st.st_mode) && there >= 0)
		return copy_file(c, in->fd, &in->st, there, base_name(in->src), e);
	if (there >= 0)
		return copy_dir(c, in->fd, there, 0, e);
	if (there != -ENOENT && there != -ENOTDIR)
		return err_set(e, -there, "--in %s", dst);
	own_fd int parent = parent_of(c, a, dst, e);
	if (parent < 0)
		return parent;
	if (S_ISREG(in->st.st_mode))
		return copy_file(c, in->fd, &in->st, parent, base_name(dst), e);
	own_fd int to = make_dir(c, parent, base_name(dst), &made, e);
	if (to < 0)
		return to;
	int r = copy_dir(c, in->fd, to, 0, e);
	return r < 0 || !made ? r : own(c, to, in->st.st_mode, e);
}

/* --- in a process of its own ------------------------------------------------------------------ */

/* Until it is in the cgroup: what it writes is charged there. */
static void work(struct copy *c, struct arena *a, const struct late *l, const struct brig_state *s,
		 int sock)
{
	struct err e = {0};
	char go;
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(sock, &go, 1) != 1)
		_exit(1);
	r = find_places(c, s, &e);
	for (size_t i = 0; r == 0 && i < l->n_inputs; i++)
		r = put_one(c, a, &l->inputs[i], &e);
	if (r == 0)
		e = (struct err){0};
	_exit(write(sock, &e, sizeof(e)) == (ssize_t)sizeof(e) ? 0 : 1);
}

static int await(pid_t pid, int sock, struct err *e)
{
	struct err said;
	ssize_t n;

	do
		n = read(sock, &said, sizeof(said));
	while (n < 0 && errno == EINTR);
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(said))
		return err_msg(e, ENOMEM,
			       "--in: it was killed while it copied, perhaps for the sandbox's "
			       "limit of memory");
	*e = said;
	return -said.code;
}

static int run(struct copy *c, struct arena *a, const struct late *l, const struct brig_state *s,
	       struct cgroup *cg, struct err *e)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, errno, "socketpair");
	own_fd int ours = fds[0];
	own_fd int its = fds[1];
	pid_t pid = fork();
	if (pid < 0)
		return err_set(e, errno, "fork");
	if (pid == 0) {
		(void)close(ours);
		work(c, a, l, s, its);
	}
	own_close(&its);
	int r = cgroup_attach(cg, pid, e);
	if (r == 0 && write(ours, "", 1) != 1)
		r = err_set(e, errno, "--in");
	if (r < 0) {
		struct err ignored;

		(void)kill(pid, SIGKILL);
		(void)!await(pid, ours, &ignored);
		return r;
	}
	return await(pid, ours, e);
}

static int find_owner(struct copy *c, struct arena *a, const struct brig_state *s,
		      const struct oci_process *p, struct err *e)
{
	struct idmap map;
	uint32_t uid, gid;

	if (idmap_read(a, (pid_t)s->pid, &map, e) < 0)
		return -e->code;
	if (!idmap_uid_to_host(&map, p->user.uid, &uid) ||
	    !idmap_gid_to_host(&map, p->user.gid, &gid))
		return err_msg(e, EINVAL, "process: user: %u:%u is not mapped", p->user.uid,
			       p->user.gid);
	c->uid = uid;
	c->gid = gid;
	return 0;
}

int late_put(struct arena *a, const struct late *l, const struct brig_state *s,
	     const struct oci_config *config, struct cgroup *cg, struct err *e)
{
	struct copy c = {.root = -1};
	char letter;

	if (!l->n_inputs)
		return 0;
	own_fd int proc = process_open((pid_t)s->pid, s->start_time, &letter);
	if (proc < 0)
		return err_msg(e, ESRCH, "--in: its first process has ended");
	own_fd int root = openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_set(e, errno, "--in: the sandbox's root");
	c.root = root;
	return find_owner(&c, a, s, config->process, e) < 0 ? -e->code : run(&c, a, l, s, cg, e);
}
