#ifndef BRIG_SECRET_H
#define BRIG_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "fs/fs.h"

/*
 * What the caller hands in by descriptor for the workload alone: --env-fd and --secret
 * (docs/secrets.md).  It is read after the plan, before anything is made, into memory that is in no
 * core file, not in what brig forks beside the sandbox's process, and zeroed when that has its
 * copy; nothing of it is ever written to the host's file systems, or told of in a message.
 */
enum { SECRET_FILES = 64, SECRET_MAX_BYTES = 1 << 20, SECRET_NAME_MAX = 128 };
#define SECRET_DIRECTORY "/run/secrets"

struct secrets {
	int env; /* descriptor, -1: none, or read */
	int fds[SECRET_FILES];
	struct fs_file files[SECRET_FILES];
	size_t n;
	char *memory; /* NULL: nothing was read */
	size_t used_env, used_files;
	const char **vars; /* NAME=VALUE, in memory; a name once */
	size_t n_vars;
};
#define SECRETS_NONE                                                                               \
	{                                                                                          \
		.env = -1                                                                          \
	}
/* Of all descriptors that are kept open until they are read, and one more. */
enum { SECRET_KEEPS = SECRET_FILES + 2 };

/*
 * Which descriptors: open, readable, not a directory, the caller's own and nobody else's.
 * preserved: 3 .. 2+n are passed on, and cannot be these.  list: NAME=FD.
 */
int secrets_open(const uint64_t *env_fd, const char *const *list, size_t n, unsigned int preserved,
		 struct secrets *out, struct err *e) MUST_CHECK;
/* For process_close_all_but: with also; returns how many. */
size_t secrets_keep(const struct secrets *s, int also, int keep[SECRET_KEEPS]);
/* Something is to be read. */
bool secrets_any(const struct secrets *s);
/* To the end of each, which is closed; descriptor 0 becomes /dev/null. */
int secrets_read(struct arena *a, struct secrets *s, struct err *e) MUST_CHECK;
/*
 * The part of it that takes text apart: len bytes and room for one more, which stay what vars point
 * to.  Separated by NUL where there is one, else by newlines; empty ones are passed over.
 */
int secrets_parse_env(struct arena *a, char *text, size_t len, struct secrets *s,
		      struct err *e) MUST_CHECK;
/* env with the variables read: what it had of their names is not in it. */
const char *const *secrets_env(struct arena *a, const struct secrets *s, const char *const *env);
/* What is forked from now on has them. */
void secrets_hand_over(const struct secrets *s);
/* Closes and zeroes. */
void secrets_end(struct secrets *s);

#endif
