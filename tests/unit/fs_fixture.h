#ifndef BRIG_TESTS_FS_FIXTURE_H
#define BRIG_TESTS_FS_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"
#include "check.h"
#include "fs/fs.h"

/*
 * A bundle on a private tmpfs and a child in new namespaces that goes through open, build, enter
 * and seal as brig does, then looks around from inside.
 */
struct scenario {
	struct oci_config config;
	struct oci_root root;
	struct oci_linux linux_;
	bool userns, rootless, no_pivot, own_cgroup_ns, host_net;
	const struct fs_machine *machine;
	/* As a level: built by the host's root for a user namespace entered last. */
	bool late, unmapped, untouched, private_root, tmpfs_root;
	uint64_t tmpfs_size, tmpfs_inodes;
	enum cgroup_layout layout;
	const struct cgroup_view *views;
	size_t n_views;
	void (*prepare)(const char *bundle); /* as root, on the host's side */
	void (*opened)(const struct fs *fs); /* in the runtime */
	void (*before_enter)(const struct fs_plan *p, struct fs *fs);
	void (*inside)(void);
	void (*after)(void);    /* on the host's side again */
	const char *want_error; /* instead of success: a part of the message */
	bool may_fail;          /* any error is as good as success */
};

/* MOUNT(destination, type, source, option...): one entry of config.mounts; MAPPED adds id maps. */
#define WORDS(...)  ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define COUNT_OF(x) (sizeof(x) / sizeof(char *) - 1)
#define MOUNT(d, t, s, ...)                                                                        \
	{                                                                                          \
		d, t, s, WORDS(__VA_ARGS__), COUNT_OF(WORDS(__VA_ARGS__)), NULL, NULL, 0, 0        \
	}

enum { MAPPED_ROOT = 100000, MAPPED_IDS = 65536 };

static const struct oci_id_mapping fixture_map[] = {
	{0, MAPPED_ROOT, MAPPED_IDS}
};
static const struct idmap fixture_idmap = {fixture_map, fixture_map, 1, 1};

/* Of a user without any rights: the only map it can write. */
enum { ROOTLESS_UID = 1000 };
static const struct oci_id_mapping rootless_map[] = {
	{0, ROOTLESS_UID, 1},
};
static const struct idmap rootless_idmap = {rootless_map, rootless_map, 1, 1};

static inline void make_file(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) < 0)
		perror(path);
	(void)close(fd);
}

static inline void make_dir(const char *dir, const char *name, mode_t mode)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (mkdir(path, mode) < 0 || chmod(path, mode) < 0)
		perror(path);
}

static inline long fs_type(const char *path)
{
	struct statfs s;

	return statfs(path, &s) < 0 ? -errno : (long)s.f_type;
}

static inline long mount_flags(const char *path)
{
	struct statfs s;

	return statfs(path, &s) < 0 ? 0 : (long)s.f_flags;
}

static inline bool is_readonly(const char *path)
{
	return mount_flags(path) & ST_RDONLY;
}

static inline bool is_char(const char *path, unsigned int ma, unsigned int mi)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(ma, mi);
}

