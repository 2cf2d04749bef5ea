/*
 * What a system call costs here: prints a line "NAME NANOSECONDS" for each, the median of many
 * short batches, so that a moment in which another process ran does not count.
 *
 *	calls [BATCHES [NAME]]
 *
 * NAME denied: a call that the levels' filters deny with an error; denied-alone is one of them now
 *and then, BATCHES times.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 500 };

static int null_fd;
static uint32_t word;

static long call_getpid(void)
{
	return syscall(SYS_getpid);
}

static long call_read(void)
{
	char c;

	return syscall(SYS_read, null_fd, &c, 1);
}

static long call_openat(void)
{
	long fd = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? fd : close((int)fd);
}

static long call_futex(void)
{
	return syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static long call_denied(void)
{
	return syscall(SYS_ptrace, -1L, 0, NULL, NULL) < 0 && errno == EPERM ? 0 : -1;
}

struct row {
	const char *name;
	long (*call)(void);
};
static const struct row denied = {"denied", call_denied};
static const struct row rows[] = {
	{"getpid",       call_getpid},
	{"read",         call_read  },
	{"openat+close", call_openat},
	{"futex",        call_futex },
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void measure(const struct row *r, size_t batches, double *ns)
{
	for (size_t b = 0; b < batches; b++) {
		double from = now_ns();

		for (int i = 0; i < BATCH; i++)
			if (r->call() < 0) {
				perror(r->name);
				exit(1);
			}
		ns[b] = (now_ns() - from) / BATCH;
	}
	qsort(ns, batches, sizeof(*ns), by_value);
	printf("%s %.1f\n", r->name, ns[batches / 2]);
}

/* One at a time, with a pause: many at once are slowed down on purpose (docs/violations.md). */
static void measure_alone(const struct row *r, size_t times, double *ns)
{
	const struct timespec pause = {.tv_nsec = 2000000};

	for (size_t i = 0; i < times; i++) {
		double from = now_ns();

		if (r->call() < 0) {
			perror(r->name);
			exit(1);
		}
		ns[i] = now_ns() - from;
		nanosleep(&pause, NULL);
	}
	qsort(ns, times, sizeof(*ns), by_value);
	printf("%s-alone %.1f\n", r->name, ns[times / 2]);
}

int main(int argc, char **argv)
{
	size_t batches = argc > 1 ? strtoul(argv[1], NULL, 10) : 400;
	double *ns = batches ? malloc(batches * sizeof(*ns)) : NULL;

	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (!ns || null_fd < 0) {
		perror("calls");
		return 1;
	}
	if (argc > 2 && strcmp(argv[2], denied.name) == 0) {
		measure_alone(&denied, batches, ns);
		measure(&denied, batches / 10 + 1, ns);
	}
	for (size_t i = 0; argc <= 2 && i < sizeof(rows) / sizeof(*rows); i++)
		measure(&rows[i], batches, ns);
	free(ns);
	return 0;
}
