#ifndef BRIG_AUDIT_AUDIT_H
#define BRIG_AUDIT_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/audit.h"

/*
 * The audit log: JSON lines, each with the hash of the one before, written by any number of
 * processes without a daemon.  Beside the log FILE, in its directory (0700, root's or the user's):
 *
 *   FILE          append only; O_NOFOLLOW, 0600
 *   FILE.lock     flock(LOCK_EX) around each append, never rotated.  It says what was written
 *                 last (sequence number, hash, size, inode), so that nothing is read for an append,
 *                 and a log that is shorter than it was is noticed and written down (LogRepaired)
 *   FILE.key      with a key only: the key of the current epoch, its number, its first sequence
 *                 number and its time; written in place, the old one overwritten when it evolves
 *   FILE.SEQ      rotated: renamed when it is longer than max_bytes; SEQ is its last number.
 *                 The next file begins with LogRotated, whose prev is that file's last hash
 *   FILE.new      for a moment: a file before it has its first record
 *
 * A key evolves, K(n+1) = SHA-256("brig-evolve" || K(n)), every AUDIT_EPOCH_RECORDS records or
 * AUDIT_EPOCH_SECONDS, at the next append.  Whoever becomes root later cannot make the MACs of
 * earlier epochs.  docs/audit.md tells what all this shows and what it does not.
 */
enum { AUDIT_EPOCH_RECORDS = 1000, AUDIT_EPOCH_SECONDS = 900 };

enum audit_sync { AUDIT_SYNC_SECURITY, AUDIT_SYNC_ALL, AUDIT_SYNC_NONE };
struct audit_config {
	const char *path;   /* absolute */
	uint64_t max_bytes; /* rotated when longer; 0: never */
	uint32_t wait_ms;   /* for the lock; 2000 is usual */
	enum audit_sync sync;
};

/* Where a record stands. */
struct audit_position {
	uint64_t seq;
	char hash[65];
};

struct audit_log;
/*
 * Makes what is not there (directory, files, first record).  Refused (-EPERM): links, hard ones
 * too, files of others, files that others can write to, a directory that others can write to; the
 * directories above it are the administrator's.  The log lives as long as the arena or until it is
 * closed.
 */
int audit_open(struct arena *a, const struct audit_config *c, struct audit_log **out,
	       struct err *e) MUST_CHECK;
void audit_close(struct audit_log *l); /* NULL allowed */
/*
 * Appends r, an event of audit_events other than Log...; its members v seq ts mono boot writer prev
 * epoch mac are the log's, severity is the event's where it is NULL.  One write; a line that was
 * torn (no room, a kill) is left by who finds it, and written down (LogRepaired).  -EAGAIN: the
 * lock was not to be had in wait_ms.  -ENOKEY: its key has gone.  An error can also mean that the
 * record is there but not on the disk (sync), or torn.  at may be NULL.
 */
int audit_append(struct audit_log *l, const struct audit_record *r, struct audit_position *at,
		 struct err *e) MUST_CHECK;
/*
 * For a process that was forked and confines itself, before it does: the lock of its parent is not
 * its own.  Returns the descriptor of the log's directory, which stays the log's and is all that it
 * has open; the next append opens the others from there.  It needs reading, writing, making,
 * removing and renaming files below it, and the calls openat, fstat and newfstatat, flock, pread64,
 * pwrite64, write, fdatasync, renameat and renameat2, unlinkat, close, clock_gettime,
 * clock_nanosleep and those of memory.  It never rotates, and does not search for the files of a
 * log that has gone.
 */
int audit_confine(struct audit_log *l) MUST_CHECK;

/* A new key for a log that has none: K(0) as 64 hexadecimal digits, to be kept elsewhere.
 * -EEXIST: it has one. */
int audit_key_make(struct audit_log *l, char hex[65], struct err *e) MUST_CHECK;

/* What is written last: {"log":ID,"seq":N,"hash":H,"ts":T}; the head to be kept elsewhere. */
struct audit_head {
	const char *log; /* id of the log, from its first record */
	uint64_t seq;
	const char *hash, *ts;
};
int audit_head_read(struct arena *a, const char *path, struct audit_head *out,
		    struct err *e) MUST_CHECK;
char *audit_head_print(struct arena *a, const struct audit_head *h, size_t *len);
int audit_head_parse(struct arena *a, const char *json, size_t len, struct audit_head *out,
		     struct err *e) MUST_CHECK;

#endif
