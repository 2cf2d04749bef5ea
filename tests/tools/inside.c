// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a test asks from inside a container and busybox cannot: one word, one answer on stdout.
 *
 *	inside sched      policy, nice, priority of this process
 *	inside fds        open descriptors above 2, with what they are
 *	inside call NAME  makes one system call: "0" or the name of the errno
 *	inside keyring    serial number of the session keyring
 *	inside squat NAME a session keyring of that name, open to all; its serial number
 *	inside ids        real and effective user id
 *	inside notify S   sends S to $NOTIFY_SOCKET
 *	inside winsize    rows and columns of the terminal on stdin
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int sched(void)
{
	struct sched_param p;

	(void)sched_getparam(0, &p);
	printf("%d %d %d\n", sched_getscheduler(0), getpriority(PRIO_PROCESS, 0), p.sched_priority);
	return 0;
}

static int fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	if (!d)
		return 1;
	while ((e = readdir(d))) {
		char target[4096];
		int fd = atoi(e->d_name);
		ssize_t n;

		if (e->d_name[0] == '.' || fd <= 2 || fd == dirfd(d))
			continue;
		n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		if (n > 0)
			printf("%d %.*s\n", fd, (int)n, target);
	}
	closedir(d);
	return 0;
}

static int notify(const char *text)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (!path || fd < 0)
		return 1;
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, sizeof(a)) < 0) {
		perror(path);
		return 1;
	}
	return 0;
}

static long call(const char *name)
{
	if (!strcmp(name, "mkdir"))
		return mkdir("/tmp/inside", 0700);
	if (!strcmp(name, "getppid"))
		return syscall(SYS_getppid) > 0 ? 0 : 0;
	if (!strcmp(name, "personality-query"))
		return personality(0xffffffff) < 0 ? -1 : 0;
	if (!strcmp(name, "personality-bsd"))
		return personality(PER_BSD) < 0 ? -1 : 0;
	if (!strcmp(name, "personality-linux32"))
		return personality(PER_LINUX32) < 0 ? -1 : 0;
	if (!strcmp(name, "unshare-user"))
		return unshare(CLONE_NEWUSER);
	if (!strcmp(name, "mount"))
		return mount("none", "/mnt", "tmpfs", 0, NULL);
	if (!strcmp(name, "tiocsti"))
		return ioctl(0, TIOCSTI, "x");
	if (!strcmp(name, "socket-inet"))
		return socket(AF_INET, SOCK_STREAM, 0) < 0 ? -1 : 0;
	if (!strcmp(name, "socket-netlink"))
		return socket(AF_NETLINK, SOCK_RAW, 0) < 0 ? -1 : 0;
	if (!strcmp(name, "socket-inet-high")) /* high bits that the kernel cuts off */
		return syscall(SYS_socket, 0x100000002UL, SOCK_STREAM, 0) < 0 ? -1 : 0;
	errno = EDOM;
	return -1;
}

static int ask(const char *name)
{
	if (call(name) < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("0\n");
	return 0;
}

static int squat(const char *name)
{
	long key = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);

	if (key < 0 || syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f3f3fUL) < 0)
		return 1;
	printf("%ld\n", key);
	(void)fflush(stdout);
	return pause();
}

/* Would live on without its parent. */
static int outlive(void)
{
	(void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGCHLD, 0, 0, 0);
	return (int)sleep(100);
}

/* The kernel takes the parent-death signal back from who becomes another user. */
static int change_user(void)
{
	if (setresuid(1000, 1000, 1000) < 0)
		return 1;
	return (int)sleep(100);
}

int main(int argc, char **argv)
{
	struct winsize w;

	if (argc == 2 && !strcmp(argv[1], "change-user"))
		return change_user();
	if (argc == 2 && !strcmp(argv[1], "sched"))
		return sched();
	if (argc == 2 && !strcmp(argv[1], "fds"))
		return fds();
	if (argc == 2 && !strcmp(argv[1], "keyring"))
		return printf("%ld\n", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID,
					       KEY_SPEC_SESSION_KEYRING, 0)) < 0;
	if (argc == 2 && !strcmp(argv[1], "winsize") && !ioctl(0, TIOCGWINSZ, &w))
		return printf("%u %u\n", w.ws_row, w.ws_col) < 0;
	if (argc == 2 && !strcmp(argv[1], "dumpable"))
		return printf("%d\n", prctl(PR_GET_DUMPABLE)) < 0;
	if (argc == 2 && !strcmp(argv[1], "outlive"))
		return outlive();
	if (argc == 2 && !strcmp(argv[1], "ids"))
		return printf("%u %u\n", getuid(), geteuid()) < 0;
	if (argc == 3 && !strcmp(argv[1], "notify"))
		return notify(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "squat"))
		return squat(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "call"))
		return ask(argv[2]);
	fprintf(stderr, "usage: inside sched|fds|keyring|winsize|dumpable|outlive|ids|notify TEXT|"
			"squat NAME|call NAME\n");
	return 2;
}
