/*
 * Probes that take too much.  Each stops at a bound of its own, above what a level gives and
 * small enough for the machine of the control arm; "ok" means that nothing stopped it before.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define P(x) ((uintptr_t)(x))
enum {
	MANY_PROCESSES = 700,
	MANY_FILES = 70000,
	MANY_TIMERS = 200000,
	MANY_FDS = 70000,
	MANY_TERMINALS = 5000,
	MANY_WATCHES = 300,
	PIPE_BYTES = 64 << 20
};
/* Above the memory limit that the runner sets, and the size of each tmpfs. */
static const size_t much = 300ul << 20;

static long fork_bomb(const struct attack *self)
{
	static pid_t child[MANY_PROCESSES];
	int n, error = 0;

	(void)self;
	for (n = 0; n < MANY_PROCESSES; n++) {
		child[n] = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (child[n] == 0)
			for (;;)
				pause();
		if (child[n] < 0) {
			error = errno;
			break;
		}
	}
	while (n-- > 0)
		kill(child[n], SIGKILL);
	while (wait(NULL) > 0)
		;
	return -error;
}

static void raise_nofile(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r); /* the soft limit then bounds the probe */
	}
}

static long fd_bomb(const struct attack *self)
{
	(void)self;
	raise_nofile();
	for (int n = 0; n < MANY_FDS; n++)
		if (dup(1) < 0)
			return -errno;
	return 0;
}

static long pty_bomb(const struct attack *self)
{
	(void)self;
	raise_nofile();
	for (int n = 0; n < MANY_TERMINALS; n++)
		if (open("/dev/ptmx", O_RDWR | O_NOCTTY) < 0)
			return -errno;
	return 0;
}

static long timer_bomb(const struct attack *self)
{
	struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	int id;

	for (int n = 0; n < MANY_TIMERS; n++) {
		long r = sys(self->nr, CLOCK_MONOTONIC, P(&e), P(&id), 0L, 0L, 0L);

		if (r < 0)
			return r;
	}
	return 0;
}

static long inotify_bomb(const struct attack *self)
{
	(void)self;
	for (int n = 0; n < MANY_WATCHES; n++)
		if (inotify_init1(IN_CLOEXEC) < 0)
			return -errno;
	return 0;
}

static long inode_bomb(const struct attack *self)
{
	char path[64];
	int n, error = 0;

	(void)self;
	if (mkdir("/tmp/many", 0700) && errno != EEXIST)
		return -errno;
	for (n = 0; n < MANY_FILES && !error; n++) {
		snprintf(path, sizeof(path), "/tmp/many/%d", n);
		if (mknod(path, S_IFREG | 0600, 0))
			error = errno;
	}
	while (n-- > 0) {
		snprintf(path, sizeof(path), "/tmp/many/%d", n);
		unlink(path);
	}
	rmdir("/tmp/many");
	return -error;
}

static long fill(int fd)
{
	static char mib[1 << 20];
	long r = 0;

	if (fd < 0)
		return -errno;
	memset(mib, 'x', sizeof(mib));
	for (size_t n = 0; n < much && r >= 0; n += sizeof(mib))
		r = write(fd, mib, sizeof(mib)) < 0 ? -errno : 0;
	(void)ftruncate(fd, 0);
	return r;
}

static long tmpfs_bomb(const struct attack *self)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/attack-full", self->path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		unlink(path);
	return fill(fd);
}

static long memfd_bomb(const struct attack *self)
{
	return fill((int)sys(self->nr, P("attack"), 0L, 0L, 0L, 0L, 0L));
}

static long heap_bomb(const struct attack *self)
{
	char *p = mmap(NULL, much, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)self;
	if (p == MAP_FAILED)
		return -errno;
	for (size_t i = 0; i < much; i += 4096)
		p[i] = 1;
	return 0;
}

static long lock_memory(const struct attack *self)
{
	void *p = mmap(NULL, much, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return sys(self->nr, P(p), (long)much, 0L, 0L, 0L, 0L);
}

static long big_pipe(const struct attack *self)
{
	int fds[2];

	if (pipe(fds))
		return -errno;
	return sys(self->nr, fds[0], F_SETPIPE_SZ, PIPE_BYTES, 0L, 0L, 0L);
}

const struct attack limit_attacks[] = {
	{"fork-bomb",    SYS_clone,         {0}, fork_bomb,    NULL,       0},
	{"fd-bomb",      SYS_dup,           {0}, fd_bomb,      NULL,       0},
	{"pty-bomb",     0,                 {0}, pty_bomb,     NULL,       0},
	{"timer-bomb",   SYS_timer_create,  {0}, timer_bomb,   NULL,       0},
	{"inotify-bomb", SYS_inotify_init1, {0}, inotify_bomb, NULL,       0},
	{"inode-bomb",   SYS_mknod,         {0}, inode_bomb,   NULL,       0},
	{"tmp-bomb",     0,                 {0}, tmpfs_bomb,   "/tmp",     0},
	{"shm-bomb",     0,                 {0}, tmpfs_bomb,   "/dev/shm", 0},
	{"memfd-bomb",   SYS_memfd_create,  {0}, memfd_bomb,   NULL,       0},
	{"heap-bomb",    0,                 {0}, heap_bomb,    NULL,       0},
	{"mlock-bomb",   SYS_mlock,         {0}, lock_memory,  NULL,       0},
	{"pipe-bomb",    SYS_fcntl,         {0}, big_pipe,     NULL,       0},
	{NULL,           0,                 {0}, NULL,         NULL,       0},
};
