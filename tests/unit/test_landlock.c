/* Landlock: what may be written and what may not, in a root of the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "check.h"
#include "guard/harden.h"
#include "guard/landlock.h"

static struct err err;
static char top[] = "/tmp/brig-landlock-XXXXXX";
static char outside[] = "/tmp/brig-outside-XXXXXX";
static int root = -1, listener = -1, held = -1;

static int child_of(void (*body)(void))
{
	int st = -1;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		checks_failed = 0;
		body();
		fflush(NULL);
		_exit(checks_failed != 0);
	}
	CHECK(waitpid(pid, &st, 0) == pid);
	return st;
}

static const char *const writable[] = {"/w", "/link-to-v", "/etc/hosts", NULL};

static int restrict_with(enum harden_want want, bool scope, int *abi)
{
	const struct harden_plan p = {.landlock = want, .writable = writable, .scope = scope};

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	return harden_landlock(&p, root, abi, &err);
}

/* The errno of opening a path below the root, 0 if it opened. */
static int open_code(const char *path, int flags)
{
	own_fd int fd = openat(root, path, flags | O_CLOEXEC, 0600);

	return fd >= 0 ? 0 : errno;
}

static int code(int r)
{
	return r == 0 ? 0 : errno;
}

static int reopen_code(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own_fd int again = open(path, flags | O_CLOEXEC);
	return again >= 0 ? 0 : errno;
}

static void refused(void)
{
	CHECK(open_code("r/file", O_RDONLY) == 0 && open_code("r", O_RDONLY | O_DIRECTORY) == 0);
	CHECK(open_code("r/file", O_WRONLY) == EACCES && open_code("r/file", O_RDWR) == EACCES);
	CHECK(open_code("r/new", O_WRONLY | O_CREAT) == EACCES);
	CHECK(code(mkdirat(root, "r/d", 0700)) == EACCES);
	CHECK(code(unlinkat(root, "r/file", 0)) == EACCES);
	CHECK(code(unlinkat(root, "r/dir", AT_REMOVEDIR)) == EACCES);
	CHECK(code(symlinkat("x", root, "r/s")) == EACCES);
	CHECK(code(mknodat(root, "r/f", S_IFIFO | 0600, 0)) == EACCES);
	CHECK(code(mknodat(root, "r/c", S_IFCHR | 0600, 0x103)) == EACCES);
	CHECK(code(renameat(root, "r/file", root, "r/other")) == EACCES);
	CHECK(code(linkat(root, "r/file", root, "w/l", 0)) == EXDEV);
	CHECK(open_code("file", O_WRONLY) == EACCES && open_code("etc/other", O_WRONLY) == EACCES);
	if (landlock_abi() >= 3)
		CHECK(open_code("r/file", O_RDONLY | O_TRUNC) == EACCES);
	/* A writable mount point does not open what lies beside it by "..". */
	CHECK(open_code("w/../r/file", O_WRONLY) == EACCES);
	CHECK(open_code("dev/new", O_WRONLY | O_CREAT) == EACCES);
	/* An absolute path that leads to nothing allowed. */
	own_fd int fd = open(outside, O_WRONLY | O_CLOEXEC);
	CHECK(fd < 0 && errno == EACCES);
}

static void allowed(void)
{
	CHECK(open_code("w/new", O_WRONLY | O_CREAT | O_TRUNC) == 0);
	CHECK(mkdirat(root, "w/d", 0700) == 0 && renameat(root, "w/new", root, "w/d/new") == 0);
	CHECK(linkat(root, "w/d/new", root, "w/hard", 0) == 0);
	CHECK(unlinkat(root, "w/hard", 0) == 0 && symlinkat("d", root, "w/s") == 0);
	CHECK(open_code("w/d/new", O_RDWR | O_TRUNC) == 0);
	CHECK(mknodat(root, "w/fifo", S_IFIFO | 0600, 0) == 0);
	CHECK(open_code("w/mnt/new", O_WRONLY | O_CREAT) == 0); /* another mount below it */
	CHECK(open_code("v/new", O_WRONLY | O_CREAT) == 0);     /* named by a symlink */
	CHECK(open_code("etc/hosts", O_WRONLY | O_TRUNC) == 0); /* a file */
	CHECK(open_code("dev/null", O_RDWR | O_TRUNC) == 0 && open_code("dev/zero", O_RDONLY) == 0);
	own_fd int comm = openat(root, "proc/self/comm", O_WRONLY | O_TRUNC | O_CLOEXEC);
	CHECK(comm >= 0 && write(comm, "x", 1) == 1);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	int st = -1;
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
}

/* What has no path, and what was open before. */
static void descriptors(void)
{
	int pipes[2] = {-1, -1};
	own_fd int memory = memfd_create("m", MFD_CLOEXEC);

	CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	CHECK(reopen_code(pipes[1], O_WRONLY) == 0 && reopen_code(memory, O_RDWR | O_TRUNC) == 0);
	CHECK(write(held, "x", 1) == 1 && reopen_code(held, O_WRONLY) == EACCES);
	/* /dev/stdout of a program whose output goes to a file of the host. */
	CHECK(reopen_code(1, O_WRONLY | O_APPEND) == 0 && reopen_code(1, O_WRONLY | O_TRUNC) == 0);
	CHECK(reopen_code(0, O_RDONLY) == 0 && reopen_code(0, O_WRONLY) == EACCES);
	close(pipes[0]);
	close(pipes[1]);
}

