#ifndef BRIG_BASE_FDPASS_H
#define BRIG_BASE_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct msghdr;

/* Connects to a UNIX stream socket; a path longer than sun_path goes through its directory. */
int unix_connect(const char *path, struct err *e) MUST_CHECK;

/*
 * One message, with descriptors by SCM_RIGHTS, never half of it (EIO); flags: MSG_DONTWAIT or
 * 0.  0 or -errno: callers name what they sent.
 */
int fd_put(int sock, const void *data, size_t len, const int *fds, size_t n_fds,
	   int flags) MUST_CHECK;
/*
 * Sends data with descriptors by SCM_RIGHTS in one message; nothing is closed.  what names
 * the peer in errors.
 */
int fd_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds, const char *what,
	    struct err *e) MUST_CHECK;
/* recvmsg with descriptors closed on exec: bytes, 0 at the end of file, or -errno. */
ssize_t fd_get(int sock, struct msghdr *m, int flags);
/* Takes the descriptors out of what came: as many as there is room for, others are closed. */
size_t fd_take(struct msghdr *m, int *fds, size_t room);

#endif
