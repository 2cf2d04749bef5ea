#ifndef BRIG_TESTS_WARDEN_FIXTURE_H
#define BRIG_TESTS_WARDEN_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "check.h"
#include "run/sync.h"
#include "warden/warden.h"

/* Sandboxes as a warden sees them: an init in a pid namespace of its own that does something. */
struct box {
	pid_t pid;
	int pidfd, sync;
	int killed;
};

/* A directory like a container's state directory. */
struct state_dir {
	char path[64];
	int fd;
};

static inline void state_make(struct state_dir *s)
{
	snprintf(s->path, sizeof(s->path), "/tmp/brig-warden-XXXXXX");
	if (!mkdtemp(s->path))
		abort();
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline void state_drop(struct state_dir *s)
{
	struct err e;

	(void)close(s->fd);
	if (file_remove_tree(AT_FDCWD, s->path, &e) < 0)
		fprintf(stderr, "%s\n", e.msg);
}

static inline uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The calls that are notified here: nothing in a test makes them but on purpose. */
#define NOTIFIED_NR SYS_swapoff

/* A filter that notifies of NOTIFIED_NR; the listener, or -1. */
static inline int install_notify(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NOTIFIED_NR, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = LEN(f), .filter = f};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &prog);
}

static inline void pass_listener(int sync)
{
	struct err e;
	int fd = install_notify();

	if (fd < 0 || sync_send_fd(sync, SYNC_LISTENER, fd, &e) < 0)
		_exit(90);
	(void)close(fd);
}

static inline void box_attempt(void)
{
	(void)syscall(NOTIFIED_NR, "/nowhere");
}

/* fn runs as the init of a new pid namespace, with its end of the pair. */
static inline void box_make(struct box *b, void (*fn)(int sync))
{
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&b->pidfd,
		.exit_signal = SIGCHLD,
	};
	struct err e;
	int fds[2];

	b->killed = 0;
	if (sync_pair(fds, &e) < 0)
		abort();
	b->pid = sys_clone3(&args);
	if (b->pid < 0)
		abort();
	if (b->pid == 0) {
		(void)close(fds[0]);
		fn(fds[1]);
		_exit(0);
	}
	(void)close(fds[1]);
	b->sync = fds[0];
}

static inline void box_kill(void *ctx)
{
	struct box *b = ctx;

	b->killed++;
	(void)sys_pidfd_send_signal(b->pidfd, SIGKILL);
}

static inline int readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) > 0;
}

/* Its wait status; killed first when it has not ended within ms. */
static inline int box_end(struct box *b, int ms)
{
	int status = -1;

	CHECK(readable(b->pidfd, ms));
	(void)sys_pidfd_send_signal(b->pidfd, SIGKILL);
	CHECK(waitpid(b->pid, &status, 0) == b->pid);
	(void)close(b->pidfd);
	(void)close(b->sync);
	return status;
}

static inline int box_listener(const struct box *b)
{
	struct err e = {0};
	int fd = -1;

	CHECK(sync_expect_fd(b->sync, SYNC_LISTENER, &fd, &e) == 0);
	return fd;
}

static inline const char *swap_name(long nr)
{
	return nr == NOTIFIED_NR ? "swapoff" : NULL;
}

/* What its host's loop does: until the sandbox is over, or ms have passed. */
static inline int work_until_over(struct warden *w, int ms)
{
	uint64_t end = now_ms() + (uint64_t)ms;
	int rounds = 0, r = 0;
	struct err e = {0};

	while (r == 0 && !warden_over(w) && now_ms() < end) {
		(void)readable(warden_fd(w), 50);
		r = warden_work(w, &e);
		rounds++;
	}
	CHECK(r == 0);
	CHECK(warden_over(w));
	return rounds;
}

#endif
