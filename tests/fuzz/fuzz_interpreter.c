/* The first bytes of a program of the sandbox's: a path that is ended, or an error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "guard/interpreter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char path[INTERPRETER_MAX];
	struct err e = {0};

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	int r = interpreter_of(fd, path, sizeof(path), &e);
	if (r < 0 ? !e.code || !e.msg[0] : strnlen(path, sizeof(path)) == sizeof(path))
		abort();
	if (r == 1 && !*path)
		abort();
	return 0;
}
