/*
 * under LEVEL LANGUAGE|- network|no-network COMMAND...: runs a program with nothing but a level's
 * filter over it, so that a test sees what the filter alone does.  `under --time COUNT LEVEL ...`
 * without a command prints how long loading takes: minimum, median and mean in microseconds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "guard/level_filter.h"

static struct arena arena;
static struct err err;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Each load in a process of its own, as at a start. */
static int measure(const struct seccomp_program *p, int count)
{
	size_t bytes = (size_t)count * sizeof(double);
	double sum = 0,
	       *took = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (took == MAP_FAILED)
		return 125;
	for (int i = 0; i < count; i++) {
		int st = 0, listener;
		pid_t pid = fork();

		if (pid == 0) {
			double from = now_us();

			if (seccomp_install(p, &listener, &err) < 0)
				_exit(1);
			took[i] = now_us() - from;
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &st, 0) < 0 || st != 0)
			return 125;
	}
	qsort(took, (size_t)count, sizeof(*took), by_value);
	for (int i = 0; i < count; i++)
		sum += took[i];
	printf("%zu instructions: min %.0f median %.0f mean %.0f us\n", p->n_insns, took[0],
	       took[count / 2], sum / count);
	return 0;
}

int main(int argc, char **argv)
{
	struct seccomp_program p = {0};
	int count = 0, listener;

	if (argc > 2 && str_eq(argv[1], "--time")) {
		count = atoi(argv[2]);
		argv += 2;
		argc -= 2;
	}
	if (argc < 4 || (!count && argc < 5)) {
		fprintf(stderr, "usage: under [--time COUNT] LEVEL LANGUAGE|- network|no-network "
				"COMMAND...\n");
		return 125;
	}
	const struct level_filter *f = level_filter_find(
		argv[1], str_eq(argv[2], "-") ? NULL : argv[2], str_eq(argv[3], "network"), false);

	if (!f || level_filter_stack(&arena, f, &p, &err) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		fprintf(stderr, "under: %s\n", f ? err.msg : "no such filter");
		return 125;
	}
	if (count > 0)
		return measure(&p, count);
	if (level_filter_language_bears_mdwe(f->language) && prctl(65, 1, 0, 0, 0) < 0)
		fprintf(stderr, "under: no PR_SET_MDWE here\n"); /* Linux 6.3 */
	if (seccomp_install(&p, &listener, &err) < 0) {
		fprintf(stderr, "under: %s\n", err.msg);
		return 125;
	}
	execvp(argv[4], argv + 4);
	fprintf(stderr, "under: %s: %s\n", argv[4], strerror(errno));
	return 127;
}
