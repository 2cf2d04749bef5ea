/* What the sandbox's threads call themselves. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "warden/internal.h"

/* Attached nowhere; of the pid namespace of who asks for it, which is then the only one to see it.
 */
static int mount_own(void)
{
	own_fd int fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);

	if (fs < 0)
		return -1;
	/* Only processes, without the kernel's own files (Linux 5.8). */
	(void)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "subset", "pid", 0);
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/* Best effort: a name is evidence, not what anything is decided by. */
int comm_open(bool own_pidns)
{
	return own_pidns ? mount_own() : open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

const char *comm_read(int proc, pid_t pid, char buf[COMM_MAX])
{
	char path[32];

	if (proc < 0 || pid <= 0)
		return NULL;
	snprintf(path, sizeof(path), "%d/comm", (int)pid);
	own_fd int fd = openat(proc, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, COMM_MAX - 1);

	if (n <= 0)
		return NULL;
	if (buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	for (char *c = buf; *c; c++)
		*c = *c < ' ' || *c > '~' ? '?' : *c;
	return *buf ? buf : NULL;
}
