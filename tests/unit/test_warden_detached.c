/* A warden as a process around the sandbox: what it is, and that neither outlives the other. */
#include <dirent.h>
#include <sys/file.h>
#include <sys/un.h>

#include "warden/internal.h"
#include "warden_boxed.h"

static void attacker(int sync)
{
	struct err e;

	pass_listener(sync);
	if (sync_expect(sync, SYNC_LISTENER_DONE, &e) < 0)
		_exit(91);
	box_attempt();
	_exit(92);
}

static void test_exit(void)
{
	own_arena struct arena a = {0};
	struct boxed b = {0};

	make(&b, &(struct warden_plan){.notify = true, .wall_ms = 60000}, sleeper);
	CHECK(!readable(b.warden.pidfd, 100));
	/* Numbers are those of our namespace: it is our child, as an engine's reaper needs it. */
	CHECK(kill(b.box.pid, SIGKILL) == 0);
	CHECK(WTERMSIG(box_end(&b.box, 1000)) == SIGKILL);
	struct warden_end end = drop(&b, &a, 0);
	CHECK_STR(end.reason, "exited");
	CHECK(!end.tainted);
}

static void test_timeout(void)
{
	own_arena struct arena a = {0};
	struct boxed b = {0};
	struct err e = {0};

	make(&b, &(struct warden_plan){.wall_ms = 100}, sleeper);
	warden_detached_leave(&b.warden);
	CHECK(kill(b.warden.pid, 0) == 0);
	b.warden.pidfd = sys_pidfd_open(b.warden.pid, 0);
	/* A created sandbox: nothing runs until start has told it. */
	CHECK(!readable(b.box.pidfd, 200));
	uint64_t from = now_ms();
	CHECK(warden_tell_started(b.dir.fd, &e) == 0);
	CHECK(WTERMSIG(box_end(&b.box, 1000)) == SIGKILL);
	CHECK(now_ms() - from >= 100 && now_ms() - from < 400);
	struct warden_end end = drop(&b, &a, 0);
	CHECK_STR(end.reason, "timeout");
	CHECK(end.wall_ms == 100);
}

static void test_syscall(bool by_socket)
{
	own_arena struct arena a = {0};
	struct boxed b = {0};
	struct err e = {0};

	make(&b, &(struct warden_plan){.notify = true}, attacker);
	int listener = box_listener(&b.box);
	if (by_socket)
		CHECK(warden_tell_listener(b.dir.fd, listener, &e) == 0);
	else
		CHECK(warden_detached_listener(&b.warden, listener, &e) == 0);
	(void)close(listener);
	CHECK(sync_send(b.box.sync, SYNC_LISTENER_DONE, &e) == 0);
	CHECK(WTERMSIG(box_end(&b.box, 1000)) == SIGKILL);
	struct warden_end end = drop(&b, &a, 0);
	CHECK_STR(end.reason, "syscall");
	CHECK_STR(end.syscall, "swapoff");
	CHECK(end.count == 1 && end.tainted);
}

/* Beside its init: files are written to. */
static void test_poke(void)
{
	own_arena struct arena a = {0};
	struct boxed b = {0};
	struct err e = {0};
	char text[16] = "";
	int pipes[2];

	make(&b, &(struct warden_plan){.wall_ms = 50}, sleeper);
	CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	for (int i = 0; i < POKES_MAX; i++)
		CHECK(warden_detached_poke(&b.warden, pipes[1], i ? "x" : "THAWED", !i, &e) == 0);
	CHECK(warden_detached_poke(&b.warden, pipes[1], "x", false, &e) == -E2BIG);
	(void)close(pipes[1]);
	CHECK(warden_detached_started(&b.warden, &e) == 0);
	(void)box_end(&b.box, 1000);
	CHECK(drop(&b, &a, 0).wall_ms == 50);
	CHECK(read(pipes[0], text, sizeof(text)) == 13);
	CHECK(strncmp(text, "THAWEDxxxxxxx", 13) == 0);
	(void)close(pipes[0]);
}

/* A family inside: all of it goes, and the listener's end answers ENOSYS to nobody. */
static void family(int sync)
{
	pass_listener(sync);
	for (int i = 0; i < 5; i++)
		if (fork() == 0)
			pause();
	(void)!write(sync, "x", 1);
	pause();
}

