#ifndef BRIG_BASE_SYS_H
#define BRIG_BASE_SYS_H

/* System calls that glibc 2.36 has no wrapper for.  All return -1 and set errno. */

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/fault.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

static inline pid_t sys_clone3(struct clone_args *args)
{
	/* As with user.max_user_namespaces=0. */
	if (fault_hides("userns") && args->flags & CLONE_NEWUSER) {
		errno = ENOSPC;
		return -1;
	}
	return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}
static inline int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode,
			      uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};

	if (fault_hides("openat2")) {
		errno = ENOSYS;
		return -1;
	}
	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}
static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}
static inline int sys_pidfd_open(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}
static inline int sys_pidfd_send_signal(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

#endif
