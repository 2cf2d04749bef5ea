#ifndef BRIG_BASE_FILE_H
#define BRIG_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * Reads a whole file relative to dirfd (AT_FDCWD allowed) into the arena, terminated.  A file
 * of more than max bytes is EFBIG.  Not for paths inside a rootfs: see base/inroot.h.
 * *len, if not NULL, gets the length without the terminator.
 */
int file_read(struct arena *a, int dirfd, const char *path, size_t max, char **out, size_t *len,
	      struct err *e) MUST_CHECK;
/* As file_read, from an open descriptor to its end. */
int file_read_fd(struct arena *a, int fd, const char *name, size_t max, char **out, size_t *len,
		 struct err *e) MUST_CHECK;

/*
 * Reads a small file (kernel interfaces) into buf, terminated and without the last newline.
 * Returns the length, or -errno without a message: callers decide what absence means.
 */
ssize_t file_peek(int dirfd, const char *path, char *buf, size_t size);

/* Writes text with one write(2), as kernel interfaces want it, to an existing file. */
int file_poke(int dirfd, const char *path, const char *text, struct err *e) MUST_CHECK;

/* Writes everything, going on after short writes and EINTR. */
int file_write_all(int fd, const void *data, size_t len) MUST_CHECK;

/*
 * Replaces dirfd/name: a new file name.tmp, then rename.  Readers see the old or the new
 * content.  No fsync: state directories are on a tmpfs.
 */
int file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		 struct err *e) MUST_CHECK;

/* The names in a directory that are wanted, sorted. */
const char **file_names(struct arena *a, DIR *d, bool (*wanted)(const struct dirent *de),
			size_t *n);

/* Removes a directory tree without following symlinks and without leaving its file system. */
int file_remove_tree(int dirfd, const char *name, struct err *e) MUST_CHECK;

/* mkdir -p for host paths that the caller trusts (the state root). */
int file_mkdirs(const char *path, mode_t mode, struct err *e) MUST_CHECK;

#endif