static void test_kill_warden(void)
{
	own_arena struct arena a = {0};
	struct boxed b = {0};
	struct err e = {0};
	struct timespec t0, t1;
	char x[16];

	make(&b, &(struct warden_plan){.notify = true}, family);
	int listener = box_listener(&b.box);
	CHECK(warden_detached_listener(&b.warden, listener, &e) == 0);
	(void)close(listener);
	CHECK(read(b.box.sync, x, sizeof(x)) == 1);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	CHECK(kill(b.warden.pid, SIGKILL) == 0);
	CHECK(readable(b.box.pidfd, 1000));
	clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("# sandbox ended %.2f ms after its warden was killed\n",
	       (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e6);
	/* Its descriptors are gone with it: nobody else of the family lives. */
	CHECK(read(b.box.sync, x, sizeof(x)) == 0);
	CHECK(warden_tell_started(b.dir.fd, &e) == -ECONNREFUSED);
	CHECK(strncmp(e.msg, "warden lost", 11) == 0);
	CHECK(WTERMSIG(box_end(&b.box, 0)) == SIGKILL);
	/* Nobody has written why: that is how others know. */
	CHECK(!drop(&b, &a, SIGKILL).reason);
}

static long status_field(pid_t pid, const char *name, int base)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_peek(AT_FDCWD, path, text, sizeof(text)) < 0)
		return -1;
	char *p = strstr(text, name);
	return p ? strtol(p + strlen(name), NULL, base) : -1;
}

static int count_fds(pid_t pid)
{
	char path[64], target[256];
	struct dirent *de;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	own_dir DIR *d = opendir(path);
	while (d && (de = readdir(d))) {
		ssize_t len = readlinkat(dirfd(d), de->d_name, target, sizeof(target) - 1);

		if (len < 0)
			continue;
		target[len] = '\0';
		CHECK(strncmp(target, "pipe:", 5) != 0);
		n++;
	}
	return n;
}

/* null x 3, epoll, timer, directory, pidfd, control, link: once it has closed what came with a
 * message that it has answered already. */
static int settled_fds(pid_t pid, int want)
{
	int n = 0;

	for (int i = 0; i < 100 && (n = count_fds(pid)) != want; i++)
		(void)usleep(10000);
	return n;
}

static void test_confined(void)
{
	own_arena struct arena a = {0};
	struct boxed b = {0};
	int pipes[2];
	char x;

	CHECK(pipe(pipes) == 0); /* inherited, as what an engine gives to create */
	/* The state's lock is its maker's. */
	struct state_dir locked;
	state_make(&locked);
	CHECK(flock(locked.fd, LOCK_EX | LOCK_NB) == 0);
	make(&b, &(struct warden_plan){.notify = true}, sleeper);
	pid_t w = b.warden.pid;
	CHECK(getsid(w) == w && getpgid(w) == w);
	CHECK(status_field(w, "\nSeccomp:\t", 10) == 2);
	CHECK(status_field(w, "\nNoNewPrivs:\t", 10) == 1);
	CHECK(status_field(w, "\nCapPrm:\t", 16) == 0x20); /* CAP_KILL */
	CHECK(status_field(w, "\nCapEff:\t", 16) == 0x20);
	CHECK(settled_fds(w, 12) == 12);
	printf("# a warden's memory: %ld KiB, %ld of them its own\n",
	       status_field(w, "\nVmRSS:\t", 10), status_field(w, "\nRssAnon:\t", 10));
	(void)close(pipes[1]);
	(void)usleep(50000); /* until the sleeper has closed its copies */
	CHECK(readable(pipes[0], 1000) && read(pipes[0], &x, 1) == 0);
	(void)close(pipes[0]);
	own_fd int other = open(locked.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)close(locked.fd);
	CHECK(flock(other, LOCK_EX | LOCK_NB) == 0);
	locked.fd = -1;
	state_drop(&locked);
	box_kill(&b.box);
	(void)box_end(&b.box, 1000);
	(void)drop(&b, &a, 0);
}

