/* What the process can reach by path and by descriptor. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

/* Not by reading /proc/self/fd alone: it adds a descriptor, and may not be mounted. */
static int fds(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int fd = 0; fd < 4096; fd++) {
		int flags = fcntl(fd, F_GETFD);
		char link[64], target[4096];
		struct stat st;

		if (flags < 0 || fstat(fd, &st) < 0)
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		printf("fd %d %s mode=%o cloexec=%d\n", fd, n < 0 ? "?" : target,
		       st.st_mode & S_IFMT, flags & FD_CLOEXEC);
	}
	return 0;
}

static int cwd(int argc, char **argv)
{
	char path[4096];

	(void)argc, (void)argv;
	if (!getcwd(path, sizeof(path)))
		return verdict(-1);
	puts(path);
	return 0;
}

static int print_env(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (char **e = environ; *e; e++)
		puts(*e);
	return 0;
}

static int print_file(const char *path)
{
	char buf[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return verdict(-1);
	for (ssize_t n; (n = read(fd, buf, sizeof(buf))) != 0;) {
		if (n < 0)
			return verdict(-1);
		fwrite(buf, 1, (size_t)n, stdout);
	}
	close(fd);
	return 0;
}

static int mounts(int argc, char **argv)
{
	(void)argc, (void)argv;
	return print_file("/proc/self/mountinfo");
}

static int read_path(int argc, char **argv)
{
	(void)argc;
	return print_file(argv[1]);
}

/* Opens for writing and writes TEXT or nothing; creates only what may be created. */
static int write_path(int argc, char **argv)
{
	int fd = open(argv[1], O_WRONLY | O_CLOEXEC);
	const char *text = argc > 2 ? argv[2] : "";

	if (fd < 0 && errno == ENOENT)
		fd = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return verdict(-1);
	return verdict(*text ? write(fd, text, strlen(text)) : 0);
}

static int stat_path(int argc, char **argv)
{
	struct stat st;
	struct statvfs fs;

	(void)argc;
	if (lstat(argv[1], &st) < 0 || statvfs(argv[1], &fs) < 0)
		return verdict(-1);
	printf("mode %06o\nowner %u %u\nsize %lld\nrdev %u %u\ndev %llu\nino %llu\nmtime %lld\n",
	       st.st_mode, st.st_uid, st.st_gid, (long long)st.st_size, major(st.st_rdev),
	       minor(st.st_rdev), (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
	       (long long)st.st_mtime);
	printf("flags%s%s%s%s%s%s\n", fs.f_flag & ST_RDONLY ? " ro" : " rw",
	       fs.f_flag & ST_NOSUID ? " nosuid" : "", fs.f_flag & ST_NODEV ? " nodev" : "",
	       fs.f_flag & ST_NOEXEC ? " noexec" : "", fs.f_flag & ST_NOATIME ? " noatime" : "",
	       fs.f_flag & ST_RELATIME ? " relatime" : "");
	return 0;
}

static int do_mknod(int argc, char **argv)
{
	mode_t type = !strcmp(argv[2], "b") ? S_IFBLK : !strcmp(argv[2], "p") ? S_IFIFO : S_IFCHR;
	dev_t dev = argc > 4 ? makedev((unsigned)atoi(argv[3]), (unsigned)atoi(argv[4])) : 0;

	return verdict(mknod(argv[1], type | 0600, dev));
}

static int do_open(int argc, char **argv)
{
	const char *how = argc > 2 ? argv[2] : "r";
	int flags = !strcmp(how, "rw") ? O_RDWR : !strcmp(how, "w") ? O_WRONLY : O_RDONLY;

	return verdict(open(argv[1], flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
}

static int do_mkdir(int argc, char **argv)
{
	(void)argc;
	return verdict(mkdir(argv[1], 0755));
}

static int do_unlink(int argc, char **argv)
{
	(void)argc;
	return verdict(remove(argv[1]));
}

static int do_chown(int argc, char **argv)
{
	(void)argc;
	return verdict(lchown(argv[1], (uid_t)atoi(argv[2]), (gid_t)atoi(argv[3])));
}

static int do_mount(int argc, char **argv)
{
	unsigned long flags = argc > 4 ? strtoul(argv[4], NULL, 0) : 0;

	return verdict(mount(argv[1], argv[2], argv[3], flags, NULL));
}

static int do_umount(int argc, char **argv)
{
	(void)argc;
	return verdict(umount2(argv[1], MNT_DETACH));
}

static int tty(int argc, char **argv)
{
	struct winsize w = {0};
	char name[256];

	(void)argc, (void)argv;
	for (int fd = 0; fd < 3; fd++)
		printf("isatty %d %d\n", fd, isatty(fd));
	if (ttyname_r(0, name, sizeof(name)) == 0)
		printf("ttyname %s\n", name);
	if (ioctl(0, TIOCGWINSZ, &w) == 0)
		printf("size %u %u\n", w.ws_row, w.ws_col);
	printf("foreground %d\n", tcgetpgrp(0) == getpgrp());
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	printf("controlling %d\n", fd >= 0);
	return 0;
}

const struct verb file_verbs[] = {
	{"fds",			      0, fds, "open descriptors and where they lead"},
	{"cwd",			       0, cwd, "the working directory"},
	{"env",				  0, print_env, "the environment"},
	{"mounts",   0, mounts, "mountinfo"},
	{"read",           1, read_path, "PATH"},
	{"write",			      1, write_path, "PATH [TEXT]: may it be written?"},
	{"stat",			 1, stat_path, "PATH: inode and mount flags"},
	{"open",				  1, do_open, "PATH [r|w|rw]"},
	{"mknod",			       2, do_mknod, "PATH c|b|p [MAJOR MINOR]"},
	{"mkdir",		       1, do_mkdir, "PATH"},
	{"unlink",			     1, do_unlink, "PATH"},
	{"chown",			 3, do_chown, "PATH UID GID"},
	{"mount",				  3, do_mount, "SOURCE TARGET TYPE [FLAGS]"},
	{"umount",    1, do_umount, "TARGET"},
	{"tty", 0, tty, "terminal, size, foreground"},
	{0			    },
};
