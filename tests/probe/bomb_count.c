/* Things of which there may be so many; BOUND and what is held are their number. */
#include "bomb.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Children that wait; refused is told, and then it goes on asking for as long as it lives. */
static int forks(long bound, char **args)
{
	bool insist = strcmp(arg(&args, ""), "insist") == 0;
	long n = 0, refused = 0;

	signal(SIGCHLD, SIG_DFL);
	while (n < bound) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				pause();
		if (pid > 0) {
			held(++n);
			continue;
		}
		if (!refused++)
			(void)stopped(errno);
		if (!insist)
			return 1;
		(void)sched_yield();
	}
	return stopped(0);
}

/* Every process makes more of them: the number doubles until it may not. */
static int fork_bomb(long bound, char **args)
{
	atomic_long *made = shared(sizeof(*made));

	(void)args;
	signal(SIGTERM, SIG_IGN);
	while (atomic_load(made) < bound)
		if (fork() == 0)
			held(atomic_fetch_add(made, 1) + 1);
	for (;;)
		pause();
	return 0;
}

static void *idle(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static int threads(long bound, char **args)
{
	pthread_attr_t a;

	(void)args;
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 32 << 10);
	for (long n = 0; n < bound;) {
		pthread_t t;
		int err = pthread_create(&t, &a, idle, NULL);

		if (err)
			return stopped(err);
		held(++n);
	}
	return stopped(0);
}

/* Processes with threads of their own, so that neither alone reaches the limit. */
static int mixed_tasks(long bound, char **args)
{
	atomic_long *made = shared(sizeof(*made));
	long each = number(&args, 10);

	while (atomic_load(made) < bound) {
		pid_t pid = fork();
		pthread_t t;

		if (pid < 0)
			return stopped(errno);
		if (pid > 0) {
			(void)wait(NULL); /* until it or its threads are refused */
			return 1;
		}
		held(atomic_fetch_add(made, 1) + 1);
		for (long i = 0; i < each; i++) {
			int err = pthread_create(&t, NULL, idle, NULL);

			if (err)
				exit(stopped(err));
			held(atomic_fetch_add(made, 1) + 1);
		}
	}
	return stopped(0);
}

static int descriptors(long bound, char **args)
{
	struct rlimit r;

	(void)args;
	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
		r.rlim_max = r.rlim_cur = (rlim_t)bound;
		(void)setrlimit(RLIMIT_NOFILE, &r); /* more than it has: refused */
	}
	for (long n = 0; n < bound;) {
		if (dup(2) < 0)
			return stopped(errno);
		held(++n);
	}
	return stopped(0);
}

static int make_inode(const char *kind, const char *path)
{
	if (!strcmp(kind, "directories"))
		return mkdir(path, 0700);
	if (!strcmp(kind, "symlinks"))
		return symlink("nowhere", path);
	if (!strcmp(kind, "fifos"))
		return mknod(path, S_IFIFO | 0600, 0);
	return mknod(path, S_IFREG | 0600, 0);
}

static int inodes(long bound, char **args)
{
	const char *dir = arg(&args, "/tmp"), *kind = arg(&args, "files");
	char path[256];

	for (long n = 0; n < bound;) {
		snprintf(path, sizeof(path), "%s/%ld", dir, n);
		if (make_inode(kind, path) < 0) {
			int err = errno;

			held(n);
			return stopped(err);
		}
		if (++n % 256 == 0)
			held(n);
	}
	return stopped(0);
}

const struct bomb count_bombs[] = {
	{"forks",			 forks, "[insist]: children that wait"},
	{"fork-bomb", fork_bomb, "every child forks"},
	{"threads",		     threads, ""},
	{"tasks",            mixed_tasks, "[N]: processes of N threads each"},
	{"descriptors",                       descriptors, "after asking for a higher limit"},
	{"inodes",			     inodes, "[DIR [files|directories|symlinks|fifos]]"},
	{0			},
};
