/* Probes of what a sandbox was given, and of what is written down about it. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET "/run/secrets/token"
enum { MANY_CALLS = 10000, NO_KEYCTL = 9999 };

/* path: a name in the environment, behind which a is appended; where it is on the machine. */
static void told_path(const struct attack *self, char *path, size_t size)
{
	const char *told = getenv(self->path);

	if (!told)
		attack_says("untold");
	snprintf(path, size, "%s%s", told, self->a[0] ? (const char *)self->a[0] : "");
}

static long open_told(const struct attack *self)
{
	char path[512];

	told_path(self, path, sizeof(path));
	int fd = open(path, (int)self->a[1] | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : 0;
}

static long make_told(const struct attack *self)
{
	char path[512];

	told_path(self, path, sizeof(path));
	return mkdir(path, 0700) < 0 ? -errno : 0;
}

/* By each way up that a program can try. */
static long reach_log(const struct attack *self)
{
	static const char *const from[] = {"", "/proc/1/root", "/proc/1/cwd/../../../../..",
					   "/proc/self/root", "/proc/thread-self/root"};
	char told[512], path[600];
	long r = -ENOENT;

	told_path(self, told, sizeof(told));
	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]) && r < 0; i++) {
		snprintf(path, sizeof(path), "%s%s", from[i], told);
		r = open(path, (int)self->a[1] | O_CLOEXEC) < 0 ? -errno : 0;
	}
	return r;
}

static long open_secret(const struct attack *self)
{
	int fd = open(SECRET, (int)self->a[0] | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

/* As another user, if it can become one. */
static long secret_of_other(const struct attack *self)
{
	if (access("/run/secrets", F_OK) < 0)
		return -errno;
	if (setgid(1000) < 0 || setuid(1000) < 0)
		return -errno;
	return open_secret(self);
}

/* Over it: a symbolic link, another directory in its place. */
static long replace_secrets(const struct attack *self)
{
	(void)self;
	return rename("/run/secrets", "/run/other") < 0 ? -errno : 0;
}

/* A program of the same content that is another file. */
static long execute_other(const struct attack *self)
{
	char name[] = "plain", verb[] = "list";
	char *argv[] = {name, verb, NULL}, *envp[] = {NULL};
	int tell[2], why = 0;

	if (pipe2(tell, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		(void)dup2(null, 1);
		(void)execve(self->path, argv, envp);
		why = errno;
		_exit(write(tell[1], &why, sizeof(why)) != sizeof(why));
	}
	close(tell[1]);
	ssize_t n = pid < 0 ? 0 : read(tell[0], &why, sizeof(why));
	(void)waitpid(pid, NULL, 0);
	return n == sizeof(why) ? -why : 0;
}

/* Each of them is told to somebody outside where calls are watched. */
static long flood(const struct attack *self)
{
	long r = 0;

	for (int i = 0; i < MANY_CALLS; i++)
		r = sys(self->nr, (long)NO_KEYCTL, 0L, 0L, 0L, 0L, 0L);
	return r;
}

#define P(x) ((uintptr_t)(x))

const struct attack granted_attacks[] = {
	{"log-read",       0,          {0, O_RDONLY},              reach_log,       "ATTACK_LOG",        ARM_ROOT},
	{"log-write",      0,          {0, O_WRONLY | O_APPEND},   reach_log,       "ATTACK_LOG",        ARM_ROOT},
	{"log-lock",       0,          {P(".lock"), O_RDONLY},     reach_log,       "ATTACK_LOG",        ARM_ROOT},
	{"grant-read",     0,          {P("/file"), O_RDONLY},     open_told,       "ATTACK_GRANT",      ARM_ROOT},
	{"grant-write",    0,          {P("/file"), O_WRONLY},     open_told,       "ATTACK_GRANT",      ARM_ROOT},
	{"grant-beside",   0,          {P("/../token"), O_RDONLY}, open_told,       "ATTACK_GRANT",      ARM_ROOT},
	{"grant-make",     0,          {P("/made"), 0},            make_told,       "ATTACK_GRANT",      0       },
	{"secret-read",    0,          {O_RDONLY},                 open_secret,     NULL,                0       },
	{"secret-write",   0,          {O_WRONLY},                 open_secret,     NULL,                0       },
	{"secret-other",   0,          {O_RDONLY},                 secret_of_other, NULL,                0       },
	{"secret-replace", 0,          {0, 0},                     replace_secrets, NULL,                0       },
	{"exec-other",     0,          {0, 0},                     execute_other,   ATTACK_DIR "/plain", 0       },
	{"flood",          SYS_keyctl, {0, 0},                     flood,           NULL,                0       },
	{NULL,             0,          {0, 0},                     NULL,            NULL,                0       },
};
