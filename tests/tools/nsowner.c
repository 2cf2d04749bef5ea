// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * nsowner PATH...: for each namespace file the inode number of the user namespace that owns it,
 * for that of a user namespace its parent's; or the errno's name.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int owner(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ns = fd < 0 ? -1 : ioctl(fd, NS_GET_USERNS);

	if (ns < 0 || fstat(ns, &st) < 0) {
		puts(strerrorname_np(errno));
		return 1;
	}
	printf("%lu\n", (unsigned long)st.st_ino);
	close(ns);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++)
		bad |= owner(argv[i]);
	return bad;
}
