#include "base/nowait.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int nowait_init(struct nowait *n, int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "descriptor %d", fd);
	*n = (struct nowait){
		.fd = fd,
		.flag = !S_ISREG(st.st_mode),
		.regular = S_ISREG(st.st_mode),
		.fifo = S_ISFIFO(st.st_mode),
	};
	return 0;
}

ssize_t nowait_write(struct nowait *n, const char *buf, size_t len)
{
	enum { SMALL = 512 };
	struct iovec v = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct pollfd p = {.fd = n->fd, .events = POLLOUT};

	if (n->flag) {
		ssize_t done = pwritev2(n->fd, &v, 1, -1, RWF_NOWAIT);

		/* Pipes and terminals know it since Linux 6.4. */
		if (done >= 0 || (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS))
			return done;
		n->flag = false;
	}
	if (!n->regular) {
		size_t most = n->fifo ? PIPE_BUF : SMALL;

		if (poll(&p, 1, 0) <= 0) {
			errno = EAGAIN;
			return -1;
		}
		/* A pipe that is announced has room for one page (pipe_poll, fs/pipe.c). */
		v.iov_len = v.iov_len < most ? v.iov_len : most;
	}
	return write(n->fd, v.iov_base, v.iov_len);
}
