#ifndef BRIG_GUARD_INTERPRETER_H
#define BRIG_GUARD_INTERPRETER_H

#include <stddef.h>

#include "base/err.h"

/*
 * The program that the kernel starts in place of a file: behind "#!", or an ELF file's PT_INTERP.
 * The file is the sandbox's own and is not to be trusted: nothing is read but what is asked for.
 */
enum { INTERPRETER_MAX = 4096 };
/*
 * fd: open for reading.  1: path has it, 0: there is none (path is ""); -ENOEXEC: neither a script
 * nor an ELF file, or a broken one.
 */
int interpreter_of(int fd, char *path, size_t size, struct err *e) MUST_CHECK;

#endif
