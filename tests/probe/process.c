/* What the process does: waits, spawns, uses memory and time, calls the kernel. */
#include "probe.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int do_sleep(int argc, char **argv)
{
	double s = argc > 1 ? atof(argv[1]) : 3600;
	struct timespec t = {.tv_sec = (time_t)s};

	t.tv_nsec = (long)((s - (double)t.tv_sec) * 1e9);
	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
	return 0;
}

/* Prints "ready", then each signal that comes; SIGTERM ends it with exit code 0. */
static int wait_signals(int argc, char **argv)
{
	sigset_t all;

	(void)argc, (void)argv;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	puts("ready");
	for (;;) {
		int s = sigwaitinfo(&all, NULL);
		printf("signal %d\n", s);
		if (s == SIGTERM)
			return 0;
	}
}

/* Survives everything that can be survived. */
_Noreturn static int stubborn(int argc, char **argv)
{
	sigset_t all;

	(void)argc, (void)argv;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	puts("ready");
	for (;;)
		pause();
}

static int do_exec(int argc, char **argv)
{
	(void)argc;
	execv(argv[1], argv + 1);
	return verdict(-1);
}

static int do_exit(int argc, char **argv)
{
	(void)argc;
	return atoi(argv[1]);
}

static int raise_signal(int argc, char **argv)
{
	int s = atoi(argv[1]);

	(void)argc;
	signal(s, SIG_DFL);
	return verdict(kill(getpid(), s));
}

/* A signal from itself does not end the first process of a pid namespace; a fault does. */
static int crash(int argc, char **argv)
{
	(void)argc, (void)argv;
	*(volatile int *)8 = 0;
	return 0;
}

/* Forks until it may not: prints how many children there could be at once. */
static int do_fork(int argc, char **argv)
{
	int want = atoi(argv[1]), made = 0;
	pid_t *child = calloc((size_t)want + 1, sizeof(*child));

	(void)argc;
	if (!child)
		return verdict(-1);
	for (; made < want; made++) {
		child[made] = fork();
		if (child[made] == 0) {
			pause();
			_exit(0);
		}
		if (child[made] < 0)
			break;
	}
	int err = errno;
	printf("forked %d%s%s\n", made, made < want ? " " : "",
	       made < want ? strerrorname_np(err) : "");
	for (int i = 0; i < made; i++) {
		kill(child[i], SIGKILL);
		waitpid(child[i], NULL, 0);
	}
	free(child);
	return 0;
}

/* A daemon that outlives this process: session of its own, no descriptor shared. */
static int orphan(int argc, char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		return verdict(-1);
	if (pid > 0)
		return 0;
	setsid();
	close(0), close(1), close(2);
	return do_sleep(argc, argv);
}

static int alloc(int argc, char **argv)
{
	size_t mib = (size_t)atol(argv[1]);

	for (size_t i = 0; i < mib; i++) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);
		if (p == MAP_FAILED)
			return verdict(-1);
		memset(p, 1, 1 << 20);
	}
	printf("allocated %zu\n", mib);
	return argc > 2 ? do_sleep(argc - 1, argv + 1) : 0;
}

static int spin(int argc, char **argv)
{
	double s = atof(argv[1]);
	struct timespec t;

	(void)argc;
	do {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	} while ((double)t.tv_sec + (double)t.tv_nsec / 1e9 < s);
	return 0;
}

/* Any system call, by number: what a filter says about it. */
static int do_syscall(int argc, char **argv)
{
	long a[7] = {0};

	for (int i = 1; i < argc && i <= 7; i++)
		a[i - 1] = strtol(argv[i], NULL, 0);
	long r = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	if (r >= 0)
		printf("%ld\n", r);
	return r >= 0 ? 0 : verdict(r);
}

static int do_unshare(int argc, char **argv)
{
	(void)argc;
	return verdict(unshare((int)strtol(argv[1], NULL, 0)));
}

static int echo(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		printf("%s%s", i > 1 ? " " : "", argv[i]);
	putchar('\n');
	return 0;
}

const struct verb process_verbs[] = {
	{"sleep",					    0, do_sleep, "[SECONDS]"},
	{"wait",					  0, wait_signals, "print \"ready\" and each signal, end at SIGTERM"},
	{"stubborn",						  0, stubborn, "block every signal"},
	{"exec",        1, do_exec, "PATH [ARG...]"},
	{"exit", 1, do_exit, "CODE"},
	{"raise",					 1, raise_signal, "NUMBER: die of a signal"},
	{"crash",					  0, crash, "die of SIGSEGV"},
	{"fork",						  1, do_fork, "N: how many children may there be?"},
	{"orphan",					  0, orphan, "[SECONDS]: leave a daemon behind"},
	{"alloc",				   1, alloc, "MIB [SECONDS]: touch memory, keep it"},
	{"spin",					     1, spin, "SECONDS of CPU time"},
	{"syscall",					   1, do_syscall, "NUMBER [ARG...]"},
	{"unshare",						  1, do_unshare, "FLAGS"},
	{"echo",         0, echo, "[ARG...]"},
	{0			},
};
