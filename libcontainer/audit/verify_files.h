#ifndef BRIG_AUDIT_VERIFY_FILES_H
#define BRIG_AUDIT_VERIFY_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/audit.h"

/*
 * The files of a log, oldest first, and their lines, for who only reads.  The newest one is open
 * before anybody can rotate it; what is appended later is not seen.
 */
struct audit_files {
	int dir;
	const char *base;  /* audit.jsonl */
	uint64_t *rotated; /* numbers of FILE.N, ascending */
	size_t n_rotated;
	int newest;    /* FILE; -1: is not there */
	uint64_t size; /* of it */
	/* what the lock file says was written last; lock_seq 0: there is none, or it says nothing
	 */
	uint64_t lock_seq;
	char lock_hash[65], lock_log[33];
};
/* -ENOENT: there is no file of it, nor a lock file that knows of one.  After an error nothing is
 * open. */
int audit_files_open(struct arena *a, const char *path, struct audit_files *out,
		     struct err *e) MUST_CHECK;
void audit_files_close(struct audit_files *f);
static inline size_t audit_files_count(const struct audit_files *f)
{
	return f->n_rotated + (f->newest >= 0);
}
/* N of BASE.N as the writer prints it; 0: it is no such name. */
uint64_t audit_rotated_number(const char *name, const char *base);
/* "audit.jsonl.4711" or "audit.jsonl" */
const char *audit_files_name(struct arena *a, const struct audit_files *f, size_t i);
/* A new descriptor on the i-th one, and how much of it there is. */
int audit_files_get(const struct audit_files *f, size_t i, uint64_t *size,
		    struct err *e) MUST_CHECK;

struct audit_line {
	const char *text; /* len bytes and a NUL; valid until the next call */
	size_t len;       /* without its end */
	uint64_t number;  /* in its file, from 1 */
	uint64_t size;    /* with its end, and what was thrown away */
	bool ended;       /* with a newline */
	bool cut;         /* longer than AUDIT_LINE_ROOM: nothing of it is here */
};
/* More than a line may have, so that one that is too long can still be told apart. */
enum { AUDIT_LINE_ROOM = 2 * AUDIT_MAX_LINE };
struct audit_lines {
	int fd;         /* not owned */
	uint64_t left;  /* bytes that are still to be read from it */
	uint64_t count; /* lines so far */
	size_t at, have;
	char *buffer;
};
void audit_lines_begin(struct arena *a, struct audit_lines *l, int fd, uint64_t size);
/* 1: a line, 0: the end. */
int audit_lines_next(struct audit_lines *l, struct audit_line *out, struct err *e) MUST_CHECK;

#endif
