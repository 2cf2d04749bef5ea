/* CPU time, and who will not end; BOUND is milliseconds of CPU time of each process. */
#include "bomb.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long used_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void burn(long ms)
{
	while (used_ms(CLOCK_THREAD_CPUTIME_ID) < ms)
		;
}

static void *burner(void *ms)
{
	burn(*(long *)ms);
	return NULL;
}

static int burn_processes(long bound, char **args)
{
	long n = number(&args, 1);

	for (long i = 1; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return stopped(errno);
		if (pid == 0)
			break;
	}
	burn(bound);
	while (wait(NULL) > 0)
		;
	return stopped(0);
}

static int burn_threads(long bound, char **args)
{
	long n = number(&args, 2);
	pthread_t t[64];

	if (n > 64)
		n = 64;
	for (long i = 0; i < n; i++) {
		int err = pthread_create(&t[i], NULL, burner, &bound);

		if (err)
			return stopped(err);
	}
	for (long i = 0; i < n; i++)
		(void)pthread_join(t[i], NULL);
	return stopped(0);
}

/*
 * A child after the other, each of which is gone before anybody looks; what they used is told by
 * the kernel (rusage of the children that were waited for).
 */
static int relay(long bound, char **args)
{
	long each = number(&args, 5), n = 0;

	while (n < bound) {
		struct rusage u;
		pid_t pid = fork();

		if (pid < 0)
			return stopped(errno);
		if (pid == 0) {
			burn(each);
			_exit(0);
		}
		(void)waitpid(pid, NULL, 0);
		(void)getrusage(RUSAGE_CHILDREN, &u);
		n = (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
		    (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
		held(n);
	}
	return stopped(0);
}

/* The same, and nobody ever waits: each is the parent of the next and ends at once. */
static int chain(long bound, char **args)
{
	long each = number(&args, 5);

	if (fork() > 0)
		for (;;)
			pause(); /* the first process: without it all would end */
	for (long n = 0; n < bound; n += each) {
		burn(each);
		held(n + each);
		if (fork() != 0)
			_exit(0);
	}
	return stopped(0);
}

/* Blocks every signal that can be blocked, and says when it does. */
static int sleeper(long bound, char **args)
{
	struct timespec t = {.tv_sec = bound / 1000, .tv_nsec = bound % 1000 * 1000000};
	sigset_t all;

	(void)args;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	held(0);
	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
	return stopped(0);
}

/* Ends by itself at SIGTERM, with the exit code given. */
static int polite(long bound, char **args)
{
	struct timespec t = {.tv_sec = bound / 1000, .tv_nsec = bound % 1000 * 1000000};
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	held(0);
	if (sigtimedwait(&term, NULL, &t) < 0)
		return stopped(0);
	held(SIGTERM);
	return (int)number(&args, 7);
}

/* Twice forked, in a session of its own, with nothing open, deaf: and its parent goes. */
static int daemon_bomb(long bound, char **args)
{
	long n = number(&args, 1);

	for (long i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return stopped(errno);
		if (pid > 0) {
			(void)waitpid(pid, NULL, 0);
			continue;
		}
		setsid();
		if (fork() != 0)
			_exit(0);
		setsid();
		for (int fd = 0; fd < 64; fd++)
			close(fd);
		_exit(sleeper(bound, args));
	}
	held(n);
	return 0;
}

const struct bomb cpu_bombs[] = {
	{"burn",         burn_processes, "[N]: processes that burn CPU time at once"        },
	{"burn-threads", burn_threads,   "[N]"					      },
	{"relay",        relay,          "[MS]: short-lived children, one after another"    },
	{"chain",        chain,          "[MS]: ... of which each is the parent of the next"},
	{"sleeper",      sleeper,        "deaf to every signal"                             },
	{"polite",       polite,         "[CODE]: ends at SIGTERM"                          },
	{"daemons",      daemon_bomb,    "[N]: daemons that outlive their parent"           },
	{NULL,           NULL,           NULL					       },
};
