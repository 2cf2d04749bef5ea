#include "run/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "base/own.h"

int pidfile_write(const char *path, pid_t pid, struct err *e)
{
	own_arena struct arena a = {0};
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dir = slash ? arena_strndup(&a, path, (size_t)(slash - path) + 1) : ".";
	own_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[16];

	if (fd < 0)
		return err_set(e, errno, "pid file %s", path);
	int n = snprintf(text, sizeof(text), "%d", (int)pid);
	if (file_replace(fd, name, text, (size_t)n, 0644, e) < 0)
		return err_wrap(e, "pid file %s", path);
	return 0;
}

int pidfd_send(const char *socket_path, int pidfd, struct err *e)
{
	own_fd int sock = unix_connect(socket_path, e);

	if (sock < 0)
		return err_wrap(e, "pidfd socket");
	return fd_send(sock, "pidfd", sizeof("pidfd") - 1, &pidfd, 1, socket_path, e);
}
