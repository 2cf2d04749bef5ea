#include "base/unixat.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/own.h"

int unixat_socket(int dir, const char *name, struct sockaddr_un *sa, struct err *e)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_set(e, errno, "socket");
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", dir, name);
	return fd;
}

int unixat_listen(int dir, const char *name, int backlog, struct err *e)
{
	struct sockaddr_un sa;
	own_fd int fd = unixat_socket(dir, name, &sa, e);

	if (fd < 0)
		return fd;
	/* Before the bind: the file gets this mode (unix_bind_bsd, net/unix/af_unix.c). */
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(fd, backlog) < 0)
		return err_set(e, errno, "socket %s", name);
	return take_fd(&fd);
}