/* The text of a file, without its last newline. */
static inline const char *text_of(const char *path)
{
	static char text[4096];
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return NULL;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static inline int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static inline bool error_expected(const struct scenario *s, const struct err *e, const char *where)
{
	if (s->may_fail || (s->want_error && strstr(e->msg, s->want_error)))
		return true;
	fprintf(stderr, "%s: %s\n", where, e->msg);
	return false;
}

static inline int become_inside(const struct scenario *s, int userns)
{
	if (!s->late)
		return 0;
	return setns(userns, CLONE_NEWUSER) < 0 || setgid(0) < 0 || setuid(0) < 0 ? -1 : 0;
}

static inline int run_inside(const struct scenario *s, struct arena *a, const struct fs_plan *p,
			     struct fs *fs, int userns)
{
	struct err e;

	checks_failed = 0;
	if (s->userns && (setgid(0) < 0 || setuid(0) < 0))
		return 99;
	if (s->rootless && fs_open(a, p, NULL, &fs, &e) < 0)
		return error_expected(s, &e, "open") ? 0 : 98;
	int64_t t0 = now_us();
	if (fs_build(p, fs, &e) < 0)
		return error_expected(s, &e, "build") ? 0 : 98;
	int64_t t1 = now_us();
	if (s->before_enter)
		s->before_enter(p, fs);
	int64_t t2 = now_us();
	if (fs_enter(p, fs, &e) < 0)
		return error_expected(s, &e, "enter") ? 0 : 97;
	int64_t t3 = now_us();
	if (fs_seal(p, fs, &e) < 0)
		return error_expected(s, &e, "seal") ? 0 : 96;
	if (getenv("BRIG_TEST_TIMES"))
		fprintf(stderr, "build %ld us, enter %ld us, seal %ld us\n", (long)(t1 - t0),
			(long)(t3 - t2), (long)(now_us() - t3));
	fs_close(fs);
	CHECK(!s->want_error);
	if (become_inside(s, userns) < 0)
		return 95;
	if (s->inside)
		s->inside();
	return checks_failed > 90 ? 90 : checks_failed;
}

static inline int clone_and_run(const struct scenario *s, struct arena *a, const struct fs_plan *p,
				struct fs *fs, int userns)
{
	struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS,
				  .exit_signal = SIGCHLD};
	int go[2], status;
	struct err e;
	char byte;

	if (s->userns)
		args.flags |= CLONE_NEWUSER;
	if (!s->host_net)
		args.flags |= CLONE_NEWNET;
	if (s->own_cgroup_ns)
		args.flags |= CLONE_NEWCGROUP;
	if (pipe2(go, O_CLOEXEC) < 0)
		return 95;
	pid_t pid = sys_clone3(&args);
	if (pid == 0) {
		(void)close(go[1]);
		_exit(read(go[0], &byte, 1) == 1 ? run_inside(s, a, p, fs, userns) : 94);
	}
	if (pid < 0)
		return 93;
	if (s->userns &&
	    idmap_write(s->rootless ? &rootless_idmap : &fixture_idmap, pid, !s->rootless, &e) < 0)
		fprintf(stderr, "idmap: %s\n", e.msg);
	fs_close(fs);
	if (write(go[1], "", 1) != 1 || waitpid(pid, &status, 0) != pid)
		return 92;
	(void)close(go[0]);
	(void)close(go[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int run_bundle(const struct scenario *s, const char *bundle)
{
	struct fs_request req = {
		.config = &s->config,
		.bundle = bundle,
		.no_pivot = s->no_pivot,
		.has_userns = s->userns || s->late,
		.late_userns = s->late,
		.untouched = s->untouched,
		.private_root = s->private_root,
		.tmpfs_root = s->tmpfs_root,
		.tmpfs_size = s->tmpfs_size,
		.tmpfs_inodes = s->tmpfs_inodes,
		.own_cgroup_ns = s->own_cgroup_ns,
		.own_mount_ns = true,
		.own_net_ns = !s->host_net,
		.rootless = s->rootless,
		.idmap = s->rootless            ? &rootless_idmap
			 : s->userns || s->late ? &fixture_idmap
						: NULL,
		.machine = s->machine,
		.cgroup_layout = s->layout,
		.cgroup_views = s->views,
		.n_cgroup_views = s->n_views,
	};
	own_arena struct arena a = {0};
	const struct fs_plan *p;
	struct fs *fs = NULL;
	struct err e;
	int64_t t0 = now_us();

	if (fs_plan_make(&a, &req, &p, &e) < 0)
		return error_expected(s, &e, "plan") ? 0 : 91;
	int64_t t1 = now_us();
	own_fd int ns = s->late ? idmap_userns(&fixture_idmap, &e) : -1;
	struct fs_owner owner = {s->unmapped ? -1 : ns, &fixture_idmap};
	t1 = now_us();
	if (!s->rootless && fs_open(&a, p, s->late ? &owner : NULL, &fs, &e) < 0)
		return error_expected(s, &e, "open") ? 0 : 91;
	if (s->opened)
		s->opened(fs);
	if (getenv("BRIG_TEST_TIMES"))
		fprintf(stderr, "plan %ld us, open %ld us\n", (long)(t1 - t0),
			(long)(now_us() - t1));
	return clone_and_run(s, &a, p, fs, ns);
}

static inline int count_mounts(void)
{
	own_fd int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t n;
	int lines = 0;

	while ((n = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += text[i] == '\n';
	return lines;
}

/* In a mount namespace that dies with the process: nothing of a scenario reaches the host. */
static inline int run_private(const struct scenario *s)
{
	static const char *const dirs[] = {"rootfs",     "rootfs/bin", "rootfs/proc", "rootfs/sys",
					   "rootfs/dev", "rootfs/etc", "rootfs/tmp"};
	const char *bundle = "/mnt/bundle";

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755") < 0 ||
	    mount("", "/mnt", NULL, MS_SHARED, NULL) < 0)
		return 89;
	umask(022);
	make_dir("/mnt", "bundle", 0755);
	for (size_t i = 0; i < LEN(dirs); i++)
		make_dir(bundle, dirs[i], 0755);
	make_file(bundle, "rootfs/etc/marker", "image", 0644);
	if (s->prepare)
		s->prepare(bundle);
	if (s->rootless) {
		if (system("chown -Rh 1000:1000 /mnt/bundle") != 0 ||
		    setresgid(ROOTLESS_UID, ROOTLESS_UID, ROOTLESS_UID) < 0 ||
		    setresuid(ROOTLESS_UID, ROOTLESS_UID, ROOTLESS_UID) < 0 ||
		    prctl(PR_SET_DUMPABLE, 1) < 0)
			return 87;
	} else if (s->userns && system("chown -Rh 100000:100000 /mnt/bundle/rootfs") != 0)
		return 88;
	int before = count_mounts();
	int r = run_bundle(s, bundle);
	checks_failed = 0;
	/* of a level nothing may stay on the host, however it ended */
	CHECK(!s->late || count_mounts() == before);
	if (s->after)
		s->after();
	return r ? r : checks_failed;
}

/* Runs the scenario; true if everything checked inside and the end was as wanted. */
static inline bool scenario_passes(struct scenario *s)
{
	int status;

	s->config.root = &s->root;
	s->config.linux_ = &s->linux_;
	if (!s->root.path)
		s->root.path = "rootfs";
	pid_t pid = fork();
	if (pid == 0)
		_exit(run_private(s));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fprintf(stderr, "scenario ended with status %x\n", (unsigned int)status);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#endif