/* As which signal or exit code fn ends in a confined process. */
static int confined(void (*fn)(void))
{
	struct state_dir dir;
	int status = -1;

	state_make(&dir);
	pid_t pid = fork();
	if (pid == 0) {
		struct err e;

		if (warden_confine(dir.fd, -1, -1, &e) < 0)
			_exit(9);
		fn();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	state_drop(&dir);
	return status;
}

static void try_socket(void)
{
	(void)socket(AF_UNIX, SOCK_STREAM, 0);
}

static void try_execve(void)
{
	(void)execve("/bin/true", (char *[]){NULL}, (char *[]){NULL});
}

static void try_kill(void)
{
	(void)kill(1, 0);
}

static void try_open(void)
{
	_exit(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? 0 : 1);
}

static void test_filter(void)
{
	CHECK(WTERMSIG(confined(try_socket)) == SIGSYS);
	CHECK(WTERMSIG(confined(try_execve)) == SIGSYS);
	CHECK(WTERMSIG(confined(try_kill)) == SIGSYS);
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0)
		CHECK(confined(try_open) == 0);
}

/* The maker dies before there is a sandbox. */
static void test_orphan(void)
{
	struct state_dir dir;
	int up[2];
	pid_t warden = 0;

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
	state_make(&dir);
	CHECK(pipe2(up, O_CLOEXEC) == 0);
	pid_t maker = fork();
	if (maker == 0) {
		struct boxed b = {.dir = dir};
		struct err e;

		if (detach(&b, &(struct warden_plan){.wall_ms = 60000}, &e) == 0)
			(void)!write(up[1], &b.warden.pid, sizeof(pid_t));
		_exit(0);
	}
	CHECK(waitpid(maker, NULL, 0) == maker);
	CHECK(read(up[0], &warden, sizeof(warden)) == (ssize_t)sizeof(warden));
	int pidfd = sys_pidfd_open(warden, 0), status = -1;
	CHECK(readable(pidfd, 1000));
	CHECK(waitpid(warden, &status, 0) == warden);
	CHECK(status == 0);
	if (status)
		printf("# wait status %x\n", status);
	(void)close(pidfd);
	(void)close(up[0]);
	(void)close(up[1]);
	state_drop(&dir);
}

static void test_undo(void)
{
	struct boxed b = {0};
	struct err e = {0};

	state_make(&b.dir);
	CHECK(detach(&b, &(struct warden_plan){.wall_ms = 60000}, &e) == 0);
	warden_detached_end(&b.warden);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	/* The name is taken: an error, and nothing is left. */
	CHECK(detach(&b, &(struct warden_plan){.wall_ms = 60000}, &e) == -EADDRINUSE);
	CHECK(b.warden.pid == 0 && b.warden.link == -1);
	state_drop(&b.dir);
}

/* --- what comes by the control socket ----------------------------------------------------- */

static int dial(const struct state_dir *d)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" WARDEN_SOCKET, d->path);
	CHECK(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0);
	return fd;
}

static void send_fds(int sock, const void *data, size_t len, const int *fds, size_t n)
{
	char space[CMSG_SPACE(sizeof(int) * 32)] = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	CHECK(sendmsg(sock, &h, MSG_NOSIGNAL) == (ssize_t)len);
}

static void test_garbage(void)
{
	own_arena struct arena a = {0};
	struct boxed b = {0};
	struct err e = {0};
	unsigned char junk[4096];
	int many[32], idle[100];
	struct stat st;
	unsigned int seed = 4711;

	make(&b, &(struct warden_plan){.notify = true, .wall_ms = 60000}, sleeper);
	own_fd int own = warden_connect(b.dir.fd, &e);
	CHECK(fstatat(b.dir.fd, WARDEN_SOCKET, &st, 0) == 0 && (st.st_mode & 07777) == 0600);
	int before = settled_fds(b.warden.pid, 11);
	for (size_t i = 0; i < LEN(many); i++)
		many[i] = b.dir.fd;
	for (int i = 0; i < 400; i++) {
		int fd = dial(&b.dir);
		size_t len = i % 2 ? 256 : (size_t)rand_r(&seed) % sizeof(junk);

		for (size_t j = 0; j < sizeof(junk); j++)
			junk[j] = (unsigned char)rand_r(&seed);
		/* Types that are known, too: without, and with descriptors that are none of it. */
		if (i % 4 == 1)
			memcpy(junk, &(uint32_t){(uint32_t)i / 4 % 6}, sizeof(uint32_t));
		if (i % 3)
			(void)send(fd, junk, len, MSG_NOSIGNAL);
		else
			send_fds(fd, junk, len ? len : 1, many, 1 + (size_t)i % 32);
		(void)close(fd);
	}
	/* Who connects and says nothing is cut off by others, but for the first. */
	for (size_t i = 0; i < LEN(idle); i++)
		idle[i] = dial(&b.dir);
	CHECK(warden_tell_listener(b.dir.fd, b.dir.fd, &e) == -EINVAL);
	CHECK(warden_tell_started(b.dir.fd, &e) == 0);
	CHECK(count_fds(b.warden.pid) <= before + CONNS_MAX);
	for (size_t i = 0; i < LEN(idle); i++)
		(void)close(idle[i]);
	CHECK(warden_detached_started(&b.warden, &e) == 0); /* the maker's end still works */
	CHECK(!readable(b.box.pidfd, 50));
	CHECK(settled_fds(b.warden.pid, before) == before);
	CHECK(warden_send_started(own, NULL, 0, &e) == 0);
	box_kill(&b.box);
	(void)box_end(&b.box, 1000);
	CHECK_STR(drop(&b, &a, 0).reason, "exited");
}

