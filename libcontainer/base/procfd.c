#include "base/procfd.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"

enum { PROC_ROOT_INO = 1 };

static bool on_procfs(int fd)
{
	struct statfs sfs;

	return fstatfs(fd, &sfs) == 0 && sfs.f_type == PROC_SUPER_MAGIC;
}

static int detached_proc(void)
{
	own_fd int fs = fsopen("proc", FSOPEN_CLOEXEC);

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	int fd = fsmount(fs, FSMOUNT_CLOEXEC,
			 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd >= 0 ? fd : -errno;
}

int procfd_open(struct err *e)
{
	int made = detached_proc();
	struct stat st;

	if (made >= 0)
		return made;
	own_fd int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "open /proc");
	if (!on_procfs(fd) || fstat(fd, &st) < 0 || st.st_ino != PROC_ROOT_INO)
		return err_set(e, -made,
			       "/proc is not the root of a procfs, and none can be mounted");
	return take_fd(&fd);
}

/* self and thread-self are symlinks of procfs itself: they are followed first, alone. */
static int open_self(int proc, const char **path)
{
	static const char *const links[] = {"self/", "thread-self/"};

	for (size_t i = 0; i < LEN(links); i++) {
		char name[16] = "";
		size_t n = strlen(links[i]);

		if (!str_starts(*path, links[i]))
			continue;
		memcpy(name, links[i], n - 1);
		*path += n;
		int fd = sys_openat2(proc, name, O_PATH | O_DIRECTORY, 0,
				     RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
		return fd >= 0 ? fd : -errno;
	}
	return fcntl(proc, F_DUPFD_CLOEXEC, 3);
}

int procfd_file(int proc, const char *path, int flags, struct err *e)
{
	const char *rest = path;
	own_fd int dir = open_self(proc, &rest);

	if (dir < 0)
		return err_set(e, -dir, "open /proc/%s", path);
	own_fd int fd = sys_openat2(dir, rest, (uint64_t)(unsigned int)flags, 0,
				    RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS |
					    RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return err_set(e, errno, "open /proc/%s", path);
	if (!on_procfs(fd))
		return err_msg(e, EXDEV, "/proc/%s: not on procfs", path);
	return take_fd(&fd);
}

int procfd_write(int proc, const char *path, const char *text, struct err *e)
{
	own_fd int fd = procfd_file(proc, path, O_WRONLY | O_NOCTTY, e);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)len)
		return err_set(e, n < 0 ? errno : EIO, "write \"%.60s\" to /proc/%s", text, path);
	return 0;
}
