// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a sandbox tries that it may not (tests/integration/violations.bats).
 *
 *	violate errnos          calls that filters deny, one a line with what they answer
 *	violate flood T N       T threads, N denied calls each: "wrong W"
 *	violate forks N         N children that sleep: "refused R"
 *	violate storm           a fork each 50 ms, without end
 *	violate tick N          N lines, one each 100 ms, with the milliseconds that have passed
 *	violate hide NR N       N times the call, which a signal interrupts after 0.3 ms, while 50
 *processes flood: "interrupted I" violate call NR [ARG]   one call by number: "0" or the errno's
 *name
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const struct {
	const char *name;
	long nr, args[4];
} calls[] = {
	{"mount",            SYS_mount,           {0, 0, 0, 0}            },
	{"umount2",          SYS_umount2,         {0, 0, 0, 0}            },
	{"unshare",          SYS_unshare,         {CLONE_NEWUSER, 0, 0, 0}},
	{"setns",            SYS_setns,           {-1, 0, 0, 0}           },
	{"ptrace",           SYS_ptrace,          {99, 0, 0, 0}           },
	{"keyctl",           SYS_keyctl,          {99, 0, 0, 0}           },
	{"add_key",          SYS_add_key,         {0, 0, 0, 0}            },
	{"perf_event_open",  SYS_perf_event_open, {0, 0, 0, 0}            },
	{"clone3",           SYS_clone3,          {0, 0, 0, 0}            },
	{"io_uring_setup",   SYS_io_uring_setup,  {0, 0, 0, 0}            },
	{"fsopen",           SYS_fsopen,          {0, 0, 0, 0}            },
	{"pivot_root",       SYS_pivot_root,      {0, 0, 0, 0}            },
	{"settimeofday",     SYS_settimeofday,    {0, 0, 0, 0}            },
	{"set_mempolicy",    SYS_set_mempolicy,   {-1, 0, 0, 0}           },
	{"vmsplice",         SYS_vmsplice,        {-1, 0, 0, 0}           },
	{"splice",           SYS_splice,          {-1, 0, -1, 0}          },
	{"openat2",          SYS_openat2,         {-1, 0, 0, 0}           },
	{"shmget",           SYS_shmget,          {0, 0, 0, 0}            },
	{"statmount 457",    457,                 {0, 0, 0, 0}            },
	{"unknown 999",      999,                 {0, 0, 0, 0}            },
	{"clone NEWNS",      SYS_clone,           {CLONE_NEWNS, 0, 0, 0}  },
	{"socket packet",    SYS_socket,          {AF_PACKET, 3, 0, 0}    },
	{"socket inet high", SYS_socket,          {0x100000002, 99, 0, 0} },
	{"ioctl TIOCSTI",    SYS_ioctl,           {0, TIOCSTI, 0, 0}      },
	{"ioctl TIOCSETD",   SYS_ioctl,           {0, TIOCSETD, 0, 0}     },
	{"ioctl unlisted",   SYS_ioctl,           {0, 0xb701, 0, 0}       },
	{"prctl mm",         SYS_prctl,           {35, 0, 0, 0}           },
	{"prctl pdeathsig",  SYS_prctl,           {1, 0, 0, 0}            },
	{"personality",      SYS_personality,     {6, 0, 0, 0}            },
	{"futex lock pi",    SYS_futex,           {0, 6, 0, 0}            },
	{"chmod setuid",     SYS_chmod,           {0, 04755, 0, 0}        },
	{"setrlimit core",   SYS_setrlimit,       {4, 0, 0, 0}            },
};

static const char *answer(long r)
{
	return r >= 0 ? "0" : strerrorname_np(errno);
}

static int errnos(void)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		const long *a = calls[i].args;

		printf("%s: %s\n", calls[i].name,
		       answer(syscall(calls[i].nr, a[0], a[1], a[2], a[3])));
	}
	return 0;
}

static long each, wrong;

static void *denied(void *unused)
{
	(void)unused;
	for (long i = 0; i < each; i++)
		if (syscall(SYS_unshare, CLONE_NEWUSER) != -1 || errno != EPERM)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	return NULL;
}

static int flood(long threads, long n)
{
	pthread_t t[1024];
	pthread_attr_t attr;

	each = n;
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, 64 << 10);
	if (threads < 1 || threads > 1024)
		return 2;
	for (long i = 0; i < threads; i++)
		if (pthread_create(&t[i], &attr, denied, NULL) != 0)
			return 1;
	for (long i = 0; i < threads; i++)
		(void)pthread_join(t[i], NULL);
	printf("wrong %ld\n", wrong);
	return 0;
}

static int forks(long n)
{
	long refused = 0;

	for (long i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)sleep(100);
			_exit(0);
		}
		refused += pid < 0;
	}
	printf("refused %ld\n", refused);
	return 0;
}

static int storm(void)
{
	const struct timespec soon = {.tv_nsec = 50000000};

	for (;;) {
		if (fork() == 0) {
			(void)sleep(100);
			_exit(0);
		}
		(void)nanosleep(&soon, NULL);
	}
}

static long ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int tick(long n)
{
	const struct timespec tenth = {.tv_nsec = 100000000};
	long from = ms();

	for (long i = 0; i < n; i++) {
		(void)nanosleep(&tenth, NULL);
		printf("%ld\n", ms() - from);
		(void)fflush(stdout);
	}
	return 0;
}

static void on_alarm(int sig)
{
	(void)sig;
}

static int hide(long nr, long n)
{
	const struct itimerspec soon = {.it_value.tv_nsec = 300000};
	const struct sigaction s = {.sa_handler = on_alarm};
	pid_t flooders[50];
	timer_t timer;
	long interrupted = 0;

	for (size_t i = 0; i < 50; i++) {
		flooders[i] = fork();
		while (flooders[i] == 0)
			(void)ioctl(0, TIOCSTI, 0);
	}
	(void)usleep(1500000);
	if (sigaction(SIGALRM, &s, NULL) < 0 || timer_create(CLOCK_MONOTONIC, NULL, &timer) < 0)
		return 1;
	for (long i = 0; i < n; i++) {
		(void)timer_settime(timer, 0, &soon, NULL);
		interrupted += syscall(nr, 0, 0, 0, 0) < 0 && errno == EINTR;
	}
	for (size_t i = 0; i < 50; i++)
		(void)kill(flooders[i], SIGKILL);
	printf("interrupted %ld\n", interrupted);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 2 && !strcmp(what, "errnos"))
		return errnos();
	if (argc == 4 && !strcmp(what, "flood"))
		return flood(atol(argv[2]), atol(argv[3]));
	if (argc == 3 && !strcmp(what, "forks"))
		return forks(atol(argv[2]));
	if (argc == 2 && !strcmp(what, "storm"))
		return storm();
	if (argc == 3 && !strcmp(what, "tick"))
		return tick(atol(argv[2]));
	if (argc == 4 && !strcmp(what, "hide"))
		return hide(atol(argv[2]), atol(argv[3]));
	if (argc >= 3 && !strcmp(what, "call")) {
		printf("%s\n", answer(syscall(atol(argv[2]), argc > 3 ? atol(argv[3]) : 0)));
		return 0;
	}
	fprintf(stderr, "usage: violate errnos|flood THREADS N|forks N|storm|tick N|hide NR N|call "
			"NR [ARG]\n");
	return 2;
}
