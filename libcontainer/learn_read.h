#ifndef BRIG_LEARN_READ_H
#define BRIG_LEARN_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"

/*
 * What a process that stands in a system call has said, read from outside.  It is for looking only:
 * another thread of it may change the memory before the kernel reads it, and a process may have
 * become another one.  Nothing may be decided by it (seccomp_unotify(2)).
 */

/* Bytes read, up to n; what is not there ends it. */
size_t learn_memory(pid_t pid, uint64_t at, void *buf, size_t n);
/* A string of less than size bytes; false: it is none. */
bool learn_string(pid_t pid, uint64_t at, char *buf, size_t size);
/* Where a symbolic link of /proc/PID leads: "cwd", "root", "exe", "fd/3". */
bool learn_link(pid_t pid, const char *name, char *buf, size_t size);

/*
 * Absolute and clean, as the process's root counts: path itself, or from its descriptor dir
 * (AT_FDCWD: its working directory).  NULL: what that is cannot be read.  An empty path is dir's.
 */
char *learn_absolute(struct arena *a, pid_t pid, int dir, const char *path);

/*
 * Whether it is there; without symbolic links in real, "" when they cannot be told.  Below
 * /proc/self that is not known, and taken for so.
 */
bool learn_present(pid_t pid, const char *path, char *real, size_t size);

/* "192.0.2.1:443", "[2001:db8::1]:53", a path, "@name"; NULL: of another family, or nothing. */
char *learn_address(struct arena *a, pid_t pid, uint64_t at, size_t len);

/* Files that are mapped executable, each told to fn: the loader, which no call names. */
void learn_mapped(pid_t pid, void (*fn)(void *ctx, const char *path), void *ctx);

#endif
