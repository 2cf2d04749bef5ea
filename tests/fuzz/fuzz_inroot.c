/*
 * A path, and before it the target of a symlink "l" in the root: whatever they are, nothing is
 * made or opened outside.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/inroot.h"
#include "base/own.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[] = "/tmp/brig-fuzz-inroot-XXXXXX";
static int top_fd = -1;

static void remove_all(void)
{
	struct err e;

	(void)!file_remove_tree(AT_FDCWD, top, &e);
}

/* top/root is the root; beside it nothing may ever appear. */
static void set_up(void)
{
	if (top_fd >= 0)
		return;
	if (!mkdtemp(top))
		abort();
	(void)atexit(remove_all);
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top_fd < 0)
		abort();
}

static void check_alone(void)
{
	own_dir DIR *d = opendir(top);
	size_t n = 0;

	while (d && readdir(d))
		n++;
	if (n != 3)
		abort();
}

static bool is_inside(int fd)
{
	char link[64], path[8192], want[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	snprintf(want, sizeof(want), "%s/root", top);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return strncmp(path, want, strlen(want)) == 0 &&
	       (path[strlen(want)] == '/' || path[strlen(want)] == '\0');
}

static void take(int fd, struct err *e)
{
	if (fd >= 0 ? !is_inside(fd) : !e->code || !e->msg[0])
		abort();
	own_close(&fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[1024] = "";
	struct err e = {0};
	const char *name;

	set_up();
	memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
	const char *path = strchr(text, '\n') ? strchr(text, '\n') + 1 : text;
	text[strcspn(text, "\n")] = '\0';
	if (mkdirat(top_fd, "root", 0755) < 0)
		abort();
	own_fd int root = openat(top_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)!symlinkat(text, root, "l"); /* an empty target is refused: no symlink then */
	take(inroot_open(root, path, O_PATH, 0, &e), &e);
	take(inroot_mkfile(root, path, &e), &e);
	take(inroot_mkdirs(root, path, 0, &e), &e);
	take(inroot_mkdirs(root, path, INROOT_NO_SYMLINKS, &e), &e);
	take(inroot_parent(root, path, &name, &e), &e);
	check_alone();
	if (file_remove_tree(top_fd, "root", &e) < 0)
		abort();
	return 0;
}
