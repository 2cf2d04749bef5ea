/*
 * Times commands against each other, alternating, so that a busy moment of the machine hits
 * them all: a ratio of medians taken in one run means something, two runs of a timer do not.
 *
 *	abtime [-n ROUNDS] [-w WARM] :: NAME STEP... [:: NAME STEP...]
 *	STEP:  + COMMAND ARG...   is timed        - COMMAND ARG...   is not
 *	       = COMMAND ARG...   is timed until what its program prints first: the time of
 *	                          CLOCK_MONOTONIC in nanoseconds, by tests/bench/first.c
 *
 * A COMMAND that is @FILE runs the rest in the mount namespace that FILE is, so that two views of
 * the machine can be compared.  An argument %R becomes the round's number (for names that must be
 * fresh).  Prints per name: median, minimum and 90th percentile in microseconds, and the peak
 * memory in KiB of its timed steps (of the command and what it waited for).  A step that fails
 * ends everything.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct step {
	char mark;
	char **argv;
};
struct work {
	const char *name;
	struct step *steps;
	size_t n_steps;
	double *us;
	long peak_kib;
};

static void *must_alloc(void *p, size_t n)
{
	p = realloc(p, n);
	if (!p)
		abort();
	return p;
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool is_mark(const char *s)
{
	return !strcmp(s, "+") || !strcmp(s, "-") || !strcmp(s, "=") || !strcmp(s, "::");
}

/* argv is cut in place: each mark becomes the NULL that ends the command before it. */
static size_t parse(char **argv, struct work **out)
{
	struct work *w = NULL;
	size_t n = 0;

	while (*argv) {
		if (!strcmp(*argv, "::") && argv[1]) {
			w = must_alloc(w, (n + 1) * sizeof(*w));
			w[n++] = (struct work){.name = argv[1]};
			*argv = NULL;
			argv += 2;
			continue;
		}
		if (n && is_mark(*argv) && **argv != ':' && argv[1] && !is_mark(argv[1])) {
			struct work *k = &w[n - 1];
			k->steps = must_alloc(k->steps, (k->n_steps + 1) * sizeof(*k->steps));
			k->steps[k->n_steps++] = (struct step){**argv, argv + 1};
			*argv++ = NULL;
			while (*argv && !is_mark(*argv))
				argv++;
			continue;
		}
		fprintf(stderr, "abtime: misplaced %s\n", *argv);
		exit(2);
	}
	*out = w;
	return n;
}

static char **with_round(char **argv, unsigned round)
{
	size_t n = 0;
	char **out = must_alloc(NULL, sizeof(*out));

	for (; argv[n]; n++) {
		char *at = strstr(argv[n], "%R");
		out = must_alloc(out, (n + 2) * sizeof(*out));
		if (!at)
			out[n] = strdup(argv[n]);
		else if (asprintf(&out[n], "%.*s%u%s", (int)(at - argv[n]), argv[n], round,
				  at + 2) < 0)
			abort();
	}
	out[n] = NULL;
	return out;
}

static void enter(int view)
{
	if (setns(view, CLONE_NEWNS) < 0) {
		perror("setns");
		exit(1);
	}
}

static int open_view(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* Runs all in the view that begins the command, and comes back. */
static double run_step(const struct step *s, unsigned round, long *peak_kib);
static double run_in_view(const struct step *s, unsigned round, long *peak_kib)
{
	const struct step rest = {s->mark, s->argv + 1};
	int own = open_view("/proc/self/ns/mnt"), view = open_view(s->argv[0] + 1);

	enter(view);
	double us = run_step(&rest, round, peak_kib);
	enter(own);
	close(own);
	close(view);
	return us;
}

/* Its first words, when it has said them. */
static double told_us(int fd)
{
	char text[32];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n <= 0) {
		fputs("abtime: the program says no time\n", stderr);
		exit(1);
	}
	text[n] = '\0';
	return strtod(text, NULL) / 1e3;
}

static double run_step(const struct step *s, unsigned round, long *peak_kib)
{
	int out[2] = {-1, -1};

	if (s->argv[0][0] == '@')
		return run_in_view(s, round, peak_kib);
	char **argv = with_round(s->argv, round);
	posix_spawn_file_actions_t files;
	struct rusage usage;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	if (s->mark != '=')
		posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	else if (pipe2(out, O_CLOEXEC) < 0 ||
		 posix_spawn_file_actions_adddup2(&files, out[1], 1) != 0)
		abort();
	double from = now_us();
	errno = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
	if (errno) {
		perror(argv[0]);
		exit(1);
	}
	while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
		;
	double us = now_us() - from;
	if (s->mark == '=') {
		close(out[1]);
		us = told_us(out[0]) - from;
		close(out[0]);
	}
	if (status) {
		fprintf(stderr, "abtime: round %u: status %#x of:", round, status);
		for (char **a = argv; *a; a++)
			fprintf(stderr, " %s", *a);
		fputc('\n', stderr);
		exit(1);
	}
	posix_spawn_file_actions_destroy(&files);
	for (char **a = argv; *a; a++)
		free(*a);
	free(argv);
	if (s->mark == '-')
		return 0;
	if (usage.ru_maxrss > *peak_kib)
		*peak_kib = usage.ru_maxrss;
	return us;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void report(struct work *w, unsigned rounds)
{
	qsort(w->us, rounds, sizeof(*w->us), by_value);
	printf("%s %.0f %.0f %.0f %ld\n", w->name, w->us[rounds / 2], w->us[0],
	       w->us[rounds * 9 / 10], w->peak_kib);
}

int main(int argc, char **argv)
{
	unsigned rounds = 50, warm = 3;
	struct work *w;
	int c;

	while ((c = getopt(argc, argv, "+n:w:")) != -1) {
		if (c == 'n')
			rounds = (unsigned)atoi(optarg);
		else if (c == 'w')
			warm = (unsigned)atoi(optarg);
		else
			return 2;
	}
	size_t n = parse(argv + optind, &w);
	if (!n || !rounds) {
		fputs("abtime [-n ROUNDS] [-w WARM] :: NAME +|-|= COMMAND... [:: NAME ...]\n",
		      stderr);
		return 2;
	}
	for (size_t i = 0; i < n; i++)
		w[i].us = must_alloc(NULL, rounds * sizeof(double));
	for (unsigned r = 0; r < rounds + warm; r++)
		for (size_t k = 0; k < n; k++) {
			/* who goes first changes, lest one always find the other's warm caches */
			struct work *it = &w[(k + r) % n];
			double us = 0;
			for (size_t s = 0; s < it->n_steps; s++)
				us += run_step(&it->steps[s], r, &it->peak_kib);
			if (r >= warm)
				it->us[r - warm] = us;
		}
	for (size_t i = 0; i < n; i++) {
		report(&w[i], rounds);
		free(w[i].us);
		free(w[i].steps);
	}
	free(w);
	return 0;
}