static void confined(void)
{
	char name[sizeof(outside) + 8];
	int abi = -1;

	snprintf(name, sizeof(name), "%s.out", outside);
	own_fd int out = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	own_fd int in = open(outside, O_RDONLY | O_CLOEXEC);
	CHECK(dup2(out, 1) == 1 && dup2(in, 0) == 0);
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	CHECK(restrict_with(WANT_REQUIRED, false, &abi) == 0 && abi == landlock_abi());
	clock_gettime(CLOCK_MONOTONIC, &b);
	fprintf(stderr, "# landlock: %ld us\n",
		(b.tv_sec - a.tv_sec) * 1000000L + (b.tv_nsec - a.tv_nsec) / 1000);
	refused();
	allowed();
	descriptors();
	/* A second process, as exec makes it, is of another domain. */
	CHECK(kill(getppid(), 0) == 0);
}

/* --- Abstract sockets --------------------------------------------------------------------- */

static socklen_t abstract(struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, "%s", top);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(top));
}

static int connect_code(void)
{
	struct sockaddr_un un;
	socklen_t len = abstract(&un);
	own_fd int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(s, (struct sockaddr *)&un, len) == 0 ? 0 : errno;
}

static void not_scoped(void)
{
	int abi;

	CHECK(restrict_with(WANT_BEST_EFFORT, false, &abi) == 0 && connect_code() == 0);
}

static void scoped(void)
{
	int abi;

	CHECK(restrict_with(WANT_BEST_EFFORT, true, &abi) == 0);
	CHECK(connect_code() == (abi >= 6 ? EPERM : 0));
	CHECK(kill(getppid(), 0) == 0);
}

/* --- Kernels without ---------------------------------------------------------------------- */

static void hide_landlock(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {LEN(f), f};

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
}

static void missing(void)
{
	struct harden_host h;
	int abi = -1;

	hide_landlock();
	harden_probe(&h);
	CHECK(h.landlock_abi == 0);
	CHECK(restrict_with(WANT_OFF, true, &abi) == 0 && abi == 0);
	CHECK(restrict_with(WANT_BEST_EFFORT, true, &abi) == 0 && abi == 0);
	CHECK(open_code("r/file", O_WRONLY) == 0);
	CHECK(restrict_with(WANT_REQUIRED, true, &abi) == -ENOTSUP);
	CHECK(strstr(err.msg, "landlock: required, and the kernel has none"));
}

static void no_such_path(void)
{
	static const char *const lost[] = {"/none", NULL};
	const struct harden_plan p = {.landlock = WANT_BEST_EFFORT, .writable = lost};
	int abi;

	CHECK(harden_landlock(&p, root, &abi, &err) == -ENOENT &&
	      strstr(err.msg, "landlock: open /none"));
}

static void make_root(void)
{
	static const char *const dirs[] = {"w", "w/mnt", "v", "r", "r/dir", "etc", "dev", "proc"};
	static const char *const files[] = {"file", "r/file", "etc/hosts", "etc/other"};

	CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("t", top, "tmpfs", 0, NULL) == 0);
	root = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < LEN(dirs); i++)
		CHECK(mkdirat(root, dirs[i], 0755) == 0);
	for (size_t i = 0; i < LEN(files); i++)
		CHECK(open_code(files[i], O_WRONLY | O_CREAT) == 0);
	CHECK(symlinkat("/v", root, "link-to-v") == 0);
	CHECK(fchdir(root) == 0);
	CHECK(mount("t", "w/mnt", "tmpfs", 0, NULL) == 0);
	CHECK(mount("/dev", "dev", NULL, MS_BIND, NULL) == 0);
	CHECK(mount("/proc", "proc", NULL, MS_BIND, NULL) == 0);
}

int main(void)
{
	struct sockaddr_un un;
	socklen_t len;

	if (geteuid() != 0 || landlock_abi() < 2) {
		printf("needs root and Landlock\n");
		return 77;
	}
	CHECK(unshare(CLONE_NEWNS) == 0 && mkdtemp(top));
	own_fd int file = mkstemp(outside);
	held = file;
	make_root();
	len = abstract(&un);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(listener, (struct sockaddr *)&un, len) == 0 && listen(listener, 8) == 0);
	CHECK(connect_code() == 0);
	CHECK(child_of(confined) == 0);
	CHECK(child_of(not_scoped) == 0);
	CHECK(child_of(scoped) == 0);
	CHECK(child_of(missing) == 0);
	CHECK(child_of(no_such_path) == 0);
	CHECK(chdir("/") == 0 && umount2(top, MNT_DETACH) == 0 && rmdir(top) == 0);
	CHECK(unlink(outside) == 0);
	char name[sizeof(outside) + 8];
	snprintf(name, sizeof(name), "%s.out", outside);
	CHECK(unlink(name) == 0);
	close(root);
	close(listener);
	return check_done();
}
