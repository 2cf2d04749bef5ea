/* Bytes written: output, files, disks; BOUND and what is held are bytes. */
#include "bomb.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 64 << 10, BIG = 1 << 20 };

/* Nothing is told on standard output here: that is the flood. */
static int output(long bound, char **args)
{
	const char *where = arg(&args, "out");
	long size = number(&args, 4096), n = 0;
	static char line[BLOCK];

	if (size < 1 || size > BLOCK)
		size = BLOCK;
	memset(line, 'x', sizeof(line));
	line[size - 1] = '\n';
	for (int turn = 0; n < bound; turn++) {
		bool err = !strcmp(where, "err") || (!strcmp(where, "both") && turn % 2);
		ssize_t r = write(err ? 2 : 1, line, (size_t)(size < bound - n ? size : bound - n));

		if (r < 0)
			return 1;
		n += r;
	}
	return 0;
}

/* One file to its end.  "deaf" ignores SIGXFSZ, so that write says EFBIG. */
static int large_file(long bound, char **args)
{
	const char *path = arg(&args, "/tmp/large");
	static char block[BIG];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (!strcmp(arg(&args, ""), "deaf"))
		signal(SIGXFSZ, SIG_IGN);
	if (fd < 0)
		return stopped(errno);
	for (long n = 0; n < bound;) {
		ssize_t r = write(fd, block, sizeof(block));

		if (r < 0)
			return stopped(errno);
		held(n += r);
	}
	return stopped(0);
}

/* By every call that makes a file larger without writing to it. */
static int allocated(long bound, char **args)
{
	const char *path = arg(&args, "/tmp/allocated");
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	signal(SIGXFSZ, SIG_IGN);
	if (fd < 0)
		return stopped(errno);
	for (long n = 0; n < bound;) {
		if (fallocate(fd, 0, n, BIG) < 0)
			return stopped(errno);
		held(n += BIG);
	}
	return stopped(0);
}

/* A hole is not stored; then it is filled. */
static int sparse(long bound, char **args)
{
	const char *path = arg(&args, "/tmp/sparse");
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	long n = 0;

	signal(SIGXFSZ, SIG_IGN);
	if (fd < 0 || ftruncate(fd, bound) < 0)
		return stopped(errno);
	for (; n < bound; n += 4096) {
		if (pwrite(fd, "x", 1, n) < 0) {
			int err = errno;

			held(n);
			return stopped(err);
		}
		if (n % BIG == 0)
			held(n);
	}
	return stopped(0);
}

/* Bytes in a second, since `from`: a busy machine makes it smaller only. */
static void rate(const struct timespec *from, long n)
{
	struct timespec now;
	char line[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	double s =
		(double)(now.tv_sec - from->tv_sec) + (double)(now.tv_nsec - from->tv_nsec) / 1e9;
	int len = snprintf(line, sizeof(line), "rate %.0f\n", (double)n / s);
	if (write(1, line, (size_t)len) < 0)
		exit(1);
}

/* Past the page cache, in blocks that a throttled device has to carry one by one. */
static int direct_io(long bound, char **args)
{
	const char *path = arg(&args, "/mnt/direct"), *way = arg(&args, "write");
	long size = number(&args, BLOCK), n = 0;
	int fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
	void *block = aligned_alloc(4096, BIG);
	struct timespec from = {0};
	long skipped = 0;

	if (fd < 0 || !block)
		return stopped(errno);
	memset(block, 'x', BIG);
	if (size > BIG)
		size = BIG;
	while (n < bound) {
		/* what may pass at once has passed by then */
		if (n <= bound / 4) {
			clock_gettime(CLOCK_MONOTONIC, &from);
			skipped = n;
		}
		ssize_t r = !strcmp(way, "read") ? pread(fd, block, (size_t)size, n)
						 : pwrite(fd, block, (size_t)size, n);

		if (r <= 0)
			return stopped(r < 0 ? errno : ENODATA);
		held(n += r);
	}
	rate(&from, n - skipped);
	return stopped(0);
}

/* Everything at once, none of which ends by itself; BOUND of each is small enough to live. */
static int everything(long bound, char **args)
{
	(void)args;
	for (int i = 0; i < 6; i++) {
		char name[64], *none[] = {NULL}, *path[] = {name, NULL};

		if (fork() != 0)
			continue;
		snprintf(name, sizeof(name), "/tmp/everything.%d", i);
		signal(SIGTERM, SIG_IGN);
		switch (i) {
		case 0:
			(void)memory_bombs[0].run(bound, none);
			break;
		case 1:
			(void)count_bombs[0].run(bound >> 20, none);
			break;
		case 2:
			(void)output(bound >> 6, none);
			break;
		case 3:
			(void)large_file(bound, path);
			break;
		case 4:
			(void)sparse(bound, path);
			break;
		default:
			break;
		}
		for (;;)
			pause();
	}
	while (wait(NULL) > 0)
		;
	return stopped(0);
}

const struct bomb byte_bombs[] = {
	{"output",				 output, "[out|err|both [BLOCK]]: tells nothing"},
	{"large-file", large_file, "[PATH [deaf]]"},
	{"allocate",			     allocated, "[PATH]: fallocate"},
	{"sparse",			 sparse, "[PATH]: a hole, page by page filled"},
	{"direct",			       direct_io, "[PATH [write|read [BLOCK]]]: O_DIRECT"},
	{"everything",                     everything, ""},
	{0				},
};