/* The sandbox's own side as it is without anybody to wait for answers. */
static void own_attacker(int sync)
{
	struct err e;
	int fd, own = -1;

	if (sync_expect_fd(sync, SYNC_LISTENER, &own, &e) < 0 ||
	    warden_send_started(own, NULL, 0, &e) < 0)
		_exit(94);
	(void)usleep(20000);
	fd = install_notify();
	if (fd < 0 || warden_send_listener(own, fd, &e) < 0)
		_exit(95);
	(void)close_range(3, ~0U, 0); /* as execve does */
	box_attempt();
	_exit(92);
}

static void test_own_side(bool slow)
{
	own_arena struct arena a = {0};
	struct boxed b = {0};
	struct err e = {0};

	make(&b, &(struct warden_plan){.notify = true, .wall_ms = 60000}, own_attacker);
	own_fd int own = warden_connect(b.dir.fd, &e);
	/* Stopped, it finds all of it at once later, from somebody who has gone. */
	if (slow)
		CHECK(kill(b.warden.pid, SIGSTOP) == 0);
	CHECK(sync_send_fd(b.box.sync, SYNC_LISTENER, own, &e) == 0);
	own_close(&own);
	(void)usleep(100000);
	CHECK(kill(b.warden.pid, SIGCONT) == 0);
	CHECK(WTERMSIG(box_end(&b.box, 1000)) == SIGKILL);
	CHECK_STR(drop(&b, &a, 0).syscall, "swapoff");
}

/* delete: who has nothing left to write does not hold it up, a zombie of the sandbox neither. */
static void test_await_end(void)
{
	own_arena struct arena a = {0};
	struct boxed b = {0};
	uint64_t from = now_ms();

	make(&b, &(struct warden_plan){.wall_ms = 60000}, sleeper);
	warden_await_end(b.dir.fd, 100);
	CHECK(now_ms() - from >= 100);
	from = now_ms();
	box_kill(&b.box);
	warden_await_end(b.dir.fd, 2000);
	CHECK(now_ms() - from < 1000);
	/* Its init is not reaped yet: neither is the warden. */
	CHECK(!readable(b.warden.pidfd, 0));
	CHECK(faccessat(b.dir.fd, WARDEN_ENDED, F_OK, 0) == 0);
	warden_await_end(b.dir.fd, 2000);
	(void)box_end(&b.box, 0);
	(void)drop(&b, &a, 0);
}

static void test_stranger(void)
{
	own_arena struct arena a = {0};
	struct boxed b = {0};
	int status = -1;

	make(&b, &(struct warden_plan){.wall_ms = 50}, sleeper);
	/* Even if the directory let it: the socket's mode, and the peer's uid. */
	CHECK(chmod(b.dir.path, 0755) == 0);
	CHECK(fchmodat(b.dir.fd, WARDEN_SOCKET, 0666, 0) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct err e;

		if (setresuid(4711, 4711, 4711) < 0)
			_exit(9);
		_exit(warden_tell_started(b.dir.fd, &e) == -ECONNRESET ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(!readable(b.box.pidfd, 150));
	box_kill(&b.box);
	(void)box_end(&b.box, 1000);
	(void)drop(&b, &a, 0);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: not root\n");
		return 0;
	}
	test_exit();
	test_timeout();
	test_syscall(false);
	test_syscall(true);
	test_kill_warden();
	test_confined();
	test_filter();
	test_garbage();
	test_own_side(false);
	test_own_side(true);
	test_poke();
	test_await_end();
	test_stranger();
	test_undo();
	test_orphan();
	return check_done();
}
