#include "learn_read.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/inroot.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

enum { PAGE = 4096, PROC_NAME = 64 };

size_t learn_memory(pid_t pid, uint64_t at, void *buf, size_t n)
{
	size_t got = 0;

	/* By pages: process_vm_readv fails as a whole at the first one that is not there. */
	while (got < n) {
		size_t part = PAGE - (size_t)((at + got) % PAGE);
		struct iovec to = {(char *)buf + got, part < n - got ? part : n - got};
		struct iovec from = {(void *)(uintptr_t)(at + got), to.iov_len};
		ssize_t r = process_vm_readv(pid, &to, 1, &from, 1, 0);

		if (r <= 0)
			break;
		got += (size_t)r;
	}
	return got;
}

bool learn_string(pid_t pid, uint64_t at, char *buf, size_t size)
{
	size_t got = 0;

	/* Most are short: the rest of the page they begin in is enough, and a second read rare. */
	while (got < size) {
		size_t part = PAGE - (size_t)((at + got) % PAGE);
		size_t want = part < size - got ? part : size - got;
		size_t n = learn_memory(pid, at + got, buf + got, want);

		if (memchr(buf + got, '\0', n))
			return true;
		if (n < want)
			return false;
		got += n;
	}
	return false;
}

bool learn_link(pid_t pid, const char *name, char *buf, size_t size)
{
	char link[2 * PROC_NAME]; /* name is one of those below */

	(void)snprintf(link, sizeof(link), "/proc/%d/%s", (int)pid, name);
	ssize_t n = readlink(link, buf, size - 1);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	return true;
}

char *learn_absolute(struct arena *a, pid_t pid, int dir, const char *path)
{
	char base[PATH_MAX], name[PROC_NAME];

	if (path[0] == '/')
		return path_clean(a, path);
	(void)snprintf(name, sizeof(name), "fd/%d", dir);
	if (!learn_link(pid, dir == AT_FDCWD ? "cwd" : name, base, sizeof(base)) || base[0] != '/')
		return NULL;
	return path_clean(a, *path ? arena_printf(a, "%s/%s", base, path) : base);
}

static bool is_own_proc(const char *path)
{
	return str_starts(path, "/proc/self") || str_starts(path, "/proc/thread-self");
}

bool learn_present(pid_t pid, const char *path, char *real, size_t size)
{
	char name[PROC_NAME];

	real[0] = '\0';
	if (is_own_proc(path))
		return true;
	(void)snprintf(name, sizeof(name), "/proc/%d/root", (int)pid);
	own_fd int root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return true;
	/* O_PATH: nothing is opened, no device, no fifo. */
	own_fd int fd = inroot_open(root, path, O_PATH, 0, NULL);
	if (fd < 0)
		return fd != -ENOENT && fd != -ENOTDIR;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(name, real, size - 1);
	real[n > 0 ? n : 0] = '\0';
	if (real[0] != '/' || str_ends(real, " (deleted)"))
		real[0] = '\0';
	return true;
}

static char *unix_address(struct arena *a, const struct sockaddr_un *un, size_t len)
{
	size_t n = len - offsetof(struct sockaddr_un, sun_path);

	if (len <= offsetof(struct sockaddr_un, sun_path))
		return NULL;
	if (un->sun_path[0])
		return arena_strndup(a, un->sun_path, strnlen(un->sun_path, n));
	char *name = arena_strndup(a, un->sun_path, n);
	for (size_t i = 0; i < n; i++)
		if (!name[i])
			name[i] = '@';
	return name;
}

char *learn_address(struct arena *a, pid_t pid, uint64_t at, size_t len)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage room;
	} u = {0};
	char text[INET6_ADDRSTRLEN];

	if (!at || len < sizeof(u.any.sa_family))
		return NULL;
	if (len > sizeof(u))
		len = sizeof(u);
	if (learn_memory(pid, at, &u, len) != len)
		return NULL;
	if (u.any.sa_family == AF_UNIX)
		return unix_address(a, &u.un, len < sizeof(u.un) ? len : sizeof(u.un));
	if (u.any.sa_family == AF_INET && inet_ntop(AF_INET, &u.in.sin_addr, text, sizeof(text)))
		return arena_printf(a, "%s:%u", text, ntohs(u.in.sin_port));
	if (u.any.sa_family == AF_INET6 &&
	    inet_ntop(AF_INET6, &u.in6.sin6_addr, text, sizeof(text)))
		return arena_printf(a, "[%s]:%u", text, ntohs(u.in6.sin6_port));
	return NULL;
}

void learn_mapped(pid_t pid, void (*fn)(void *ctx, const char *path), void *ctx)
{
	char name[PROC_NAME];
	own_free char *line = NULL;
	size_t room = 0;

	(void)snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	own_file FILE *maps = fopen(name, "re");
	while (maps && getline(&line, &room, maps) > 0) {
		char *path = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		/* 7f00-7f10 r-xp 0000 08:01 99  /usr/lib/libc.so.6; a memfd has such a name, too.
		 */
		if (path && strstr(line, "x") && strcspn(line, "x") < (size_t)(path - line) &&
		    !str_starts(path, "/memfd:") && !str_ends(path, " (deleted)"))
			fn(ctx, path);
	}
}
