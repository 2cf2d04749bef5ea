/* Trees that nobody means well with, for those who walk them from outside. */
#include "probe.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

/* One below the other, by descriptor: paths have an end, trees have not. */
static int deep(int argc, char **argv)
{
	int n = atoi(argv[2]), fd = open(argv[1], O_RDONLY | O_DIRECTORY);
	int len = argc > 3 ? atoi(argv[3]) : 1;
	char name[256] = "";

	memset(name, 'd', (size_t)(len > 255 ? 255 : len));
	for (int i = 0; i < n && fd >= 0; i++) {
		if (mkdirat(fd, name, 0777) < 0)
			return verdict(-1);
		int next = openat(fd, name, O_RDONLY | O_DIRECTORY);

		(void)close(fd);
		fd = next;
	}
	return verdict(fd < 0 ? -1 : openat(fd, "end", O_WRONLY | O_CREAT, 0666));
}

static int wide(int argc, char **argv)
{
	int n = atoi(argv[2]), fd = open(argv[1], O_RDONLY | O_DIRECTORY);
	char name[32];

	(void)argc;
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (linkat(fd, "0", fd, name, 0) == 0)
			continue;
		int file = openat(fd, name, O_WRONLY | O_CREAT, 0666);

		if (file < 0)
			return verdict(-1);
		(void)close(file);
	}
	return verdict(0);
}

static void tell(const char *what, long r)
{
	printf("%s ", what);
	(void)verdict(r);
}

static int sock(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	return bind(fd, (struct sockaddr *)&sa, sizeof(sa));
}

/* All that is no file, and files that are not what they seem. */
static int odd(int argc, char **argv)
{
	(void)argc;
	if (chdir(argv[1]) < 0)
		return verdict(-1);
	int fd = open("sparse", O_WRONLY | O_CREAT, 0666);
	tell("sparse", fd < 0 ? -1 : ftruncate(fd, (off_t)1 << 40));
	tell("fifo", mkfifo("fifo", 0666));
	tell("socket", sock("socket"));
	tell("whiteout", mknod("whiteout", S_IFCHR | 0666, makedev(0, 0)));
	tell("null", mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	tell("disk", mknod("disk", S_IFBLK | 0666, makedev(8, 0)));
	tell("setuid", fchmod(fd, 06755));
	tell("opaque", setxattr(".", "trusted.overlay.opaque", "y", 1, 0));
	tell("user", setxattr("sparse", "user.x", "y", 1, 0));
	tell("loop", symlink("loop", "loop"));
	tell("abs", symlink("/etc/shadow", "abs"));
	tell("up", symlink("../../../../etc/shadow", "up"));
	return 0;
}

/* Changes without an end: names come, go and move, files grow and become links. */
static int churn(int argc, char **argv)
{
	(void)argc;
	if (chdir(argv[1]) < 0 || mkdir("a", 0777) < 0 || mkdir("b", 0777) < 0)
		return verdict(-1);
	for (unsigned int i = 0;; i++) {
		int fd = open("a/f", O_WRONLY | O_CREAT | O_APPEND, 0666);

		(void)!write(fd, "x", 1);
		(void)close(fd);
		(void)rename("a", "c");
		(void)rename("b", "a");
		(void)rename("c", "b");
		(void)unlink("b/f");
		(void)symlink("/etc/shadow", "b/f");
		(void)rename("b/f", i % 2 ? "a/g" : "a/f");
		(void)unlink("a/f");
	}
}

/* Who opens it has to wait until it is given back, and it is not. */
static int lease(int argc, char **argv)
{
	int fd = open(argv[1], O_RDWR | O_CREAT, 0666);

	(void)argc;
	(void)signal(SIGIO, SIG_IGN);
	if (verdict(fd < 0 || write(fd, "x", 1) != 1 ? -1 : fcntl(fd, F_SETLEASE, F_WRLCK)))
		return 1;
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}

const struct verb tree_verbs[] = {
	{"deep",  2, deep,  "DIR N [LEN]: directories, each in the other"},
	{"wide",  2, wide,  "DIR N: names, hard links where it can"      },
	{"odd",   1, odd,   "DIR: what is no plain file, told one by one"},
	{"churn", 1, churn, "DIR: renames and writes without an end"     },
	{"lease", 1, lease, "FILE: a write lease that is never given up" },
	{NULL,    0, NULL,  NULL					 },
};
