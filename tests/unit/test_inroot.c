/* Paths inside a rootfs never lead outside, whatever is planted there. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/inroot.h"
#include "base/own.h"
#include "base/procfd.h"
#include "base/sys.h"
#include "check.h"

static char top[PATH_MAX]; /* holds root/, outside/ */
static int root = -1;
static struct err e;

static const char *in_top(const char *name)
{
	static char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void make_tree(void)
{
	snprintf(top, sizeof(top), "%s/brig-inroot-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	CHECK(mkdtemp(top) != NULL);
	CHECK(mkdir(in_top("root"), 0755) == 0 && mkdir(in_top("outside"), 0755) == 0);
	CHECK(mkdir(in_top("root/dir"), 0755) == 0 && mkdir(in_top("root/dir/sub"), 0755) == 0);
	root = open(in_top("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	int out = open(in_top("outside/secret"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(root >= 0 && out >= 0);
	(void)close(out);
	CHECK(symlinkat("/dir", root, "abs") == 0 && symlinkat("../../..", root, "up") == 0);
	CHECK(symlinkat("../outside", root, "out") == 0 && symlinkat("loop", root, "loop") == 0);
	CHECK(symlinkat("/nowhere/x", root, "dangling") == 0);
	CHECK(symlinkat("/proc/self/root", root, "magic") == 0);
}

static bool same(int fd, const char *name)
{
	struct stat a, b;

	return fd >= 0 && fstat(fd, &a) == 0 && stat(in_top(name), &b) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static bool opens_as(const char *path, const char *name)
{
	own_fd int fd = inroot_open(root, path, O_PATH, 0, &e);

	return same(fd, name);
}

static int open_code(const char *path, int how)
{
	own_fd int fd = inroot_open(root, path, O_PATH, how, &e);

	return fd < 0 ? fd : 0;
}

static void test_open(void)
{
	CHECK(opens_as("/", "root") && opens_as("", "root") && opens_as("dir", "root/dir"));
	CHECK(opens_as("/abs/sub", "root/dir/sub") && opens_as("up", "root"));
	CHECK(opens_as("/up/dir/../dir/sub/..", "root/dir") && opens_as("../../..", "root"));
	CHECK(open_code("out/secret", 0) == -ENOENT && strstr(e.msg, "open out/secret"));
	CHECK(open_code("loop", 0) == -ELOOP && open_code("dangling", 0) == -ENOENT);
	CHECK(open_code("abs", INROOT_NO_SYMLINKS) == -ELOOP);
	CHECK(open_code("abs/sub", INROOT_NO_SYMLINKS) == -ELOOP);
	CHECK(open_code("dir/sub", INROOT_NO_SYMLINKS) == 0);
	own_fd int fd = inroot_open(root, "dir", O_RDONLY | O_DIRECTORY, 0, &e);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	own_fd int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(inroot_open(slash, "/proc/self/root", O_PATH, 0, &e) == -ELOOP);
	CHECK(inroot_open(slash, "/proc/self/fd/0", O_PATH, 0, &e) == -ELOOP);
}

static void test_mkdirs(void)
{
	char too_long[NAME_MAX + 3];
	struct stat st;

	umask(0);
	own_fd int a = inroot_mkdirs(root, "/new/a//./b/", 0, &e);
	CHECK(same(a, "root/new/a/b") && fstat(a, &st) == 0 && (st.st_mode & 07777) == 0755);
	own_fd int b = inroot_mkdirs(root, "abs/made", 0, &e);
	CHECK(same(b, "root/dir/made"));
	own_fd int c = inroot_mkdirs(root, "up/other/made", 0, &e);
	CHECK(same(c, "root/other/made"));
	own_fd int d = inroot_mkdirs(root, "dir/../third", 0, &e);
	CHECK(same(d, "root/third"));
	CHECK(inroot_mkdirs(root, "out/x", 0, &e) == -ENOENT ||
	      access(in_top("outside/x"), F_OK) < 0);
	CHECK(access(in_top("outside/x"), F_OK) < 0);
	CHECK(inroot_mkdirs(root, "dangling/y", INROOT_NO_SYMLINKS, &e) == -ELOOP);
	CHECK(inroot_mkdirs(root, "loop/y", 0, &e) == -ELOOP);
	CHECK(access(in_top("root/nowhere"), F_OK) < 0);
	own_fd int f = inroot_mkdirs(root, "dangling/y", 0, &e);
	CHECK(same(f, "root/nowhere/x/y"));
	/* chains of links, relative ones and such as want to leave */
	CHECK(symlinkat("dir/../link2/b", root, "link1") == 0);
	CHECK(symlinkat("../../../../outside/made", root, "link2") == 0);
	own_fd int g = inroot_mkdirs(root, "abs/../link1/c", 0, &e);
	CHECK(same(g, "root/outside/made/b/c"));
	CHECK(access(in_top("outside/made"), F_OK) < 0);
	CHECK(inroot_mkdirs(root, "abs/n", INROOT_NO_SYMLINKS, &e) == -ELOOP);
	CHECK(inroot_mkdirs(root, "absent/../../x", 0, &e) < 0);
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	CHECK(inroot_mkdirs(root, too_long, 0, &e) == -ENAMETOOLONG);
	CHECK(strstr(e.msg, "make directory"));
}

static void test_mkfile_and_parent(void)
{
	const char *name = NULL;
	struct stat st;

	own_fd int f = inroot_mkfile(root, "/files/deep/f", &e);
	CHECK(same(f, "root/files/deep/f") && fstat(f, &st) == 0 && S_ISREG(st.st_mode));
	CHECK((st.st_mode & 07777) == 0644 && st.st_size == 0);
	own_fd int again = inroot_mkfile(root, "files/deep/f", &e);
	CHECK(same(again, "root/files/deep/f"));
	CHECK(symlinkat("../run/stub", root, "files/resolv.conf") == 0);
	own_fd int stub = inroot_mkfile(root, "/files/resolv.conf", &e);
	CHECK(same(stub, "root/run/stub") && fstat(stub, &st) == 0 && S_ISREG(st.st_mode));
	CHECK(symlinkat("/../../outside/new", root, "files/out") == 0);
	own_fd int out = inroot_mkfile(root, "files/out", &e);
	CHECK(same(out, "root/outside/new") && access(in_top("outside/new"), F_OK) < 0);
	CHECK(inroot_mkfile(root, "loop", &e) == -ELOOP);
	CHECK(inroot_mkfile(root, "files/deep/f/below", &e) == -ENOTDIR);
	own_fd int p = inroot_parent(root, "abs/p/q", &name, &e);
	CHECK(same(p, "root/dir/p"));
	CHECK_STR(name, "q");
	own_fd int top_dir = inroot_parent(root, "plain", &name, &e);
	CHECK(same(top_dir, "root"));
	CHECK_STR(name, "plain");
	CHECK(inroot_parent(root, "/", &name, &e) == -EINVAL);
	CHECK(inroot_parent(root, "a/..", &name, &e) == -EINVAL);
	CHECK(inroot_parent(root, "", &name, &e) == -EINVAL);
	CHECK(inroot_parent(root, "a/.", &name, &e) == -EINVAL);
}

/* A neighbour swaps a directory and a symlink to the outside all the time (CVE-2021-30465). */
static void swap_forever(void)
{
	(void)!symlinkat("../../outside", root, "race/link");
	for (;;)
		(void)syscall(SYS_renameat2, root, "race/a", root, "race/link", 2 /* EXCHANGE */);
}

static void test_race(void)
{
	CHECK(mkdirat(root, "race", 0755) == 0 && mkdirat(root, "race/a", 0755) == 0);
	int landed = 0;
	pid_t pid = fork();
	if (pid == 0)
		swap_forever();
	for (int i = 0; i < 2000; i++) {
		char path[64];

		snprintf(path, sizeof(path), "race/a/d%d/e", i);
		own_fd int fd = inroot_mkdirs(root, path, 0, &e);
		snprintf(path, sizeof(path), "race/a/f%d", i);
		own_fd int file = inroot_mkfile(root, path, &e);
		/* either may fail: only where it lands counts */
		landed += fd >= 0 && file >= 0;
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	own_dir DIR *d = opendir(in_top("outside"));
	size_t n = 0;
	for (struct dirent *de; d && (de = readdir(d));)
		n++;
	CHECK(landed > 0);
	CHECK(n == 3); /* ".", ".." and secret */
}

static void test_procfd(void)
{
	char text[64], want[64];

	own_fd int proc = procfd_open(&e);
	CHECK(proc >= 0);
	own_fd int fd = procfd_file(proc, "self/stat", O_RDONLY, &e);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	snprintf(want, sizeof(want), "%d (", (int)getpid());
	CHECK(strncmp(text, want, strlen(want)) == 0);
	CHECK(procfd_write(proc, "self/comm", "renamed", &e) == 0);
	CHECK(procfd_write(proc, "thread-self/comm", "renamed", &e) == 0);
	CHECK(procfd_file(proc, "self/root/etc/passwd", O_RDONLY, &e) < 0);
	CHECK(procfd_file(proc, "self/cwd", O_PATH, &e) == -ELOOP);
	CHECK(procfd_file(proc, "self/exe", O_RDONLY, &e) == -ELOOP);
	CHECK(procfd_file(proc, "mounts", O_RDONLY, &e) == -ELOOP);
	CHECK(procfd_file(proc, "../etc/passwd", O_RDONLY, &e) < 0);
	CHECK(procfd_file(proc, "/etc/passwd", O_RDONLY, &e) < 0);
	CHECK(procfd_write(proc, "version", "x", &e) < 0 && strstr(e.msg, "/proc/version"));
	/* a handle on something else is noticed */
	own_fd int tmp = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(procfd_file(tmp, "etc/passwd", O_RDONLY, &e) == -EXDEV);
}

/* In a user namespace without a pid namespace no procfs can be mounted: the runtime's serves. */
static void test_procfd_fallback(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		own_fd int proc = -1;

		checks_failed = 0;
		CHECK(unshare(CLONE_NEWUSER) == 0);
		proc = procfd_open(&e);
		CHECK(proc >= 0 && procfd_write(proc, "self/comm", "fallback", &e) == 0);
		_exit(checks_failed);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
	make_tree();
	test_open();
	test_mkdirs();
	test_mkfile_and_parent();
	test_race();
	test_procfd();
	test_procfd_fallback();
	own_close(&root);
	CHECK(file_remove_tree(AT_FDCWD, top, &e) == 0);
	return check_done();
}
